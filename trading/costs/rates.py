"""The dated rates of charges: each with who levies it, the days it is in force, its status and its
source.

The table (`rates.toml`) answers for the contracts and days it names and raises for any other: there
is no nearest rate.
"""

from __future__ import annotations

import functools
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from trading.market.figures import STATUSES, table

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

OPTION = "OPTION"
FUTURE = "FUTURE"
BUY = "BUY"
SELL = "SELL"
HOLDER = "HOLDER"  # who exercises
EXERCISE = "EXERCISE"  # who exercises and who is assigned

STT = "STT"
EXCHANGE = "EXCHANGE"
INVESTOR_PROTECTION = "INVESTOR_PROTECTION"
SEBI = "SEBI"
STAMP = "STAMP"
GST = "GST"
BROKERAGE = "BROKERAGE"
BROKERAGE_CAP = "BROKERAGE_CAP"

GOVERNMENT = "GOVERNMENT"

ORDER = "ORDER"  # the base of what is taken for each executed order

_BOTH = "BOTH"  # each side of a trade pays


class CostError(ValueError):
    """What cannot be charged for; the text names it and what was expected."""


class Rate(NamedTuple):
    """One rate: `rate_e9` is 10^-9 of its base (of a paisa an order, where the base is ORDER), in
    force from `first` to `last`, both included; `last` is None where the end is not known.
    """

    charge: str
    levied_by: str
    instrument: str
    side: str
    base: str
    first: date
    last: date | None
    rate_e9: int
    status: str
    source: str

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What the rate is of; of one key there is one rate a day."""
        return (self.charge, self.levied_by, self.instrument, self.side)

    def in_force(self, day: date) -> bool:
        """Whether it is the rate of a day."""
        return self.first <= day and (self.last is None or day <= self.last)


class Coverage(NamedTuple):
    """The underlyings of one exchange and the days the rates answer for."""

    exchange: str
    underlyings: tuple[str, ...]
    first: date
    last: date


class RateTable:
    """Rates by date. Raises CostError for rows that contradict each other."""

    def __init__(self, rates: Iterable[Rate], coverage: Iterable[Coverage]) -> None:
        self.rates = tuple(rates)
        self.coverage = tuple(coverage)
        self._by_key: dict[tuple[str, str, str, str], list[Rate]] = {}
        for rate in self.rates:
            self._by_key.setdefault(rate.key, []).append(rate)
        for rows in self._by_key.values():
            rows.sort(key=lambda rate: rate.first)
            _check_rows(rows)

    def exchange_of(self, underlying: str) -> str:
        """The exchange an underlying is traded on."""
        for row in self.coverage:
            if underlying in row.underlyings:
                return row.exchange
        known = ", ".join(name for row in self.coverage for name in row.underlyings)
        msg = f"no rates for {underlying!r}, expected one of {known}"
        raise CostError(msg)

    def check(self, exchange: str, underlying: str, day: date) -> None:
        """Raise CostError unless the rates answer for a contract of the exchange on a day."""
        row = next((row for row in self.coverage if row.exchange == exchange), None)
        if row is None:
            known = ", ".join(row.exchange for row in self.coverage)
            msg = f"no rates for the exchange {exchange!r}, expected one of {known}"
            raise CostError(msg)
        if underlying not in row.underlyings:
            msg = f"no {exchange} rates for {underlying!r}, expected one of " + ", ".join(
                row.underlyings
            )
            raise CostError(msg)
        if not row.first <= day <= row.last:
            msg = f"no {exchange} rates for {day}; the table covers {row.first} to {row.last}"
            raise CostError(msg)

    def in_force(self, day: date) -> tuple[Rate, ...]:
        """Every rate of a day."""
        return tuple(rate for rate in self.rates if rate.in_force(day))

    def find(
        self, charge: str, levied_by: str, instrument: str, side: str, day: date
    ) -> Rate | None:
        """The rate of a charge on a side of a trade (or of an exercise), None where there is no
        such charge. Raises CostError where there is one but not for the day.
        """
        sides = (side, _BOTH) if side in {BUY, SELL} else (side,)
        for each in sides:
            rows = self._by_key.get((charge, levied_by, instrument, each))
            if rows is not None:
                return _on(rows, day)
        return None


def _on(rows: list[Rate], day: date) -> Rate:
    for rate in rows:
        if rate.in_force(day):
            return rate
    first = rows[0]
    name = f"{first.charge} of {first.levied_by} on {first.instrument} {first.side}"
    ranges = ", ".join(f"{rate.first} to {rate.last or 'open'}" for rate in rows)
    msg = f"no rate of {name} for {day}; the table has {ranges}"
    raise CostError(msg)


def _check_rows(rows: list[Rate]) -> None:
    for rate in rows:
        wrong = rate.last is not None and rate.last < rate.first
        if wrong or rate.rate_e9 < 0 or rate.status not in STATUSES:
            msg = f"not a rate: {rate}"
            raise CostError(msg)
    for earlier, later in pairwise(rows):
        if earlier.last is None or earlier.last >= later.first:
            msg = f"two rates of {later.key} on {later.first}"
            raise CostError(msg)


def rate_of(row: dict[str, Any]) -> Rate:
    """The rate a row of the TOML table says."""
    return Rate(
        row["charge"],
        row["levied_by"],
        row["instrument"],
        row["side"],
        row["base"],
        row["from"],
        row.get("to"),
        row["rate_e9"],
        row["status"],
        row["source"],
    )


@functools.cache
def rate_table() -> RateTable:
    """The rates shipped with the program."""
    tables = table("rates")
    return RateTable(
        map(rate_of, tables["rate"]),
        (
            Coverage(row["exchange"], tuple(row["underlyings"]), row["from"], row["to"])
            for row in tables["coverage"]
        ),
    )
