"""`manage.py replay` as people run it: digests, one clear line on bad input, no server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from journal.log.session import day_files
from replay.recording import read_recording
from tests.replay.forge import bodies, forge, forge_event

ROOT = Path(__file__).resolve().parents[2]


def manage(var_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in an environment where no server can be reached."""
    nowhere = {
        "VAR_DIR": str(var_dir),
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
        "REDIS_URL": "redis://127.0.0.1:1/0",
    }
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, **nowhere},
        capture_output=True,
        text=True,
        check=False,
    )


def replay(log: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return manage(log.parent.parent, "replay", *arguments)


def test_it_prints_a_line_a_way_and_the_verdict(short_log: Path) -> None:
    result = replay(short_log, "day1", "--times", "2")
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    session, recorded, first, second, verdict = result.stdout.splitlines()
    digest = read_recording(short_log).digest
    assert session.startswith("session day1, 2026-02-26: ")
    assert recorded == f"recorded  {digest}"
    assert first.startswith(f"way 1     {digest}  identical, ")
    assert second.startswith(f"way 2     {digest}  identical, ")
    assert verdict.startswith("2 ways identical to the record over ")


def test_it_reports_as_json(short_log: Path) -> None:
    result = replay(short_log, "day1", "--times", "1", "--json", "--days", "2026-02-26")
    report = json.loads(result.stdout)
    assert report["identical"] is True
    assert [way["digest"] for way in report["ways"]] == [report["digest"]]


def test_it_takes_a_directory_with_a_log(short_log: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "handed-over"
    short_log.rename(elsewhere)
    result = replay(short_log, str(elsewhere), "--times", "1")
    assert result.returncode == 0, result.stderr


def test_a_divergence_is_told_and_ends_with_1(short_log: Path) -> None:
    seq = bodies(short_log, "signal.emitted")[9]["seq"]
    forge_event(short_log, seq, lambda body: body | {"key": "S4:NOBODY"})
    for form in ([], ["--json"]):
        result = replay(short_log, "day1", "--times", "2", *form)
        assert result.returncode == 1
        assert result.stderr.count("\n") == 1
        assert "2 ways differ from the record, identical to each other" in result.stderr
        assert f"seq {seq} signal.emitted $.key" in result.stdout or form
        assert not form or json.loads(result.stdout)["identical"] is False


def test_an_unfinished_session_is_compared_and_said_to_be(short_log: Path) -> None:
    last = bodies(short_log)[-1]["seq"]
    forge(short_log, lambda body: body if (body["seq"] or 0) < last else None)
    result = replay(short_log, "day1", "--times", "1")
    assert result.returncode == 0, result.stderr
    assert "the log ends before 1 event that its last input led to" in result.stdout
    assert "the session is not finished" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nobody"], "session 'nobody' has no log"),
        (["../x y"], "neither a session's name nor a directory with a log"),
        (["day1", "--times", "0"], "'0' is no number of ways, expected 1 or more"),
        (["day1", "--times", "many"], "'many' is no number of ways"),
        (["day1", "--days", "yesterday"], "'yesterday' is not a date, expected YYYY-MM-DD"),
        (["day1", "--days", "2026-02-27"], "no day 2026-02-27; expected 2026-02-26"),
    ],
)
def test_bad_input_is_one_clear_line(short_log: Path, arguments: list[str], words: str) -> None:
    result = replay(short_log, *arguments)
    assert result.returncode != 0
    assert words in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("fault", ["flipped", "torn"])
def test_a_spoilt_log_is_one_line_with_file_and_line(short_log: Path, fault: str) -> None:
    path = day_files(short_log)[0]
    whole = bytearray(path.read_bytes())
    if fault == "flipped":
        whole[len(whole) // 2] ^= 1
    else:
        del whole[-20:]
    path.write_bytes(whole)
    result = replay(short_log, "day1")
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert f"{path} line " in result.stderr
    assert "expected" in result.stderr


def test_ctrl_c_ends_it_with_one_line_and_leaves_nobody(short_log: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "replay", "day1", "--times", "60"],
        cwd=ROOT,
        env={**os.environ, "VAR_DIR": str(short_log.parent.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    ways: list[psutil.Process] = []
    while not ways and process.poll() is None:
        ways = psutil.Process(process.pid).children()
    os.killpg(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 1
    assert (stdout, stderr) == (
        "",
        "CommandError: stopped before the end; nothing was compared\n",
    )
    assert psutil.wait_procs(ways, timeout=5)[1] == []


@pytest.mark.slow
def test_a_recorded_day_is_identical_three_times(sample_data: Path, tmp_path: Path) -> None:
    """On recorded market data, every derived event of the day, with as many digests as ways."""
    folder = str(sample_data / "nse_chain_2025-08-29")
    dates = ("--from", "2025-08-29", "--to", "2025-08-29")
    assert manage(tmp_path, "market", "import", folder).returncode == 0
    trade = ("trade", "--session", "real", "--config", "trial.toml", *dates)
    assert manage(tmp_path, *trade).returncode == 0
    result = manage(tmp_path, "replay", "real", "--times", "3")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    digests = {line.split()[-1] if "recorded" in line else line.split()[2] for line in lines[1:5]}
    assert len(digests) == 1
    derived = read_recording(tmp_path / "sessions" / "real").derived
    assert derived > 1000
    assert lines[-1].startswith("3 ways identical to the record over 1,0")
