"""What payloads are made of: the base of every struct and the figures several kinds share."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Literal

import msgspec

_LARGEST = sys.float_info.max

Count = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[int, msgspec.Meta(gt=0)]
PositiveNumber = Annotated[int, msgspec.Meta(gt=0)] | Annotated[float, msgspec.Meta(gt=0)]
# NaN and the infinities are stored as null, which a number that must be there is not.
Number = Annotated[float, msgspec.Meta(ge=-_LARGEST, le=_LARGEST)]
Text = Annotated[str, msgspec.Meta(min_length=1)]
DateText = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]
Digest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]
Side = Literal["BUY", "SELL"]
Right = Literal["CE", "PE"]
InputState = Literal["FRESH", "STALE", "HALTED", "MISSING", "CROSSED", "OUTLIER"]
Scalar = bool | int | float | str | None
Opaque = dict[str, Any]


class Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A payload or a part of one: every field must be there unless it says otherwise, no other
    may.

    A docstring gives each field a line `name: what it is, its unit`; `docs/events.md` is made of
    them.
    """


class Fees(Shape, frozen=True):
    """Charges by line, paise.

    brokerage: what the broker takes.
    stt: securities transaction tax.
    exchange: the exchange's charge, with the investor protection charge.
    sebi: the regulator's fee.
    stamp: stamp duty.
    gst: goods and services tax.
    total: their sum.
    """

    brokerage: Count
    stt: Count
    exchange: Count
    sebi: Count
    stamp: Count
    gst: Count
    total: Count

    def __post_init__(self) -> None:
        """Refuse a total that is not the sum of the lines."""
        lines = (self.brokerage, self.stt, self.exchange, self.sebi, self.stamp, self.gst)
        if sum(lines) != self.total:
            raise ValueError("`total` is the sum of the lines")


class Contract(Shape, frozen=True):
    """One option contract.

    underlying: name of the index, `NIFTY` or `BANKNIFTY`.
    expiry: ISO date of the last trading day, as the exchange names the contract.
    strike_paise: strike, paise.
    right: `CE` for a call, `PE` for a put.
    """

    underlying: Text
    expiry: Text
    strike_paise: Positive
    right: Right
