"""`manage.py portfolio` as people run it, and the file under a process that is killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from journal.log.portfolio_check import Standing, check_portfolio
from journal.log.portfolio_file import PORTFOLIO_FILE, SNAPSHOT, read_portfolio
from journal.log.reader import read_session

ROOT = Path(__file__).resolve().parents[2]
DAY = "2026-02-26"
KILLS = 12


def command(*arguments: str) -> list[str]:
    return [sys.executable, "manage.py", *arguments]


def manage(var_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        cwd=ROOT,
        env={**os.environ, "VAR_DIR": str(var_dir)},
        capture_output=True,
        text=True,
        check=False,
    )


def last_snapshot(directory: Path) -> dict[str, Any]:
    bodies = [line.body for line in read_session(directory)]
    return [body for body in bodies if body["kind"] == SNAPSHOT][-1]


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `VAR_DIR` with a synthetic day and a finished session over it that pays its costs."""
    var_dir = tmp_path_factory.mktemp("traded")
    made = manage(var_dir, "market", "synth", "--from", DAY, "--to", DAY, "--every", "1")
    assert made.returncode == 0, made.stderr
    ran = manage(var_dir, "trade", "--session", "day1", "--costs", "zerodha")
    assert ran.returncode == 0, ran.stderr
    return var_dir


@pytest.fixture
def var_dir(traded: Path, tmp_path: Path) -> Path:
    """An empty `VAR_DIR` that shares the immutable store."""
    (tmp_path / "market").symlink_to(traded / "market")
    return tmp_path


def test_it_prints_the_portfolio_in_rupees(traded: Path) -> None:
    result = manage(traded, "portfolio")
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    data = last_snapshot(traded / "sessions" / "day1")["data"]
    lines = result.stdout.splitlines()
    assert lines[0].startswith("day1: portfolio of 2026-02-26 15:30:00 IST, seq ")
    assert lines[1] == "0 positions open; costs ZERODHA; in rupees"
    rows = {" ".join(line.split()[:-1]): line.split()[-1] for line in lines if line[:2] == "  "}
    assert _paise(rows["Cash"]) == data["cash_paise"]
    waterfall = data["waterfall"]
    assert (
        _paise(rows["Gross ▼" if waterfall["gross_paise"] < 0 else "Gross ▲"])
        == (waterfall["gross_paise"])
    )
    assert _paise(rows["STT"]) == -waterfall["fees"]["stt"]
    assert _paise(rows["Charges"]) == -waterfall["fees"]["total"]
    assert (
        _paise(rows["Net ▼" if waterfall["net_paise"] < 0 else "Net ▲"]) == (waterfall["net_paise"])
    )


def _paise(figure: str) -> int:
    return int(figure.replace(",", "").replace(".", "").replace("−", "-").replace("+", ""))


def test_json_is_the_file(traded: Path) -> None:
    result = manage(traded, "portfolio", "--run", "day1", "--json")
    content = (traded / "sessions" / "day1" / PORTFOLIO_FILE).read_bytes()
    assert json.loads(result.stdout) == json.loads(content)
    assert json.loads(content)["state"] == last_snapshot(traded / "sessions" / "day1")["data"]


def test_check_says_identical_or_the_difference_and_the_exit_code(traded: Path) -> None:
    good = manage(traded, "portfolio", "--check", "--run", "day1")
    assert (good.returncode, good.stderr) == (0, "")
    assert "identical to the log at seq" in good.stdout
    path = traded / "sessions" / "day1" / PORTFOLIO_FILE
    content = path.read_bytes()
    try:
        path.write_bytes(content.replace(b'"cash_paise":', b'"cash_paise":1'))
        bad = manage(traded, "portfolio", "--check")
        assert (bad.returncode, bad.stdout) == (1, "")
        (said,) = bad.stderr.splitlines()
        assert "state.cash_paise is 1" in said
        assert ", the log gives " in said
        as_json = manage(traded, "portfolio", "--check", "--json")
        assert as_json.returncode == 1
        assert json.loads(as_json.stdout)["standing"] == "other"
        shown = manage(traded, "portfolio")
        assert (shown.returncode, shown.stdout) == (1, "")
        assert "state.cash_paise is 1" in shown.stderr
        path.unlink()
        missing = manage(traded, "portfolio")
        assert missing.returncode == 1
        (said,) = missing.stderr.splitlines()
        assert "portfolio.json: is missing; the log's last snapshot is seq" in said
    finally:
        path.write_bytes(content)


def test_a_name_that_is_none_is_one_clear_line(traded: Path, tmp_path: Path) -> None:
    result = manage(traded, "portfolio", "--run", "nobody")
    (said,) = result.stderr.splitlines()
    assert result.returncode == 1
    assert "session 'nobody' has no log" in said
    result = manage(tmp_path, "portfolio")
    (said,) = result.stderr.splitlines()
    assert result.returncode == 1
    assert "no session in" in said


@pytest.mark.slow
def test_killed_at_random_moments_the_file_is_whole_and_the_logs_again_after_each_start(
    var_dir: Path, traded: Path
) -> None:
    """At this pace a snapshot is written every few milliseconds, so kills meet the writing."""
    chance = random.Random(11)
    directory = var_dir / "sessions" / "day1"
    standings: list[Standing] = []
    for _ in range(KILLS):
        before = read_portfolio(directory)
        process = subprocess.Popen(
            command("trade", "--session", "day1", "--costs", "zerodha", "--speed", "20000"),
            cwd=ROOT,
            env={**os.environ, "VAR_DIR": str(var_dir)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _wait_for_a_newer(directory, None if before is None else before.seq, process)
        time.sleep(chance.uniform(0, 0.05))
        process.kill()
        assert process.wait() == -signal.SIGKILL
        told = read_portfolio(directory)  # raises unless it is whole
        assert told is not None
        standings.append(check_portfolio(directory).standing)
    assert set(standings) <= {Standing.IDENTICAL, Standing.BEHIND}

    result = manage(var_dir, "trade", "--session", "day1", "--costs", "zerodha")
    assert result.returncode == 0, result.stderr
    checked = manage(var_dir, "portfolio", "--check")
    assert checked.returncode == 0, checked.stderr
    told, calm = read_portfolio(directory), read_portfolio(traded / "sessions" / "day1")
    assert told is not None
    assert calm is not None
    assert (told.seq, told.ts, told.state) == (calm.seq, calm.ts, calm.state)
    assert not list(directory.glob(f"{PORTFOLIO_FILE}.aside-*"))
    assert not list(directory.glob(f".{PORTFOLIO_FILE}*"))


def _wait_for_a_newer(directory: Path, seq: int | None, process: subprocess.Popen[bytes]) -> None:
    """Wait until the running process has replaced the file."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        told = read_portfolio(directory)
        if told is not None and (seq is None or told.seq > seq):
            return
        time.sleep(0.002)
    raise AssertionError("the session ended before a kill")
