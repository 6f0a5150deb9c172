"""Recorded feeds at N times real time: each input when its time has come, by the runner's clock."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.market_factory import DAYS, SPOOL_KEY, day_frames, factory_configuration
from trading.engine.opening import opening_instant
from trading.engine.plan import Plan, World
from trading.engine.runner import POLL_SECONDS, SessionRunner

if TYPE_CHECKING:
    from pathlib import Path

BEGAN = 1_700_000_000_000_000


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = BEGAN
        self.slept = 0

    async def sleep(self, seconds: float) -> None:
        assert 0 < seconds <= POLL_SECONDS
        self.slept += 1
        self.now += max(1, round(seconds * 1e6))
        await asyncio.sleep(0)


class Noting(SessionRunner):
    """Notes (event time, wall clock) of each instant it runs."""

    noted: list[tuple[int, int]]

    async def _run_instant(self, group: list[Any], **options: Any) -> None:
        self.noted.append((group[0].ts, self.world.clock()))
        await super()._run_instant(group, **options)


def run_at(tmp_path: Path, speed: float | None) -> tuple[Clock, list[tuple[int, int]]]:
    clock = Clock()
    plan = Plan(
        session="paced",
        configuration=factory_configuration(),
        days=DAYS[:1],
        frames_of=lambda day: day_frames(day, count=10),
        code_version="test",
        speed=speed,
    )
    world = World(
        var_dir=tmp_path,
        spool_key=SPOOL_KEY,
        clock=lambda: clock.now,
        sleep=clock.sleep,
        stopping=lambda: False,
        progress=lambda _: None,
    )
    runner = Noting(plan, world)
    runner.noted = []
    runner.run()
    return clock, runner.noted


@pytest.mark.parametrize("speed", [600.0, 3600.5])
def test_each_input_comes_when_its_time_has_come(tmp_path: Path, speed: float) -> None:
    _, noted = run_at(tmp_path, speed)
    (first, _), *_ = noted
    assert first > opening_instant(DAYS[0], [])
    assert len(noted) > 300
    for ts, at in noted:
        due = BEGAN + (ts - first) / speed
        assert due <= at <= due + 2  # µs: what rounding a sleep up may add


def test_as_fast_as_possible_waits_for_nothing(tmp_path: Path) -> None:
    clock, noted = run_at(tmp_path, None)
    assert (clock.slept, clock.now) == (0, BEGAN)
    assert len(noted) > 300
