"""Stopping a trading process when web, Postgres and Valkey are down: the file KILL, and the way
back, by real processes on a live feed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from journal.kill_file import kill_file
from journal.secrets import read_or_create_secret
from tests.trading.test_live_trade import DAY, SECOND_US, Desk, assert_replays, wait_until, writing
from tests.trading.test_trade_command import manage
from trading.market.calendar import session_hours

if TYPE_CHECKING:
    from pathlib import Path

    from journal.events import Event

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
SERVERS = ("DATABASE_URL", "MIRROR_DATABASE_URL", "AUDIT_OWNER_URL")


def told(var_dir: Path, *words: str) -> dict[str, Any]:
    result = manage(var_dir, *words, "--json")
    assert result.returncode == 0, result.stderr
    said: dict[str, Any] = json.loads(result.stdout)
    return said


def entries(events: list[Event]) -> list[Event]:
    orders = [event for event in events if event.kind in {"order.intended", "order.submitted"}]
    return [event for event in orders if event.data["purpose"] == "entry"]


def blocked(events: list[Event]) -> list[Event]:
    """Entries that fired and were refused by the kill switch."""
    return [
        event
        for event in events
        if event.kind == "gate.decided"
        and (event.data["action"], event.data["decided_by"]) == ("entry", 1)
    ]


@pytest.mark.slow
def test_the_file_stops_a_process_with_every_server_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in SERVERS:
        monkeypatch.setenv(name, NOWHERE)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    read_or_create_secret(tmp_path / "secrets" / "spool.key")
    desk = Desk(tmp_path, start_us=session_hours(DAY).open_us + 60 * SECOND_US)
    with writing(desk), desk.trading(*desk.configured()) as process:
        # 1. It trades; somebody at the machine writes a file.
        wait_until(lambda: entries(desk.events()) if desk.line() else False, process)
        kill_file(tmp_path).write_text("")

        # 2. What fires from now on is refused.
        wait_until(lambda: blocked(desk.events()), process)

        # 3. The file is lifted: what it stopped stays stopped until two people agree.
        assert told(tmp_path, "kill", "--lift", "--actor", "asha")["lifted"] == [""]
        assert not kill_file(tmp_path).exists()
        words = ("tell", "desk", "rearm", "kill switch", "--reason", "it was a drill")
        asked = told(tmp_path, *words, "--actor", "asha")
        approval = ("tell", "desk", "approve", asked["id"], "--reason", "seen", "--actor")
        told(tmp_path, *approval, "asha")
        wait_until(lambda: desk.count("request.changed") == 2, process)
        told(tmp_path, *approval, "ravi")
        wait_until(lambda: desk.count("breaker.changed") == 2, process)

        # 4. And trades again.
        armed = desk.events()[-1].seq or 0
        wait_until(
            lambda: [each for each in entries(desk.events()) if (each.seq or 0) > armed], process
        )
        process.terminate()
        assert process.wait(30) == 1

    events = desk.events()
    kill = next(event for event in events if event.kind == "operator.command")
    rearmed = [event for event in events if event.kind == "breaker.changed"][-1]
    assert (kill.data["actor"], kill.data["reason"]) == ("KILL file", "the KILL file exists")
    assert (rearmed.data["actor"], rearmed.data["approver"]) == ("asha", "ravi")
    stopped = events[events.index(kill) : events.index(rearmed)]
    assert blocked(stopped)
    assert entries(stopped) == []

    # 5. From press to no new order: of the instants stamped after the file, none but the one that
    #    was being worked on comes before the command.
    pressed = desk.start_us + (kill.data["issued_at"] - desk.began_us) * desk.rate
    between = {
        event.ts
        for event in events[: events.index(kill)]
        if event.kind in {"market.frame", "clock.tick"} and event.ts > pressed
    }
    assert len(between) <= 1
    assert_replays(desk)
