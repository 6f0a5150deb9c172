"""Orders on their way out: paced, tagged, sent once, and the same after a restart."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from journal.log.reader import read_session
from tests.market_factory import DAYS, Rig, day_frames, factory_configuration
from tests.trading.engine.desk_bed import FIRES, Desk, firing, frame, look_at, tell
from tests.trading.engine.test_runner import bodies_of, cut_after

if TYPE_CHECKING:
    from pathlib import Path

    from journal.events import Event

# Two underlyings fire at once: four orders of one instant.
BOTH = sorted([*firing(), *firing("BANKNIFTY")], key=lambda each: each.available_at)
LATER = [frame(minute, FIRES, name) for minute in range(6, 14) for name in ("NIFTY", "BANKNIFTY")]


def of_kind(events: list[Event], kind: str) -> list[Event]:
    return [event for event in events if event.kind == kind]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_no_more_leave_in_a_second_than_the_broker_takes(tmp_path: Path, limit: int) -> None:
    events = Desk(tmp_path, [*BOTH, *LATER], broker={"orders_per_second": limit}).run()
    intended, submitted = of_kind(events, "order.intended"), of_kind(events, "order.submitted")
    assert Counter(event.ts for event in intended).most_common(1)[0][1] == 4
    for event in submitted:
        same_second = [each for each in submitted if event.ts - 1_000_000 < each.ts <= event.ts]
        assert len(same_second) <= limit
    assert len(submitted) == len(intended), "what waits is sent in the end"
    assert {event.data["order"] for event in submitted} == {e.data["order"] for e in intended}


def test_what_reduces_risk_goes_before_what_adds_to_it(tmp_path: Path) -> None:
    """Exits that are intended while entries wait overtake them."""
    feed = [*firing(), *firing("BANKNIFTY", first=4), *[frame(m, FIRES) for m in range(6, 20)]]
    late = [frame(m, FIRES, "BANKNIFTY") for m in range(10, 20)]
    desk = Desk(tmp_path, [*feed, *late], broker={"orders_per_second": 1}, hold_minutes=3)
    events = desk.run()
    waiting: list[Event] = []
    overtaken = 0
    for event in events:
        if event.kind == "order.intended":
            waiting.append(event)
        elif event.kind == "order.submitted":
            chosen = next(each for each in waiting if each.seq in event.cause)
            older = waiting[: waiting.index(chosen)]
            assert all(each.data["purpose"] == "entry" for each in older)
            if older:
                assert event.data["purpose"] != "entry"
                overtaken += 1
            waiting.remove(chosen)
        elif event.kind == "broker.report" and event.data["reason_code"] == "NOT_SENT":
            waiting = [e for e in waiting if e.data["order"] != event.data["order"]]
    assert overtaken


def test_what_waits_never_leaves_once_it_is_cancelled(tmp_path: Path) -> None:
    """A kill while three of four entries wait for the broker's pace."""
    told = {look_at(6): [tell(1, "kill")]}
    events = Desk(tmp_path, [*BOTH, *LATER], told, broker={"orders_per_second": 1}).run()
    entries = [e for e in of_kind(events, "order.submitted") if e.data["purpose"] == "entry"]
    assert len(entries) == 1
    unsent = [e for e in of_kind(events, "broker.report") if e.data["reason_code"] == "NOT_SENT"]
    assert len(unsent) == 3
    by_seq = {event.seq: event for event in events}
    for event in unsent:
        assert [by_seq[cause].kind for cause in event.cause] == ["order.intended"] * 2
    assert of_kind(events, "position.changed")[-1].data["state"] == "ARCHIVE"


def test_every_attempt_says_to_whom_it_goes_and_by_which_algorithm(tmp_path: Path) -> None:
    events = Desk(tmp_path, [*BOTH, *LATER], broker={"algo_id": "77001"}).run()
    submitted = of_kind(events, "order.submitted")
    assert submitted
    assert {(e.data["broker"], e.data["algo_id"]) for e in submitted} == {("paper", "77001")}
    assert {e.data["attempt"] for e in submitted} == {1}


MODEL: dict[str, Any] = {
    "orders_per_second": 1,
    "latency_ms": 20_000,
    "slippage_ticks": 1,
    "depth_ppm": 400_000,
    "reject_ppm": 100_000,
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Rig:
    """A day with a slow, thin, refusing broker."""
    rig = Rig(
        var_dir=tmp_path_factory.mktemp("slow"),
        days=DAYS[:1],
        frames_of=lambda day: day_frames(day, count=40),
        configuration=factory_configuration(broker=MODEL),
    )
    rig.run()
    return rig


def test_all_of_the_broker_s_models_show_in_one_day(finished: Rig) -> None:
    events = [line.to_event() for line in read_session(finished.directory)]
    reports = [event.data for event in of_kind(events, "broker.report")]
    statuses = {report["status"] for report in reports}
    assert {"ACKED", "PARTIALLY_FILLED", "FILLED", "REJECTED"} <= statuses
    said = [report for report in reports if report["reason_code"] != "NOT_SENT"]
    assert min(report["latency_us"] for report in said) >= 20_000_000
    fills = [report for report in reports if report["quantity"]]
    assert {report["price_basis"] for report in fills} == {"MODELLED"}
    opened = of_kind(events, "session.opened")[0]
    assert opened.data["configuration"]["broker"]["latency_ms"] == 20_000


def test_a_slow_broker_s_day_cut_in_order_traffic_continues_to_the_same_bytes(
    finished: Rig, tmp_path: Path
) -> None:
    kinds = {"order.intended", "order.submitted", "broker.report"}
    lines = [line for line in read_session(finished.directory) if line.body["kind"] in kinds]
    assert len(lines) > 12
    for line in lines[:: len(lines) // 12]:
        rig = cut_after(finished, tmp_path / str(line.line), line)
        rig.run()
        assert bodies_of(rig.directory) == bodies_of(finished.directory), f"cut after {line.line}"


def test_a_cut_between_an_acknowledgement_and_a_fill_of_its_instant_loses_no_fill(
    finished: Rig, tmp_path: Path
) -> None:
    """Two orders are acknowledged and then filled at one instant; cut after each of these."""
    lines = list(read_session(finished.directory))
    reports = [line for line in lines if line.body["kind"] == "broker.report"]
    filled = [line for line in reports if line.body["data"]["status"] == "FILLED"]
    acked = {line.body["ts"] for line in reports if line.body["data"]["status"] == "ACKED"}
    at = next(line.body["ts"] for line in filled if line.body["ts"] in acked)
    told = [line for line in reports if line.body["ts"] == at]
    assert len(told) > 2
    for line in told:
        rig = cut_after(finished, tmp_path / str(line.line), line)
        rig.run()
        assert bodies_of(rig.directory) == bodies_of(finished.directory), f"cut after {line.line}"


def test_a_day_with_withdrawn_orders_cut_anywhere_continues_to_the_same_bytes(
    tmp_path: Path,
) -> None:
    told = {look_at(6): [tell(1, "kill")]}
    desk = Desk(tmp_path / "whole", [*BOTH, *LATER], told, broker={"orders_per_second": 1})
    desk.run()
    lines = list(read_session(desk.rig.directory))
    first = next(i for i, line in enumerate(lines) if line.body["kind"] == "operator.command")
    for line in lines[first : first + 8]:
        rig = cut_after(desk.rig, tmp_path / str(line.line), line)
        rig.stopping = lambda: False
        rig.run()
        assert bodies_of(rig.directory) == bodies_of(desk.rig.directory), f"cut after {line.line}"


def test_no_order_is_ever_submitted_twice(finished: Rig, tmp_path: Path) -> None:
    """Stopped again and again right after an attempt, before its answer."""
    rig = finished
    for number in range(3):
        attempts = [
            line for line in read_session(rig.directory) if line.body["kind"] == "order.submitted"
        ]
        rig = cut_after(rig, tmp_path / str(number), attempts[number])
        rig.run()
        events = [line.to_event() for line in read_session(rig.directory)]
        sent = Counter(
            (event.data["order"], event.data["purpose"])
            for event in of_kind(events, "order.submitted")
        )
        assert max(sent.values()) == 1
