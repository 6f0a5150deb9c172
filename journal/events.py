"""Events: what a log line's body holds, and the kinds the house knows.

`docs/events.md` lists each kind with its data. A body is what replay compares, byte for byte.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from journal.log.canonical import canonical_bytes

BODY_VERSION = 1

BOOKKEEPING_KINDS = frozenset({"log.opened", "log.recovered"})
INPUT_KINDS = frozenset(
    {
        "session.opened",
        "day.opened",
        "operator.command",
        "order.submitted",
        "broker.report",
        "broker.statement",
        "market.status",
        "clock.tick",
        "market.frame",
        "settlement.published",
        "session.ended",
    }
)
DERIVED_KINDS = frozenset(
    {
        "surface.fitted",
        "model.fitted",
        "features.computed",
        "signal.emitted",
        "gate.decided",
        "order.intended",
        "report.set_aside",
        "book.reconciled",
        "reconciliation.accepted",
        "position.changed",
        "position.settled",
        "position.unsettled",
        "limits.changed",
        "breaker.changed",
        "request.changed",
        "strategy.disabled",
        "portfolio.snapshot",
        "day.closed",
        "session.closed",
    }
)
# What people did at the desk: kinds of the log `_desk` alone, which no engine reads.
DESK_KINDS = frozenset(
    {
        "desk.signed_in",
        "desk.signed_out",
        "desk.sign_in_failed",
        "desk.locked_out",
        "desk.stop_lifted",
        "desk.stop_pressed",
        "desk.downloaded",
        "desk.verification_asked",
        "desk.replay_asked",
        "desk.mirror_rebuilt",
    }
)
KINDS = BOOKKEEPING_KINDS | INPUT_KINDS | DERIVED_KINDS | DESK_KINDS


@dataclass(frozen=True, slots=True)
class Event:
    """One body.

    `ts` is event time in µs UTC; `cause` the seqs that led to it; `seq` is null for bookkeeping.
    """

    session: str
    seq: int | None
    ts: int
    kind: str
    data: dict[str, Any]
    cause: tuple[int, ...] = ()
    key: str | None = None
    v: int = field(default=BODY_VERSION)

    def body(self) -> dict[str, Any]:
        """Return the body as the log stores it."""
        return {
            "cause": list(self.cause),
            "data": self.data,
            "key": self.key,
            "kind": self.kind,
            "seq": self.seq,
            "session": self.session,
            "ts": self.ts,
            "v": self.v,
        }

    def body_bytes(self) -> bytes:
        """Return the canonical bytes of the body; raises CanonicalError naming the field."""
        return canonical_bytes(self.body())

    @property
    def public_id(self) -> str:
        """`<session>.<seq>`, the id of this event and of the signal, order or trade it starts."""
        return public_id(self.session, self.seq)


def event_from_body(body: dict[str, Any]) -> Event:
    """Return the event of a parsed body; KeyError when a field is missing."""
    return Event(
        session=body["session"],
        seq=body["seq"],
        ts=body["ts"],
        kind=body["kind"],
        data=body["data"],
        cause=tuple(body["cause"]),
        key=body["key"],
        v=body["v"],
    )


def public_id(session: str, seq: int | None) -> str:
    """Return `<session>.<seq>`."""
    return f"{session}.{seq}"


def rounded(value: float | None) -> float | None:
    """Return a float rounded to the 12 significant digits events carry;

    NaN and infinities become None.
    """
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.12g}")
