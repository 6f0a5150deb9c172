"""A trading process killed by SIGKILL while the market stands still by the circuit breaker, and
started again: the halt is neither forgotten nor told twice, and ends when it would have ended.
"""

from __future__ import annotations

import json
import signal
import socket
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from journal.log.reader import read_session
from journal.log.verification import verify_session
from tests.market_rows import MINUTE_US, at, store_rows
from tests.trading.engine.test_derived_halts import DAY, begins_of, ends_of, fill_store
from tests.trading.engine.test_settlement import of_kind
from tests.trading.test_live_trade import (
    Desk,
    assert_ordered,
    assert_replays,
    serving,
    wait_until,
)
from tests.trading.test_trade_command import bodies_of, manage, start, wait_for_line
from trading.market.calendar import calendar, session_hours
from trading.market.feeds.messages import LevelMessage, Message, StatusMessage
from trading.market.figures import table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from journal.events import Event

CLOSE = 25_000_00
BEFORE = calendar().previous_market_day(DAY)
HOURS = session_hours(DAY)
ROW: dict[str, Any] = table("circuit_breakers")["circuit_breaker"][0]  # 10 %: an hour
CONFIGURATION = """
name = "halts"
underlyings = ["NIFTY", "BANKNIFTY"]
[desk]
capital_rupees = 50_000_000
[costs]
profile = "GROSS"
[gates]
first_entry = "09:15"
last_entry = "15:29"
chain_age_seconds = 180
[strategies.S4]
lookback_snapshots = 5
entry_z = 1.5
hold_minutes = 8
"""


def told(events: list[Event]) -> list[tuple[str | None, str, int]]:
    """What was said of each underlying, gaps left out, and when."""
    return [
        (event.key, event.data["status"], event.ts)
        for event in of_kind(events, "market.status")
        if event.data["status"] != "GAP"
    ]


@pytest.mark.slow
def test_a_recorded_day_killed_in_a_halt_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    begins = begins_of(ROW)
    ends = ends_of(ROW, begins)
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    configuration = tmp_path / "halts.toml"
    configuration.write_text(CONFIGURATION)
    fill_store(calm / "market", begins, ROW["move_percent"], ends, close=True)
    killed.mkdir()
    (killed / "market").symlink_to(calm / "market")
    words = ("trade", "--session", "day1", "--config", str(configuration))

    # 1. The session as it is without interruption: something is held as the market stops.
    result = manage(calm, *words)
    assert result.returncode == 0, result.stderr
    lines = list(read_session(calm / "sessions" / "day1"))
    events = [line.to_event() for line in lines]
    both = ("NIFTY", "BANKNIFTY")
    assert told(events) == [
        *((name, "HALT", begins) for name in both),
        *((name, "RESUME", ends) for name in both),
    ]
    states = [(e.data["state"], e.ts) for e in of_kind(events, "position.changed")]
    assert [state for state, when in states if when < begins][-1] == "HOLD"
    assert next(state for state, when in states if when >= ends) == "EXIT"

    # 2. The same, killed three times in the halt: as it begins, half way, and later.
    stops = [line.line for line in lines if line.body["kind"] == "market.status"]
    first, last = stops[0], stops[2]
    for line in (first, (first + last) // 2, (first + 3 * last) // 4):
        process = start(killed, *words, "--speed", "1000")
        wait_for_line(killed, "day1", line, process)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        process.communicate()
        said = told([each.to_event() for each in read_session(killed / "sessions" / "day1")])
        assert {status for _, status, _ in said} == {"HALT"}  # it was in the halt

    # 3. What a last start makes of it is the same session, byte for byte.
    result = manage(killed, *words)
    assert result.returncode == 0, result.stderr
    assert bodies_of(killed, "day1") == bodies_of(calm, "day1")
    verify_session(killed / "sessions" / "day1")
    replay = manage(killed, "replay", "day1", "--times", "2", "--json")
    assert replay.returncode == 0, replay.stderr
    assert json.loads(replay.stdout)["identical"] is True


# --- a live feed ----------------------------------------------------------------------------------


def desk_at(root: Path, at_us: int) -> Desk:
    """A desk whose clock runs five minutes a second, with the close of the day before."""
    desk = Desk(root, start_us=at_us, rate=300)
    desk.configuration.write_text(CONFIGURATION)
    close = {
        "as_of": at(BEFORE, "15:30"),
        "available_at": at(DAY, "09:00"),
        "trade_date": BEFORE,
        "index": "Nifty 50",
        "close_paise": CLOSE,
    }
    store_rows(root / "market", "index_closes", [close])
    # A generated close is no close of a real market, whatever day it is of.
    store_rows(
        root / "market", "index_closes", [close | {"close_paise": 1}], name="made", synthetic=True
    )
    return desk


def say(desk: Desk, *messages: Message) -> None:
    with desk.feed.open("ab") as file:
        file.write(b"".join(msgspec.json.encode(message) + b"\n" for message in messages))


def heard(desk: Desk, paise: int) -> Callable[[], bool]:
    """Say a level of NIFTY again and again, until the session has heard it."""
    frames = desk.count("market.frame")

    def is_heard() -> bool:
        say(desk, LevelMessage("NIFTY", desk.now(), paise))
        return desk.count("market.frame") > frames

    return is_heard


def fall(desk: Desk, from_percent: int, to_percent: int) -> list[Message]:
    """NIFTY, one per cent lower each time."""
    now = desk.now()
    return [
        LevelMessage("NIFTY", now + percent, CLOSE * (100 - percent) // 100)
        for percent in range(from_percent, to_percent + 1)
    ]


@pytest.mark.slow
def test_a_live_session_killed_in_a_halt_keeps_it_and_its_end(tmp_path: Path) -> None:
    desk = desk_at(tmp_path, HOURS.open_us + 5 * MINUTE_US)
    words = [*("--config", str(desk.configuration)), "--cadence", "600"]
    with desk.trading(*words) as process:
        wait_until(lambda: desk.count("clock.tick"), process)
        say(desk, LevelMessage("BANKNIFTY", desk.now(), 58_000_00), *fall(desk, 0, 10))
        wait_until(lambda: len(told(desk.events())) == 2, process)
        say(desk, StatusMessage("NIFTY", "HALT", "index circuit"))  # the feed tells it too
        wait_until(lambda: len(told(desk.events())) == 3, process)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL

    # The store has another close by now; the day goes on with the one that it opened with. The
    # index, still as low, halts nothing again, and the feed's own word is heard as before.
    other = {"as_of": at(BEFORE, "15:30"), "available_at": at(DAY, "09:00"), "trade_date": BEFORE}
    rows = [other | {"index": "Nifty 50", "close_paise": CLOSE - 100_00}]
    store_rows(tmp_path / "market", "index_closes", rows, name="later")
    with desk.trading() as process:
        wait_until(heard(desk, CLOSE * 895 // 1000), process)
        say(desk, StatusMessage("NIFTY", "RESUME", "index circuit over"))
        wait_until(lambda: len(told(desk.events())) == 6, process)
        wait_until(heard(desk, CLOSE * 894 // 1000), process)
        process.send_signal(signal.SIGKILL)
        process.wait()

    events = desk.events()
    assert_ordered(events)
    begun = told(events)[0][2]
    halts = [(name, status) for name, status, _ in told(events)]
    assert halts == [
        ("NIFTY", "HALT"),
        ("BANKNIFTY", "HALT"),
        ("NIFTY", "NOTED"),
        ("NIFTY", "NOTED"),
        ("NIFTY", "RESUME"),
        ("BANKNIFTY", "RESUME"),
    ]
    statuses = [e for e in of_kind(events, "market.status") if e.data["status"] != "GAP"]
    crossing = next(e for e in of_kind(events, "market.frame") if e.ts == begun)
    ends = min(crossing.data["as_of"], begun) + 60 * MINUTE_US
    assert [e.ts for e in statuses[4:]] == [ends, ends]
    assert {e.data["reason"] for e in statuses[:2]} == {
        "market-wide circuit breaker, 10 % of the previous close 25000.00 of NIFTY"
    }
    gates = [
        gate["verdict"]
        for snapshot in of_kind(events, "portfolio.snapshot")
        if begun < snapshot.ts < ends
        for gate in snapshot.data["gates"]
        if gate["number"] == 3
    ]
    assert set(gates) == {"block"}
    assert_replays(desk)


@pytest.mark.slow
def test_a_websocket_that_tells_a_fall_halts_a_session_too(tmp_path: Path) -> None:
    desk = desk_at(tmp_path, HOURS.open_us + 5 * MINUTE_US)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said = b"".join(msgspec.json.encode(message) + b"\n" for message in fall(desk, 0, 20))
    words = [*("--config", str(desk.configuration)), "--cadence", "600"]
    with (
        serving(said, port, "--silent"),
        desk.trading(*words, live=f"ws://127.0.0.1:{port}/feed") as process,
    ):
        wait_until(lambda: desk.count("market.status") >= 2, process)
        wait_until(lambda: desk.count("market.frame") >= 21, process)
    (nifty, banknifty) = told(desk.events())
    assert (nifty[:2], banknifty[:2]) == (("NIFTY", "HALT"), ("BANKNIFTY", "HALT"))
    assert_replays(desk)
