"""The lines of a session, a page at a time.

Made for sessions of millions of lines: pages go by line number, nothing is counted, a time becomes
a line by bisection, and filters no single index answers look at a bounded stretch of lines a page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from django.conf import settings
from django.db import connection

from journal.event_filters import is_number
from journal.facts import is_synthetic
from journal.log.errors import UnknownSessionError
from journal.log.head import read_head
from journal.log.session import ID_STRIDE, log_names, session_directory
from journal.sentences import sentence

if TYPE_CHECKING:
    from journal.event_filters import EventFilters

PAGE_ROWS = 50
STRETCH_LINES = 20_000  # looked through a page, when no single index answers the filters
FOUND_BY_ID = 1_000  # lines an id may have: a trade's are under a hundred
CAUSES_SHOWN = 3


@dataclass(frozen=True, slots=True)
class EventRow:
    """A line as the list shows it; `ts` µs UTC, `line` across the session."""

    line: int
    seq: int | None
    ts: int
    kind: str
    key: str | None
    cause: tuple[int, ...]
    hash: str
    sentence: str
    synthetic: bool

    @property
    def causes_shown(self) -> tuple[int, ...]:
        return self.cause[:CAUSES_SHOWN]

    @property
    def causes_more(self) -> int:
        return max(0, len(self.cause) - CAUSES_SHOWN)


@dataclass(frozen=True, slots=True)
class EventPage:
    """A page of a session's lines, in the order asked for.

    `older` and `newer` are the lines the neighbouring pages begin beside. `stretch` is the first
    and last line that were looked through, when that was not everything the filters cover.
    `mirrored` is the last line in the store (None: not begun), `durable` the last one in the log.
    """

    session: str
    filters: EventFilters
    rows: tuple[EventRow, ...]
    older: int | None
    newer: int | None
    stretch: tuple[int, int] | None
    mirrored: int | None
    durable: int | None

    @property
    def synthetic(self) -> bool:
        return any(row.synthetic for row in self.rows)

    @property
    def stretch_lines(self) -> int:
        return STRETCH_LINES

    @property
    def behind(self) -> int | None:
        """Durable lines the store has not taken yet."""
        if self.durable is None:
            return None
        return max(0, self.durable - (self.mirrored or 0))


def event_page(*, session: str, filters: EventFilters) -> EventPage:
    """Return a page of a session's lines; two queries, whatever is asked.

    Raises UnknownSessionError when neither log nor store has the session.
    """
    reach = _reach(session, filters)
    if reach is None and session not in log_names(settings.VAR_DIR):
        raise UnknownSessionError(f"session {session!r} has no log")
    mirrored = reach.mirrored if reach else 0
    rows, stretch = _rows(reach, filters) if reach else ([], None)
    more = len(rows) > PAGE_ROWS
    rows = rows[:PAGE_ROWS]
    if filters.upwards:
        rows.reverse()
    older, newer = _neighbours(rows, filters, more=more, stretch=stretch, reach=reach)
    head = read_head(session_directory(settings.VAR_DIR, session))
    return EventPage(
        session=session,
        filters=filters,
        rows=tuple(reversed(rows) if filters.oldest else rows),
        older=older,
        newer=newer,
        stretch=None if more else stretch,
        mirrored=mirrored or None,
        durable=head.line if head else None,
    )


def _neighbours(
    rows: list[EventRow],
    filters: EventFilters,
    *,
    more: bool,
    stretch: tuple[int, int] | None,
    reach: _Reach | None,
) -> tuple[int | None, int | None]:
    """Return the lines the older and the newer page begin beside; `rows` come newest first."""
    if reach is None:
        return None, None
    if filters.upwards:
        newer = rows[0].line if more else None
        if not more and stretch and stretch[1] < reach.last:
            newer = stretch[1]
        back = rows[-1].line if rows else (filters.after or 0) + 1
        return back if filters.after is not None else None, newer
    older = rows[-1].line if more else None
    if not more and stretch and stretch[0] > reach.first:
        older = stretch[0]
    back = rows[0].line if rows else (filters.before or 1) - 1
    return older, back if filters.before is not None else None


@dataclass(frozen=True, slots=True)
class _Reach:
    """A session's number, its last line in the store, and the lines its filters' ranges reach."""

    number: int
    mirrored: int
    first: int
    last: int


def _reach(session: str, filters: EventFilters) -> _Reach | None:
    """Return how far a session and the ranges asked of it go; None when the store has no such
    session. A range that holds no line ends before it begins.
    """
    asked = {
        "seq_from": filters.seq_from,
        "seq_to": filters.seq_to,
        "since": filters.since_us,
        "until": filters.until_us,
    }
    bounds = ", ".join(
        "NULL" if value is None else _REACH_BOUNDS[name] for name, value in asked.items()
    )
    with connection.cursor() as cursor:
        cursor.execute(_REACH.format(bounds=bounds), {"session": session, **asked})
        row = cursor.fetchone()
    if row is None:
        return None
    number, mirrored, *found = row
    seq_from, seq_to, since, until = (
        None if bound is None else bound - number * ID_STRIDE for bound in found
    )
    firsts = [1, seq_from if filters.seq_from is None else seq_from or mirrored + 1, since]
    lasts = [mirrored, seq_to if filters.seq_to is None else seq_to or 0]
    lasts.append(None if until is None else until - 1)
    return _Reach(
        number=number,
        mirrored=mirrored,
        first=max(bound for bound in firsts if bound is not None),
        last=min(bound for bound in lasts if bound is not None),
    )


def _rows(reach: _Reach, filters: EventFilters) -> tuple[list[EventRow], tuple[int, int] | None]:
    """Return a page's rows and one more, in the order they are fetched, and the stretch of lines
    they were looked for in when the filters reach further.
    """
    first, last, stretch = reach.first, reach.last, None
    if filters.after is not None:
        first = max(first, filters.after + 1)
    if filters.before is not None:
        last = min(last, filters.before - 1)
    if filters.needs_a_stretch and last - first >= STRETCH_LINES:
        if filters.upwards:
            last = first + STRETCH_LINES - 1
        else:
            first = last - STRETCH_LINES + 1
        stretch = (first, last)
    base = reach.number * ID_STRIDE
    conditions, parameters = _conditions(filters)
    parameters |= {
        "base": base,
        "after_session": base + ID_STRIDE,
        "first": base + first,
        "last": base + last,
        "limit": PAGE_ROWS + 1,
    }
    order = "e.id" if filters.upwards else "e.id DESC"
    statement = f"{_ROWS} {' '.join(conditions)} ORDER BY {order} LIMIT %(limit)s"
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return [_event_row(base, *row) for row in cursor], stretch


def _conditions(filters: EventFilters) -> tuple[list[str], dict[str, Any]]:
    """Return what the filters add to the statement, each with its parameters."""
    wanted = {"kind": filters.kind, "key": filters.key, "strategy": filters.strategy}
    parameters: dict[str, Any] = {name: value for name, value in wanted.items() if value}
    conditions = [_CONDITIONS[name] for name in parameters]
    if filters.event:
        by_id, found = _by_id(filters.event)
        conditions.append(by_id)
        parameters |= found
    return conditions, parameters


def _by_id(event: str) -> tuple[str, dict[str, Any]]:
    """Return what finds an id: a line by its number, else an event by its seq or its key."""
    left, _, right = event.rpartition(":")
    if is_number(right) and "." not in left and event != right:
        return _CONDITIONS["line"], {"line": int(right)}
    seq = event.rpartition(".")[2]
    if is_number(seq):
        return _CONDITIONS["id"], {"id_seq": int(seq), "id_key": event, "id_limit": FOUND_BY_ID}
    return "AND e.key = %(id_key)s", {"id_key": event}


def _event_row(
    base: int,
    id_: int,
    seq: int | None,
    ts: int,
    kind: str,
    key: str | None,
    cause: list[int],
    digest: str,
    data: Any,
) -> EventRow:
    data = orjson.loads(data) if isinstance(data, str) else data
    return EventRow(
        line=id_ - base,
        seq=seq,
        ts=ts,
        kind=kind,
        key=key,
        cause=tuple(cause),
        hash=digest,
        sentence=sentence(kind, data),
        synthetic=is_synthetic(data),
    )


_ROWS = """
    SELECT e.id, e.seq, e.ts, e.kind, e.key, e.cause, e.hash, e.payload->'data'
      FROM audit.event e
     WHERE e.id >= %(base)s AND e.id < %(after_session)s
       AND e.id >= %(first)s AND e.id <= %(last)s
"""

_CONDITIONS = {
    "kind": "AND e.kind = %(kind)s",
    "key": "AND e.key = %(key)s",
    "strategy": "AND e.payload->'data'->>'strategy' = %(strategy)s",
    "line": "AND e.id = %(base)s + %(line)s",
    "id": """AND e.id = ANY(ARRAY(
        SELECT s.id FROM audit.event s
         WHERE s.id >= %(base)s AND s.id < %(after_session)s AND s.seq = %(id_seq)s
         UNION
        (SELECT k.id FROM audit.event k
          WHERE k.id >= %(base)s AND k.id < %(after_session)s AND k.key = %(id_key)s
          ORDER BY k.key, k.id DESC LIMIT %(id_limit)s)))""",
}

_REACH = """
    SELECT s.number, coalesce(p.line, 0), {bounds}
      FROM audit.session s LEFT JOIN audit.mirror_position p USING (number)
     WHERE s.name = %(session)s
"""

# The first line at or after an instant, found by bisection: times of events never go back along a
# session. Those of bookkeeping lines are of another clock, so these go with the event after them.
_FIRST_AT = """(
    WITH RECURSIVE search(low, high) AS (
        SELECT s.number * 1099511627776 + 1, s.number * 1099511627776 + coalesce(p.line, 0) + 1
        UNION ALL
        SELECT CASE WHEN probe.ts < %(instant)s THEN probe.id + 1 ELSE low END,
               CASE WHEN probe.ts < %(instant)s THEN high ELSE middle END
          FROM (SELECT low, high, (low + high) / 2 AS middle FROM search WHERE low < high) AS half
          LEFT JOIN LATERAL (
              SELECT e.id, e.ts FROM audit.event e
               WHERE e.id >= half.middle AND e.id < (s.number + 1) * 1099511627776
                 AND e.seq IS NOT NULL
               ORDER BY e.id LIMIT 1
          ) AS probe ON true
    )
    SELECT min(high) FROM search
)"""

_REACH_BOUNDS = {
    "seq_from": """(
        SELECT e.id FROM audit.event e
         WHERE e.id >= s.number * 1099511627776 AND e.id < (s.number + 1) * 1099511627776
           AND e.seq >= %(seq_from)s
         ORDER BY e.seq LIMIT 1)""",
    "seq_to": """(
        SELECT e.id FROM audit.event e
         WHERE e.id >= s.number * 1099511627776 AND e.id < (s.number + 1) * 1099511627776
           AND e.seq <= %(seq_to)s
         ORDER BY e.seq DESC LIMIT 1)""",
    "since": _FIRST_AT.replace("instant", "since"),
    "until": _FIRST_AT.replace("instant", "until"),
}
