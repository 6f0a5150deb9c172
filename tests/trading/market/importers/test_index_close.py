"""The exchange's file of index closes."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from tests.trading.market.importers.exchange_files import INDEX_CLOSE
from tests.trading.market.importers.independent import at_ist, paise, read_rows
from tests.trading.market.importers.staging import stage
from trading.market.importers import index_close

if TYPE_CHECKING:
    from pathlib import Path


def test_an_index_and_the_vix(tmp_path: Path) -> None:
    staged = stage(index_close, INDEX_CLOSE.write(tmp_path), tmp_path)
    nifty, rate = staged.accepted("index_closes")
    assert (nifty["index"], nifty["trade_date"]) == ("Nifty 50", date(2025, 3, 3))
    assert (nifty["open_paise"], nifty["close_paise"]) == (22_190_50, 22_111_11)
    assert (nifty["volume"], nifty["turnover_paise"]) == (1000, 2500_25 * 10_000_000)
    assert (nifty["price_earnings"], nifty["price_book"]) == (19.5, 3.3)
    assert nifty["available_at"] == at_ist(date(2025, 3, 4), 9)
    assert (rate["open_paise"], rate["close_paise"]) == (None, 2_399_10)
    assert (rate["price_earnings"], rate["dividend_yield"]) == (None, 0.41)
    (vix,) = staged.accepted("vix")
    assert [vix[name] for name in ("interval", "open", "high", "low", "close")] == [
        "1d", 13.9, 14.3, 13.5525, 13.7,
    ]  # fmt: skip
    assert vix["as_of"] == at_ist(date(2025, 3, 3), 15, 30)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("Nifty 50", "", "BAD_UNDERLYING"),
        ("03-03-2025", "2025-03-03", "BAD_DATE"),
        ("03-03-2025", "02-03-2025", "NOT_A_MARKET_DAY"),
        ("22190.5", "22190.505", "NOT_A_PAISA"),
        ("22190.5", "n.a.", "NOT_A_NUMBER"),
        ("1000", "1000.5", "NOT_WHOLE"),
    ],
)
def test_a_bad_row_is_refused(tmp_path: Path, old: str, new: str, reason: str) -> None:
    text = INDEX_CLOSE.text.replace(old, new, 1)
    staged = stage(index_close, INDEX_CLOSE.write(tmp_path, text), tmp_path)
    assert staged.outcomes() == {reason: 1}


def test_the_real_files(sample_data: Path, tmp_path: Path) -> None:
    paths = sorted((sample_data / "nse_index_close").glob("ind_close_all_*.csv"))
    if not paths:
        pytest.skip(f"no index closes in {sample_data}")
    for path in paths:
        rows = read_rows(path)
        staged = stage(index_close, path, tmp_path)
        assert staged.outcomes() == {}
        ours = {row["index"]: row for row in staged.accepted("index_closes")}
        theirs = {row["Index Name"]: row for row in rows if row["Index Name"] != "India VIX"}
        assert ours.keys() == theirs.keys()
        for name, row in theirs.items():
            assert ours[name]["close_paise"] == paise(row["Closing Index Value"])
            assert ours[name]["open_paise"] == paise(row["Open Index Value"])
        assert len(staged.accepted("vix")) == len(rows) - len(theirs) == 1
