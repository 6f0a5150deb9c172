"""Reports as brokers give them: twice, late, in any order, of orders that nobody knows."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from journal.events import INPUT_KINDS, Event
from journal.log.reader import read_session
from journal.payloads import check
from tests.market_factory import MINUTE_US
from tests.trading.engine.desk_bed import FIRES, Desk, firing, frame
from trading.engine.engine import Engine
from trading.engine.orders import NOT_SENT, submission_data, withdrawal_data

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Report = dict[str, Any]


def give(engine: Engine, kind: str, data: dict[str, Any], *, key: str | None = None) -> list[Event]:
    """Give an engine an input of now; what is derived fits its payloads."""
    event = Event("day1", engine.next_seq, engine.state.ts, kind, data, key=key)
    derived = engine.on(event)
    for each in derived:
        check(each)
    return derived


def submit(engine: Engine, intents: Sequence[Event]) -> None:
    for intent in intents:
        data = submission_data(intent, broker="b", algo_id="1")
        give(engine, "order.submitted", data, key=data["order"])


def reported(engine: Engine, report: Report) -> list[Event]:
    return give(engine, "broker.report", report, key=report["id"])


@pytest.fixture(scope="module")
def entering(tmp_path_factory: pytest.TempPathFactory) -> tuple[Engine, list[Event]]:
    """An engine whose two entry orders are submitted and not answered, with their intents."""
    return entering_desk(tmp_path_factory.mktemp("entering"))


def entering_desk(directory: Path) -> tuple[Engine, list[Event]]:
    """The same, of a session that is run in a directory."""
    desk = Desk(directory, [*firing(), frame(6, FIRES)])
    desk.run()
    engine, intents = Engine("day1"), list[Event]()
    for line in read_session(desk.rig.directory):
        event = line.to_event()
        if event.kind in INPUT_KINDS and not intents:
            intents = [each for each in engine.on(event) if each.kind == "order.intended"]
    assert [intent.data["purpose"] for intent in intents] == ["entry", "entry"]
    submit(engine, intents)
    return engine, intents


@pytest.fixture(scope="module")
def leaving(entering: tuple[Engine, list[Event]]) -> tuple[Engine, list[Event]]:
    """The same, entered, and with its exit orders submitted and not answered."""
    before, entries = entering
    engine = copy.deepcopy(before)
    for intent in entries:
        for report in history(intent, [intent.data["quantity"]], end=None):
            reported(engine, report)
    intents: list[Event] = []
    while not intents:
        engine.state.ts += MINUTE_US
        derived = give(engine, "clock.tick", {})
        intents = [each for each in derived if each.kind == "order.intended"]
    submit(engine, intents)
    return engine, intents


def history(intent: Event, fills: Sequence[int], *, end: str | None) -> list[Report]:
    """What a broker says of an order, in its order: acknowledged, filled, and ended early."""
    order, ordered = intent.data["order"], intent.data["quantity"]
    said, filled = [report_of(order, 1, "ACKED")], 0
    for number, quantity in enumerate(fills):
        filled += quantity
        status = "FILLED" if filled == ordered else "PARTIALLY_FILLED"
        price = 10_000 + 5 * number
        said.append(report_of(order, len(said) + 1, status, quantity, price, filled))
    if end is not None and filled < ordered:
        said.append(report_of(order, len(said) + 1, end, filled=filled))
    return said


def report_of(
    order: str, number: int, status: str, quantity: int = 0, price: int = 0, filled: int = 0
) -> Report:
    fill = quantity > 0
    return {
        "id": f"b-{order}-{number}",
        "order": order,
        "broker": "b",
        "broker_order": f"b-{order}",
        "status": status,
        "quantity": quantity,
        "price_paise": price if fill else None,
        "price_basis": "QUOTED" if fill else None,
        "filled": filled,
        "expected_paise": None,
        "latency_us": 0,
        "charges_paise": None,
        "charges_reason": "GROSS" if fill else "NO_FILL",
        "reason": None,
        "reason_code": None,
    }


def standing(engine: Engine) -> Any:
    """Where positions stand: trades with their legs, what was realised, what works."""
    trades = [
        (
            trade.id,
            trade.state,
            [
                (
                    leg.contract.label,
                    leg.entry_quantity,
                    leg.entry_value_paise,
                    leg.exit_quantity,
                    leg.exit_value_paise,
                )
                for leg in trade.legs
            ],
        )
        for trade in engine.state.trades.values()
    ]
    orders = {name: (each.filled, each.over) for name, each in engine.state.orders.items()}
    return trades, engine.state.realised_paise, orders, engine.state.reconciliation.doubt


@st.composite
def traffic(draw: st.DrawFn, quantity: int) -> tuple[list[list[int]], list[str], Any]:
    """Fills of two orders of a quantity, how each ends, and a seed of the disorder."""
    fills = []
    for _ in range(2):
        cuts = draw(st.lists(st.integers(1, quantity), min_size=0, max_size=3, unique=True))
        edges = [0, *sorted(cuts)]
        fills.append([after - before for before, after in pairwise(edges)])
    ends = draw(st.lists(st.sampled_from(["CANCELLED", "EXPIRED"]), min_size=2, max_size=2))
    return fills, ends, draw(st.randoms(use_true_random=False))


def disordered(said: list[Report], random: Any) -> list[Report]:
    """Any order, and any of them again."""
    again = said + random.choices(said, k=random.randrange(4))
    random.shuffle(again)
    return again


@pytest.mark.parametrize("phase", ["entering", "leaving"])
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_order_and_repetition_of_reports_ends_in_the_same_position(
    phase: str, request: pytest.FixtureRequest, data: st.DataObject
) -> None:
    before, intents = request.getfixturevalue(phase)
    fills, ends, random = data.draw(traffic(intents[0].data["quantity"]))
    said = [
        report
        for intent, sizes, end in zip(intents, fills, ends, strict=True)
        for report in history(intent, sizes, end=end)
    ]
    straight, disorder = copy.deepcopy(before), copy.deepcopy(before)
    for report in said:
        reported(straight, report)
    for report in disordered(said, random):
        reported(disorder, report)
    assert standing(disorder) == standing(straight)
    assert straight.state.reconciliation.doubt is None
    assert disorder.restore(disorder.dump()) is None
    assert standing(disorder) == standing(straight), "the dump holds all of it"


def test_a_repeated_report_is_recorded_and_changes_nothing(
    entering: tuple[Engine, list[Event]],
) -> None:
    engine, intents = copy.deepcopy(entering[0]), entering[1]
    said = history(intents[0], [65], end=None)
    for report in said:
        reported(engine, report)
    before = standing(engine)
    for report in said:
        (aside,) = reported(engine, report)
        assert (aside.kind, aside.data["verdict"]) == ("report.set_aside", "DUPLICATE")
        assert aside.data["blocks"] is False
        assert aside.cause
    assert standing(engine) == before


def test_an_end_waits_for_the_fills_it_counts(entering: tuple[Engine, list[Event]]) -> None:
    engine, intents = copy.deepcopy(entering[0]), entering[1]
    ack, fill, end = history(intents[0], [30], end="CANCELLED")
    order = intents[0].data["order"]
    assert reported(engine, end) == []
    assert not engine.state.orders[order].over
    derived = reported(engine, fill)
    assert {"position.changed"} <= {event.kind for event in derived}
    assert engine.state.orders[order].over
    assert reported(engine, ack) == []


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({"order": "day1.99999"}, "UNKNOWN_ORDER"),
        ({"quantity": 66, "filled": 66}, "OVERFILL"),
    ],
)
def test_what_the_book_cannot_take_is_set_aside_and_lets_nothing_in(
    entering: tuple[Engine, list[Event]], change: Report, verdict: str
) -> None:
    engine, intents = copy.deepcopy(entering[0]), entering[1]
    fill = history(intents[0], [65], end=None)[1]
    before = standing(engine)
    (aside,) = reported(engine, fill | change)
    assert (aside.kind, aside.data["verdict"], aside.data["blocks"]) == (
        "report.set_aside",
        verdict,
        True,
    )
    after = standing(engine)
    assert after[:3] == before[:3]
    assert aside.data["reason"] in after[3]


def test_a_fill_after_the_end_is_set_aside(entering: tuple[Engine, list[Event]]) -> None:
    engine, intents = copy.deepcopy(entering[0]), entering[1]
    order = intents[0].data["order"]
    reported(engine, report_of(order, 1, "CANCELLED"))
    (aside,) = reported(engine, report_of(order, 2, "PARTIALLY_FILLED", 5, 100, 5))
    assert aside.data["verdict"] == "AFTER_END"
    assert engine.state.reconciliation.doubt


def test_while_there_is_doubt_gate_1_lets_nothing_in(tmp_path: Path) -> None:
    desk = Desk(tmp_path, [*firing(), frame(6, FIRES)])
    desk.run()
    engine = Engine("day1")
    refused = None
    for line in read_session(desk.rig.directory):
        event = line.to_event()
        if event.kind not in INPUT_KINDS or refused is not None:
            continue
        event = Event("day1", engine.next_seq, event.ts, event.kind, event.data, key=event.key)
        derived = engine.on(event)
        if event.kind == "day.opened":
            reported(engine, report_of("nobody.1", 1, "FILLED", 5, 100, 5))
        decisions = [each.data for each in derived if each.kind == "gate.decided"]
        refused = next(iter(decisions), None)
    assert refused is not None
    assert (refused["verdict"], refused["decided_by"]) == ("block", 1)
    assert "book and broker differ" in refused["gates"][0]["reason"]


@pytest.mark.parametrize("submitted", [False, True])
def test_what_never_left_counts_against_no_reject_rate(
    entering: tuple[Engine, list[Event]], *, submitted: bool
) -> None:
    """Withdrawn before it was submitted, or refused by the adapter itself."""
    engine, intents = copy.deepcopy(entering[0]), entering[1]
    order = intents[0].data["order"]
    if submitted:
        report = report_of(order, 1, "REJECTED") | {"reason_code": NOT_SENT}
    else:
        del engine.state.orders[order]
        report = withdrawal_data(intents[0], broker="b")
    reported(engine, report)
    assert engine.state.risk.outcomes == []
    assert all(each.over for name, each in engine.state.orders.items() if name == order)
    reported(engine, report_of(intents[1].data["order"], 1, "REJECTED"))
    assert [each.rejected for each in engine.state.risk.outcomes] == [True]
    assert engine.state.trades == {}, "both have ended with nothing filled"
