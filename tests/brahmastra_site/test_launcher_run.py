"""The launcher's refusals, its care for the processes it started, and the whole house once."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from datetime import date
from typing import TYPE_CHECKING
from urllib.request import urlopen

import psutil
import pytest

from brahmastra_site.launcher.environment import DETERMINISTIC, REPOSITORY
from brahmastra_site.launcher.errors import LauncherError
from brahmastra_site.launcher.programmes import Programme
from brahmastra_site.launcher.run import (
    chosen_port,
    costs,
    holds_market_data,
    is_finished,
    refuse_full_disk,
    refuse_taken_port,
)
from brahmastra_site.launcher.supervisor import Supervisor
from tests.bed import free_port
from tests.journal.log_bed import open_log, session_closed, signals
from tests.market_rows import at, chain_rows, store_rows
from trading.market.services import market_import

if TYPE_CHECKING:
    from pathlib import Path

SERVER_VARIABLES = ("DATABASE_URL", "MIRROR_DATABASE_URL", "AUDIT_OWNER_URL", "REDIS_URL")
RUN = [sys.executable, "-m", "brahmastra_site.launcher", "run"]


def house_environment(home: Path, port: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in SERVER_VARIABLES}
    del kept["DJANGO_STATIC_MANIFEST"]
    return {**kept, "VAR_DIR": str(home), "PORT": str(port)}


def processes_of(home: Path) -> list[psutil.Process]:
    """Every process, zombies aside, that was given this `VAR_DIR` or names it; not this one."""
    found = []
    for process in psutil.process_iter():
        try:
            told = process.environ().get("VAR_DIR") == str(home)
            if told or any(str(home) in part for part in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return [process for process in found if process.pid != os.getpid()]


def wait_for_nobody(home: Path, seconds: float = 20.0) -> list[psutil.Process]:
    deadline = time.monotonic() + seconds
    while (left := processes_of(home)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


@pytest.mark.parametrize("text", ["0", "65536", "eighty", "-1", "8000.0", "८०००"])
def test_a_port_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(LauncherError, match="expected a number from 1 to 65535"):
        chosen_port(text)


def test_the_port_is_8000_unless_said() -> None:
    assert chosen_port("") == 8000
    assert chosen_port("8001") == 8001


def test_a_taken_port_is_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(LauncherError, match="Address already in use"):
            refuse_taken_port(taken.getsockname()[1])


def test_a_full_disk_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LauncherError, match="MiB are needed"):
        refuse_full_disk(tmp_path, needed=2**62)


def test_the_command_refuses_a_taken_port_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        environment = house_environment(tmp_path, taken.getsockname()[1])
        ended = subprocess.run(
            RUN, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
        )
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert f"port {environment['PORT']} cannot be used" in ended.stderr
    assert not (tmp_path / "postgres").exists()


def test_tables_of_figures_are_no_market_data(tmp_path: Path) -> None:
    assert not holds_market_data(tmp_path)
    market_import(root=tmp_path / "market", with_shipped=True)
    assert not holds_market_data(tmp_path)
    store_rows(tmp_path / "market", "chain_snapshots", chain_rows(at(date(2026, 2, 20), "10:00")))
    assert holds_market_data(tmp_path)
    (tmp_path / "market" / "catalogue.json").write_text("{")
    with pytest.raises(LauncherError, match="unreadable market catalogue"):
        holds_market_data(tmp_path)


@pytest.mark.parametrize(
    ("day", "expiry", "arguments"),
    [
        (date(2026, 2, 24), "2026-03-02", ()),
        (date(2019, 5, 23), "2019-05-30", ("--costs", "gross")),
    ],
)
def test_a_day_without_rates_on_record_is_run_gross(
    tmp_path: Path, day: date, expiry: str, arguments: tuple[str, ...]
) -> None:
    store_rows(tmp_path / "market", "chain_snapshots", chain_rows(at(day, "10:00"), expiry=expiry))
    assert costs(tmp_path) == arguments


def test_a_log_is_finished_when_it_says_so(tmp_path: Path) -> None:
    assert not is_finished(tmp_path)
    with open_log(tmp_path) as log:
        log.open_day("2025-08-29")
        log.commit([session_closed("day1", 1)])
        assert is_finished(log.directory)
        log.commit(signals("day1", 2, 1))
        assert not is_finished(log.directory)
    (log.directory / "2025-08-29.jsonl").write_text('{"event":{"bo')
    assert not is_finished(log.directory)


# --- the supervisor -------------------------------------------------------------------------------


def script(name: str, text: str) -> Programme:
    return Programme(name, ("-c", text))


def supervisor(home: Path, *programmes: Programme) -> tuple[Supervisor, list[str]]:
    (home / "run").mkdir(parents=True, exist_ok=True)
    reported: list[str] = []
    environment = {"VAR_DIR": str(home)}
    house = Supervisor(programmes, var_dir=home, environment=environment, report=reported.append)
    return house, reported


def look_until(house: Supervisor, reported: list[str], count: int) -> None:
    deadline = time.monotonic() + 20
    while sum("starts again" in line for line in reported) < count:
        assert time.monotonic() < deadline, reported
        house.look()
        time.sleep(0.02)


def test_a_programme_that_dies_is_named_and_started_again(tmp_path: Path) -> None:
    dying = script("mirror", "print('the last words', flush=True); raise SystemExit(3)")
    house, reported = supervisor(tmp_path, dying)
    house.start()
    try:
        look_until(house, reported, 2)
    finally:
        house.stop()
    assert "mirror ended with exit code 3; it starts again in 1 s" in reported[0]
    assert "the last words" in reported[1]
    again = [line for line in reported if "starts again" in line]
    assert "in 2 s" in again[1], "the pause grows"


def test_a_killed_programme_is_told_apart_from_a_failed_one(tmp_path: Path) -> None:
    house, reported = supervisor(tmp_path, script("push", "import time; time.sleep(600)"))
    house.start()
    try:
        victim = next(p for p in processes_of(tmp_path))
        victim.kill()
        look_until(house, reported, 1)
    finally:
        house.stop()
    assert "push was killed by signal 9" in reported[0]
    assert processes_of(tmp_path) == []


def test_stopping_takes_deaf_programmes_and_grandchildren(tmp_path: Path) -> None:
    deaf = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print('ready', flush=True); time.sleep(600)"
    )
    house, _ = supervisor(tmp_path, script("worker", deaf))
    house.start()
    log = tmp_path / "run" / "worker.log"
    while "ready" not in log.read_text():
        time.sleep(0.02)
    assert len(processes_of(tmp_path)) == 2
    house.stop(grace=0.3)
    assert processes_of(tmp_path) == []


def test_children_are_given_one_blas_thread_and_utc(tmp_path: Path) -> None:
    telling = "import os, json; print(json.dumps(dict(os.environ)), flush=True)"
    house, reported = supervisor(tmp_path, script("web", telling))
    house.start()
    look_until(house, reported, 1)
    house.stop()
    told = (tmp_path / "run" / "web.log").read_text()
    for name, value in DETERMINISTIC.items():
        assert f'"{name}": "{value}"' in told


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of a parent's death")
def test_a_killed_launcher_takes_its_children_along(tmp_path: Path) -> None:
    launcher = (
        "import sys, time; from pathlib import Path\n"
        "from brahmastra_site.launcher.supervisor import Supervisor\n"
        "from brahmastra_site.launcher.programmes import Programme\n"
        "home = Path(sys.argv[1]); (home / 'run').mkdir()\n"
        "sleeping = Programme('mirror', ('-c', 'import time; time.sleep(600)'))\n"
        "house = Supervisor((sleeping,), var_dir=home, environment={'VAR_DIR': str(home)}, "
        "report=print)\n"
        "house.start(); print('ready', flush=True); time.sleep(600)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", launcher, str(tmp_path)], cwd=REPOSITORY, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    assert len(processes_of(tmp_path)) == 2
    process.kill()
    process.wait()
    process.stdout.close()
    assert wait_for_nobody(tmp_path) == []


# --- the whole house ------------------------------------------------------------------------------


def start_house(home: Path, port: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        RUN,
        cwd=REPOSITORY,
        env=house_environment(home, port),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def read_until(process: subprocess.Popen[str], wanted: str) -> list[str]:
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if wanted in line:
            return lines
    pytest.fail("the launcher ended:\n" + "\n".join(lines))


@pytest.mark.slow
def test_the_whole_house(tmp_path: Path) -> None:
    """From an empty directory to an answering site, twice, and nothing left behind."""
    home, port = tmp_path / "var", free_port()
    # 1. The first run makes everything and ends with the address.
    process = start_house(home, port)
    lines = read_until(process, "The site answers at")
    assert lines[0].startswith("[1/8]")
    assert (
        sum(line.split()[0] in {"operator", "compliance", "viewer", "admin"} for line in lines) == 4
    )
    assert is_finished(home / "sessions" / "demo")
    with urlopen(f"http://127.0.0.1:{port}/sign-in/") as page:
        assert page.status == 200
    # 2. A second one on the same directory is refused in one line.
    refused = subprocess.run(
        RUN,
        cwd=REPOSITORY,
        env=house_environment(home, port),
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 1
    assert f"already running on {home} (process {process.pid})" in refused.stderr
    # 3. One Ctrl-C stops everything.
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0, rest
    assert wait_for_nobody(home, 1.0) == []
    # 4. The second run finds users, data and session; its launcher is killed and takes all along.
    process = start_house(home, port)
    lines = read_until(process, "The site answers at")
    assert any("All of them exist" in line for line in lines)
    assert any("It is finished" in line for line in lines)
    process.kill()
    process.communicate()
    assert wait_for_nobody(home) == []
