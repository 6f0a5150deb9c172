"""What stands still: the halts a feed's own rows tell and those its index leads to, as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading.market.calendar import CalendarError, calendar, session_hours
from trading.market.circuit_breakers import INDEX, CircuitBreakerError
from trading.market.feeds.day_sources import INDEX_CLOSES, closes_known_from_us, entries_of_day
from trading.market.feeds.rows import as_rows
from trading.market.frames import MarketStatus
from trading.market.market_halts import INDEX_NAMES, IndexWatch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from trading.market.circuit_breakers import Halt
    from trading.market.store import Entry
    from trading.market.timeguard import TimeGuard


def index_watch(guard: TimeGuard, day: date) -> IndexWatch | None:
    """What follows the indices of a day; None when no previous close is known, or the day is none
    of the market's.
    """
    return _watch(guard, day, entries_of_day(guard, (INDEX,), day)[INDEX_CLOSES])


def live_index_watch(guard: TimeGuard, day: date) -> IndexWatch | None:
    """The same of a day that is traded live: a generated close is none of a real market."""
    entries = [entry for entry in guard.entries(INDEX_CLOSES) if not entry.source.synthetic]
    return _watch(guard, day, entries)


def _watch(guard: TimeGuard, day: date, entries: Sequence[Entry]) -> IndexWatch | None:
    try:
        closes = _previous_closes(guard, day, entries)
        return IndexWatch(day, closes) if closes else None
    except (CalendarError, CircuitBreakerError):
        return None


def _previous_closes(guard: TimeGuard, day: date, entries: Sequence[Entry]) -> dict[str, int]:
    """The official closes of the market day before as known before the open, paise by index."""
    columns = guard.window(
        INDEX_CLOSES,
        from_us=closes_known_from_us(day),
        past_us=session_hours(day).open_us + 1,
        entries=entries,
        columns=("trade_date", "index", "close_paise"),
        where={
            "index": tuple(name for names in INDEX_NAMES.values() for name in names),
            "trade_date": calendar().previous_market_day(day),
        },
    )
    rows = [row for row in as_rows(columns) if row["close_paise"] is not None]
    closes = {
        index: [row["close_paise"] for row in rows if row["index"] in names]
        for index, names in INDEX_NAMES.items()
    }
    return {index: known[-1] for index, known in closes.items() if known}


class Standstill:
    """Says HALT when the first of the two reasons begins and RESUME when the last one ends, for
    each underlying. A halt for the rest of the day has no RESUME.
    """

    def __init__(self, underlyings: Sequence[str], index: IndexWatch | None, close_us: int) -> None:
        self._underlyings = underlyings
        self._index = index
        self._close_us = close_us
        self._told: set[str] = set()  # halted by what the feed's rows say
        self._until_us: int | None = None  # halted by the index

    def heard(self, told: Iterable[MarketStatus], at_us: int) -> list[MarketStatus]:
        """What is said by an instant: of the statuses that the feed's rows tell, ascending, and of
        the end of what the index halted.
        """
        said: list[MarketStatus] = []
        for status in told:
            said += self._reopened(status.available_at)
            if status.status == "HALT":
                self._told.add(status.underlying)
            elif status.status == "RESUME":
                self._told.discard(status.underlying)
            if self._until_us is None:
                said.append(status)
        return said + self._reopened(at_us)

    def begun(self, at_us: int) -> list[MarketStatus]:
        """The halt that values of the index known at an instant lead to, if any."""
        if self._index is None:
            return []
        halts = [halt for halt in self._index.found() if at_us < halt.reopens_us]
        return [status for halt in halts for status in self._halted(halt, at_us)]

    def _halted(self, halt: Halt, at_us: int) -> list[MarketStatus]:
        assert self._index is not None  # noqa: S101 - it found the halt
        was_halted = self._until_us is not None
        self._until_us = halt.reopens_us
        reason = self._index.reason_of(halt)
        return [
            MarketStatus(name, at_us, "HALT", reason)
            for name in self._underlyings
            if not was_halted and name not in self._told
        ]

    def _reopened(self, at_us: int) -> list[MarketStatus]:
        until_us = self._until_us
        if until_us is None or at_us < until_us or until_us >= self._close_us:
            return []
        self._until_us = None
        return [
            MarketStatus(name, until_us, "RESUME", "the call auction after the halt is over")
            for name in self._underlyings
            if name not in self._told
        ]
