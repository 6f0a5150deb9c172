"""A strategy that holds nothing overnight leaves ten minutes before the day's own close, or before
what it holds stops trading.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from tests.market_factory import EXPIRY, MINUTE_US, Rig, chain_frame, factory_configuration
from tests.trading.engine.desk_bed import CALM, FIRES
from tests.trading.engine.test_settlement import of_kind, replayed
from trading.engine.proposals import DECLARATIONS
from trading.market.calendar import expires_at_us, session_hours

if TYPE_CHECKING:
    from pathlib import Path

    from journal.events import Event
    from trading.market.frames import MarketFrame

# A day that closes at 15:30 and one that closes at 15:40, each with a later expiry; and an expiry
# that stops trading at 15:30 on a day that closes at 15:45.
DAYS = {
    date(2026, 2, 26): date(2026, 3, 2),
    date(2026, 8, 6): date(2026, 8, 11),
    date(2026, 12, 8): date(2026, 12, 8),
}
NAMES = ["closes 15:30", "closes 15:40", "expires 15:30, closes 15:45"]
LATE_MINUTES = range(-15, 0)


@pytest.fixture(params=DAYS, ids=NAMES)
def day(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> date:
    chosen: date = request.param
    monkeypatch.setitem(EXPIRY, "NIFTY", DAYS[chosen])
    return chosen


@pytest.fixture
def of_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """S4 as a strategy of the day."""
    monkeypatch.setitem(DECLARATIONS, "S4", replace(DECLARATIONS["S4"], holds_overnight=False))


def last_trade_us(day: date) -> int:
    return min(session_hours(day).close_us, expires_at_us(DAYS[day]))


def run(
    var_dir: Path, day: date, *, thin: bool = False, quotes_until_minute: int = -1
) -> list[Event]:
    """An entry in the morning and quotes around the close, up to a minute that is told. A `thin`
    entry meets forty units, and then nothing until the end.
    """
    hours = session_hours(day)
    start = hours.open_us + 10 * MINUTE_US
    morning = [
        chain_frame("NIFTY", start + i * MINUTE_US, level)
        for i, level in enumerate((*CALM, FIRES, CALM[0]))
    ]
    if thin:
        morning[-1] = chain_frame("NIFTY", start + 6 * MINUTE_US, CALM[0], quantity=40)
    minutes = range(LATE_MINUTES.start, quotes_until_minute + 1)
    late = [chain_frame("NIFTY", last_trade_us(day) + i * MINUTE_US, CALM[1]) for i in minutes]
    frames: list[MarketFrame] = [*morning, *(late[6:] if thin else late)]
    rig = Rig(
        var_dir=var_dir,
        days=[day],
        frames_of=lambda _: frames,
        configuration=factory_configuration(lookback_snapshots=5, hold_minutes=5000),
    )
    rig.run()
    return replayed(rig)


def orders(events: list[Event], purpose: str) -> list[Event]:
    return [e for e in of_kind(events, "order.intended") if e.data["purpose"] == purpose]


def held_at_the_end(events: list[Event]) -> list[Any]:
    positions: list[Any] = of_kind(events, "portfolio.snapshot")[-1].data["positions"]
    return positions


@pytest.mark.usefixtures("of_the_day")
def test_it_is_flat_at_the_close_and_leaves_not_a_minute_early(tmp_path: Path, day: date) -> None:
    events = run(tmp_path, day)
    entries, exits = orders(events, "entry"), orders(events, "exit")
    assert {each.ts for each in exits} == {last_trade_us(day) - 10 * MINUTE_US}
    opposite = {"BUY": "SELL", "SELL": "BUY"}
    left = {(e.data["contract"]["right"], e.data["side"], e.data["quantity"]) for e in exits}
    entered = {
        (e.data["contract"]["right"], opposite[e.data["side"]], e.data["quantity"]) for e in entries
    }
    assert left == entered  # reducing orders, and nothing else
    last = of_kind(events, "position.changed")[-1].data
    assert (last["state"], last["reason"]) == ("ARCHIVE", "FLAT_BEFORE_CLOSE")
    assert held_at_the_end(events) == []


@pytest.mark.usefixtures("of_the_day")
def test_what_could_not_leave_is_not_tried_once_it_has_stopped_trading(tmp_path: Path) -> None:
    day = date(2026, 12, 8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(EXPIRY, "NIFTY", DAYS[day])
        events = run(tmp_path, day, quotes_until_minute=-11)
    assert {e.ts for e in orders(events, "exit")} == {last_trade_us(day) - 10 * MINUTE_US}
    assert session_hours(day).close_us == last_trade_us(day) + 15 * MINUTE_US
    (position,) = held_at_the_end(events)
    assert position["trade"] == of_kind(events, "position.changed")[-1].data["trade"]


def test_one_that_holds_overnight_stays(tmp_path: Path, day: date) -> None:
    events = run(tmp_path, day)
    assert orders(events, "entry")
    assert not orders(events, "exit")
    assert len(held_at_the_end(events)) == 1


@pytest.mark.usefixtures("of_the_day")
def test_an_entry_that_still_works_is_cancelled_once_and_what_it_got_is_left(
    tmp_path: Path, day: date
) -> None:
    events = run(tmp_path, day, thin=True)
    flat_from = last_trade_us(day) - 10 * MINUTE_US
    cancels = orders(events, "cancel")
    assert len(cancels) == len(orders(events, "entry")) == 2
    assert {each.ts for each in cancels} == {flat_from}
    exits = orders(events, "exit")
    assert {each.data["quantity"] for each in exits} == {40}
    assert all(each.ts >= flat_from for each in exits)
    assert held_at_the_end(events) == []
