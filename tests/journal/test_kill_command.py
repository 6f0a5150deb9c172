"""Stopping trading from the command line, with every server down."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from io import StringIO
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from brahmastra_site.launcher.environment import REPOSITORY
from journal.desk import read_record, waiting_records
from journal.events import Event
from journal.kill_file import Stop, kill_file, read_kill_file
from journal.spool import read_command, waiting_commands
from tests.journal.log_bed import open_log, session_closed, session_ended, write_log

if TYPE_CHECKING:
    from pathlib import Path


def run(*words: str) -> str:
    out = StringIO()
    call_command("kill", *words, stdout=out)
    return out.getvalue()


def spool_key(var_dir: Path) -> str:
    return (var_dir / "secrets" / "spool.key").read_text().strip()


def write_finished_log(var_dir: Path, session: str) -> None:
    with open_log(var_dir, session) as writer:
        writer.open_day("2025-08-29")
        writer.commit([session_ended(session, 1)])
        writer.commit([session_closed(session, 2)])


def test_every_open_session_is_told_and_the_file_stops_the_rest(var_dir: Path) -> None:
    for session in ("day1", "day2"):
        write_log(var_dir, session, events=5)
    write_finished_log(var_dir, "day3")
    said = run("--reason", "the feed looks wrong – ₹", "--actor", "asha")
    assert said.splitlines() == [
        "session day1: told to stop",
        "session day2: told to stop",
        f"{var_dir / 'KILL'} stops what starts later",
    ]
    assert kill_file(var_dir).read_text() == "by asha: the feed looks wrong – ₹\n"
    ids = set()
    for session in ("day1", "day2"):
        (path,) = waiting_commands(var_dir=var_dir, session=session)
        command = read_command(path, key=spool_key(var_dir))
        assert (command.session, command.command, command.actor) == (session, "kill", "asha")
        assert (command.reason, command.address) == ("the feed looks wrong – ₹", "local")
        ids.add(UUID(command.id))
    assert len(ids) == 2
    assert waiting_commands(var_dir=var_dir, session="day3") == []
    key = var_dir / "secrets" / "spool.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_a_second_kill_leaves_the_words_of_the_first(var_dir: Path) -> None:
    run("--actor", "asha", "--reason", "first")
    run("--actor", "ravi", "--reason", "second")
    assert kill_file(var_dir).read_text() == "by asha: first\n"


def test_named_sessions_and_no_file(var_dir: Path) -> None:
    for session in ("day1", "day2"):
        write_log(var_dir, session, events=5)
    report = json.loads(run("--session", "day2", "--json"))
    assert report == {"sessions": ["day2"], "file": None, "problems": []}
    assert not kill_file(var_dir).exists()
    assert waiting_commands(var_dir=var_dir, session="day1") == []
    assert len(waiting_commands(var_dir=var_dir, session="day2")) == 1


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--session", "day9"], r"session 'day9' has no log in .*; known: day1"),
        (["--session", "day1", "day9"], "session 'day9' has no log"),
        (["--session", "../day1"], "session name '../day1': expected 1 to 40"),
        (["--reason", "  "], "--reason must say something"),
    ],
)
def test_bad_words_write_nothing(var_dir: Path, words: list[str], complaint: str) -> None:
    write_log(var_dir, "day1", events=5)
    with pytest.raises(CommandError, match=complaint):
        run(*words)
    assert not (var_dir / "spool").exists()
    assert not kill_file(var_dir).exists()


# --- a strategy, holding, lifting -----------------------------------------------------------------


def write_session(var_dir: Path, session: str, **strategies: object) -> None:
    """A log that opens with a session of these strategies."""
    opening = Event(
        session=session,
        seq=1,
        ts=1_756_438_200_000_000,
        kind="session.opened",
        data={
            "configuration": {"strategies": strategies},
            "configuration_digest": "0" * 64,
            "code_version": "test",
            "number": 1,
        },
    )
    with open_log(var_dir, session) as writer:
        writer.open_day("2025-08-29")
        writer.commit([opening])


def arguments(var_dir: Path, session: str) -> list[dict[str, object]]:
    return [
        read_command(path, key=spool_key(var_dir)).arguments
        for path in waiting_commands(var_dir=var_dir, session=session)
    ]


def test_a_strategy_is_stopped_where_it_runs(var_dir: Path) -> None:
    write_session(var_dir, "day1", S4={"lots": 1}, S1=None)
    write_session(var_dir, "day2", S1={"lots": 1}, S4=None)
    write_log(var_dir, "day3", events=5)  # its log does not say what it runs
    words = ("--strategy", "S4", "--hold", "--reason", "odd fills", "--actor", "asha", "--json")
    assert json.loads(run(*words))["sessions"] == ["day1", "day3"]
    assert arguments(var_dir, "day1") == [{"strategy": "S4", "hold": True}]
    assert arguments(var_dir, "day2") == []
    file = read_kill_file(var_dir)
    assert file is not None
    assert file.stops == (Stop("S4", hold=True, reason="by asha: odd fills"),)


def test_holding_is_told(var_dir: Path) -> None:
    write_log(var_dir, "day1", events=5)
    run("--session", "day1", "--hold")
    run("--session", "day1")
    assert arguments(var_dir, "day1") == [{"hold": True}, {}]


@pytest.mark.parametrize("words", [[], ["--session", "day1"]])
def test_a_strategy_nobody_runs_is_refused_before_anything_is_written(
    var_dir: Path, words: list[str]
) -> None:
    write_session(var_dir, "day1", S4={"lots": 1})
    with pytest.raises(CommandError, match="strategy 'S9' runs in no session; expected S4"):
        run("--strategy", "S9", *words)
    assert not (var_dir / "spool").exists()
    assert not kill_file(var_dir).exists()


def test_the_file_is_lifted_and_the_desk_s_log_says_by_whom(var_dir: Path) -> None:
    run("--actor", "asha", "--reason", "drill")
    said = run("--lift", "--actor", "ravi", "--reason", "the drill is over")
    assert said == "lifted: by asha: drill\n"
    assert not kill_file(var_dir).exists()
    (lifted,) = [
        record
        for path in waiting_records(var_dir)
        if (record := read_record(path, key=spool_key(var_dir))).kind == "desk.stop_lifted"
    ]
    assert (lifted.actor, lifted.reason) == ("ravi", "the drill is over")
    assert lifted.data == {"stops": ["by asha: drill"]}


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--lift"], r"KILL is not there"),
        (["--lift", "--hold"], "takes no other scope"),
        (["--lift", "--session", "day1"], "takes no other scope"),
        (["--lift", "--strategy", "S4"], "takes no other scope"),
        (["--lift", "--reason", " "], "must say something"),
    ],
)
def test_what_cannot_be_lifted(var_dir: Path, words: list[str], complaint: str) -> None:
    with pytest.raises(CommandError, match=complaint):
        run(*words)


def test_without_any_session_the_file_is_enough(var_dir: Path) -> None:
    assert json.loads(run("--json"))["file"] == str(kill_file(var_dir))
    assert kill_file(var_dir).exists()


@pytest.mark.parametrize("content", [b"", b"garbage\n", b'{"event":1}\n'])
def test_a_session_whose_log_is_broken_is_told_too(var_dir: Path, content: bytes) -> None:
    directory = write_log(var_dir, "day1", events=5)
    (directory / "2025-08-20.jsonl").write_bytes(content)
    write_log(var_dir, "day2", events=5)
    report = json.loads(run("--json"))
    assert report["sessions"] == ["day1", "day2"]
    assert report["problems"] == []


def test_a_session_whose_day_file_is_gone_is_told_too(var_dir: Path) -> None:
    directory = write_log(var_dir, "day1", days=2, events=5)
    (directory / "2025-08-21.jsonl").unlink()
    assert json.loads(run("--json"))["sessions"] == ["day1"]


def test_a_log_elsewhere_is_not_a_session_here(
    var_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_log(var_dir, "day1", events=5)
    elsewhere = write_log(tmp_path / "copy", "day2", events=5)
    monkeypatch.chdir(elsewhere.parent)
    for name, complaint in ((str(elsewhere), "session name"), ("day2", "has no log in")):
        with pytest.raises(CommandError, match=complaint):
            run("--session", "day1", name)
    assert not (var_dir / "spool").exists()


def test_what_cannot_be_reached_does_not_hold_up_the_rest(var_dir: Path) -> None:
    for session in ("day1", "day2"):
        write_log(var_dir, session, events=5)
    (var_dir / "spool").mkdir()
    (var_dir / "spool" / "day1").write_text("a file where a directory should be")
    out = StringIO()
    with pytest.raises(CommandError, match="session day1: "):
        call_command("kill", stdout=out)
    assert "session day2: told to stop" in out.getvalue()
    assert kill_file(var_dir).exists()
    assert len(waiting_commands(var_dir=var_dir, session="day2")) == 1


def test_without_a_key_the_file_still_stops(var_dir: Path) -> None:
    write_log(var_dir, "day1", events=5)
    (var_dir / "secrets").write_text("not a directory")
    with pytest.raises(CommandError, match="secrets"):
        run()
    assert kill_file(var_dir).exists()


def test_it_needs_no_server(var_dir: Path) -> None:
    write_log(var_dir, "day1", events=5)
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    ended = subprocess.run(
        [sys.executable, "manage.py", "kill", "--json"],
        cwd=REPOSITORY,
        env=os.environ
        | {
            "VAR_DIR": str(var_dir),
            "DATABASE_URL": nowhere,
            "MIRROR_DATABASE_URL": nowhere,
            "AUDIT_OWNER_URL": nowhere,
            "REDIS_URL": "redis://127.0.0.1:1/0",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads(ended.stdout)["sessions"] == ["day1"]
