"""Between the engine's order events and the broker's orders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from trading.execution.orders import Contract, Order

if TYPE_CHECKING:
    from journal.events import Event

NOT_SENT = "NOT_SENT"  # code of the report that ends an order before it left the house


def order_of_intent(intent: Event) -> Order:
    """Return the order an `order.intended` asks for."""
    data = intent.data
    return Order(
        order=data["order"],
        trade=data["trade"],
        contract=msgspec.convert(data["contract"], Contract),
        side=data["side"],
        quantity=data["quantity"],
        expected_paise=data["expected_paise"],
        limit_paise=data["limit_paise"],
    )


def submission_data(intent: Event, *, broker: str, algo_id: str) -> dict[str, Any]:
    """Return the data of the `order.submitted` for an intent."""
    data = intent.data
    return {
        "order": data["order"],
        "trade": data["trade"],
        "purpose": data["purpose"],
        "contract": data["contract"],
        "side": data["side"],
        "quantity": data["quantity"],
        "limit_paise": data["limit_paise"],
        "attempt": 1,
        "broker": broker,
        "algo_id": algo_id,
    }


def withdrawal_data(intent: Event, *, broker: str) -> dict[str, Any]:
    """Return the data of the `broker.report` that ends an order which never left."""
    return {
        "id": f"{NOT_SENT}-{intent.data['order']}",
        "order": intent.data["order"],
        "broker": broker,
        "broker_order": NOT_SENT,
        "status": "CANCELLED",
        "quantity": 0,
        "price_paise": None,
        "price_basis": None,
        "filled": 0,
        "expected_paise": intent.data["expected_paise"],
        "latency_us": 0,
        "charges_paise": None,
        "charges_reason": "NO_FILL",
        "reason": "cancelled before it was sent",
        "reason_code": NOT_SENT,
    }
