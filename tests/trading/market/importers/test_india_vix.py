"""The exchange's history of India VIX."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from tests.trading.market.importers.exchange_files import VIX
from tests.trading.market.importers.independent import at_ist, ist_day, read_rows
from tests.trading.market.importers.staging import stage
from trading.market.importers import india_vix

if TYPE_CHECKING:
    from pathlib import Path


def test_days_of_the_vix(tmp_path: Path) -> None:
    newest, oldest = stage(india_vix, VIX.write(tmp_path), tmp_path).accepted("vix")
    values = ("interval", "open", "high", "low", "close", "previous_close")
    assert [newest[name] for name in values] == ["1d", 9.5, 10.25, 9.4, 10.1225, 9.5]
    assert oldest["as_of"] == at_ist(date(2026, 1, 5), 15, 30)
    assert oldest["available_at"] == at_ist(date(2026, 1, 6), 9)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("05-JAN-2026", "2026-01-05", "BAD_DATE"),
        ("05-JAN-2026", "04-JAN-2026", "NOT_A_MARKET_DAY"),
        ("9.75", "x", "NOT_A_NUMBER"),
        ("9.75", "-9.75", "NEGATIVE"),
    ],
)
def test_a_bad_row_is_refused(tmp_path: Path, old: str, new: str, reason: str) -> None:
    path = VIX.write(tmp_path, VIX.text.replace(old, new, 1))
    assert stage(india_vix, path, tmp_path).outcomes() == {reason: 1}


def test_the_real_history(sample_data: Path, tmp_path: Path) -> None:
    path = sample_data / "nse_daily" / "india_vix.csv"
    if not path.is_file():
        pytest.skip(f"no history of the VIX in {path}")
    rows = read_rows(path)
    staged = stage(india_vix, path, tmp_path)
    # Evenings of Diwali whose hours are not on record have no close that could be a time.
    assert staged.outcomes() == {"HOURS_UNKNOWN": 8}
    accepted = staged.accepted("vix")
    assert len(rows) == 3511
    assert len(accepted) == len(rows) - 8
    closes = {at_ist(ist_day(row["Date"]), 15, 30): float(row["Close"]) for row in rows}
    ordinary = [row for row in accepted if row["as_of"] in closes]
    assert len(ordinary) == 3490  # the others closed at another hour
    assert all(row["close"] == closes[row["as_of"]] for row in ordinary)
