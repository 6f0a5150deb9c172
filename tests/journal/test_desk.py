"""The desk's own log: who came and went and asked for what, each act once, whatever fails."""

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
from io import StringIO
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from brahmastra_site.launcher.environment import REPOSITORY
from journal.desk import DeskRecord, desk_spool, read_record, waiting_records, write_record
from journal.desk_log import DeskLog, keep_desk_log
from journal.desk_losses import LOST
from journal.events import DESK_KINDS
from journal.live import newest_session, open_sessions
from journal.log.errors import LogLockedError, PayloadError, SessionNameError
from journal.log.reader import read_session
from journal.log.session import (
    DESK_NUMBER,
    DESK_SESSION,
    checked_session_name,
    log_names,
    session_directory,
    session_names,
)
from journal.log.verification import verify_session
from journal.mirror import Mirror
from journal.payloads import SCHEMAS
from journal.selectors import desk_state, session_list
from journal.spool import SpoolError
from replay.selectors import replayable_sessions
from tests.journal.desk_bed import house_key, written
from tests.journal.log_bed import OPEN_US, write_log

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg
    from django.contrib.auth.models import User
    from django.test import Client

KEY = "k" * 64
PASSWORD = "a password of the tests"
DAY_US = 86_400_000_000
SPECIAL: dict[str, dict[str, Any]] = {
    "desk.stop_pressed": {
        "sessions": ["day1"],
        "everywhere": True,
        "problems": [],
        "strategy": None,
        "hold": False,
    },
    "desk.stop_lifted": {"stops": ["by asha: drill"]},
    "desk.downloaded": {"session": "day1", "file": "a.jsonl", "bytes": 7, "sha256": "0" * 64},
    "desk.verification_asked": {"session": "day1", "range": "lines 1 to 9"},
    "desk.replay_asked": {"session": "day1", "times": 3, "run": "r"},
    "desk.mirror_rebuilt": {"sessions": ["day1"]},
}


class Clock:
    """A wall clock the test sets."""

    def __init__(self, at: int = OPEN_US) -> None:
        self.at = at

    def __call__(self) -> int:
        return self.at


def record(kind: str = "desk.signed_in", **fields: Any) -> DeskRecord:
    given: dict[str, Any] = {
        "id": str(uuid4()),
        "kind": kind,
        "actor": "asha",
        "address": "127.0.0.1",
        "reason": "",
        "at": OPEN_US,
        "data": SPECIAL.get(kind, {}),
    }
    return DeskRecord(**given | fields)


def put(var_dir: Path, *records: DeskRecord) -> list[Path]:
    return [write_record(var_dir=var_dir, key=KEY, record=one) for one in records]


def opened(var_dir: Path, clock: Clock | None = None) -> DeskLog:
    return DeskLog(var_dir, key=KEY, clock=clock or Clock())


def take_once(var_dir: Path, clock: Clock | None = None) -> int:
    log = opened(var_dir, clock)
    try:
        return log.take()
    finally:
        log.close()


def bodies(var_dir: Path) -> list[dict[str, Any]]:
    """Return the desk's events, the log verified in full."""
    directory = session_directory(var_dir, DESK_SESSION)
    verify_session(directory)
    return [line.body for line in read_session(directory) if line.body["seq"] is not None]


def keys(var_dir: Path) -> list[str]:
    return [body["key"] for body in bodies(var_dir)]


# --- records --------------------------------------------------------------------------------------


def test_every_kind_of_the_desk_has_a_struct_and_is_logged(tmp_path: Path) -> None:
    assert {kind for kind, _ in SCHEMAS if kind.startswith("desk.")} == DESK_KINDS
    records = [record(kind) for kind in sorted(DESK_KINDS)]
    put(tmp_path, *records)
    assert take_once(tmp_path) == len(records)
    assert {body["kind"]: body["key"] for body in bodies(tmp_path)} == {
        one.kind: one.id for one in records
    }
    stop = next(body for body in bodies(tmp_path) if body["kind"] == "desk.stop_pressed")
    assert stop["data"]["everywhere"] is True
    assert stop["data"]["actor"] == "asha"


def test_what_is_not_the_desks_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(SpoolError, match="not a kind of the desk"):
        put(tmp_path, record("operator.command"))
    with pytest.raises(PayloadError, match="unknown field"):
        put(tmp_path, record(data={"password": "x"}))
    with pytest.raises(PayloadError):
        put(tmp_path, record("desk.downloaded", data={}))
    assert not (tmp_path / "spool").exists()


def test_a_record_that_is_changed_is_refused_and_the_rest_goes_on(tmp_path: Path) -> None:
    good, bad, odd, moved = put(tmp_path, record(), record(), record(), record())
    content = json.loads(bad.read_text())
    content["record"]["actor"] = "mallory"
    bad.write_text(json.dumps(content))
    odd.write_text("{")
    moved = moved.rename(moved.with_name(f"{uuid4()}.json"))
    assert take_once(tmp_path) == 4
    assert keys(tmp_path) == [good.stem]
    refused = desk_spool(tmp_path) / "refused"
    reasons = {path.stem: path.read_text() for path in refused.glob("*.reason")}
    assert "signature does not hold" in reasons[bad.stem]
    assert "not a record of the desk" in reasons[odd.stem]
    assert "holds record" in reasons[moved.stem]


def test_another_key_does_not_sign(tmp_path: Path) -> None:
    (path,) = put(tmp_path, record())
    assert read_record(path, key=KEY).actor == "asha"
    with pytest.raises(SpoolError, match="signature does not hold"):
        read_record(path, key="x")


# --- each once ------------------------------------------------------------------------------------


def test_the_same_act_twice_is_one_event(tmp_path: Path) -> None:
    one = record()
    for _ in range(3):  # a second click after the first was logged, and one after a restart
        put(tmp_path, one)
        assert take_once(tmp_path) == 1
    assert keys(tmp_path) == [one.id]
    assert waiting_records(tmp_path) == []


def test_a_batch_that_was_logged_and_not_moved_is_not_logged_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = put(tmp_path, *(record() for _ in range(5)))

    def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("journal.desk_log.settle_command", dies)
        with pytest.raises(KeyboardInterrupt):
            take_once(tmp_path)
    assert len(waiting_records(tmp_path)) == 5
    put(tmp_path, record())
    while take_once(tmp_path, Clock(OPEN_US + DAY_US)):
        pass
    assert sorted(keys(tmp_path)[:5]) == sorted(path.stem for path in paths)
    assert len(keys(tmp_path)) == 6


def follow(var_dir: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "manage.py", "mirror", "--follow"],
        cwd=REPOSITORY,
        env=os.environ | {"VAR_DIR": str(var_dir)} | environment,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(condition: Any, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)


class Clerk:
    """Somebody who goes on acting at the desk; `acts` are the ids of what was written down."""

    def __init__(self, var_dir: Path) -> None:
        self.acts: list[str] = []
        self._var_dir, self._key = var_dir, house_key(var_dir)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._act)
        self._thread.start()

    def _act(self) -> None:
        while not self._stop.wait(0.005):
            one = record()
            write_record(var_dir=self._var_dir, key=self._key, record=one)
            self.acts.append(one.id)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


@pytest.mark.slow
def test_a_killed_mirror_logs_each_act_once(var_dir: Path, audit_store: None) -> None:
    clerk, chance = Clerk(var_dir), random.Random(7)
    done = desk_spool(var_dir) / "done"
    try:
        for _ in range(6):
            before = len(list(done.glob("*")))
            process = follow(var_dir)
            wait_until(lambda before=before: len(list(done.glob("*"))) > before)
            time.sleep(chance.uniform(0, 0.1))
            process.kill()
            process.communicate()
    finally:
        clerk.stop()
    process = follow(var_dir)
    try:
        wait_until(lambda: not waiting_records(var_dir))
    finally:
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (0, "")
    assert sorted(keys(var_dir)) == sorted(clerk.acts)


def test_without_a_database_the_log_goes_on(var_dir: Path) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    one = record()
    write_record(var_dir=var_dir, key=house_key(var_dir), record=one)
    process = follow(var_dir, MIRROR_DATABASE_URL=nowhere)
    wait_until(lambda: not waiting_records(var_dir))
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 0
    assert said.startswith("mirror: the audit store is away, the logs go on: ")
    assert keys(var_dir) == [one.id]


# --- days, writers, faults ------------------------------------------------------------------------


def test_days_are_ist_dates_and_a_clock_that_goes_back_stays_in_its_day(tmp_path: Path) -> None:
    clock = Clock(OPEN_US)
    log = opened(tmp_path, clock)
    for step in (0, DAY_US, 0, 2 * DAY_US):
        clock.at = OPEN_US + step
        put(tmp_path, record())
        log.take()
    log.close()
    directory = session_directory(tmp_path, DESK_SESSION)
    names = sorted(path.name for path in directory.glob("*.jsonl"))
    assert names == ["2025-08-29.jsonl", "2025-08-30.jsonl", "2025-08-31.jsonl"]
    stamps = [body["ts"] for body in bodies(tmp_path)]
    assert stamps == sorted(stamps)
    assert [body["seq"] for body in bodies(tmp_path)] == [1, 2, 3, 4]
    assert next(read_session(directory)).body["data"]["number"] == DESK_NUMBER


def test_a_day_that_was_opened_and_got_no_event_is_gone_on_with(tmp_path: Path) -> None:
    log = opened(tmp_path)
    (path,) = put(tmp_path, record())
    log.take()
    log._writer.open_day("2025-08-30")
    log.close()
    put(tmp_path, record(id=path.stem), record())
    assert take_once(tmp_path, Clock(OPEN_US + DAY_US)) == 2
    assert [body["seq"] for body in bodies(tmp_path)] == [1, 2]


def test_there_is_one_writer(tmp_path: Path) -> None:
    log = opened(tmp_path)
    with pytest.raises(LogLockedError):
        opened(tmp_path)
    log.close()


def test_a_log_that_cannot_be_written_is_said_once_and_tried_again(tmp_path: Path) -> None:
    paths = put(tmp_path, record(), record())
    sessions = tmp_path / "sessions"
    sessions.write_text("a file where a directory should be")
    said: list[str] = []
    stop = threading.Event()
    keeping = {"key": KEY, "clock": Clock(), "stop": stop, "report": said.append}
    thread = threading.Thread(target=keep_desk_log, args=(tmp_path,), kwargs=keeping)
    thread.start()
    try:
        wait_until(lambda: said)
        time.sleep(1.2)  # it has tried again meanwhile
        sessions.unlink()
        wait_until(lambda: len(said) == 2)
    finally:
        stop.set()
        thread.join()
    assert said[0].startswith("the desk's log is not written, its records wait: ")
    assert said[1:] == ["the desk's log is written again"]
    assert set(keys(tmp_path)) == {path.stem for path in paths}


# --- who sees it ----------------------------------------------------------------------------------


def test_no_session_can_take_the_name(var_dir: Path) -> None:
    for name in ("_desk", "_other"):
        with pytest.raises(SessionNameError):
            checked_session_name(name)
    with pytest.raises(SessionNameError):
        session_directory(var_dir, "_other")
    with pytest.raises(CommandError, match="session name '_desk'"):
        call_command("trade", "--session", "_desk")


def test_what_trades_replays_and_is_killed_leaves_it_out(
    var_dir: Path, mirror_role: psycopg.Connection[Any], db: None
) -> None:
    write_log(var_dir)
    put(var_dir, record())
    take_once(var_dir)
    assert log_names(var_dir) == ["_desk", "day1"]
    assert session_names(var_dir) == ["day1"]
    assert newest_session(var_dir) == "day1"
    assert open_sessions(var_dir) == ["day1"]
    assert replayable_sessions(var_dir=var_dir) == ["day1"]
    with pytest.raises(CommandError, match="session name '_desk'"):
        call_command("kill", "--session", "_desk", stdout=StringIO())
    with pytest.raises(CommandError, match="no engine wrote it"):
        call_command("replay", "_desk", stdout=StringIO())


def test_journal_verification_and_mirror_include_it(
    var_dir: Path, mirror_role: psycopg.Connection[Any], client: Client, viewer: User
) -> None:
    write_log(var_dir)
    put(var_dir, record())
    take_once(var_dir)
    out = StringIO()
    call_command("log", "verify", "_desk", stdout=out)
    call_command("mirror", stdout=out)
    call_command("mirror", "--check", stdout=out)
    call_command("mirror", "_desk", "--check", "--from=2", "--to=2", stdout=out)
    assert "_desk: store equals the log: 2 rows" in out.getvalue()
    assert "_desk: store equals these lines of the log: 1 rows" in out.getvalue()
    assert [row.name for row in session_list()] == ["day1", "_desk"]
    assert Mirror(var_dir).one_pass(mirror_role).alarms == []
    stored = mirror_role.execute("SELECT count(*) FROM audit.event WHERE session = '_desk'")
    assert stored.fetchone() == (2,)
    client.force_login(viewer)
    page = client.get("/journal/").content.decode()
    assert "?session=day1" in page
    assert "?session=_desk" not in page
    assert client.get("/journal/_desk/1/").status_code == 200
    assert 'brahmastra_mirror_line{session="_desk"} 2' in client.get("/metrics").content.decode()


# --- what is written down -------------------------------------------------------------------------


def test_coming_and_going_is_written_down(
    client: Client, viewer: User, var_dir: Path, settings: Any
) -> None:
    settings.AXES_FAILURE_LIMIT = 2
    for password in ("wrong", PASSWORD):
        client.post("/sign-in/", {"username": "viewer", "password": password})
    client.post("/sign-out/")
    for _ in range(2):
        client.post("/sign-in/", {"username": "no\u202ebody", "password": "x"})
    told = [(one.kind, one.actor, one.address) for one in written(var_dir)]
    assert told[:3] == [
        ("desk.sign_in_failed", "viewer", "127.0.0.1"),
        ("desk.signed_in", "viewer", "127.0.0.1"),
        ("desk.signed_out", "viewer", "127.0.0.1"),
    ]
    assert ("desk.sign_in_failed", "nobody", "127.0.0.1") in told
    assert "desk.locked_out" in {kind for kind, _, _ in told}
    assert PASSWORD not in "".join(path.read_text() for path in waiting_records(var_dir))


def test_a_stop_is_written_down_once(client: Client, operator: User, var_dir: Path) -> None:
    write_log(var_dir)
    client.force_login(operator)
    form = {"reason": "the feed looks wrong", "command_id": str(UUID(int=5))}
    for _ in range(2):
        client.post("/stop/", form)
    stops = [one for one in written(var_dir) if one.kind == "desk.stop_pressed"]
    assert [(one.id, one.actor, one.reason) for one in stops] == [
        (str(UUID(int=5)), "operator", "the feed looks wrong")
    ]
    assert stops[0].data == {
        "sessions": ["day1"],
        "everywhere": True,
        "problems": [],
        "strategy": None,
        "hold": False,
    }


def test_a_replay_and_a_rebuild_are_written_down(
    var_dir: Path, audit_store: None, client: Client, operator: User
) -> None:
    write_log(var_dir)
    client.force_login(operator)
    client.post("/replay/start/", {"session": "day1", "times": "2"})
    call_command("mirror", "--rebuild", "day1", "--json", stdout=StringIO())
    told = {one.kind: one for one in written(var_dir)}
    assert told["desk.replay_asked"].data["session"] == "day1"
    assert told["desk.replay_asked"].data["times"] == 2
    assert told["desk.replay_asked"].address == "127.0.0.1"
    assert told["desk.mirror_rebuilt"].data == {"sessions": ["day1"]}


def test_a_spool_that_cannot_be_written_stops_nobody(
    var_dir: Path, audit_store: None, client: Client, operator: User
) -> None:
    write_log(var_dir)
    (var_dir / "spool").mkdir()
    desk_spool(var_dir).write_text("a file where a directory should be")
    before = LOST.count
    client.post("/sign-in/", {"username": "operator", "password": PASSWORD})
    answer = client.post("/stop/", {"reason": "r", "command_id": str(uuid4())}, follow=True)
    assert answer.status_code == 200
    assert (var_dir / "KILL").exists()
    assert list((var_dir / "spool" / "day1").glob("*.json"))
    assert LOST.count == before + 2
    assert "is not a directory" in desk_state().problem
    page = client.get("/journal/").content.decode()
    assert "cannot be written down" in page
    assert f"{LOST.count} acts at the desk could not be written down" in page
    metrics = client.get("/metrics").content.decode()
    assert "brahmastra_desk_spool_writable 0" in metrics
    assert f"brahmastra_desk_records_lost_total {LOST.count}" in metrics


@pytest.mark.skipif(shutil.which("mount") is None, reason="no mount on PATH")
def test_a_full_disk_stops_nobody(tmp_path: Path) -> None:
    """A real full disk, where this account may mount one."""
    script = (
        "mount -t tmpfs -o size=64k tmpfs {0} && head -c 100000 /dev/zero > {0}/fill 2>/dev/null;"
        " exec {1} -c {2!r}"
    )
    code = (
        "import django; django.setup();"
        "from journal.services import desk_record;"
        "from journal.selectors import desk_state;"
        "print(desk_record(kind='desk.signed_in', actor='a', address='b', data={}),"
        " desk_state().problem)"
    )
    code = code.replace("'", '"')
    home = tmp_path / "var"
    home.mkdir()
    (home / "secrets").mkdir()
    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", script.format(home, sys.executable, code)],
        cwd=REPOSITORY,
        env=os.environ | {"VAR_DIR": str(home), "DJANGO_SECRET_KEY": "x" * 50},
        capture_output=True,
        text=True,
        check=False,
    )
    if "mount" in done.stderr or "unshare" in done.stderr:
        pytest.skip(f"no mount here: {done.stderr.strip()[-80:]}")
    assert done.stdout.startswith("False the disk of"), done.stderr
    assert "not in the desk's log" in done.stderr
