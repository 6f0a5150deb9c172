"""The kill switch in real sessions: of all or one strategy, with what is held closed or kept, set
by command and by file, re-armed by two people; each replayed to the same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from journal.kill_file import kill_file
from journal.spool import write_command
from tests.market_factory import SPOOL_KEY
from tests.trading.engine.desk_bed import START, Desk, Told, firing, frame, look_at, tell
from trading.market.frames import MarketStatus

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from journal.events import Event

HELD = [*firing(), *[frame(minute, 0.15) for minute in range(6, 16)]]  # entered, then left alone
KEPT = {"hold_minutes": 400}


def run(var_dir: Path, told: Told, feed: Sequence[Any] = HELD) -> list[Event]:
    return Desk(var_dir, feed, told, **KEPT).run()


def switched(events: Sequence[Event]) -> list[tuple[str, str, bool]]:
    return [
        (event.data["what"], event.data["state"], event.data["flattens"])
        for event in events
        if event.kind == "breaker.changed"
    ]


def exits(events: Sequence[Event]) -> list[str]:
    return [
        event.data["reason"]
        for event in events
        if event.kind == "gate.decided" and event.data["action"] == "exit"
    ]


def flags_at_gate_one(events: Sequence[Event]) -> list[str | None]:
    return [
        event.data["gates"][0]["reason"]
        for event in events
        if event.kind == "gate.decided" and event.data["action"] == "entry"
    ]


def held_at_the_end(events: Sequence[Event]) -> int:
    return len([e for e in events if e.kind == "portfolio.snapshot"][-1].data["positions"])


@pytest.mark.parametrize(
    ("arguments", "what", "flattens"),
    [
        ({}, "kill switch", True),
        ({"hold": True}, "kill switch", False),
        ({"hold": False}, "kill switch", True),
        ({"hold": "yes"}, "kill switch", True),
        ({"strategy": "S4"}, "kill switch S4", True),
        ({"strategy": "S4", "hold": True}, "kill switch S4", False),
        ({"strategy": "S9"}, "kill switch", True),
        ({"strategy": ["S4"]}, "kill switch", True),
        ({"strategy": ""}, "kill switch", True),
    ],
)
def test_a_kill_closes_or_keeps_what_is_held(
    tmp_path: Path, *, arguments: dict[str, Any], what: str, flattens: bool
) -> None:
    events = run(tmp_path, {look_at(8): [tell(1, "kill", **arguments)]})
    assert switched(events) == [(what, "open", flattens)]
    assert exits(events) == (["KILL"] if flattens else [])
    assert held_at_the_end(events) == (0 if flattens else 1)


def test_a_name_the_session_does_not_have_says_so(tmp_path: Path) -> None:
    events = run(tmp_path, {look_at(8): [tell(1, "kill", strategy="S9")]})
    (breaker,) = [event for event in events if event.kind == "breaker.changed"]
    assert breaker.data["reason"] == (
        "reason 1 ('S9' is no strategy of this session: all is stopped)"
    )


@pytest.mark.parametrize("arguments", [{}, {"hold": True}, {"strategy": "S4", "hold": True}])
def test_nothing_is_entered_after_it(tmp_path: Path, arguments: dict[str, Any]) -> None:
    without = Desk(tmp_path / "without", firing()).run()
    assert flags_at_gate_one(without) == [None]
    events = run(tmp_path / "with", {2: [tell(1, "kill", **arguments)]}, firing())
    assert flags_at_gate_one(events) == ["set by asha: reason 1"]
    assert not [event for event in events if event.kind == "order.intended"]


@pytest.mark.parametrize("hold", [False, True])
def test_a_kill_cancels_entries_that_work(tmp_path: Path, *, hold: bool) -> None:
    """Told between the frame that fires and the next one, which would fill."""
    feed = [*firing(), frame(7, 0.15)]
    told = {look_at(6) + 1: [tell(1, "kill", strategy="S4", hold=hold)]}
    events = run(tmp_path, told, feed)
    purposes = [event.data["purpose"] for event in events if event.kind == "order.intended"]
    assert purposes == ["entry", "entry", "cancel", "cancel"]
    assert not [e for e in events if e.kind == "broker.report" and e.data["status"] == "FILLED"]


def test_a_stop_that_closes_follows_one_that_keeps_and_not_the_other_way(tmp_path: Path) -> None:
    keep = tell(1, "kill", hold=True)
    close = tell(2, "kill")
    later = run(tmp_path / "a", {look_at(8): [keep], look_at(10): [close]})
    assert switched(later) == [("kill switch", "open", False), ("kill switch", "open", True)]
    assert held_at_the_end(later) == 0
    weaker = run(tmp_path / "b", {look_at(8): [close, keep]})
    assert switched(weaker) == [("kill switch", "open", True), ("kill switch", "open", True)]
    assert held_at_the_end(weaker) == 0


def test_a_strategy_s_stop_closes_although_the_desk_s_keeps(tmp_path: Path) -> None:
    keep, close = tell(1, "kill", hold=True), tell(2, "kill", strategy="S4")
    events = run(tmp_path, {look_at(8): [keep, close]})
    assert exits(events) == ["KILL"]


def test_each_switch_is_re_armed_by_itself_by_two_people(tmp_path: Path) -> None:
    rearm = tell(3, "rearm", breaker="kill switch S4")
    told = {
        1: [tell(1, "kill"), tell(2, "kill", strategy="S4"), rearm],
        2: [tell(4, "approve", request=rearm.id), tell(5, "approve", "ravi", request=rearm.id)],
    }
    events = run(tmp_path, told, firing())
    assert [each[:2] for each in switched(events)] == [
        ("kill switch", "open"),
        ("kill switch S4", "open"),
        ("kill switch S4", "closed"),
    ]
    closed = [event for event in events if event.kind == "breaker.changed"][-1].data
    assert (closed["actor"], closed["approver"], closed["reason"]) == ("asha", "ravi", "reason 3")
    assert (closed["hard"], closed["flattens"]) == (True, False)
    assert flags_at_gate_one(events) == ["set by asha: reason 1"]
    refused = [
        event.data["reason"]
        for event in events
        if event.kind == "request.changed" and event.data["state"] == "refused"
    ]
    assert refused == ["asha asked for it: a second person approves"]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("kill switch S4", "kill switch S4 is not set"),
        ("kill switch S9", "'kill switch S9' is no breaker"),
        ("kill switch", "kill switch is not set"),
    ],
)
def test_a_switch_that_is_not_set_is_not_re_armed(tmp_path: Path, name: str, why: str) -> None:
    events = run(tmp_path, {1: [tell(1, "rearm", breaker=name)]}, firing())
    (answer,) = [event for event in events if event.kind == "request.changed"]
    assert (answer.data["state"], answer.data["reason"]) == ("refused", why)


# --- the file -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "stands"),
    [
        ("", [("kill switch", "open", True)]),
        ("strategy=S4 odd fills", [("kill switch S4", "open", True)]),
        ("strategy=S4 hold=yes odd", [("kill switch S4", "open", False)]),
        ("hold=yes odd", [("kill switch", "open", False)]),
        ("strategy=S9 a slip", [("kill switch", "open", True)]),
        ("strategy=S9 a slip\nstrategy=S9 hold=yes again", [("kill switch", "open", True)]),
        (
            "strategy=S4 hold=yes a\nstrategy=S4 b",
            [("kill switch S4", "open", False), ("kill switch S4", "open", True)],
        ),
        ("a\nstrategy=S4 b", [("kill switch", "open", True)]),
        (
            "hold=yes a\nstrategy=S4 b",
            [("kill switch", "open", False), ("kill switch S4", "open", True)],
        ),
    ],
)
def test_the_file_says_what_is_stopped_and_is_obeyed_once(
    tmp_path: Path, text: str, stands: list[tuple[str, str, bool]]
) -> None:
    tmp_path.mkdir(exist_ok=True)
    kill_file(tmp_path).write_text(text)
    assert switched(run(tmp_path, {}, firing())) == stands


def test_a_file_that_is_wider_than_what_stands_is_obeyed(tmp_path: Path) -> None:
    kill_file(tmp_path).write_text("by asha: drill")
    events = run(tmp_path, {1: [tell(1, "kill", strategy="S4", hold=True)]}, firing())
    assert switched(events) == [("kill switch S4", "open", False), ("kill switch", "open", True)]


# --- from press to no new order: the order of the log ---------------------------------------------


def instants(events: Sequence[Event]) -> set[int]:
    return {event.ts for event in events if event.kind in {"market.frame", "clock.tick"}}


@pytest.mark.parametrize("minute", [2, 5, 6, 7, 9, 13])
@pytest.mark.parametrize("by_file", [False, True])
def test_a_press_at_any_instant_is_in_the_log_before_the_next_one(
    tmp_path: Path, *, minute: int, by_file: bool
) -> None:
    """No frame and no tick comes between press and command, and no entry is sent after it."""
    jumps = [frame(minute, 0.15 + 0.05 * (minute % 2)) for minute in range(6, 16)]
    desk = Desk(tmp_path, [*firing(), *jumps], hold_minutes=1, entry_z=0.5)
    looks: list[int] = []

    def press() -> bool:
        looks.append(len(looks))
        if len(looks) == look_at(minute):
            if by_file:
                kill_file(tmp_path).write_text("drill")
            else:
                write_command(var_dir=tmp_path, key=SPOOL_KEY, command=tell(1, "kill"))
        return False

    desk.rig.stopping = press
    events = desk.run()
    (kill,) = [event for event in events if event.kind == "operator.command"]
    before, after = events[: events.index(kill)], events[events.index(kill) :]
    due = sorted(instants(events))[look_at(minute) - 1]
    assert max(instants(before)) < due == min(instants(after))
    orders = [event for event in after if event.kind in {"order.intended", "order.submitted"}]
    assert "entry" not in {event.data["purpose"] for event in orders}


def test_a_press_in_a_halt_is_in_the_log_before_the_next_instant(tmp_path: Path) -> None:
    halt = MarketStatus("NIFTY", START + 7 * 60_000_000 + 5_000_000, "HALT", "drill")
    feed = [*firing(), frame(6, 0.15), halt]
    events = run(tmp_path, {look_at(9): [tell(1, "kill", strategy="S4")]}, feed)
    (queued,) = [e.data for e in events if e.kind == "gate.decided" and e.data["action"] == "exit"]
    assert (queued["verdict"], queued["reason"]) == ("queued", "KILL")
