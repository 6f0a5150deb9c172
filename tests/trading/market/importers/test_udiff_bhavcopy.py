"""The UDiFF bhavcopy: what each column becomes, and what is refused."""

from __future__ import annotations

import zipfile
from collections import Counter
from datetime import date
from typing import TYPE_CHECKING

import pytest

from tests.trading.market.importers.exchange_files import (
    UDIFF,
    gzipped,
    udiff_future,
    udiff_row,
    udiff_text,
)
from tests.trading.market.importers.independent import at_ist, paise, read_rows
from tests.trading.market.importers.staging import stage
from trading.market.importers import udiff_bhavcopy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.trading.market.importers.staging import Staged

PRICES = {
    "open_paise": "OpnPric",
    "high_paise": "HghPric",
    "low_paise": "LwPric",
    "close_paise": "ClsPric",
    "last_paise": "LastPric",
    "previous_close_paise": "PrvsClsgPric",
    "underlying_paise": "UndrlygPric",
    "settlement_paise": "SttlmPric",
}
WHOLE = {
    "exchange_token": "FinInstrmId",
    "open_interest": "OpnIntrst",
    "open_interest_change": "ChngInOpnIntrst",
    "volume_contracts": "TtlTradgVol",
    "trades": "TtlNbOfTxsExctd",
    "lot_size": "NewBrdLotQty",
}


def _staged(tmp_path: Path, *rows: str) -> Staged:
    return stage(udiff_bhavcopy, UDIFF.write(tmp_path, udiff_text(*rows)), tmp_path)


def test_every_column_of_an_option(tmp_path: Path) -> None:
    staged = _staged(tmp_path, udiff_row())
    assert staged.rows["bhavcopy_options"] == [
        {
            "as_of": at_ist(date(2026, 1, 5), 15, 30),
            "available_at": at_ist(date(2026, 1, 6), 9),
            "trade_date": date(2026, 1, 5),
            "underlying": "NIFTY",
            "expiry": date(2026, 1, 6),
            "strike_paise": 26_100_00,
            "right": "CE",
            "instrument": "IDO",
            "exchange_token": 41001,
            "open_paise": 101_05,
            "high_paise": 120_00,
            "low_paise": 88_10,
            "close_paise": 95_55,
            "last_paise": 95_40,
            "previous_close_paise": 99_95,
            "underlying_paise": 26_111_15,
            "settlement_paise": 95_55,
            "settles_index": False,
            "open_interest": 6500,
            "open_interest_change": -130,
            "volume_contracts": 21,
            "turnover_paise": 35_767_725_75,
            "trades": 17,
            "lot_size": 65,
            "source_row": 2,
            "outcome": None,
            "raw": None,
        }
    ]
    (listed,) = staged.rows["contract_master"]
    assert listed["symbol"] == "NIFTY2610626100CE"
    assert (listed["venue"], listed["exchange_token"], listed["lot_size"]) == ("NSE", 41001, 65)


def test_a_future_has_neither_strike_nor_right(tmp_path: Path) -> None:
    staged = _staged(tmp_path, udiff_future())
    (row,) = staged.accepted("bhavcopy_futures")
    assert (row["instrument"], row["close_paise"]) == ("IDF", 26_190_10)
    (listed,) = staged.rows["contract_master"]
    assert (listed["strike_paise"], listed["right"]) == (None, None)
    assert staged.rows["bhavcopy_options"] == []


def test_the_day_after_a_friday_is_the_next_market_day(tmp_path: Path) -> None:
    # 23 Jan 2026 is a Friday, Monday the 26th is a holiday.
    day = {"TradDt": "2026-01-23", "BizDt": "2026-01-23"}
    (row,) = _staged(tmp_path, udiff_future(**day)).accepted("bhavcopy_futures")
    assert row["available_at"] == at_ist(date(2026, 1, 27), 9)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"Src": "BSE"}, "OTHER_EXCHANGE"),
        ({"TradDt": "05-01-2026"}, "BAD_DATE"),
        ({"TradDt": "2026-01-06"}, "BAD_DATE"),
        ({"TradDt": "2026-02-30", "BizDt": "2026-02-30"}, "BAD_DATE"),
        ({"Sgmt": "CM"}, "BAD_INSTRUMENT"),
        ({"FinInstrmTp": "XYZ"}, "BAD_INSTRUMENT"),
        ({"TckrSymb": ""}, "BAD_UNDERLYING"),
        ({"FinInstrmNm": ""}, "BAD_UNDERLYING"),
        ({"XpryDt": "06-JAN-2026"}, "BAD_EXPIRY"),
        ({"FininstrmActlXpryDt": "2026-01-07"}, "BAD_EXPIRY"),
        ({"XpryDt": "2026-01-02", "FininstrmActlXpryDt": "2026-01-02"}, "EXPIRED"),
        ({"StrkPric": ""}, "BAD_STRIKE"),
        ({"StrkPric": "0.00"}, "BAD_STRIKE"),
        ({"FinInstrmTp": "IDF"}, "BAD_STRIKE"),
        ({"OptnTp": "XX"}, "BAD_RIGHT"),
        ({"ClsPric": "abc"}, "NOT_A_NUMBER"),
        ({"ClsPric": "12,5"}, "BROKEN_ROW"),
        ({"OpnIntrst": "784.24K"}, "NOT_A_NUMBER"),
        ({"ClsPric": "-0.05"}, "NEGATIVE"),
        ({"TtlTradgVol": "-1"}, "NEGATIVE"),
        ({"ClsPric": "95.555"}, "NOT_A_PAISA"),
        ({"ClsPric": "0.15000000000000002"}, "NOT_A_PAISA"),
        ({"OpnIntrst": "6500.5"}, "NOT_WHOLE"),
        ({"ChngInOpnIntrst": "0.5"}, "NOT_WHOLE"),
        ({"ClsPric": "99999999999999999999"}, "TOO_LARGE"),
        ({"TradDt": "2026-01-04", "BizDt": "2026-01-04"}, "NOT_A_MARKET_DAY"),
        ({"TradDt": "2011-01-04", "BizDt": "2011-01-04"}, "OUTSIDE_CALENDAR"),
        ({"TradDt": "2026-12-31", "BizDt": "2026-12-31"}, "EXPIRED"),
    ],
)
def test_a_bad_row_is_refused_and_the_others_taken(
    tmp_path: Path, changes: dict[str, str], reason: str
) -> None:
    staged = _staged(tmp_path, udiff_row(), udiff_row(**changes))
    assert staged.outcomes() == {reason: 1}
    assert len(staged.accepted("bhavcopy_options")) == len(staged.rows["contract_master"]) == 1


def test_where_the_next_market_day_is_unknown_the_row_is_refused(tmp_path: Path) -> None:
    last = {"TradDt": "2026-12-31", "BizDt": "2026-12-31"}
    later = {"XpryDt": "2027-01-05", "FininstrmActlXpryDt": "2027-01-05"}
    assert _staged(tmp_path, udiff_row(**last, **later)).outcomes() == {"NEXT_DAY_UNKNOWN": 1}


def test_decimals_as_people_write_them(tmp_path: Path) -> None:
    row = udiff_row(OpnPric=".45", HghPric="7.", LwPric="0.400", ClsPric="6", LastPric="")
    (found,) = _staged(tmp_path, row).accepted("bhavcopy_options")
    names = ("open_paise", "high_paise", "low_paise", "close_paise", "last_paise")
    assert [found[name] for name in names] == [45, 700, 40, 600, None]


def test_packed_and_plain_say_the_same(tmp_path: Path) -> None:
    plain = UDIFF.write(tmp_path)
    assert stage(udiff_bhavcopy, gzipped(plain), tmp_path) == stage(udiff_bhavcopy, plain, tmp_path)


def _files(sample_data: Path) -> list[Path]:
    folder = sample_data / "nse_fo_bhavcopy"
    found = sorted(folder.glob("*.csv.gz"))
    if not found:
        pytest.skip(f"no bhavcopies in {folder}")
    return found


@pytest.mark.parametrize("number", [0, 16, 37])  # a first day, a monthly expiry, another one
def test_real_files_row_by_row(sample_data: Path, tmp_path: Path, number: int) -> None:
    path = _files(sample_data)[number]
    staged = stage(udiff_bhavcopy, path, tmp_path)
    assert staged.outcomes() == {}
    rows = read_rows(path)
    found = {
        row["source_row"]: row
        for name in ("bhavcopy_options", "bhavcopy_futures")
        for row in staged.rows[name]
    }
    assert len(found) == len(rows) == len(staged.rows["contract_master"])
    for line, row in enumerate(rows, start=2):
        here = found[line]
        for name, column in PRICES.items():
            assert here[name] == paise(row[column])
        for name, column in WHOLE.items():
            assert here[name] == int(row[column])
        assert here["turnover_paise"] == (paise(row["TtlTrfVal"]) or 0)
        assert here.get("strike_paise") == paise(row["StrkPric"])
        assert here.get("right", "") == row["OptnTp"]
        assert (here["underlying"], str(here["expiry"])) == (row["TckrSymb"], row["XpryDt"])


def test_real_full_market_counts(sample_data: Path, tmp_path: Path) -> None:
    folder = sample_data / "nse_fo_bhavcopy_full_market"
    paths = sorted(folder.glob("*.csv.gz"))
    if not paths:
        pytest.skip(f"no bhavcopies of the full market in {folder}")
    for path in paths:
        rows = read_rows(path)
        staged = stage(udiff_bhavcopy, path, tmp_path)
        assert staged.outcomes() == {}
        found = [*staged.rows["bhavcopy_options"], *staged.rows["bhavcopy_futures"]]
        assert Counter(row["instrument"] for row in found) == Counter(
            row["FinInstrmTp"] for row in rows
        )
        for name, column in PRICES.items():
            ours = sum(row[name] or 0 for row in found)
            assert ours == sum(paise(row[column]) or 0 for row in rows)
        assert sum(row["open_interest"] for row in found) == sum(int(r["OpnIntrst"]) for r in rows)


def test_the_member_of_a_zip_is_the_same_file(tmp_path: Path) -> None:
    """What the framework extracts for an importer is what was packed."""
    plain = UDIFF.write(tmp_path)
    packed = tmp_path / "packed.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(plain, plain.name)
    with zipfile.ZipFile(packed) as archive:
        extracted = tmp_path / "extracted.csv"
        extracted.write_bytes(archive.read(plain.name))
    assert stage(udiff_bhavcopy, extracted, tmp_path) == stage(udiff_bhavcopy, plain, tmp_path)
