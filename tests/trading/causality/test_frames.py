"""What is fed with market frames: features, and the whole engine behind its real runner."""

from __future__ import annotations

import asyncio
import json
import random
import tempfile
from collections import deque
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from journal.events import DERIVED_KINDS, INPUT_KINDS, Event
from journal.log.reader import read_session
from journal.log.session import session_directory
from journal.log.writer import Durability
from tests.market_factory import DAYS, SPOOL_KEY, day_frames, factory_configuration
from trading.causality.cuts import Cut
from trading.causality.frames import (
    FRAME_POISONS,
    check_frames,
    frame_order_matters,
    poisoned_frames,
)
from trading.engine.engine import Engine
from trading.engine.plan import Plan, World
from trading.engine.runner import SessionRunner
from trading.features.implied import atm_implied
from trading.features.window import FloatWindow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trading.market.frames import MarketFrame

DAY = DAYS[0]
LOOKBACK = 10


def _frames() -> list[MarketFrame]:
    """Half an hour of both underlyings, with five minutes that never came."""
    frames = day_frames(DAY, count=30)
    start = frames[0].available_at
    gap = range(start + 17 * 60_000_000, start + 22 * 60_000_000)
    return [frame for frame in frames if frame.available_at not in gap]


FRAMES = _frames()


def _cuts() -> tuple[Cut, ...]:
    start = FRAMES[0].available_at
    minute = 60_000_000
    chosen = random.Random(7)
    named = [
        Cut("first frame after the open", start),
        Cut("end of warm-up", start + LOOKBACK * minute),
        Cut("between two frames", start + 13 * minute + 1),
        Cut("inside a gap", start + 19 * minute),
        Cut("end of the frames", FRAMES[-1].available_at),
    ]
    last = FRAMES[-1].available_at
    return (*named, *(Cut(f"random {n}", chosen.randint(start, last)) for n in range(3)))


CUTS = _cuts()


# --- poisons --------------------------------------------------------------------------------------


@pytest.mark.parametrize("poison", FRAME_POISONS, ids=lambda poison: poison.name)
def test_poisoned_frames_are_valid_and_leave_the_past_alone(poison: Any) -> None:
    for cut in CUTS[:-4]:
        changed = poisoned_frames(FRAMES, poison, cut.at_us, 3)
        assert changed is not None
        known = [frame for frame in FRAMES if frame.available_at <= cut.at_us]
        assert changed[: len(known)] == known
        assert changed != FRAMES
        later = changed[len(known) :]
        assert all(frame.available_at > cut.at_us for frame in later)
        assert [f.available_at for f in later] == sorted(f.available_at for f in later)


# --- features -------------------------------------------------------------------------------------


def _implied(frames: Sequence[MarketFrame]) -> list[tuple[int, str]]:
    """The at-the-money feature as a live session has it: one window an underlying."""
    windows: dict[str, FloatWindow] = {}
    said = []
    for frame in frames:
        window = windows.setdefault(frame.underlying, FloatWindow(LOOKBACK))
        found = atm_implied(frame, window)
        if found.atm_iv is not None:
            window.append(found.atm_iv)
        said.append((frame.available_at, f"{frame.underlying} {asdict(found)}"))
    return said


def _implied_in_one_batch(frames: Sequence[MarketFrame]) -> list[tuple[int, str]]:
    """The same from nothing at every frame: its window rebuilt from all that came before."""
    said = []
    for number, frame in enumerate(frames):
        own = [before for before in frames[:number] if before.underlying == frame.underlying]
        values = [atm_implied(before, FloatWindow(LOOKBACK)).atm_iv for before in own]
        window = FloatWindow(LOOKBACK)
        for value in [value for value in values if value is not None][-LOOKBACK:]:
            window.append(value)
        said.append(
            (frame.available_at, f"{frame.underlying} {asdict(atm_implied(frame, window))}")
        )
    return said


def _implied_restarted(
    frames: Sequence[MarketFrame], stops: Sequence[int]
) -> list[tuple[int, str]]:
    windows: dict[str, FloatWindow] = {}
    said = []
    for number, frame in enumerate(frames):
        if number in stops:
            dumps = json.loads(json.dumps({name: w.dump() for name, w in windows.items()}))
            windows = {name: FloatWindow.restore(dump) for name, dump in dumps.items()}
        window = windows.setdefault(frame.underlying, FloatWindow(LOOKBACK))
        found = atm_implied(frame, window)
        if found.atm_iv is not None:
            window.append(found.atm_iv)
        said.append((frame.available_at, f"{frame.underlying} {asdict(found)}"))
    return said


def test_the_implied_volatility_knows_no_future() -> None:
    report = check_frames(_implied, FRAMES, CUTS)
    assert report.is_causal, str(report)
    assert report.trials > 70


def test_the_implied_volatility_live_is_that_of_the_batch() -> None:
    assert _implied(FRAMES) == _implied_in_one_batch(FRAMES)


def test_the_implied_volatility_survives_a_restart() -> None:
    assert _implied_restarted(FRAMES, (1, 9, 20, 31)) == _implied(FRAMES)


def test_the_implied_volatility_started_late_is_equal_once_its_window_is_full() -> None:
    late = _implied(FRAMES[11:])
    settled = late[2 * LOOKBACK + 2][0]
    assert [item for item in late if item[0] >= settled] == [
        item for item in _implied(FRAMES) if item[0] >= settled
    ]


def _peeking(frames: Sequence[MarketFrame]) -> list[tuple[int, str]]:
    """Each frame's volatility against the mean of the whole day."""
    values = [atm_implied(frame, FloatWindow(1)).atm_iv or 0.0 for frame in frames]
    mean = sum(values) / len(values)
    return [(f.available_at, repr(v - mean)) for f, v in zip(frames, values, strict=True)]


def test_a_feature_that_peeks_is_caught() -> None:
    report = check_frames(_peeking, FRAMES, CUTS)
    assert {"missing", "huge", "dropped", "longer"} <= set(report.caught_by())
    assert {leak.cut for leak in report.leaks} >= set(CUTS[:4])


_SEEN: dict[int, str] = {}


def _remembering(frames: Sequence[MarketFrame]) -> list[tuple[int, str]]:
    """The feature, but each instant as it was when it was first asked for."""
    return [(at, _SEEN.setdefault(at, said)) for at, said in _implied(frames)]


def test_a_drive_that_remembers_is_caught_backwards_in_a_fresh_process() -> None:
    poisons = [poison for poison in FRAME_POISONS if poison.name in {"huge", "shuffled"}]
    _SEEN.clear()
    assert frame_order_matters(_remembering, FRAMES, CUTS[:2], poisons=poisons)
    assert frame_order_matters(_implied, FRAMES, CUTS[:2], poisons=poisons) == ()


# --- the engine -----------------------------------------------------------------------------------


def _session(frames: Sequence[MarketFrame]) -> list[Event]:
    """A whole session of one day over frames: the real runner, broker and log."""
    with tempfile.TemporaryDirectory() as var_dir:
        plan = Plan(
            session="day1",
            configuration=factory_configuration(),
            days=[DAY],
            frames_of=lambda _: list(frames),
            code_version="test",
            speed=None,
            pack=False,
            durability=Durability.DAY,
        )
        world = World(
            var_dir=Path(var_dir),
            spool_key=SPOOL_KEY,
            clock=lambda: 0,
            sleep=asyncio.sleep,
            stopping=lambda: False,
            progress=lambda _: None,
        )
        SessionRunner(plan, world).run()
        lines = read_session(session_directory(Path(var_dir), "day1"))
        return [line.to_event() for line in lines if line.body["seq"]]


def _decided(frames: Sequence[MarketFrame]) -> list[tuple[int, bytes]]:
    """What a session says by itself: all it derives, what its days open with, and what its broker
    answers.
    """
    return [
        (event.ts, event.body_bytes())
        for event in _session(frames)
        if event.kind not in {"market.frame", "market.status", "clock.tick"}
    ]


@pytest.mark.slow
def test_no_decision_of_the_engine_knows_a_later_frame() -> None:
    cuts = [CUTS[1], CUTS[3], CUTS[5], CUTS[6]]
    report = check_frames(_decided, FRAMES, cuts)
    assert report.is_causal, str(report)
    assert report.trials == len(cuts) * len(FRAME_POISONS)


@pytest.mark.slow
def test_sessions_run_backwards_in_a_fresh_process_say_the_same() -> None:
    poisons = [poison for poison in FRAME_POISONS if poison.name in {"huge", "shuffled", "dropped"}]
    assert frame_order_matters(_decided, FRAMES, CUTS[1:3], poisons=poisons) == ()


def test_the_session_trades_so_there_is_something_to_leak() -> None:
    kinds = {event.kind for event in _session(FRAMES)}
    assert {"signal.emitted", "order.intended", "broker.report"} <= kinds


def test_an_engine_restored_anywhere_goes_on_to_the_bit() -> None:
    events = _session(FRAMES)
    inputs = [event for event in events if event.kind in INPUT_KINDS]
    derived = deque(event.body_bytes() for event in events if event.kind in DERIVED_KINDS)
    opening = next(event for event in inputs if event.kind == "day.opened")
    chosen = random.Random(4)
    stops = set(chosen.sample(range(3, len(inputs)), 12))
    engine = Engine("day1")
    for number, event in enumerate(inputs):
        if number in stops:
            engine = _restored(engine, opening)
        for said in engine.on(event):
            assert said.body_bytes() == derived.popleft()
    assert not derived


def _restored(engine: Engine, opening: Event) -> Engine:
    """Another engine with the state of a dump that went through JSON."""
    dump = json.loads(json.dumps(engine.dump()))
    other = Engine(engine.session)
    other.on(opening)  # an engine takes its configuration from an opening
    other.restore(dump)
    return other
