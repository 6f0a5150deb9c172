"""Contract terms of NSE index derivatives by date: lots, strike steps, ticks, freeze quantities,
expiry days.

Dated tables (`tables/contracts.toml`, the rules of expiries in `tables/calendar.toml`); each figure
comes with its status and source. `known_at_us` asks what was known at that instant (µs UTC);
without it everything in the tables is known.
"""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

from trading.market.calendar import calendar
from trading.market.expiries import Expiry
from trading.market.expiries import expiry_dates as expiries_by_rules
from trading.market.figures import INFERRED, UNCONFIRMED, Figure, is_known, table

__all__ = [
    "ContractError",
    "ContractTerms",
    "Expiry",
    "Figure",
    "contract_terms",
    "expiries",
    "expiry_dates",
    "freeze_quantity",
    "future_tick",
    "lot_figure",
    "lot_size",
    "orders_for",
    "strike_step",
    "tick",
    "underlyings",
]

_QUARTER = 3


class ContractError(ValueError):
    """A contract the tables do not cover; the text names it and what they cover."""


class ContractTerms(NamedTuple):
    """What an order must respect: quantities in units, prices in paise."""

    lot_size: Figure
    strike_step_paise: Figure
    tick_paise: Figure
    freeze_quantity: Figure


def _rows(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = table("contracts")[name]
    return found


def underlyings() -> tuple[str, ...]:
    """The underlyings that are traded, in the order of frames of one instant."""
    return tuple(table("contracts")["traded"]["underlyings"])


def lot_figure(
    underlying: str, expiry: date, trade_date: date, *, known_at_us: int | None = None
) -> Figure:
    """The lot of a contract on a trade date, in units, with its status; where the lot of a far
    expiry was not yet announced, the last one that was, INFERRED. Raises ContractError outside the
    tables.
    """
    if trade_date > expiry:
        msg = f"{underlying} {expiry} has expired by {trade_date}"
        raise ContractError(msg)
    rows = [row for row in _rows("lot") if row["underlying"] == underlying]
    begun = [row for row in rows if _lot_applies(row, expiry, trade_date, known_at_us)]
    for row in begun:
        if expiry <= row.get("expiry_to", date.max):
            return Figure(row["lot"], row["status"], row["source"])
    if begun and known_at_us is not None:
        last = max(begun, key=lambda row: row["expiry_to"])
        return Figure(last["lot"], INFERRED, f"carried forward: {last['source']}")
    if not rows:
        raise _uncovered(underlying)
    first = min(row["expiry_from"] for row in rows)
    msg = f"no lot size for {underlying} {expiry}; the tables cover regular expiries from {first}"
    raise ContractError(msg)


def lot_size(
    underlying: str, expiry: date, trade_date: date, *, known_at_us: int | None = None
) -> int:
    """The lot of a contract on a trade date, in units; see lot_figure."""
    return lot_figure(underlying, expiry, trade_date, known_at_us=known_at_us).value


def strike_step(underlying: str) -> Figure:
    """The distance of neighbouring strikes near the money, paise."""
    for row in _rows("strike_step"):
        if row["underlying"] == underlying:
            return Figure(row["paise"], row["status"], row["source"])
    raise _uncovered(underlying)


def tick(underlying: str) -> Figure:
    """The price step of options, paise: one step for every price and date of the tables."""
    _check_covered(underlying)
    (row,) = (row for row in _rows("tick") if row["instrument"] == "OPTION")
    return Figure(row["paise"], row["status"], row["source"])


def future_tick(
    underlying: str, trade_date: date, price_paise: int, *, known_at_us: int | None = None
) -> Figure:
    """The price step of index futures at a price, paise."""
    _check_covered(underlying)
    rows = [
        row
        for row in _rows("tick")
        if row["instrument"] == "FUTURE"
        and row["from"] <= trade_date
        and row["above_paise"] < price_paise
        and is_known(row, known_at_us)
    ]
    if not rows:
        msg = f"no tick for a future of {underlying} at {price_paise} paise on {trade_date}"
        raise ContractError(msg)
    row = max(rows, key=lambda row: (row["from"], row["above_paise"]))
    return Figure(row["paise"], row["status"], row["source"])


def freeze_quantity(
    underlying: str,
    trade_date: date,
    *,
    previous_close_paise: int | None = None,
    known_at_us: int | None = None,
) -> Figure:
    """The largest quantity of one order, units. Where no circular was found the figure is
    UNCONFIRMED, or, given the index's previous close, the exchange's slab for it, INFERRED.
    """
    _check_covered(underlying)
    begun = [row for row in _rows("freeze") if row["from"] <= trade_date]
    rows = [row for row in begun if is_known(row, known_at_us) and underlying in row]
    if not rows:
        first = _rows("freeze")[0]["from"]
        msg = f"no freeze quantity for {underlying} on {trade_date}; the table begins on {first}"
        raise ContractError(msg)
    row = rows[-1]
    if row["status"] == UNCONFIRMED and previous_close_paise is not None:
        return _slab_quantity(previous_close_paise)
    return Figure(row[underlying], row["status"], row["source"])


def orders_for(quantity: int, lot: int, freeze: int) -> tuple[int, ...]:
    """A quantity cut into orders the exchange takes: whole lots, none above the freeze quantity.

    Raises ContractError when the quantity is not of whole lots or one lot is above the limit.
    """
    largest = freeze // lot * lot
    if quantity <= 0 or quantity % lot or largest == 0:
        msg = f"{quantity} units cannot be ordered in lots of {lot} under a limit of {freeze}"
        raise ContractError(msg)
    whole, rest = divmod(quantity, largest)
    return (largest,) * whole + ((rest,) if rest else ())


def contract_terms(
    underlying: str,
    expiry: date,
    trade_date: date,
    *,
    previous_close_paise: int | None = None,
    known_at_us: int | None = None,
) -> ContractTerms:
    """Everything an order for an option must respect on a trade date."""
    return ContractTerms(
        lot_figure(underlying, expiry, trade_date, known_at_us=known_at_us),
        strike_step(underlying),
        tick(underlying),
        freeze_quantity(
            underlying,
            trade_date,
            previous_close_paise=previous_close_paise,
            known_at_us=known_at_us,
        ),
    )


def expiries(
    underlying: str, first: date, last: date, *, known_at_us: int | None = None
) -> tuple[date, ...]:
    """The regular expiries from one date to another, both included, ascending; a holiday as then
    known moves one to the day before.

    Raises CalendarError outside the calendar and ContractError for another underlying.
    """
    found = expiry_dates(underlying, first, last, known_at_us=known_at_us)
    return tuple(expiry.day for expiry in found)


def expiry_dates(
    underlying: str, first: date, last: date, *, known_at_us: int | None = None
) -> tuple[Expiry, ...]:
    """The expiries of `expiries`, each with the day it has by rule, its cycle and its source."""
    rules = [row for row in table("calendar")["expiry"] if row["underlying"] == underlying]
    if not rules:
        raise _uncovered(underlying)
    return expiries_by_rules(calendar(), rules, first, last, known_at_us=known_at_us)


def _lot_applies(
    row: dict[str, Any], expiry: date, trade_date: date, known_at_us: int | None
) -> bool:
    return (
        row["expiry_from"] <= expiry
        and trade_date <= row.get("trade_to", date.max)
        and not (row.get("quarterly", False) and expiry.month % _QUARTER)
        and is_known(row, known_at_us)
    )


def _slab_quantity(previous_close_paise: int) -> Figure:
    row = next(
        row for row in _rows("freeze_slab") if "to" not in row or previous_close_paise <= row["to"]
    )
    return Figure(row["quantity"], INFERRED, "the exchange's slabs on the previous close")


def _check_covered(underlying: str) -> None:
    if all(row["underlying"] != underlying for row in _rows("strike_step")):
        raise _uncovered(underlying)


def _uncovered(underlying: str) -> ContractError:
    covered = ", ".join(row["underlying"] for row in _rows("strike_step"))
    return ContractError(f"{underlying!r} has no contract table, expected one of {covered}")
