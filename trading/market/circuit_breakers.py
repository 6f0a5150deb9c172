"""The market-wide circuit breaker: what a move of the index halts, and for how long.

A move of 10, 15 or 20 per cent of NIFTY 50 or SENSEX against its previous close, either way and
whichever comes first, halts all equity derivatives; a call auction reopens them. Dated table with
status and source: `tables/circuit_breakers.toml`. No notice has said what holds in the closing
auction since 3 August 2026; the table is applied by the clock as before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from trading.market.calendar import session_hours
from trading.market.figures import is_known, table
from trading.market.ist import instant_us, ist_date

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

INDEX, SENSEX = "NIFTY", "SENSEX"
INDICES = (INDEX, SENSEX)  # that trigger it

_MINUTE_US = 60_000_000
_TICK_PAISE = 5


class CircuitBreakerError(ValueError):
    """A question the table cannot answer; the text names the date or the moves."""


class Halt(NamedTuple):
    """One halt, times µs UTC: it begins with the move, a call auction follows from
    `halted_until_us` to `reopens_us`. Both are the close when trading is over for the day. A move
    late enough to halt nothing begins and ends at once. `moved` is the index that did.
    """

    move_percent: int
    begins_us: int
    halted_until_us: int
    reopens_us: int
    rest_of_day: bool
    status: str
    source: str
    moved: str


def trigger_points(
    day: date, previous_close_paise: int, *, known_at_us: int | None = None
) -> dict[int, int]:
    """The distance from the previous close that triggers each level, paise by per cent, to the
    nearest tick.
    """
    levels = sorted({row["move_percent"] for row in _in_force(day, known_at_us)})
    return {percent: _points(previous_close_paise, percent) for percent in levels}


def halts(
    previous_close_paise: int, moves: Iterable[tuple[int, int]], *, known_at_us: int | None = None
) -> tuple[Halt, ...]:
    """The halts of one day, from the values of NIFTY as (instant µs UTC, paise), ascending in time.

    Each level triggers once; values during a halt and its auction trigger nothing, and where a
    value crosses two levels at once the higher counts. Raises CircuitBreakerError for moves out of
    order or before the table begins, CalendarError for a day without a session.
    """
    found: list[Halt] = []
    breaker: Breaker | None = None
    for at_us, index_paise in moves:
        closes = {INDEX: previous_close_paise}
        breaker = breaker or Breaker(ist_date(at_us), closes, known_at_us=known_at_us)
        halt = breaker.take(at_us, INDEX, index_paise)
        if halt is not None:
            found.append(halt)
    return tuple(found)


class Breaker:
    """The circuit breaker of one day, told the indices value by value: what it has halted so far
    decides what the next value halts, and nothing later does. A level that one index has halted for
    is not halted for again when the other reaches it.

    Raises CircuitBreakerError for a day before the table begins, CalendarError for a day without a
    session.
    """

    def __init__(
        self, day: date, previous_closes: Mapping[str, int], *, known_at_us: int | None = None
    ) -> None:
        """Count from the previous close of each index, paise."""
        self._closes = dict(previous_closes)
        self._points = {
            index: trigger_points(day, close_paise, known_at_us=known_at_us)
            for index, close_paise in self._closes.items()
        }
        self._hours = session_hours(day, known_at_us=known_at_us)
        self._known_at_us = known_at_us
        self._last = dict.fromkeys(self._closes, 0)
        self._reached = self._closed_until = 0

    def stand(self, move_percent: int, closed_until_us: int) -> None:
        """Take over a halt that was found before: its level, and when trading goes on."""
        self._reached = max(self._reached, move_percent)
        self._closed_until = max(self._closed_until, closed_until_us)

    def take(self, at_us: int, index: str, index_paise: int) -> Halt | None:
        """The halt that a value of an index (paise, at µs UTC) begins, None when it begins none.
        Raises CircuitBreakerError for a value older than the last of that index.
        """
        if at_us < self._last[index]:
            msg = f"{index} values out of order: {at_us} after {self._last[index]}"
            raise CircuitBreakerError(msg)
        self._last[index] = at_us
        if at_us < self._closed_until or not self._hours.open_us <= at_us < self._hours.close_us:
            return None
        distance, levels = abs(index_paise - self._closes[index]), self._points[index]
        percent = max((p for p, points in levels.items() if distance >= points), default=0)
        if percent <= self._reached:
            return None
        halt = _halt(percent, index, at_us, self._hours.close_us, self._known_at_us)
        self._reached, self._closed_until = percent, halt.reopens_us
        return halt


def _halt(percent: int, index: str, at_us: int, close_us: int, known_at_us: int | None) -> Halt:
    day = ist_date(at_us)
    row = next(
        row
        for row in _in_force(day, known_at_us)
        if row["move_percent"] == percent
        and instant_us(day, row["after"]) <= at_us < instant_us(day, row["before"])
    )
    rest_of_day = row.get("rest_of_day", False)
    halted_until = close_us if rest_of_day else at_us + row["halt_minutes"] * _MINUTE_US
    halted_until = min(halted_until, close_us)
    reopens = min(halted_until + row["auction_minutes"] * _MINUTE_US, close_us)
    said = row["status"], row["source"]
    return Halt(percent, at_us, halted_until, reopens, rest_of_day, *said, index)


def _points(previous_close_paise: int, percent: int) -> int:
    ticks = (2 * previous_close_paise * percent + 100 * _TICK_PAISE) // (200 * _TICK_PAISE)
    return ticks * _TICK_PAISE


def _in_force(day: date, known_at_us: int | None) -> list[dict[str, Any]]:
    rows = table("circuit_breakers")["circuit_breaker"]
    begun = [row for row in rows if row["from"] <= day and is_known(row, known_at_us)]
    if not begun:
        first = min(row["from"] for row in rows)
        msg = f"no circuit breakers on record for {day}; the table begins on {first}"
        raise CircuitBreakerError(msg)
    newest = max(row["from"] for row in begun)
    return [row for row in begun if row["from"] == newest]
