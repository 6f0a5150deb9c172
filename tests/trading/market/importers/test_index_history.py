"""The history of one index, which only the file's name names."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from tests.trading.market.importers.exchange_files import INDEX_HISTORY
from tests.trading.market.importers.independent import at_ist, ist_day, paise, read_rows
from tests.trading.market.importers.staging import stage
from trading.market.importers import ImportRefusedError, index_history

if TYPE_CHECKING:
    from pathlib import Path


def test_days_of_an_index(tmp_path: Path) -> None:
    staged = stage(index_history, INDEX_HISTORY.write(tmp_path), tmp_path)
    newest, oldest = staged.accepted("index_closes")
    assert (newest["index"], newest["trade_date"]) == ("NIFTY 50", date(2026, 1, 6))
    assert (newest["open_paise"], newest["close_paise"]) == (26_100_25, 26_111_10)
    assert (newest["volume"], newest["turnover_paise"]) == (301_000, 30_010_05 * 10_000_000)
    assert oldest["available_at"] == at_ist(date(2026, 1, 6), 9)


def test_a_name_without_an_index_is_refused(tmp_path: Path) -> None:
    path = INDEX_HISTORY.write(tmp_path).rename(tmp_path / "history.csv")
    with pytest.raises(ImportRefusedError, match="no column says which index this is"):
        stage(index_history, path, tmp_path)


def test_a_name_of_other_days_is_refused(tmp_path: Path) -> None:
    name = "NIFTY 50-06-01-2026-to-31-01-2026.csv"
    path = INDEX_HISTORY.write(tmp_path).rename(tmp_path / name)
    with pytest.raises(ImportRefusedError, match="has days 2026-01-05 to 2026-01-06"):
        stage(index_history, path, tmp_path)


def test_the_real_history(sample_data: Path, tmp_path: Path) -> None:
    path = sample_data / "nse_daily" / "NIFTY 50-14-02-2025-to-14-02-2026.csv"
    if not path.is_file():
        pytest.skip(f"no history of the index in {path}")
    rows = read_rows(path)
    staged = stage(index_history, path, tmp_path)
    assert staged.outcomes() == {}
    ours = {row["trade_date"]: row for row in staged.accepted("index_closes")}
    assert len(ours) == len(rows) == 247
    for row in rows:
        here = ours[ist_day(row["Date"])]
        for name in ("Open", "High", "Low", "Close"):
            assert here[f"{name.lower()}_paise"] == paise(row[name])
        assert here["volume"] == int(row["Shares Traded"])
        assert here["turnover_paise"] == paise(row["Turnover (₹ Cr)"]) * 10_000_000
