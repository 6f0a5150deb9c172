"""The recorded market, day by day: every source of the store in one stream, in the order things
became known.

A frame is made at each instant at which a chain, a level of the index or of its nearest future
becomes known; prints and the volatility index come along with the next one. Halts and resumptions
are those the store holds and the breaks of the day's session; a feed that says nothing for twice
its cadence has a gap, which is told when that time is up.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from journal.log.manifest import DataFile
from trading.market.calendar import calendar
from trading.market.feeds.day_sources import (
    entries_of_day,
    span_of_day,
)
from trading.market.feeds.end_of_day import (
    FUTURES,
    closes_of_day,
    end_of_day_days,
    end_of_day_frames,
    record_entries,
)
from trading.market.feeds.halts import index_watch, live_index_watch
from trading.market.feeds.recorded_day import RecordedDay
from trading.market.feeds.settlements import settlements_of_day
from trading.market.frames import MarketFrame, MarketStatus
from trading.market.store import (
    CHAIN_SNAPSHOTS,
    UNDERLYINGS,
    Entry,
    MarketStore,
)
from trading.market.timeguard import TimeGuard

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from trading.execution.closing import Closes
    from trading.execution.settlement import Settlements

FeedItem = MarketFrame | MarketStatus

DEFAULT_EXPIRIES = 4
DEFAULT_STRIKES_EACH_SIDE = 30


def days_with_data(
    store: MarketStore,
    underlyings: Sequence[str] = UNDERLYINGS,
    from_date: date | None = None,
    to_date: date | None = None,
    *,
    daily: bool = False,
) -> tuple[date, ...]:
    """The IST dates, ascending, on which a feed of any of the underlyings brings a chain: snapshots
    of the day or, failing these, the end-of-day record of the day before, unless that day had
    snapshots itself. With `daily` only the records count.
    """
    return _days_with_data(TimeGuard(store), underlyings, from_date, to_date, daily=daily)


def _days_with_data(
    guard: TimeGuard,
    underlyings: Sequence[str],
    from_date: date | None,
    to_date: date | None,
    *,
    daily: bool,
) -> tuple[date, ...]:
    days = end_of_day_days(guard, underlyings)
    if not daily:
        seen = _days_with_snapshots(guard, underlyings)
        # The record of a day that was seen while the market was open tells no one anything new.
        days -= {calendar().next_market_day(day) for day in seen}
        days |= seen
    return tuple(
        day
        for day in sorted(days)
        if (from_date is None or from_date <= day) and (to_date is None or day <= to_date)
    )


def _days_with_snapshots(guard: TimeGuard, underlyings: Sequence[str]) -> set[date]:
    return {
        date.fromisoformat(day)
        for entry in guard.entries(CHAIN_SNAPSHOTS)
        for underlying in underlyings
        for day in entry.days.get(underlying, ())
    }


def frames(
    store: MarketStore,
    underlyings: Sequence[str],
    from_date: date,
    to_date: date,
    *,
    expiries: int = DEFAULT_EXPIRIES,
    strikes_each_side: int = DEFAULT_STRIKES_EACH_SIDE,
) -> Iterator[MarketFrame]:
    """The frames of `feed_items`, without the statuses between them."""
    for item in feed_items(
        store,
        underlyings,
        from_date,
        to_date,
        expiries=expiries,
        strikes_each_side=strikes_each_side,
    ):
        if isinstance(item, MarketFrame):
            yield item


def feed_items(
    store: MarketStore,
    underlyings: Sequence[str],
    from_date: date,
    to_date: date,
    *,
    expiries: int = DEFAULT_EXPIRIES,
    strikes_each_side: int = DEFAULT_STRIKES_EACH_SIDE,
    daily: bool = False,
) -> Iterator[FeedItem]:
    """Frames and statuses of some underlyings from one IST date to another (both included), as they
    became known, at one instant statuses first and NIFTY before BANKNIFTY.

    A chain holds the nearest `expiries` that have not expired and have a parity forward, each with
    the strike nearest that forward and up to `strikes_each_side` on either side of it. A day
    without snapshots has the end-of-day record of the day before; with `daily` every day has. All
    days are read from the generation that was current at the first. Raises StoreError when a file
    of the store is missing or damaged.
    """
    guard = TimeGuard(store)
    named = [name for name in UNDERLYINGS if name in underlyings]
    seen = set() if daily else _days_with_snapshots(guard, named)
    for day in _days_with_data(guard, named, from_date, to_date, daily=daily):
        if day in seen:
            yield from RecordedDay(guard, named, day).items(expiries, strikes_each_side)
        else:
            yield from end_of_day_frames(
                guard, named, day, expiries=expiries, strikes_each_side=strikes_each_side
            )


def closes(
    store: MarketStore, underlyings: Sequence[str], day: date, *, daily: bool = False
) -> Closes:
    """What orders of a day without snapshots are filled at; empty on a day that has its own."""
    guard = TimeGuard(store)
    if not daily and day in _days_with_snapshots(guard, underlyings):
        return {}
    return closes_of_day(guard, underlyings, day)


def settlements(store: MarketStore, underlyings: Sequence[str], day: date) -> Settlements:
    """What the options that expire on a day are settled at; an underlying without a price on
    record is left out.
    """
    return settlements_of_day(TimeGuard(store), underlyings, day)


def halts_counted_from(
    store: MarketStore, underlyings: Sequence[str], day: date, *, daily: bool = False
) -> dict[str, int]:
    """The previous closes that the feed of a day counts market-wide halts from, paise by index
    (NIFTY, SENSEX); empty where it tells none: no close is known, or the day is not seen while the
    market is open.
    """
    guard = TimeGuard(store)
    if daily or day not in _days_with_snapshots(guard, underlyings):
        return {}
    watch = index_watch(guard, day)
    return {} if watch is None else watch.previous_closes


def live_halts_counted_from(store: MarketStore, day: date) -> dict[str, int]:
    """The previous closes that market-wide halts of a live day are counted from, paise by index;
    empty where the store has no recorded one that was known before the open.
    """
    watch = live_index_watch(TimeGuard(store), day)
    return {} if watch is None else watch.previous_closes


def files_of_days(
    store: MarketStore, underlyings: Sequence[str], days: Sequence[date], *, daily: bool = False
) -> tuple[DataFile, ...]:
    """The files of the store that `feed_items` reads for some days; their digests are those that
    it holds them to.
    """
    guard = TimeGuard(store)
    seen = set() if daily else _days_with_snapshots(guard, underlyings)
    files = {
        entry.accepted.file: DataFile(
            entry.accepted.file, entry.accepted.digest, entry.source.digest
        )
        for day in days
        for entry in (
            _all_of(entries_of_day(guard, underlyings, day))
            if day in seen
            else _record_entries_of(guard, day)
        )
    }
    return tuple(files.values())


def _all_of(entries: dict[str, list[Entry]]) -> list[Entry]:
    return [entry for found in entries.values() for entry in found]


def _record_entries_of(guard: TimeGuard, day: date) -> list[Entry]:
    """The end-of-day files of a decision day: those known on it and those its orders fill from."""
    first, _ = span_of_day(day)
    _, past = span_of_day(calendar().next_market_day(day))
    entries = [*record_entries(guard), *guard.entries(FUTURES), *guard.entries("vix")]
    return [
        entry
        for entry in entries
        if entry.ranges["available_at"][0] < past and entry.ranges["available_at"][1] >= first
    ]
