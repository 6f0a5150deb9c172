"""The inputs of one day in the order the engine takes them.

Frames and the clock's ticks, merged.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trading.engine.configuration import UNDERLYINGS
from trading.market.frames import MarketFrame, MarketStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MINUTE_US = 60_000_000

# Of inputs at one instant; what the runner adds itself (commands, submissions, reports) goes before
# all of these.
_STATUS, _TICK, _FRAME = range(3)

FeedKey = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class FeedInput:
    """One input from the outside world.

    `sort_key` orders a day's inputs and is unique among them.
    """

    sort_key: FeedKey
    kind: str
    key: str | None
    data: dict[str, Any]
    frame: MarketFrame | None = None

    @property
    def ts(self) -> int:
        return self.sort_key[0]


def day_inputs(
    feed: Iterable[MarketFrame | MarketStatus], *, open_us: int, close_us: int
) -> Iterator[FeedInput]:
    """Merge what a day's feed brings (ascending) with a tick each minute from the open to the
    close, µs UTC.

    The tick at the close ends the day: what arrives later is not fed.
    """
    ticks = (tick_input(ts) for ts in range(open_us, close_us + 1, MINUTE_US))
    shown = (feed_input(item) for item in feed if item.available_at < close_us)
    return heapq.merge(ticks, shown, key=lambda item: item.sort_key)


def feed_key(kind: str, ts: int, key: str | None) -> FeedKey | None:
    """Return the sort key of a recorded input, None when it did not come from the feed."""
    if kind == "clock.tick":
        return (ts, _TICK, 0)
    if kind == "market.frame":
        return (ts, _FRAME, UNDERLYINGS.index(key or ""))
    if kind == "market.status":
        return (ts, _STATUS, UNDERLYINGS.index(key or ""))
    return None


def tick_input(ts: int) -> FeedInput:
    """The clock's tick of an instant, µs UTC."""
    return FeedInput(sort_key=(ts, _TICK, 0), kind="clock.tick", key=None, data={})


def feed_input(item: MarketFrame | MarketStatus) -> FeedInput:
    """The input that a frame or a status is."""
    return _frame(item) if isinstance(item, MarketFrame) else _status(item)


def _status(status: MarketStatus) -> FeedInput:
    return FeedInput(
        sort_key=(status.available_at, _STATUS, UNDERLYINGS.index(status.underlying)),
        kind="market.status",
        key=status.underlying,
        data=status.to_data(),
    )


def _frame(frame: MarketFrame) -> FeedInput:
    return FeedInput(
        sort_key=(frame.available_at, _FRAME, UNDERLYINGS.index(frame.underlying)),
        kind="market.frame",
        key=frame.underlying,
        data=frame.to_data(),
        frame=frame,
    )
