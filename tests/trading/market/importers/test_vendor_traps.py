"""The traps of vendors' data, by their numbers in the list of the data's conventions."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from tests.trading.market.importers.staging import stage
from tests.trading.market.importers.vendor_files import (
    mapped,
    tick,
    trade,
    write_csv,
    write_json,
)
from trading.market.calendar import instant_us
from trading.market.importers import ImportRefusedError, binance_stream, dhan_series, kite_ticks
from trading.market.importers.column_map import read_map
from trading.market.importers.mapped import MappedImporter

if TYPE_CHECKING:
    from pathlib import Path

OHLCV = ("timestamp", "open", "high", "low", "close", "volume")
SPOT = ("Instrument", "Date", "Time", "Open", "High", "Low", "Close")
LEVELS = ("46000.00", "46000.50", "45999.95", "46000.05")
TICKS = "BANKNIFTY21SEP35300CE_x.txt"


def bank_rows(*times: str, day: str = "20240118", level: str = "46000.05") -> list[tuple[str, ...]]:
    return [("NIFTY", day, at, level, level, level, level) for at in times]


def test_trap_6_a_daily_stamp_of_dhan_is_the_day_before_in_utc(tmp_path: Path) -> None:
    days = ("2024-01-17", "2024-01-18", "2024-01-19")  # the last one is Saturday the 20th
    rows = [(f"{day} 18:30:00", *LEVELS, "1000.0") for day in days]
    path = write_csv(tmp_path / "daily.csv", OHLCV, rows)
    bars = stage(dhan_series, path, tmp_path).accepted("spot_bars")
    assert [bar["as_of"] for bar in bars] == [
        instant_us(date(2024, 1, 18), time(15, 30)),
        instant_us(date(2024, 1, 19), time(15, 30)),
        instant_us(date(2024, 1, 20), time(15, 30)),
    ]
    assert bars[0]["available_at"] == instant_us(date(2024, 1, 19), time(9))
    assert bars[1]["available_at"] == instant_us(date(2024, 1, 20), time(9))
    assert {bar["interval"] for bar in bars} == {"1d"}

    epochs = [int(datetime.fromisoformat(f"{day}T18:30:00+00:00").timestamp()) for day in days]
    columns = {name: [46000.5] * 3 for name in ("open", "high", "low", "close")}
    answer = {"data": {**columns, "volume": [0, 0, 0], "timestamp": epochs}}
    path = write_json(tmp_path / "daily.json", answer)
    again = stage(mapped("dhan_candles"), path, tmp_path).accepted("spot_bars")
    assert [bar["as_of"] for bar in again] == [bar["as_of"] for bar in bars]
    assert [bar["volume"] for bar in again] == [None] * 3


def test_trap_7_a_bar_is_labelled_by_its_end_whatever_its_vendor_does(tmp_path: Path) -> None:
    candles = [
        [f"2024-01-18T09:{minute}:00+0530", 46000.5, 46001, 45999, 46000.05, 0]
        for minute in (15, 16, 17)
    ]
    path = write_json(tmp_path / "kite.json", {"data": {"candles": candles}})
    kite = stage(mapped("kite_candles"), path, tmp_path).accepted("spot_bars")
    ends = [instant_us(date(2024, 1, 18), time(9, minute)) for minute in (16, 17, 18)]
    assert [bar["as_of"] for bar in kite] == ends
    assert [bar["available_at"] for bar in kite] == ends

    text = END_STAMPED
    (tmp_path / "ends.toml").write_text(text, encoding="utf-8")
    importer = MappedImporter(read_map(tmp_path / "ends.toml"))
    rows = [("NIFTY 50", f"2024-01-18 09:{minute}:00", "21500.05") for minute in (16, 17, 18)]
    path = write_csv(tmp_path / "ends.csv", ("Ticker", "Time", "Close"), rows)
    assert [bar["as_of"] for bar in stage(importer, path, tmp_path).accepted("spot_bars")] == ends

    (tmp_path / "none.toml").write_text(text.replace(', stamp = "end"', ""), encoding="utf-8")
    with pytest.raises(ImportRefusedError, match=r"none\.toml: .*expected stamp = start or end"):
        read_map(tmp_path / "none.toml")


END_STAMPED = """
format = "brahmastra-column-map-1"
name = "my_bars"
title = "bars of mine"
source = "mine"

[file]
header = ["Ticker", "Time", "Close"]
sessions = true

[[rows]]
category = "spot_bars"
interval = "1m"

[rows.columns]
underlying = { value = "NIFTY" }
as_of = { column = "Time", stamp = "end" }
close_paise = { column = "Close", unit = "points" }
"""


def test_trap_8_bars_outside_special_sessions_are_refused(tmp_path: Path) -> None:
    inside = bank_rows("09:15", "09:16", "09:59", "11:30", day="20240302")
    outside = bank_rows("10:00", "11:29", "12:30", day="20240302")
    sunday = bank_rows("09:15", day="20240303")
    path = write_csv(tmp_path / "a.csv", SPOT, inside + outside + sunday)
    staged = stage(mapped("spot_one_minute"), path, tmp_path)
    assert len(staged.accepted("spot_bars")) == len(inside)
    assert staged.outcomes() == {"OUTSIDE_SESSION": 3, "NOT_A_MARKET_DAY": 1}
    assert all(row["raw"] for row in staged.rows["spot_bars"] if row["outcome"])


def test_trap_10_an_index_is_what_its_levels_are_not_what_its_file_says(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "NIFTY.csv", SPOT, bank_rows("09:15", "09:16", "09:17"))
    staged = stage(mapped("spot_one_minute"), path, tmp_path)
    assert {bar["underlying"] for bar in staged.accepted("spot_bars")} == {"BANKNIFTY"}
    assert staged.accepted("spot_bars")[0]["close_paise"] == 4_600_005

    believed = bank_rows("09:15", "09:16", level="21500.05")  # FINNIFTY stood there too
    path = write_csv(tmp_path / "BANK.csv", SPOT, believed)
    staged = stage(mapped("spot_one_minute"), path, tmp_path)
    assert {bar["underlying"] for bar in staged.accepted("spot_bars")} == {"NIFTY"}

    nobody = bank_rows("09:15", "09:16", level="1700.00")
    path = write_csv(tmp_path / "share.csv", SPOT, nobody)
    assert stage(mapped("spot_one_minute"), path, tmp_path).outcomes() == {"BAD_UNDERLYING": 2}


def test_trap_10_two_indices_at_one_level_are_not_guessed_between(tmp_path: Path) -> None:
    rows = [
        (f"2024-01-18 09:{minute}:00", "21500", "21500", "21500", "21500", 0) for minute in (15, 20)
    ]
    path = write_csv(tmp_path / "a.csv", ("date", *OHLCV[1:]), rows)
    assert stage(mapped("spot_date_ohlcv"), path, tmp_path).outcomes() == {"BAD_UNDERLYING": 2}


def test_trap_10_a_name_that_the_lots_contradict_is_not_believed(tmp_path: Path) -> None:
    rows = [
        (f"2026-01-19 03:{minute}:00", "100.05", "101", "99", "100", volume)
        for minute, volume in ((45, 60), (50, 90), (55, 150))
    ]
    path = write_csv(tmp_path / "banknifty_atm_put_5min.csv", OHLCV, rows)
    bars = stage(dhan_series, path, tmp_path).accepted("option_bars")
    assert {(bar["underlying"], bar["right"], bar["strike_paise"]) for bar in bars} == {
        ("BANKNIFTY", "PE", None)
    }
    assert bars[0]["as_of"] == instant_us(date(2026, 1, 19), time(9, 20))
    path = write_csv(tmp_path / "nifty_atm_put_5min.csv", OHLCV, rows)
    assert stage(dhan_series, path, tmp_path).outcomes() == {"BAD_UNDERLYING": 3}
    path = write_csv(tmp_path / "unnamed.csv", OHLCV, rows)
    assert set(stage(dhan_series, path, tmp_path).outcomes()) <= {"BAD_UNDERLYING", "BAD_RIGHT"}


def test_trap_12_ticks_come_newest_first_from_1970_and_in_one_order_only(tmp_path: Path) -> None:
    arrived = [
        tick("1970-01-01T05:30:00", volume=0),
        tick("2021-08-20T09:15:01", volume=0),
        tick("2021-08-20T09:15:03", volume=25),
        tick("2021-08-20T09:15:03", volume=25, buy_quantity=99),
        tick("2021-08-20T09:15:03", volume=50),
    ]
    arrived.append(arrived[-1])  # sent again
    path = tmp_path / TICKS
    path.write_text("\n".join(str(one) for one in reversed(arrived)), encoding="utf-8")
    staged = stage(kite_ticks, path, tmp_path)
    ticks = sorted(staged.accepted("ticks"), key=lambda row: (row["as_of"], row["sequence"]))
    assert staged.outcomes() == {"BAD_STAMP": 1, "DUPLICATE_ROW": 1}
    assert [row["volume"] for row in ticks] == [0, 25, 25, 50]
    assert [row["sequence"] for row in ticks] == [1, 1, 2, 3]
    assert ticks[0]["as_of"] == instant_us(date(2021, 8, 20), time(9, 15, 1))
    refused = next(row for row in staged.rows["ticks"] if row["outcome"] == "BAD_STAMP")
    assert refused["source_row"] == len(arrived)
    assert "1970" in refused["raw"]


def test_trap_13_nothing_is_known_before_it_happens_though_a_clock_says_so(tmp_path: Path) -> None:
    at_ms = 1_723_161_255_342
    lines = [
        trade((at_ms - 1270) * 1_000_000, at_ms, 1, maker=True),
        trade((at_ms + 40) * 1_000_000, at_ms, 2, maker=False),
    ]
    path = tmp_path / "stream.txt"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    early, late = stage(binance_stream, path, tmp_path).accepted("prints")
    assert early["as_of"] == early["available_at"] == late["as_of"] == at_ms * 1000
    assert late["available_at"] == (at_ms + 40) * 1000
    assert (early["aggressor"], late["aggressor"]) == ("SELL", "BUY")
    assert (early["price_paise"], early["quantity"]) == (6150, 0.25)


def test_the_offset_of_india_is_five_and_a_half_hours() -> None:
    india = timezone(timedelta(hours=5, minutes=30))
    at = datetime(2024, 1, 18, 15, 30, tzinfo=india)
    assert instant_us(date(2024, 1, 18), time(15, 30)) == int(at.timestamp()) * 1_000_000
