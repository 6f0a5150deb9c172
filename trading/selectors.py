"""What the signals page and the Why panel show, read from the audit store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from django.db import connection

from journal.selectors import UnknownEventError, walk_get
from trading.why.decisions import binding_condition, deciding_gate, gate_title
from trading.why.spine import spine_from_events

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trading.why.cards import Spine

PAGE_ROWS = 50
FIRED = ("yes", "no")
VERDICTS = ("admitted", "refused")


@dataclass(frozen=True, slots=True)
class SignalFilters:
    """What the address asks for; empty text and None ask for everything.

    `before` and `after` are seqs: the page below one, or the page above it.
    """

    session: str = ""
    fired: str = ""
    strategy: str = ""
    underlying: str = ""
    verdict: str = ""
    before: int | None = None
    after: int | None = None

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> SignalFilters:
        """Read a query string; values that mean nothing are left out."""
        fired, verdict = query.get("fired", ""), query.get("verdict", "")
        return cls(
            session=query.get("session", ""),
            fired=fired if fired in FIRED else "",
            strategy=query.get("strategy", "")[:20],
            underlying=query.get("underlying", "")[:20],
            verdict=verdict if verdict in VERDICTS else "",
            before=_seq(query.get("before")),
            after=_seq(query.get("after")),
        )

    @property
    def narrowed(self) -> bool:
        """Whether anything but the session and the page is chosen."""
        return bool(self.fired or self.strategy or self.underlying or self.verdict)


@dataclass(frozen=True, slots=True)
class SignalRow:
    """One evaluation and what became of it. Money in paise, `ts` µs UTC."""

    seq: int
    ts: int
    strategy: str
    underlying: str
    fired: bool
    direction: str | None
    condition: dict[str, Any] | None
    reason: str
    admitted: bool | None  # None: it did not come before the gates
    blocked_by: str
    blocked_because: str
    trade: str
    state: str
    gross_paise: int | None
    net_paise: int | None  # None also where costs are GROSS
    costs: Any
    synthetic: bool


@dataclass(frozen=True, slots=True)
class SignalPage:
    """A page of signals, newest first, with the seqs the neighbouring pages begin at."""

    session: str
    sessions: tuple[str, ...]
    filters: SignalFilters
    rows: tuple[SignalRow, ...]
    older: int | None
    newer: int | None

    @property
    def synthetic(self) -> bool:
        return any(row.synthetic for row in self.rows)


def signal_page(filters: SignalFilters) -> SignalPage:
    """Return the page the filters ask for: two queries. No session asked for means the newest.

    Raises UnknownEventError when the session asked for is not in the store.
    """
    sessions = _sessions()
    if filters.session and filters.session not in sessions:
        raise UnknownEventError(filters.session)
    session = filters.session or next(iter(sessions), "")
    if not session:
        return SignalPage("", (), filters, (), None, None)
    rows = _signal_rows(session, filters)
    more = len(rows) > PAGE_ROWS
    rows = rows[:PAGE_ROWS]
    upwards = filters.after is not None
    if upwards:
        rows.reverse()
    older = rows[-1].seq if rows and (more or upwards) else None
    newer = rows[0].seq if rows and (filters.before is not None or (upwards and more)) else None
    return SignalPage(session, tuple(sessions), filters, tuple(rows), older, newer)


def spine_get(*, session: str, seq: int) -> Spine:
    """Return the answer to "why?" for any event; one query. Raises UnknownEventError."""
    walk = walk_get(session=session, seq=seq)
    return spine_from_events(walk.asked, walk.events, cut=walk.cut)


def _sessions() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM audit.session ORDER BY number DESC")
        return [name for (name,) in cursor]


def _signal_rows(session: str, filters: SignalFilters) -> list[SignalRow]:
    with connection.cursor() as cursor:
        cursor.execute(
            _SIGNALS_UP if filters.after is not None else _SIGNALS,
            {
                "session": session,
                "fired": {"yes": True, "no": False}.get(filters.fired),
                "strategy": filters.strategy or None,
                "underlying": filters.underlying or None,
                "admitted": {"admitted": True, "refused": False}.get(filters.verdict),
                "before": filters.before,
                "after": filters.after,
                "limit": PAGE_ROWS + 1,
            },
        )
        return [_signal_row(session, *row) for row in cursor]


# The gate that names the signal as its cause, and the last state of the trade that gate admitted.
# Aggregates rather than LIMIT 1, so that the planner cannot prefer a walk along the primary key.
_SIGNALS_OPEN = """
    SELECT s.seq, s.ts, s.payload->'data', g.seq, g.data, t.data
      FROM (SELECT number * 1099511627776 AS first, (number + 1) * 1099511627776 AS after
              FROM audit.session WHERE name = %(session)s) AS bounds
      JOIN audit.event s
        ON s.id >= bounds.first AND s.id < bounds.after AND s.kind = 'signal.emitted'
      LEFT JOIN LATERAL (
          SELECT min(e.seq) AS seq, (array_agg(e.payload->'data' ORDER BY e.id))[1] AS data
            FROM audit.event e
           WHERE s.payload @> '{"data": {"fired": true}}'
             AND e.id > s.id AND e.id < bounds.after
             AND e.cause @> ARRAY[s.seq] AND e.kind = 'gate.decided'
      ) AS g ON true
      LEFT JOIN LATERAL (
          SELECT e.payload->'data' AS data
            FROM audit.event e
           WHERE e.id > s.id AND e.id < bounds.after
             AND e.key = %(session)s || '.' || g.seq AND e.kind = 'position.changed'
           ORDER BY e.id DESC LIMIT 1
      ) AS t ON true
     WHERE (%(fired)s::boolean IS NULL
            OR (s.payload->'data'->>'fired')::boolean = %(fired)s::boolean)
       AND (%(strategy)s::text IS NULL OR s.payload->'data'->>'strategy' = %(strategy)s::text)
       AND (%(underlying)s::text IS NULL
            OR s.payload->'data'->>'underlying' = %(underlying)s::text)
       AND (%(admitted)s::boolean IS NULL
            OR (g.seq IS NOT NULL
                AND (g.data->>'decided_by' IS NULL) = %(admitted)s::boolean))
"""
_SIGNALS = (
    _SIGNALS_OPEN
    + """
       AND (%(before)s::bigint IS NULL OR s.seq < %(before)s::bigint)
     ORDER BY s.id DESC LIMIT %(limit)s
"""
)
_SIGNALS_UP = (
    _SIGNALS_OPEN
    + """
       AND s.seq > %(after)s::bigint
     ORDER BY s.id LIMIT %(limit)s
"""
)


def _signal_row(
    session: str, seq: int, ts: int, signal: Any, gate_seq: int | None, gate: Any, trade: Any
) -> SignalRow:
    signal, gate, trade = _json(signal), _json(gate), _json(trade)
    blocker = deciding_gate(gate) if gate else None
    return SignalRow(
        seq=seq,
        ts=ts,
        strategy=signal["strategy"],
        underlying=signal["underlying"],
        fired=signal["fired"],
        direction=signal["direction"],
        condition=binding_condition(signal["conditions"]),
        reason=signal["reason"] or "",
        admitted=None if gate is None else gate["decided_by"] is None,
        blocked_by=gate_title(blocker) if blocker else "",
        blocked_because=(blocker or {}).get("reason") or "",
        trade=f"{session}.{gate_seq}" if trade else "",
        state=trade["state"] if trade else "",
        gross_paise=trade["gross_paise"] if trade else None,
        net_paise=trade.get("net_paise") if trade else None,
        costs=trade["costs"] if trade else None,
        synthetic=bool(signal.get("synthetic")),
    )


def _json(value: Any) -> Any:
    """Return a jsonb column: Django hands it over as text from a plain cursor."""
    return orjson.loads(value) if isinstance(value, str) else value


def _seq(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else None
