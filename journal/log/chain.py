"""The bytes of one log line and the hash that ties it to the line before.

A line is `{"event":E,"hash":"H","prev":"P"}` and a newline, with E the canonical event and H =
SHA-256(P as 32 raw bytes || E). What follows E has a fixed length, so a chain is verified by
slicing bytes, without parsing JSON.
"""

from __future__ import annotations

from hashlib import sha256

GENESIS = bytes(32)

_HEAD = b'{"event":'
_HASH = b',"hash":"'
_PREV = b'","prev":"'
_TAIL = b'"}\n'
TAIL_LENGTH = len(_HASH) + 64 + len(_PREV) + 64 + len(_TAIL)


def event_bytes(*, body: bytes, line: int, commit: int, rec: int) -> bytes:
    """Return the canonical event around an already canonical body; rec is wall-clock µs UTC."""
    return b'{"body":%b,"log":{"commit":%d,"line":%d,"rec":%d}}' % (body, commit, line, rec)


def chained_hash(previous: bytes, event: bytes) -> bytes:
    """Return SHA-256(previous || event); previous is 32 raw bytes."""
    return sha256(previous + event).digest()


def line_bytes(*, event: bytes, digest: bytes, previous: bytes) -> bytes:
    """Return the stored line, newline included."""
    return b'{"event":%b,"hash":"%b","prev":"%b"}\n' % (
        event,
        digest.hex().encode(),
        previous.hex().encode(),
    )


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


def tail_hash(tail: bytes) -> str | None:
    """Return the hash in the last TAIL_LENGTH bytes of a stored line; None when they are not."""
    hash_at = len(_HASH)
    if len(tail) != TAIL_LENGTH or not tail.startswith(_HASH) or not tail.endswith(_TAIL):
        return None
    return tail[hash_at : hash_at + 64].decode("ascii", errors="replace")
