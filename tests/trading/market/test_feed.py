"""Frames out of the store: their order, their strikes and expiries, and only from the store."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from tests.market_rows import MINUTE_US, at, chain_rows, store_rows
from tests.trading.market.conftest import MIDS, row, snapshot
from trading.market.feed import days_with_data, frames
from trading.market.frames import MarketFrame, check_frame
from trading.market.services import market_import
from trading.market.store import MarketStore
from trading.market.synthetic.services import market_synthesise
from trading.pricing.forward import parity_forward

if TYPE_CHECKING:
    from pathlib import Path

    from tests.trading.market.conftest import WriteFile

DAY = date(2025, 8, 29)
BOTH = ("NIFTY", "BANKNIFTY")
SYNTHETIC_DAYS = (date(2026, 2, 26), date(2026, 2, 27))


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> MarketStore:
    root = tmp_path_factory.mktemp("var") / "market"
    market_synthesise(root=root, seed=7, from_date=SYNTHETIC_DAYS[0], to_date=SYNTHETIC_DAYS[1])
    return MarketStore(root)


def _store(tmp_path: Path, write_file: WriteFile, rows: list[dict[str, Any]]) -> MarketStore:
    root = tmp_path / "market"
    market_import(root=root, paths=[write_file("chain.parquet", rows)])
    return MarketStore(root)


def test_frames_come_by_receipt_and_nifty_first(tmp_path: Path, write_file: WriteFile) -> None:
    late = {"collection_timestamp": "20250829_100500", "Fetch_Time": "29-Aug-2025 10:00:30"}
    store = _store(
        tmp_path,
        write_file,
        [
            *snapshot(Symbol="BANKNIFTY", **late),
            *snapshot(Symbol="BANKNIFTY"),
            *snapshot(**late),
            *snapshot(),
        ],
    )
    found = list(frames(store, BOTH, DAY, DAY))
    assert [frame.underlying for frame in found] == ["NIFTY", "BANKNIFTY"] * 2
    assert [frame.available_at for frame in found] == sorted(f.available_at for f in found)
    assert [f.underlying for f in frames(store, ["BANKNIFTY"], DAY, DAY)] == ["BANKNIFTY"] * 2


def test_the_nearest_expiries_that_have_a_forward(tmp_path: Path, write_file: WriteFile) -> None:
    no_forward = [row(strike, Expiry_Date="09-Sep-2025") for strike in (24_500, 24_600)]
    months = ("16-Sep-2025", "02-Sep-2025", "23-Sep-2025", "30-Sep-2025")
    rows = [r for expiry in months for r in snapshot(Expiry_Date=expiry)]
    store = _store(tmp_path, write_file, [*rows, *no_forward])
    (frame,) = frames(store, BOTH, DAY, DAY, expiries=3)
    assert [block.expiry for block in frame.chain] == ["2025-09-02", "2025-09-16", "2025-09-23"]
    (frame,) = frames(store, BOTH, DAY, DAY, expiries=9)
    assert len(frame.chain) == 4


def test_contracts_that_have_expired_are_not_shown(tmp_path: Path, write_file: WriteFile) -> None:
    expiring = {"Expiry_Date": "29-Aug-2025"}
    at_the_close = {
        "Fetch_Time": "29-Aug-2025 15:30:00",
        "collection_timestamp": "20250829_153100",
    }
    before = {"Fetch_Time": "29-Aug-2025 15:29:59", "collection_timestamp": "20250829_153030"}
    rows = [
        r
        for moment in (before, at_the_close)
        for expiry in ({}, expiring)
        for r in snapshot(**moment, **expiry)
    ]
    first, second = frames(_store(tmp_path, write_file, rows), BOTH, DAY, DAY)
    assert [block.expiry for block in first.chain] == ["2025-08-29", "2025-09-02"]
    assert [block.expiry for block in second.chain] == ["2025-09-02"]


def test_strikes_nearest_the_forward(tmp_path: Path, write_file: WriteFile) -> None:
    wide = [row(strike) for strike in range(24_000, 25_300, 100) if strike not in MIDS]
    far = {
        f"{side}_{field}": 0
        for side in ("CALLS", "PUTS")
        for field in ("Bid_Price", "Ask_Price", "Bid_Qty", "Ask_Qty")
    }
    store = _store(tmp_path, write_file, [*snapshot(), *[r | far for r in wide]])

    def strikes(each_side: int) -> list[int]:
        (frame,) = frames(store, BOTH, DAY, DAY, strikes_each_side=each_side)
        assert frame.chain[0].forward_paise == 24_600_00
        return [strike // 100 for strike in frame.chain[0].strike_paise]

    assert strikes(0) == [24_600]
    assert strikes(2) == [24_400, 24_500, 24_600, 24_700, 24_800]
    assert strikes(30) == list(range(24_000, 25_300, 100))


def test_a_snapshot_without_any_forward_is_an_empty_frame(
    tmp_path: Path, write_file: WriteFile
) -> None:
    (frame,) = frames(_store(tmp_path, write_file, [row(24_500)]), BOTH, DAY, DAY)
    assert frame.chain == ()
    assert MarketFrame.from_data(frame.to_data()) == frame


def test_days_with_data(synthetic: MarketStore, tmp_path: Path) -> None:
    assert days_with_data(synthetic) == SYNTHETIC_DAYS
    assert days_with_data(synthetic, ["NIFTY"], SYNTHETIC_DAYS[1]) == SYNTHETIC_DAYS[1:]
    assert days_with_data(synthetic, ["NIFTY"], None, SYNTHETIC_DAYS[0]) == SYNTHETIC_DAYS[:1]
    assert days_with_data(synthetic, ["SENSEX"]) == ()
    assert days_with_data(MarketStore(tmp_path / "nothing")) == ()


def test_a_range_without_data_has_no_frames(synthetic: MarketStore) -> None:
    assert list(frames(synthetic, BOTH, DAY, DAY)) == []


def test_every_frame_keeps_the_rules_and_is_its_record(synthetic: MarketStore) -> None:
    found = list(frames(synthetic, BOTH, *SYNTHETIC_DAYS))
    assert len(found) > 1_000
    for frame in found:
        check_frame(frame)
        assert MarketFrame.from_data(frame.to_data()) == frame


def test_the_forward_of_a_frame_is_that_of_its_quotes(synthetic: MarketStore) -> None:
    for frame in frames(synthetic, BOTH, SYNTHETIC_DAYS[0], SYNTHETIC_DAYS[0]):
        for block in frame.chain:
            expected = parity_forward(
                block.strike_paise,
                block.call_bid_paise,
                block.call_ask_paise,
                block.put_bid_paise,
                block.put_ask_paise,
            )
            stored = (block.forward_paise, block.forward_pairs, block.forward_spread_paise)
            assert stored == expected


def test_a_day_is_the_same_alone_and_in_a_range(synthetic: MarketStore) -> None:
    together = list(frames(synthetic, BOTH, *SYNTHETIC_DAYS))
    apart = [f for day in SYNTHETIC_DAYS for f in frames(synthetic, BOTH, day, day)]
    assert together == apart
    nifty = [f for f in together if f.underlying == "NIFTY"]
    assert nifty == list(frames(synthetic, ["NIFTY"], *SYNTHETIC_DAYS))


def test_of_two_collections_of_a_day_the_closer_one_is_taken(tmp_path: Path) -> None:
    root = tmp_path / "market"
    sparse = [r for clock in ("10:00", "10:30") for r in chain_rows(at(DAY, clock))]
    close = [
        r for clock in ("10:00", "10:01", "10:02") for r in chain_rows(at(DAY, clock), nudge=5)
    ]
    store_rows(root, "chain_snapshots", sparse, name="sparse", cadence_us=30 * MINUTE_US)
    store_rows(root, "chain_snapshots", close, name="close", cadence_us=MINUTE_US)
    found = list(frames(MarketStore(root), ["NIFTY"], DAY, DAY))
    assert [frame.source.name for frame in found] == ["close"] * 3
