"""Push: what is durable becomes cells, once a change, and a heartbeat when there is none."""

from __future__ import annotations

import asyncio
import threading
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from channels.layers import get_channel_layer
from django.conf import settings

from brahmastra_site.launcher.valkey import locate_bus, start_valkey, stop_valkey
from journal.access import Role
from journal.kill_file import kill_file
from journal.live import (
    LiveFigures,
    Tail,
    figures_from_store,
    newest_session,
    open_sessions,
)
from journal.log.packing import pack_closed_days
from journal.push import FRAME_SECONDS, Publisher, group_name, render_cells
from tests.journal.log_bed import frame, open_log, session_closed, signals

if TYPE_CHECKING:
    from pathlib import Path

    from journal.log.writer import LogWriter


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


def test_whole_lines_after_the_published_head_are_not_read(var_dir: Path) -> None:
    """A batch is written before it is synced: until then it may yet be gone."""
    with open_log(var_dir) as log:
        log.open_day("2025-08-29")
        log.commit([frame("day1", 1)])
        published = (log.directory / "head").read_bytes()
        log.commit([*signals("day1", 2, 5), session_closed("day1", 7)])
        (log.directory / "head").write_bytes(published)
        tail = Tail(var_dir, "day1")
        assert [tail.advance().seq for _ in range(3)] == [1, 1, 1]
        assert not tail.figures.finished
        log.open_day("2025-08-30")  # publishes all of it
        assert (tail.advance().seq, tail.figures.finished) == (7, True)


def test_a_backlog_is_read_to_the_head_before_a_frame_leaves(
    var_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_log(var_dir) as log:
        log.open_day("2025-08-29")
        log.commit(signals("day1", 1, 2))
        tails = Tail(var_dir, "day1"), Tail(var_dir, "day1")
        for tail in tails:
            tail.advance()
        for first in range(3, 9003, 3000):
            log.commit(signals("day1", first, 3000))
    monkeypatch.setattr("journal.live.READ_SECONDS", 1e9)
    assert tails[0].advance().seq == 9002
    monkeypatch.setattr("journal.live.READ_SECONDS", 0.0)
    seen = [tails[1].advance().seq or 0 for _ in range(60)]  # time is up at once, each time
    assert seen == sorted(seen)
    assert seen[0] < 9002
    assert tails[1].figures == tails[0].figures


@pytest.mark.parametrize("read_before", [2, 600, 1001])
def test_a_day_packed_under_the_tail_is_read_on(
    var_dir: Path, monkeypatch: pytest.MonkeyPatch, read_before: int
) -> None:
    """Wherever in the day the tail stands: at its start, in its middle, at its end."""
    with open_log(var_dir) as log:
        log.open_day("2025-08-29")
        log.commit(signals("day1", 1, read_before - 1))
        tail = Tail(var_dir, "day1")
        assert tail.advance().line == read_before
        log.commit([*signals("day1", read_before, 1000 - read_before), frame("day1", 1000)])
        log.open_day("2025-08-30")
        (packed,) = pack_closed_days(log.directory)
        assert not packed.with_suffix("").exists()
        log.commit(signals("day1", 1001, 2))
        assert (tail.advance().seq, tail.figures.alarm) == (1002, "")
        assert tail.figures.cells[0].seq == 1000


def test_days_are_packed_while_the_tail_reads_them(
    var_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One thread writes, rotates and packs, the other follows in small steps."""
    monkeypatch.setattr("journal.live.READ_SECONDS", 0.0)
    days, each = 12, 400
    with open_log(var_dir) as log:
        log.open_day("2025-08-01")
        log.commit(signals("day1", 1, 1))
        tail, seen = Tail(var_dir, "day1"), [1]
        writing = threading.Thread(target=write_days, args=(log, days, each))
        writing.start()
        while seen[-1] < 1 + days * each:
            figures = tail.advance()
            assert figures.alarm == ""
            seen.append(figures.seq or 0)
        writing.join()
    assert seen == sorted(seen)
    assert len(list(log.directory.glob("*.jsonl.gz"))) == days


def write_days(log: LogWriter, days: int, each: int) -> None:
    seq = 2
    for day in range(2, 2 + days):
        log.open_day(f"2025-08-{day:02d}")
        for _ in range(4):
            log.commit(signals("day1", seq, each // 4))
            seq += each // 4
        pack_closed_days(log.directory)


def test_a_file_that_cannot_be_read_now_is_tried_again(var_dir: Path) -> None:
    with open_log(var_dir) as log:
        log.open_day("2025-08-29")
        log.commit(signals("day1", 1, 2))
        path = log.directory / "2025-08-29.jsonl"
        away = path.rename(log.directory / "away")
        path.mkdir()  # what is there opens as no file does
        tail = Tail(var_dir, "day1")
        assert "Is a directory" in tail.advance().alarm
        path.rmdir()
        away.rename(path)
        assert (tail.advance().alarm, tail.figures.seq) == ("", 2)


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
async def test_two_frames_are_a_frames_time_apart_however_long_the_reading_took(
    var_dir: Path,
) -> None:
    publisher = Publisher(var_dir, redis_url=settings.REDIS_URL)
    left = watch_sends(publisher)
    stop, written = asyncio.Event(), threading.Event()
    writing = asyncio.create_task(asyncio.to_thread(write_on, var_dir, written))
    running = asyncio.create_task(publisher.run(stop))
    async with asyncio.timeout(60):
        while True:
            await asyncio.sleep(0.05)
            if len(left[Role.VIEWER]) >= 8:
                break
    stop.set()
    written.set()
    await running
    await writing
    for times in left.values():
        assert all(later - sooner > FRAME_SECONDS - 0.001 for sooner, later in pairwise(times))
        for first, fifth in zip(times, times[4:], strict=False):
            assert fifth - first > 4 * FRAME_SECONDS - 0.004  # so no second holds five


def watch_sends(publisher: Publisher) -> dict[Role, list[float]]:
    """Note when each role is sent something, and send it."""
    left: dict[Role, list[float]] = {role: [] for role in Role}
    send = publisher._send

    async def noting(role: Role, html: str) -> None:
        left[role].append(time.monotonic())
        if role is Role.VIEWER:
            await asyncio.sleep(0.03 * (len(left[role]) % 3))  # a bus that is not always quick
        await send(role, html)

    publisher._send = noting  # type: ignore[method-assign]
    return left


def write_on(var_dir: Path, enough: threading.Event) -> None:
    """Commit as fast as it goes until it is enough."""
    with open_log(var_dir) as log:
        log.open_day("2025-08-29")
        seq = 1
        while not enough.is_set():
            log.commit(signals("day1", seq, 50))
            seq += 50


@pytest.mark.asyncio
async def test_a_frame_is_rendered_once_a_role_however_many_read(
    var_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[Role] = []

    def counted(figures: LiveFigures, *, role: Role, now_us: int) -> str:
        rendered.append(role)
        return render_cells(figures, role=role, now_us=now_us)

    monkeypatch.setattr("journal.push.render_cells", counted)
    with open_log(var_dir) as log:
        log.open_day("2025-08-29")
        log.commit([frame("day1", 1)])
    publisher = Publisher(var_dir, redis_url=settings.REDIS_URL)
    readers = [Listener(publisher._layer, role) for role in Role for _ in range(4)]
    for reader in readers:
        await reader.join()
    assert await publisher.publish_once(10.0)
    assert sorted(rendered) == sorted(Role)
    heard = [(reader.role, await reader.heard()) for reader in readers]
    assert all(html is not None for _, html in heard)
    assert len(set(heard)) == len(Role)
    assert not await publisher.publish_once(10.25)
    assert len(rendered) == len(Role)


@pytest.mark.asyncio
async def test_a_bus_stopped_and_started_again_gets_the_latest_figures(
    var_dir: Path, tmp_path: Path, settings: Any
) -> None:
    (tmp_path / "bus" / "run").mkdir(parents=True)
    bus = locate_bus(tmp_path / "bus")
    settings.CHANNEL_LAYERS = layers_at(settings.CHANNEL_LAYERS, bus.url())
    server = await asyncio.to_thread(start_valkey, bus)
    stop = asyncio.Event()
    try:
        with open_log(var_dir) as log:
            log.open_day("2025-08-29")
            log.commit([frame("day1", 1)])
            publisher = Publisher(var_dir, redis_url=bus.url())
            running = asyncio.create_task(publisher.run(stop))
            await until_stored(bus.url(), 1)
            await asyncio.to_thread(stop_valkey, server)
            log.commit(signals("day1", 2, 3))
            await asyncio.sleep(0.6)
            log.commit(signals("day1", 5, 3))
            assert not running.done()
            server = await asyncio.to_thread(start_valkey, bus)
            listener = Listener(get_channel_layer(), Role.VIEWER)
            await listener.join()
            await until_stored(bus.url(), 7)
            log.commit(signals("day1", 8, 1))
            await until_stored(bus.url(), 8)
            html = [await listener.heard(), await listener.heard()]
            assert any(text is not None and 'id="live-nifty"' in text for text in html)
            stop.set()
            await running
    finally:
        stop.set()
        await asyncio.to_thread(stop_valkey, server)


def layers_at(layers: dict[str, Any], url: str) -> dict[str, Any]:
    """The project's channel layer on another bus."""
    config = layers["default"]["CONFIG"] | {"hosts": [{"address": url, "socket_timeout": 30}]}
    return {"default": layers["default"] | {"CONFIG": config}}


async def until_stored(url: str, seq: int) -> None:
    """Wait until the bus has the figures of a seq."""
    async with asyncio.timeout(30):
        while True:
            stored = await asyncio.to_thread(figures_from_store, url)
            if stored is not None and stored.seq == seq:
                return
            await asyncio.sleep(0.05)


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
