"""A recorded session of two synthetic days, and copies of it to spoil."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING

import pytest

from replay.ways import Workshop
from tests.market_factory import DAYS, Rig

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


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
