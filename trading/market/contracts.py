"""Contract terms of NIFTY and BANKNIFTY options by date: lots, strike steps, ticks, freeze
quantities, expiry days.

Dated tables (`tables/contracts.toml`); each figure comes with its status and source.
"""

from __future__ import annotations

import calendar as month_lengths
import functools
import tomllib
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from trading.market.calendar import calendar

_TABLE = Path(__file__).parent / "tables" / "contracts.toml"
_QUARTER = 3


class ContractError(ValueError):
    """A contract the tables do not cover; the text names it and what they cover."""


class Figure(NamedTuple):
    """A dated figure: its value, how sure it is (CONFIRMED, SINGLE_SOURCE, INFERRED, UNCONFIRMED),
    and where it comes from.
    """

    value: int
    status: str
    source: str


class ContractTerms(NamedTuple):
    """What an order must respect: quantities in units, prices in paise."""

    lot_size: Figure
    strike_step_paise: Figure
    tick_paise: Figure
    freeze_quantity: Figure


@functools.cache
def _tables() -> dict[str, list[dict[str, Any]]]:
    return tomllib.loads(_TABLE.read_text(encoding="utf-8"))


def underlyings() -> tuple[str, ...]:
    """The underlyings the tables cover, in the order of frames of one instant."""
    return tuple(row["underlying"] for row in _tables()["strike_step"])


def lot_figure(underlying: str, expiry: date, trade_date: date) -> Figure:
    """The lot of a contract on a trade date, in units, with its status. Raises ContractError
    outside the tables.
    """
    if trade_date > expiry:
        msg = f"{underlying} {expiry} has expired by {trade_date}"
        raise ContractError(msg)
    rows = [row for row in _tables()["lot"] if row["underlying"] == underlying]
    for row in rows:
        if (
            row["expiry_from"] <= expiry <= row.get("expiry_to", date.max)
            and trade_date <= row.get("trade_to", date.max)
            and not (row.get("quarterly", False) and expiry.month % _QUARTER)
        ):
            return Figure(row["lot"], row["status"], row["source"])
    if not rows:
        msg = f"{underlying!r} has no contract table, expected one of {', '.join(underlyings())}"
        raise ContractError(msg)
    first = min(row["expiry_from"] for row in rows)
    msg = f"no lot size for {underlying} {expiry}; the tables cover regular expiries from {first}"
    raise ContractError(msg)


def lot_size(underlying: str, expiry: date, trade_date: date) -> int:
    """The lot of a contract on a trade date, in units; see lot_figure."""
    return lot_figure(underlying, expiry, trade_date).value


def strike_step(underlying: str) -> Figure:
    """The distance of neighbouring strikes near the money, paise."""
    return _by_underlying("strike_step", underlying)


def tick(underlying: str) -> Figure:
    """The price step of options, paise."""
    return _by_underlying("tick", underlying)


def freeze_quantity(underlying: str, trade_date: date) -> Figure:
    """The largest quantity of one order, units."""
    _by_underlying("strike_step", underlying)
    rows = [row for row in _tables()["freeze"] if row["from"] <= trade_date]
    if not rows:
        first = _tables()["freeze"][0]["from"]
        msg = f"no freeze quantity for {trade_date}; the table begins on {first}"
        raise ContractError(msg)
    return Figure(rows[-1][underlying], rows[-1]["status"], rows[-1]["source"])


def contract_terms(underlying: str, expiry: date, trade_date: date) -> ContractTerms:
    """Everything an order for a contract must respect on a trade date."""
    return ContractTerms(
        lot_figure(underlying, expiry, trade_date),
        strike_step(underlying),
        tick(underlying),
        freeze_quantity(underlying, trade_date),
    )


def expiries(
    underlying: str, first: date, last: date, *, known_at_us: int | None = None
) -> tuple[date, ...]:
    """The regular expiries from one date to another, both included, ascending; a holiday as then
    known moves one to the day before.

    Raises CalendarError outside the calendar and ContractError for another underlying.
    """
    _by_underlying("strike_step", underlying)
    found: set[date] = set()
    day = first
    # A holiday can carry an expiry a few days back, so days just after the range may expire within
    # it.
    stop = min(last + timedelta(days=7), calendar().last)
    while day <= stop:
        if _expires_by_rule(underlying, day):
            moved = day
            while not calendar().is_expiry_day_candidate(moved, known_at_us=known_at_us):
                moved -= timedelta(days=1)
            if first <= moved <= last:
                found.add(moved)
        day += timedelta(days=1)
    return tuple(sorted(found))


def _expires_by_rule(underlying: str, day: date) -> bool:
    for row in _tables()["expiry"]:
        if (
            row["underlying"] == underlying
            and row["from"] <= day <= row.get("to", date.max)
            and day.weekday() == row["weekday"]
        ):
            last_of_month = month_lengths.monthrange(day.year, day.month)[1]
            if row["cycle"] == "weekly" or day.day + 7 > last_of_month:
                return True
    return False


def _by_underlying(table: str, underlying: str) -> Figure:
    for row in _tables()[table]:
        if row["underlying"] == underlying:
            return Figure(row["paise"], row["status"], row["source"])
    msg = f"{underlying!r} has no contract table, expected one of {', '.join(underlyings())}"
    raise ContractError(msg)
