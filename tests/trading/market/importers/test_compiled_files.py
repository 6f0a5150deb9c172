"""Daily files compiled over many years: index futures, SPAN ranges, volatility, participants."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import TYPE_CHECKING

import pytest

from tests.trading.market.importers import exchange_files as files
from tests.trading.market.importers.independent import at_ist, paise, read_rows
from tests.trading.market.importers.staging import stage
from trading.market.importers import (
    ImportRefusedError,
    index_futures,
    participant_oi,
    span_ranges,
    volatility_file,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.trading.market.importers.exchange_files import TextFile

HOURS_US = 3_600_000_000


def _real(sample_data: Path, name: str) -> Path:
    path = sample_data / "nse_daily" / name
    if not path.is_file():
        pytest.skip(f"no file {path}")
    return path


def test_index_futures_are_day_bars(tmp_path: Path) -> None:
    staged = stage(index_futures, files.INDEX_FUTURES.write(tmp_path), tmp_path)
    old, new = staged.accepted("future_bars")
    assert (old["underlying"], old["expiry"]) == ("NIFTY", date(2012, 7, 26))
    assert (old["close_paise"], old["open_interest"]) == (5_330_25, 500_000)
    assert old["volume"] is None  # contracts of a lot the file does not state
    assert (new["volume"], new["interval"]) == (65_000, "1d")
    assert new["interval_us"] == int(6.25 * HOURS_US)
    assert (new["as_of"], new["available_at"]) == (
        at_ist(date(2026, 1, 5), 15, 30),
        at_ist(date(2026, 1, 6), 9),
    )


def test_span_ranges(tmp_path: Path) -> None:
    _, row = stage(span_ranges, files.SPAN.write(tmp_path), tmp_path).accepted("span_ranges")
    assert (row["price_scan_paise"], row["future_paise"]) == (2_422_05, 26_190_10)
    assert row["price_scan_fraction"] == pytest.approx(0.09248)
    assert (row["volatility_scan_fraction"], row["underlying_paise"]) == (0.04, None)


def test_volatility_compiled(tmp_path: Path) -> None:
    row, _ = stage(volatility_file, files.VOLATILITY.write(tmp_path), tmp_path).accepted(
        "volatility"
    )
    assert (row["close_paise"], row["future_previous_close_paise"]) == (26_100_00, 26_140_00)
    assert (row["volatility_day"], row["future_volatility_day"]) == (0.0071, 0.0074)
    assert (row["applicable_volatility_year"], row["log_return"]) == (0.1414, None)


def test_volatility_as_the_exchange_gives_it(tmp_path: Path) -> None:
    (row,) = stage(volatility_file, files.FOVOLT.write(tmp_path), tmp_path).accepted("volatility")
    assert (row["trade_date"], row["previous_close_paise"]) == (date(2026, 1, 5), 26_050_50)
    assert (row["log_return"], row["previous_volatility_day"]) == (-0.0019, 0.0072)
    assert (row["volatility_year"], row["future_volatility_year"]) == (0.1356, 0.1414)


def test_participants_become_a_row_an_instrument(tmp_path: Path) -> None:
    staged = stage(participant_oi, files.PARTICIPANTS.write(tmp_path), tmp_path)
    rows = {(r["participant"], r["instrument"]): r for r in staged.accepted("participant_oi")}
    assert len(rows) == 12
    stock_future = rows["Client", "STOCK_FUTURE"]
    assert (stock_future["long_contracts"], stock_future["short_contracts"]) == (30, 5.5)
    put = rows["Client", "INDEX_PUT"]
    assert (put["long_contracts"], put["short_contracts"]) == (3, 4)


def test_participants_of_one_day_have_the_date_in_the_title(tmp_path: Path) -> None:
    staged = stage(participant_oi, files.PARTICIPANTS_OF_A_DAY.write(tmp_path), tmp_path)
    rows = staged.accepted("participant_oi")
    assert {row["trade_date"] for row in rows} == {date(2026, 1, 5)}
    assert {row["source_row"] for row in rows} == {3}
    untitled = files.PARTICIPANTS_OF_A_DAY.text.replace("Jan 05, 2026", "some day")
    with pytest.raises(ImportRefusedError, match="no date; expected a title"):
        stage(participant_oi, files.PARTICIPANTS_OF_A_DAY.write(tmp_path, untitled), tmp_path)


def test_participants_that_contradict_their_sum_are_refused(tmp_path: Path) -> None:
    text = files.PARTICIPANTS.text.replace(",54,47.5", ",57,47.5").replace(",58,58", ",58,62")
    staged = stage(participant_oi, files.PARTICIPANTS.write(tmp_path, text), tmp_path)
    assert staged.outcomes() == {"SUMS_DIFFER": 1}  # 57 may be six roundings, 62 may not
    assert {row["participant"] for row in staged.accepted("participant_oi")} == {"Client"}


@pytest.mark.parametrize(
    ("file", "old", "new", "reason"),
    [
        (files.INDEX_FUTURES, "2026-01-05", "05-01-2026", "BAD_DATE"),
        (files.INDEX_FUTURES, "2026-01-27", "Jan", "BAD_EXPIRY"),
        (files.INDEX_FUTURES, "2026-01-27", "2026-01-02", "EXPIRED"),
        (files.INDEX_FUTURES, "26190.1", "26190.123", "NOT_A_PAISA"),
        (files.SPAN, "2026-01-05", "2026-01-04", "NOT_A_MARKET_DAY"),
        (files.SPAN, "9.248", "high", "NOT_A_NUMBER"),
        (files.VOLATILITY, "BANKNIFTY", "", "BAD_UNDERLYING"),
        (files.VOLATILITY, "0.0081", "-0.0081", "NEGATIVE"),
        (files.PARTICIPANTS, "Client", "", "BAD_UNDERLYING"),
        (files.PARTICIPANTS, "30.0", "30k", "NOT_A_NUMBER"),
    ],
)
def test_a_bad_row_is_refused(
    tmp_path: Path, file: TextFile, old: str, new: str, reason: str
) -> None:
    path = file.write(tmp_path, file.text.replace(old, new, 1))
    assert stage(file.importer, path, tmp_path).outcomes() == {reason: 1}


def test_real_index_futures(sample_data: Path, tmp_path: Path) -> None:
    path = _real(sample_data, "bhav_index.csv")
    rows = read_rows(path)
    staged = stage(index_futures, path, tmp_path)
    assert staged.outcomes() == {"HOURS_UNKNOWN": 12}
    unknown = {"2014-10-23", "2015-11-11"}
    wanted = [row for row in rows if row["date"] not in unknown]
    ours = staged.accepted("future_bars")
    assert len(ours) == len(wanted) == len(rows) - 12
    assert sum(row["close_paise"] for row in ours) == sum(paise(row["close"]) for row in wanted)
    assert sum(row["open_interest"] for row in ours) == sum(
        float(row["open_interest"]) for row in wanted
    )
    stated = [row for row in wanted if row["stated_lot"]]
    assert sum(row["volume"] or 0 for row in ours) == sum(
        int(float(row["contracts"])) * int(row["stated_lot"]) for row in stated
    )


@pytest.mark.parametrize(
    ("name", "importer", "category", "ours", "theirs"),
    [
        ("span_psr.csv", span_ranges, "span_ranges", "price_scan_paise", "price_scan"),
        ("volatility.csv", volatility_file, "volatility", "close_paise", "spot_close"),
    ],
)
def test_real_ranges_and_volatility(
    sample_data: Path,
    tmp_path: Path,
    name: str,
    importer: object,
    category: str,
    ours: str,
    theirs: str,
) -> None:
    path = _real(sample_data, name)
    rows = read_rows(path)
    staged = stage(importer, path, tmp_path)
    assert staged.outcomes() == {"HOURS_UNKNOWN": 4}
    wanted = [row for row in rows if row["date"] not in {"2014-10-23", "2015-11-11"}]
    found = staged.accepted(category)
    assert len(found) == len(wanted) == len(rows) - 4
    assert sum(row[ours] for row in found) == sum(paise(row[theirs]) or 0 for row in wanted)


def test_real_participants(sample_data: Path, tmp_path: Path) -> None:
    path = _real(sample_data, "participant_oi.csv")
    rows = read_rows(path)
    staged = stage(participant_oi, path, tmp_path)
    assert staged.outcomes() == {"HOURS_UNKNOWN": 10, "SUMS_DIFFER": 23}
    accepted = staged.accepted("participant_oi")
    assert len(accepted) == 6 * (len(rows) - 33)
    refused = {
        row["source_row"] for row in staged.rows["participant_oi"] if row["outcome"] is not None
    }
    assert len(refused) == 33
    column = "Option Index Put Long"
    assert sum(r["long_contracts"] or 0 for r in accepted if r["instrument"] == "INDEX_PUT") == (
        pytest.approx(sum(float(r[column] or 0) for n, r in enumerate(rows, 2) if n not in refused))
    )
    assert Counter(row["instrument"] for row in accepted)["STOCK_CALL"] == len(rows) - 33
