"""Chains of the exchange's old page as collectors stored them: one row a strike and snapshot, with
the collector's time (IST) and nothing that says which index it is or when it expires.

The index is the one whose lot divides the quoted quantities. The page showed the nearest expiry,
so that is the first one the calendar had for the day, as it was known then. Open interest is units
on this page and is divided by the contract's lot; volume is contracts. A snapshot taken while the
market was shut shows the last session again and is refused.
"""

from __future__ import annotations

import functools
from datetime import date, time, timedelta
from typing import TYPE_CHECKING, NamedTuple

from trading.market.calendar import CalendarError, calendar
from trading.market.contracts import ContractError, expiries, lot_size, underlyings
from trading.market.importers import ImportRefusedError, reasons
from trading.market.importers.chains import Leg, leg_numbers, leg_values, share_of_whole_lots
from trading.market.importers.daily import publication
from trading.market.importers.tabular import cell, load_parquet, parse, stage_category
from trading.market.importers.text import literal, price
from trading.market.ist import instant_us

if TYPE_CHECKING:
    import duckdb

    from trading.market.importers.head import SourceFile

TERMS_UNKNOWN = "TERMS_UNKNOWN"  # no expiry or lot on record for the day
REFUSALS = (
    reasons.BAD_STAMP,
    reasons.OUTSIDE_CALENDAR,
    reasons.NOT_A_MARKET_DAY,
    reasons.HOURS_UNKNOWN,
    TERMS_UNKNOWN,
    reasons.OUTSIDE_SESSION,
    reasons.BAD_STRIKE,
    *reasons.NUMBERS,
    *reasons.CONFLICTS,
)

_REACH = timedelta(days=45)  # there is an expiry in every month
_NEARLY_ALL = 0.99
_IST_US = 19_800_000_000


class Terms(NamedTuple):
    """What a day's nearest contracts are, or the reason nobody can say."""

    expiry: date | None = None
    lot: int | None = None
    opens_us: int | None = None
    closes_us: int | None = None
    refusal: str | None = None


class Columns(NamedTuple):
    """The names of a file's columns; `spot` is None where it has none."""

    stamp: str
    strike: str
    call: Leg
    put: Leg
    spot: str | None

    @property
    def names(self) -> tuple[str, ...]:
        """Every column read."""
        spot = () if self.spot is None else (self.spot,)
        return (self.stamp, self.strike, *self.call, *self.put, *spot)


def stage_chain(
    connection: duckdb.DuckDBPyConnection, source: SourceFile, columns: Columns
) -> None:
    """Fill `staged_chain_snapshots`. Raises ImportRefusedError for a file whose quantities tell no
    index.
    """
    load_parquet(connection, source, columns.names)
    underlying = _underlying(connection, source, columns)
    _load_terms(connection, columns, underlying)
    legs = {"call": columns.call, "put": columns.put}
    prices = [columns.strike, *(() if columns.spot is None else (columns.spot,))]
    at = _instant(columns)
    parse(
        connection,
        columns.names,
        {
            "as_of": at,
            "available_at": at,
            "collection_stamp": at,
            "underlying": literal(underlying),
            "expiry": "nearest_expiry",
            "strike_paise": price(cell(columns.strike)),
            **{
                name: sql
                for side, leg in legs.items()
                for name, sql in leg_values(side, leg, units_of_a_contract="lot").items()
            },
            "spot_paise": "NULL" if columns.spot is None else price(cell(columns.spot)),
        },
        reasons=[
            ("as_of IS NULL", reasons.BAD_STAMP),
            *((f"refusal = '{reason}'", reason) for reason in _CALENDAR_REASONS),
            ("as_of NOT BETWEEN opens_us AND closes_us", reasons.OUTSIDE_SESSION),
            ("strike_paise IS NULL", reasons.BAD_STRIKE),
        ],
        numbers=leg_numbers(legs.values(), *prices),
        join=f"LEFT JOIN terms ON terms_day = {_day(columns)}",
    )
    stage_category(connection, "chain_snapshots")


_CALENDAR_REASONS = (
    reasons.OUTSIDE_CALENDAR,
    reasons.NOT_A_MARKET_DAY,
    reasons.HOURS_UNKNOWN,
    TERMS_UNKNOWN,
)


@functools.cache
def nearest_terms(underlying: str, day: date) -> Terms:
    """The nearest expiry on a day, its lot and the day's session, as known when the day began."""
    known_at_us = instant_us(day, time(0))
    session = publication(day)
    if session.closes_us is None:
        return Terms(refusal=session.refusal)
    try:
        last = min(day + _REACH, calendar().last)
        expiry = expiries(underlying, day, last, known_at_us=known_at_us)[0]
        lot = lot_size(underlying, expiry, day, known_at_us=known_at_us)
    except (CalendarError, ContractError, IndexError):
        return Terms(refusal=TERMS_UNKNOWN)
    return Terms(expiry, lot, session.opens_us, session.closes_us)


def _instant(columns: Columns) -> str:
    return f"epoch_us(TRY_CAST({cell(columns.stamp)} AS TIMESTAMP)) - {_IST_US}"


def _day(columns: Columns) -> str:
    return f"CAST(TRY_CAST({cell(columns.stamp)} AS TIMESTAMP) AS DATE)"


def _underlying(connection: duckdb.DuckDBPyConnection, source: SourceFile, columns: Columns) -> str:
    """The one index whose lots the quantities are made of."""
    found = []
    for underlying in underlyings():
        _load_terms(connection, columns, underlying)
        share = share_of_whole_lots(
            connection,
            (columns.call, columns.put),
            "lot",
            f"cells JOIN terms ON terms_day = {_day(columns)}",
        )
        if share is not None and share >= _NEARLY_ALL:
            found.append(underlying)
    if len(found) == 1:
        return found[0]
    known = ", ".join(underlyings())
    msg = f"{source.path}: its quantities are not of whole lots of exactly one index of {known}"
    raise ImportRefusedError(msg)


def _load_terms(connection: duckdb.DuckDBPyConnection, columns: Columns, underlying: str) -> None:
    rows = connection.execute(f"SELECT DISTINCT {_day(columns)} FROM cells").fetchall()  # noqa: S608
    days = sorted(row[0] for row in rows if row[0] is not None)
    terms = [nearest_terms(underlying, day) for day in days]
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE terms AS
        SELECT unnest($days::DATE[]) AS terms_day, unnest($expiries::DATE[]) AS nearest_expiry,
          unnest($lots::BIGINT[]) AS lot, unnest($opens::BIGINT[]) AS opens_us,
          unnest($closes::BIGINT[]) AS closes_us, unnest($refusals::VARCHAR[]) AS refusal
        """,
        {
            "days": days,
            "expiries": [term.expiry for term in terms],
            "lots": [term.lot for term in terms],
            "opens": [term.opens_us for term in terms],
            "closes": [term.closes_us for term in terms],
            "refusals": [term.refusal for term in terms],
        },
    )
