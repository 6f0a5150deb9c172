"""What the market showed and what was done to trading in it."""

from __future__ import annotations

from operator import attrgetter
from typing import Literal

from journal.payloads.registry import payload_of
from journal.payloads.shapes import (
    Count,
    DateText,
    Positive,
    PositiveNumber,
    Shape,
    Text,
)


class FrameSource(Shape, frozen=True):
    """Where a frame came from.

    name: name of the source.
    digest: digest of the file or of the parameters it was made from.
    synthetic: whether it was generated rather than recorded.
    seed: seed of the generator; null for recorded data.
    generator_version: version of the generator; null for recorded data.
    mode: the generator's mode; null for recorded data.
    """

    name: Text
    digest: Text
    synthetic: bool
    seed: int | None
    generator_version: int | None
    mode: str | None


class FrameBlock(Shape, frozen=True):
    """The chain of one expiry in columns: entry i of each belongs to strike i; a missing figure is
    null, never 0.

    expiry: ISO date of the expiry.
    expires_at_us: last moment of trading, µs UTC.
    forward_paise: median of strike + call mid − put mid at the five strikes nearest the money with
        all four quotes, paise; null with fewer than three.
    forward_pairs: number of strikes in that median.
    forward_spread_paise: highest less lowest of them, paise.
    strike_paise: strikes, ascending, paise.
    call_bid_paise: best bid of the calls, paise.
    call_ask_paise: best ask of the calls, paise.
    call_bid_quantity: units at the best bid.
    call_ask_quantity: units at the best ask.
    call_last_paise: last traded price, paise.
    call_oi: open interest, contracts; a fraction after a change of lot.
    call_volume: traded today, contracts.
    put_bid_paise: as for the calls.
    put_ask_paise: as for the calls.
    put_bid_quantity: as for the calls.
    put_ask_quantity: as for the calls.
    put_last_paise: as for the calls.
    put_oi: as for the calls.
    put_volume: as for the calls.
    """

    expiry: DateText
    expires_at_us: int
    forward_paise: Positive | None
    forward_pairs: Count
    forward_spread_paise: Count | None
    strike_paise: list[Positive]
    call_bid_paise: list[Positive | None]
    call_ask_paise: list[Positive | None]
    call_bid_quantity: list[Positive | None]
    call_ask_quantity: list[Positive | None]
    call_last_paise: list[Positive | None]
    call_oi: list[PositiveNumber | None]
    call_volume: list[Positive | None]
    put_bid_paise: list[Positive | None]
    put_ask_paise: list[Positive | None]
    put_bid_quantity: list[Positive | None]
    put_ask_quantity: list[Positive | None]
    put_last_paise: list[Positive | None]
    put_oi: list[PositiveNumber | None]
    put_volume: list[Positive | None]

    def __post_init__(self) -> None:
        """Refuse columns of unequal length, naming the first that differs."""
        strikes = len(self.strike_paise)
        for name in COLUMNS:
            if len(getattr(self, name)) != strikes:
                found = len(getattr(self, name))
                raise ValueError(f"`{name}` has {found} entries, expected {strikes}")


COLUMNS = FrameBlock.__struct_fields__[6:]


@payload_of("market.frame", key=attrgetter("underlying"), key_text="`underlying`")
class MarketFrameSeen(Shape, frozen=True):
    """One underlying at one instant; the event's `ts` is `available_at`.

    underlying: name of the index.
    as_of: the exchange's stamp, µs UTC.
    available_at: when it was received, µs UTC.
    exchange_stamp: the exchange's stamp as it was read, µs UTC; null when the source has none.
    collection_stamp: the collector's stamp, µs UTC; null when the source has none.
    source: where it came from.
    flags: what is odd about it; `CLOCK` when the exchange's stamp is later than the receipt.
    cadence_us: usual time between frames of this source, µs.
    spot_paise: the index, paise; null when the feed has none.
    future_paise: the future, paise; null when the feed has none.
    vix: the volatility index, percent a year; null when the feed has none.
    chain: one block an expiry, ascending.
    """

    underlying: Text
    as_of: int
    available_at: int
    exchange_stamp: int | None
    collection_stamp: int | None
    source: FrameSource
    flags: list[str]
    cadence_us: Positive
    spot_paise: Positive | None
    future_paise: Positive | None
    vix: PositiveNumber | None
    chain: list[FrameBlock]


@payload_of("market.status", key=attrgetter("underlying"), key_text="`underlying`")
class MarketStatus(Shape, frozen=True):
    """Trading in an underlying stopped, went on, or the feed had a hole.

    underlying: name of the index.
    status: `HALT`, `RESUME` or `GAP`.
    reason: why, in words; null when it is not known.
    """

    underlying: Text
    status: Literal["HALT", "RESUME", "GAP"]
    reason: str | None


@payload_of("clock.tick")
class ClockTick(Shape, frozen=True):
    """The clock reached the event's `ts`; it says nothing else."""
