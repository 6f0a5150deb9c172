"""A market frame: one underlying at one instant, as the engine sees it and as `market.frame`
records it.

Columns, one array a field: a frame of several hundred contracts stays one small record. Prices are
integer paise, bid and ask quantities integer units, open interest and volume contracts (open
interest may be a fraction after a change of lot). A missing number is None, never 0.
"""

from __future__ import annotations

import itertools
import math
from datetime import date
from typing import Any, Literal

import msgspec

from trading.market.quality import FrameQuality

FLAG_CLOCK = "CLOCK"  # the exchange stamp is later than the receipt
FLAG_LATE = "LATE"  # something older than what was shown already came in, and is not shown
FLAG_REPEATED = "REPEATED"  # what was shown already came in again
END_OF_DAY = "eod"  # name of the source of frames made of the exchange's end-of-day record

_OPTIONAL_COLUMNS = tuple(
    f"{side}_{field}"
    for side in ("call", "put")
    for field in (
        "bid_paise",
        "ask_paise",
        "bid_quantity",
        "ask_quantity",
        "last_paise",
        "oi",
        "volume",
    )
)


class FrameError(ValueError):
    """A frame that breaks its own rules; the text names the place and what was expected."""


class FrameSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a frame came from; seed, generator version and mode are None for recorded data."""

    name: str
    digest: str
    synthetic: bool
    seed: int | None = None
    generator_version: int | None = None
    mode: str | None = None


class ExpiryBlock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The chain of one expiry: columns of one length, strikes ascending."""

    expiry: str
    expires_at_us: int
    forward_paise: int | None
    forward_pairs: int
    forward_spread_paise: int | None
    strike_paise: tuple[int, ...]
    call_bid_paise: tuple[int | None, ...]
    call_ask_paise: tuple[int | None, ...]
    call_bid_quantity: tuple[int | None, ...]
    call_ask_quantity: tuple[int | None, ...]
    call_last_paise: tuple[int | None, ...]
    call_oi: tuple[int | float | None, ...]
    call_volume: tuple[int | None, ...]
    put_bid_paise: tuple[int | None, ...]
    put_ask_paise: tuple[int | None, ...]
    put_bid_quantity: tuple[int | None, ...]
    put_ask_quantity: tuple[int | None, ...]
    put_last_paise: tuple[int | None, ...]
    put_oi: tuple[int | float | None, ...]
    put_volume: tuple[int | None, ...]


class PrintBlock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Trades of one instrument since the last frame, in columns; aggressor BUY, SELL or None."""

    instrument: str
    as_of: tuple[int, ...]
    price_paise: tuple[int, ...]
    quantity: tuple[int | float, ...]
    aggressor: tuple[str | None, ...]


class Standing(msgspec.Struct, frozen=True):
    """What stops trading in an underlying, of the two reasons there are: whether the feed itself
    says so; until when the circuit breaker does (µs UTC, None when it does not); and the highest
    level, per cent, that the breaker has halted for today (0: none).
    """

    told: bool
    until_us: int | None
    move_percent: int


class MarketStatus(msgspec.Struct, frozen=True, omit_defaults=True):
    """Trading in an underlying stopped (HALT), went on (RESUME), or its feed had a hole (GAP);
    `available_at` is when that was known, µs UTC. NOTED is what was said of a halt that stood
    already, or stood for another reason too: nothing changes by it. `standing` is what stands from
    then on, where a session that is interrupted has to know it.
    """

    underlying: str
    available_at: int
    status: Literal["HALT", "RESUME", "GAP", "NOTED"]
    reason: str | None
    standing: Standing | None = None

    def to_data(self) -> dict[str, Any]:
        """The data of a `market.status` record."""
        data: dict[str, Any] = {
            "underlying": self.underlying,
            "status": self.status,
            "reason": self.reason,
        }
        if self.standing is not None:
            data["standing"] = msgspec.structs.asdict(self.standing)
        return data


class MarketFrame(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One underlying at one instant. Times are µs UTC; `as_of` is the exchange's stamp,
    `available_at` the receipt. `chain` is empty when no snapshot came in at that instant.
    """

    underlying: str
    as_of: int
    available_at: int
    exchange_stamp: int | None
    collection_stamp: int | None
    source: FrameSource
    flags: tuple[str, ...]
    cadence_us: int
    spot_paise: int | None
    future_paise: int | None
    future_expiry: str | None
    vix: float | None
    prints: tuple[PrintBlock, ...]
    quality: FrameQuality
    chain: tuple[ExpiryBlock, ...]

    @property
    def shows_chain(self) -> bool:
        """Whether this frame brings a chain snapshot (which may have no expiry with a forward)."""
        return self.quality.chain.available_at == self.available_at

    @property
    def is_end_of_day(self) -> bool:
        """Whether it is the exchange's record of an earlier day: closing prices, no quotes."""
        return self.source.name == END_OF_DAY

    def to_data(self) -> dict[str, Any]:
        """The frame as plain JSON values: dictionaries, lists, text, numbers and None."""
        data = msgspec.to_builtins(self)
        data["flags"] = list(data["flags"])
        for blocks in ("prints", "chain"):
            data[blocks] = [
                {name: list(v) if isinstance(v, tuple) else v for name, v in block.items()}
                for block in data[blocks]
            ]
        return data  # type: ignore[no-any-return]

    @classmethod
    def from_data(cls, data: object) -> MarketFrame:
        """The frame of a `market.frame` record, fully checked; raises FrameError."""
        try:
            frame = msgspec.convert(data, cls)
        except msgspec.ValidationError as error:
            msg = f"market frame: {error}"
            raise FrameError(msg) from error
        check_frame(frame)
        return frame


def check_frame(frame: MarketFrame) -> None:
    """Raise FrameError unless the frame keeps the rules of `market.frame`."""
    where = f"market frame {frame.underlying} at {frame.available_at}"
    if not frame.underlying:
        msg = f"{where}: underlying is empty"
        raise FrameError(msg)
    if frame.cadence_us <= 0:
        msg = (
            f"{where}: cadence_us is {frame.cadence_us}, expected a positive number of microseconds"
        )
        raise FrameError(msg)
    if (FLAG_CLOCK in frame.flags) != (frame.as_of > frame.available_at):
        msg = f"{where}: {FLAG_CLOCK} must be set exactly when as_of is later than available_at"
        raise FrameError(msg)
    for name in ("spot_paise", "future_paise", "vix"):
        _check_positive(getattr(frame, name), f"{where}: {name}")
    for before, after in itertools.pairwise(frame.chain):
        if not before.expiry < after.expiry:
            msg = f"{where}: expiry {after.expiry} follows {before.expiry}, expected ascending"
            raise FrameError(msg)
    for block in frame.chain:
        check_block(block, f"{where}, expiry {block.expiry}")
    for prints in frame.prints:
        _check_prints(prints, f"{where}, prints of {prints.instrument}")


def _check_prints(prints: PrintBlock, where: str) -> None:
    count = len(prints.as_of)
    for name in ("price_paise", "quantity", "aggressor"):
        if len(getattr(prints, name)) != count:
            msg = f"{where}: {name} has {len(getattr(prints, name))} values, expected {count}"
            raise FrameError(msg)
    for value in (*prints.price_paise, *prints.quantity):
        _check_positive(value, where)


def check_block(block: ExpiryBlock, where: str) -> None:
    """Raise FrameError, beginning with `where`, unless a block keeps its rules."""
    try:
        date.fromisoformat(block.expiry)
    except ValueError as error:
        msg = f"{where}: not an ISO date"
        raise FrameError(msg) from error
    _check_positive(block.forward_paise, f"{where}: forward_paise")
    strikes = block.strike_paise
    if strikes and strikes[0] <= 0:
        msg = f"{where}: strike {strikes[0]} is not positive"
        raise FrameError(msg)
    for before, after in itertools.pairwise(strikes):
        if before >= after:
            msg = f"{where}: strike {after} follows {before}, expected ascending strikes"
            raise FrameError(msg)
    for name in _OPTIONAL_COLUMNS:
        column = getattr(block, name)
        if len(column) != len(strikes):
            msg = f"{where}: {name} has {len(column)} values, expected {len(strikes)}"
            raise FrameError(msg)
        for strike, value in zip(strikes, column, strict=True):
            _check_positive(value, f"{where}: {name} at strike {strike}")


def _check_positive(value: float | None, where: str) -> None:
    if value is not None and not (value > 0 and math.isfinite(value)):
        msg = f"{where} is {value}, expected a positive number or null"
        raise FrameError(msg)
