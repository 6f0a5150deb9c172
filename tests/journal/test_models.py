"""The audit store refuses what an audit store must refuse, and its models read what it holds."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from brahmastra_site.launcher.environment import REPOSITORY
from journal import mirror, mirror_check
from journal.log.reader import read_session
from journal.log.session import ID_STRIDE
from journal.mirror_rows import COLUMNS, RAW, row_of
from journal.models import Event, MirrorPosition, Session
from tests.journal.log_bed import open_log, signals, write_log

if TYPE_CHECKING:
    from pathlib import Path

    Connection = psycopg.Connection[Any]

INSERT = (
    f"INSERT INTO audit.event ({', '.join(COLUMNS)})"  # noqa: S608 - the columns' names
    f" VALUES ({', '.join(['%s'] * len(COLUMNS))})"
)


@pytest.fixture
def log(var_dir: Path, mirror_role: Connection) -> Path:
    """A session of two days that is in the store."""
    directory = write_log(var_dir, days=2, events=10)
    mirror.catch_up(mirror_role, directory)
    return directory


@pytest.mark.parametrize("role", ["owner", "mirror_role", "web_role"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit.event SET file = 'x'",
        "UPDATE audit.event_1 SET raw = raw",
        "DELETE FROM audit.event",
        "DELETE FROM audit.event_1 WHERE id = 1099511627777",
        "TRUNCATE audit.event",
        "TRUNCATE audit.event_1",
        "UPDATE audit.mirror_position SET line = line - 1",
        "UPDATE audit.mirror_position SET hash = 'x'",
    ],
)
def test_nobody_changes_or_removes_a_row(
    log: Path, role: str, statement: str, request: pytest.FixtureRequest
) -> None:
    connection: Connection = request.getfixturevalue(role)
    rows = "SELECT count(*), min(hash), max(hash) FROM audit.event"
    before = connection.execute(rows).fetchone()
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)
    assert connection.execute(rows).fetchone() == before


@pytest.mark.parametrize("role", ["mirror_role", "web_role"])
@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE audit.event DISABLE TRIGGER ALL",
        "ALTER TABLE audit.event DETACH PARTITION audit.event_1",
        "DROP TABLE audit.event_1",
        "DROP TABLE audit.event",
        "DELETE FROM audit.session",
        "DELETE FROM audit.mirror_position",
        "INSERT INTO audit.session VALUES (7, 'x')",
        "CREATE TABLE audit.mine ()",
        "SET session_replication_role = replica",
    ],
)
def test_the_runtime_roles_do_not_touch_the_guards(
    log: Path, role: str, statement: str, request: pytest.FixtureRequest
) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        request.getfixturevalue(role).execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO audit.event (id) VALUES (1)",
        "INSERT INTO audit.event_1 (id) VALUES (1)",
        "SELECT audit.ensure_partition(2, 'x')",
        "UPDATE audit.mirror_position SET line = line + 1",
        "SELECT FROM audit.mirror_position FOR UPDATE",
    ],
)
def test_the_site_cannot_write_events(log: Path, web_role: Connection, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        web_role.execute(statement)


def test_the_payload_cannot_be_given(log: Path, mirror_role: Connection) -> None:
    with pytest.raises(psycopg.errors.GeneratedAlways):
        mirror_role.execute("INSERT INTO audit.event (id, payload) VALUES (1, NULL)")


@pytest.mark.parametrize(
    ("column", "forged"),
    [
        ("session", "day2"),
        ("seq", 77),
        ("seq", None),
        ("kind", "gate.decided"),
        ("kind", "day.opened"),  # a kind that is not hashed
        ("ts", 1),
        ("key", "S9:NIFTY"),
        ("key", ""),
        ("key", None),
        ("cause", [77]),
        ("cause", []),
        ("cause", [3, 3]),
    ],
)
def test_no_column_can_differ_from_the_line(
    log: Path, mirror_role: Connection, column: str, forged: object
) -> None:
    """What compliance searches is what was hashed, whatever the mirror says."""
    place = COLUMNS.index(column)
    refused = 0
    for at in (0, 1, 5):  # a bookkeeping record, a summarised frame, a signal
        row = _row(log, at)
        if row[place] == forged:
            continue
        row[place] = forged
        with pytest.raises(
            psycopg.errors.CheckViolation, match=r"those_of_its_line|that_of_its_line|one_session"
        ):
            mirror_role.execute(INSERT, row)
        refused += 1
    assert refused


@pytest.mark.parametrize("field", ["session", "seq", "kind", "ts", "key", "cause", "data"])
def test_a_line_without_a_field_is_refused(log: Path, mirror_role: Connection, field: str) -> None:
    """A comparison with what is not there is neither true nor false; it must not pass for true."""
    row = _row(log, 1)  # a frame: its text is not held against the hash
    row[RAW] = row[RAW].replace(f'"{field}":', f'"x{field}":', 1)
    with pytest.raises(psycopg.errors.CheckViolation, match="of_its_line"):
        mirror_role.execute(INSERT, row)


def _row(directory: Path, at: int) -> list[Any]:
    """Return the row of a line, moved one past the end of the log so that its key is free."""
    line = list(read_session(directory))[at]
    return list(row_of(1, line))


@pytest.mark.parametrize(
    ("forge", "constraint"),
    [
        (lambda row: [row[0] + 1, *row[1:]], "event_id_is_its_line"),
        (lambda row: [row[0] + 5 * ID_STRIDE, *row[1:]], "no partition"),
        (lambda row: [*row[:4], "f" * 64, *row[5:]], "event_raw_ends_with_its_hashes"),
        (lambda row: [*row[:5], "f" * 64, *row[6:]], "event_raw_ends_with_its_hashes"),
        (
            lambda row: [*row[:6], row[6].replace("quiet", "noisy"), *row[7:]],
            "event_raw_hashes_to_its_hash",
        ),
        (
            lambda row: [*row[:3], row[3] + 1, *row[4:6], row[6] + " ", *row[7:]],
            "event_raw_ends_with_its_hashes",
        ),
        (lambda row: [*row[:3], row[3] + 1, *row[4:]], "event_length_is_its_line"),
        (lambda row: [*row[:2], -1, *row[3:]], "file_offset"),
        (
            lambda row: [*row[:6], row[6].replace('{"cause"', '{"cause" '), *row[7:]],
            "event_cause_is_that_of_its_line",
        ),
        (lambda row: [*row[:6], "{", *row[7:]], "json"),
        (lambda row: row, "duplicate key"),
    ],
)
def test_a_row_that_is_not_its_line_is_refused(
    log: Path, mirror_role: Connection, forge: Any, constraint: str
) -> None:
    with pytest.raises((psycopg.IntegrityError, psycopg.DataError), match=constraint):
        mirror_role.execute(INSERT, forge(_row(log, 5)))


def test_a_line_of_another_session_is_refused(
    log: Path, var_dir: Path, mirror_role: Connection
) -> None:
    other = write_log(var_dir, "day2", events=30)
    foreign = list(read_session(other))[-1]
    row = row_of(1, foreign)
    with pytest.raises(psycopg.errors.CheckViolation, match="event_1_is_one_session"):
        mirror_role.execute(INSERT, row)


def test_a_seq_is_there_once_in_a_session(log: Path, mirror_role: Connection) -> None:
    # A frame's row is a summary and not hashed, so only the index stands between it and a repeat.
    row = _row(log, 1)
    beyond = row[0] + 1000
    row[0], row[6] = beyond, row[6].replace('"line":2', f'"line":{beyond % ID_STRIDE}')
    with pytest.raises(psycopg.errors.UniqueViolation, match="event_1_seq"):
        mirror_role.execute(INSERT, row)


def test_a_number_belongs_to_one_name(log: Path, mirror_role: Connection) -> None:
    with pytest.raises(psycopg.errors.UniqueViolation, match="session number 1 is that of day1"):
        mirror_role.execute("SELECT audit.ensure_partition(1, 'day2')")
    with pytest.raises(psycopg.errors.UniqueViolation):
        mirror_role.execute("SELECT audit.ensure_partition(2, 'day1')")
    with pytest.raises(psycopg.errors.CheckViolation):
        mirror_role.execute("SELECT audit.ensure_partition(0, 'zero')")
    with pytest.raises(psycopg.errors.CheckViolation):
        mirror_role.execute("SELECT audit.ensure_partition(9, 'x''; DROP TABLE audit.event; --')")
    mirror_role.execute("SELECT audit.ensure_partition(1, 'day1')")


def test_models_read_what_the_store_holds(log: Path, db: None) -> None:
    lines = list(read_session(log))
    assert [event.hash for event in Event.objects.of_session(1).order_by("id")] == [
        line.hash for line in lines
    ]
    event = Event.objects.of_session(1).get(seq=5)
    assert (event.public_id, event.number, event.session) == ("day1.5", 1, "day1")
    assert event.at.isoformat() == "2025-08-29T03:30:00.000005+00:00"
    assert event.payload == lines[event.line - 1].body
    assert not event.is_summarised
    assert [cause.seq for cause in Event.objects.causes_of(event)] == [4]
    assert [effect.seq for effect in Event.objects.effects_of(event)] == [6]
    opened = Event.objects.of_session(1).get(id=ID_STRIDE + 1)
    assert (opened.kind, opened.seq, opened.public_id) == ("log.opened", None, "day1:1")
    assert not Event.objects.effects_of(opened).exists()
    assert Event.objects.of_session(2).count() == 0
    position = MirrorPosition.objects.get(session__name="day1")
    assert (position.line, position.hash) == (lines[-1].line, lines[-1].hash)
    assert str(Session.objects.get()) == "day1"


def test_a_frame_is_a_summary_and_a_signal_is_exact(log: Path, db: None) -> None:
    frame, signal = Event.objects.get(seq=1), Event.objects.get(seq=2)
    lines = list(read_session(log))
    assert signal.raw.encode() + b"\n" == lines[2].raw
    assert frame.is_summarised
    assert frame.length == len(lines[1].raw)
    data, logged = frame.payload["data"], lines[1].body["data"]
    assert {name: data[name] for name in logged if name != "chain"} == {
        name: value for name, value in logged.items() if name != "chain"
    }
    assert data["chain"][0] == {
        "expiry": "2025-09-04",
        "expires_at_us": logged["chain"][0]["expires_at_us"],
        "forward_paise": 2_450_000,
        "forward_pairs": 3,
        "forward_spread_paise": 40,
        "counts": {
            name: sum(entry is not None for entry in column)
            for name, column in logged["chain"][0].items()
            if isinstance(column, list)
        },
    }
    counts = data["chain"][0]["counts"]
    names = ("strike_paise", "call_bid_paise", "call_ask_paise", "put_oi")
    assert [counts[name] for name in names] == [3, 2, 3, 0]


@pytest.mark.parametrize(
    ("where", "index"),
    [
        ("kind = 'day.closed' AND id >= %(low)s AND id < %(top)s", "kind_id_idx"),
        ("key = 'nobody' AND id < %(top)s ORDER BY id DESC LIMIT 50", "key_id_idx"),
        ("seq = 7 AND id >= %(low)s AND id < %(top)s", "event_1_seq"),
        ("seq = 7", "event_1_seq"),
        ("cause @> ARRAY[7::bigint] AND id >= %(low)s AND id < %(top)s", "cause_idx"),
        ("id < %(top)s ORDER BY id DESC LIMIT 50", "pkey"),
    ],
)
def test_what_is_searched_has_an_index(
    var_dir: Path, owner: Connection, mirror_role: Connection, where: str, index: str
) -> None:
    with open_log(var_dir) as writer:
        writer.open_day("2025-08-29")
        writer.commit(signals("day1", 1, 3000))
    mirror.catch_up(mirror_role, writer.directory)
    owner.execute("ANALYZE audit.event")
    query = f"EXPLAIN SELECT hash FROM audit.event WHERE {where}"  # noqa: S608
    plan = owner.execute(query, {"low": ID_STRIDE, "top": 2 * ID_STRIDE})
    text = "\n".join(row[0] for row in plan)
    assert index in text
    assert "Seq Scan" not in text
    assert "Sort" not in text


def test_the_schema_can_be_dropped_and_rebuilt_from_the_logs_to_the_same_rows(
    log: Path, owner: Connection, mirror_role: Connection, web_role: Connection
) -> None:
    migration = import_module("journal.migrations.0002_one_parse_a_row")
    everything = [
        "SELECT e::text FROM audit.event e ORDER BY id",
        "SELECT s::text FROM audit.session s ORDER BY number",
        "SELECT p::text FROM audit.mirror_position p ORDER BY number",
    ]
    before = [owner.execute(query).fetchall() for query in everything]
    assert len(before[0]) == 24
    owner.execute(migration.DROP)
    assert owner.execute("SELECT to_regclass('audit.event')").fetchone() == (None,)
    owner.execute(migration.MAKE)
    assert owner.execute(everything[0]).fetchall() == []
    assert mirror.catch_up(mirror_role, log) == 24
    assert [web_role.execute(query).fetchall() for query in everything] == before
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        owner.execute("TRUNCATE audit.event_1")


def migrate(*target: str) -> None:
    words = [sys.executable, "manage.py", "migrate", "--verbosity=0", "journal", *target]
    subprocess.run(words, cwd=REPOSITORY, check=True)


def test_a_store_of_before_migrates_and_is_filled_again(log: Path, owner: Connection) -> None:
    """As `make run` does on a database of an earlier version: migrate, then the mirror goes on."""
    old_columns = ", ".join(COLUMNS[: RAW + 1])
    rows = [row_of(1, line)[: RAW + 1] for line in read_session(log)]
    migrate("0001")
    try:
        owner.execute("SELECT audit.ensure_partition(1, 'day1')")
        for row in rows:
            marks = ", ".join(["%s"] * len(row))
            owner.execute(f"INSERT INTO audit.event ({old_columns}) VALUES ({marks})", row)  # noqa: S608
        owner.execute("UPDATE audit.mirror_position SET line = 24")
    finally:
        migrate()
    assert mirror.catch_up(owner, log) == len(rows) == 24
    found = mirror_check.compare(owner, log, patience_seconds=0)
    assert (found.difference, found.rows) == ("", 24)


def test_a_database_of_one_role_is_enough(owner: Connection, var_dir: Path) -> None:
    """Elsewhere one role may own everything: it mirrors, and the triggers still hold."""
    directory = write_log(var_dir, events=10)
    assert mirror.catch_up(owner, directory) == 12
    assert mirror_check.compare(owner, directory, patience_seconds=0).equal
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        owner.execute("DELETE FROM audit.event")
