"""Held into expiry: settled in cash at intrinsic value, charged, archived, and decided again from
the log alone; without a price it is left as it is and said so.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from journal.log.reader import read_session
from replay.recording import read_recording
from replay.runner import DayRunner
from tests.market_factory import MINUTE_US, Rig, chain_frame, factory_configuration
from tests.trading.engine.desk_bed import CALM, FIRES
from tests.trading.engine.test_runner import bodies_of, cut_after
from trading.costs.brokers import broker_named
from trading.costs.india import Contract, Exercise, charges_of, exercise_lines
from trading.costs.notes import billed_charges
from trading.engine.engine import Engine
from trading.engine.step import EngineError
from trading.execution.settlement import SettlementPrice
from trading.market.calendar import session_hours

if TYPE_CHECKING:
    from pathlib import Path

    from journal.events import Event
    from trading.execution.settlement import Settlements
    from trading.market.frames import MarketFrame

ENTERED, EXPIRES, AFTER = date(2026, 2, 27), date(2026, 3, 2), date(2026, 3, 4)
STRIKE = 2_530_000
FALLS = 0.090  # far below calm: the straddle is bought
LOT = 65
LINES = ("brokerage", "stt", "exchange", "sebi", "stamp", "gst")


def feed_of(day: date, level: float = FIRES) -> list[MarketFrame]:
    """An entry on the first day; on the expiry day nothing is quoted, so that nothing is left."""
    if day > EXPIRES:
        return []
    start = session_hours(day).open_us + 10 * MINUTE_US
    fifth = level if day == ENTERED else CALM[0]
    levels = [*CALM, fifth, *(CALM[minute % 5] for minute in range(5))]
    hidden = () if day == ENTERED else chain_frame("NIFTY", start, 0.12).chain[0].strike_paise
    return [
        chain_frame("NIFTY", start + minute * MINUTE_US, each, hidden_strikes=hidden)
        for minute, each in enumerate(levels)
    ]


def price_of(paise: int) -> SettlementPrice:
    return SettlementPrice(paise, "bhavcopy_options", "row 1", "a" * 64, 1, synthetic=False)


def rig_of(
    var_dir: Path,
    paise: int | None,
    *,
    level: float = FIRES,
    costs: str = "ZERODHA",
    lots: int = 1,
    known_at_close: bool = True,
    after: date = AFTER,
) -> Rig:
    """A price that is not `known_at_close` is there when it is asked for the second time."""
    asked: list[date] = []

    def settlements_of(day: date) -> Settlements:
        asked.append(day)
        known = known_at_close or len(asked) > 1
        return {"NIFTY": price_of(paise)} if paise and day == EXPIRES and known else {}

    return Rig(
        var_dir=var_dir,
        days=(ENTERED, EXPIRES, after),
        frames_of=lambda day: feed_of(day, level),
        settlements_of=settlements_of,
        configuration=factory_configuration(
            costs={"profile": costs}, lookback_snapshots=5, hold_minutes=5000, lots=lots
        ),
    )


def replayed(rig: Rig) -> list[Event]:
    """The events of a finished session, which a replay has decided to the same bytes."""
    with (rig.var_dir / "derived").open("wb") as derived:
        for day in read_recording(rig.directory).days:
            runner = DayRunner(day, session="day1", derived_to=derived, progress=lambda _: None)
            assert runner.run(unfinished=False).divergence is None
    return [line.to_event() for line in read_session(rig.directory)]


def run(var_dir: Path, paise: int | None, **rest: Any) -> list[Event]:
    rig = rig_of(var_dir, paise, **rest)
    rig.run()
    return replayed(rig)


def of_kind(events: list[Event], kind: str) -> list[Event]:
    return [event for event in events if event.kind == kind]


def note_of(events: list[Event], day: date) -> dict[str, Any] | None:
    closed = next(e for e in of_kind(events, "day.closed") if e.data["date"] == day.isoformat())
    note: dict[str, Any] | None = closed.data["note"]
    return note


SIDES = {"SELL": FIRES, "BUY": FALLS}


@pytest.mark.parametrize("side", ["BUY", "SELL"])
@pytest.mark.parametrize(
    ("paise", "call_paise", "put_paise"),
    [
        (STRIKE, 0, 0),
        (STRIKE + 1, 1, 0),
        (STRIKE - 1, 0, 1),
        (2_545_035, 15_035, 0),
        (2_514_965, 0, 15_035),
    ],
)
def test_a_straddle_settles_at_intrinsic_value(
    tmp_path: Path, side: str, paise: int, call_paise: int, put_paise: int
) -> None:
    events = run(tmp_path, paise, level=SIDES[side])
    (given,) = of_kind(events, "settlement.published")
    (settled,) = of_kind(events, "position.settled")
    intrinsic = {"CE": call_paise, "PE": put_paise}
    paid = "EXERCISED" if side == "BUY" else "ASSIGNED"
    for leg in settled.data["legs"]:
        worth = intrinsic[leg["contract"]["right"]]
        assert (leg["side"], leg["quantity"]) == (side, LOT)
        assert (leg["intrinsic_paise"], leg["value_paise"]) == (worth, LOT * worth)
        assert leg["outcome"] == (paid if worth else "LAPSED")
    sign = 1 if side == "BUY" else -1
    assert settled.data["cash_paise"] == sign * LOT * (call_paise + put_paise)
    assert {name: settled.data[name] for name in ("price_paise", "source", "row")} == {
        "price_paise": paise,
        "source": "bhavcopy_options",
        "row": "row 1",
    }
    assert given.seq in settled.cause
    left, archived = of_kind(events, "position.changed")[-2:]
    assert (left.data["before"], left.data["state"]) == ("HOLD", "EXIT")
    assert (archived.data["before"], archived.data["state"]) == ("EXIT", "ARCHIVE")
    assert left.data["reason"] == archived.data["reason"] == "EXPIRY"
    entered = sum(leg["entry_value_paise"] for leg in archived.data["legs"])
    gross = settled.data["cash_paise"] - sign * entered
    assert archived.data["gross_paise"] == gross
    (closed,) = of_kind(events, "session.closed")
    assert closed.data["realised_paise"] == gross
    last = of_kind(events, "portfolio.snapshot")[-1].data
    assert (last["realised_paise"], last["positions"]) == (gross, [])
    assert last["equity_paise"] == 5_000_000_000 + closed.data["net_paise"]
    assert not of_kind(events, "position.unsettled")


@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_the_holder_pays_the_tax_on_exercise_and_the_note_has_it(tmp_path: Path, side: str) -> None:
    events = run(tmp_path, 2_545_035, level=SIDES[side])
    call = Contract("NSE", "NIFTY", EXPIRES, STRIKE, "CE")
    lines = exercise_lines(Exercise(call, side, LOT, 2_545_035), EXPIRES, broker_named("ZERODHA"))
    billed = billed_charges(charges_of(lines))
    note = note_of(events, EXPIRES)
    assert note is not None
    assert {line: note["billed"][line] for line in LINES} == {
        line: getattr(billed, line) for line in LINES
    }
    # 65 × 150.35 = 9,772.75 rupees in the money; 0.125 % of it is 12.22 rupees, billed as 12.
    assert note["exact"]["stt"] == ("12.2159375" if side == "BUY" else "0.00")
    assert note["billed"]["stt"] == (1_200 if side == "BUY" else 0)
    (settled,) = of_kind(events, "position.settled")
    charged = {leg["contract"]["right"]: leg["charges"] for leg in settled.data["legs"]}
    assert charged["CE"]["stt"] == (1_222 if side == "BUY" else 0)
    assert charged["CE"]["brokerage"] == 2_000
    assert charged["PE"]["total"] == 0


def test_what_lapses_costs_nothing(tmp_path: Path) -> None:
    assert note_of(run(tmp_path, STRIKE), EXPIRES) is None


def test_gross_sessions_settle_and_take_nothing_off(tmp_path: Path) -> None:
    events = run(tmp_path, 2_545_035, costs="GROSS")
    (settled,) = of_kind(events, "position.settled")
    assert [leg["charges"] for leg in settled.data["legs"]] == [None, None]
    assert settled.data["costs"] == "GROSS"


def test_without_a_price_nothing_is_assumed_and_one_event_says_so(tmp_path: Path) -> None:
    events = run(tmp_path, None)
    (told,) = of_kind(events, "position.unsettled")
    assert told.data["reason"] == "NO_PRICE"
    assert told.ts == session_hours(EXPIRES).close_us
    assert len(told.data["contracts"]) == 2
    assert not of_kind(events, "position.settled")
    last = of_kind(events, "position.changed")[-1]
    assert (last.data["state"], last.data["gross_paise"]) == ("HOLD", 0)
    (closed,) = of_kind(events, "session.closed")
    assert closed.data["realised_paise"] == 0
    snapshot = of_kind(events, "portfolio.snapshot")[-1].data
    assert (snapshot["equity_paise"], len(snapshot["positions"])) == (None, 1)


def test_a_price_that_comes_later_settles_it_as_the_next_day_opens(tmp_path: Path) -> None:
    events = run(tmp_path, 2_545_035, level=FALLS, known_at_close=False)
    (told,) = of_kind(events, "position.unsettled")
    (given,) = of_kind(events, "settlement.published")
    (settled,) = of_kind(events, "position.settled")
    opened = of_kind(events, "day.opened")[-1]
    assert told.ts == session_hours(EXPIRES).close_us
    assert opened.ts == given.ts == settled.ts
    assert given.data["expiry"] == settled.data["expiry"] == EXPIRES.isoformat()
    assert settled.data["cash_paise"] == LOT * 15_035
    assert of_kind(events, "position.changed")[-1].data["state"] == "ARCHIVE"
    assert note_of(events, EXPIRES) is None
    note = note_of(events, AFTER)  # of the day it was settled on
    assert note is not None
    assert note["billed"]["stt"] == 1_200
    assert of_kind(events, "portfolio.snapshot")[-1].data["positions"] == []


def test_a_late_settlement_pays_the_rates_of_the_expiry(tmp_path: Path) -> None:
    """The tax on exercise went from 0.125 % to 0.15 % on the first of April 2026."""
    dearer = date(2026, 4, 1)
    events = run(tmp_path, 2_545_035, level=FALLS, known_at_close=False, after=dearer)
    (given,) = of_kind(events, "settlement.published")
    expired, opened = of_kind(events, "day.opened")[1:]
    assert given.data["tariff"] == expired.data["rates"]["tariff"]
    assert given.data["tariff"] != opened.data["rates"]["tariff"]
    (settled,) = of_kind(events, "position.settled")
    taxed = [leg["charges"]["stt"] for leg in settled.data["legs"] if leg["value_paise"]]
    assert taxed == [round(LOT * 15_035 * 0.00125)]
    note = note_of(events, dearer)
    assert note is not None
    assert note["billed"]["stt"] == 1_200


def test_what_is_settled_on_its_day_carries_no_rates_of_its_own(tmp_path: Path) -> None:
    (given,) = of_kind(run(tmp_path, 2_545_035, level=FALLS), "settlement.published")
    assert given.data["tariff"] is None


def test_a_late_settlement_that_is_cut_short_is_taken_up_again(tmp_path: Path) -> None:
    whole = rig_of(tmp_path / "whole", 2_545_035, known_at_close=False)
    whole.run()
    lines = list(read_session(whole.directory))
    opened = max(n for n, line in enumerate(lines) if line.body["kind"] == "day.opened")
    for number, line in enumerate(lines[opened : opened + 6]):
        cut = cut_after(whole, tmp_path / f"cut{number}", line)
        cut.run()
        assert bodies_of(cut.directory) == bodies_of(whole.directory), line.body["kind"]


@pytest.mark.parametrize("known", ["at the close", "later"])
def test_what_has_not_expired_of_a_structure_is_held_on(tmp_path: Path, known: str) -> None:
    """The put of the straddle in the week after: the call settles, the put stays and is marked."""
    rig = rig_of(tmp_path, 2_545_035, known_at_close=known == "at the close")
    rig.run()
    events = [line.to_event() for line in read_session(rig.directory)]
    (given,) = of_kind(events, "settlement.published")
    engine = fed_until(events, given.seq or 0)
    (trade,) = engine.state.trades.values()
    put = next(leg for leg in trade.legs if leg.contract.right == "PE")
    put.contract = msgspec.structs.replace(put.contract, expiry="2026-03-10")
    derived = engine.on(given)
    (settled,) = of_kind(derived, "position.settled")
    assert [leg["contract"]["right"] for leg in settled.data["legs"]] == ["CE"]
    moved = [(e.data["before"], e.data["state"]) for e in of_kind(derived, "position.changed")]
    assert moved == [("HOLD", "EXIT"), ("EXIT", "HOLD")]
    assert [leg.open_quantity for leg in trade.legs] == [0, LOT]
    assert trade.id in engine.state.trades


def test_nobody_tries_to_leave_what_has_expired(tmp_path: Path) -> None:
    events = run(tmp_path, None)
    opened = of_kind(events, "day.opened")[-1]
    after = [event for event in events if (event.seq or 0) > (opened.seq or 0)]
    assert opened.data["date"] == AFTER.isoformat()
    assert not {"order.intended", "gate.decided"} & {event.kind for event in after}


def test_a_crash_after_any_line_of_the_close_loses_and_repeats_nothing(tmp_path: Path) -> None:
    """Cut at every line from the last orders' end to the day's, between price and answer too."""
    whole = rig_of(tmp_path / "whole", 2_545_035)
    whole.run()
    lines = list(read_session(whole.directory))
    close_us = session_hours(EXPIRES).close_us
    near = [line for line in lines if line.body["ts"] == close_us]
    kinds = [line.body["kind"] for line in near]
    assert kinds.count("settlement.published") == kinds.count("position.settled") == 1
    for number, line in enumerate(near):
        cut = cut_after(whole, tmp_path / f"cut{number}", line)
        cut.run()
        assert bodies_of(cut.directory) == bodies_of(whole.directory), line.body["kind"]


def test_while_an_order_works_nothing_is_settled_and_the_event_says_so(tmp_path: Path) -> None:
    """The closing instant without the reports that end the day's exits."""
    rig = rig_of(tmp_path, 2_545_035)
    rig.run()
    events = [line.to_event() for line in read_session(rig.directory)]
    (given,) = of_kind(events, "settlement.published")
    ends = [e for e in of_kind(events, "broker.report") if e.data["status"] == "EXPIRED"]
    engine = fed_until(events, ends[0].seq or 0)
    before = engine.dump()["trades"]
    assert engine.on(replace(given, seq=engine.next_seq)) == []
    assert engine.dump()["trades"] == before
    tick = next(e for e in of_kind(events, "clock.tick") if e.ts == given.ts)
    told = engine.on(replace(tick, seq=engine.next_seq))
    (unsettled,) = of_kind(told, "position.unsettled")
    assert unsettled.data["reason"] == "ORDER_WORKS"


def test_above_the_freeze_quantity_an_exercise_is_several_orders(tmp_path: Path) -> None:
    rig = rig_of(tmp_path, 2_545_035, level=FALLS, lots=3)
    rig.run()
    events = [line.to_event() for line in read_session(rig.directory)]
    (given,) = of_kind(events, "settlement.published")
    engine = fed_until(events, given.seq or 0)
    assert engine.state.day is not None
    terms = engine.state.day.terms["NIFTY"]
    engine.state.day.terms["NIFTY"] = msgspec.structs.replace(terms, freeze_quantity=2 * LOT)
    (settled,) = of_kind(engine.on(given), "position.settled")
    call = next(leg for leg in settled.data["legs"] if leg["contract"]["right"] == "CE")
    assert (call["quantity"], call["charges"]["brokerage"]) == (3 * LOT, 2 * 2_000)


def test_a_price_taken_before_a_crash_is_not_taken_again(tmp_path: Path) -> None:
    rig = rig_of(tmp_path, 2_545_035)
    rig.run()
    events = [line.to_event() for line in read_session(rig.directory)]
    (given,) = of_kind(events, "settlement.published")
    engine = fed_until(events, (given.seq or 0) + 1)
    assert engine.state.trades == {}
    again = replace(given, seq=engine.next_seq)
    assert engine.on(again) == []


def fed_until(events: list[Event], seq: int) -> Engine:
    """An engine that was given the inputs of a log before a seq."""
    engine = Engine("day1")
    for event in events:
        if event.seq is not None and event.seq < seq and event.seq == engine.next_seq:
            engine.on(event)
    return engine


@pytest.mark.parametrize("wrong", ["a later day", "before the close"])
def test_a_price_that_is_not_due_is_refused(tmp_path: Path, wrong: str) -> None:
    rig = rig_of(tmp_path, 2_545_035)
    rig.run()
    events = [line.to_event() for line in read_session(rig.directory)]
    (given,) = of_kind(events, "settlement.published")
    if wrong == "a later day":
        engine = fed_until(events, given.seq or 0)
        event = replace(given, data={**given.data, "expiry": AFTER.isoformat()})
    else:
        tick = [e for e in of_kind(events, "clock.tick") if e.ts < given.ts][-1]
        engine = fed_until(events, tick.seq or 0)
        event = replace(given, seq=tick.seq, ts=tick.ts)
    held = set(engine.state.trades)
    with pytest.raises(EngineError, match="is not settled now"):
        engine.on(event)
    assert set(engine.state.trades) == held
