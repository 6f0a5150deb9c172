"""What the importer of collector files takes, refuses, drops and flags."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from tests.trading.market.conftest import MIDS, row, snapshot
from trading.market.calendar import expires_at_us
from trading.market.feed import frames
from trading.market.services import market_import
from trading.market.store import MarketStore

if TYPE_CHECKING:
    from pathlib import Path

    from tests.trading.market.conftest import WriteFile
    from trading.market.frames import MarketFrame

DAY = date(2025, 8, 29)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "market"


def _import(root: Path, *paths: Path) -> dict[str, Any]:
    report = market_import(root=root, paths=paths)
    return report.outcomes[-1].counts


def _frames(root: Path) -> list[MarketFrame]:
    return list(frames(MarketStore(root), ("NIFTY", "BANKNIFTY"), DAY, DAY))


def _at(hour: int, minute: int, second: int) -> int:
    moment = datetime(2025, 8, 29, hour, minute, second, tzinfo=UTC)
    return int(moment.timestamp()) * 1_000_000


def test_a_snapshot_becomes_a_frame(root: Path, write_file: WriteFile) -> None:
    counts = _import(root, write_file("chain.parquet", snapshot()))
    assert counts["accepted"] == counts["read"] == len(MIDS)
    (frame,) = _frames(root)

    # The exchange's clock and the collector's are kept apart, both moved from IST to UTC.
    assert frame.as_of == frame.exchange_stamp == _at(4, 30, 0)
    assert frame.available_at == frame.collection_stamp == _at(4, 31, 10)
    assert frame.flags == ()
    assert frame.spot_paise is None
    assert not frame.source.synthetic

    # Rupees became paise; the forward is the one the rows were made with.
    (block,) = frame.chain
    assert (block.expiry, block.expires_at_us) == ("2025-09-02", expires_at_us(date(2025, 9, 2)))
    assert (block.forward_paise, block.forward_pairs) == (24_600_00, 4)
    assert block.strike_paise == (24_400_00, 24_500_00, 24_600_00, 24_700_00)
    assert block.call_bid_paise == (219_90, 139_90, 79_90, 39_90)
    assert block.put_ask_paise == (20_10, 40_10, 80_10, 140_10)
    assert block.call_last_paise[0] == 220_05

    # Quoted quantities are units, open interest and volume contracts, as the exchange gives them.
    assert (block.call_bid_quantity[0], block.put_ask_quantity[0]) == (150, 75)
    assert (block.call_oi[0], block.put_volume[0]) == (1200, 340)


def test_zeros_mean_missing(root: Path, write_file: WriteFile) -> None:
    nothing = {
        f"{side}_{field}": 0
        for side in ("CALLS", "PUTS")
        for field in ("OI", "Volume", "LTP", "Bid_Qty", "Bid_Price", "Ask_Price", "Ask_Qty")
    }
    _import(root, write_file("chain.parquet", [*snapshot(), row(24_800, **nothing)]))
    block = _frames(root)[0].chain[0]
    assert block.strike_paise[-1] == 24_800_00
    for name in block.__struct_fields__:
        if name.startswith(("call_", "put_")):
            assert getattr(block, name)[-1] is None
            assert getattr(block, name)[0] is not None


def test_nulls_mean_missing_too(root: Path, write_file: WriteFile) -> None:
    counts = _import(root, write_file("c.parquet", [*snapshot(), row(24_800, CALLS_OI=None)]))
    assert counts["rejected"] == {}
    assert _frames(root)[0].chain[0].call_oi[-1] is None


def test_open_interest_may_be_a_fraction_of_a_contract(root: Path, write_file: WriteFile) -> None:
    interest = (49811.57142857143, 1200.0, 0.0, 13.5)
    rows = [row(strike, CALLS_OI=oi) for strike, oi in zip(MIDS, interest, strict=True)]
    _import(root, write_file("c.parquet", rows))
    found = _frames(root)[0].chain[0].call_oi
    assert found == (49811.57142857143, 1200, None, 13.5)
    assert isinstance(found[1], int)


@pytest.mark.parametrize(
    ("changes", "types", "reason"),
    [
        ({"Fetch_Time": "2025-08-29 10:00:00"}, {}, "BAD_STAMP"),
        ({"Fetch_Time": None}, {}, "BAD_STAMP"),
        ({"collection_timestamp": "29-08-2025"}, {}, "BAD_RECEIPT"),
        ({"Symbol": "SENSEX"}, {}, "UNKNOWN_UNDERLYING"),
        ({"Symbol": None}, {}, "UNKNOWN_UNDERLYING"),
        ({"Expiry_Date": "2025-09-02"}, {}, "BAD_EXPIRY"),
        ({"Expiry_Date": "28-Aug-2025"}, {}, "EXPIRED"),
        ({"Strike_Price": 0}, {}, "BAD_STRIKE"),
        ({"Strike_Price": None}, {}, "BAD_STRIKE"),
        ({"Strike_Price": 24800.001}, {"Strike_Price": "DOUBLE"}, "BAD_STRIKE"),
        ({"CALLS_LTP": float("nan")}, {}, "NOT_A_NUMBER"),
        ({"PUTS_OI": float("inf")}, {}, "NOT_A_NUMBER"),
        ({"CALLS_OI": "784.24K"}, {"CALLS_OI": "VARCHAR"}, "NOT_A_NUMBER"),
        ({"PUTS_Bid_Price": -0.05}, {}, "NEGATIVE"),
        ({"PUTS_Volume": -1}, {}, "NEGATIVE"),
        ({"CALLS_Ask_Price": 12.345}, {}, "NOT_A_PAISA"),
        ({"CALLS_Ask_Price": 0.15000000000000002}, {}, "NOT_A_PAISA"),
        ({"CALLS_Ask_Price": 1e300}, {}, "NOT_A_PAISA"),
        ({"CALLS_Bid_Qty": 1.5}, {"CALLS_Bid_Qty": "DOUBLE"}, "NOT_WHOLE"),
        ({"CALLS_Volume": 1e300}, {"CALLS_Volume": "DOUBLE"}, "NOT_WHOLE"),
    ],
)
def test_a_bad_row_is_refused_and_kept_with_its_reason(
    root: Path,
    write_file: WriteFile,
    changes: dict[str, Any],
    types: dict[str, str],
    reason: str,
) -> None:
    path = write_file("chain.parquet", [*snapshot(), row(24_800) | changes], **types)
    counts = _import(root, path)
    assert counts["rejected"] == {reason: 1}
    assert counts["accepted"] == len(MIDS)
    assert _frames(root)[0].chain[0].strike_paise[-1] == 24_700_00

    (made,) = MarketStore(root).catalogue().imports
    assert made.rejected is not None
    with duckdb.connect() as connection:
        kept = connection.execute(
            """
            SELECT category, reason, source_row, CAST(raw->>'Strike_Price' AS DOUBLE)
            FROM read_parquet($path)
            """,
            {"path": str(root / made.rejected.file)},
        ).fetchall()
    strike = changes.get("Strike_Price", 24_800)
    assert kept == [("chain_snapshots", reason, len(MIDS), strike)]


def test_prices_given_as_text_are_read(root: Path, write_file: WriteFile) -> None:
    rows = [r | {"CALLS_LTP": "12.05"} for r in snapshot()]
    _import(root, write_file("chain.parquet", rows, CALLS_LTP="VARCHAR"))
    assert set(_frames(root)[0].chain[0].call_last_paise) == {12_05}


def test_an_exact_duplicate_row_is_dropped(root: Path, write_file: WriteFile) -> None:
    counts = _import(root, write_file("chain.parquet", [*snapshot(), row(24_500)]))
    assert counts["dropped"] == {"DUPLICATE_ROW": 1}
    assert len(_frames(root)[0].chain[0].strike_paise) == len(MIDS)


def test_rows_that_contradict_each_other_are_both_refused(
    root: Path, write_file: WriteFile
) -> None:
    counts = _import(root, write_file("c.parquet", [*snapshot(), row(24_500, CALLS_OI=1.0)]))
    assert counts["rejected"] == {"CONFLICTING_ROWS": 2}
    assert 24_500_00 not in _frames(root)[0].chain[0].strike_paise


def test_a_snapshot_sent_again_is_dropped_and_a_revision_is_not(
    root: Path, write_file: WriteFile
) -> None:
    first = snapshot()
    again = snapshot(collection_timestamp="20250829_100215")
    revised = snapshot(collection_timestamp="20250829_100320", PUTS_OI=7.0)
    again_later = snapshot(collection_timestamp="20250829_100425")
    moved_on = snapshot(Fetch_Time="29-Aug-2025 10:04:00", collection_timestamp="20250829_100530")
    counts = _import(
        root, write_file("c.parquet", [*moved_on, *again_later, *first, *revised, *again])
    )
    assert counts["dropped"] == {"RESENT_SNAPSHOT": 2 * len(MIDS)}
    assert counts["snapshots"]["NIFTY"] == {
        "received": 5,
        "stamps": 2,
        "accepted": 3,
        "resent": 2,
        "clock": 0,
    }
    receipts = [frame.available_at for frame in _frames(root)]
    assert receipts == [_at(4, 31, 10), _at(4, 33, 20), _at(4, 35, 30)]


def test_the_same_content_of_another_index_is_not_a_repetition(
    root: Path, write_file: WriteFile
) -> None:
    _import(root, write_file("chain.parquet", [*snapshot(Symbol="BANKNIFTY"), *snapshot()]))
    assert [frame.underlying for frame in _frames(root)] == ["NIFTY", "BANKNIFTY"]


def test_a_stamp_later_than_the_receipt_is_flagged_up_to_the_frame(
    root: Path, write_file: WriteFile
) -> None:
    ahead = snapshot(Fetch_Time="29-Aug-2025 10:02:01")
    on_time = snapshot(Fetch_Time="29-Aug-2025 10:01:30", collection_timestamp="20250829_100215")
    equal = snapshot(Fetch_Time="29-Aug-2025 10:03:00", collection_timestamp="20250829_100300")
    counts = _import(root, write_file("chain.parquet", [*ahead, *on_time, *equal]))
    assert counts["snapshots"]["NIFTY"]["clock"] == 1
    assert [frame.flags for frame in _frames(root)] == [("CLOCK",), (), ()]


def test_the_real_day(root: Path, sample_data: Path) -> None:
    folder = sample_data / "nse_chain_2025-08-29"
    if not folder.is_dir():
        pytest.skip(f"no recorded chain snapshots in {folder}")
    report = market_import(root=root, paths=[folder])
    snapshots = {
        name: counts
        for outcome in report.outcomes
        for name, counts in outcome.counts["snapshots"].items()
    }
    assert snapshots == {
        "NIFTY": {"received": 146, "stamps": 141, "accepted": 143, "resent": 3, "clock": 0},
        "BANKNIFTY": {"received": 145, "stamps": 139, "accepted": 139, "resent": 6, "clock": 1},
    }
    assert all(not outcome.counts["rejected"] for outcome in report.outcomes)
    assert {o.counts["read"]: o.counts["accepted"] for o in report.outcomes} == {
        111_522: 109_230,
        61_792: 59_246,
    }
    found = _frames(root)
    assert len(found) == 143 + 139
    (late,) = [frame for frame in found if frame.flags]
    assert (late.underlying, late.as_of - late.available_at) == ("BANKNIFTY", 51_000_000)
