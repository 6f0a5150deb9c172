"""Between the engine's order events and the broker's orders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from trading.execution.orders import Contract, Order

if TYPE_CHECKING:
    from journal.events import Event

# Codes of the reports that are the house's own word: of an order that never left the house, and of
# one that went out and never came in at the broker.
NOT_SENT, NEVER_CAME_IN = "NOT_SENT", "NEVER_CAME_IN"


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


def submission_data(
    intent: Event, *, broker: str, algo_id: str, attempt: int = 1
) -> dict[str, Any]:
    """Return the data of the `order.submitted` for an intent; only a cancellation has an `attempt`
    above 1.
    """
    data = intent.data
    return {
        "order": data["order"],
        "trade": data["trade"],
        "purpose": data["purpose"],
        "contract": data["contract"],
        "side": data["side"],
        "quantity": data["quantity"],
        "limit_paise": data["limit_paise"],
        "attempt": attempt,
        "broker": broker,
        "algo_id": algo_id,
    }


def withdrawal_data(intent: Event, *, broker: str) -> dict[str, Any]:
    """Return the data of the `broker.report` that ends an order which never left."""
    own = {"status": "CANCELLED", "latency_us": 0, "reason": "cancelled before it was sent"}
    return _own_word(intent, NOT_SENT, broker=broker, **own)


def loss_data(intent: Event, *, broker: str, latency_us: int) -> dict[str, Any]:
    """Return the data of the `broker.report` that ends an order which the broker, asked after the
    time for an answer, does not know. `latency_us` is since its submission.
    """
    own = {"status": "REJECTED", "latency_us": latency_us, "reason": f"{broker} does not know it"}
    return _own_word(intent, NEVER_CAME_IN, broker=broker, **own)


def _own_word(intent: Event, code: str, *, broker: str, **said: Any) -> dict[str, Any]:
    """The data of a report that no broker gave: nothing was filled."""
    return {
        "id": f"{code}-{intent.data['order']}",
        "order": intent.data["order"],
        "broker": broker,
        "broker_order": code,
        "quantity": 0,
        "price_paise": None,
        "price_basis": None,
        "filled": 0,
        "expected_paise": intent.data["expected_paise"],
        "charges_paise": None,
        "charges_reason": "NO_FILL",
        "reason_code": code,
        **said,
    }
