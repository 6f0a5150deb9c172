"""Expiry: what is still held of a contract after its last close is settled in cash.

In the money it is exercised (who bought it) or assigned (who sold it) at settlement price less
strike; at the strike and out of the money it lapses. Without a settlement price nothing is assumed:
the trade stays as it is, and an event says so. A price that comes later settles it as a later day
opens, at the rates of the expiry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trading.engine.charging import charge_exercise
from trading.engine.intents import contract_data, orders_of
from trading.engine.lifecycle import hold_on, move, settle
from trading.engine.step import EngineError
from trading.execution.positions import Leg, State, Trade
from trading.execution.settlement import intrinsic_paise

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trading.engine.step import Step
    from trading.execution.settlement import SettlementPrice

EXPIRY = "EXPIRY"
NO_PRICE, ORDER_WORKS = "NO_PRICE", "ORDER_WORKS"
LAPSED, EXERCISED, ASSIGNED = "LAPSED", "EXERCISED", "ASSIGNED"


def expiring_legs(trade: Trade, date: str) -> list[Leg]:
    """The legs of a trade that are held and expire on a day."""
    return [leg for leg in trade.legs if leg.open_quantity and leg.contract.expiry == date]


def expiring_underlyings(trades: Iterable[Trade], date: str) -> list[str]:
    """The underlyings of what is held and expires on a day, in ascending order."""
    return sorted({trade.underlying for trade in trades if expiring_legs(trade, date)})


def unsettled_expiries(trades: Iterable[Trade], date: str) -> list[str]:
    """The expiries before a day of what is still held, in ascending order."""
    legs = (leg for trade in trades for leg in trade.legs if leg.open_quantity)
    return sorted({leg.contract.expiry for leg in legs if leg.contract.expiry < date})


def settlement_data(
    underlying: str, expiry: str, price: SettlementPrice, *, tariff: dict[str, Any] | None
) -> dict[str, Any]:
    """Return the data of a settlement.published. `tariff` are the rates of the expiry where the
    open day is a later one.
    """
    named = {"underlying": underlying, "expiry": expiry}
    return named | price._asdict() | {"tariff": tariff}


def on_settlement_published(step: Step) -> None:
    """Settle what is held of the contracts of an expiry, trade by trade: today's after the close,
    an earlier one while the day is open. Where an order still works nobody knows how much is held:
    that trade is left alone.
    """
    data, day = step.event.data, step.day
    late = data["expiry"] < day.date
    if day.closed or not (late or (data["expiry"] == day.date and step.ts >= day.close_us)):
        raise EngineError(
            f"{step.event.kind} at seq {step.seq}: {data['underlying']} {data['expiry']} is not "
            f"settled now, expected an expiry of {day.date} between its close and day.closed, or "
            "an earlier one while the day is open"
        )
    for trade in list(step.state.trades.values()):
        legs = expiring_legs(trade, data["expiry"])
        if trade.underlying == data["underlying"] and legs and not _works(trade, legs):
            _settle_trade(step, trade, legs)


def tell_unsettled(step: Step) -> None:
    """Say of each trade that expires with the closing day, and could not be settled, why not."""
    for trade in step.state.trades.values():
        legs = expiring_legs(trade, step.day.date)
        if not legs:
            continue
        step.emit(
            "position.unsettled",
            {
                "trade": trade.id,
                "strategy": trade.strategy,
                "underlying": trade.underlying,
                "expiry": step.day.date,
                "contracts": [contract_data(leg.contract) for leg in legs],
                "reason": ORDER_WORKS if _works(trade, legs) else NO_PRICE,
            },
            cause=(trade.position_seq, step.seq),
            key=trade.id,
        )


def _works(trade: Trade, legs: list[Leg]) -> bool:
    """Whether an order of the legs, or an entry of their trade, can still be filled."""
    return any(leg.exit_works for leg in legs) or not trade.entered


def _settle_trade(step: Step, trade: Trade, legs: list[Leg]) -> None:
    data = step.event.data
    rows = [_settle_leg(step, trade, leg, data["price_paise"]) for leg in legs]
    trade.exit_reason = EXPIRY
    step.emit(
        "position.settled",
        {
            "trade": trade.id,
            "strategy": trade.strategy,
            "underlying": trade.underlying,
            "expiry": data["expiry"],
            "price_paise": data["price_paise"],
            "source": data["source"],
            "row": data["row"],
            "legs": rows,
            "cash_paise": sum(_sign(row) * row["value_paise"] for row in rows),
            "costs": step.configuration.costs.label,
        },
        cause=(trade.position_seq, step.seq),
        key=trade.id,
    )
    moved = {"reason": EXPIRY, "status": EXPIRY}
    if trade.state is not State.EXIT:
        move(step, trade, State.EXIT, moved)
    if any(leg.open_quantity for leg in trade.legs) and not trade.exit_works:
        hold_on(step, trade, moved)
    else:
        settle(step, trade, moved)


def _settle_leg(step: Step, trade: Trade, leg: Leg, settlement_paise: int) -> dict[str, Any]:
    """Close a leg at its intrinsic value, charge what that costs, and say what was done."""
    quantity, intrinsic = leg.open_quantity, intrinsic_paise(leg.contract, settlement_paise)
    orders = len(orders_of(step, leg.contract, quantity, lot_size=leg.lot_size))
    charges = charge_exercise(step, trade, leg, settlement_paise, orders=orders)
    leg.exit_quantity += quantity
    leg.exit_value_paise += quantity * intrinsic
    outcome = (EXERCISED if leg.side == "BUY" else ASSIGNED) if intrinsic else LAPSED
    return {
        "contract": contract_data(leg.contract),
        "side": leg.side,
        "quantity": quantity,
        "outcome": outcome,
        "intrinsic_paise": intrinsic,
        "value_paise": quantity * intrinsic,
        "charges": charges,
    }


def _sign(row: dict[str, Any]) -> int:
    return 1 if row["side"] == "BUY" else -1
