"""`manage.py trade` as people run it.

One clear line on bad input, no gap and no duplicate after kill -9.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from journal.events import BOOKKEEPING_KINDS
from journal.log.head import read_head
from journal.log.reader import read_session
from journal.log.verification import verify_session

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
DAY = "2026-02-26"


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `VAR_DIR` with one synthetic day in its store."""
    var_dir = tmp_path_factory.mktemp("market")
    result = manage(var_dir, "market", "synth", "--from", DAY, "--to", DAY, "--every", "1")
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


def status_of(var_dir: Path, session: str) -> str:
    """How the session stands, by a manifest that agrees with the log."""
    result = manage(var_dir, "log", "manifest", session, "--json")
    assert result.returncode == 0, result.stderr
    return str(json.loads(result.stdout)["status"])


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
        (["--broker-latency-ms", "-5"], "broker.latency_ms is -5, expected 0 to 60000"),
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

    # 2. The same session, its process killed by SIGKILL five times on the way. At a pace: at full
    # speed one commit may hold all that is left, and the end comes before the kill.
    kills = 0
    for part in range(1, 6):
        line = len(expected) * part // 8
        process = start(var_dir, "trade", "--session", "day1", "--speed", "20000")
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

    # 4. The manifest names every run, and says of the log what the log says.
    report = json.loads(manage(var_dir, "log", "manifest", "day1", "--json").stdout)
    assert (report["holds"], report["status"]) == (True, "finished")
    runs = report["manifest"]["runs"]
    assert [run["status"] for run in runs] == ["crashed"] * 5 + ["finished"]
    assert len({run["identity"]["pid"] for run in runs}) > 1
    assert all(run["last_line"] >= run["first_line"] for run in runs)
    calm_report = json.loads(manage(calm, "log", "manifest", "day1", "--json").stdout)
    assert [run["status"] for run in calm_report["manifest"]["runs"]] == ["finished"]
    assert calm_report["manifest"]["data"] == report["manifest"]["data"]
    (source,) = report["manifest"]["log"]["sources"]
    assert (source["seed"], source["frames"]) == (1, 748)
    assert report["manifest"]["data"][0]["source"] == source["digest"]

    # 5. Finished is finished.
    again = manage(var_dir, "trade", "--session", "day1")
    assert again.returncode != 0
    assert again.stderr.splitlines()[-1].endswith("is finished; choose another name")


def test_a_running_session_has_one_writer_stops_on_request_and_goes_on(var_dir: Path) -> None:
    process = start(var_dir, "trade", "--session", "live", "--speed", "600")
    wait_for_line(var_dir, "live", 10, process)
    second = manage(var_dir, "trade", "--session", "live", "--speed", "600")
    assert second.returncode != 0
    assert "being written by process" in second.stderr.splitlines()[-1]
    assert status_of(var_dir, "live") == "running"
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert process.returncode != 0
    assert "run the same command again to continue" in said.splitlines()[-1]

    assert status_of(var_dir, "live") == "stopped"

    other = manage(var_dir, "trade", "--session", "live", "--underlying", "NIFTY")
    assert other.returncode != 0
    assert "was started with configuration" in other.stderr.splitlines()[-1]

    result = manage(var_dir, "trade", "--session", "live")
    assert result.returncode == 0, result.stderr
    verify_session(var_dir / "sessions" / "live")


# --- a manifest that cannot be written ------------------------------------------------------------


def _small_files_only() -> None:
    """Let this process write no file longer than this, as a disk that is full all but a little."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))


def _without_override() -> None:
    """Make the superuser's processes obey permissions, as everybody's do."""
    drop_bounding_capability, override = 24, 1
    ctypes.CDLL(None).prctl(drop_bounding_capability, override, 0, 0, 0)


def restricted(
    var_dir: Path, restrict: Callable[[], None], *arguments: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        cwd=ROOT,
        env={**environment(var_dir), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=restrict,
    )


def test_a_disk_without_room_for_the_manifest_refuses_the_start_in_one_line(var_dir: Path) -> None:
    result = restricted(var_dir, _small_files_only, "trade", "--session", "full")
    assert result.returncode == 1
    (said,) = result.stderr.splitlines()
    assert said.endswith("sessions/full/manifest.json: cannot be written (File too large)")
    assert not list((var_dir / "sessions" / "full").glob("*.jsonl"))
    assert not list((var_dir / "sessions" / "full").glob(".manifest*"))
    result = manage(var_dir, "trade", "--session", "full")
    assert result.returncode == 0, result.stderr


def test_a_directory_that_cannot_be_written_refuses_the_start_in_one_line(var_dir: Path) -> None:
    manage(var_dir, "kill", "--reason", "makes the key")
    (var_dir / "sessions" / "sealed").mkdir(parents=True)
    (var_dir / "sessions" / "sealed" / "lock").touch()
    (var_dir / "sessions" / "sealed").chmod(0o555)
    try:
        result = restricted(var_dir, _without_override, "trade", "--session", "sealed")
    finally:
        (var_dir / "sessions" / "sealed").chmod(0o755)
    assert result.returncode == 1
    (said,) = result.stderr.splitlines()
    assert "sessions/sealed/manifest.json: cannot be written (Permission denied)" in said


def test_a_killed_session_is_called_crashed_until_it_is_started_again(var_dir: Path) -> None:
    process = start(var_dir, "trade", "--session", "gone", "--speed", "600")
    wait_for_line(var_dir, "gone", 10, process)
    process.kill()
    process.communicate()
    stored = json.loads((var_dir / "sessions" / "gone" / "manifest.json").read_bytes())
    assert [run["status"] for run in stored["runs"]] == ["running"]
    assert status_of(var_dir, "gone") == "crashed"
