"""Breakers and what people may change, in real sessions: what trips, what it stops, who lets it go;
all of it in the log, and still there after a stop.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from journal.kill_file import kill_file
from tests.market_factory import MINUTE_US, chain_frame
from tests.trading.engine.desk_bed import (
    CALM,
    FIRES,
    START,
    Desk,
    Told,
    firing,
    frame,
    high,
    look_at,
    losing,
    tell,
)
from tests.trading.engine.test_desk import decisions, gate
from trading.engine.engine import Engine
from trading.engine.runner import Stopped
from trading.market.frames import MarketStatus

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from journal.events import Event
    from trading.market.frames import MarketFrame
    from trading.risk.verdicts import Approved, Refused


def changed(events: Sequence[Event], kind: str = "breaker.changed") -> list[dict[str, Any]]:
    return [event.data for event in events if event.kind == kind]


def stands(events: Sequence[Event]) -> list[tuple[str, str]]:
    return [(each["what"], each["state"]) for each in changed(events)]


# --- losing trades --------------------------------------------------------------------------------

LOSE_ONCE = tell(1, "limit", name="losses_in_a_row", value=1)


@pytest.mark.parametrize(("after", "outcome"), [(0.20, "closed"), (0.40, "open")])
def test_a_loss_opens_a_breaker_and_its_trial_trade_decides(
    tmp_path: Path, after: float, outcome: str
) -> None:
    trial = [frame(30, 0.28), frame(31, 0.28), *[frame(minute, after) for minute in range(32, 40)]]
    feed = [*losing(), *high(13, 30), *trial]
    events = Desk(tmp_path, feed, {1: [LOSE_ONCE]}).run()
    assert stands(events)[:3] == [
        ("consecutive losses", "open"),
        ("consecutive losses", "half open"),
        ("consecutive losses", outcome),
    ]
    opened, half = [event for event in events if event.kind == "breaker.changed"][:2]
    assert half.ts - opened.ts == 15 * MINUTE_US
    assert not changed(events)[0]["hard"]


def test_while_a_breaker_is_open_nothing_is_entered(tmp_path: Path) -> None:
    feed = [*losing(), *high(13, 20), frame(20, 0.28)]
    events = Desk(tmp_path, feed, {1: [LOSE_ONCE]}).run()
    last = decisions(events, "entry")[-1]
    assert last["decided_by"] == 1
    assert gate(last, 1)["reason"] == "breaker consecutive losses: 1 losing trades in a row"


def test_while_it_is_half_open_one_trade_at_a_time_is_entered(tmp_path: Path) -> None:
    other = [
        chain_frame("BANKNIFTY", START + minute * MINUTE_US + 1_000_000, volatility)
        for minute, volatility in (
            (26, CALM[0]),
            (27, CALM[1]),
            (28, CALM[2]),
            (29, CALM[3]),
            (30, CALM[4]),
            (31, FIRES),
        )
    ]
    feed = [*losing(), *high(13, 30), frame(30, 0.28), frame(31, 0.28), *other]
    events = Desk(tmp_path, feed, {1: [LOSE_ONCE]}).run()
    trial, beside = decisions(events, "entry")[-2:]
    assert trial["verdict"] == "pass"
    assert beside["decided_by"] == 1
    assert gate(beside, 1)["reason"].endswith("is half open: its trial trade is out")


# --- the clock ------------------------------------------------------------------------------------


def skewed(minute: int, ahead_us: int, volatility: float = 0.12) -> MarketFrame:
    found = frame(minute, volatility, flags=("CLOCK",) if ahead_us > 0 else ())
    return msgspec.structs.replace(found, as_of=found.available_at + ahead_us)


@pytest.mark.parametrize(("ahead_us", "opens"), [(500_000, False), (500_001, True)])
def test_a_stamp_from_the_future_opens_a_breaker(
    tmp_path: Path,
    ahead_us: int,
    opens: bool,  # noqa: FBT001 - a row
) -> None:
    feed = [*[frame(i, CALM[i]) for i in range(4)], skewed(4, ahead_us), frame(5, FIRES)]
    events = Desk(tmp_path, feed).run()
    assert (stands(events)[:1] == [("clock skew", "open")]) is opens
    (entry,) = decisions(events, "entry")
    assert (entry["decided_by"] == 1) is opens


# --- drawdowns ------------------------------------------------------------------------------------

SMALL = [
    tell(1, "limit", name="day_loss_half_ppm", value=1),
    tell(2, "limit", name="day_loss_block_ppm", value=2),
    tell(3, "limit", name="day_loss_flatten_ppm", value=3),
]


def test_a_day_s_loss_at_its_end_flattens_and_stays(tmp_path: Path) -> None:
    """Stricter limits first, so that one lot can reach them."""
    rising = [frame(minute, 0.15 + 0.03 * (minute - 6)) for minute in range(6, 12)]
    desk = Desk(tmp_path, [*firing(), *rising], {1: SMALL}, hold_minutes=60)
    events = desk.run()
    assert stands(events) == [("daily drawdown", "open")]
    (breaker,) = changed(events)
    assert breaker["hard"]
    (leaving,) = decisions(events, "exit")
    assert leaving["reason"] == "DAY_LOSS"
    assert leaving["verdict"] == "pass"
    assert [e.data["state"] for e in events if e.kind == "position.changed"][-1] == "ARCHIVE"


def test_a_hard_breaker_is_re_armed_by_two_people_and_no_fewer(tmp_path: Path) -> None:
    rising = [frame(minute, 0.15 + 0.03 * (minute - 6)) for minute in range(6, 12)]
    rearm = tell(10, "rearm", breaker="daily drawdown")
    told = {
        1: SMALL,
        look_at(60): [rearm, tell(11, "approve", request=rearm.id)],
        look_at(61): [tell(12, "approve", actor="ravi", request="nothing")],
        look_at(62): [tell(13, "approve", actor="ravi", request=rearm.id)],
    }
    events = Desk(tmp_path, [*firing(), *rising], told, hold_minutes=60).run()
    asked = [
        (each["state"], each["actor"], each["approver"])
        for each in changed(events, "request.changed")
    ]
    assert asked == [
        ("waiting", "asha", None),
        ("refused", "asha", None),
        ("refused", "ravi", None),
        ("approved", "asha", "ravi"),
    ]
    closed = next(each for each in changed(events) if each["state"] == "closed")
    assert (closed["actor"], closed["approver"]) == ("asha", "ravi")
    # The day's loss has not gone away: the next snapshot finds it again.
    assert stands(events)[-1] == ("daily drawdown", "open")


# --- orders ---------------------------------------------------------------------------------------


def test_orders_that_are_rejected_open_a_breaker(tmp_path: Path) -> None:
    feed = [*firing(), *[frame(minute, 0.15 + 0.02 * (minute - 5)) for minute in range(6, 12)]]
    events = Desk(tmp_path, feed, broker={"reject_ppm": 1_000_000}).run()
    assert stands(events)[0] == ("reject rate", "open")
    assert changed(events)[0]["reason"] in {"5 of 5 orders rejected", "6 of 6 orders rejected"}


def test_a_gate_that_fails_opens_a_hard_breaker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trading.engine import admission
    from trading.risk.decision import GATES, decide

    def failing(*_: object) -> Any:
        raise KeyError("surprise")

    gates = (*GATES[:12], (GATES[12][0], failing), *GATES[13:])

    def with_a_failure(*given: Any) -> Approved | Refused:
        return decide(*given, gates)

    monkeypatch.setattr(admission, "decide", with_a_failure)
    events = Desk(tmp_path, firing()).run()
    (entry,) = decisions(events, "entry")
    assert entry["decided_by"] == 13
    assert stands(events) == [("gate failure", "open")]
    assert changed(events)[0]["hard"]


# --- limits and strategies ------------------------------------------------------------------------


def test_a_stricter_limit_holds_at_once_and_a_looser_one_waits(tmp_path: Path) -> None:
    looser = tell(2, "limit", name="trade_loss_ppm", value=9_000)
    told = {
        1: [tell(1, "limit", name="trade_loss_ppm", value=10)],
        look_at(2): [looser],
        look_at(7): [tell(3, "approve", actor="ravi", request=looser.id)],
    }
    late = [frame(minute, CALM[minute % 5]) for minute in range(6, 12)]
    events = Desk(tmp_path, [*firing(), *late, frame(12, FIRES)], told).run()
    first, second = decisions(events, "entry")
    assert (first["decided_by"], second["decided_by"]) == (11, None)
    stricter, looser_one = changed(events, "limits.changed")
    assert (stricter["before"], stricter["after"], stricter["approver"]) == (10_000, 10, None)
    assert (looser_one["before"], looser_one["after"]) == (10, 9_000)
    assert (looser_one["actor"], looser_one["approver"]) == ("asha", "ravi")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": "order_lot", "value": 1}, "'order_lot' is no limit that can be changed"),
        ({"name": "band_ppm", "value": 1}, "'band_ppm' is no limit that can be changed"),
        ({"name": "order_lots", "value": 1.5}, "order_lots: 1.5 is no whole number"),
        ({"name": "order_lots", "value": True}, "order_lots: True is no whole number"),
        ({"name": "order_lots", "value": 0}, "order_lots is 0, expected more than 0"),
        ({"name": "margin_hard_ppm", "value": 1}, "is not below margin_hard_ppm 1"),
        ({}, "None is no limit"),
    ],
)
def test_a_limit_that_is_none_is_answered_with_the_reason(
    tmp_path: Path, arguments: dict[str, Any], words: str
) -> None:
    events = Desk(tmp_path, firing(), {1: [tell(1, "limit", **arguments)]}).run()
    (refused,) = changed(events, "request.changed")
    assert refused["state"] == "refused"
    assert words in refused["reason"]
    assert changed(events, "limits.changed") == []


@pytest.mark.parametrize(
    ("command", "arguments", "words"),
    [
        ("rearm", {"breaker": "kill"}, "'kill' is no breaker"),
        ("rearm", {"breaker": "slippage"}, "slippage is not set"),
        ("disable", {"strategy": "S9"}, "'S9' is no strategy of this session"),
        ("approve", {}, "no request None waits"),
    ],
)
def test_what_cannot_be_done_changes_nothing(
    tmp_path: Path, command: str, arguments: dict[str, Any], words: str
) -> None:
    events = Desk(tmp_path, firing(), {1: [tell(1, command, **arguments)]}).run()
    (refused,) = changed(events, "request.changed")
    assert words in refused["reason"]


def test_a_strategy_that_is_off_enters_nothing_until_it_is_on(tmp_path: Path) -> None:
    told = {
        1: [tell(1, "disable", strategy="S4")],
        look_at(7): [tell(2, "enable", strategy="S4")],
    }
    late = [frame(minute, CALM[minute % 5]) for minute in range(6, 12)]
    events = Desk(tmp_path, [*firing(), *late, frame(12, FIRES)], told).run()
    first, second = decisions(events, "entry")
    assert (first["decided_by"], second["decided_by"]) == (1, None)
    assert gate(first, 1)["reason"] == "S4 is disabled by asha: reason 1"
    assert [each["after"] for each in changed(events, "strategy.disabled")] == [True, False]


def test_a_strategy_that_enters_too_often_is_switched_off(tmp_path: Path) -> None:
    told: Told = {
        1: [tell(1, "limit", name="entries_per_day", value=1)],
        look_at(29): [tell(2, "enable", strategy="S4")],
    }
    between = [frame(minute, CALM[minute % 5]) for minute in range(6, 18)]
    more = [frame(minute, CALM[minute % 5]) for minute in range(19, 34)]
    feed = [*firing(), *between, frame(18, FIRES), *more, frame(34, FIRES)]
    events = Desk(tmp_path, feed, told).run()
    first, second, third = decisions(events, "entry")
    assert (first["decided_by"], second["decided_by"], third["decided_by"]) == (None, 1, None)
    (off, on, off_again) = changed(events, "strategy.disabled")
    assert (off["actor"], off["after"], on["after"], off_again["after"]) == (
        "gate 19",
        True,
        False,
        True,
    )


def test_the_kill_switch_is_re_armed_by_two_people(tmp_path: Path) -> None:
    rearm = tell(2, "rearm", breaker="kill switch")
    told = {
        1: [tell(1, "kill"), rearm],
        2: [tell(3, "approve", actor="ravi", request=rearm.id)],
    }
    events = Desk(tmp_path, firing(), told).run()
    assert stands(events) == [("kill switch", "open"), ("kill switch", "closed")]
    (entry,) = decisions(events, "entry")
    assert entry["verdict"] == "pass"


def test_while_the_kill_file_is_there_a_re_arming_does_not_last(tmp_path: Path) -> None:
    rearm = tell(2, "rearm", breaker="kill switch")
    told = {
        2: [rearm],
        3: [tell(3, "approve", actor="ravi", request=rearm.id)],
    }
    desk = Desk(tmp_path, firing(), told)
    kill_file(tmp_path).write_text("asha: drill")
    events = desk.run()
    assert stands(events) == [
        ("kill switch", "open"),
        ("kill switch", "closed"),
        ("kill switch", "open"),
    ]
    assert all(each["verdict"] == "block" for each in decisions(events, "entry"))


# --- a halt ---------------------------------------------------------------------------------------


def test_a_kill_in_a_halt_is_queued_once_and_goes_when_trading_goes_on(tmp_path: Path) -> None:
    def status(minute: int, what: Any) -> Any:
        return MarketStatus("NIFTY", START + minute * MINUTE_US + 5_000_000, what, "drill")

    frames = [frame(6, 0.13), *[frame(minute, 0.13) for minute in range(13, 17)]]
    feed = [*firing(), *frames, status(7, "HALT"), status(12, "RESUME")]
    desk = Desk(tmp_path, feed, {look_at(10): [tell(1, "kill")]}, hold_minutes=60)
    events = desk.run()
    queued, gone = decisions(events, "exit")
    assert (queued["verdict"], queued["decided_by"], queued["reason"]) == ("queued", 3, "KILL")
    assert queued["lots"] == 0
    assert (gone["verdict"], gone["reason"]) == ("pass", "KILL")
    assert [e.data["state"] for e in events if e.kind == "position.changed"][-1] == "ARCHIVE"


# --- nothing is forgotten -------------------------------------------------------------------------


def test_breakers_limits_and_requests_survive_a_stop(tmp_path: Path) -> None:
    """The same session in one piece and in two ends in the same state and the same bytes."""
    waiting = tell(9, "rearm", breaker="daily drawdown")

    def told() -> Told:
        return {1: list(SMALL), look_at(60): [waiting]}

    rising = [frame(minute, 0.15 + 0.03 * (minute - 6)) for minute in range(6, 12)]
    feed = [*firing(), *rising]
    whole = Desk(tmp_path / "whole", feed, told(), hold_minutes=60)
    whole.run()
    cut = Desk(tmp_path / "cut", feed, told(), stop_before=look_at(100), hold_minutes=60)
    with pytest.raises(Stopped):
        cut.rig.run()
    again = replace(cut.rig, stopping=lambda: False)
    engine = again.run()
    assert engine.state.risk.requests.keys() == {waiting.id}
    assert engine.state.risk.breakers.keys() == {"daily drawdown"}
    assert engine.state.risk.limit_changes["day_loss_flatten_ppm"] == 3
    restored = Engine("day1")
    restored.restore(engine.dump())
    assert restored.state.risk == engine.state.risk

    def bodies(desk: Desk) -> list[Any]:
        return [
            e.data
            for e in desk.events()
            if e.kind in {"breaker.changed", "limits.changed", "gate.decided", "portfolio.snapshot"}
        ]

    assert bodies(whole) == bodies(cut)
