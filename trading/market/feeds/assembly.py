"""Putting a frame together: what is known of one underlying at an instant, and how good it is.

The same assembly serves a recorded day and a live feed, so both give the same frames for the same
observations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trading.market.frames import (
    FLAG_CLOCK,
    FLAG_LATE,
    FLAG_REPEATED,
    ExpiryBlock,
    FrameSource,
    MarketFrame,
    PrintBlock,
)
from trading.market.quality import (
    ChainWatch,
    FrameQuality,
    InputQuality,
    Reading,
    State,
    ValueWatch,
    print_quality,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class ChainSnapshot(NamedTuple):
    """One option chain as received; `blocks` are the expiries a frame shows, ascending."""

    as_of: int
    available_at: int
    exchange_stamp: int | None
    collection_stamp: int | None
    spot_paise: int | None
    source: FrameSource
    cadence_us: int
    blocks: tuple[ExpiryBlock, ...]


class Bar(NamedTuple):
    """The close of a bar, or a quote, of an index or a future (`expiry` ISO date), in paise."""

    as_of: int
    available_at: int
    value_paise: int
    expiry: str | None
    source: FrameSource
    cadence_us: int


class Print(NamedTuple):
    """One trade."""

    as_of: int
    available_at: int
    instrument: str
    trade_id: int | None
    price_paise: int
    quantity: float
    aggressor: str | None
    source: str
    cadence_us: int


class Assembly:
    """One underlying over one day: takes observations as they become known, gives frames."""

    def __init__(self, underlying: str) -> None:
        self.underlying = underlying
        self.halted = False
        self._spot, self._future = ValueWatch("spot"), ValueWatch("future")
        self._vix, self._chain = ValueWatch("vix"), ChainWatch()
        self._future_expiry: str | None = None
        self._newest_print: Print | None = None
        self._prints: dict[str, list[Print]] = {}
        self._traded: set[tuple[str, int]] = set()
        self._flags: set[str] = set()
        self._shown: ChainSnapshot | None = None  # the newest snapshot
        self._snapshot: ChainSnapshot | None = None  # the same until a frame has shown it
        self._bar: Bar | None = None  # the newest since the last frame
        self._forward: int | None = None

    def take_chain(self, snapshot: ChainSnapshot) -> None:
        """Take a snapshot; one that is no news is not shown, and the next frame says so."""
        self._take_spot_of(snapshot)
        shown = self._shown
        if shown is not None and _stamp(snapshot) < _stamp(shown):
            self._flags.add(FLAG_LATE)
            return
        if shown is not None and (snapshot.as_of, snapshot.blocks) == (shown.as_of, shown.blocks):
            self._flags.add(FLAG_REPEATED)
            return
        nearest = next((b for b in snapshot.blocks if b.forward_paise is not None), None)
        self._forward = None if nearest is None else nearest.forward_paise
        self._chain.take(reading_of(0, snapshot, snapshot.source.digest), nearest)
        self._shown = self._snapshot = snapshot

    def take_spot(self, bar: Bar) -> None:
        """Take a level of the index."""
        self._take(self._spot, bar)

    def take_future(self, bar: Bar) -> None:
        """Take a level of the nearest future."""
        if self._take(self._future, bar):
            self._future_expiry = bar.expiry

    def take_vix(self, reading: Reading) -> None:
        """Take a level of the volatility index, percent a year; it makes no frame of its own."""
        if not self._vix.take(reading):
            self._flags.add(FLAG_LATE)

    def take_prints(self, trades: Iterable[Print]) -> None:
        """Take trades in the order they became known; the next frame brings each, once."""
        for trade in trades:
            if trade.trade_id is not None:
                name = (trade.instrument, trade.trade_id)
                if name in self._traded:
                    self._flags.add(FLAG_REPEATED)
                    continue
                self._traded.add(name)
            self._prints.setdefault(trade.instrument, []).append(trade)
            newest = self._newest_print
            if newest is None or trade.as_of >= newest.as_of:
                self._newest_print = trade

    @property
    def is_due(self) -> bool:
        """Whether something came in that makes a frame: a chain, a spot or a future."""
        return self._snapshot is not None or self._bar is not None

    def frame(self, at_us: int) -> MarketFrame:
        """The frame of an instant at which something came in; call it only when one is due."""
        snapshot, bar = self._snapshot, self._bar
        cause = snapshot or bar
        assert cause is not None  # noqa: S101 - that is what due means
        flags = self._flags | ({FLAG_CLOCK} if cause.as_of > at_us else set())
        quality = self._quality(at_us)
        frame = MarketFrame(
            underlying=self.underlying,
            as_of=cause.as_of,
            available_at=at_us,
            exchange_stamp=snapshot.exchange_stamp if snapshot else None,
            collection_stamp=snapshot.collection_stamp if snapshot else None,
            source=cause.source,
            flags=tuple(sorted(flags)),
            cadence_us=cause.cadence_us,
            spot_paise=_paise(self._spot),
            future_paise=_paise(self._future),
            future_expiry=self._future_expiry,
            vix=self._vix.newest.value if self._vix.newest else None,
            prints=tuple(_print_block(*item) for item in sorted(self._prints.items())),
            quality=quality,
            chain=snapshot.blocks if snapshot else (),
        )
        self._snapshot = self._bar = None
        self._prints.clear()
        self._flags.clear()
        return frame

    def _take(self, watch: ValueWatch, bar: Bar) -> bool:
        taken = watch.take(reading_of(bar.value_paise, bar, bar.source.digest))
        if taken:
            self._bar = bar
        else:
            newest = watch.newest
            repeated = newest is not None and newest.as_of == bar.as_of
            self._flags.add(FLAG_REPEATED if repeated else FLAG_LATE)
        return taken

    def _take_spot_of(self, snapshot: ChainSnapshot) -> None:
        """A chain that says where the index stood is one more word on it, unless it is late."""
        if snapshot.spot_paise is not None:
            self._spot.take(reading_of(snapshot.spot_paise, snapshot, snapshot.source.digest))

    def _quality(self, at_us: int) -> FrameQuality:
        halted = self.halted
        spot, future = _paise(self._spot), _paise(self._future)
        of_spot = self._spot.assess(at_us, halted=halted, beside=self._forward or future)
        of_future = self._future.assess(at_us, halted=halted, beside=self._forward or spot)
        trade = self._newest_print
        return FrameQuality(
            spot=of_spot,
            future=of_future,
            vix=self._vix.assess(at_us, halted=halted, beside=None),
            prints=print_quality(
                at_us,
                trade and reading_of(trade.price_paise, trade, trade.source),
                halted=halted,
                beside=_first(future, spot),
            ),
            chain=self._chain.assess(at_us, halted=halted, spot=_if_fresh(of_spot, spot)),
        )


def _stamp(snapshot: ChainSnapshot) -> int:
    """When a snapshot was true; a stamp ahead of its receipt is not believed beyond it."""
    return min(snapshot.as_of, snapshot.available_at)


def reading_of(value: float, seen: ChainSnapshot | Bar | Print, source: str) -> Reading:
    """A value of what was seen, with its stamps, from a source (a digest)."""
    return Reading(value, seen.as_of, seen.available_at, source, seen.cadence_us)


def _paise(watch: ValueWatch) -> int | None:
    return None if watch.newest is None else int(watch.newest.value)


def _first(*values: int | None) -> int | None:
    return next((value for value in values if value is not None), None)


def _if_fresh(quality: InputQuality, value: int | None) -> int | None:
    return value if quality.state is State.FRESH else None


def _print_block(instrument: str, trades: Sequence[Print]) -> PrintBlock:
    as_of, _, _, _, price_paise, quantity, aggressor, _, _ = zip(*trades, strict=True)
    return PrintBlock(instrument, as_of, price_paise, tuple(map(_whole, quantity)), aggressor)


def _whole(quantity: float) -> int | float:
    return int(quantity) if float(quantity).is_integer() else quantity
