"""The book against the broker's: what differs, what it blocks, and who lets it stand."""

from __future__ import annotations

import asyncio
import copy
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.trading.engine.desk_bed import FIRES, Desk, firing, frame, look_at, tell
from tests.trading.engine.test_report_intake import entering_desk, give, history, reported
from tests.trading.execution.socket_broker import SocketBroker, start_exchange
from trading.engine.engine import Engine
from trading.engine.reconciliation import book_holdings, statement_data
from trading.engine.runner import Stopped
from trading.execution.broker import BrokerLimits, Holding, OpenOrder, Statement

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from journal.events import Event

LIMITS = BrokerLimits(orders_per_second=10, algo_id="1234", answer_us=1_000_000, keeps_book=True)
Entering = tuple[Engine, list["Event"]]


@pytest.fixture(scope="module")
def entered(tmp_path_factory: pytest.TempPathFactory) -> Entering:
    """An engine whose first entry order is filled and whose second works."""
    engine, intents = entering_desk(tmp_path_factory.mktemp("entering"))
    for report in history(intents[0], [intents[0].data["quantity"]], end=None):
        reported(engine, report)
    return engine, intents


def own_statement(engine: Engine) -> Statement:
    """What a broker says that has the same book."""
    orders = tuple(
        OpenOrder(name, each.contract, each.side, each.quantity, each.filled)
        for name, each in sorted(engine.state.orders.items())
        if not each.over
    )
    return Statement(orders, tuple(book_holdings(engine.state.trades.values())))


def reconciled(
    engine: Engine, orders: Sequence[OpenOrder], holdings: Sequence[Holding], why: str = "ASKED"
) -> dict[str, Any]:
    """What the engine says of a statement."""
    said = Statement(tuple(orders), tuple(holdings))
    data = statement_data(said, broker="b", why=why, detail=None, problem=None)
    (answer,) = give(engine, "broker.statement", data)
    assert answer.kind == "book.reconciled"
    return answer.data


def verdicts(answer: dict[str, Any]) -> list[str]:
    return [row["verdict"] for row in (*answer["orders"], *answer["positions"])]


def told(engine: Engine, number: int, command: str, actor: str, **arguments: Any) -> list[Event]:
    each = tell(number, command, actor, **arguments)
    data = {name: value for name, value in asdict(each).items() if name != "session"}
    return give(engine, "operator.command", data, key=each.id)


def test_an_equal_book_agrees_and_blocks_nothing(entered: Entering) -> None:
    engine = copy.deepcopy(entered[0])
    answer = reconciled(engine, *own_statement(engine))
    assert verdicts(answer) == ["AGREES", "AGREES"]
    assert (answer["differences"], answer["blocks"]) == (0, False)
    assert engine.state.reconciliation.doubt is None


def test_a_fill_the_book_has_not_heard_of_is_a_difference(entered: Entering) -> None:
    engine = copy.deepcopy(entered[0])
    (order,), holdings = own_statement(engine)
    sign = 1 if order.side == "BUY" else -1
    filled = sorted([*holdings, Holding(order.contract, sign * order.quantity)])
    answer = reconciled(engine, [], filled)
    assert sorted(verdicts(answer)) == ["AGREES", "DIFFERS", "NOT_AT_BROKER"]
    (missing,) = [row for row in answer["positions"] if row["verdict"] == "DIFFERS"]
    assert (missing["broker_units"], missing["book_units"]) == (sign * order.quantity, 0)
    assert answer["blocks"]


def test_a_holding_missing_at_the_broker_is_a_difference(entered: Entering) -> None:
    engine = copy.deepcopy(entered[0])
    orders, (held,) = own_statement(engine)
    answer = reconciled(engine, orders, [])
    (row,) = answer["positions"]
    assert (row["broker_units"], row["book_units"]) == (0, held.units)
    assert (row["verdict"], answer["differences"]) == ("DIFFERS", 1)


def test_an_order_with_other_quantities_and_one_nobody_knows_are_differences(
    entered: Entering,
) -> None:
    engine = copy.deepcopy(entered[0])
    (order,), holdings = own_statement(engine)
    other = OpenOrder(order.order, order.contract, order.side, order.quantity + 1, 0)
    stranger = OpenOrder("nobody.1", order.contract, "BUY", 5, 0)
    answer = reconciled(engine, [other, stranger], holdings)
    rows = {row["order"]: row for row in answer["orders"]}
    assert rows[order.order]["verdict"] == "DIFFERS"
    assert rows[order.order]["broker_quantity"] == order.quantity + 1
    assert rows[order.order]["book_quantity"] == order.quantity
    assert rows["nobody.1"]["verdict"] == "NOT_IN_BOOK"
    assert rows["nobody.1"]["book_quantity"] is None
    assert answer["differences"] == 2


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shift=st.integers(-200, 200), works=st.integers(0, 1), filled=st.integers(0, 3))
def test_it_blocks_exactly_while_something_differs(
    entered: Entering, shift: int, works: int, filled: int
) -> None:
    engine = copy.deepcopy(entered[0])
    (order,), (held,) = own_statement(engine)
    held = Holding(held.contract, held.units + shift)
    stated = OpenOrder(order.order, order.contract, order.side, order.quantity, filled)
    answer = reconciled(engine, [stated] if works else [], [held] if held.units else [])
    assert answer["differences"] == (shift != 0) + (not works or filled != 0)
    assert answer["blocks"] == (answer["differences"] > 0)
    assert (engine.state.reconciliation.doubt is not None) == answer["blocks"]
    assert reconciled(engine, *own_statement(engine))["blocks"] is False, "agreement lifts it"
    assert engine.state.reconciliation.doubt is None


def test_a_broker_that_cannot_be_asked_lets_nothing_in(entered: Entering) -> None:
    engine = copy.deepcopy(entered[0])
    data = statement_data(None, broker="b", why="RESTART", detail=None, problem="no answer")
    (answer,) = give(engine, "broker.statement", data)
    assert (answer.data["blocks"], answer.data["problem"]) == (True, "no answer")
    (refused,) = told(engine, 1, "accept", "asha", reconciliation=answer.public_id)
    assert refused.data["state"] == "refused", "what nobody saw cannot be accepted"


def test_one_person_accepts_nothing_and_two_do(entered: Entering) -> None:
    engine = copy.deepcopy(entered[0])
    (order,), (held,) = own_statement(engine)
    wrong = [Holding(held.contract, held.units + 5)]
    reconciled(engine, [order], wrong)
    last = f"day1.{engine.state.reconciliation.seq}"

    (refused,) = told(engine, 1, "accept", "asha", reconciliation="day1.1")
    assert refused.data["state"] == "refused"
    (asked,) = told(engine, 2, "accept", "asha", reconciliation=last)
    assert asked.data["state"] == "waiting"
    assert held.contract.label in asked.data["what"]
    (alone,) = told(engine, 3, "approve", "asha", request=asked.data["request"])
    assert alone.data["state"] == "refused"
    assert engine.state.reconciliation.doubt is not None

    approved, accepted = told(engine, 4, "approve", "bela", request=asked.data["request"])
    assert approved.data["state"] == "approved"
    assert accepted.kind == "reconciliation.accepted"
    assert (accepted.data["actor"], accepted.data["approver"]) == ("asha", "bela")
    assert engine.state.reconciliation.doubt is None

    again = reconciled(engine, [order], wrong)
    assert "ACCEPTED" in verdicts(again)
    assert again["blocks"] is False
    assert reconciled(engine, [order], [Holding(held.contract, held.units + 6)])["blocks"]


def test_what_was_asked_for_is_not_accepted_once_another_comparison_came(
    entered: Entering,
) -> None:
    engine = copy.deepcopy(entered[0])
    orders, holdings = own_statement(engine)
    reconciled(engine, [], holdings)
    last = f"day1.{engine.state.reconciliation.seq}"
    (asked,) = told(engine, 1, "accept", "asha", reconciliation=last)
    reconciled(engine, orders, [])
    answers = told(engine, 2, "approve", "bela", request=asked.data["request"])
    assert [each.data["state"] for each in answers] == ["approved", "refused"]
    assert engine.state.reconciliation.doubt is not None


def test_its_state_survives_a_dump(entered: Entering) -> None:
    engine = copy.deepcopy(entered[0])
    reconciled(engine, [], [])
    other = copy.deepcopy(engine)
    other.restore(engine.dump())
    assert other.digest() == engine.digest()
    assert other.state.reconciliation == engine.state.reconciliation


def test_asked_for_on_paper_it_is_in_the_log_and_replays(tmp_path: Path) -> None:
    asked = {look_at(8): [tell(1, "reconcile")]}
    events = Desk(tmp_path, [*firing(), *[frame(m, FIRES) for m in range(6, 12)]], asked).run()
    statement, answer = (
        next(each for each in events if each.kind == kind)
        for kind in ("broker.statement", "book.reconciled")
    )
    (command,) = [each for each in events if each.kind == "operator.command"]
    assert statement.cause == (command.seq,)
    assert answer.data["why"] == "ASKED"
    assert answer.data["positions"], "something is held"
    assert set(verdicts(answer.data)) == {"AGREES"}


# --- a broker with a book of its own ---


class Exchange:
    """A desk on a broker's process; every session of it has the same broker."""

    def __init__(self, directory: Path, *ways: str) -> None:
        self.process, self.port = start_exchange(directory, *ways)

    def desk(self, directory: Path, *args: Any, **rest: Any) -> Desk:
        desk = Desk(directory, *args, **rest)
        desk.rig.broker_of = lambda _: SocketBroker(self.port, limits=LIMITS, timeout_seconds=0.5)
        return desk

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def exchanges() -> Iterator[list[Exchange]]:
    started: list[Exchange] = []
    yield started
    for each in started:
        each.stop()


FEED = [*firing(), *[frame(minute, FIRES) for minute in range(6, 14)]]


def answers(events: Sequence[Event]) -> list[tuple[str, int]]:
    found = [each.data for each in events if each.kind == "book.reconciled"]
    return [(each["why"], each["differences"]) for each in found]


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        ("ok", [("DAY_OPENED", 0)]),
        ("mute", [("DAY_OPENED", 0), ("DOUBT", 0)]),
        ("lost", [("DAY_OPENED", 0), ("DOUBT", 0)]),
        ("stranger", [("DAY_OPENED", 0), ("DOUBT", 0)]),
    ],
)
def test_a_broker_is_reconciled_as_the_day_opens_and_on_doubt(
    tmp_path: Path, exchanges: list[Exchange], way: str, expected: list[tuple[str, int]]
) -> None:
    exchanges.append(Exchange(tmp_path, way))
    events = exchanges[0].desk(tmp_path, FEED).run()
    assert list(dict.fromkeys(answers(events)))[: len(expected)] == expected


def test_an_order_that_never_came_in_ends_and_is_not_sent_again(
    tmp_path: Path, exchanges: list[Exchange]
) -> None:
    exchanges.append(Exchange(tmp_path, "lost"))
    events = exchanges[0].desk(tmp_path, FEED).run()
    submitted = {
        each.data["order"]
        for each in events
        if each.kind == "order.submitted" and each.data["purpose"] != "cancel"
    }
    reports = [each for each in events if each.kind == "broker.report"]
    by_seq = {each.seq: each for each in events}
    assert reports
    for report in reports:
        (sent,) = [by_seq[seq] for seq in report.cause]
        assert (sent.kind, sent.data["order"]) == ("order.submitted", report.data["order"])
        assert (report.data["status"], report.data["reason_code"]) == ("REJECTED", "NEVER_CAME_IN")
        assert report.data["reason"] == "socket does not know it"
    assert sorted(each.data["order"] for each in reports) == sorted(submitted)
    assert [each.data["state"] for each in events if each.kind == "position.changed"][
        -1
    ] == "ARCHIVE"


def test_one_that_comes_in_after_all_is_set_aside_and_lets_nothing_in(
    tmp_path: Path, exchanges: list[Exchange]
) -> None:
    exchanges.append(Exchange(tmp_path, "tardy", "tardy", "ok"))
    events = exchanges[0].desk(tmp_path, FEED).run()
    first = [each for each in events if each.kind == "order.submitted"][:2]
    aside = [each.data for each in events if each.kind == "report.set_aside"]
    filled = {each["order"]: each for each in aside if each["quantity"]}
    assert set(filled) == {each.data["order"] for each in first}
    verdicts = {(each["verdict"], each["blocks"]) for each in filled.values()}
    assert verdicts == {("AFTER_END", True)}
    last = [each.data for each in events if each.kind == "book.reconciled"][-1]
    assert (last["why"], last["differences"], last["blocks"]) == ("DOUBT", 2, True)


def test_a_cancellation_that_is_lost_is_sent_again(
    tmp_path: Path, exchanges: list[Exchange]
) -> None:
    exchanges.append(Exchange(tmp_path, "deaf", "rest"))
    events = exchanges[0].desk(tmp_path, FEED, {look_at(8): [tell(1, "kill")]}).run()
    cancels = [
        (each.data["order"], each.data["attempt"])
        for each in events
        if each.kind == "order.submitted" and each.data["purpose"] == "cancel"
    ]
    entries = [
        each.data["order"]
        for each in events
        if each.kind == "order.submitted" and each.data["purpose"] == "entry"
    ]
    assert sorted(cancels) == sorted([(entries[0], 1), (entries[1], 1), (entries[0], 2)])
    over = [
        each.data["order"]
        for each in events
        if each.kind == "broker.report" and each.data["status"] == "CANCELLED"
    ]
    assert sorted(over) == sorted(entries)


def test_after_a_stop_between_order_and_fill_the_broker_is_reconciled(
    tmp_path: Path, exchanges: list[Exchange]
) -> None:
    exchanges.append(Exchange(tmp_path, "ok"))
    desk = exchanges[0].desk(tmp_path, FEED, stop_before=look_at(6))
    with pytest.raises(Stopped):
        desk.run()
    sent = [each for each in desk.events() if each.kind == "order.submitted"]
    assert sent
    events = desk.run()
    assert answers(events)[:2] == [("DAY_OPENED", 0), ("RESTART", 0)]
    submitted = [each.data["order"] for each in events if each.kind == "order.submitted"]
    assert len(submitted) == len(set(submitted)), "nothing is sent twice"


def test_a_holding_that_the_book_does_not_have_lets_nothing_in(
    tmp_path: Path, exchanges: list[Exchange]
) -> None:
    exchanges.append(Exchange(tmp_path, "ok"))
    other = SocketBroker(exchanges[0].port, limits=LIMITS, timeout_seconds=5)
    asyncio.run(other._ask("position", contract="NIFTY 2026-03-02 25300 CE", units=65))
    events = exchanges[0].desk(tmp_path, FEED).run()
    assert answers(events) == [("DAY_OPENED", 1)]
    decided = [each.data for each in events if each.kind == "gate.decided"]
    assert decided
    assert {each["decided_by"] for each in decided} == {1}
    assert not [each for each in events if each.kind == "order.submitted"]
