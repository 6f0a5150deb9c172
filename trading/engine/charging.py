"""What trading costs: exact charges of fills and exercises, the contract note at a day's end.

A session that is GROSS takes nothing off, and says so wherever a figure would stand.
"""

from __future__ import annotations

from dataclasses import asdict, astuple
from datetime import date
from typing import TYPE_CHECKING, Any

from trading.costs.amounts import paise_of, rupees_of_exact
from trading.costs.fees import Fees
from trading.costs.india import (
    Charges,
    Contract,
    Exercise,
    Fill,
    charges_of,
    exercise_lines,
    order_lines,
)
from trading.costs.notes import billed_charges
from trading.costs.tariff import broker_of_tariff

if TYPE_CHECKING:
    from trading.costs.brokers import Broker
    from trading.engine.step import Step
    from trading.execution.positions import FoundOrder, Leg, Trade


def charge_fill(
    step: Step, trade: Trade, found: FoundOrder, report: dict[str, Any], *, first: bool
) -> None:
    """Add what a fill costs to its trade and its day. Brokerage is of the order: its `first` fill
    bears it.
    """
    tariff = step.day.tariff
    if tariff is None:
        return
    day = date.fromisoformat(step.day.date)
    broker = broker_of_tariff(tariff, day)
    fill = Fill(_contract(found.leg, broker), found.side, report["quantity"], report["price_paise"])
    charges = charges_of(order_lines((fill,), day, broker, executed_orders=int(first)))
    _take_off(step, trade, charges)


def charge_exercise(
    step: Step, trade: Trade, leg: Leg, settlement_paise: int, *, orders: int
) -> dict[str, int] | None:
    """Add what settling the open units of a leg costs, at the rates of its expiry, to its trade and
    the open day; return it by line, estimated to the paisa. None where costs are GROSS. Brokerage
    is taken for as many `orders` as the freeze quantity would make of it.
    """
    tariff = step.event.data["tariff"] or step.day.tariff
    if tariff is None:
        return None
    expiry = date.fromisoformat(leg.contract.expiry)
    broker = broker_of_tariff(tariff, expiry)
    exercise = Exercise(
        _contract(leg, broker), leg.side, leg.open_quantity, settlement_paise, orders
    )
    charges = _take_off(step, trade, charges_of(exercise_lines(exercise, expiry, broker)))
    return _with_total(asdict(Charges(*(paise_of(line) for line in astuple(charges)))))


def _contract(leg: Leg, broker: Broker) -> Contract:
    return Contract(
        broker.levies.exchange_of(leg.contract.underlying),
        leg.contract.underlying,
        date.fromisoformat(leg.contract.expiry),
        leg.contract.strike_paise,
        leg.contract.right,
    )


def _take_off(step: Step, trade: Trade, charges: Charges) -> Charges:
    """Add exact charges, under the session's cost stress, to a trade and the day."""
    charges = charges.times(step.configuration.costs.stress)
    trade.fees.add(charges)
    step.state.fees_today.add(charges)
    return charges


def close_note(step: Step) -> dict[str, Any] | None:
    """Bill the day: the note as `day.closed` carries it. What was estimated is replaced by what is
    billed. None for a day without a fill or an exercise, and where costs are
    GROSS.
    """
    exact = step.state.fees_today.exact
    if not exact.total:
        return None
    billed = billed_charges(exact)
    step.state.fees_billed = _plus(step.state.fees_billed, billed)
    step.state.fees_today = Fees()
    return {
        "exact": {line: rupees_of_exact(amount) for line, amount in asdict(exact).items()},
        "billed": asdict(billed) | {"total": billed.total},
    }


def session_fees(step: Step) -> dict[str, int] | None:
    """Charges of the session by line, paise: earlier days as billed, today's as estimated; None
    where costs are GROSS.
    """
    if step.configuration.costs.gross:
        return None
    return _with_total(_plus(step.state.fees_billed, step.state.fees_today.paise))


def trade_fees(step: Step, trade: Trade) -> dict[str, int] | None:
    """Charges of a trade so far by line, estimated to the paisa; None where costs are GROSS."""
    if step.configuration.costs.gross:
        return None
    return _with_total(asdict(trade.fees.paise))


def _with_total(fees: dict[str, int]) -> dict[str, int]:
    return fees | {"total": sum(fees.values())}


def _plus(have: dict[str, int], more: Charges) -> dict[str, int]:
    return {line: have.get(line, 0) + amount for line, amount in asdict(more).items()}
