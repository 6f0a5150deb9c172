"""The mirror: each durable line in the store once, whatever is killed; every difference found."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from dataclasses import replace
from importlib import import_module
from io import StringIO
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from brahmastra_site.launcher.environment import REPOSITORY
from brahmastra_site.launcher.postgres import locate_cluster, start_postgres, stop_postgres
from brahmastra_site.launcher.valkey import locate_bus, start_valkey, stop_valkey
from journal import mirror, mirror_check, mirror_rows
from journal.live import figures_from_store
from journal.log.canonical import recanonical_bytes
from journal.log.head import Head, publish_head, read_head
from journal.log.reader import read_session
from journal.log.session import ID_STRIDE
from journal.mirror import MirrorAlarm
from journal.mirror_rows import row_of
from tests.journal.log_bed import command, day_opened, frame, open_log, signals, write_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from brahmastra_site.launcher.postgres import Cluster
    from journal.log.writer import LogWriter

    Connection = psycopg.Connection[Any]


def hashes(connection: Connection, number: int = 1) -> list[str]:
    """Return the hashes the store holds of a session, in order."""
    query = "SELECT hash FROM audit.event WHERE id >= %s AND id < %s ORDER BY id"
    bounds = [number * ID_STRIDE, (number + 1) * ID_STRIDE]
    return [row[0] for row in connection.execute(query, bounds)]


def logged(directory: Path) -> list[str]:
    return [line.hash for line in read_session(directory)]


def run(*words: str) -> str:
    """Run `manage.py mirror` in this process and return what it printed."""
    out = StringIO()
    call_command("mirror", *words, stdout=out)
    return out.getvalue()


# --- catching up ----------------------------------------------------------------------------------


def test_every_line_of_every_session_once(var_dir: Path, mirror_role: Connection) -> None:
    one, two = write_log(var_dir, "day1", days=3, events=20), write_log(var_dir, "day2")
    assert "day1: 66 lines moved, the store ends at line 66" in run()
    assert hashes(mirror_role, 1) == logged(one)
    assert hashes(mirror_role, 2) == logged(two)
    assert "day1: 0 lines moved" in run()
    with open_log(var_dir, "day2") as writer:
        writer.commit(signals("day2", 22, 4))
    assert json.loads(run("day2", "--json")) == [
        {"session": "day2", "moved": 4, "line": 26, "hash": logged(two)[-1]}
    ]
    assert hashes(mirror_role, 2) == logged(two)
    assert run("--check").count("store equals the log: ") == 2


def test_batches_end_where_they_must(
    var_dir: Path, mirror_role: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = write_log(var_dir, days=2, events=20)
    monkeypatch.setattr(mirror, "BATCH_LINES", 7)
    sizes = []
    while moved := mirror.mirror_batch(mirror_role, directory, number=1, name="day1"):
        sizes.append(moved)
    assert sizes == [7, 7, 7, 7, 7, 7, 2]
    with open_log(var_dir) as writer:
        writer.commit(signals("day1", 43, 3, padding="x" * 1000))
    monkeypatch.setattr(mirror, "BATCH_BYTES", 1000)
    assert mirror.mirror_batch(mirror_role, directory, number=1, name="day1") == 1
    assert mirror.catch_up(mirror_role, directory) == 2
    assert hashes(mirror_role) == logged(directory)


def test_nothing_past_the_durable_head_is_stored(var_dir: Path, mirror_role: Connection) -> None:
    directory = write_log(var_dir, events=10)
    lines = list(read_session(directory))
    head = Head(lines[4].file, lines[5].offset, 5, lines[4].hash)
    publish_head(directory, head)
    assert mirror.catch_up(mirror_role, directory) == 5
    (directory / "head").unlink()
    assert mirror.catch_up(mirror_role, directory) == 0
    assert len(hashes(mirror_role)) == 5


def test_values_that_are_hard_to_store_compare_equal(
    var_dir: Path, mirror_role: Connection
) -> None:
    hard = {
        "floats": [1e21, 1.5e300, 5e-324, 2.0**53, 1.2345678901234568e20, -0.0, 0.1, 1e-7],
        "text": 'quotes " \\ / \b\f\n\r\t \u2028 é ₹ 😀 \ufb33 </script> {} []]',
        "nested": {"kind": "x", "seq": 1, "": {"ключ": [[], {}, None, True]}},
    }
    told = {"state": {"big": "x" * 100}, "history": [{"n": 1e300}], "configuration": {"n": 1e18}}
    events = [
        day_opened("day1", 1, **told),
        replace(command("day1", 2, **hard), cause=(1,)),
        replace(command("day1", 3), cause=(1, 2)),
        frame("day1", 4, vix=1e17, chain=[]),
    ]
    with open_log(var_dir) as writer:
        writer.open_day("2025-08-29")
        writer.commit(events)
    assert mirror.catch_up(mirror_role, writer.directory) == 5
    found = mirror_check.compare(mirror_role, writer.directory, patience_seconds=0)
    assert found.difference == ""
    assert found.rows == 5
    stored = "SELECT payload->'data' ? 'state', payload#>>'{data,configuration,n}' FROM audit.event"
    assert mirror_role.execute(f"{stored} WHERE kind = 'day.opened'").fetchone() == (
        False,
        "1000000000000000000",
    )
    causes = mirror_role.execute("SELECT cause FROM audit.event ORDER BY id").fetchall()
    assert causes == [([],), ([],), ([1],), ([1, 2],), ([],)]


def test_two_mirrors_at_once_store_each_line_once(
    var_dir: Path, mirror_url: str, mirror_role: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = write_log(var_dir, days=2, events=100)
    monkeypatch.setattr(mirror, "BATCH_LINES", 5)
    moved: list[int] = []

    def one_mirror() -> None:
        with psycopg.connect(mirror_url, autocommit=True) as connection:
            moved.append(mirror.catch_up(connection, directory))

    threads = [threading.Thread(target=one_mirror) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(moved) == 204
    assert len(moved) == 4
    assert hashes(mirror_role) == logged(directory)


@pytest.mark.parametrize("kind", ["market.frame", "day.opened"])
def test_a_summary_is_spliced_into_the_bytes_of_its_line(var_dir: Path, kind: str) -> None:
    """Its text is what encoding the whole body again would give."""
    with open_log(var_dir) as writer:
        writer.open_day("2025-08-29")
        writer.commit([day_opened("day1", 1), frame("day1", 2)])
    (line,) = (line for line in read_session(writer.directory) if line.body["kind"] == kind)
    data = mirror_rows.summary(kind, line.body["data"])
    body = recanonical_bytes(line.body | {"data": data})
    tail = line.raw[line.raw.rindex(b',"log":{') : -1]
    assert mirror_rows.stored_text(line).encode() == b'{"event":{"body":' + body + tail
    assert len(data) == len(json.loads(body)["data"])


def test_memory_does_not_grow_with_the_log(
    var_dir: Path, mirror_role: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "BATCH_LINES", 100_000)  # one batch, however long

    def peak(name: str, events: int) -> int:
        directory = write_log(var_dir, name, events=events)
        tracemalloc.start()
        try:
            assert mirror.catch_up(mirror_role, directory) == events + 2
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak("warm-up", 100)
    assert peak("ten", 10_000) < peak("one", 1_000) + 100_000


# --- alarms ---------------------------------------------------------------------------------------


def _rewritten_log(var_dir: Path, directory: Path) -> None:
    """Replace a log by another of the same length, correctly chained."""
    shutil.rmtree(directory)
    with open_log(var_dir) as writer:
        writer.open_day("2025-08-20")
        writer.commit([frame("day1", 1)])
        for seq in range(2, 22, 5):
            writer.commit(signals("day1", seq, 5, reason="another story"))


def test_another_log_under_the_same_name_is_an_alarm(
    var_dir: Path, mirror_role: Connection
) -> None:
    directory = write_log(var_dir)
    mirror.catch_up(mirror_role, directory)
    before = hashes(mirror_role)
    _rewritten_log(var_dir, directory)
    with pytest.raises(MirrorAlarm, match=f"line 22: hash {before[-1]} in the store, found"):
        mirror.catch_up(mirror_role, directory)
    with open_log(var_dir) as writer:
        writer.commit(signals("day1", 22, 1))
    with pytest.raises(MirrorAlarm, match=f"line 23: .*expected prev {before[-1]}"):
        mirror.catch_up(mirror_role, directory)
    assert hashes(mirror_role) == before


def test_a_log_shorter_than_the_store_is_an_alarm(var_dir: Path, mirror_role: Connection) -> None:
    directory = write_log(var_dir, events=20)
    mirror.catch_up(mirror_role, directory)
    file = directory / "2025-08-20.jsonl"
    lines = list(read_session(directory))
    file.write_bytes(file.read_bytes()[: lines[9].offset])
    publish_head(directory, Head(file.name, lines[9].offset, 9, lines[8].hash))
    with pytest.raises(MirrorAlarm, match=r"line 22: hash .* in the store, found no such line"):
        mirror.catch_up(mirror_role, directory)
    with pytest.raises(CommandError, match="found no such line"):
        run("--check")
    assert len(hashes(mirror_role)) == 22


def test_an_old_head_after_a_power_cut_is_none(var_dir: Path, mirror_role: Connection) -> None:
    """The head is not synced: it may fall back behind lines that are durable and mirrored."""
    directory = write_log(var_dir, events=20)
    mirror.catch_up(mirror_role, directory)
    lines = list(read_session(directory))
    publish_head(directory, Head(lines[8].file, lines[9].offset, 9, lines[8].hash))
    assert mirror.catch_up(mirror_role, directory) == 0
    assert mirror_check.compare(mirror_role, directory, patience_seconds=0).rows == 9


def test_a_row_that_is_already_there_is_an_alarm(var_dir: Path, mirror_role: Connection) -> None:
    directory = write_log(var_dir, events=20)
    mirror_role.execute("SELECT audit.ensure_partition(1, 'day1')")
    smuggled = row_of(1, list(read_session(directory))[7])
    with mirror_role.cursor() as cursor, cursor.copy(mirror.COPY) as copy:
        copy.set_types(mirror.COPY_TYPES)
        copy.write_row(smuggled)
    with pytest.raises(MirrorAlarm, match="day1: the store refuses: duplicate key"):
        mirror.catch_up(mirror_role, directory)
    assert len(hashes(mirror_role)) == 1


def test_a_damaged_log_is_an_alarm_and_other_sessions_go_on(
    var_dir: Path, mirror_role: Connection
) -> None:
    damaged, sound = write_log(var_dir, "day1", events=20), write_log(var_dir, "day2")
    file = damaged / "2025-08-20.jsonl"
    file.write_bytes(file.read_bytes().replace(b"quiet", b"noisy", 1))
    with pytest.raises(CommandError, match=r"day1: .*jsonl line 3: hash does not match its event"):
        run()
    assert hashes(mirror_role, 1) == []
    assert hashes(mirror_role, 2) == logged(sound)
    with pytest.raises(CommandError, match="is in the log and not in the store"):
        run("day1", "--check")


def test_damage_to_a_log_that_is_mirrored_is_a_difference(
    var_dir: Path, mirror_role: Connection
) -> None:
    directory = write_log(var_dir, events=20)
    run()
    file = directory / "2025-08-20.jsonl"
    file.write_bytes(file.read_bytes().replace(b"quiet", b"noisy", 1))
    with pytest.raises(CommandError, match="line 3: hash does not match its event"):
        run("--check")


def test_a_day_that_does_not_follow_the_one_before_is_an_alarm(
    var_dir: Path, mirror_role: Connection
) -> None:
    directory = write_log(var_dir, days=1)
    mirror.catch_up(mirror_role, directory)
    # A second day written by someone who did not know the first: its own chain is sound.
    with open_log(var_dir / "elsewhere") as writer:
        writer.line = 22
        writer.open_day("2025-08-21")
        writer.commit(signals("day1", 22, 2))
    for name in ("2025-08-21.jsonl", "head"):
        (directory / name).write_bytes((writer.directory / name).read_bytes())
    with pytest.raises(MirrorAlarm, match="line 23: names the file before it as None, expected"):
        mirror.catch_up(mirror_role, directory)
    assert len(hashes(mirror_role)) == 22


def test_a_number_that_is_another_sessions_is_an_alarm(
    var_dir: Path, mirror_role: Connection
) -> None:
    mirror.catch_up(mirror_role, write_log(var_dir, "day1"))
    foreign = write_log(var_dir / "elsewhere", "day2")
    with pytest.raises(MirrorAlarm, match="its number 1 is that of day1"):
        mirror.catch_up(mirror_role, foreign)


def test_a_renamed_directory_is_an_alarm(var_dir: Path, mirror_role: Connection) -> None:
    directory = write_log(var_dir, "day1")
    directory.rename(directory.with_name("day9"))
    result = mirror.Mirror(var_dir).one_pass(mirror_role)
    assert result.alarms == ["session day9: its log says it is day1"]


def test_a_line_the_store_cannot_index_is_an_alarm_and_not_waited_for(
    var_dir: Path, mirror_role: Connection
) -> None:
    chance = random.Random(5)
    key = "".join(chr(chance.randrange(0x4E00, 0x9FA5)) for _ in range(4000))
    order = command("day1", 1)
    event = replace(order, key=key, data=order.data | {"id": key})
    with open_log(var_dir) as writer:
        writer.open_day("2025-08-29")
        writer.commit([event])
    with pytest.raises(MirrorAlarm, match="the store refuses: index row"):
        mirror.catch_up(mirror_role, writer.directory)


# --- comparing ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ("UPDATE audit.event SET file = 'x' WHERE seq = 9", "line 10 (2025-08-20.jsonl:"),
        ("UPDATE audit.event SET file_offset = 0 WHERE seq = 9", "file_offset is 0"),
        ("UPDATE audit.event SET length = 5 WHERE seq = 1", "length is 5"),
        (
            "UPDATE audit.event SET raw = replace(raw, '\"spot_paise\"', '\"spot_price\"')"
            " WHERE seq = 1",
            "raw is",
        ),
        ("DELETE FROM audit.event WHERE seq = 9", "line 10 ("),
        ("DELETE FROM audit.event WHERE seq = 21", "is in the log and not in the store"),
        ("UPDATE audit.mirror_position SET line = 21", "is not the high-water line 21"),
        ("UPDATE audit.mirror_position SET hash = repeat('f', 64)", "hash ffff"),
    ],
)
def test_whatever_differs_is_named(
    var_dir: Path, owner: Connection, change: str, difference: str
) -> None:
    """The owner can switch the guards off; then the comparison finds what was done."""
    directory = write_log(var_dir, events=20)
    mirror.catch_up(owner, directory)
    with owner.transaction():
        for table in ("event_1", "mirror_position"):
            owner.execute(f"ALTER TABLE audit.{table} DISABLE TRIGGER USER")
        owner.execute(change)
        for table in ("event_1", "mirror_position"):
            owner.execute(f"ALTER TABLE audit.{table} ENABLE TRIGGER USER")
    found = mirror_check.compare(owner, directory, patience_seconds=0)
    assert not found.equal
    assert difference in found.difference
    assert found.difference.startswith("session day1: ")


def test_a_row_too_many_is_named(var_dir: Path, mirror_role: Connection) -> None:
    directory = write_log(var_dir, events=20)
    mirror.catch_up(mirror_role, directory)
    head = (directory / "head").read_bytes()
    with open_log(var_dir) as writer:
        writer.commit(signals("day1", 22, 1))
    extra = row_of(1, list(read_session(directory))[-1])
    (directory / "head").write_bytes(head)
    with mirror_role.cursor() as cursor, cursor.copy(mirror.COPY) as copy:
        copy.set_types(mirror.COPY_TYPES)
        copy.write_row(extra)
    found = mirror_check.compare(mirror_role, directory, patience_seconds=0)
    assert "the last stored line is not the high-water line 22" in found.difference


def test_a_store_that_is_behind_is_a_difference(var_dir: Path, mirror_role: Connection) -> None:
    write_log(var_dir, events=20)
    with pytest.raises(CommandError, match=r"day1: line 1 \(.*:0\) is in the log and not in"):
        run("--check")


def test_a_session_without_a_log_is_a_difference(var_dir: Path, mirror_role: Connection) -> None:
    write_log(var_dir, "day1")
    mirror_role.execute("SELECT audit.ensure_partition(7, 'gone')")
    run()
    with pytest.raises(CommandError, match="session gone: is in the store and has no log"):
        run("--check")
    assert "store equals the log" in run("day1", "--check")


def test_a_range_of_lines_is_compared(var_dir: Path, mirror_role: Connection) -> None:
    directory = write_log(var_dir, days=3, events=20)
    run()
    for first, last in ((1, 1), (1, 22), (7, 7), (22, 23), (23, 44), (30, 66), (66, 66)):
        said = run("day1", "--check", f"--from={first}", f"--to={last}")
        assert f"these lines of the log: {last - first + 1} rows, head " in said
        assert said.strip().endswith(logged(directory)[last - 1])
    assert "these lines of the log: 37 rows" in run("day1", "--check", "--from=30")
    assert "these lines of the log: 30 rows" in run("day1", "--check", "--to=30")


@pytest.mark.parametrize("words", [["--from=0"], ["--to=67"], ["--from=9", "--to=8"], ["--to=0"]])
def test_a_range_that_is_none_is_refused(
    var_dir: Path, mirror_role: Connection, words: list[str]
) -> None:
    write_log(var_dir, days=3, events=20)
    run()
    with pytest.raises(CommandError, match="expected a range within 1 to 66, the durable lines"):
        run("day1", "--check", *words)


def test_a_range_goes_with_a_check_of_one_session(var_dir: Path, audit_store: None) -> None:
    write_log(var_dir)
    for words in (["--from=1"], ["day1", "--from=1"], ["--check", "--to=3"]):
        with pytest.raises(CommandError, match="go with --check and one session"):
            run(*words)


def test_what_differs_is_found_in_its_range_alone(var_dir: Path, owner: Connection) -> None:
    directory = write_log(var_dir, events=20)
    mirror.catch_up(owner, directory)
    with owner.transaction():
        owner.execute("ALTER TABLE audit.event_1 DISABLE TRIGGER USER")
        owner.execute("UPDATE audit.event SET file_offset = 7 WHERE seq = 9")
        owner.execute("DELETE FROM audit.event WHERE seq = 15")
        owner.execute("ALTER TABLE audit.event_1 ENABLE TRIGGER USER")

    def difference(first: int, last: int) -> str:
        lines = mirror_check.Range(first, last)
        return mirror_check.compare(owner, directory, patience_seconds=0, lines=lines).difference

    assert difference(1, 9) == ""
    assert "line 10 (" in difference(10, 10)
    assert difference(11, 15) == ""  # though the store is wrong about where line 11 begins
    assert "line 16 (" in difference(11, 20)
    assert difference(17, 22) == ""  # though the store has no line 16


def test_a_check_while_a_mirror_follows(var_dir: Path, mirror_role: Connection) -> None:
    process = follow(var_dir)
    engine = Engine(open_log(var_dir))
    directory = var_dir / "sessions" / "day1"
    try:
        wait_until(lambda: len(hashes(mirror_role)) > 200)
        for lines in (None, mirror_check.Range(100), mirror_check.Range(150, 200)):
            found = mirror_check.compare(mirror_role, directory, patience_seconds=20, lines=lines)
            assert found.difference == ""
            assert found.rows > 50
    finally:
        engine.stop()
        process.kill()
        process.communicate()


def test_comparing_as_json(var_dir: Path, mirror_role: Connection) -> None:
    directory = write_log(var_dir, events=20)
    run()
    assert json.loads(run("--check", "--json")) == [
        {
            "session": "day1",
            "rows": 22,
            "head": logged(directory)[-1],
            "difference": "",
            "equal": True,
        }
    ]


def test_a_name_without_a_log_is_refused(var_dir: Path, audit_store: None) -> None:
    write_log(var_dir, "day1")
    for words in (["day2"], ["day2", "--check"], ["day2", "--rebuild"], ["../day1"]):
        with pytest.raises(CommandError, match=r"has no log in .*; known: day1"):
            run(*words)
    with pytest.raises(CommandError, match="--follow takes every session"):
        run("day1", "--follow")


# --- rebuilding -----------------------------------------------------------------------------------


def test_rebuilding_gives_the_same_rows(
    var_dir: Path, owner: Connection, mirror_role: Connection
) -> None:
    for name in ("day1", "day2"):
        write_log(var_dir, name, days=2)
    run()
    rows = "SELECT e::text FROM audit.event e ORDER BY id"
    before = owner.execute(rows).fetchall()
    owner.execute("DROP TABLE audit.event_1")
    assert "day1: 44 lines moved" in run("day1", "--rebuild")
    assert owner.execute(rows).fetchall() == before
    assert run("--rebuild").count("44 lines moved") == 2
    assert owner.execute(rows).fetchall() == before
    assert run("--check").count("store equals the log") == 2
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        owner.execute("TRUNCATE audit.event_1")


def test_a_log_that_does_not_verify_takes_nothing_from_the_store(
    var_dir: Path, mirror_role: Connection
) -> None:
    directory = write_log(var_dir, events=20)
    run()
    before = hashes(mirror_role)
    file = directory / "2025-08-20.jsonl"
    file.write_bytes(file.read_bytes().replace(b"quiet", b"noisy", 1))
    with pytest.raises(CommandError, match=r"not rebuilt: .* line 3: hash does not match"):
        run("day1", "--rebuild")
    assert hashes(mirror_role) == before


# --- following ------------------------------------------------------------------------------------


def follow(var_dir: Path, **urls: str) -> subprocess.Popen[str]:
    """Start `manage.py mirror --follow` as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "manage.py", "mirror", "--follow"],
        cwd=REPOSITORY,
        env=os.environ | {"VAR_DIR": str(var_dir)} | urls,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(condition: Any, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


KILLS = 20


class Engine:
    """A real writer that commits batches of every size until it is told to stop."""

    def __init__(self, writer: LogWriter) -> None:
        self._writer, self._stop = writer, threading.Event()
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    def _write(self) -> None:
        seq, chance = 1, random.Random(3)
        self._writer.open_day("2025-08-20")
        while not self._stop.is_set():
            size = chance.choice((1, 5, 60))
            self._writer.commit(signals("day1", seq, size))
            seq += size
            if seq > 2000 and self._writer.date == "2025-08-20":
                self._writer.open_day("2025-08-21")
            time.sleep(0.002)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        self._writer.close()


def test_following_keeps_up_with_a_writer_and_ends_cleanly(
    var_dir: Path, mirror_role: Connection
) -> None:
    process = follow(var_dir)
    engine = Engine(open_log(var_dir))
    directory = var_dir / "sessions" / "day1"
    wait_until(lambda: len(hashes(mirror_role)) > 300)
    engine.stop()
    head = read_head(directory)
    assert head is not None
    wait_until(lambda: len(hashes(mirror_role)) == head.line, seconds=3)
    process.send_signal(signal.SIGTERM)
    _, complaints = process.communicate(timeout=10)
    assert (process.returncode, complaints) == (0, "")
    assert mirror_check.compare(mirror_role, directory, patience_seconds=0).equal


@pytest.mark.slow
def test_a_killed_mirror_stores_each_line_once(var_dir: Path, mirror_role: Connection) -> None:
    engine = Engine(open_log(var_dir))
    directory = var_dir / "sessions" / "day1"
    chance = random.Random(17)
    try:
        for _ in range(KILLS):
            before = len(hashes(mirror_role))
            process = follow(var_dir)
            wait_until(lambda before=before: len(hashes(mirror_role)) > before)
            time.sleep(chance.uniform(0, 0.1))
            process.kill()
            process.communicate()
            stored = hashes(mirror_role)
            assert stored == logged(directory)[: len(stored)]
    finally:
        engine.stop()
    assert mirror.catch_up(mirror_role, directory) > 0
    found = mirror_check.compare(mirror_role, directory, patience_seconds=0)
    assert found.difference == ""
    assert hashes(mirror_role) == logged(directory)


def test_another_hash_in_the_store_ends_following_with_one_line(
    var_dir: Path, mirror_role: Connection
) -> None:
    directory = write_log(var_dir)
    mirror.catch_up(mirror_role, directory)
    before = hashes(mirror_role)
    _rewritten_log(var_dir, directory)
    with open_log(var_dir) as writer:
        writer.commit(signals("day1", 22, 1))
    process = follow(var_dir)
    _, complaints = process.communicate(timeout=60)
    assert process.returncode == 1
    (line,) = complaints.splitlines()
    assert "session day1: " in line
    assert f"expected prev {before[-1]}" in line or f"expected {before[-1]}" in line
    assert hashes(mirror_role) == before


def test_an_alarm_ends_following_and_other_sessions_are_mirrored_first(
    var_dir: Path, mirror_role: Connection
) -> None:
    damaged, sound = write_log(var_dir, "day1", events=20), write_log(var_dir, "day2")
    file = damaged / "2025-08-20.jsonl"
    file.write_bytes(file.read_bytes().replace(b"quiet", b"noisy", 1))
    process = follow(var_dir)
    _, complaints = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "line 3: hash does not match its event" in complaints
    assert "Traceback" not in complaints
    assert len(complaints.splitlines()) == 1
    assert hashes(mirror_role, 2) == logged(sound)


class OwnCluster(NamedTuple):
    """A private PostgreSQL, and what can be done to it."""

    cluster: Cluster
    crash: Callable[[], None]
    stop: Callable[[], None]
    start: Callable[[], None]


@pytest.fixture
def own_cluster(tmp_path: Path) -> Iterator[OwnCluster]:
    """A private PostgreSQL of this test alone, with the audit schema, that may be killed."""
    cluster = locate_cluster(tmp_path / "own")
    (tmp_path / "own" / "run").mkdir(parents=True, exist_ok=True)
    started = [start_postgres(cluster)]
    migration = import_module("journal.migrations.0002_one_parse_a_row")
    with psycopg.connect(cluster.url("brahmastra_owner"), autocommit=True) as owner:
        owner.execute(migration.MAKE)

    def crash() -> None:
        started[-1].kill()
        started[-1].wait()

    def start() -> None:
        started.append(start_postgres(cluster))

    def stop() -> None:
        stop_postgres(started[-1])

    yield OwnCluster(cluster, crash, stop, start)
    if started[-1].poll() is None:
        stop_postgres(started[-1])


@pytest.mark.slow
def test_a_killed_database_loses_and_doubles_nothing(
    var_dir: Path, own_cluster: OwnCluster
) -> None:
    cluster, crash, _, start = own_cluster
    engine = Engine(open_log(var_dir))
    directory = var_dir / "sessions" / "day1"
    process = follow(var_dir, **cluster.urls())

    def stored() -> int:
        with psycopg.connect(cluster.url("brahmastra_web")) as connection:
            return len(hashes(connection))

    chance = random.Random(23)
    try:
        for _ in range(3):
            before = stored()
            wait_until(lambda before=before: stored() > before)
            time.sleep(chance.uniform(0, 0.2))
            crash()
            time.sleep(0.2)  # the engine goes on meanwhile
            start()
        before = stored()
        wait_until(lambda: stored() > before)
    finally:
        engine.stop()
        head = read_head(directory)
        assert head is not None
    wait_until(lambda: stored() == head.line)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=10)
    assert process.returncode == 0
    assert said.count("mirror: the audit store is away, the logs go on: ") == 3
    assert said.count("mirror: the audit store is back; catching up") == 3
    with psycopg.connect(cluster.url("brahmastra_mirror"), autocommit=True) as connection:
        assert mirror_check.compare(connection, directory, patience_seconds=0).difference == ""
        assert hashes(connection) == logged(directory)


@pytest.mark.slow
def test_servers_that_are_away_for_a_while_are_waited_for(
    var_dir: Path, own_cluster: OwnCluster, tmp_path: Path
) -> None:
    """PostgreSQL and Valkey stopped and started again, one at a time and together: the engine goes
    on, mirror and push come back by themselves.
    """
    cluster, _, stop, start = own_cluster
    bus = locate_bus(tmp_path / "own")
    valkey = start_valkey(bus)
    urls = cluster.urls() | {"REDIS_URL": bus.url()}
    engine = Engine(open_log(var_dir))
    directory = var_dir / "sessions" / "day1"
    mirroring, pushing = follow(var_dir, **urls), push(var_dir, **urls)

    def stored() -> int:
        with psycopg.connect(cluster.url("brahmastra_web")) as connection:
            return len(hashes(connection))

    def shown() -> int:
        figures = figures_from_store(bus.url())
        return figures.line or 0 if figures else 0

    def moves_on(count: Any) -> None:
        before = count()
        wait_until(lambda: count() > before, seconds=60)

    try:
        moves_on(stored)
        moves_on(shown)
        for postgres_too in (False, True):
            stop_valkey(valkey)
            if postgres_too:
                stop()
            written = read_head(directory)
            assert written is not None
            wait_until(lambda line=written.line: head_line(directory) > line)  # the engine goes on
            time.sleep(1)
            if postgres_too:
                start()
            valkey = start_valkey(bus)
            moves_on(stored)
            moves_on(shown)
    finally:
        engine.stop()
    wait_until(lambda: stored() == head_line(directory), seconds=60)
    for process in (mirroring, pushing):
        process.send_signal(signal.SIGTERM)
    said = [process.communicate(timeout=30)[1] for process in (mirroring, pushing)]
    stop_valkey(valkey)
    assert [mirroring.returncode, pushing.returncode] == [0, 0]
    assert said[0].count("mirror: the audit store is away") == 1
    assert said[0].count("mirror: the audit store is back") == 1
    # Once an absence, or not at all of one it had nothing to say in.
    away, back = (said[1].count(f"Valkey {what}") for what in ("does not answer", "answers again"))
    assert away == back in {1, 2}
    with psycopg.connect(cluster.url("brahmastra_mirror"), autocommit=True) as connection:
        assert mirror_check.compare(connection, directory, patience_seconds=0).difference == ""
        assert hashes(connection) == logged(directory)


def head_line(directory: Path) -> int:
    head = read_head(directory)
    return head.line if head else 0


def push(var_dir: Path, **urls: str) -> subprocess.Popen[str]:
    """Start `manage.py push` as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "manage.py", "push"],
        cwd=REPOSITORY,
        env=os.environ | {"VAR_DIR": str(var_dir)} | urls,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_database_that_is_not_there_is_one_line(var_dir: Path) -> None:
    write_log(var_dir)
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    for words in (["mirror"], ["mirror", "--check"], ["mirror", "--rebuild"]):
        ended = subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=REPOSITORY,
            env=os.environ
            | {"VAR_DIR": str(var_dir), "MIRROR_DATABASE_URL": nowhere, "AUDIT_OWNER_URL": nowhere},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 1
        assert ended.stdout == ""
        (line,) = ended.stderr.splitlines()
        assert line.startswith("CommandError: audit store: connection failed")
