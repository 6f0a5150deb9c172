"""The messages of a live feed: JSON texts with a `kind`, checked whole before anything is made of
them, so that no message can stop a session.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from trading.market.frames import ExpiryBlock, FrameError, check_block

LARGEST_MESSAGE = 16 << 20  # bytes
_LATEST_US = 2**52
_LARGEST = 2**50  # of a number: what is computed of several still fits a log's integers

_Instant = Annotated[int, msgspec.Meta(gt=0, lt=_LATEST_US)]
_Whole = Annotated[int, msgspec.Meta(gt=0, lt=_LARGEST)]
_Number = Annotated[float, msgspec.Meta(gt=0, lt=_LARGEST)]
_Date = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\d$")]
_Name = Annotated[str, msgspec.Meta(pattern=r"^[ -~]{1,64}$")]
_Words = Annotated[str, msgspec.Meta(pattern=r"^[^\x00]{0,500}$")]


class FeedLostError(ConnectionError):
    """A live feed broke off or cannot be reached; the text names its address and why."""


class MessageError(ValueError):
    """A message that cannot be read; the text says what was expected."""


class ChainMessage(msgspec.Struct, frozen=True, tag_field="kind", tag="chain"):
    """A snapshot of an option chain: the expiries as a frame has them; their forwards are computed
    here, whatever the message says.
    """

    underlying: str
    as_of: _Instant
    blocks: tuple[ExpiryBlock, ...]
    spot_paise: _Whole | None = None


class LevelMessage(msgspec.Struct, frozen=True, tag_field="kind", tag="level"):
    """A level of an index, or with an expiry (ISO date) of its future, in paise."""

    underlying: str
    as_of: _Instant
    value_paise: _Whole
    expiry: _Date | None = None


class VixMessage(msgspec.Struct, frozen=True, tag_field="kind", tag="vix"):
    """A level of the volatility index, percent a year."""

    as_of: _Instant
    value: _Number


class PrintMessage(msgspec.Struct, frozen=True, tag_field="kind", tag="print"):
    """A trade of an underlying's future."""

    underlying: str
    as_of: _Instant
    instrument: _Name
    trade_id: int | None
    price_paise: _Whole
    quantity: _Number
    aggressor: Literal["BUY", "SELL"] | None = None


class StatusMessage(msgspec.Struct, frozen=True, tag_field="kind", tag="status"):
    """Trading in an underlying stopped or went on."""

    underlying: str
    status: Literal["HALT", "RESUME"]
    reason: _Words | None = None


Message = ChainMessage | LevelMessage | VixMessage | PrintMessage | StatusMessage


def message_of(text: bytes | str) -> Message:
    """The message of a JSON text with a `kind`; raises MessageError."""
    try:
        message: Message = msgspec.json.decode(text, type=Message)
        if isinstance(message, ChainMessage):
            _check_blocks(message)
    except (msgspec.DecodeError, UnicodeDecodeError, FrameError) as error:
        raise MessageError(f"unreadable message: {error}") from None
    return message


def _check_blocks(message: ChainMessage) -> None:
    where = f"{message.underlying} chain of {message.as_of}"
    expiries = [block.expiry for block in message.blocks]
    if expiries != sorted(set(expiries)):
        raise FrameError(f"{where}: expiries {', '.join(expiries)}, expected each once, ascending")
    for block in message.blocks:
        check_block(block, f"{where}, expiry {block.expiry}")
        for name in block.__struct_fields__:
            column = getattr(block, name)
            values = column if isinstance(column, tuple) else (column,)
            limit = _LATEST_US if name == "expires_at_us" else _LARGEST
            if any(isinstance(value, int | float) and value >= limit for value in values):
                raise FrameError(f"{where}, {name}: a number of {limit} or more")
