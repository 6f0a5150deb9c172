"""What each kind of event carries: one struct a kind, checked before a byte is written.

`docs/events.md` is generated from these structs. `surface.fitted` and `model.fitted` have none:
nothing writes them yet, and a shape that no writer holds to would be a guess the log keeps forever;
so they are refused until their writer comes with their struct.
"""

from __future__ import annotations

# Each of these registers its kinds.
from journal.payloads import bookkeeping, decisions, market, orders, sessions, standing
from journal.payloads.checking import check, check_all, unreadable
from journal.payloads.registry import SCHEMAS, Schema, payload_of

__all__ = [
    "SCHEMAS",
    "Schema",
    "bookkeeping",
    "check",
    "check_all",
    "decisions",
    "market",
    "orders",
    "payload_of",
    "sessions",
    "standing",
    "unreadable",
]
