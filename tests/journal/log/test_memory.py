"""Reading and verifying take no more memory for a long log than for a short one."""

from __future__ import annotations

import tracemalloc
from collections import deque
from typing import TYPE_CHECKING

import pytest

from journal.log.chain_verification import verify_chain
from journal.log.lookup import event_at
from journal.log.packing import pack_day
from journal.log.reader import read_session
from journal.log.session import day_files
from journal.log.verification import verify_session
from tests.journal.log_bed import open_log, signals

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WORKS: dict[str, Callable[[Path], object]] = {
    "read": lambda directory: deque(read_session(directory), maxlen=0),
    "verify": verify_session,
    "verify the chain": verify_chain,
    "find": lambda directory: event_at(directory, 900),
}


def _log(home: Path, events: int) -> Path:
    with open_log(home) as writer:
        writer.open_day("2025-08-29")
        for first in range(1, events, 500):
            writer.commit(signals("day1", first, 500))
    return writer.directory


def _peak(work: Callable[[Path], object], directory: Path) -> int:
    work(directory)  # what is loaded once is not the log's
    tracemalloc.start()
    try:
        work(directory)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A log, and one ten times as long."""
    return (
        _log(tmp_path_factory.mktemp("short"), 1_000),
        _log(tmp_path_factory.mktemp("long"), 10_000),
    )


@pytest.mark.parametrize("name", WORKS)
def test_memory_is_flat_as_the_log_grows(logs: tuple[Path, Path], name: str) -> None:
    short, long = (_peak(WORKS[name], directory) for directory in logs)
    assert long < 2 * short + 200_000


def test_memory_is_flat_in_a_packed_day(tmp_path: Path) -> None:
    directory = _log(tmp_path, 10_000)
    plain = {name: _peak(work, directory) for name, work in WORKS.items()}
    pack_day(day_files(directory)[0])
    for name, work in WORKS.items():
        assert _peak(work, directory) < plain[name] + 2_000_000, name
