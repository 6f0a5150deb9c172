"""What trading costs: exact charges fill by fill, and the contract note at the end of the day.

A session that is GROSS takes nothing off, and says so wherever a figure would stand.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any

from trading.costs.amounts import rupees_of_exact
from trading.costs.fees import Fees
from trading.costs.india import Contract, Fill, charges_of, order_lines
from trading.costs.notes import billed_charges
from trading.costs.tariff import broker_of_tariff

if TYPE_CHECKING:
    from trading.costs.india import Charges
    from trading.engine.step import Step
    from trading.execution.positions import FoundOrder, Trade


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
    traded = found.leg.contract
    contract = Contract(
        broker.levies.exchange_of(traded.underlying),
        traded.underlying,
        date.fromisoformat(traded.expiry),
        traded.strike_paise,
        traded.right,
    )
    fill = Fill(contract, found.side, report["quantity"], report["price_paise"])
    charges = charges_of(order_lines((fill,), day, broker, executed_orders=int(first)))
    charges = charges.times(step.configuration.costs.stress)
    trade.fees.add(charges)
    step.state.fees_today.add(charges)


def close_note(step: Step) -> dict[str, Any] | None:
    """Bill the day: the note as `day.closed` carries it. What was estimated is replaced by what is
    billed. None for a day without a fill, and where costs are GROSS.
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
