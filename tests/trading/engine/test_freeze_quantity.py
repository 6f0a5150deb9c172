"""Entries and exits above the exchange's largest order, in real sessions."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest

from journal.log.reader import read_session
from tests.trading.engine.desk_bed import Desk, firing, frame, look_at, tell
from tests.trading.engine.test_runner import bodies_of, cut_after

if TYPE_CHECKING:
    from pathlib import Path

    from journal.events import Event

HELD = [*firing(), *[frame(minute, 0.15) for minute in range(6, 14)]]
LARGE: dict[str, Any] = {"lots": 50, "capital_rupees": 50_000_000_000}  # 3,250 units a leg
COSTS = {"profile": "ZERODHA"}


def intents(events: list[Event], purpose: str) -> list[dict[str, Any]]:
    return [e.data for e in events if e.kind == "order.intended" and e.data["purpose"] == purpose]


def by_leg(orders: list[dict[str, Any]]) -> dict[int, list[int]]:
    found = defaultdict(list)
    for order in orders:
        found[order["leg"]].append(order["quantity"])
    return dict(found)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    desk = Desk(tmp_path_factory.mktemp("large"), HELD, **LARGE)
    desk.run()
    return desk


def test_an_entry_leaves_in_orders_that_the_exchange_takes(desk: Desk) -> None:
    events = desk.events()
    expected = {0: [1_755, 1_495], 1: [1_755, 1_495]}
    assert by_leg(intents(events, "entry")) == expected
    assert by_leg(intents(events, "exit")) == expected
    orders = [each["order"] for each in [*intents(events, "entry"), *intents(events, "exit")]]
    assert len(set(orders)) == len(orders) == 8
    reports = [event.data for event in events if event.kind == "broker.report"]
    assert "REJECTED" not in {report["status"] for report in reports}


def test_each_order_s_id_is_that_of_its_intent(desk: Desk) -> None:
    for event in desk.events():
        if event.kind == "order.intended":
            assert event.data["order"] == event.public_id


def test_the_gates_are_told_what_leaves(desk: Desk) -> None:
    decisions = [e.data for e in desk.events() if e.kind == "gate.decided"]
    for decision in [each for each in decisions if each["verdict"] == "pass"]:
        gates = {each["number"]: each for each in decision["gates"]}
        assert (gates[5]["value"], gates[5]["limit"]) == (1_755, 1_755)
        assert gates[18]["value"] >= 4


def test_it_moves_as_one_trade(desk: Desk) -> None:
    positions = [e.data for e in desk.events() if e.kind == "position.changed"]
    moves = [(each["before"], each["state"]) for each in positions]
    assert [move for move in moves if move[0] != move[1]] == [
        (None, "OPEN"),
        ("OPEN", "HOLD"),
        ("HOLD", "EXIT"),
        ("EXIT", "ARCHIVE"),
    ]
    for leg in positions[-1]["legs"]:
        assert leg["quantity"] == leg["filled"] == leg["closed"] == 3_250


def test_an_exit_leaves_no_faster_than_gate_18_lets_it(tmp_path: Path) -> None:
    """Three messages a second: four orders need two goes, and the trade stays in its exit."""
    told = {look_at(8): [tell(1, "limit", name="messages_per_second", value=1)]}
    events = Desk(tmp_path, HELD, told, **LARGE).run()
    leaving = [e for e in events if e.kind == "order.intended" and e.data["purpose"] == "exit"]
    assert [event.data["quantity"] for event in leaving] == [1_755, 1_495, 1_755, 1_495]
    assert len({event.ts for event in leaving}) == 2
    states = [e.data["state"] for e in events if e.kind == "position.changed"]
    assert states[states.index("EXIT") :].count("HOLD") == 0
    assert states[-1] == "ARCHIVE"


def test_every_order_bears_its_own_brokerage(tmp_path: Path) -> None:
    events = Desk(tmp_path, HELD, costs=COSTS, **LARGE).run()
    last = [e.data for e in events if e.kind == "position.changed"][-1]
    assert last["waterfall"]["fees"]["brokerage"] == 8 * 2_000


def test_a_sliced_day_cut_in_order_traffic_continues_to_the_same_bytes(
    desk: Desk, tmp_path: Path
) -> None:
    kinds = {"order.intended", "order.submitted", "broker.report"}
    lines = [line for line in read_session(desk.rig.directory) if line.body["kind"] in kinds]
    for line in lines[::5]:
        rig = cut_after(desk.rig, tmp_path / str(line.line), line)
        rig.stopping = lambda: False
        rig.run()
        assert bodies_of(rig.directory) == bodies_of(desk.rig.directory), f"cut after {line.line}"
