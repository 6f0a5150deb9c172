"""A replay by a real Celery worker over the real queue; and one whose worker is killed."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import psutil
import pytest
import redis
from django.conf import settings
from django.utils import timezone

from brahmastra_site.launcher import children
from brahmastra_site.launcher.environment import REPOSITORY, child_environment
from journal.long_work import SILENCE
from replay.models import ReplayRun
from replay.recording import read_recording
from replay.services import replay_runs_reap
from tests.replay.conftest import ask

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from django.contrib.auth.models import User

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
State = ReplayRun.State
PATIENCE_SECONDS = 90


@contextmanager
def worker(log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A Celery worker of this test's own queue and `VAR_DIR`, one task at once."""
    celery = ("-m", "celery", "-A", "brahmastra_site.celery", "worker")
    how = ("--queues=replay", "--concurrency=1", "-O", "fair", "--loglevel=INFO")
    process = children.start_child(
        [sys.executable, *celery, *how],
        log=log.parent.parent / "worker.log",
        environment=child_environment({"VAR_DIR": str(log.parent.parent)}),
        directory=REPOSITORY,
    )
    try:
        yield process
    finally:
        for member in members_of(process.pid):
            member.kill()
        process.wait()


def members_of(pid: int) -> list[psutil.Process]:
    """Return a process and everything it started."""
    try:
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def await_row(run: ReplayRun, what: Callable[[ReplayRun], bool], log: Path) -> ReplayRun:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        run.refresh_from_db()
        if what(run):
            return run
        time.sleep(0.05)
    said = children.last_lines(log.parent.parent / "worker.log", 30)
    pytest.fail(f"{run.state} {run.done}/{run.total} {run.error}\n" + "\n".join(said))


def await_ways(worker: subprocess.Popen[bytes], log: Path) -> list[psutil.Process]:
    """Return the ways a worker has begun, as soon as there is one."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        ways = [member for member in members_of(worker.pid) if is_way(member)]
        if ways:
            return ways
        time.sleep(0.01)
    said = children.last_lines(log.parent.parent / "worker.log", 30)
    pytest.fail("no way was begun\n" + "\n".join(said))


def is_way(process: psutil.Process) -> bool:
    try:
        return "replay.day_process" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(autouse=True)
def empty_queue() -> None:
    """Take away what tests before this one have left in the queue."""
    redis.Redis.from_url(settings.REDIS_URL).delete("replay", "celery")


def test_a_run_asked_for_on_the_site_is_carried_out_by_a_worker(operator: User, log: Path) -> None:
    with worker(log):
        run = ask(operator, log, times=3, now=timezone.now())
        await_row(run, lambda row: not row.active, log)
    digest = read_recording(log).digest
    assert (run.state, run.error) == (State.SUCCEEDED, "")
    assert [way["digest"] for way in run.result["ways"]] == [digest] * 3
    assert run.attempt == 1


def test_a_worker_killed_in_mid_run_changes_nothing_in_the_result(
    operator: User, log: Path
) -> None:
    # 1. A worker is in the middle of a run.
    run = ask(operator, log, times=9, now=timezone.now())
    with worker(log) as first:
        ways = await_ways(first, log)
        # 2. It dies without a word, with all its processes but the ways themselves.
        for member in members_of(first.pid):
            if member not in ways:
                os.kill(member.pid, signal.SIGKILL)
        first.wait()
        _, alive = psutil.wait_procs(ways, timeout=20)
        assert alive == [], "ways outlive their worker"
    run.refresh_from_db()
    assert run.state == State.RUNNING  # nobody is left to say otherwise

    # 3. Before its silence is long enough nothing happens, after it the run is sent again.
    assert replay_runs_reap(now=run.heartbeat_at + SILENCE) == []
    assert replay_runs_reap(now=run.heartbeat_at + SILENCE + timedelta(seconds=1)) == [run.pk]
    run.refresh_from_db()
    assert (run.state, run.attempt) == (State.QUEUED, 2)

    # 4. Another worker carries it out, to the same bytes.
    with worker(log):
        await_row(run, lambda row: not row.active, log)
    digest = read_recording(log).digest
    assert (run.state, run.error, run.attempt) == (State.SUCCEEDED, "", 2)
    assert [way["digest"] for way in run.result["ways"]] == [digest] * 9
