"""End-of-day frames: one at 09:00 of the next market day, of closes alone; what is decided on them
fills at that day's close, made worse by a half-spread that says it is a model.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from journal.log.reader import read_session
from tests.market_factory import Rig
from tests.market_rows import at, chain_rows, record_rows, store_rows
from trading.engine.configuration import Configuration, configuration_from_data
from trading.execution.closing import modelled_price
from trading.execution.orders import Contract
from trading.market.calendar import calendar, ist_date
from trading.market.feed import closes, days_with_data, feed_items, files_of_days
from trading.market.frames import MarketFrame
from trading.market.quality import State
from trading.market.store import MarketStore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from journal.events import Event

MONDAY, TUESDAY = date(2026, 2, 23), date(2026, 2, 24)
NIFTY = ("NIFTY",)
LEVELS = (120_00, 121_00, 119_00, 120_00, 122_00, 150_00, 118_00, 120_00)


def _frames(root: Path, day: date, **options: Any) -> list[MarketFrame]:
    found = feed_items(MarketStore(root), NIFTY, day, day, **options)
    return [item for item in found if isinstance(item, MarketFrame)]


def test_a_record_is_one_frame_at_nine_of_the_next_market_day(tmp_path: Path) -> None:
    store_rows(tmp_path, "bhavcopy_options", record_rows(MONDAY, known=TUESDAY))
    (frame,) = _frames(tmp_path, TUESDAY)
    assert frame.source.name == "eod"
    assert frame.available_at == at(TUESDAY, "09:00")
    assert frame.as_of == at(MONDAY, "15:30")
    assert frame.spot_paise == 24_980_00
    assert frame.chain[0].forward_paise == 25_000_00
    assert frame.quality.chain.state is State.FRESH
    assert MarketFrame.from_data(frame.to_data()) == frame


def test_a_record_has_closes_and_no_quotes_are_made_up(tmp_path: Path) -> None:
    rows = record_rows(MONDAY, known=TUESDAY, without_volume=[4])
    store_rows(tmp_path, "bhavcopy_options", rows)
    (frame,) = _frames(tmp_path, TUESDAY)
    block = frame.chain[0]
    for name in ("call_bid_paise", "call_ask_paise", "put_bid_paise", "put_ask_paise"):
        assert set(getattr(block, name)) == {None}
    quiet = block.strike_paise.index(25_200_00)
    assert block.call_last_paise[quiet] is None  # its close was carried, nobody paid it
    assert block.call_oi[quiet] == 100
    assert block.call_last_paise[quiet + 1] is not None


def test_the_record_of_a_friday_is_known_on_monday(tmp_path: Path) -> None:
    friday = MONDAY - timedelta(days=3)
    store_rows(tmp_path, "bhavcopy_options", record_rows(friday, known=MONDAY))
    assert days_with_data(MarketStore(tmp_path)) == (MONDAY,)
    (frame,) = _frames(tmp_path, MONDAY)
    assert frame.quality.chain.state is State.FRESH


def test_contracts_that_settled_at_the_index_are_not_shown(tmp_path: Path) -> None:
    """On expiry day the settlement price is the index itself; the frame never reads it."""
    expiring = record_rows(MONDAY, known=TUESDAY, expiry=MONDAY, settlement_paise=24_980_00)
    living = record_rows(MONDAY, known=TUESDAY)
    store_rows(tmp_path, "bhavcopy_options", [*expiring, *living])
    (frame,) = _frames(tmp_path, TUESDAY)
    assert [block.expiry for block in frame.chain] == ["2026-03-10"]
    found = closes(MarketStore(tmp_path), NIFTY, MONDAY)
    at_the_money = found[Contract("NIFTY", MONDAY.isoformat(), 25_000_00, "CE")]
    assert at_the_money.price_paise == 120_00


def test_a_day_with_snapshots_needs_no_record_unless_asked(tmp_path: Path) -> None:
    store_rows(tmp_path, "bhavcopy_options", record_rows(MONDAY, known=TUESDAY))
    store_rows(tmp_path, "chain_snapshots", chain_rows(at(TUESDAY, "10:00")))
    assert [f.source.name for f in _frames(tmp_path, TUESDAY)] == ["test-feed"]
    assert [f.source.name for f in _frames(tmp_path, TUESDAY, daily=True)] == ["eod"]
    store = MarketStore(tmp_path)
    assert closes(store, NIFTY, TUESDAY) == {}
    assert len(files_of_days(store, NIFTY, [TUESDAY])) == 1


@pytest.mark.parametrize(
    ("close", "side", "price"),
    [
        (100_00, "BUY", 100_40),
        (100_00, "SELL", 99_60),
        (10_00, "BUY", 10_05),  # at least a tick
        (5, "SELL", 5),  # never below one
        (123_45, "BUY", 123_95),
        (123_45, "SELL", 122_95),
    ],
)
def test_the_half_spread_is_against_the_order_and_on_the_tick(
    close: int, side: Any, price: int
) -> None:
    assert modelled_price(close, side) == price


# --- a session ------------------------------------------------------------------------------------


def _configuration(**s4: Any) -> Configuration:
    chosen = {"lookback_snapshots": 3, "entry_z": 1.0, "hold_minutes": 1200, "lots": 1} | s4
    return configuration_from_data(
        {
            "name": "daily",
            "underlyings": ["NIFTY"],
            "desk": {"capital_rupees": 50_000_000},
            "costs": {"profile": "GROSS"},
            "gates": {"first_entry": "09:00", "last_entry": "15:00", "chain_age_seconds": 180},
            "strategies": {"S4": chosen},
        },
        where="test",
    )


def _days(count: int) -> list[date]:
    days = [date(2026, 2, 9)]
    while len(days) < count:
        days.append(calendar().next_market_day(days[-1]))
    return days


def _run(tmp_path: Path, levels: Sequence[int] = LEVELS, **s4: Any) -> list[Event]:
    root = tmp_path / "market"
    days = _days(len(levels) + 1)
    for index, level in enumerate(levels):
        rows = record_rows(days[index], known=days[index + 1], level=level)
        store_rows(root, "bhavcopy_options", rows)
    store = MarketStore(root)
    rig = Rig(
        var_dir=tmp_path,
        days=days_with_data(store, NIFTY),
        configuration=_configuration(**s4),
        frames_of=lambda day: list(feed_items(store, NIFTY, day, day)),
        closes_of=lambda day: closes(store, NIFTY, day),
    )
    rig.run()
    return [line.to_event() for line in read_session(rig.directory)]


def test_orders_fill_at_the_close_of_the_day_they_were_decided_on(tmp_path: Path) -> None:
    events = _run(tmp_path)
    fills = [e for e in events if e.kind == "broker.report" and e.data["status"] == "FILLED"]
    assert fills
    assert {fill.data["price_basis"] for fill in fills} == {"MODELLED"}
    days = _days(len(LEVELS) + 1)
    levels = dict(zip(days, LEVELS, strict=False))
    intents = {e.data["order"]: e for e in events if e.kind == "order.intended"}
    for fill in fills:
        intent = intents[fill.data["order"]]
        day = ist_date(fill.ts)
        assert fill.ts == at(day, "15:30")
        assert intent.ts < fill.ts
        expected = modelled_price(levels[day], intent.data["side"])
        assert fill.data["price_paise"] == expected
    archived = [e for e in events if e.kind == "position.changed" and e.data["state"] == "ARCHIVE"]
    assert archived


def test_an_order_on_the_last_day_expires_for_want_of_a_close(tmp_path: Path) -> None:
    events = _run(tmp_path, LEVELS[:6])
    last_day = _days(7)[-1]
    ends = [e for e in events if e.kind == "broker.report" and e.data["status"] == "EXPIRED"]
    assert [(e.ts, e.data["reason"]) for e in ends] == [(at(last_day, "15:30"), "end of day")] * 2


def test_a_strategy_of_the_day_answers_no_intraday(tmp_path: Path) -> None:
    events = _run(tmp_path, hold_minutes=30)
    signals = [e.data for e in events if e.kind == "signal.emitted"]
    assert len(signals) == len(LEVELS)
    assert {signal["reason"] for signal in signals} == {"NO_INTRADAY"}
    assert not any(e.kind == "order.intended" for e in events)
