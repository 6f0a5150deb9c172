"""The bhavcopy before UDiFF, and a vendor's variant of it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from tests.trading.market.importers.exchange_files import LEGACY, LEGACY_HEADER, LEGACY_VARIANT
from tests.trading.market.importers.independent import at_ist
from tests.trading.market.importers.staging import stage
from trading.market.importers import legacy_bhavcopy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.trading.market.importers.staging import Staged


def _staged(tmp_path: Path, *rows: str) -> Staged:
    text = "\n".join([LEGACY_HEADER, *rows]) + "\n"
    return stage(legacy_bhavcopy, LEGACY.write(tmp_path, text), tmp_path)


def test_every_column(tmp_path: Path) -> None:
    staged = stage(legacy_bhavcopy, LEGACY.write(tmp_path), tmp_path)
    (future,) = staged.rows["bhavcopy_futures"]
    assert future | {"raw": None} == {
        "as_of": at_ist(date(2024, 1, 2), 15, 30),
        "available_at": at_ist(date(2024, 1, 3), 9),
        "trade_date": date(2024, 1, 2),
        "underlying": "NIFTY",
        "expiry": date(2024, 1, 25),
        "instrument": "IDF",
        "exchange_token": None,
        "open_paise": 21_800_00,
        "high_paise": 21_811_05,
        "low_paise": 21_650_50,
        "close_paise": 21_700_00,
        "last_paise": None,
        "previous_close_paise": None,
        "underlying_paise": None,
        "settlement_paise": 21_700_00,
        "settles_index": False,
        "open_interest": 610_050,
        "open_interest_change": -1500,
        "volume_contracts": 120,
        "turnover_paise": 130_440_75 * 100_000,
        "trades": None,
        "lot_size": None,
        "source_row": 2,
        "outcome": None,
        "raw": None,
    }
    call, put = staged.rows["bhavcopy_options"]
    assert (call["strike_paise"], call["right"], call["instrument"]) == (21_700_00, "CE", "IDO")
    assert (put["open_paise"], put["close_paise"], put["open_interest"]) == (None, 75_00, 0)


def test_the_vendor_variant(tmp_path: Path) -> None:
    staged = stage(legacy_bhavcopy, LEGACY_VARIANT.write(tmp_path), tmp_path)
    (future,) = staged.accepted("bhavcopy_futures")
    assert (future["expiry"], future["close_paise"]) == (date(2025, 2, 27), 23_550_50)
    (call,) = staged.accepted("bhavcopy_options")
    assert (call["trade_date"], call["expiry"]) == (date(2025, 2, 3), date(2025, 2, 6))
    assert call["turnover_paise"] == 705_50 * 100_000


def test_the_settlement_of_an_expiry_day_is_the_index_where_it_is_one_for_all(
    tmp_path: Path,
) -> None:
    end = "1,10.5,50,0,04-JAN-2024,"
    same = _staged(
        tmp_path,
        f"OPTIDX,NIFTY,04-Jan-2024,21600,CE,0,0,0,58.6,21658.6,{end}",
        f"OPTIDX,NIFTY,04-Jan-2024,21700,CE,0,0,0,0.05,21658.6,{end}",
        f"OPTIDX,NIFTY,11-Jan-2024,21700,CE,0,0,0,120,120,{end}",
    )
    assert [row["settles_index"] for row in same.rows["bhavcopy_options"]] == [True, True, False]
    own = _staged(
        tmp_path,
        f"OPTIDX,NIFTY,04-Jan-2024,21600,CE,0,0,0,58.6,58.6,{end}",
        f"OPTIDX,NIFTY,04-Jan-2024,21700,CE,0,0,0,0.05,0.05,{end}",
    )
    assert [row["settles_index"] for row in own.rows["bhavcopy_options"]] == [False, False]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("OPTIDX,NIFTY,04-Jan-2024,21700,CE,1,1,1,1,1,1,1,1,1,2024/01/02,", "BAD_DATE"),
        ("OPTXYZ,NIFTY,04-Jan-2024,21700,CE,1,1,1,1,1,1,1,1,1,02-JAN-2024,", "BAD_INSTRUMENT"),
        ("OPTIDX,,04-Jan-2024,21700,CE,1,1,1,1,1,1,1,1,1,02-JAN-2024,", "BAD_UNDERLYING"),
        ("OPTIDX,NIFTY,04/01/2024,21700,CE,1,1,1,1,1,1,1,1,1,02-JAN-2024,", "BAD_EXPIRY"),
        ("OPTIDX,NIFTY,01-Jan-2024,21700,CE,1,1,1,1,1,1,1,1,1,02-JAN-2024,", "EXPIRED"),
        ("OPTIDX,NIFTY,04-Jan-2024,0,CE,1,1,1,1,1,1,1,1,1,02-JAN-2024,", "BAD_STRIKE"),
        ("FUTIDX,NIFTY,25-Jan-2024,21700,XX,1,1,1,1,1,1,1,1,1,02-JAN-2024,", "BAD_STRIKE"),
        ("OPTIDX,NIFTY,04-Jan-2024,21700,XX,1,1,1,1,1,1,1,1,1,02-JAN-2024,", "BAD_RIGHT"),
        ("FUTIDX,NIFTY,25-Jan-2024,0,CE,1,1,1,1,1,1,1,1,1,02-JAN-2024,", "BAD_RIGHT"),
        ("OPTIDX,NIFTY,04-Jan-2024,21700,CE,1,1,1,x,1,1,1,1,1,02-JAN-2024,", "NOT_A_NUMBER"),
        ("OPTIDX,NIFTY,04-Jan-2024,21700,CE,1,1,1,1,1,1,1,1,1,02-JAN-2024", "BROKEN_ROW"),
        ("OPTIDX,NIFTY,11-Jan-2024,21700,CE,1,1,1,1,1,1,1,1,1,07-JAN-2024,", "NOT_A_MARKET_DAY"),
    ],
)
def test_a_bad_row_is_refused(tmp_path: Path, row: str, reason: str) -> None:
    good = "OPTIDX,NIFTY,04-Jan-2024,21700,CE,1,1,1,1,1,1,1,1,1,02-JAN-2024,"
    staged = _staged(tmp_path, good, row)
    assert staged.outcomes() == {reason: 1}
    assert len(staged.accepted("bhavcopy_options")) == 1
