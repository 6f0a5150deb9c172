"""The recorded market, day by day: every source of the store in one stream, in the order things
became known.

A frame is made at each instant at which a chain, a level of the index or of its nearest future
becomes known; prints and the volatility index come along with the next one. Halts and resumptions
are those the store holds and the breaks of the day's session; a feed that says nothing for twice
its cadence has a gap, which is told when that time is up.
"""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from journal.log.manifest import DataFile
from trading.market.calendar import CalendarError, calendar, session_hours
from trading.market.feeds.assembly import Assembly, Bar, Print
from trading.market.feeds.chains import snapshots
from trading.market.feeds.day_sources import (
    BARS,
    chain_rows,
    chain_sources,
    entries_of_day,
    frame_source,
    span_of_day,
)
from trading.market.feeds.end_of_day import (
    FUTURES,
    closes_of_day,
    end_of_day_days,
    end_of_day_frames,
    record_entries,
)
from trading.market.feeds.rows import as_rows, by_underlying
from trading.market.frames import FrameSource, MarketFrame, MarketStatus
from trading.market.quality import CADENCES, Reading
from trading.market.store import (
    CHAIN_SNAPSHOTS,
    UNDERLYINGS,
    Entry,
    MarketStore,
)
from trading.market.timeguard import TimeGuard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from trading.execution.closing import Closes
    from trading.market.timeguard import Columns

FeedItem = MarketFrame | MarketStatus

DEFAULT_EXPIRIES = 4
DEFAULT_STRIKES_EACH_SIDE = 30
_PRINT_CADENCE_US = 60_000_000


class _Observation(NamedTuple):
    """Something that became known: when, in which order at one instant, and who takes it."""

    at_us: int
    rank: int
    take: Callable[[], None]


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
    guard = TimeGuard(store)
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
    for day in days_with_data(store, named, from_date, to_date, daily=daily):
        if day in seen:
            yield from _Day(guard, named, day).items(expiries, strikes_each_side)
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


def _last_moment(day: date) -> int:
    """The end of the session: what is missing after it is not missed."""
    try:
        return session_hours(day).close_us
    except CalendarError:
        return 0


class _Day:
    """One day's sources and what they become."""

    def __init__(self, guard: TimeGuard, underlyings: Sequence[str], day: date) -> None:
        self._guard = guard
        self._underlyings = [name for name in UNDERLYINGS if name in underlyings]
        self._day = day
        self._entries = entries_of_day(guard, underlyings, day)
        self._assemblies = {name: Assembly(name) for name in self._underlyings}
        self._last_moment = _last_moment(day)

    def items(self, expiries: int, strikes_each_side: int) -> Iterator[FeedItem]:
        """Everything of the day, in order."""
        observations = [
            *self._chains(expiries, strikes_each_side),
            *self._bars(),
            *self._vix(),
            *self._prints(),
        ]
        observations.sort(key=lambda seen: seen[:2])
        statuses = self._statuses()
        watches = [_GapWatch(name, self._assemblies[name]) for name in self._underlyings]
        position, count = 0, len(observations)
        while position < count:
            at_us = observations[position].at_us
            yield from self._statuses_until(statuses, at_us, watches)
            while position < count and observations[position].at_us == at_us:
                observations[position].take()
                position += 1
            for watch in watches:
                if watch.assembly.is_due:
                    frame = watch.assembly.frame(at_us)
                    watch.seen(frame)
                    yield frame
        yield from self._statuses_until(statuses, self._last_moment, watches)

    def _statuses_until(
        self, statuses: list[MarketStatus], at_us: int, watches: Sequence[_GapWatch]
    ) -> Iterator[MarketStatus]:
        """The statuses due by an instant, in order, with the gaps that were found by then."""
        due: list[MarketStatus] = []
        while statuses and statuses[0].available_at <= at_us:
            due.append(statuses.pop(0))
        for watch in watches:
            own = [status for status in due if status.underlying == watch.underlying]
            due += watch.gaps(at_us, own, self._last_moment)
        if not due:
            return
        order = {name: index for index, name in enumerate(self._underlyings)}
        for status in sorted(due, key=lambda s: (s.available_at, order[s.underlying])):
            if status.status != "GAP":
                self._assemblies[status.underlying].halted = status.status == "HALT"
            yield status

    def _columns(
        self,
        category: str,
        columns: Sequence[str],
        where: dict[str, Any] | None = None,
        *,
        in_order: bool = True,
    ) -> Columns:
        first, past = span_of_day(self._day)
        entries = self._entries[category]
        if not entries:
            return {}
        return self._guard.window(
            category,
            from_us=first,
            past_us=past,
            entries=entries,
            columns=columns,
            where=where,
            in_order=in_order,
        )

    def _chains(self, expiries: int, strikes_each_side: int) -> Iterator[_Observation]:
        entries = self._entries[CHAIN_SNAPSHOTS]
        first, past = span_of_day(self._day)
        columns = chain_rows(self._guard, entries, self._underlyings, from_us=first, past_us=past)
        if not columns:
            return
        sources, cadences = chain_sources(entries)
        for index, snapshot in snapshots(columns, sources, cadences, expiries, strikes_each_side):
            assembly = self._assemblies[self._underlyings[index]]
            yield _observed(snapshot.available_at, 2, assembly.take_chain, snapshot)

    def _bars(self) -> Iterator[_Observation]:
        for category, name in BARS.items():
            expiry = ("expiry",) if name == "future" else ()
            rows = as_rows(
                self._columns(
                    category,
                    (
                        "underlying",
                        "as_of",
                        "available_at",
                        "close_paise",
                        "interval_us",
                        "source_digest",
                        *expiry,
                    ),
                    {"underlying": tuple(self._underlyings), "interval": ("1m", "5m")},
                )
            )
            sources = {e.source.digest: frame_source(e) for e in self._entries[category]}
            for underlying, bars in by_underlying(rows).items():
                for row in self._nearest_and_finest(bars):
                    bar = _bar(row, sources[row["source_digest"]])
                    take = getattr(self._assemblies[underlying], f"take_{name}")
                    yield _observed(bar.available_at, 1, take, bar)

    def _nearest_and_finest(self, bars: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """The bars of the shortest interval there is, and of the nearest expiry."""
        interval = min(bar["interval_us"] for bar in bars)
        expiries = [bar["expiry"] for bar in bars if "expiry" in bar and bar["expiry"] >= self._day]
        nearest = min(expiries, default=None)
        for bar in bars:
            wanted = bar.get("expiry") == nearest and bar["close_paise"] is not None
            if wanted and bar["interval_us"] == interval:
                yield bar

    def _vix(self) -> Iterator[_Observation]:
        rows = as_rows(
            self._columns(
                "vix",
                ("as_of", "available_at", "close", "interval", "source_digest"),
                {"interval": ("1m", "5m")},
            )
        )
        finest = min((row["interval"] for row in rows), default=None)  # 1m is before 5m
        minutes = {"1m": 1, "5m": 5}
        for row in rows:
            if row["interval"] != finest or row["close"] is None:
                continue
            reading = Reading(
                row["close"],
                row["as_of"],
                row["available_at"],
                row["source_digest"],
                minutes[row["interval"]] * 60_000_000,
            )
            for assembly in self._assemblies.values():
                yield _observed(reading.available_at, 0, assembly.take_vix, reading)

    def _prints(self) -> Iterator[_Observation]:
        rows = as_rows(
            self._columns(
                "prints",
                (
                    "as_of",
                    "available_at",
                    "instrument",
                    "trade_id",
                    "price_paise",
                    "quantity",
                    "aggressor",
                    "source_digest",
                ),
            )
        )
        for row in rows:
            underlying = _underlying_of(row["instrument"], self._underlyings)
            if underlying is None:
                continue
            trade = Print(
                row["as_of"],
                row["available_at"],
                row["instrument"],
                row["trade_id"],
                row["price_paise"],
                row["quantity"],
                row["aggressor"],
                row["source_digest"],
                _PRINT_CADENCE_US,
            )
            yield _observed(trade.available_at, 0, self._assemblies[underlying].take_print, trade)

    def _statuses(self) -> list[MarketStatus]:
        rows = as_rows(
            self._columns(
                "market_status",
                ("underlying", "as_of", "available_at", "status", "reason"),
                {"underlying": tuple(self._underlyings)},
            )
        )
        found = [
            MarketStatus(row["underlying"], row["available_at"], row["status"], row["reason"])
            for row in rows
        ]
        found += self._breaks()
        order = {name: index for index, name in enumerate(self._underlyings)}
        return sorted(found, key=lambda s: (s.available_at, order[s.underlying]))

    def _breaks(self) -> Iterator[MarketStatus]:
        """A session of several intervals stands still between them."""
        try:
            intervals = session_hours(self._day).intervals
        except CalendarError:
            return
        for (_, stops), (starts, _) in pairwise(intervals):
            for name in self._underlyings:
                yield MarketStatus(name, stops, "HALT", "between two parts of the session")
                yield MarketStatus(name, starts, "RESUME", "the next part of the session")


class _GapWatch:
    """Notices that nothing came of an underlying for twice the cadence of its feed."""

    def __init__(self, underlying: str, assembly: Assembly) -> None:
        self.underlying = underlying
        self.assembly = assembly
        self._cadence_us = 0
        self._due: int | None = None

    def seen(self, frame: MarketFrame) -> None:
        """A frame came; the next is due within twice the shortest cadence seen."""
        cadence_us = frame.cadence_us
        self._cadence_us = min(self._cadence_us or cadence_us, cadence_us)
        self._due = frame.available_at + CADENCES * self._cadence_us

    def gaps(
        self, at_us: int, statuses: Iterable[MarketStatus], last_us: int
    ) -> Iterator[MarketStatus]:
        """The gap found before an instant, if any; a halt is none, and ends the waiting."""
        for status in (*statuses, None):
            until = at_us if status is None else status.available_at
            if self._due is not None and self._due < until and self._due < last_us:
                seconds = CADENCES * self._cadence_us / 1e6
                reason = f"nothing received for {seconds:g} s"
                yield MarketStatus(self.underlying, self._due, "GAP", reason)
                self._due = None
            if status is not None and status.status == "HALT":
                self._due = None
            elif status is not None and self._cadence_us:
                self._due = status.available_at + CADENCES * self._cadence_us


def _observed(at_us: int, rank: int, take: Callable[[Any], None], what: Any) -> _Observation:
    return _Observation(at_us, rank, lambda: take(what))


def _bar(row: dict[str, Any], source: FrameSource) -> Bar:
    return Bar(
        row["as_of"],
        row["available_at"],
        row["close_paise"],
        row["expiry"].isoformat() if "expiry" in row else None,
        source,
        row["interval_us"],
    )


def _underlying_of(instrument: str, underlyings: Sequence[str]) -> str | None:
    """Whose trade it is: NIFTY's are those of NIFTY, NIFTY-FUT, NIFTY26MARFUT, …"""
    for name in underlyings:
        rest = instrument.removeprefix(name)
        if rest != instrument and not rest[:1].isalpha():
            return name
    return None
