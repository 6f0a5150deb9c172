"""Order intents: what has been decided, as the log has it before anything leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trading.engine.desk import MINUTE_US, limits_in_force
from trading.execution.orders import OPPOSITE
from trading.execution.positions import LegOrder
from trading.execution.slicing import slices

if TYPE_CHECKING:
    from trading.engine.step import Step
    from trading.execution.orders import Contract, Side
    from trading.execution.positions import Leg, Trade
    from trading.risk.verdicts import Approved


def orders_of(step: Step, contract: Contract, quantity: int, *, lot_size: int) -> tuple[int, ...]:
    """The orders a quantity leaves as under the day's freeze quantity, units; one where the day has
    none for its underlying, which gate 5 refuses to enter.
    """
    terms = step.day.terms.get(contract.underlying)
    if terms is None:
        return (quantity,) if quantity > 0 else ()
    return slices(quantity, lot_size=lot_size, freeze_quantity=terms.freeze_quantity)


def intend_entry(
    step: Step,
    approved: Approved,
    trade: Trade,
    leg: Leg,
    *,
    expected_paise: int | None,
    cause: tuple[int, ...],
) -> None:
    """Intend the entry of a leg, in as many orders as the freeze quantity makes of it; nothing but
    an approval can be made into one.
    """
    del approved
    for quantity in orders_of(step, leg.contract, leg.quantity, lot_size=leg.lot_size):
        order = LegOrder(step.next_id(), quantity)
        leg.entries.append(order)
        _emit(
            step,
            trade,
            leg,
            order,
            purpose="entry",
            side=leg.side,
            expected_paise=expected_paise,
            cause=cause,
        )


def intend_exit(
    step: Step, approved: Approved, trade: Trade, leg: Leg, quantity: int, *, cause: tuple[int, ...]
) -> None:
    """Intend an order that closes some units of a leg, at the market."""
    del approved
    side = OPPOSITE[leg.side]
    order = LegOrder(step.next_id(), quantity)
    leg.exits.append(order)
    _emit(
        step,
        trade,
        leg,
        order,
        purpose="exit",
        side=side,
        expected_paise=_opposite_paise(step, leg.contract, side),
        cause=cause,
    )


def intend_cancel(
    step: Step, trade: Trade, leg: Leg, order: LegOrder, *, cause: tuple[int, ...]
) -> None:
    """Intend the cancellation of what is left of an entry order; no gate is asked."""
    order.cancelled = True
    left = LegOrder(order.order, order.quantity - order.filled)
    _emit(step, trade, leg, left, purpose="cancel", side=leg.side, expected_paise=None, cause=cause)


def leaving_legs(step: Step, trade: Trade) -> list[Leg]:
    """The legs that are held and can still be traded: those that expired wait for settlement."""
    return [leg for leg in trade.legs if leg.open_quantity and _trades(step, leg.contract.expiry)]


def _trades(step: Step, expiry: str) -> bool:
    return expiry >= step.day.date and step.ts < step.day.last_trade_us(expiry)


def leaving_now(step: Step, trade: Trade) -> list[tuple[Leg, tuple[int, ...]]]:
    """The open legs with the orders that close them now, no more than gate 18 lets out in a second;
    what is left follows once these have ended. What was sold is bought back first.
    """
    limits = limits_in_force(step)
    room = limits.messages_per_second + limits.reserved_messages_per_second
    found = []
    for leg in sorted(leaving_legs(step, trade), key=lambda each: each.side == "BUY"):
        orders = orders_of(step, leg.contract, leg.open_quantity, lot_size=leg.lot_size)[:room]
        if orders:
            found.append((leg, orders))
            room -= len(orders)
    return found


def contract_data(contract: Contract) -> dict[str, Any]:
    """Return a contract as events carry it."""
    return {
        "underlying": contract.underlying,
        "expiry": contract.expiry,
        "strike_paise": contract.strike_paise,
        "right": contract.right,
    }


def _opposite_paise(step: Step, contract: Contract, side: Side) -> int | None:
    """The quote that an order at the market meets, None without one."""
    quote = step.underlying(contract.underlying).quotes.get(contract.label)
    if quote is None:
        return None
    return quote.ask_paise if side == "BUY" else quote.bid_paise


def _emit(
    step: Step,
    trade: Trade,
    leg: Leg,
    order: LegOrder,
    *,
    purpose: str,
    side: Side,
    expected_paise: int | None,
    cause: tuple[int, ...],
) -> None:
    risk = step.state.risk
    risk.messages_at = [at for at in risk.messages_at if step.ts - at < MINUTE_US]
    risk.messages_at.append(step.ts)
    step.emit(
        "order.intended",
        {
            "order": order.order,
            "trade": trade.id,
            "strategy": trade.strategy,
            "underlying": trade.underlying,
            "purpose": purpose,
            "leg": trade.legs.index(leg),
            "contract": contract_data(leg.contract),
            "side": side,
            "quantity": order.quantity,
            "lot_size": leg.lot_size,
            "limit_paise": None,
            "expected_paise": expected_paise,
        },
        cause=cause,
        key=order.order,
    )
