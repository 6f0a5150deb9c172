"""What each kind of event carries: one struct a kind, checked before a byte is written.

`docs/events.md` is generated from these structs. `model.fitted` has none: nothing writes it yet,
and a shape that no writer holds to would be a guess the log keeps forever; so it is refused until
its writer comes with its struct.
"""

from __future__ import annotations

# Each of these registers its kinds.
from journal.payloads import (
    bookkeeping,
    decisions,
    desk,
    market,
    orders,
    sessions,
    standing,
    surfaces,
)
from journal.payloads.checking import check, check_all, unreadable
from journal.payloads.registry import SCHEMAS, Schema, payload_of

__all__ = [
    "SCHEMAS",
    "Schema",
    "bookkeeping",
    "check",
    "check_all",
    "decisions",
    "desk",
    "market",
    "orders",
    "payload_of",
    "sessions",
    "standing",
    "surfaces",
    "unreadable",
]
