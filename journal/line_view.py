"""One line of a session beside its bytes on disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from django.db import connection

from journal.events import public_id
from journal.facts import facts, is_synthetic
from journal.log.chain import chained_hash, split_line
from journal.log.session import ID_STRIDE
from journal.selectors import (
    COLUMNS,
    RAW_LIMIT,
    STANDING_KINDS,
    StoredEvent,
    UnknownEventError,
    line_from_log,
    stored_event,
)
from journal.sentences import sentence

if TYPE_CHECKING:
    from journal.facts import Fact


@dataclass(frozen=True, slots=True)
class Cause:
    """An event another names as its cause."""

    seq: int
    line: int
    kind: str


@dataclass(frozen=True, slots=True)
class LineView:
    """A line: what it says, its bytes as they are on disk, and its place in the chain.

    `raw` is the line as text without its newline, cut at RAW_LIMIT characters when `raw_cut`;
    `file_line` counts from 1 within the file, `offset` and `length` are bytes. `computed` is the
    hash of the bytes on disk (empty when they are no log line). `problem` is empty when the bytes
    are there, hash to the hash they carry and are those the store knows.
    """

    event: StoredEvent
    sentence: str
    facts: tuple[Fact, ...]
    facts_cut: bool
    synthetic: bool
    raw: str
    raw_cut: bool
    from_log: bool
    computed: str
    problem: str
    file_line: int
    offset: int
    length: int
    causes: tuple[Cause, ...]
    last_line: int

    @property
    def name(self) -> str:
        """`<session>.<seq>`, or `<session>:<line>` of a bookkeeping record, which has no seq."""
        if self.event.seq is None:
            return f"{self.event.session}:{self.event.line}"
        return public_id(self.event.session, self.event.seq)

    @property
    def explained(self) -> bool:
        """Whether Why has something to say: it came from something, or led to something."""
        standing = self.event.kind in STANDING_KINDS and not self.event.cause
        return self.event.seq is not None and not standing

    @property
    def previous_line(self) -> int | None:
        return self.event.line - 1 if self.event.line > 1 else None

    @property
    def next_line(self) -> int | None:
        return self.event.line + 1 if self.event.line < self.last_line else None


def line_get(*, session: str, line: int | None = None, seq: int | None = None) -> LineView:
    """Return a line by its number or its seq, beside its bytes in the log; two queries.

    Raises UnknownEventError when the store does not have it.
    """
    if (line or seq or 0) >= ID_STRIDE:  # more than a session may have
        raise UnknownEventError(f"{session} line {line} seq {seq}")
    with connection.cursor() as cursor:
        cursor.execute(_LINE, {"session": session, "line": line, "seq": seq})
        row = cursor.fetchone()
    if row is None:
        raise UnknownEventError(f"{session} line {line} seq {seq}")
    event = stored_event(row[:-5])
    stored_raw, offset, length, first_line, last_line = row[-5:]
    on_disk = line_from_log(session, event.file, offset, length)
    computed, problem, data = _judged(event, on_disk)
    raw = stored_raw if on_disk is None else on_disk.removesuffix(b"\n").decode(errors="replace")
    told, facts_cut = facts(data)
    return LineView(
        event=event,
        sentence=sentence(event.kind, data),
        facts=tuple(told),
        facts_cut=facts_cut,
        synthetic=is_synthetic(data),
        raw=raw[:RAW_LIMIT],
        raw_cut=len(raw) > RAW_LIMIT,
        from_log=on_disk is not None,
        computed=computed,
        problem=problem,
        file_line=event.line - first_line + 1,
        offset=offset,
        length=length,
        causes=_causes(event, session),
        last_line=last_line,
    )


def _judged(event: StoredEvent, on_disk: bytes | None) -> tuple[str, str, dict[str, Any]]:
    """Return the hash of the bytes on disk, what is wrong with them, and the data to show: that of
    the log where it holds, else the store's.
    """
    if on_disk is None:
        return (
            "",
            "the file is not here, or ends before this line; shown is the store's copy",
            event.data,
        )
    try:
        body, digest, prev = split_line(on_disk)
        computed = chained_hash(bytes.fromhex(prev), body).hex()
    except ValueError as error:
        return "", f"the bytes at this place are no log line: {error}", event.data
    if computed != digest:
        return computed, "the bytes do not hash to the hash they carry", event.data
    if (digest, prev) != (event.hash, event.prev):
        return computed, "the bytes are not those the audit store was given", event.data
    return computed, "", orjson.loads(body)["body"]["data"]


def _causes(event: StoredEvent, session: str) -> tuple[Cause, ...]:
    with connection.cursor() as cursor:
        cursor.execute(_CAUSES, {"session": session, "seqs": list(event.cause)})
        return tuple(Cause(seq=seq, line=line, kind=kind) for seq, line, kind in cursor)


_BOUNDS = """
    WITH bounds AS (
        SELECT number * 1099511627776 AS first, (number + 1) * 1099511627776 AS after, p.line
          FROM audit.session LEFT JOIN audit.mirror_position p USING (number)
         WHERE name = %(session)s
    )
"""
_LINE = f"""
    {_BOUNDS}
    SELECT {COLUMNS}, e.raw, e.file_offset, e.length,
           (SELECT max(o.id) & 1099511627775 FROM audit.event o
             WHERE o.id >= bounds.first AND o.id <= e.id AND o.kind = 'log.opened'),
           bounds.line
      FROM bounds, audit.event e
     WHERE e.id >= bounds.first AND e.id < bounds.after
       AND (%(line)s::bigint IS NULL OR e.id = bounds.first + %(line)s::bigint)
       AND (%(seq)s::bigint IS NULL OR e.seq = %(seq)s::bigint)
"""  # noqa: S608 - made of the constants above alone
_CAUSES = f"""
    {_BOUNDS}
    SELECT e.seq, e.id & 1099511627775, e.kind FROM bounds, audit.event e
     WHERE e.id >= bounds.first AND e.id < bounds.after AND e.seq = ANY(%(seqs)s::bigint[])
     ORDER BY e.id
"""  # noqa: S608 - made of the constants above alone
