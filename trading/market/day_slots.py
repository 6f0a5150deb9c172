"""How much of a day rows cover: the quarters of an hour of the IST day that have any.

A quarter of an hour is the coarsest step any source of snapshots has, so sources of every cadence
are judged alike. Which quarters are there is a number: bit n stands for those that begin n quarters
after midnight IST; days of several sources unite by OR.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading.market.categories import BY_NAME
from trading.market.store import CHAIN_SNAPSHOTS, OTHERS, UNDERLYINGS, DayHeld

if TYPE_CHECKING:
    from collections.abc import Iterable

    import duckdb

    from trading.market.store import Held

QUARTER_US = 900_000_000
_DAY_US = 86_400_000_000
_IST_OFFSET_US = 19_800_000_000
_NAMES = ("underlying", "index", "instrument")  # what tells whose row it is, the first there is


def days_held(connection: duckdb.DuckDBPyConnection, category: str, relation: str) -> Held:
    """What the rows of a relation (a table or query in parentheses) with a category's columns hold
    of each IST date, for each of UNDERLYINGS and `*` for everything else: the date a snapshot was
    received on, or anything else was true on. Tables of dated figures are of no day.
    """
    if BY_NAME[category].is_dated_table:
        return {}
    moment = f"({_moment(category)} + {_IST_OFFSET_US} - {_lag(category)})"
    stands_for_day = _stands_for_day(category)
    rows = connection.execute(
        f"""
        SELECT {whose_of(category)} AS whose, {day_of(category)} AS day,
          count(*), count(*) FILTER ({stands_for_day}),
          list(DISTINCT {moment} % {_DAY_US} // {QUARTER_US}) FILTER (NOT ({stands_for_day}))
        FROM {relation} GROUP BY ALL ORDER BY whose DESC, day
        """  # noqa: S608 - names of our own
    ).fetchall()
    days: dict[str, dict[str, DayHeld]] = {}
    for whose, day, count, of_day, quarters in rows:
        held = DayHeld(count, of_day, slots_text(quarters or ()))
        days.setdefault(whose, {})[day] = held
    return dict(days)


def day_of(category: str) -> str:
    """The SQL that gives the IST date a row of a category is of."""
    return f"CAST(make_timestamp({_moment(category)} + {_IST_OFFSET_US}) AS DATE)::VARCHAR"


def whose_of(category: str) -> str:
    """The SQL that tells whose a row of a category is: one of UNDERLYINGS, or OTHERS."""
    name = next((name for name in _NAMES if name in BY_NAME[category].columns), None)
    if name is None:
        return f"'{OTHERS}'"
    known = ", ".join(f"'{underlying}'" for underlying in UNDERLYINGS)
    return f'CASE WHEN "{name}" IN ({known}) THEN "{name}" ELSE \'{OTHERS}\' END'


def slots_text(quarters: Iterable[int]) -> str:
    """Quarters of an hour after midnight IST as the catalogue writes them."""
    slots = 0
    for quarter in quarters:
        slots |= 1 << quarter
    return f"{slots:x}" if slots else ""


def slots_between(start_us: int, stop_us: int) -> int:
    """The quarters of an hour of an IST day that lie, whole or in part, between two instants."""
    first = (start_us + _IST_OFFSET_US) % _DAY_US // QUARTER_US
    last = (stop_us - 1 + _IST_OFFSET_US) % _DAY_US // QUARTER_US
    return (1 << (last + 1)) - (1 << first)


def _moment(category: str) -> str:
    return "available_at" if category == CHAIN_SNAPSHOTS else "as_of"


def _stands_for_day(category: str) -> str:
    columns = BY_NAME[category].columns
    if "trade_date" in columns:
        return "true"
    return "interval = '1d'" if "interval" in columns else "false"


def _lag(category: str) -> int:
    """A bar is labelled by its end, and is of the quarter of an hour before it."""
    return 1 if "interval" in BY_NAME[category].columns else 0
