"""Between the engine's order events and the broker's orders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from trading.execution.orders import Contract, Order

if TYPE_CHECKING:
    from journal.events import Event


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
    )


def submission_data(intent: Event, *, broker: str) -> dict[str, Any]:
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
    }
