"""The whole chain as known at an instant: what a feed would have shown then, and nothing later."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from tests.market_rows import MINUTE_US, at, chain_rows, store_rows
from trading.market.chain_at import chain_days, chain_frame_at, chain_moments
from trading.market.feed import frames
from trading.market.quality import State
from trading.market.store import MarketStore
from trading.market.synthetic.services import market_synthesise

if TYPE_CHECKING:
    from pathlib import Path

DAY = date(2026, 2, 26)
NOON = at(DAY, "12:00")


def test_it_is_what_the_feed_showed_and_more_of_it(tmp_path: Path) -> None:
    market_synthesise(root=tmp_path, seed=7, from_date=DAY, to_date=DAY, cadence_minutes=15)
    store = MarketStore(tmp_path)
    feed = frames(store, ["NIFTY"], DAY, DAY, expiries=9, strikes_each_side=500)
    shown = [frame for frame in feed if frame.shows_chain]
    assert [f.available_at for f in shown] == list(chain_moments(store, "NIFTY", DAY))
    for frame in shown[::5]:
        whole = chain_frame_at(store, "NIFTY", frame.available_at)
        assert whole is not None
        assert (whole.as_of, whole.source, whole.cadence_us) == (
            frame.as_of,
            frame.source,
            frame.cadence_us,
        )
        assert whole.quality.chain.state is frame.quality.chain.state
        assert whole.chain[: len(frame.chain)] == frame.chain


def test_every_expiry_and_every_strike_also_without_a_forward(tmp_path: Path) -> None:
    lonely = chain_rows(NOON, expiry="2026-03-10", strikes_each_side=0)
    store_rows(tmp_path, "chain_snapshots", [*chain_rows(NOON, strikes_each_side=40), *lonely])
    frame = chain_frame_at(MarketStore(tmp_path), "NIFTY", NOON)
    assert frame is not None
    near, far = frame.chain
    assert len(near.strike_paise) == 81
    assert (far.expiry, far.forward_paise, len(far.strike_paise)) == ("2026-03-10", None, 1)


@pytest.mark.parametrize(("seconds", "shown"), [(-1, 0), (0, 1), (59, 1), (60, 2), (3600, 2)])
def test_the_last_snapshot_known_by_then(tmp_path: Path, seconds: int, shown: int) -> None:
    snapshots = [
        chain_rows(NOON - 5_000_000 + i * MINUTE_US, available_at=NOON + i * MINUTE_US, nudge=5 * i)
        for i in range(2)
    ]
    store_rows(tmp_path, "chain_snapshots", [row for rows in snapshots for row in rows])
    frame = chain_frame_at(MarketStore(tmp_path), "NIFTY", NOON + seconds * 1_000_000)
    if shown == 0:
        assert frame is None
    else:
        assert frame is not None
        assert frame.available_at == NOON + (shown - 1) * MINUTE_US


def test_what_comes_later_changes_nothing(tmp_path: Path) -> None:
    store = MarketStore(tmp_path)
    store_rows(tmp_path, "chain_snapshots", chain_rows(NOON))
    before = chain_frame_at(store, "NIFTY", NOON + MINUTE_US)
    later = chain_rows(NOON + 2 * MINUTE_US, nudge=500)
    revised = chain_rows(NOON, available_at=NOON + 3 * MINUTE_US, nudge=-500)
    store_rows(tmp_path, "chain_snapshots", [*later, *revised])
    assert chain_frame_at(store, "NIFTY", NOON + MINUTE_US) == before


def test_yesterdays_chain_is_not_todays(tmp_path: Path) -> None:
    store_rows(tmp_path, "chain_snapshots", chain_rows(NOON))
    store = MarketStore(tmp_path)
    assert chain_frame_at(store, "NIFTY", at(date(2026, 2, 27), "12:00")) is None
    assert chain_frame_at(store, "BANKNIFTY", NOON) is None
    assert chain_days(store, "NIFTY") == (DAY.isoformat(),)
    assert chain_days(store, "BANKNIFTY") == ()


def test_a_chain_nobody_moves_is_frozen_and_a_halt_is_told(tmp_path: Path) -> None:
    rows = [row for i in range(3) for row in chain_rows(NOON + i * MINUTE_US)]
    store_rows(tmp_path, "chain_snapshots", rows)
    store = MarketStore(tmp_path)
    states = []
    for minute in range(3):
        frame = chain_frame_at(store, "NIFTY", NOON + minute * MINUTE_US)
        assert frame is not None
        states.append((frame.quality.chain.state, frame.quality.chain.reason))
    assert states == [(State.FRESH, None), (State.FRESH, None), (State.STALE, "FROZEN")]
    halt = {"as_of": NOON + 1, "available_at": NOON + 1, "underlying": "NIFTY", "status": "HALT"}
    store_rows(tmp_path, "market_status", [halt])
    frame = chain_frame_at(store, "NIFTY", NOON + MINUTE_US)
    assert frame is not None
    assert frame.quality.chain.state is State.HALTED
