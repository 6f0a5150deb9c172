"""The execution journal: each order from intent to end, and nothing odd raised or dropped."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from journal.events import Event
from journal.execution_journal import ExecutionJournal, OrderRecord, OrderState
from journal.log.reader import read_session
from tests.market_factory import DAYS, Rig, chain_frame, day_frames

if TYPE_CHECKING:
    from pathlib import Path

CONTRACT = {
    "underlying": "NIFTY",
    "expiry": "2026-03-02",
    "strike_paise": 2_530_000,
    "right": "CE",
}
ORDER = "s.2"


def intended(seq: int = 2, order: str = ORDER, **changes: Any) -> Event:
    data = {
        "order": order,
        "trade": "s.1",
        "strategy": "S4",
        "underlying": "NIFTY",
        "purpose": "entry",
        "leg": 0,
        "contract": CONTRACT,
        "side": "BUY",
        "quantity": 100,
        "lot_size": 50,
        "limit_paise": None,
        "expected_paise": 500,
    } | changes
    return _event("order.intended", seq, order, data)


def submitted(seq: int = 3, order: str = ORDER, **changes: Any) -> Event:
    data = {
        "order": order,
        "trade": "s.1",
        "purpose": "entry",
        "contract": CONTRACT,
        "side": "BUY",
        "quantity": 100,
        "limit_paise": None,
        "attempt": 1,
        "broker": "paper",
        "algo_id": "PAPER",
    } | changes
    return _event("order.submitted", seq, order, data)


def report(
    seq: int, status: str, quantity: int = 0, price: int = 510, order: str = ORDER, **changes: Any
) -> Event:
    fill = status in {"PARTIALLY_FILLED", "FILLED"}
    data = {
        "id": f"r{seq}",
        "order": order,
        "broker": "paper",
        "broker_order": "p1",
        "status": status,
        "quantity": quantity,
        "price_paise": price if fill else None,
        "price_basis": "QUOTED" if fill else None,
        "filled": quantity,
        "expected_paise": 500,
        "latency_us": seq * 1000,
        "charges_paise": None,
        "charges_reason": "GROSS" if fill else "NO_FILL",
        "reason": None,
        "reason_code": None,
    } | changes
    return _event("broker.report", seq, str(data["id"]), data)


def _event(kind: str, seq: int, key: str, data: dict[str, Any]) -> Event:
    return Event(session="s", seq=seq, ts=seq * 1000, kind=kind, key=key, data=data)


def the_order(journal: ExecutionJournal) -> OrderRecord:
    record = journal.by_order(ORDER)
    assert record is not None
    return record


SENT = [intended(), submitted()]
WORKING = [*SENT, report(4, "ACKED")]


# --- the ways an order can go ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "state", "filled"),
    [
        ([intended()], "INTENDED", 0),
        (SENT, "SUBMITTED", 0),
        (WORKING, "ACKED", 0),
        ([*SENT, report(4, "REJECTED")], "REJECTED", 0),
        ([*WORKING, report(5, "REJECTED")], "REJECTED", 0),
        ([*WORKING, report(5, "FILLED", 100)], "FILLED", 100),
        ([*WORKING, report(5, "PARTIALLY_FILLED", 40)], "PARTIALLY_FILLED", 40),
        (
            [*WORKING, report(5, "PARTIALLY_FILLED", 40), report(6, "FILLED", 60)],
            "FILLED",
            100,
        ),
        ([*WORKING, report(5, "CANCELLED")], "CANCELLED", 0),
        ([*WORKING, report(5, "EXPIRED")], "EXPIRED", 0),
        (
            [*WORKING, report(5, "PARTIALLY_FILLED", 40), report(6, "EXPIRED")],
            "EXPIRED",
            40,
        ),
        (
            [*WORKING, report(5, "PARTIALLY_FILLED", 40), report(6, "CANCELLED")],
            "CANCELLED",
            40,
        ),
    ],
)
def test_an_order_follows_its_reports(events: list[Event], state: str, filled: int) -> None:
    journal = ExecutionJournal(events)
    record = the_order(journal)
    assert (record.state, record.filled) == (state, filled)
    assert record.state.is_over == (record.ended_at is not None)
    assert not journal.anomalies
    assert list(journal.orders(state=OrderState(state), trade="s.1")) == [record]
    assert not list(journal.orders(trade="s.9"))


@pytest.mark.parametrize(
    ("side", "price", "expected", "slippage"),
    [
        ("BUY", 510, 500, 10),
        ("BUY", 490, 500, -10),
        ("SELL", 510, 500, -10),
        ("SELL", 490, 500, 10),
        ("SELL", 490, None, None),
    ],
)
def test_slippage_is_positive_when_it_costs(
    side: str, price: int, expected: int | None, slippage: int | None
) -> None:
    fill = report(5, "FILLED", 100, price, expected_paise=expected)
    journal = ExecutionJournal([intended(side=side), *WORKING[1:], fill])
    (got,) = the_order(journal).fills
    assert (got.price_paise, got.expected_paise) == (price, expected)
    assert got.slippage_paise == slippage
    assert got.slippage_value_paise == (None if slippage is None else slippage * 100)
    assert the_order(journal).slippage_value_paise == got.slippage_value_paise


def test_fills_have_latency_charges_and_an_average() -> None:
    charged = {"charges_paise": 7, "charges_reason": None}
    fills = [
        report(5, "PARTIALLY_FILLED", 60, 500, **charged),
        report(6, "FILLED", 40, 511, **charged),
    ]
    record = the_order(ExecutionJournal([*WORKING, *fills]))
    assert [fill.latency_us for fill in record.fills] == [5000, 6000]
    assert (record.average_paise, record.value_paise) == (504, 50_440)
    assert (record.slippage_value_paise, record.charges_paise) == (440, 14)
    gross = the_order(ExecutionJournal([*WORKING, report(5, "FILLED", 100)]))
    assert (gross.charges_paise, gross.fills[0].charges_reason) == (None, "GROSS")


def test_a_cancel_is_noted_on_its_order() -> None:
    cancel = [intended(5, purpose="cancel"), submitted(6, purpose="cancel")]
    journal = ExecutionJournal([*WORKING, *cancel, report(7, "CANCELLED", reason="on request")])
    record = the_order(journal)
    assert (record.cancel_intended_seq, record.cancel_submitted_seq) == (5, 6)
    assert (record.intended_seq, record.submitted_seq) == (2, 3)
    assert (record.state, record.reason, record.ended_at) == ("CANCELLED", "on request", 7000)
    assert not journal.anomalies


# --- what cannot be -------------------------------------------------------------------------------

FILLED = [*WORKING, report(5, "FILLED", 100)]
PART = [*WORKING, report(5, "PARTIALLY_FILLED", 40)]


@pytest.mark.parametrize(
    ("events", "reasons", "state", "filled"),
    [
        ([*FILLED, report(6, "FILLED", 5)],
         ["FILLED of an order that is FILLED", "105 filled of 100 ordered"], "FILLED", 105),
        ([*WORKING, report(5, "FILLED", 120)], ["120 filled of 100 ordered"], "FILLED", 120),
        ([*WORKING, report(5, "FILLED", 90)], ["FILLED with 90 of 100"], "FILLED", 90),
        ([*WORKING, report(5, "PARTIALLY_FILLED", 100)],
         ["PARTIALLY_FILLED with all 100"], "PARTIALLY_FILLED", 100),
        ([*FILLED, report(6, "CANCELLED")], ["CANCELLED of an order that is FILLED"],
         "FILLED", 100),
        ([*FILLED, report(6, "EXPIRED")], ["EXPIRED of an order that is FILLED"], "FILLED", 100),
        ([*PART, report(6, "REJECTED")], ["REJECTED of an order that is PARTIALLY_FILLED"],
         "REJECTED", 40),
        ([*WORKING, report(5, "CANCELLED"), report(6, "PARTIALLY_FILLED", 40)],
         ["PARTIALLY_FILLED of an order that is CANCELLED"], "CANCELLED", 40),
        ([*WORKING, report(5, "ACKED")], ["ACKED of an order that is ACKED"], "ACKED", 0),
        ([*SENT, report(4, "FILLED", 100), report(5, "ACKED")],
         ["FILLED of an order that is SUBMITTED", "ACKED of an order that is FILLED"],
         "FILLED", 100),
        ([*SENT, report(4, "PARTIALLY_FILLED", 40), report(5, "ACKED"), report(6, "FILLED", 60)],
         ["PARTIALLY_FILLED of an order that is SUBMITTED",
          "ACKED of an order that is PARTIALLY_FILLED"], "FILLED", 100),
        ([*FILLED, report(6, "FILLED", 100, id="r5")], ["report r5 came already"], "FILLED", 100),
        ([intended(), report(3, "ACKED"), submitted(4)],
         ["ACKED of an order that is INTENDED", "submits an order that is ACKED"], "ACKED", 0),
        ([*SENT, submitted(4)], ["submitted already at seq 3"], "SUBMITTED", 0),
        ([intended(), intended(3)], ["intended already at seq 2"], "INTENDED", 0),
        ([*FILLED, intended(6, purpose="cancel")], ["cancels an order that is FILLED"],
         "FILLED", 100),
        ([*WORKING, report(5, "FILLED", 100, latency_us=None)],
         ["data.latency_us: expected int, got null"], "ACKED", 0),
    ],
)  # fmt: skip
def test_a_contradiction_is_an_anomaly_and_nothing_of_it_is_lost(
    events: list[Event], reasons: list[str], state: str, filled: int
) -> None:
    journal = ExecutionJournal(events)
    record = the_order(journal)
    assert [anomaly.reason for anomaly in journal.anomalies] == reasons
    assert journal.anomalies_by_order() == {ORDER: list(journal.anomalies)}
    assert all(anomaly.event in events for anomaly in journal.anomalies)
    assert (record.state, record.filled) == (state, filled)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (report(9, "FILLED", 5, order="s.77"), "FILLED of an order that is not known"),
        (submitted(9, order="s.77"), "submits an order that is not known"),
        (intended(9, order="s.77", purpose="cancel"), "cancels an order that is not known"),
        (_event("broker.report", 9, "r", {"order": "s.77"}), "data.id: missing"),
        (_event("broker.report", 9, "r", {"order": 3}), "data.order: expected str, got int"),
    ],
)
def test_what_names_no_known_order_is_kept(event: Event, reason: str) -> None:
    journal = ExecutionJournal([*WORKING, event])
    (anomaly,) = journal.anomalies
    assert anomaly.reason == reason
    assert anomaly.event is event
    assert anomaly.order == ("s.77" if event.data["order"] == "s.77" else "")
    assert the_order(journal).state == "ACKED"


def test_in_any_order_and_twice_no_report_is_lost_or_raised() -> None:
    reports = [
        report(4, "ACKED"),
        *(report(seq, "PARTIALLY_FILLED", 20) for seq in range(5, 9)),
        report(9, "FILLED", 20),
    ]
    for seed in range(200):
        chance = random.Random(seed)
        shuffled = [*SENT, *reports, *chance.choices(reports, k=3)]
        chance.shuffle(shuffled)
        journal = ExecutionJournal([intended(1), *shuffled])
        record = the_order(journal)
        assert len(record.reports) == len(reports)
        assert record.filled == 100
        assert record.state == "FILLED"
        assert record.submitted_seq == 3
        known = {step.seq for step in record.reports}
        odd = {anomaly.event.seq for anomaly in journal.anomalies}
        assert {event.seq for event in reports} <= known | odd


# --- memory ---------------------------------------------------------------------------------------


def test_of_finished_orders_the_last_are_kept_and_open_ones_all() -> None:
    journal = ExecutionJournal(capacity=10)
    for number in range(40):
        order, seq = f"s.{number}", 10 * number + 1
        journal.feed(intended(seq, order))
        journal.feed(submitted(seq + 1, order))
        if number != 3:
            journal.feed(report(seq + 2, "ACKED", order=order))
            journal.feed(report(seq + 3, "FILLED", 100, order=order))
    kept = [record.order for record in journal.orders()]
    assert kept == ["s.3", *(f"s.{number}" for number in range(31, 40))]
    assert (len(journal), journal.left_off) == (10, 30)
    for seq in range(500, 530):
        journal.feed(report(seq, "FILLED", 1, order="s.0"))
    assert (len(journal.anomalies), journal.anomaly_count) == (10, 30)


# --- real sessions --------------------------------------------------------------------------------


def test_a_session_s_orders_are_those_of_its_events(tmp_path: Path) -> None:
    rig = Rig(var_dir=tmp_path)
    engine = rig.run()
    journal = ExecutionJournal.of_session(rig.directory)
    events = [line.to_event() for line in read_session(rig.directory)]
    assert not journal.anomalies
    assert [record.order for record in journal.orders()] == [
        event.data["order"] for event in events if event.kind == "order.intended"
    ]
    at = {event.seq: event.ts for event in events}
    for record in journal.orders():
        assert record.state == "FILLED"
        assert record.filled == record.intent.quantity
        for fill in record.fills:
            assert fill.latency_us == fill.ts - at[record.submitted_seq] > 0
            assert (fill.charges_paise, fill.charges_reason) == (None, "GROSS")
    sold = {"BUY": -1, "SELL": 1}
    flow = sum(sold[record.intent.side] * record.value_paise for record in journal.orders())
    assert flow == engine.state.realised_paise


def test_an_order_open_at_the_close_expires(tmp_path: Path) -> None:
    """The last frames quote five units of 65: what is left of the orders ends with the day."""

    def thin(day: Any) -> list[Any]:
        frames = day_frames(day, count=40)
        quiet = [
            chain_frame(frame.underlying, frame.available_at, 0.13, quantity=5)
            for frame in frames[-16:]
        ]
        return [*frames[:-16], *quiet]

    rig = Rig(var_dir=tmp_path, days=DAYS[:1], frames_of=thin)
    rig.run()
    journal = ExecutionJournal.of_session(rig.directory)
    expired = list(journal.orders(state=OrderState.EXPIRED))
    assert expired
    assert not journal.anomalies
    for record in expired:
        assert record.reason == "end of day"
        assert record.filled < record.intent.quantity
        last = record.reports[-1]
        assert record.submitted_at is not None
        assert last.report.latency_us == last.ts - record.submitted_at
