"""A recorded session of two synthetic days, and copies of it to spoil."""

from __future__ import annotations

import os
import shutil
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from replay.ways import Workshop
from tests.market_factory import DAYS, Rig

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from django.contrib.auth.models import User
    from pytest_django.fixtures import SettingsWrapper

    from replay.models import ReplayRun
    from replay.services import Means


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `VAR_DIR` of a finished session `day1`; not to be written to."""
    var_dir = tmp_path_factory.mktemp("recorded")
    Rig(var_dir=var_dir).run()
    return var_dir


@pytest.fixture
def log(recorded: Path, tmp_path: Path) -> Path:
    """The log of session `day1`, this test's own copy."""
    shutil.copytree(recorded / "sessions", tmp_path / "copy" / "sessions")
    return tmp_path / "copy" / "sessions" / "day1"


@pytest.fixture(scope="session")
def recorded_day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `VAR_DIR` of a finished session `day1` of one day; not to be written to."""
    var_dir = tmp_path_factory.mktemp("recorded-day")
    Rig(var_dir=var_dir, days=DAYS[:1]).run()
    return var_dir


@pytest.fixture
def short_log(recorded_day: Path, tmp_path: Path) -> Path:
    """The log of a session of one day, this test's own copy."""
    shutil.copytree(recorded_day / "sessions", tmp_path / "short" / "sessions")
    return tmp_path / "short" / "sessions" / "day1"


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """Two interpreters at once, nobody to tell."""
    return make_workshop(tmp_path)


def make_workshop(
    scratch: Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> Workshop:
    return Workshop(
        workers=2,
        environment=os.environ,
        scratch=scratch,
        clock=time.perf_counter,
        progress=progress,
    )


# --- runs -----------------------------------------------------------------------------------------

NOW = datetime(2026, 2, 27, 12, 0, tzinfo=UTC)


@pytest.fixture
def site_log(short_log: Path, settings: SettingsWrapper) -> Path:
    """The log of session `day1` in the `VAR_DIR` of the site, this test's own copy."""
    settings.VAR_DIR = short_log.parent.parent
    return short_log


def make_means(var_dir: Path, **changes: Any) -> Means:
    """Return what a worker has: two interpreters, and a clock that stands at NOW."""
    from replay.services import Means

    given: dict[str, Any] = {
        "var_dir": var_dir,
        "scratch": var_dir,
        "workers": 2,
        "environment": os.environ,
        "clock": time.monotonic,
        "now": lambda: NOW,
    }
    return Means(**given | changes)


def ask(user: User, log: Path, *, times: int = 2, now: datetime = NOW) -> ReplayRun:
    """Ask for a replay of session `day1`."""
    from replay.services import replay_run_request

    return replay_run_request(
        session="day1", times=times, requested_by=user, var_dir=log.parent.parent, now=now
    )
