"""What the pages of risk show, read from the audit store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from journal.events import public_id
from trading.risk.limits import FIXED, Limits
from trading.risk_room.gate_lanes import Lane, Minute, lanes
from trading.risk_room.in_force import KnownGroup, known_groups, unconfirmed
from trading.risk_room.store import ids_of, is_synthetic, one_of, rows, session_numbers
from trading.risk_room.switches import (
    CHANGE_KINDS,
    Change,
    Switch,
    acceptances_of,
    switches_of,
    waiting_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

CHANGES_SHOWN = 50
RECONCILIATIONS_SHOWN = 100


@dataclass(frozen=True, slots=True)
class RiskFilters:
    """What the address asks for: a session and one of its days, empty for the newest."""

    session: str = ""
    day: str = ""


@dataclass(frozen=True, slots=True)
class Day:
    """A day of a session: its opening's data, seq and time (µs UTC), and the range of store ids
    that are of it.
    """

    date: str
    seq: int
    ts: int
    first_id: int
    after_id: int
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Blocks:
    """How often a gate decided against an order in a day, and the newest time it did."""

    number: int
    name: str
    times: int
    entries: int
    seq: int
    ts: int
    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class RiskPage:
    """How a session stands. `snapshot_ts` (µs UTC) is when the gates' last answers are of."""

    session: str
    sessions: tuple[str, ...]
    days: tuple[str, ...] = ()
    day: Day | None = None
    finished: bool = False
    switches: tuple[Switch, ...] = ()
    waiting: tuple[Change, ...] = ()
    changes: tuple[Change, ...] = ()
    lanes: tuple[Lane, ...] = ()
    minutes: int = 0
    snapshot_ts: int | None = None
    snapshot_seq: int | None = None
    blocks: tuple[Blocks, ...] = ()
    limit_names: tuple[str, ...] = ()
    synthetic: bool = False

    @property
    def kill_switches(self) -> tuple[Switch, ...]:
        return tuple(switch for switch in self.switches if switch.kind == "kill switch")

    @property
    def others(self) -> tuple[Switch, ...]:
        return tuple(switch for switch in self.switches if switch.kind != "kill switch")

    @property
    def day_minutes(self) -> int:
        """Minutes from the day's open to its close."""
        if self.day is None:
            return 0
        calendar = self.day.data["calendar"]
        return int((calendar["close_us"] - calendar["open_us"]) // 60_000_000)


def risk_page(filters: RiskFilters) -> RiskPage:
    """Return how a session stands and what its gates said on a day: seven queries.

    Raises UnknownEventError for a session or a day that the store does not have.
    """
    sessions = session_numbers()
    session = one_of(filters.session, tuple(sessions))
    if not session:
        return RiskPage("", tuple(sessions))
    number = sessions[session]
    days = _days(number)
    dates = tuple(day.date for day in reversed(days))
    chosen = one_of(filters.day, dates)
    if not chosen:
        return RiskPage(session, tuple(sessions))
    day = next(day for day in days if day.date == chosen)
    changes = _changes(number, day.after_id)
    names = tuple(sorted(k for k, v in day.data["configuration"]["strategies"].items() if v))
    snapshot = _last_snapshot(day)
    minutes = _minutes(day)
    return RiskPage(
        session=session,
        sessions=tuple(sessions),
        days=dates,
        day=day,
        finished=_is_finished(number),
        switches=switches_of(changes, names),
        waiting=waiting_of(changes),
        changes=tuple(reversed(changes))[:CHANGES_SHOWN],
        lanes=lanes(
            snapshot[2]["gates"] if snapshot else [],
            minutes,
            open_us=day.data["calendar"]["open_us"],
        ),
        minutes=len({minute.ts for minute in minutes}),
        snapshot_ts=snapshot[1] if snapshot else None,
        snapshot_seq=snapshot[0] if snapshot else None,
        blocks=_blocks(day),
        limit_names=tuple(name for name in Limits.__struct_fields__ if name not in FIXED),
        synthetic=is_synthetic(day.first_id, day.after_id),
    )


@dataclass(frozen=True, slots=True)
class InForcePage:
    """What a session knew at an instant (µs UTC)."""

    session: str
    sessions: tuple[str, ...]
    at_us: int | None = None
    day: Day | None = None
    groups: tuple[KnownGroup, ...] = ()
    unconfirmed: int = 0
    synthetic: bool = False


def in_force_page(*, session: str, at_us: int | None) -> InForcePage:
    """Return the figures a session knew at an instant (None: at the end of what it has): five
    queries. Raises UnknownEventError for a session that the store does not have.
    """
    sessions = session_numbers()
    session = one_of(session, tuple(sessions))
    if not session:
        return InForcePage("", tuple(sessions))
    number = sessions[session]
    days = [day for day in _days(number) if at_us is None or day.ts <= at_us]
    if not days:
        return InForcePage(session, tuple(sessions), at_us)
    day = days[-1]
    changes = [
        change for change in _changes(number, day.after_id) if at_us is None or change.ts <= at_us
    ]
    groups = known_groups(day.data, changes)
    return InForcePage(
        session=session,
        sessions=tuple(sessions),
        at_us=at_us,
        day=day,
        groups=groups,
        unconfirmed=unconfirmed(groups),
        synthetic=is_synthetic(day.first_id, day.after_id),
    )


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison of book and broker, or two people's word on one. `ts` µs UTC."""

    seq: int
    ts: int
    kind: str
    data: dict[str, Any]

    @property
    def is_acceptance(self) -> bool:
        return self.kind == "reconciliation.accepted"

    @property
    def blocks(self) -> bool:
        """Whether nothing is entered since; a report that was set aside blocks until the broker is
        asked.
        """
        return not self.is_acceptance and bool(self.data["blocks"])


@dataclass(frozen=True, slots=True)
class ReconciliationPage:
    """The comparisons of book and broker in a day of a session, the newest first. `standing` is
    what decides, at the end of the day, whether book and broker let entries in: None before
    anything was compared; `waiting` are the wishes to accept what it found.
    """

    session: str
    sessions: tuple[str, ...]
    days: tuple[str, ...] = ()
    day: Day | None = None
    found: tuple[Compared, ...] = ()
    standing: Compared | None = None
    waiting: tuple[Change, ...] = ()
    finished: bool = False
    synthetic: bool = False

    @property
    def goes_on(self) -> bool:
        """Whether the session can be told something, and its newest day is the one shown."""
        return bool(self.day and self.days[0] == self.day.date and not self.finished)

    @property
    def open_id(self) -> str:
        """The public id of the comparison whose differences are open; empty when none is."""
        return _open_id(self.session, self.standing)


def reconciliation_page(filters: RiskFilters, *, differing: bool) -> ReconciliationPage:
    """Return the newest comparisons of a day, `differing`: only those that found a difference or
    could not be made, with what was accepted; and how book and broker stand: seven queries.

    Raises UnknownEventError for a session or a day that the store does not have.
    """
    sessions = session_numbers()
    session = one_of(filters.session, tuple(sessions))
    days = _days(sessions[session]) if session else []
    dates = tuple(day.date for day in reversed(days))
    chosen = one_of(filters.day, dates)
    if not chosen:
        return ReconciliationPage(session, tuple(sessions))
    day, number = next(day for day in days if day.date == chosen), sessions[session]
    parameters = {**_ids(day), "differing": differing, "limit": RECONCILIATIONS_SHOWN}
    until = {**ids_of(number), "after": day.after_id}
    standing = next((Compared(*row) for row in rows(_STANDING, until)), None)
    return ReconciliationPage(
        session=session,
        sessions=tuple(sessions),
        days=dates,
        day=day,
        found=tuple(Compared(*row) for row in rows(_COMPARED, parameters)),
        standing=standing,
        waiting=acceptances_of(_changes(number, day.after_id), _open_id(session, standing)),
        finished=_is_finished(number),
        synthetic=is_synthetic(day.first_id, day.after_id),
    )


def _open_id(session: str, standing: Compared | None) -> str:
    if standing is None or not standing.data.get("differences") or not standing.blocks:
        return ""
    return public_id(session, standing.seq)


def _days(number: int) -> list[Day]:
    found = rows(
        "SELECT id, seq, ts, payload->'data' FROM audit.event "
        "WHERE kind = 'day.opened' AND id >= %(first)s AND id < %(after)s ORDER BY id",
        ids_of(number),
    )
    ends = [row[0] for row in found[1:]] + [ids_of(number)["after"]]
    return [
        Day(data["date"], seq, ts, id_, end, data)
        for (id_, seq, ts, data), end in zip(found, ends, strict=True)
    ]


def _changes(number: int, after_id: int) -> list[Change]:
    """What changed in a session before a store id, in the order of the log."""
    return [
        Change(*row)
        for row in rows(
            "SELECT seq, ts, kind, payload->'data' FROM audit.event "
            "WHERE kind = ANY(%(kinds)s) AND id >= %(first)s AND id < %(after)s ORDER BY id",
            {**ids_of(number), "after": after_id, "kinds": list(CHANGE_KINDS)},
        )
    ]


def _last_snapshot(day: Day) -> tuple[int, int, dict[str, Any]] | None:
    found = rows(
        "SELECT seq, ts, payload->'data' FROM audit.event WHERE kind = 'portfolio.snapshot' "
        "AND id >= %(first)s AND id < %(after)s ORDER BY id DESC LIMIT 1",
        _ids(day),
    )
    return found[0] if found else None


def _minutes(day: Day) -> list[Minute]:
    """The worst verdict of each gate at each snapshot of a day."""
    return [
        Minute(number, ts, _VERDICTS[worst])
        for number, ts, worst in rows(_MINUTES, _ids(day) | {"verdicts": list(_VERDICTS)})
    ]


def _blocks(day: Day) -> tuple[Blocks, ...]:
    return tuple(
        Blocks(
            number=number,
            name=str(gate.get("name") or ""),
            times=times,
            entries=entries,
            seq=seq,
            ts=ts,
            what=f"{data['strategy']} {data['underlying']} {data['action']}",
            reason=str(gate.get("reason") or ""),
        )
        for number, times, entries, seq, ts, data in rows(_BLOCKS, _ids(day))
        for gate in [_gate(data, number)]
    )


def _gate(decision: dict[str, Any], number: int) -> dict[str, Any]:
    """What a decision says of a gate; nothing where it does not name it."""
    found: Iterator[dict[str, Any]] = (
        gate for gate in decision["gates"] if gate["number"] == number
    )
    return next(found, {})


def _is_finished(number: int) -> bool:
    return bool(
        rows(
            "SELECT 1 FROM audit.event WHERE kind = 'session.closed' "
            "AND id >= %(first)s AND id < %(after)s LIMIT 1",
            ids_of(number),
        )
    )


def _ids(day: Day) -> dict[str, Any]:
    return {"first": day.first_id, "after": day.after_id}


_COMPARED = """
    SELECT seq, ts, kind, payload->'data' FROM audit.event
     WHERE kind IN ('book.reconciled', 'reconciliation.accepted')
       AND id >= %(first)s AND id < %(after)s
       AND (NOT %(differing)s OR kind <> 'book.reconciled'
            OR (payload->'data'->>'blocks')::boolean)
     ORDER BY id DESC LIMIT %(limit)s
"""
_STANDING = """
    SELECT seq, ts, kind, payload->'data' FROM audit.event
     WHERE kind IN ('book.reconciled', 'reconciliation.accepted', 'report.set_aside')
       AND id >= %(first)s AND id < %(after)s
       AND (kind <> 'report.set_aside' OR (payload->'data'->>'blocks')::boolean)
     ORDER BY id DESC LIMIT 1
"""
_VERDICTS = ("pass", "waived_reducing", "half", "queued", "block")
_MINUTES = """
    SELECT (gate->>'number')::int, e.ts,
           max(array_position(%(verdicts)s::text[], gate->>'verdict')) - 1
      FROM audit.event e, jsonb_array_elements(e.payload->'data'->'gates') AS gate
     WHERE e.kind = 'portfolio.snapshot' AND e.id >= %(first)s AND e.id < %(after)s
     GROUP BY 1, 2
"""
_BLOCKS = """
    SELECT (payload->'data'->>'decided_by')::int, count(*),
           count(*) FILTER (WHERE payload->'data'->>'action' = 'entry'),
           (array_agg(seq ORDER BY id DESC))[1], max(ts),
           (array_agg(payload->'data' ORDER BY id DESC))[1]
      FROM audit.event
     WHERE kind = 'gate.decided' AND id >= %(first)s AND id < %(after)s
       AND payload->'data'->>'decided_by' IS NOT NULL
     GROUP BY 1 ORDER BY 2 DESC, 1
"""
