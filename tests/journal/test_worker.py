"""A verification by a real Celery worker over the real queue; and one whose worker is killed."""

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
from journal.log.session import day_files
from journal.long_work import SILENCE
from journal.models import RangeVerification
from journal.verifications import (
    range_verification_stop,
    range_verifications_reap,
)
from tests.journal.log_bed import write_log
from tests.journal.test_verifications import ask

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from django.contrib.auth.models import User

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
State = RangeVerification.State
PATIENCE_SECONDS = 60


@pytest.fixture
def log(var_dir: Path) -> Path:
    return write_log(var_dir, days=3, events=240)


@pytest.fixture(autouse=True)
def empty_queue() -> None:
    """Take away what tests before this one have left in the queue."""
    redis.Redis.from_url(settings.REDIS_URL).delete("replay", "celery")


@contextmanager
def worker(var_dir: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A Celery worker of this test's own queue and `VAR_DIR`, one task at once."""
    celery = ("-m", "celery", "-A", "brahmastra_site.celery", "worker")
    how = ("--queues=celery", "--concurrency=1", "-O", "fair", "--loglevel=INFO")
    process = children.start_child(
        [sys.executable, *celery, *how],
        log=var_dir / "worker.log",
        environment=child_environment({"VAR_DIR": str(var_dir)}),
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


def await_row(
    row: RangeVerification, what: Callable[[RangeVerification], bool], var_dir: Path
) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        row.refresh_from_db()
        if what(row):
            return
        time.sleep(0.05)
    said = children.last_lines(var_dir / "worker.log", 30)
    pytest.fail(f"{row.state} {row.error}\n" + "\n".join(said))


def test_one_asked_for_on_the_site_is_carried_out_by_a_worker(
    operator: User, log: Path, var_dir: Path
) -> None:
    with worker(var_dir):
        row = ask(operator, log, now=timezone.now())
        await_row(row, lambda row: not row.active, var_dir)
    assert (row.state, row.error, row.attempt) == (State.HOLDS, "", 1)
    assert row.done == row.total == 726


def test_a_worker_killed_in_mid_run_changes_nothing_in_the_result(
    operator: User, log: Path, var_dir: Path
) -> None:
    # 1. A worker is in the middle: the last file gives it nothing to read, and it waits there.
    last = day_files(log)[-1]
    content = last.read_bytes()
    last.unlink()
    os.mkfifo(last)
    row = ask(operator, log, now=timezone.now())
    with worker(var_dir) as first:
        await_row(row, lambda row: row.state == State.RUNNING, var_dir)
        # 2. It dies without a word, with all its processes.
        for member in members_of(first.pid):
            os.kill(member.pid, signal.SIGKILL)
        first.wait()
    row.refresh_from_db()
    assert row.state == State.RUNNING  # nobody is left to say otherwise
    last.unlink()
    last.write_bytes(content)

    # 3. Before its silence is long enough nothing happens, after it the row is sent again.
    assert range_verifications_reap(now=row.heartbeat_at + SILENCE) == []
    late = row.heartbeat_at + SILENCE + timedelta(seconds=1)
    assert range_verifications_reap(now=late) == [row.pk]
    row.refresh_from_db()
    assert (row.state, row.attempt) == (State.QUEUED, 2)

    # 4. Another worker carries it out.
    with worker(var_dir):
        await_row(row, lambda row: not row.active, var_dir)
    assert (row.state, row.error, row.attempt) == (State.HOLDS, "", 2)
    assert row.result["lines"] == 726


def test_one_stopped_while_it_waited_is_passed_over_by_the_worker(
    operator: User, log: Path, var_dir: Path
) -> None:
    row = ask(operator, log, now=timezone.now())
    range_verification_stop(verification_id=row.pk, stopped_by=operator, now=timezone.now())
    with worker(var_dir):
        other = ask(operator, log, day="2025-08-20", now=timezone.now())
        await_row(other, lambda row: not row.active, var_dir)
    row.refresh_from_db()
    assert (row.state, other.state) == (State.STOPPED, State.HOLDS)
