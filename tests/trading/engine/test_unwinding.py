"""Structures that do not become whole: given up once, and what was filled of them leaves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from journal.log.reader import read_session
from tests.market_factory import chain_frame
from tests.trading.engine.desk_bed import (
    CALM,
    START,
    Desk,
    configuration,
    firing,
    frame,
    look_at,
    tell,
)
from tests.trading.engine.test_runner import bodies_of, cut_after
from trading.engine.configuration import ConfigurationError, configuration_from_data
from trading.execution.paper_model import is_drawn
from trading.market.feed import MarketStatus
from trading.strategies import s4_iv_reversion

if TYPE_CHECKING:
    from pathlib import Path

    from journal.events import Event
    from trading.engine.configuration import Configuration
    from trading.market.frames import MarketFrame

LOT = 65
SECOND_US = 1_000_000
REJECTS: dict[str, Any] = {"reject_ppm": 500_000}
ENTRIES = ("day1.54", "day1.55")  # call and put, of each feed here


def calm(minute: int, **rest: Any) -> MarketFrame:
    return frame(minute, CALM[minute % 5], **rest)


def puts_at(minute: int, quantity: int | None) -> MarketFrame:
    """A frame whose puts are bid for so many units; None is no bid at all."""
    shown = calm(minute)
    (block,) = shown.chain
    nobody = (None,) * len(block.strike_paise)
    thin = msgspec.structs.replace(
        block,
        put_bid_paise=block.put_bid_paise if quantity else nobody,
        put_bid_quantity=(quantity,) * len(block.strike_paise),
    )
    return msgspec.structs.replace(shown, chain=(thin,))


def after(first: int, last: int = 20) -> list[MarketFrame]:
    return [calm(minute) for minute in range(first, last)]


def starved(first: int, last: int = 20) -> list[MarketFrame]:
    """Frames in which nobody takes a put."""
    return [puts_at(minute, None) for minute in range(first, last)]


def orders(events: list[Event], purpose: str) -> list[Event]:
    return [e for e in events if e.kind == "order.intended" and e.data["purpose"] == purpose]


def moves(events: list[Event]) -> list[tuple[Any, ...]]:
    found = [e.data for e in events if e.kind == "position.changed"]
    return [(e["before"], e["state"], e["reason"]) for e in found if e["before"] != e["state"]]


def reasons_of_exits(events: list[Event]) -> list[str]:
    return [
        e.data["reason"] for e in events if e.kind == "gate.decided" and e.data["action"] == "exit"
    ]


def minute_of(event: Event) -> float:
    return (event.ts - START) / (60 * SECOND_US)


def late(*rest: Any) -> list[Any]:
    """A whole call and forty puts at the sixth minute, and no more puts."""
    return [*firing(), puts_at(6, 40), *(rest or starved(7, 16))]


def test_one_leg_that_is_late_takes_the_other_with_it(tmp_path: Path) -> None:
    feed = [*late(*starved(7, 9)), *after(9)]
    events = Desk(tmp_path, feed, hold_minutes=5000).run()
    (cancel,) = orders(events, "cancel")
    assert (cancel.data["contract"]["right"], cancel.data["quantity"]) == ("PE", 25)
    assert minute_of(cancel) == 7  # sixty seconds after the legs became uneven
    exits = {e.data["contract"]["right"]: e.data["quantity"] for e in orders(events, "exit")}
    assert exits == {"CE": LOT, "PE": 40}
    assert set(reasons_of_exits(events)) == {"LEG_LATE"}
    assert moves(events)[-1] == ("EXIT", "ARCHIVE", "LEG_LATE")
    assert "HOLD" not in {state for _, state, _ in moves(events)}


@pytest.mark.parametrize(("seconds", "minute"), [(60, 7), (61, 8), (120, 8), (121, 9)])
def test_it_is_late_at_the_desk_s_own_limit(tmp_path: Path, seconds: int, minute: int) -> None:
    desk = Desk(tmp_path, late(), hold_minutes=5000)
    desk.rig.configuration = configuration_with(leg_seconds=seconds)
    events = desk.run()
    assert {minute_of(cancel) for cancel in orders(events, "cancel")} == {minute}


def configuration_with(**desk: int) -> Configuration:
    data = configuration(hold_minutes=5000).to_data()
    data["desk"] |= desk
    return configuration_from_data(data, where="test")


def test_one_that_is_whole_at_the_last_instant_is_held(tmp_path: Path) -> None:
    events = Desk(tmp_path, late(*after(7)), hold_minutes=5000).run()
    assert not orders(events, "cancel")
    assert moves(events)[-1][:2] == ("OPEN", "HOLD")


def test_legs_that_are_filled_evenly_are_waited_for(tmp_path: Path) -> None:
    thin = calm(6, quantity=40)
    strike = thin.chain[0].strike_paise
    nothing = [calm(minute, hidden_strikes=strike) for minute in range(7, 12)]
    events = Desk(tmp_path, [*firing(), thin, *nothing, *after(12)], hold_minutes=5000).run()
    assert not orders(events, "cancel")
    assert moves(events)[-1][:2] == ("OPEN", "HOLD")


def test_time_stands_still_in_a_halt(tmp_path: Path) -> None:
    def status(second: int, what: Any) -> MarketStatus:
        return MarketStatus("NIFTY", START + second * SECOND_US, what, "drill")

    halted = [status(6 * 60 + 30, "HALT"), status(10 * 60 + 30, "RESUME")]
    events = Desk(tmp_path, [*late(), *halted], hold_minutes=5000).run()
    assert {minute_of(cancel) for cancel in orders(events, "cancel")} == {11}


def refused_entries(events: list[Event]) -> list[Event]:
    entries = {e.data["order"] for e in orders(events, "entry")}
    reports = [e for e in events if e.kind == "broker.report" and e.data["order"] in entries]
    return [e for e in reports if e.data["status"] == "REJECTED"]


def seed_that_refuses(*, call: bool, put: bool) -> int:
    """A seed of the broker by which just these of the two entries are refused; their orders are the
    session's ids of their intents.
    """
    return next(
        seed
        for seed in range(1000)
        if tuple(is_drawn(order, 500_000, seed) for order in ENTRIES) == (call, put)
    )


@pytest.mark.parametrize("refused", [(True, False), (False, True)], ids=["call", "put"])
def test_what_works_does_not_fill_once_its_partner_was_refused(
    tmp_path: Path, refused: tuple[bool, bool]
) -> None:
    broker = REJECTS | {"seed": seed_that_refuses(call=refused[0], put=refused[1])}
    events = Desk(tmp_path, [*firing(), *after(6)], hold_minutes=5000, broker=broker).run()
    assert len(refused_entries(events)) == 1
    assert not [e for e in events if e.kind == "broker.report" and e.data["quantity"]]
    assert moves(events)[-1][:2] == ("OPEN", "ARCHIVE")


def test_a_leg_that_is_filled_leaves_when_its_partner_is_refused(tmp_path: Path) -> None:
    """One order a second: the put leaves, and is refused, after the call was filled."""
    broker = REJECTS | {"seed": seed_that_refuses(call=False, put=True), "orders_per_second": 1}
    events = Desk(tmp_path, [*firing(), *after(6)], hold_minutes=5000, broker=broker).run()
    (refused,) = refused_entries(events)
    assert set(reasons_of_exits(events)) == {"LEG_FAILED"}
    assert moves(events)[-1][1:] == ("ARCHIVE", "LEG_FAILED")
    fills = [e for e in events if e.kind == "broker.report" and e.data["status"] == "FILLED"]
    assert [e.data["quantity"] for e in fills] == [LOT, LOT]  # in and out
    assert fills[0].ts == refused.ts < fills[1].ts
    last = [e.data for e in events if e.kind == "portfolio.snapshot"][-1]
    assert last["positions"] == []


def test_when_neither_is_refused_it_is_held(tmp_path: Path) -> None:
    broker = REJECTS | {"seed": seed_that_refuses(call=False, put=False)}
    events = Desk(tmp_path, [*firing(), *after(6)], hold_minutes=5000, broker=broker).run()
    assert moves(events)[-1][:2] == ("OPEN", "HOLD")


def test_what_works_is_cancelled_at_once_and_once_when_its_partner_is_refused(
    tmp_path: Path,
) -> None:
    broker = REJECTS | {"seed": seed_that_refuses(call=True, put=False)}
    feed = [*firing(), *starved(6, 9), *after(9)]
    events = Desk(tmp_path, feed, hold_minutes=5000, broker=broker).run()
    (refused,) = refused_entries(events)
    (cancel,) = orders(events, "cancel")
    assert cancel.ts == refused.ts
    assert refused.seq in cancel.cause
    assert cancel.data["contract"]["right"] == "PE"
    assert not orders(events, "exit")
    assert moves(events)[-1][1] == "ARCHIVE"


def test_what_is_filled_before_its_cancellation_arrives_makes_it_whole(tmp_path: Path) -> None:
    """The cancellation of the eighth minute is with the exchange at the ninth; a frame half way
    fills the put.
    """
    between = chain_frame("NIFTY", START + 510 * SECOND_US, CALM[0])
    feed = [*firing(), puts_at(7, 40), puts_at(8, None), between, *after(9)]
    slow = {"latency_ms": 60_000}
    events = Desk(tmp_path, feed, hold_minutes=5000, broker=slow).run()
    (cancel,) = orders(events, "cancel")
    assert minute_of(cancel) == 8
    assert not orders(events, "exit")
    assert moves(events)[-1][:2] == ("OPEN", "HOLD")
    filled = [e for e in events if e.kind == "broker.report" and e.data["status"] == "FILLED"]
    assert all(e.ts > cancel.ts for e in filled if e.data["quantity"] == 25)


def test_a_kill_s_cancellation_is_not_asked_for_again(tmp_path: Path) -> None:
    told = {look_at(6): [tell(1, "kill")]}
    feed = [*firing(), *starved(6, 12)]
    events = Desk(tmp_path, feed, told, hold_minutes=5000).run()
    cancelled = [e.data["order"] for e in orders(events, "cancel")]
    assert len(cancelled) == len(set(cancelled))
    assert "LEG_FAILED" not in reasons_of_exits(events)


def test_what_is_bought_goes_in_first_and_what_was_sold_comes_out_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The strategy's straddle with its put bought."""
    decided = s4_iv_reversion.evaluate

    def mixed(*args: Any, **rest: Any) -> Any:
        found = decided(*args, **rest)
        legs = tuple(
            replace(leg, side="BUY") if leg.contract.right == "PE" else leg for leg in found.legs
        )
        return replace(found, legs=legs)

    monkeypatch.setattr(s4_iv_reversion, "evaluate", mixed)
    events = Desk(tmp_path, [*firing(), *after(6)]).run()
    for purpose, sides in (("entry", ["BUY", "SELL"]), ("exit", ["BUY", "SELL"])):
        assert [e.data["side"] for e in orders(events, purpose)] == sides
    assert [e.data["contract"]["right"] for e in orders(events, "entry")] == ["PE", "CE"]
    assert [e.data["contract"]["right"] for e in orders(events, "exit")] == ["CE", "PE"]


def test_cut_anywhere_it_continues_to_the_same_bytes(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "whole", [*late(*starved(7, 9)), *after(9)], hold_minutes=5000)
    desk.run()
    lines = list(read_session(desk.rig.directory))
    first = next(n for n, line in enumerate(lines) if line.body["kind"] == "order.intended")
    last = max(n for n, line in enumerate(lines) if line.body["kind"] == "broker.report")
    for line in lines[first : last + 1 : 4]:
        rig = cut_after(desk.rig, tmp_path / str(line.line), line)
        rig.stopping = lambda: False
        rig.run()
        assert bodies_of(rig.directory) == bodies_of(desk.rig.directory), f"cut after {line.line}"


def test_how_long_is_configured_and_checked() -> None:
    with pytest.raises(ConfigurationError, match=r"desk\.leg_seconds is 0, expected more than 0"):
        configuration_with(leg_seconds=0)
    assert configuration_with().desk.leg_seconds == 60
