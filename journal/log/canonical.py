"""RFC 8785 (JCS) canonical JSON bytes.

Three ways to the same bytes, the first that serves is taken; property tests hold them together:

1. orjson prints the value as it is, and integral floats that are members of an object lose their
   `.0` in the text. That is canonical unless it still shows a number that ECMAScript writes
   differently (`1.0`, `1e+16`, `1e-6`), an escaped U+0000 or a key that is not ASCII.
2. Every value is normalised in Python first, then orjson prints again.
3. Very small or very large floats and keys that are not ASCII go to the `rfc8785` package.
"""

from __future__ import annotations

import math
import re
from enum import Enum
from typing import Any
from uuid import UUID

import orjson
import rfc8785

from journal.log.errors import CanonicalError

MAX_SAFE_INTEGER = 2**53 - 1
_SMALLEST_FAST_FLOAT = 1e-4  # below it ECMAScript and orjson choose the exponent form differently
_STRICT = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_STRICT_INTEGER
    | orjson.OPT_PASSTHROUGH_SUBCLASS
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
)
_BACKSLASH, _MINUS = b"\\-"
_REST_OF_TEXT = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+"(:?)')
_MARK = b"\x01"  # never in JSON text
_NOT_ASCII_MARKED = bytes(range(128)) + _MARK * 128
_ENDS_OF_NUMBER = {b",", b"}", b"]", b""}


class _NeedsReferenceEncoder(Exception):  # noqa: N818 - control flow, never leaves this module
    """The value holds something only the reference encoder prints as RFC 8785 wants."""


def canonical_bytes(value: Any) -> bytes:
    """Return the RFC 8785 bytes of a JSON value; NaN and infinities become null first.

    An enum's member stands for its value and a UUID for its text. Raises CanonicalError, naming the
    field, for integers beyond 2**53 - 1, lone surrogates, U+0000, keys that are not text and types
    JSON does not have.
    """
    try:
        printed = orjson.dumps(value, option=_STRICT)
    except (TypeError, RecursionError):
        return _normalised_bytes(value)
    text = _with_whole_members(printed) if b".0" in printed else printed
    return text if text is not None and _is_canonical(text) else _normalised_bytes(value)


def _with_whole_members(printed: bytes) -> bytes | None:
    """Return the text with `.0` taken off the integral floats that are members of an object; None
    when there may be others.
    """
    before, *rest = printed.split(b".0")
    pieces = [before]
    for piece in rest:
        if piece[:1] not in _ENDS_OF_NUMBER:
            pieces.append(b".0")
        elif not _ends_whole_member(before):
            return None
        pieces.append(piece)
        before = piece
    return b"".join(pieces)


def _ends_whole_member(printed: bytes) -> bool:
    """Tell whether a text ends with a member's whole number that is not minus zero.

    Inside a text a quotation mark always has a backslash before it, so what follows `":` without
    one is the value of a member.
    """
    colon = printed.rfind(b'":')
    if colon < 0 or printed[colon - 1] == _BACKSLASH:
        return False
    digits = printed[colon + 2 :]
    return digits.isdigit() or (digits[1:].isdigit() and digits[0] == _MINUS and digits != b"-0")


def _is_canonical(printed: bytes) -> bool:
    """Tell whether orjson's text without integral floats is RFC 8785's; when in doubt it is not.

    The single bytes are looked for first: most texts have none of them, and that is seen at the
    speed of memchr.
    """
    if not printed.isascii() and _has_key_beyond_ascii(printed):
        return False
    if b"\\" in printed and b"\\u0000" in printed:
        return False
    if b"+" in printed and _has_exponent(printed, b"e+"):
        return False
    return not _has_exponent(printed, b"e-")


def _has_exponent(printed: bytes, sign: bytes) -> bool:
    at = printed.find(sign)
    while at >= 0:
        if printed[at - 1 : at].isdigit():
            return True
        at = printed.find(sign, at + 2)
    return False


def _has_key_beyond_ascii(printed: bytes) -> bool:
    marked = printed.translate(_NOT_ASCII_MARKED)
    at = marked.find(_MARK)
    while at >= 0:
        rest = _REST_OF_TEXT.match(printed, at)
        if rest is None or rest.group(1):
            return True
        at = marked.find(_MARK, rest.end())
    return False


def _normalised_bytes(value: Any) -> bytes:
    try:
        return orjson.dumps(_normalise(value, "", fast=True), option=orjson.OPT_SORT_KEYS)
    except _NeedsReferenceEncoder:
        return rfc8785.dumps(_normalise(value, "", fast=False))
    except (RecursionError, orjson.JSONEncodeError) as error:
        raise CanonicalError(f"value: {error}") from None


def recanonical_bytes(value: Any) -> bytes:
    """Return the canonical bytes of a value that was read from JSON text.

    There a float such as 2.0**53 has the form of an integer, which only a reader may take for one:
    an event is built with integers that are exact. Raises CanonicalError as `canonical_bytes` does.
    """
    try:
        return canonical_bytes(value)
    except CanonicalError:
        return canonical_bytes(_with_doubles(value))


def _normalise(value: Any, field: str, *, fast: bool) -> Any:
    kind = type(value)
    if kind is str:
        return _checked_text(value, field)
    if kind is int:
        if -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
            return value
        raise CanonicalError(f"{field or 'value'}: integer {value} is beyond 2**53 - 1")
    if value is None or kind is bool:
        return value
    if kind is float:
        return _normalised_float(value, fast=fast)
    if kind is list or kind is tuple:
        return [_normalise(item, f"{field}[{i}]", fast=fast) for i, item in enumerate(value)]
    if kind is dict:
        return {
            _checked_key(key, field, fast=fast): _normalise(item, f"{field}.{key}", fast=fast)
            for key, item in value.items()
        }
    if isinstance(value, Enum):
        return _normalise(value.value, field, fast=fast)
    if kind is UUID:
        return str(value)
    raise CanonicalError(f"{field or 'value'}: {kind.__name__} is not a JSON type")


def _with_doubles(value: Any) -> Any:
    """Return a value read from JSON, large integers that are how floats are written as floats."""
    if type(value) is int and abs(value) > MAX_SAFE_INTEGER:
        return _double(value)
    if type(value) is list:
        return [_with_doubles(item) for item in value]
    if type(value) is dict:
        return {key: _with_doubles(item) for key, item in value.items()}
    return value


def _double(value: int) -> float | int:
    """Return the float whose canonical text is this integer, else the integer."""
    try:
        double = float(value)
    except OverflowError:
        return value
    return double if rfc8785.dumps(double) == str(value).encode() else value


def _normalised_float(value: float, *, fast: bool) -> float | int | None:
    if not math.isfinite(value):
        return None
    magnitude = abs(value)
    if magnitude <= MAX_SAFE_INTEGER and value.is_integer():
        return int(value)
    if fast and (magnitude < _SMALLEST_FAST_FLOAT or magnitude > MAX_SAFE_INTEGER):
        raise _NeedsReferenceEncoder
    return value


def _checked_text(value: str, field: str) -> str:
    if "\x00" in value:
        raise CanonicalError(f"{field or 'value'}: U+0000 cannot be stored")
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise CanonicalError(f"{field or 'value'}: lone surrogate at {error.start}") from None
    return value


def _checked_key(key: Any, field: str, *, fast: bool) -> str:
    if type(key) is not str:
        raise CanonicalError(f"{field or 'value'}: key {key!r} is not text")
    _checked_text(key, f"{field}.{key!r}")
    if fast and not key.isascii():
        raise _NeedsReferenceEncoder
    return key
