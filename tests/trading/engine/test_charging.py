"""Charges of a session: exact fill by fill, billed at the close, and again from the log alone."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from journal.log.reader import read_session
from tests.market_factory import DAYS, Rig, factory_configuration
from trading.costs.brokers import broker_named
from trading.costs.india import Contract, Fill
from trading.costs.notes import Order, contract_note
from trading.engine.engine import Engine

if TYPE_CHECKING:
    from pathlib import Path

    from journal.events import Event

LINES = ("brokerage", "stt", "exchange", "sebi", "stamp", "gst")


@pytest.fixture(scope="module", params=[1, 3])
def charged(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[int, list[Event]]:
    """A session of two days that pays what ZERODHA bills, once or three times."""
    costs = {"profile": "ZERODHA", "stress": request.param}
    rig = Rig(
        var_dir=tmp_path_factory.mktemp("charged"),
        days=DAYS[:2],
        configuration=factory_configuration(costs=costs),
    )
    rig.run()
    return request.param, [line.to_event() for line in read_session(rig.directory)]


def fills_of(events: list[Event], day: str) -> tuple[Order, ...]:
    """The executed orders of a day, from the broker's reports and the intents alone."""
    intents = {e.data["order"]: e.data for e in events if e.kind == "order.intended"}
    fills: dict[str, list[Fill]] = defaultdict(list)
    today = ""
    for event in events:
        if event.kind == "day.opened":
            today = event.data["date"]
        if event.kind == "broker.report" and today == day and event.data["quantity"]:
            intent = intents[event.data["order"]]
            contract = intent["contract"]
            named = Contract(
                "NSE",
                contract["underlying"],
                date.fromisoformat(contract["expiry"]),
                contract["strike_paise"],
                contract["right"],
            )
            report = event.data
            fills[report["order"]].append(
                Fill(named, intent["side"], report["quantity"], report["price_paise"])
            )
    return tuple(Order(tuple(each)) for each in fills.values())


def test_the_note_of_a_day_is_that_of_its_orders(charged: tuple[int, list[Event]]) -> None:
    stress, events = charged
    closed = {e.data["date"]: e.data for e in events if e.kind == "day.closed"}
    assert len(closed) == 2
    for day, data in closed.items():
        orders = fills_of(events, day)
        assert orders, "the day has traded"
        note = contract_note(date.fromisoformat(day), broker_named("ZERODHA"), orders)
        exact = note.exact.times(stress)
        found = {line: Decimal(text) for line, text in data["note"]["exact"].items()}
        assert found == {line: Decimal(getattr(exact, line)) / 10**20 for line in LINES}
        if stress == 1:
            assert {line: data["note"]["billed"][line] for line in LINES} == {
                line: getattr(note.billed, line) for line in LINES
            }
        assert data["costs"] == ("ZERODHA" if stress == 1 else "ZERODHA x3")


def test_a_trade_s_fees_and_the_session_s_agree(charged: tuple[int, list[Event]]) -> None:
    _, events = charged
    archived = [
        e.data for e in events if e.kind == "position.changed" and e.data["state"] == "ARCHIVE"
    ]
    closed = next(e.data for e in events if e.kind == "session.closed")
    notes = [e.data["note"]["billed"] for e in events if e.kind == "day.closed"]
    assert closed["fees"]["total"] == sum(note["total"] for note in notes)
    assert closed["funding_paise"] == 0  # nothing was held over a night
    assert closed["net_paise"] == closed["realised_paise"] - closed["fees"]["total"]
    totals = [data["waterfall"]["fees"]["total"] for data in archived]
    nets = [data["gross_paise"] - total for data, total in zip(archived, totals, strict=True)]
    assert [data["net_paise"] for data in archived] == nets
    # A note rounds six lines of a day to the paisa, two of them to the rupee; a trade each of six.
    apart = abs(sum(totals) - closed["fees"]["total"])
    assert apart <= len(notes) * (2 * 50 + 5) + 3 * len(archived)


def test_equity_falls_by_what_is_charged(charged: tuple[int, list[Event]]) -> None:
    _, events = charged
    capital = factory_configuration().desk.capital_paise
    flat = [e.data for e in events if e.kind == "portfolio.snapshot" and not e.data["positions"]]
    assert any(data["waterfall"]["fees"]["total"] for data in flat)
    for data in flat:
        fees = data["waterfall"]["fees"]["total"]
        assert data["equity_paise"] == capital + data["realised_paise"] - fees


def test_the_log_alone_decides_and_charges_the_same(charged: tuple[int, list[Event]]) -> None:
    """A fresh engine is fed from the second day's opening: it has the rates from there."""
    _, events = charged
    start = [at for at, e in enumerate(events) if e.kind == "day.opened"][1]
    engine = Engine(events[0].session)
    told = [event for event in events[start:] if event.seq is not None]
    derived: dict[int, Event] = {}
    for event in told:
        if event.seq in derived:
            assert derived.pop(event.seq) == event
        else:
            derived |= {each.seq or 0: each for each in engine.on(event)}
    assert not derived


def test_another_rate_in_the_opening_is_another_note(charged: tuple[int, list[Event]]) -> None:
    """What is charged comes from the recorded rates and from nowhere else."""
    _, events = charged
    doubled, bills = Engine(events[0].session), list[int]()
    for event in events:
        if event.seq is None or event.kind == "log.opened":
            continue
        if event.kind == "day.opened" and bills:
            break
        changed = event
        if event.kind == "day.opened":
            data: dict[str, Any] = json.loads(json.dumps(event.data))
            for rate in data["rates"]["tariff"]["own"]:
                rate["rate_e9"] *= 2
            changed = replace(event, data=data)
        if event.seq == doubled.next_seq:
            derived = doubled.on(changed)
            bills += [brokerage_of(each) for each in derived if each.kind == "day.closed"]
    told = next(brokerage_of(event) for event in events if event.kind == "day.closed")
    assert bills == [2 * told]


def brokerage_of(closed: Event) -> int:
    brokerage: int = closed.data["note"]["billed"]["brokerage"]
    return brokerage


def test_a_session_that_is_gross_names_no_charge(tmp_path: Path) -> None:
    rig = Rig(var_dir=tmp_path, days=DAYS[:1])
    rig.run()
    events = [line.to_event() for line in read_session(rig.directory)]
    closed = next(e.data for e in events if e.kind == "day.closed")
    assert (closed["note"], closed["costs"]) == (None, "GROSS")
    changed = [e.data for e in events if e.kind == "position.changed"]
    assert {data["waterfall"]["fees"] for data in changed} == {None}
