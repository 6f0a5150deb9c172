"""One recorded day: its sources, in the order things became known, and the frames and statuses they
become.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import partial
from heapq import merge
from itertools import groupby, pairwise, repeat
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trading.market.calendar import CalendarError, session_hours
from trading.market.circuit_breakers import INDICES
from trading.market.feeds.assembly import Assembly, Bar, Print, reading_of
from trading.market.feeds.chains import snapshots
from trading.market.feeds.day_sources import (
    BARS,
    chain_rows,
    chain_sources,
    entries_of_day,
    frame_source,
    span_of_day,
)
from trading.market.feeds.gaps import GapWatch
from trading.market.feeds.halts import Standstill, index_watch
from trading.market.feeds.rows import as_lists, as_rows, by_underlying
from trading.market.frames import FrameSource, MarketFrame, MarketStatus
from trading.market.quality import Reading
from trading.market.store import CHAIN_SNAPSHOTS, UNDERLYINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import date

    from trading.market.timeguard import Columns, TimeGuard

_PRINT_CADENCE_US = 60_000_000
_ORDER = itemgetter(0, 1)  # of observations: by instant and rank
# In the order of the fields of a Print.
_PRINT_COLUMNS = (
    "as_of",
    "available_at",
    "instrument",
    "trade_id",
    "price_paise",
    "quantity",
    "aggressor",
    "source_digest",
)


class _Observation(NamedTuple):
    """Something that became known: when, in which order at one instant, who takes it, and what."""

    at_us: int
    rank: int
    take: Callable[[Any], None]
    what: Any


class _Tape:
    """The trades of an underlying in the order they became known, given out up to an instant.

    They stay columns until then: a day of them as objects would be looked through by every garbage
    collection.
    """

    def __init__(self, columns: Columns) -> None:
        self._columns: dict[str, list[Any]] = {name: [] for name in _PRINT_COLUMNS} | as_lists(
            columns
        )
        self._given = 0

    @property
    def last_us(self) -> int:
        """When the last trade became known; 0 where there is none."""
        return max(self._columns["available_at"], default=0)

    def until(self, at_us: int) -> Iterator[Print]:
        """Those not yet given out that were known at an instant."""
        first = self._given
        self._given = past = bisect_right(self._columns["available_at"], at_us, lo=first)
        cut = (column[first:past] for column in self._columns.values())
        return map(Print, *cut, repeat(_PRINT_CADENCE_US))


def _last_moment(day: date) -> int:
    """The end of the session: what is missing after it is not missed."""
    try:
        return session_hours(day).close_us
    except CalendarError:
        return 0


class RecordedDay:
    """One day's sources and what they become."""

    def __init__(self, guard: TimeGuard, underlyings: Sequence[str], day: date) -> None:
        self._guard = guard
        self._underlyings = [name for name in UNDERLYINGS if name in underlyings]
        self._day = day
        self._entries = entries_of_day(guard, underlyings, day)
        self._assemblies = {name: Assembly(name) for name in self._underlyings}
        self._last_moment = _last_moment(day)
        self._index = index_watch(guard, day)
        self._standstill = Standstill(self._underlyings, self._index, self._last_moment)

    def items(self, expiries: int, strikes_each_side: int) -> Iterator[MarketFrame | MarketStatus]:
        """Everything of the day, in order."""
        others = sorted([*self._bars(), *self._vix()], key=_ORDER)
        observations = merge(self._chains(expiries, strikes_each_side), others, key=_ORDER)
        tapes, statuses = self._tapes(), self._statuses()
        watches = [GapWatch(name, self._assemblies[name]) for name in self._underlyings]
        for at_us, seen_together in groupby(observations, key=itemgetter(0)):
            yield from self._statuses_until(statuses, at_us, watches)
            for seen in seen_together:
                seen.take(seen.what)
            if begun := self._standstill.begun(at_us):
                yield from self._told(begun, at_us, watches)
            for watch in watches:
                if watch.assembly.is_due:
                    watch.assembly.take_prints(tapes[watch.underlying].until(at_us))
                    frame = watch.assembly.frame(at_us)
                    if not watch.assembly.halted:  # silence in a halt is no gap
                        watch.seen(frame)
                    yield frame
        last_us = max(self._last_moment, *(tape.last_us for tape in tapes.values()))
        yield from self._statuses_until(statuses, last_us, watches)

    def _statuses_until(
        self, statuses: list[MarketStatus], at_us: int, watches: Sequence[GapWatch]
    ) -> Iterator[MarketStatus]:
        """The statuses due by an instant, in order, with the gaps that were found by then."""
        due: list[MarketStatus] = []
        while statuses and statuses[0].available_at <= at_us:
            due.append(statuses.pop(0))
        yield from self._told(self._standstill.heard(due, at_us), at_us, watches)

    def _told(
        self, told: list[MarketStatus], at_us: int, watches: Sequence[GapWatch]
    ) -> Iterator[MarketStatus]:
        due = list(told)
        for watch in watches:
            own = [status for status in told if status.underlying == watch.underlying]
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
        # By name, as the files have them: rows in order need no sorting, and which underlying's
        # chain of one instant is taken first makes no difference.
        names = sorted(self._underlyings)
        columns = chain_rows(self._guard, entries, names, from_us=first, past_us=past)
        if not columns:
            return
        sources, cadences = chain_sources(entries)
        for index, snapshot in snapshots(columns, sources, cadences, expiries, strikes_each_side):
            assembly = self._assemblies[names[index]]
            yield _Observation(snapshot.available_at, 2, assembly.take_chain, snapshot)
            if self._index and names[index] in INDICES and snapshot.spot_paise is not None:
                reading = reading_of(snapshot.spot_paise, snapshot, snapshot.source.digest)
                take = partial(self._index.take, names[index])
                yield _Observation(snapshot.available_at, 2, take, reading)

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
                    {"underlying": self._needed(name), "interval": ("1m", "5m")},
                )
            )
            sources = {e.source.digest: frame_source(e) for e in self._entries[category]}
            for underlying, bars in sorted(by_underlying(rows).items()):
                for row in self._nearest_and_finest(bars):
                    bar = _bar(row, sources[row["source_digest"]])
                    if self._index and name == "spot" and underlying in INDICES:
                        reading = reading_of(bar.value_paise, bar, bar.source.digest)
                        follow = partial(self._index.take, underlying)
                        yield _Observation(bar.available_at, 1, follow, reading)
                    if underlying not in self._assemblies:
                        continue
                    take = getattr(self._assemblies[underlying], f"take_{name}")
                    yield _Observation(bar.available_at, 1, take, bar)

    def _needed(self, name: str) -> tuple[str, ...]:
        """Whose bars are read: an index halts the market whether or not it is traded."""
        indices = self._index.previous_closes if self._index and name == "spot" else ()
        return tuple(dict.fromkeys((*self._underlyings, *indices)))

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
                yield _Observation(reading.available_at, 0, assembly.take_vix, reading)

    def _tapes(self) -> dict[str, _Tape]:
        """The trades of each underlying; they make no frame, so they wait for the next."""
        columns = self._columns("prints", _PRINT_COLUMNS)
        instruments = columns["instrument"].tolist() if columns else []
        owners = {name: _underlying_of(name, self._underlyings) for name in set(instruments)}
        tapes = {}
        for underlying in self._underlyings:
            own = np.array([owners[name] == underlying for name in instruments], dtype=bool)
            tapes[underlying] = _Tape({name: column[own] for name, column in columns.items()})
        return tapes

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
