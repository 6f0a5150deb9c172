"""`manage.py trade` as people run it.

One clear line on bad input, no gap and no duplicate after kill -9.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from journal.events import BOOKKEEPING_KINDS
from journal.log.head import read_head
from journal.log.reader import read_session
from journal.log.verification import verify_session

ROOT = Path(__file__).resolve().parents[2]
DAY = "2026-02-26"


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `VAR_DIR` with one synthetic day in its store."""
    var_dir = tmp_path_factory.mktemp("market")
    result = manage(var_dir, "market", "synth", "--from", DAY, "--to", DAY)
    assert result.returncode == 0, result.stderr
    return var_dir


@pytest.fixture
def var_dir(market: Path, tmp_path: Path) -> Path:
    """An empty `VAR_DIR` that shares the module's immutable store."""
    (tmp_path / "market").symlink_to(market / "market")
    return tmp_path


def command(*arguments: str) -> list[str]:
    return [sys.executable, "manage.py", *arguments]


def environment(var_dir: Path) -> dict[str, str]:
    return {**os.environ, "VAR_DIR": str(var_dir)}


def manage(var_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        cwd=ROOT,
        env=environment(var_dir),
        capture_output=True,
        text=True,
        check=False,
    )


def start(var_dir: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(*arguments),
        cwd=ROOT,
        env=environment(var_dir),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def bodies_of(var_dir: Path, session: str) -> list[bytes]:
    return [
        line.body_bytes
        for line in read_session(var_dir / "sessions" / session)
        if line.body["kind"] not in BOOKKEEPING_KINDS
    ]


def wait_for_line(var_dir: Path, session: str, line: int, process: subprocess.Popen[str]) -> None:
    """Wait until a session's durable log has a line, or its process has ended."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        head = read_head(var_dir / "sessions" / session)
        if head is not None and head.line >= line:
            return
        time.sleep(0.002)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--config", "nowhere.toml"], "nowhere.toml: no such configuration file"),
        (["--from", "2019-01-01", "--to", "2019-01-31"], "the market store holds 2026-02-26"),
        (["--from", "2026-02-27", "--to", "2026-02-26"], "from 2026-02-27 is after to 2026-02-26"),
        (["--from", "yesterday"], "'yesterday' is not a date, expected YYYY-MM-DD"),
        (["--underlying", "FINNIFTY"], "unknown underlying 'FINNIFTY'"),
        (["--strategies", "S9"], "strategy 'S9' is not configured, expected some of S4"),
        (["--speed", "fast"], "'fast' is no speed"),
        (["--speed", "0"], "'0' is no speed"),
    ],
)
def test_bad_input_is_one_clear_line_and_writes_nothing(
    var_dir: Path, arguments: list[str], said: str
) -> None:
    result = manage(var_dir, "trade", "--session", "bad", *arguments)
    assert result.returncode != 0
    assert said in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr
    assert not (var_dir / "sessions").exists()


def test_a_bad_session_name_is_refused(var_dir: Path) -> None:
    result = manage(var_dir, "trade", "--session", "../escape")
    assert result.returncode != 0
    assert "expected 1 to 40 of a-z" in result.stderr
    assert not (var_dir / "sessions").exists()


def test_an_empty_store_says_what_to_do(tmp_path: Path) -> None:
    result = manage(tmp_path, "trade", "--session", "none")
    assert result.returncode != 0
    assert "run `manage.py market import PATH` or `market synth`" in result.stderr


def test_a_configuration_that_is_wrong_names_its_field(var_dir: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text((ROOT / "trial.toml").read_text().replace('"11:45"', '"soon"'))
    result = manage(var_dir, "trade", "--session", "bad", "--config", str(wrong))
    assert result.returncode != 0
    assert "time 'soon': expected HH:MM" in result.stderr


def test_kill_9_anywhere_and_a_restart_lose_and_repeat_nothing(
    var_dir: Path, market: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # 1. The session as it is without interruption.
    calm = tmp_path_factory.mktemp("calm")
    (calm / "market").symlink_to(market / "market")
    result = manage(calm, "trade", "--session", "day1", "--json")
    assert result.returncode == 0, result.stderr
    outcome = json.loads(result.stdout)
    expected = bodies_of(calm, "day1")
    assert outcome["events"] == len(expected)

    # 2. The same session, its process killed by SIGKILL five times on the way.
    kills = 0
    for line in (40, 700, 1300, 1900, 2500):
        process = start(var_dir, "trade", "--session", "day1")
        wait_for_line(var_dir, "day1", line, process)
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        process.communicate()
    assert kills == 5

    # 3. What a last start makes of it is the same session, byte for byte.
    result = manage(var_dir, "trade", "--session", "day1")
    assert result.returncode == 0, result.stderr
    assert "continuing after seq" in result.stderr
    assert bodies_of(var_dir, "day1") == expected
    verify_session(var_dir / "sessions" / "day1")

    # 4. Finished is finished.
    again = manage(var_dir, "trade", "--session", "day1")
    assert again.returncode != 0
    assert again.stderr.splitlines()[-1].endswith("is finished; choose another name")


def test_a_running_session_has_one_writer_stops_on_request_and_goes_on(var_dir: Path) -> None:
    process = start(var_dir, "trade", "--session", "live", "--speed", "600")
    wait_for_line(var_dir, "live", 10, process)
    second = manage(var_dir, "trade", "--session", "live", "--speed", "600")
    assert second.returncode != 0
    assert "being written by process" in second.stderr.splitlines()[-1]
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert process.returncode != 0
    assert "run the same command again to continue" in said.splitlines()[-1]

    other = manage(var_dir, "trade", "--session", "live", "--underlying", "NIFTY")
    assert other.returncode != 0
    assert "was started with configuration" in other.stderr.splitlines()[-1]

    result = manage(var_dir, "trade", "--session", "live")
    assert result.returncode == 0, result.stderr
    verify_session(var_dir / "sessions" / "live")
