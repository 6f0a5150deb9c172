"""`manage.py trade --live`: real processes that write a feed and trade on it, killed, stopped and
started again; what they recorded replays to the same bytes.
"""

from __future__ import annotations

import json
import math
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from journal.log.head import read_head
from journal.log.reader import read_session
from journal.log.verification import verify_session
from tests.market_factory import chain_frame
from tests.trading.test_trade_command import ROOT, environment, manage
from trading.market.calendar import session_hours
from trading.market.feeds.messages import ChainMessage, LevelMessage, StatusMessage, VixMessage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from journal.events import Event

DAY, NEXT = date(2026, 2, 26), date(2026, 2, 27)
SECOND_US = 1_000_000
CADENCE = 20  # seconds of the feed
RATE = 60  # the tests' clock runs so many times as fast: a minute a second
CONFIGURATION = """
name = "live"
underlyings = ["NIFTY"]
[desk]
capital_rupees = 50_000_000
[costs]
profile = "GROSS"
[gates]
first_entry = "09:15"
last_entry = "15:29"
chain_age_seconds = 60
[strategies.S4]
lookback_snapshots = 4
entry_z = 1.0
hold_minutes = 2
"""


def market_messages(first_us: int) -> Iterator[bytes]:
    """What a feed says each cadence: the index, the volatility index now and then, a chain whose
    volatility leaves its range every fifth time.
    """
    number = 0
    while True:
        at_us = first_us + number * CADENCE * SECOND_US
        volatility = 0.12 + 0.003 * math.sin(number) + (0.02 if number % 5 == 4 else 0)
        made = chain_frame("NIFTY", at_us, volatility, each_side=10)
        said = [LevelMessage("NIFTY", at_us, 25_321_40), ChainMessage("NIFTY", at_us, made.chain)]
        if number % 4 == 0:
            said.append(VixMessage(at_us, 13.0 + number / 100))
        yield b"".join(msgspec.json.encode(message) + b"\n" for message in said)
        number += 1


@dataclass
class Desk:
    """A `VAR_DIR`, a configuration, a feed's file, and a clock that all processes share."""

    root: Path
    start_us: int
    rate: int = RATE
    began_us: int = field(default_factory=lambda: time.time_ns() // 1000)

    def __post_init__(self) -> None:
        self.configuration.write_text(CONFIGURATION)
        self.feed.touch()

    @property
    def configuration(self) -> Path:
        return self.root / "live.toml"

    @property
    def feed(self) -> Path:
        return self.root / "feed.jsonl"

    @property
    def directory(self) -> Path:
        return self.root / "sessions" / "desk"

    def now(self) -> int:
        return self.start_us + (time.time_ns() // 1000 - self.began_us) * self.rate

    def move_to(self, at_us: int) -> None:
        """Set the clock on for the processes to come."""
        self.start_us += at_us - self.now()

    def command(self, *words: str, live: str | None = None) -> list[str]:
        clock = (str(self.start_us), str(self.began_us), str(self.rate))
        trade = ("trade", "--session", "desk", "--live", live or f"tail:{self.feed}", *words)
        return [sys.executable, "-m", "tests.trading.trade_at", *clock, *trade]

    @contextmanager
    def trading(self, *words: str, live: str | None = None) -> Iterator[subprocess.Popen[str]]:
        """`trade`, from when its day is open; killed at the end if it still runs."""
        process = subprocess.Popen(
            self.command(*words, live=live),
            cwd=ROOT,
            env=environment(self.root),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def trade(self, *words: str, live: str | None = None) -> subprocess.CompletedProcess[str]:
        """`trade` to its end."""
        return subprocess.run(
            self.command(*words, live=live),
            cwd=ROOT,
            env=environment(self.root),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def configured(self) -> list[str]:
        return ["--config", str(self.configuration), "--cadence", str(CADENCE)]

    def line(self) -> int:
        head = read_head(self.directory)
        return head.line if head else 0

    def events(self) -> list[Event]:
        return [line.to_event() for line in read_session(self.directory)]

    def count(self, kind: str) -> int:
        """How many durable events of a kind there are."""
        if not self.line():
            return 0
        return sum(event.kind == kind for event in self.events())


def wait_until(what: object, process: subprocess.Popen[str]) -> None:
    """Wait until something is so; fail when the process ends before."""
    deadline = time.monotonic() + 60
    while not what():  # type: ignore[operator]
        if process.poll() is not None:
            pytest.fail(f"trade ended with {process.returncode}: {process.communicate()[1]}")
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.1)


@contextmanager
def writing(desk: Desk) -> Iterator[None]:
    """A process that appends to the feed's file what the market says when its time has come."""
    words = ["-m", "tests.trading.test_live_trade", str(desk.feed)]
    clock = [str(desk.start_us), str(desk.began_us), str(desk.rate)]
    process = subprocess.Popen([sys.executable, *words, *clock], cwd=ROOT)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def write_market(path: Path, start_us: int, began_us: int, rate: int) -> None:
    """Append to a file each line of the market at its instant by a clock, in two writes."""
    now = lambda: start_us + (time.time_ns() // 1000 - began_us) * rate  # noqa: E731
    at_us = now() // SECOND_US * SECOND_US
    with path.open("ab", buffering=0) as file:
        for lines in market_messages(at_us):
            time.sleep(max(0, (at_us - now()) / rate / 1e6))
            file.write(lines[: len(lines) // 2])
            file.write(lines[len(lines) // 2 :])
            at_us += CADENCE * SECOND_US


def assert_replays(desk: Desk) -> None:
    verify_session(desk.directory)
    result = manage(desk.root, "replay", "desk", "--times", "2", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["identical"] is True


def assert_ordered(events: list[Event]) -> None:
    seqs = [event.seq for event in events if event.seq is not None]
    assert seqs == list(range(1, len(seqs) + 1))
    times = [event.ts for event in events if event.seq is not None]
    assert times == sorted(times)


# --- a file that grows ----------------------------------------------------------------------------


@pytest.mark.slow
def test_a_live_day_killed_and_stopped_on_the_way_goes_on_to_its_close(tmp_path: Path) -> None:
    hours = session_hours(DAY)
    desk = Desk(tmp_path, start_us=hours.open_us + 3600 * SECOND_US)
    desk.feed.write_bytes(next(market_messages(hours.open_us)))  # said before: not ours
    with writing(desk):
        # 1. Killed by SIGKILL when there is an order on the book or a position.
        with desk.trading(*desk.configured()) as process:
            wait_until(lambda: desk.count("order.intended") >= 1, process)
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
        killed_at = desk.line()
        time.sleep(2 * CADENCE / RATE)  # what is said meanwhile nobody hears

        # 2. The same command continues; Ctrl-C stops it with one line.
        with desk.trading() as process:
            wait_until(lambda: desk.line() > killed_at + 120, process)
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 1
            assert process.stderr
            said = process.stderr.read()
            assert "continuing after seq" in said
            assert said.splitlines()[-1].endswith("run the same command again to continue")

    # 3. And once more, a little before the close of the day, where it ends by itself.
    desk.move_to(hours.close_us - 4 * 60 * SECOND_US)
    with writing(desk):
        result = desk.trade("--json")
    assert result.returncode == 0, result.stderr
    outcome = json.loads(result.stdout)
    assert outcome["finished"] is False

    events = desk.events()
    assert_ordered(events)
    assert outcome["events"] == len([event for event in events if event.seq is not None])
    kinds = Counter(event.kind for event in events)
    assert (kinds["session.opened"], kinds["day.opened"], kinds["day.closed"]) == (1, 1, 1)
    assert kinds["broker.report"] >= 2
    assert kinds["market.frame"] > 12

    # 4. The inputs are the feed's: no line twice, none from before, all stamped when received.
    frames = [event for event in events if event.kind == "market.frame"]
    chains = [event.data["as_of"] for event in frames if event.data["chain"]]
    assert len(chains) == len(set(chains))
    assert min(chains) > hours.open_us + 60 * SECOND_US
    assert {event.data["source"]["digest"] for event in frames} == {"live:tail"}
    ticks = [event.ts for event in events if event.kind == "clock.tick"]
    assert all(tick % SECOND_US == 0 for tick in ticks)
    assert ticks[-1] == hours.close_us
    snapshots = [event.ts for event in events if event.kind == "portfolio.snapshot"]
    assert len({at_us // (60 * SECOND_US) for at_us in snapshots}) == len(snapshots)

    # 5. The manifest names how each run ended, and the record replays to the same bytes.
    report = json.loads(manage(tmp_path, "log", "manifest", "desk", "--json").stdout)
    runs = report["manifest"]["runs"]
    assert [run["status"] for run in runs] == ["crashed", "stopped", "stopped"]
    assert report["manifest"]["data"] == []
    assert_replays(desk)


@pytest.mark.slow
def test_a_day_left_open_is_closed_before_the_next_one_and_the_last_day_ends_the_session(
    tmp_path: Path,
) -> None:
    hours = session_hours(DAY)
    desk = Desk(tmp_path, start_us=hours.open_us + 60 * SECOND_US)
    words = [*desk.configured(), "--to", NEXT.isoformat()]
    with writing(desk), desk.trading(*words) as process:
        wait_until(lambda: desk.count("market.frame") >= 3, process)
        process.kill()

    # The next morning, the feed silent: the day before is closed at its close, this one opens.
    desk.move_to(session_hours(NEXT).open_us - 20 * 60 * SECOND_US)
    with desk.trading() as process:
        wait_until(lambda: desk.count("day.opened") == 2, process)
        process.terminate()
        assert process.wait(30) == 1
    first, second = [event for event in desk.events() if event.kind == "day.opened"]
    (closed,) = [event for event in desk.events() if event.kind == "day.closed"]
    assert closed.ts == hours.close_us
    assert closed.data["state_digest"] == second.data["state_digest"]
    assert first.ts >= hours.open_us
    assert second.ts >= session_hours(NEXT).open_us - 15 * 60 * SECOND_US

    # After its close there is only that to do, and it was the session's last day.
    desk.move_to(session_hours(NEXT).close_us + SECOND_US)
    result = desk.trade("--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["finished"] is True
    assert "is closed" in result.stderr
    assert [event.kind for event in desk.events()][-2:] == ["session.ended", "session.closed"]
    assert_replays(desk)

    again = desk.trade()
    assert again.returncode == 1
    assert again.stderr.splitlines()[-1].endswith("is finished; choose another name")


@pytest.mark.slow
def test_a_feed_that_goes_silent_is_told_and_nothing_is_entered_on_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path, start_us=session_hours(DAY).open_us + 60 * SECOND_US)
    with desk.trading(*desk.configured()) as process:
        with writing(desk):
            wait_until(lambda: desk.count("signal.emitted") >= 6, process)
        last = desk.count("market.frame")
        wait_until(lambda: desk.count("market.status") >= 1, process)
        silent_from = desk.now()
        wait_until(lambda: desk.events()[-1].ts > silent_from + 150 * SECOND_US, process)
        # A halt is heard, and after it the market goes on.
        with desk.feed.open("ab") as file:
            for status in ("HALT", "RESUME"):
                file.write(msgspec.json.encode(StatusMessage("NIFTY", status, "drill")) + b"\n")
        wait_until(lambda: desk.count("market.status") >= 3, process)
    events = desk.events()
    statuses = [event for event in events if event.kind == "market.status"]
    assert [event.data["status"] for event in statuses][:3] == ["GAP", "HALT", "RESUME"]
    assert statuses[0].data["reason"] == f"nothing received for {2 * CADENCE} s"
    assert sum(event.kind == "market.frame" for event in events) - last <= 2
    snapshot = [event for event in events if event.kind == "portfolio.snapshot"][-1]
    chain_gate = [gate for gate in snapshot.data["gates"] if gate["number"] == 4]
    assert [gate["verdict"] for gate in chain_gate] == ["block"]
    assert_replays(desk)


# --- a WebSocket ----------------------------------------------------------------------------------


@contextmanager
def serving(content: bytes, port: int, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """A real server that sends lines at a port."""
    script = ROOT / "tests" / "trading" / "market" / "websocket_server.py"
    with subprocess.Popen(
        [sys.executable, str(script), "--port", str(port), *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(content)
        process.stdin.close()
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def test_a_websocket_that_breaks_is_taken_up_again_while_the_clock_goes_on(tmp_path: Path) -> None:
    desk = Desk(tmp_path, start_us=session_hours(DAY).open_us + 60 * SECOND_US)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    lines = [next(market_messages(desk.start_us + i * SECOND_US)) for i in range(3)]
    with desk.trading(*desk.configured(), live=f"ws://127.0.0.1:{port}/feed") as process:
        wait_until(lambda: desk.count("clock.tick") >= 3, process)  # nobody is there yet
        with serving(lines[0], port, "--break"):
            wait_until(lambda: desk.count("market.frame") >= 2, process)
        ticks = desk.count("clock.tick")
        wait_until(lambda: desk.count("clock.tick") > ticks + 3, process)
        with serving(lines[1], port, "--silent"):
            wait_until(lambda: desk.count("market.frame") >= 4, process)
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=30)[1]
    assert f"live feed lost: ws://127.0.0.1:{port}/feed: no connection" in said
    assert f"live feed lost: ws://127.0.0.1:{port}/feed: the connection broke" in said
    frames = [event for event in desk.events() if event.kind == "market.frame"]
    assert {event.data["source"]["name"] for event in frames} == {"websocket"}
    assert_replays(desk)


# --- what cannot be -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "live", "said"),
    [
        ([], "tail:/nowhere", "live feed 'tail:/nowhere': no such file"),
        ([], "http://x", "expected tail:PATH, ws://HOST"),
        (["--speed", "2"], None, "--speed is of stored frames, not of a live feed"),
        (["--cadence", "0"], None, "feed.live_cadence_seconds is 0, expected more than 0"),
        (["--to", "2026-02-25"], None, "today, 2026-02-26, is not from the start to 2026-02-25"),
        (["--from", "2026-02-27"], None, "today, 2026-02-26, is not from 2026-02-27 to the end"),
    ],
)
def test_bad_input_is_one_clear_line_and_writes_nothing(
    tmp_path: Path, words: list[str], live: str | None, said: str
) -> None:
    desk = Desk(tmp_path, start_us=session_hours(DAY).open_us)
    result = desk.trade(*words, live=live)
    assert result.returncode == 1
    assert said in result.stderr.splitlines()[-1]
    assert "Traceback" not in result.stderr
    assert not desk.directory.exists()


@pytest.mark.parametrize(
    ("at_us", "said"),
    [
        (session_hours(DAY).close_us, "the market of today, 2026-02-26, is closed"),
        (session_hours(NEXT).close_us + 86_400 * SECOND_US, "is not a market day (Saturday)"),
        (1_769_405_400 * SECOND_US, "2026-01-26, is not a market day (Republic Day)"),
    ],
)
def test_a_day_without_a_market_is_refused(tmp_path: Path, at_us: int, said: str) -> None:
    desk = Desk(tmp_path, start_us=at_us, rate=1)
    result = desk.trade()
    assert result.returncode == 1
    assert said in result.stderr.splitlines()[-1]
    assert not desk.directory.exists()


def test_a_live_session_needs_its_feed_and_a_recorded_one_has_none(tmp_path: Path) -> None:
    desk = Desk(tmp_path, start_us=session_hours(DAY).open_us - 3600 * SECOND_US, rate=1)
    with desk.trading(*desk.configured()) as process:
        assert process.stderr
        assert "waiting for the market to open" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 1
    desk.start_us += 3600 * SECOND_US
    with desk.trading(*desk.configured()) as process:
        wait_until(lambda: desk.count("day.opened") == 1, process)
    result = manage(tmp_path, "trade", "--session", "desk")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].endswith("desk is live: name its feed with --live")


if __name__ == "__main__":
    write_market(Path(sys.argv[1]), *map(int, sys.argv[2:5]))
