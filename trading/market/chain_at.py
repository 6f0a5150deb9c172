"""The whole chain of an underlying as it was known at an instant: what a surface is fitted to.

Unlike the frames of a feed it shows every expiry that has not expired, also one without a parity
forward, and every strike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading.market.calendar import ist_date
from trading.market.feeds.assembly import Assembly
from trading.market.feeds.chains import snapshots
from trading.market.feeds.day_sources import (
    chain_rows,
    chain_sources,
    entries_of_day,
    span_of_day,
)
from trading.market.quality import FROZEN_OBSERVATIONS
from trading.market.store import CHAIN_SNAPSHOTS, Entry, MarketStore
from trading.market.timeguard import TimeGuard

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from trading.market.frames import MarketFrame


def chain_days(store: MarketStore, underlying: str) -> tuple[str, ...]:
    """The IST dates, ascending ISO text, of which the store holds chain snapshots."""
    entries = TimeGuard(store).entries(CHAIN_SNAPSHOTS)
    return tuple(sorted({day for entry in entries for day in entry.days.get(underlying, ())}))


def chain_moments(store: MarketStore, underlying: str, day: date) -> tuple[int, ...]:
    """The instants (µs UTC, ascending) of a day at which a snapshot became known."""
    guard = TimeGuard(store)
    return _moments(guard, entries_of_day(guard, [underlying], day), underlying, day)


def chain_frame_at(
    store: MarketStore, underlying: str, at_us: int, *, moments: Sequence[int] | None = None
) -> MarketFrame | None:
    """The last frame with a chain of the same IST day known at an instant (µs UTC), as a feed would
    have made it then; None when that day had none yet. Whoever has asked for the `chain_moments` of
    the day can give them.

    Its quality is that of the instant it became known: a snapshot that only repeats the ones before
    it is as FROZEN here as in the feed. Raises StoreError when a file is missing or damaged.
    """
    guard = TimeGuard(store)
    day = ist_date(at_us)
    entries = entries_of_day(guard, [underlying], day)
    if moments is None:
        moments = _moments(guard, entries, underlying, day)
    known = [at for at in moments if at <= at_us]
    if not known:
        return None
    seen = known[-FROZEN_OBSERVATIONS["chain"] :]
    columns = chain_rows(
        guard, entries[CHAIN_SNAPSHOTS], [underlying], from_us=seen[0], past_us=at_us + 1
    )
    assembly, frame = Assembly(underlying), None
    for _, snapshot in snapshots(columns, *chain_sources(entries[CHAIN_SNAPSHOTS]), None, None):
        assembly.take_chain(snapshot)
        if assembly.is_due:
            received = snapshot.available_at
            assembly.halted = _is_halted(guard, entries["market_status"], underlying, received)
            frame = assembly.frame(received)
    return frame


def _moments(
    guard: TimeGuard, entries: dict[str, list[Entry]], underlying: str, day: date
) -> tuple[int, ...]:
    first, past = span_of_day(day)
    found = guard.moments(
        CHAIN_SNAPSHOTS, entries[CHAIN_SNAPSHOTS], where={"underlying": underlying}
    )
    return tuple(at for at in found if first <= at < past)


def _is_halted(guard: TimeGuard, entries: list[Entry], underlying: str, at_us: int) -> bool:
    first, _ = span_of_day(ist_date(at_us))
    columns = guard.window(
        "market_status",
        from_us=first,
        past_us=at_us + 1,
        entries=entries,
        columns=("status",),
        where={"underlying": underlying},
    )
    told = columns["status"].tolist() if columns else []
    return bool(told) and told[-1] == "HALT"
