"""The bytes of one log line and the hash that ties it to the line before.

A line is `{"event":E,"hash":"H","prev":"P"}` and a newline, with E the canonical event and H =
SHA-256(P as 32 raw bytes || E). What follows E has a fixed length, so a chain is verified by
slicing bytes, without parsing JSON.
"""

from __future__ import annotations

import re
from binascii import hexlify
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

GENESIS = bytes(32)

_HEAD = b'{"event":'
_HASH = b',"hash":"'
_PREV = b'","prev":"'
_TAIL = b'"}\n'
_LINE = b'{"event":%b,"hash":"%b","prev":"%b"}\n'
TAIL_LENGTH = len(_HASH) + 64 + len(_PREV) + 64 + len(_TAIL)


def event_bytes(*, body: bytes, line: int, commit: int, rec: int) -> bytes:
    """Return the canonical event around an already canonical body; rec is wall-clock µs UTC."""
    return b'{"body":%b,"log":{"commit":%d,"line":%d,"rec":%d}}' % (body, commit, line, rec)


def chained_hash(previous: bytes, event: bytes) -> bytes:
    """Return SHA-256(previous || event); previous is 32 raw bytes."""
    return sha256(previous + event).digest()


def line_bytes(*, event: bytes, digest: bytes, previous: bytes) -> bytes:
    """Return the stored line, newline included."""
    return _LINE % (event, hexlify(digest), hexlify(previous))


def split_line(raw: bytes) -> tuple[bytes, str, str]:
    """Return (event bytes, hash, prev) of a stored line;

    ValueError says which fixed part is wrong.
    """
    tail = len(raw) - TAIL_LENGTH
    if tail < len(_HEAD) or not raw.startswith(_HEAD):
        raise ValueError(f"a line starts with {_HEAD.decode()}")
    hash_at = tail + len(_HASH)
    prev_at = hash_at + 64 + len(_PREV)
    fixed_parts_match = (
        raw[tail:hash_at] == _HASH
        and raw[hash_at + 64 : prev_at] == _PREV
        and raw[prev_at + 64 :] == _TAIL
    )
    if not fixed_parts_match:
        raise ValueError('a line ends with ,"hash":"<64 hex>","prev":"<64 hex>"} and a newline')
    try:
        return (
            raw[len(_HEAD) : tail],
            raw[hash_at : hash_at + 64].decode("ascii"),
            raw[prev_at : prev_at + 64].decode("ascii"),
        )
    except UnicodeDecodeError:
        raise ValueError("hash and prev are 64 hexadecimal digits") from None


def event_of(raw: bytes) -> bytes:
    """Return the event's bytes of a stored line whose chain is known to hold."""
    return raw[len(_HEAD) : -TAIL_LENGTH]


def hash_holds(raw: bytes) -> bool:
    """Tell whether a stored line is one and hashes to its own hash; not that it continues a
    chain.
    """
    try:
        event, digest, previous = split_line(raw)
        return chained_hash(bytes.fromhex(previous), event).hex() == digest
    except ValueError:
        return False


def tail_hash(tail: bytes) -> str | None:
    """Return the hash in the last TAIL_LENGTH bytes of a stored line; None when they are not."""
    hash_at = len(_HASH)
    if len(tail) != TAIL_LENGTH or not tail.startswith(_HASH) or not tail.endswith(_TAIL):
        return None
    return tail[hash_at : hash_at + 64].decode("ascii", errors="replace")


@dataclass(frozen=True, slots=True)
class ChainRun:
    """How far a chain holds: the lines and bytes that do, the hash of the last, and the first line
    that does not (None when all do).
    """

    lines: int
    size: int
    hash: bytes
    broken: bytes | None


def follow_chain(lines: Iterable[bytes]) -> ChainRun:
    """Check stored lines against a chain that starts with them, by slicing and hashing alone.

    One loop without calls of our own, each line compared with the line its event must make: it
    costs little more than the hashing.
    """
    start, end = len(_HEAD), -TAIL_LENGTH
    count, size, previous, previous_hex = 0, 0, GENESIS, hexlify(GENESIS)
    for raw in lines:
        event = raw[start:end]
        digest = sha256(previous + event).digest()
        digest_hex = hexlify(digest)
        if raw != _LINE % (event, digest_hex, previous_hex):
            return ChainRun(count, size, previous, raw)
        previous, previous_hex = digest, digest_hex
        count += 1
        size += len(raw)
    return ChainRun(count, size, previous, None)


# A canonical event ends with these, whatever its data holds: keys are sorted, and no field after
# `data` can hold a quotation mark without a backslash.
_EVENT_END = re.compile(
    rb'"seq":(\d+|null),"session":"[^"\\]*","ts":(-?\d+),"v":\d+\},'
    rb'"log":\{"commit":(\d+),"line":(\d+),"rec":-?\d+\}\}\Z'
)
_END_LENGTH = 400  # the longest such end, and room


@dataclass(frozen=True, slots=True)
class EventEnd:
    """The numbers at the end of a line's event; `seq` is None for bookkeeping, `ts` µs UTC."""

    seq: int | None
    ts: int
    commit: int
    line: int


def event_end(raw: bytes) -> EventEnd | None:
    """Return the numbers of a stored line without parsing it; None when it is no log line."""
    found = _EVENT_END.search(raw[-TAIL_LENGTH - _END_LENGTH : -TAIL_LENGTH])
    if found is None:
        return None
    seq, ts, commit, line = found.groups()
    return EventEnd(None if seq == b"null" else int(seq), int(ts), int(commit), int(line))
