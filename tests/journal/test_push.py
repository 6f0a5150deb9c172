"""Push: what is durable becomes cells, once a change, and a heartbeat when there is none."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings

from journal.access import Role
from journal.live import (
    LiveFigures,
    Tail,
    figures_from_store,
    newest_session,
    open_sessions,
)
from journal.push import Publisher, group_name, render_cells
from journal.spool import kill_file
from tests.journal.log_bed import frame, open_log, session_closed, signals

if TYPE_CHECKING:
    from pathlib import Path


class Listener:
    """A member of a role's group, on the real channel layer."""

    def __init__(self, layer: Any, role: Role) -> None:
        self.layer, self.role = layer, role

    async def join(self) -> None:
        self.channel = await self.layer.new_channel()
        await self.layer.group_add(group_name(self.role), self.channel)

    async def heard(self) -> str | None:
        """Return the next message, or None when there is none within 0.3 s."""
        try:
            async with asyncio.timeout(0.3):
                return str((await self.layer.receive(self.channel))["html"])
        except TimeoutError:
            return None


def test_the_tail_follows_commits_and_knows_the_newest_forward(var_dir: Path) -> None:
    with open_log(var_dir) as log:
        log.open_day("2025-08-29")
        log.commit([frame("day1", 1), *signals("day1", 2, 3)])
        tail = Tail(var_dir, "day1")
        first = tail.advance()
        assert (first.line, first.seq, first.finished) == (5, 4, False)
        nifty = first.cells[0]
        assert (nifty.underlying, nifty.forward_paise, nifty.seq) == ("NIFTY", 2_450_000, 1)
        assert first.cells[1].forward_paise is None
        assert tail.advance() == first
        log.commit([session_closed("day1", 5)])
        assert tail.advance().finished


def test_the_tail_goes_on_into_the_next_day(var_dir: Path) -> None:
    with open_log(var_dir) as log:
        log.open_day("2025-08-29")
        log.commit(signals("day1", 1, 2))
        tail = Tail(var_dir, "day1")
        tail.advance()
        log.open_day("2025-08-30")
        log.commit([frame("day1", 3)])
        assert (tail.advance().seq, tail.advance().line) == (3, 5)


def test_nothing_undurable_is_shown(var_dir: Path) -> None:
    with open_log(var_dir) as log:
        log.open_day("2025-08-29")
        log.commit(signals("day1", 1, 2))
        path = log.directory / "2025-08-29.jsonl"
        with path.open("ab") as file:
            file.write(b'{"event": "half a batch"')
        assert Tail(var_dir, "day1").advance().seq == 2


def test_a_log_that_breaks_its_chain_is_read_no_further_and_said_so(var_dir: Path) -> None:
    with open_log(var_dir) as log:
        log.open_day("2025-08-29")
        log.commit(signals("day1", 1, 5))
    path = log.directory / "2025-08-29.jsonl"
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"seq":4', b'"seq":7'))
    figures = Tail(var_dir, "day1").advance()
    assert figures.seq == 3
    assert "2025-08-29.jsonl" in figures.alarm
    assert "refused" in render_cells(figures, role=Role.VIEWER, now_us=0)


def test_open_sessions_are_those_that_do_not_end_with_their_close(var_dir: Path) -> None:
    for name, ended in (("one", True), ("two", False)):
        with open_log(var_dir, name) as log:
            log.open_day("2025-08-29")
            log.commit([frame(name, 1), *([session_closed(name, 2)] if ended else [])])
    assert open_sessions(var_dir) == ["two"]
    assert newest_session(var_dir) == "two"


def test_the_last_event_is_found_behind_lines_of_any_length(var_dir: Path) -> None:
    for name, length in (("short", 10), ("long", 100_000)):
        with open_log(var_dir, name) as log:
            log.open_day("2025-08-29")
            log.commit([*signals(name, 1, 1, note="x" * length)])
            assert open_sessions(var_dir)[0] in {"short", "long"}
            log.commit([session_closed(name, 2, costs="y" * length)])
    assert open_sessions(var_dir) == []


def test_figures_survive_their_own_json() -> None:
    figures = LiveFigures(session="day1", line=3, alarm="₹")
    assert LiveFigures.from_json(figures.to_json()) == figures


def test_only_operators_are_told_what_waits_for_the_engine() -> None:
    figures = LiveFigures(session="day1", waiting=2)
    assert "2 commands waiting" in render_cells(figures, role=Role.OPERATOR, now_us=0)
    assert "waiting" not in render_cells(figures, role=Role.VIEWER, now_us=0)


@pytest.mark.asyncio
async def test_one_frame_a_change_then_heartbeats_and_the_store_has_the_same(
    var_dir: Path,
) -> None:
    with open_log(var_dir) as log:
        log.open_day("2025-08-29")
        log.commit([frame("day1", 1)])
        publisher = Publisher(var_dir, redis_url=settings.REDIS_URL)
        layer = publisher._layer
        listener, other = Listener(layer, Role.OPERATOR), Listener(layer, Role.VIEWER)
        await listener.join()
        await other.join()
        assert await publisher.publish_once(10.0)
        heard = await listener.heard()
        assert heard is not None
        assert "24,500.00" in heard
        assert 'id="live-nifty"' in heard
        assert await other.heard() is not None
        stored = await asyncio.to_thread(figures_from_store, settings.REDIS_URL)
        assert stored is not None
        assert stored.seq == 1

        assert not await publisher.publish_once(10.25)
        assert await listener.heard() is None
        assert not await publisher.publish_once(11.0)
        beat = await listener.heard()
        assert beat is not None
        assert 'id="live-beat"' in beat
        assert "live-nifty" not in beat

        log.commit(signals("day1", 2, 1))
        assert await publisher.publish_once(11.25)
        kill_file(var_dir).write_text("operator: feed")
        assert await publisher.publish_once(11.5)
        assert "24,500.00" in str(await listener.heard())
        assert "STOPPED" in str(await listener.heard())


@pytest.mark.asyncio
async def test_never_more_than_four_frames_a_second(var_dir: Path) -> None:
    with open_log(var_dir) as log:
        log.open_day("2025-08-29")
        log.commit(signals("day1", 1, 1))
        publisher = Publisher(var_dir, redis_url=settings.REDIS_URL)
        listener = Listener(publisher._layer, Role.VIEWER)
        await listener.join()
        stop = asyncio.Event()
        running = asyncio.create_task(publisher.run(stop))
        began, seq, heard = time.monotonic(), 1, 0
        while time.monotonic() - began < 1.5:
            seq += 1
            await asyncio.to_thread(log.commit, signals("day1", seq, 1))
            await asyncio.sleep(0.02)
        stop.set()
        await running
        while await listener.heard() is not None:
            heard += 1
    assert seq > 15
    assert 3 <= heard <= 7


@pytest.mark.asyncio
async def test_a_bus_that_is_down_is_waited_for(var_dir: Path, tmp_path: Path) -> None:
    publisher = Publisher(var_dir, redis_url=f"unix://{tmp_path}/nobody.sock")
    with open_log(var_dir) as log:
        log.open_day("2025-08-29")
        log.commit(signals("day1", 1, 1))
    stop = asyncio.Event()
    running = asyncio.create_task(publisher.run(stop))
    await asyncio.sleep(0.6)
    assert not running.done()
    stop.set()
    await asyncio.wait_for(running, timeout=2)


def test_without_a_bus_a_page_simply_has_no_figures(tmp_path: Path) -> None:
    assert figures_from_store(f"unix://{tmp_path}/nobody.sock") is None
