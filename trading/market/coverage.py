"""What is held by market day: how much of each, the gaps between, how far behind the newest is.

A line is what one category has of one underlying, either rows that stand for whole days or rows of
instants. Days are judged by the dated calendar, a day of instants by the quarters of an hour of its
session, so a shorter gap is not seen here. What is held of other markets than the exchange's keeps
other days and is not judged.
"""

from __future__ import annotations

import functools
from bisect import bisect_left, bisect_right
from datetime import date, timedelta
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from trading.market.calendar import CalendarError, calendar, ist_date
from trading.market.categories import BY_NAME
from trading.market.day_slots import slots_between
from trading.market.store import CHAIN_SNAPSHOTS, OTHERS, UNDERLYINGS, DayHeld
from trading.market.timeguard import published_through

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from trading.market.store import Entry

DAILY = "daily"
INTRADAY = "intraday"
RESOLUTIONS = (DAILY, INTRADAY)
# Categories that other markets may have rows of, and those that have rows only when something
# happens.
_OF_ANY_MARKET = {
    "spot_bars",
    "future_bars",
    "option_bars",
    CHAIN_SNAPSHOTS,
    "prints",
    "ticks",
    "implied_volatilities",
}
_OF_OCCASIONS = {"market_status", "fits", "surfaces", "synthetic_truth"}
_QUARTERS_A_DAY = 96


class Level(StrEnum):
    """How much of a market day is held. EXTENT_UNKNOWN: its rows were imported by an earlier build
    or its hours are not on record.
    """

    NONE = "none"
    PARTIAL = "partial"
    FULL = "full"
    EXTENT_UNKNOWN = "extent unknown"


_MARKS = {Level.NONE: "○", Level.PARTIAL: "◐", Level.FULL: "●", Level.EXTENT_UNKNOWN: "?"}


class DayRows(NamedTuple):
    """What all sources together gave of one date; `slots` as in trading.market.day_slots, None
    where nobody counted them.
    """

    rows: int
    slots: int | None
    synthetic: bool


class DayCoverage(NamedTuple):
    """One market day of a line; `missing` are the stretches of its session without a row, as
    quarters of an hour after midnight IST, from and until.
    """

    day: date
    level: Level
    rows: int
    synthetic: bool
    quarters: int
    of_quarters: int
    missing: tuple[tuple[int, int], ...] = ()

    @property
    def mark(self) -> str:
        """The sign of its level."""
        return _MARKS[self.level]

    @property
    def missing_ist(self) -> tuple[str, ...]:
        """The stretches without a row, as IST wall-clock times."""
        return tuple(f"{_clock(first)}–{_clock(until)}" for first, until in self.missing)


class Gap(NamedTuple):
    """Market days in a row of which nothing is held, both ends included."""

    first: date
    last: date
    market_days: int


class Line(NamedTuple):
    """What is held of one category, one of UNDERLYINGS or OTHERS, and one of RESOLUTIONS; the days
    ascend and there is at least one.
    """

    category: str
    underlying: str
    resolution: str
    days: dict[date, DayRows]

    @property
    def key(self) -> str:
        """What an address calls it."""
        return f"{self.category}.{self.underlying}.{self.resolution}"

    @property
    def judged(self) -> bool:
        """Whether the exchange's calendar says which days it should have."""
        if self.category in _OF_OCCASIONS:
            return False
        return self.underlying in UNDERLYINGS or self.category not in _OF_ANY_MARKET

    @property
    def first(self) -> date:
        """The first day of which anything is held."""
        return next(iter(self.days))

    @property
    def last(self) -> date:
        """The last day of which anything is held."""
        return next(reversed(self.days))

    @property
    def synthetic(self) -> bool:
        """Whether any of it was made up."""
        return any(day.synthetic for day in self.days.values())


def lines_of(entries: Iterable[Entry]) -> tuple[Line, ...]:
    """The lines of a catalogue's entries, in the order of categories and underlyings."""
    found: dict[tuple[str, str, str], dict[date, DayRows]] = {}
    for entry in entries:
        for whose, held in entry.held.items():
            for day in held:
                one = held[day] if isinstance(held, dict) else None
                for resolution, rows in _split(entry, one):
                    days = found.setdefault((entry.category, whose, resolution), {})
                    on = date.fromisoformat(day)
                    days[on] = _united(days.get(on), rows)
    order = {name: number for number, name in enumerate((*BY_NAME, *UNDERLYINGS, OTHERS))}
    keys = sorted(found, key=lambda key: (order[key[0]], order[key[1]], key[2]))
    return tuple(Line(*key, dict(sorted(found[key].items()))) for key in keys)


def _split(entry: Entry, held: DayHeld | None) -> list[tuple[str, DayRows]]:
    """A day of a file as rows that stand for the day and rows of instants."""
    synthetic = entry.source.synthetic
    if held is None:
        daily = "trade_date" in BY_NAME[entry.category].columns
        return [(DAILY if daily else INTRADAY, DayRows(0, None, synthetic))]
    parts = []
    if held.of_day:
        parts.append((DAILY, DayRows(held.of_day, 0, synthetic)))
    if held.slots:
        rows = held.rows - held.of_day
        parts.append((INTRADAY, DayRows(rows, int(held.slots, 16), synthetic)))
    return parts


def _united(one: DayRows | None, other: DayRows) -> DayRows:
    if one is None:
        return other
    known = one.slots is not None and other.slots is not None
    slots = (one.slots or 0) | (other.slots or 0) if known else None
    return DayRows(one.rows + other.rows, slots, one.synthetic or other.synthetic)


# --- by the calendar ------------------------------------------------------------------------------


def market_days(first: date, last: date) -> Sequence[date]:
    """The market days from one date to another, both included, as far as the calendar reaches."""
    days = _every_market_day()
    return days[bisect_left(days, first) : bisect_right(days, last)]


@functools.cache
def _every_market_day() -> tuple[date, ...]:
    return tuple(calendar().market_days(calendar().first, calendar().last))


def expected_through(resolution: str, now_us: int) -> date | None:
    """The last market day of which rows should be there at an instant: one whose session has
    closed, or, for rows of whole days, one whose record has been published.
    """
    if resolution == DAILY:
        day = min(published_through(now_us), calendar().last)
        past = market_days(calendar().first, day)
    else:
        past = market_days(calendar().first, ist_date(now_us))
        if past and not _has_closed(past[-1], now_us):
            past = past[:-1]
    return past[-1] if past else None


def _has_closed(day: date, now_us: int) -> bool:
    try:
        return calendar().session_hours(day).close_us <= now_us
    except CalendarError:
        return ist_date(now_us) > day


def gaps(line: Line, first: date, last: date) -> tuple[Gap, ...]:
    """The gaps of a line between two dates, as far as it lies between its own first and last day;
    none where it is not judged.
    """
    if not line.judged:
        return ()
    expected = market_days(max(first, line.first), min(last, line.last))
    return tuple(
        Gap(days[0], days[-1], len(days))
        for missing, run in groupby(expected, key=lambda day: day not in line.days)
        if missing and (days := list(run))
    )


def missing_days(line: Line) -> set[date]:
    """The market days of all gaps of a line."""
    if not line.judged:
        return set()
    return set(market_days(line.first, line.last)) - line.days.keys()


def days_behind(line: Line, now_us: int) -> int | None:
    """How many market days that should be there by now came after the newest held; None where the
    line is not judged.
    """
    through = expected_through(line.resolution, now_us)
    if not line.judged or through is None:
        return None
    return len(market_days(line.last + timedelta(days=1), through))


def day_coverage(line: Line, day: date) -> DayCoverage:
    """How much of a market day a line holds."""
    rows = line.days.get(day)
    level = level_of(line, day)
    if rows is None:
        return DayCoverage(day, level, rows=0, synthetic=False, quarters=0, of_quarters=0)
    if level not in {Level.PARTIAL, Level.FULL} or line.resolution == DAILY:
        return DayCoverage(day, level, rows.rows, rows.synthetic, quarters=0, of_quarters=0)
    session, slots = _session_slots(day), rows.slots or 0
    there, missing = (slots & session).bit_count(), session & ~slots
    return DayCoverage(
        day, level, rows.rows, rows.synthetic, there, session.bit_count(), _stretches(missing)
    )


def level_of(line: Line, day: date) -> Level:
    """How much of a market day a line holds, in a word."""
    rows = line.days.get(day)
    if rows is None:
        return Level.NONE
    if line.resolution == DAILY:
        return Level.FULL
    session = _session_slots(day)
    if rows.slots is None or not session:
        return Level.EXTENT_UNKNOWN
    return Level.PARTIAL if session & ~rows.slots else Level.FULL


@functools.cache
def _session_slots(day: date) -> int:
    """The quarters of an hour of a session; 0 where its hours are not on record."""
    try:
        hours = calendar().session_hours(day)
    except CalendarError:
        return 0
    slots = 0
    for opens_us, closes_us in hours.intervals:
        slots |= slots_between(opens_us, closes_us)
    return slots


def _clock(quarter: int) -> str:
    return f"{quarter // 4:02d}:{quarter % 4 * 15:02d}"


def _stretches(slots: int) -> tuple[tuple[int, int], ...]:
    found = []
    for missing, run in groupby(range(_QUARTERS_A_DAY), key=lambda quarter: slots >> quarter & 1):
        if missing:
            quarters = list(run)
            found.append((quarters[0], quarters[-1] + 1))
    return tuple(found)
