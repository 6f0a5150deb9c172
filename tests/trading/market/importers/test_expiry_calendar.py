"""Expiries found in bhavcopies."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from tests.trading.market.importers.exchange_files import expiry_row, write_parquet
from tests.trading.market.importers.independent import at_ist
from tests.trading.market.importers.staging import stage
from trading.market.contracts import expiries
from trading.market.importers import expiry_calendar

if TYPE_CHECKING:
    from pathlib import Path

    from tests.trading.market.importers.staging import Staged


def _staged(tmp_path: Path, *rows: dict[str, Any]) -> Staged:
    return stage(expiry_calendar, write_parquet(tmp_path / "e.parquet", list(rows)), tmp_path)


def test_an_expiry_is_known_the_market_day_after_it_was_seen(tmp_path: Path) -> None:
    staged = _staged(tmp_path, expiry_row("2023-06-28", "2023-06-29", expiry_type="monthly"))
    (row,) = staged.accepted("expiries")
    assert (row["expiry"], row["by_rule"]) == (date(2023, 6, 28), date(2023, 6, 29))
    assert (row["cycle"], row["withdrawn"], row["status"]) == ("monthly", False, "CONFIRMED")
    assert row["source"] == "NSE_FO_BHAVCOPY_20230628"
    assert row["as_of"] == at_ist(date(2023, 6, 28), 15, 30)
    assert row["available_at"] == at_ist(date(2023, 6, 30), 9)  # the 29th was the holiday
    (lot,) = staged.accepted("lots")
    assert (lot["lot_size"], lot["quarterly"]) == (50, False)
    span = {lot[name] for name in ("expiry_from", "expiry_to", "trade_from", "trade_to")}
    assert span == {date(2023, 6, 28)}


def test_an_expiry_to_come_is_known_from_the_bhavcopy_it_was_found_in(tmp_path: Path) -> None:
    row = expiry_row("2026-09-29", "2026-09-29", source_id="NSE_FO_BHAVCOPY_20260715")
    (found,) = _staged(tmp_path, row).accepted("expiries")
    assert found["available_at"] == at_ist(date(2026, 7, 16), 9)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"symbol": ""}, "BAD_UNDERLYING"),
        ({"actual_expiry_date": "28-Jun-2023"}, "BAD_EXPIRY"),
        ({"source_id": "a circular"}, "BAD_DATE"),
        ({"mapping_status": "guessed"}, "UNPROVEN"),
        ({"source_id": "NSE_FO_BHAVCOPY_20230625"}, "NOT_A_MARKET_DAY"),
    ],
)
def test_a_bad_row_is_refused(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    assert _staged(tmp_path, expiry_row("2023-06-28", "2023-06-29", **changes)).outcomes() == {
        reason: 1
    }


def test_the_real_calendar_is_that_of_the_tables(sample_data: Path, tmp_path: Path) -> None:
    path = sample_data / "nse_daily" / "nse_actual_expiry_calendar.parquet"
    if not path.is_file():
        pytest.skip(f"no calendar of expiries in {path}")
    staged = stage(expiry_calendar, path, tmp_path)
    assert staged.outcomes() == {}
    found = staged.accepted("expiries")
    with duckdb.connect() as connection:
        rows = connection.execute(
            "SELECT actual_expiry_date, market_lot FROM read_parquet($path) ORDER BY 1",
            {"path": str(path)},
        ).fetchall()
    assert sorted((str(r["expiry_from"]), r["lot_size"]) for r in staged.accepted("lots")) == rows
    days = sorted(row["expiry"] for row in found)
    assert len(days) == 296
    until = date(2026, 8, 18)  # the last of the weeklies; later ones are not all listed
    assert tuple(day for day in days if day <= until) == expiries("NIFTY", days[0], until)
