"""What the market showed and what was done to trading in it."""

from __future__ import annotations

from operator import attrgetter
from typing import Literal

from journal.payloads.rates import Tariff
from journal.payloads.registry import payload_of
from journal.payloads.shapes import (
    Count,
    DateText,
    Digest,
    InputState,
    Positive,
    PositiveNumber,
    Shape,
    Side,
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


class PrintColumns(Shape, frozen=True):
    """Trades of one instrument since the last frame, in columns: entry i of each is one trade.

    instrument: name of the instrument at its source.
    as_of: when it was traded, µs UTC.
    price_paise: price, paise.
    quantity: units, which may be fractions of a coin.
    aggressor: `BUY` or `SELL`; null when it is not known.
    """

    instrument: Text
    as_of: list[int]
    price_paise: list[Positive]
    quantity: list[PositiveNumber]
    aggressor: list[Side | None]

    def __post_init__(self) -> None:
        """Refuse columns of unequal length."""
        lengths = {len(getattr(self, name)) for name in self.__struct_fields__[1:]}
        if len(lengths) > 1:
            raise ValueError("the columns of `prints` differ in length")


class InputQuality(Shape, frozen=True):
    """What an input of a frame is worth.

    state: `FRESH`, `STALE` (older than the limit, or a value nobody moves), `HALTED` (trading is
        stopped), `MISSING`, `CROSSED` (quotes near the money crossed or locked) or `OUTLIER`.
    age_us: time since it was true, µs; null when there is none.
    limit_us: age beyond which it is `STALE`, µs: gate 4's table or twice its source's cadence,
        whichever is longer; null when there is none.
    as_of: when it was true, µs UTC; null when there is none.
    available_at: when it was received, µs UTC; null when there is none.
    source: digest of the file it came from; null when there is none.
    reason: why it is not `FRESH`; null when it is.
    """

    state: InputState
    age_us: Count | None
    limit_us: Count | None
    as_of: int | None
    available_at: int | None
    source: Text | None
    reason: Text | None


class FrameQuality(Shape, frozen=True):
    """What each input of a frame is worth.

    spot: the index.
    future: the nearest future.
    vix: the volatility index.
    prints: trades of the underlying's future.
    chain: the option chain.
    """

    spot: InputQuality
    future: InputQuality
    vix: InputQuality
    prints: InputQuality
    chain: InputQuality


@payload_of("market.frame", key=attrgetter("underlying"), key_text="`underlying`")
class MarketFrameSeen(Shape, frozen=True):
    """One underlying at one instant; the event's `ts` is `available_at`.

    underlying: name of the index.
    as_of: the exchange's stamp, µs UTC.
    available_at: when it was received, µs UTC.
    exchange_stamp: the exchange's stamp as it was read, µs UTC; null when the source has none.
    collection_stamp: the collector's stamp, µs UTC; null when the source has none.
    source: where it came from.
    flags: what is odd about it; `CLOCK` when the exchange's stamp is later than the receipt,
        `LATE` when something older than what was shown came in since the last frame and is not
        shown, `REPEATED` when what was shown came in again.
    cadence_us: usual time between frames of this source, µs.
    spot_paise: the index, paise; null when the feed has none.
    future_paise: the nearest future, paise; null when the feed has none.
    future_expiry: ISO date of its expiry; null when the feed has none.
    vix: the volatility index, percent a year; null when the feed has none.
    prints: trades since the last frame, one block an instrument.
    quality: what each input is worth now.
    chain: one block an expiry, ascending; empty when no snapshot came in at this instant.
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
    future_expiry: DateText | None
    vix: PositiveNumber | None
    prints: list[PrintColumns]
    quality: FrameQuality
    chain: list[FrameBlock]


class HaltStanding(Shape, frozen=True):
    """What stops trading in an underlying from a status on: what its feed says, and the market-wide
    circuit breaker as counted from the index.

    told: whether the feed itself has halted it and not resumed.
    until_us: when trading goes on after the breaker's halt, µs UTC (at the close: not that day);
        null when it stops nothing.
    move_percent: highest level the breaker has halted for that day, per cent; 0 when none.
    """

    told: bool
    until_us: int | None
    move_percent: Count


@payload_of("market.status", key=attrgetter("underlying"), key_text="`underlying`")
class MarketStatus(Shape, frozen=True):
    """Trading in an underlying stopped, went on, or the feed had a hole, as known at the event's
    `ts`.

    underlying: name of the index.
    status: `HALT`, `RESUME`, `GAP` when nothing came for twice the feed's cadence, or `NOTED` when
        feed or index said of a halt what changes nothing, as another reason for it stands.
    reason: why, in words; null when it is not known.
    standing: what stops trading from here on; only on a live feed whose halts are counted from the
        index, so that a session that is interrupted keeps them.
    """

    underlying: Text
    status: Literal["HALT", "RESUME", "GAP", "NOTED"]
    reason: str | None
    standing: HaltStanding | None = None


@payload_of("settlement.published", key=attrgetter("underlying"), key_text="`underlying`")
class SettlementPublished(Shape, frozen=True):
    """What the options of an underlying that expire on a day are settled at. It is taken at that
    day's close, for the exchange settles that day, though the record it is read from is published
    later; where none was known then, as a later day opens.

    underlying: name of the index.
    expiry: ISO date on which they expire, the open day's or an earlier one.
    price_paise: the final settlement price, the official closing value of the index, paise.
    source: table of the market store it was read from.
    row: which row of it, in words.
    digest: digest of the file that row came from.
    published_at: when that row could be known, µs UTC.
    synthetic: whether it was generated rather than recorded.
    tariff: the rates of the expiry where the open day is a later one; null where it is not, for
        they are in its `day.opened`, and where costs are `GROSS`.
    """

    underlying: Text
    expiry: DateText
    price_paise: Positive
    source: Text
    row: Text
    digest: Digest
    published_at: int
    synthetic: bool
    tariff: Tariff | None


@payload_of("clock.tick")
class ClockTick(Shape, frozen=True):
    """The clock reached the event's `ts`; it says nothing else."""
