"""Every vendor's form on a small invented file, damaged ones, and the real files against an
independent reading of them.
"""

from __future__ import annotations

import ast
import csv
import gzip
import json
from collections import Counter
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.trading.market.importers.staging import read_head, stage
from tests.trading.market.importers.vendor_files import (
    mapped,
    sample,
    tick,
    trade,
    write_csv,
    write_json,
)
from trading.market.calendar import instant_us
from trading.market.importers import (
    ImportRefusedError,
    binance_stream,
    dhan_series,
    kite_ticks,
    skipped,
)
from trading.market.importers.trading_symbols import option_of

if TYPE_CHECKING:
    from pathlib import Path

RECORDED = "2026-04-02T06:34:54.294097+00:00"
RECORDED_US = 1_775_111_694_294_097
NOON_US = instant_us(date(2018, 1, 1), time(12))


def rows_of(path: Path, skip: int = 0) -> list[dict[str, str]]:
    opened: Any = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as stream:
        for _ in range(skip):
            next(stream)
        return list(csv.DictReader(stream))


def paise(text: str) -> int:
    exact = Decimal(text) * 100
    assert exact == int(exact)
    return int(exact)


# --- Zerodha


def test_kite_instruments_need_the_day_they_were_downloaded_on(tmp_path: Path) -> None:
    header = mapped("kite_instruments").map.header
    rows = [
        (
            1,
            11,
            "BANKNIFTY18JAN23500CE",
            "",
            1.5,
            "2018-01-25",
            23500.0,
            0.05,
            40,
            "CE",
            "NFO-OPT",
            "NFO",
        ),
        (2, 12, "20SHARES", "TWENTY", 0.0, "", 0.0, 0.05, 1, "EQ", "NSE", "NSE"),
        (
            3,
            13,
            "NIFTY18O1110500PE",
            "",
            1.5,
            "2018-10-11",
            10500.0,
            0.05,
            75,
            "PE",
            "NFO-OPT",
            "NFO",
        ),
    ]
    path = write_csv(tmp_path / "a.csv", header, rows)
    importer = mapped("kite_instruments")
    assert stage(importer, path, tmp_path).outcomes() == {"NO_TIME": 3}
    found = stage(importer, path, tmp_path, known_at_us=NOON_US).accepted("contract_master")
    assert [(row["underlying"], row["right"], row["strike_paise"]) for row in found] == [
        ("BANKNIFTY", "CE", 2_350_000),
        ("20SHARES", None, None),
        ("NIFTY", "PE", 1_050_000),
    ]
    assert found[0]["tick_paise"] == 5
    assert found[0]["as_of"] == NOON_US
    assert found[0]["trade_date"] == date(2018, 1, 1)


def test_kite_instruments_of_the_mocks(tmp_path: Path) -> None:
    path = sample("broker_api_samples", "kite_samples", "instruments_all.csv")
    staged = stage(
        mapped("kite_instruments"), path, tmp_path, known_at_us=NOON_US - 61 * 86400 * 10**6
    )
    raw = rows_of(path)
    assert len(staged.rows["contract_master"]) == len(raw)
    assert not staged.outcomes()
    options = [row for row in staged.accepted("contract_master") if row["right"]]
    assert len(options) == sum(row["instrument_type"] in ("CE", "PE") for row in raw)
    assert sum(row["strike_paise"] for row in options) == sum(
        paise(row["strike"]) for row in raw if row["segment"] == "NFO-OPT"
    )


def test_candles_of_a_contract_need_its_name(tmp_path: Path) -> None:
    candle = ["2019-12-04T09:15:00+0530", 12009.9, 12019.35, 12001.25, 12001.5, 163275, 13667775]
    path = write_json(tmp_path / "a.json", {"data": {"candles": [candle]}})
    assert stage(mapped("kite_candles"), path, tmp_path).outcomes() == {"NO_CONTRACT": 1}


def test_candles_of_the_mocks_are_of_nothing_that_they_name(tmp_path: Path) -> None:
    folder = ("broker_api_samples", "kite_samples")
    for name, reason in (
        ("historical_minute.json", "BAD_UNDERLYING"),
        ("historical_oi.json", "NO_CONTRACT"),
    ):
        path = sample(*folder, name)
        count = len(json.loads(path.read_text())["data"]["candles"])
        assert stage(mapped("kite_candles"), path, tmp_path).outcomes() == {reason: count}


def test_ticks_of_python_are_read_without_evaluating_them(tmp_path: Path) -> None:
    newer = tick("2021-08-20T09:15:05")
    for old in ("volume", "last_quantity", "timestamp"):
        newer.pop(old)
    newer |= {"volume_traded": 75, "last_traded_quantity": 50}
    newer |= {"exchange_timestamp": datetime(2021, 8, 20, 9, 15, 5)}  # noqa: DTZ001 - as printed
    evil = str(tick("2021-08-20T09:15:01")).replace("777", "__import__('os').getpid()")
    lines = [str(newer), evil, str(tick("2021-08-20T09:15:02", last_price=100.123))]
    path = tmp_path / "BANKNIFTY21SEP35300CE.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    staged = stage(kite_ticks, path, tmp_path)
    assert staged.outcomes() == {"BROKEN_ROW": 1, "NOT_A_PAISA": 1}
    (row,) = staged.accepted("ticks")
    assert (row["volume"], row["last_quantity"], row["last_paise"]) == (75, 50, 10_010)
    assert row["as_of"] == instant_us(date(2021, 8, 20), time(9, 15, 5))
    assert (row["average_paise"], row["open_paise"], row["high_paise"]) == (9912, None, 10_100)
    assert (row["bid_paise_1"], row["bid_paise_2"], row["ask_paise_5"]) == (10_005, None, 10_015)
    assert (row["underlying"], row["expiry"]) == ("BANKNIFTY", date(2021, 9, 30))


def test_ticks_of_no_contract_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "ticks.txt"
    path.write_text(str(tick("2021-08-20T09:15:01")), encoding="utf-8")
    assert stage(kite_ticks, path, tmp_path).outcomes() == {"NO_CONTRACT": 1}


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("BANKNIFTY21SEP35300CE_2021.txt", ("BANKNIFTY", date(2021, 9, 30), 3_530_000, "CE")),
        ("NIFTY2641324450CE", ("NIFTY", date(2026, 4, 13), 2_445_000, "CE")),
        ("NIFTY24D1224500PE", ("NIFTY", date(2024, 12, 12), 2_450_000, "PE")),
        ("NIFTY26FEB24500PE", ("NIFTY", date(2026, 2, 24), 2_450_000, "PE")),
        ("NIFTY26FOO24500PE", None),
        ("NIFTY2699924500PE", None),
        ("notes.txt", None),
    ],
)
def test_trading_symbols(symbol: str, expected: tuple[Any, ...] | None) -> None:
    assert option_of(symbol) == expected


def test_the_real_ticks_against_their_literals(tmp_path: Path) -> None:
    path = sample("kite_ticks_banknifty_2021-08-20", "BANKNIFTY21SEP35300CE_2021_08_20.txt.gz")
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    staged = stage(kite_ticks, path, tmp_path)
    distinct = len(set(lines))
    assert staged.outcomes() == {"BAD_STAMP": 1, "DUPLICATE_ROW": len(lines) - distinct}
    ticks = sorted(staged.accepted("ticks"), key=lambda row: (row["as_of"], row["sequence"]))
    assert len(ticks) == distinct - 1 == 3541
    volumes = [row["volume"] for row in ticks]
    assert volumes == sorted(volumes)
    real = [ast.literal_eval(line) for line in dict.fromkeys(reversed(lines))][1:]
    assert [row["last_paise"] for row in ticks] == [round(one["last_price"] * 100) for one in real]
    assert [row["ask_quantity_3"] or 0 for row in ticks] == [
        one["depth"]["sell"][2]["quantity"] for one in real
    ]


# --- Upstox


def contract(**changes: Any) -> dict[str, Any]:
    return {
        "name": "NIFTY",
        "segment": "NSE_FO",
        "exchange": "NSE",
        "expiry": "2026-04-13",
        "instrument_key": "NSE_FO|1",
        "exchange_token": "1",
        "trading_symbol": "NIFTY 26000 PE 13 APR 26",
        "tick_size": 5.0,
        "lot_size": 65,
        "instrument_type": "PE",
        "freeze_quantity": 1755.0,
        "underlying_symbol": "NIFTY",
        "strike_price": 26000.0,
        **changes,
    }


def test_upstox_contracts_with_dates_or_milliseconds(tmp_path: Path) -> None:
    listed = [contract(), contract(exchange_token="2", expiry=1_776_105_000_000)]
    whole = {"recorded_at": RECORDED, "response": {"status": "success", "data": listed}}
    path = write_json(tmp_path / "a.json", whole)
    rows = stage(mapped("upstox_contracts"), path, tmp_path).accepted("contract_master")
    assert [row["expiry"] for row in rows] == [date(2026, 4, 13), date(2026, 4, 14)]
    assert {(row["tick_paise"], row["freeze_quantity"], row["strike_paise"]) for row in rows} == {
        (5, 1755, 2_600_000)
    }
    assert rows[0]["as_of"] == RECORDED_US
    bare = write_json(tmp_path / "b.json", {"data": listed})
    assert stage(mapped("upstox_contracts"), bare, tmp_path).outcomes() == {"NO_TIME": 2}


def test_the_real_upstox_contracts(tmp_path: Path) -> None:
    path = sample("broker_api_samples", "upstox_samples", "nifty_option_contracts.json")
    listed = json.loads(path.read_text())["response"]["data"]
    staged = stage(mapped("upstox_contracts"), path, tmp_path)
    rows = staged.accepted("contract_master")
    assert len(rows) == len(listed) == 2078
    assert sum(row["strike_paise"] for row in rows) == sum(
        round(x["strike_price"] * 100) for x in listed
    )
    assert Counter(str(row["expiry"]) for row in rows) == Counter(x["expiry"] for x in listed)


def test_upstox_chain_is_in_units_and_the_store_in_contracts(tmp_path: Path) -> None:
    def leg(**changes: Any) -> dict[str, Any]:
        market = {
            "ltp": 100.05,
            "volume": 6500,
            "oi": 650.0,
            "close_price": 99.0,
            "bid_price": 0,
            "bid_qty": 0,
            "ask_price": 100.1,
            "ask_qty": 65,
            "prev_oi": 0,
        }
        return {"instrument_key": "x", "market_data": {**market, **changes}, "option_greeks": {}}

    def strike(price: float, **changes: Any) -> dict[str, Any]:
        return {
            "expiry": "2026-04-13",
            "strike_price": price,
            "underlying_key": "NSE_INDEX|Nifty 50",
            "underlying_spot_price": 25900.35,
            "call_options": leg(),
            "put_options": leg(**changes),
        }

    whole = {"recorded_at": RECORDED, "data": [strike(26000.0), strike(26050.0, volume=66)]}
    path = write_json(tmp_path / "a.json", whole)
    staged = stage(mapped("upstox_chain"), path, tmp_path)
    assert staged.outcomes() == {"NOT_WHOLE": 1}
    (row,) = staged.accepted("chain_snapshots")
    assert (row["call_oi_contracts"], row["put_volume_contracts"]) == (10.0, 100)
    assert (row["call_bid_paise"], row["call_bid_quantity"], row["call_ask_quantity"]) == (
        None,
        None,
        65,
    )
    assert (row["spot_paise"], row["strike_paise"]) == (2_590_035, 2_600_000)


# --- Dhan


def test_dhan_chain_by_strikes(tmp_path: Path) -> None:
    leg = {
        "last_price": 100.05,
        "oi": 650,
        "volume": 1300,
        "top_bid_price": 100,
        "top_bid_quantity": 65,
        "top_ask_price": 0,
        "top_ask_quantity": 0,
    }
    answer = {"data": {"last_price": 25900.35, "oc": {"26000.000000": {"ce": leg, "pe": leg}}}}
    whole = {
        "recorded_at": RECORDED,
        "request_params": {"UnderlyingScrip": 13, "Expiry": "2026-04-13"},
        "response": answer,
    }
    path = write_json(tmp_path / "a.json", whole)
    (row,) = stage(mapped("dhan_chain"), path, tmp_path).accepted("chain_snapshots")
    assert (row["underlying"], row["strike_paise"], row["expiry"]) == (
        "NIFTY",
        2_600_000,
        date(2026, 4, 13),
    )
    assert (row["put_oi_contracts"], row["put_volume_contracts"], row["put_ask_paise"]) == (
        10.0,
        20,
        None,
    )


def test_dhan_expired_options_change_their_strike(tmp_path: Path) -> None:
    start = instant_us(date(2026, 1, 19), time(9, 15)) // 1_000_000
    side = {
        **{name: [100.5, 90.5, 80.5] for name in ("open", "high", "low", "close")},
        "volume": [65, 130, 65],
        "oi": [650, 650, 650],
        "strike": [25600, 25600, 25650],
        "spot": [59320.5, 59331.5, 59340.0],
        "timestamp": [start, start + 300, start + 600],
    }
    path = write_json(tmp_path / "a.json", {"data": {"ce": side, "pe": side}})
    bars = stage(mapped("dhan_expired_options"), path, tmp_path).accepted("option_bars")
    assert Counter(bar["right"] for bar in bars) == {"CE": 3, "PE": 3}
    calls = sorted((bar for bar in bars if bar["right"] == "CE"), key=lambda bar: bar["as_of"])
    assert [bar["strike_paise"] for bar in calls] == [2_560_000, 2_560_000, 2_565_000]
    assert {bar["underlying"] for bar in bars} == {"BANKNIFTY"}
    assert calls[0]["as_of"] == (start + 300) * 1_000_000


@pytest.mark.parametrize("index", ["nifty", "banknifty"])
def test_the_real_series_of_dhan(tmp_path: Path, index: str) -> None:
    path = sample("dhan_rolling_atm_5min", f"{index}_daily.csv")
    raw = rows_of(path)
    bars = stage(dhan_series, path, tmp_path).accepted("spot_bars")
    assert len(bars) == len(raw) == 785
    days = [
        datetime.fromisoformat(row["timestamp"]) + timedelta(hours=5, minutes=30) for row in raw
    ]
    assert [bar["as_of"] // 86_400_000_000 for bar in bars] == [
        instant_us(day.date(), time(12)) // 86_400_000_000 for day in days
    ]
    assert date(2026, 2, 1) in {day.date() for day in days}  # a Sunday
    assert sum(bar["close_paise"] for bar in bars) == sum(paise(row["close"]) for row in raw)
    for side, right in (("call", "CE"), ("put", "PE")):
        path = sample("dhan_rolling_atm_5min", f"{index}_atm_{side}_5min.csv")
        bars = stage(dhan_series, path, tmp_path).accepted("option_bars")
        assert {(bar["underlying"], bar["right"]) for bar in bars} == {(index.upper(), right)}
        raw = rows_of(path)
        assert len(bars) == len(raw) == 2250
        assert sum(bar["high_paise"] for bar in bars) == sum(paise(row["high"]) for row in raw)


# --- Spot


@pytest.mark.parametrize(
    ("name", "index"), [("BNF_2024.csv", "BANKNIFTY"), ("NIFTY_2024.csv", "NIFTY")]
)
def test_the_real_minutes_of_2024(tmp_path: Path, name: str, index: str) -> None:
    path = sample("spot_1min_2024", name)
    raw = rows_of(path)
    staged = stage(mapped("spot_one_minute"), path, tmp_path)
    bars = staged.accepted("spot_bars")
    late = [row for row in raw if row["Date"] == "20240120" and row["Time"] >= "15:30"]
    assert len(late) == 542 - 375
    assert staged.outcomes() == {"OUTSIDE_SESSION": len(late)}
    assert len(bars) == len(raw) - len(late) == 44_085
    assert {bar["underlying"] for bar in bars} == {index}
    total = sum(paise(row["Close"]) for row in raw) - sum(paise(row["Close"]) for row in late)
    assert sum(bar["close_paise"] for bar in bars) == total


def test_the_real_five_minutes_of_nifty(tmp_path: Path) -> None:
    path = sample("nifty_spot_5min", "nifty_spot_5min.csv")
    raw = rows_of(path)
    bars = stage(mapped("spot_date_ohlcv"), path, tmp_path).accepted("spot_bars")
    assert len(bars) == len(raw) == 18_676
    assert {(bar["underlying"], bar["interval"], bar["volume"]) for bar in bars} == {
        ("NIFTY", "5m", None)
    }
    assert sum(bar["low_paise"] for bar in bars) == sum(paise(row["low"]) for row in raw)


# --- SPX


def test_am_and_pm_contracts_of_spx_are_two_underlyings(tmp_path: Path) -> None:
    header = (
        "Expiration Date,Calls,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest,Strike,"
    )
    header += "Puts,Last Sale,Net,Bid,Ask,Volume,IV,Delta,Gamma,Open Interest"
    rest = "0,0,10.5,11,5,0,0,0,7,4000.00"
    lines = [
        "",
        "Standard & Poors 500 Index,Last: 4001.2345,Change:  1",
        '"Date: June 11, 2022, 8:47 PM EDT",Bid: 1,Ask: 2,Size: 1*1,Volume: 0',
        header,
        f"Fri Jul 15 2022,SPX220715C04000000,{rest},SPX220715P04000000,0,0,0,0.05,0,0,0,0,3",
        f"Fri Jul 15 2022,SPXW220715C04000000,{rest},SPXW220715P04000000,0,0,0,0.05,0,0,0,0,3",
        f"Fri Jun 10 2022,SPXW220610C04000000,{rest},SPXW220610P04000000,0,0,0,0.05,0,0,0,0,3",
    ]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    staged = stage(mapped("cboe_quotes"), path, tmp_path)
    assert staged.outcomes() == {"EXPIRED": 1}
    rows = staged.accepted("chain_snapshots")
    assert [row["underlying"] for row in rows] == ["SPX", "SPXW"]
    assert (rows[0]["call_bid_paise"], rows[0]["put_bid_paise"], rows[0]["put_ask_paise"]) == (
        1050,
        None,
        5,
    )
    assert rows[0]["spot_paise"] == 400_123
    assert (
        rows[0]["as_of"]
        == int(datetime.fromisoformat("2022-06-11T20:47:00-04:00").timestamp()) * 10**6
    )
    damaged = tmp_path / "b.csv"
    damaged.write_text("\n".join([*lines[:2], "nothing", *lines[3:]]), encoding="utf-8")
    with pytest.raises(ImportRefusedError, match=r"b\.csv: line 3 has no made, expected"):
        stage(mapped("cboe_quotes"), damaged, tmp_path)


@pytest.mark.parametrize(
    ("day", "expired"), [("2022-02-05", 0), ("2022-06-11", 225), ("2023-09-14", 0)]
)
def test_the_real_quotes_of_spx(tmp_path: Path, day: str, expired: int) -> None:
    path = sample("spx_chains", f"spx_quotedata_{day}.csv.gz")
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        raw = list(csv.reader(stream))[3:]
    raw = [row for row in raw if row and row[0] != "Expiration Date"]
    staged = stage(mapped("cboe_quotes"), path, tmp_path)
    rows = staged.accepted("chain_snapshots")
    assert staged.outcomes().get("EXPIRED", 0) == expired
    assert len(rows) == len(raw) - expired
    taken = {row["source_row"] for row in rows}
    kept = [row for number, row in enumerate(raw, start=5) if number in taken]
    assert sum(row["put_ask_paise"] or 0 for row in rows) == sum(paise(row[16]) for row in kept)
    assert Counter(row["underlying"] for row in rows) == Counter(
        "SPXW" if row[1].startswith("SPXW") else "SPX" for row in kept
    )
    keys = {(row["underlying"], row["expiry"], row["strike_paise"]) for row in rows}
    assert len(keys) == len(rows)


def test_the_real_quotes_of_2005_have_strikes_times_a_thousand(tmp_path: Path) -> None:
    path = sample("spx_chains", "spxData050915.csv")
    raw = rows_of(path)
    staged = stage(mapped("optionmetrics_quotes"), path, tmp_path)
    rows = staged.accepted("chain_snapshots")
    assert not staged.outcomes()
    assert len(rows) == len(raw) // 2 == 313
    assert {row["underlying"] for row in rows} == {"SPX"}
    calls = [row for row in raw if row["cp_flag"] == "C"]
    assert sum(row["strike_paise"] for row in rows) == sum(
        int(row["strike_price"]) // 10 for row in calls
    )
    assert sum(row["call_bid_paise"] or 0 for row in rows) == sum(
        paise(row["best_bid"]) for row in calls
    )


def test_two_rows_for_one_leg_are_a_conflict(tmp_path: Path) -> None:
    header = mapped("optionmetrics_quotes").map.header
    base = dict.fromkeys(header, "0") | {
        "date": "20050915",
        "exdate": "20051217",
        "cp_flag": "C",
        "strike_price": "1200000",
        "best_offer": "5.5",
        "ticker": "SPX",
        "am_set_flag": "1",
    }
    rows = [
        base,
        base | {"cp_flag": "P"},
        base,
        base | {"strike_price": "1300000"},
        base | {"strike_price": "1300000", "best_offer": "6"},
        base | {"am_set_flag": "?"},
    ]
    path = write_csv(tmp_path / "a.csv", header, [row.values() for row in rows])
    staged = stage(mapped("optionmetrics_quotes"), path, tmp_path)
    assert staged.outcomes() == {"DUPLICATE_ROW": 1, "CONFLICTING_ROWS": 2, "BAD_UNDERLYING": 1}
    (row,) = staged.accepted("chain_snapshots")
    assert (row["call_ask_paise"], row["put_ask_paise"], row["put_bid_paise"]) == (550, 550, None)


# --- Binance


def test_a_damaged_line_of_a_stream_is_refused_and_the_book_passed_over(tmp_path: Path) -> None:
    book = '1723161254000000000 {"stream":"x@depth","data":{"e":"depthUpdate","E":1}}'
    good = trade(1_723_161_254_000_000_000, 1_723_161_255_000, 1, maker=True)
    path = tmp_path / "a.txt"
    path.write_text("\n".join([book, good, good[:60]]), encoding="utf-8")
    staged = stage(binance_stream, path, tmp_path)
    assert staged.outcomes() == {"BROKEN_ROW": 1}
    assert [row["source_row"] for row in staged.accepted("prints")] == [2]


@pytest.mark.parametrize(
    ("name", "count"), [("spot_btcusdt_20240808.gz", 9757), ("cm_btcusd_perp_20240808.gz", 2286)]
)
def test_the_real_trades_of_binance(tmp_path: Path, name: str, count: int) -> None:
    path = sample("binance_trades", name)
    real = []
    for line in gzip.decompress(path.read_bytes()).decode().splitlines():
        data = json.loads(line.split(" ", 1)[1]).get("data", {})
        if data.get("e") == "trade":
            real.append(data)
    rows = stage(binance_stream, path, tmp_path).accepted("prints")
    assert len(rows) == len(real) == count
    assert [row["price_paise"] for row in rows] == [paise(data["p"]) for data in real]
    assert [row["aggressor"] == "SELL" for row in rows] == [data["m"] for data in real]
    assert all(
        row["available_at"] == row["as_of"] == data["T"] * 1000
        for row, data in zip(rows, real, strict=True)
    )


# --- Condors, open interest as text, implied volatilities


def test_the_real_condors_give_span_arrays_and_prices(tmp_path: Path) -> None:
    path = sample("condor_legs_span", "legs_2021_2024.csv.gz")
    raw = rows_of(path)
    staged = stage(mapped("condor_legs"), path, tmp_path)
    arrays, bars = staged.accepted("span_arrays"), staged.accepted("option_bars")
    assert not staged.outcomes()
    assert (len(arrays), len(bars)) == (len(raw), 2 * len(raw)) == (2604, 5208)
    assert {row["underlying"] for row in (*arrays, *bars)} == {"NIFTY"}
    for number in (1, 8, 16):
        assert sum(row[f"scenario_{number}_paise"] for row in arrays) == sum(
            paise(row[f"span_s{number}"]) for row in raw
        )
    assert sum(bar["close_paise"] for bar in bars) == sum(
        paise(row["entry_close"]) + paise(row["exit_close"]) for row in raw
    )


def test_open_interest_as_text(tmp_path: Path) -> None:
    header = mapped("oi_text").map.header
    tail = ("a", "b", "c", "d", 0, 0)
    rows = [
        ("2025-06-23 09:15", "55867.4", "56069.8", 61000, 0, "784.24K", "", "1.02M", 0, *tail),
        ("2025-06-23 09:15", "55867.4", "56069.8", 61100, 0, "190", "", "0", 0, *tail),
        ("2025-06-23 09:15", "55867.4", "56069.8", -1, 0, "0", "", "0", 0, *tail),
        ("2025-06-23 09:15", "55867.4", "56069.8", 61200, 0, "lots", "", "0", 0, *tail),
    ]
    staged = stage(mapped("oi_text"), write_csv(tmp_path / "a.csv", header, rows), tmp_path)
    assert staged.outcomes() == {"BAD_STRIKE": 1, "NOT_A_NUMBER": 1}
    first, second = staged.accepted("chain_snapshots")
    assert round(first["call_oi_contracts"] * 30, 6) == 784_240
    assert round(first["put_oi_contracts"] * 30, 6) == 1_020_000
    assert (first["underlying"], first["expiry"], first["spot_paise"]) == (
        "BANKNIFTY",
        None,
        5_586_740,
    )
    assert second["put_oi_contracts"] == 0


@pytest.mark.parametrize("day", ["22", "23", "24", "25", "26"])
def test_the_real_open_interest_as_text(tmp_path: Path, day: str) -> None:
    path = sample("banknifty_oi_dirty", f"2025-06-{day}.csv")
    raw = [row for row in rows_of(path) if row["strike"] != "-1"]
    rows = stage(mapped("oi_text"), path, tmp_path).accepted("chain_snapshots")
    factor = {"K": Decimal(1000), "M": Decimal(1_000_000)}

    def units(text: str) -> Decimal:
        return Decimal(text[:-1]) * factor[text[-1]] if text[-1] in factor else Decimal(text)

    assert len(rows) == len(raw)
    assert round(sum(row["put_oi_contracts"] for row in rows) * 30) == sum(
        units(row["put_oi"]) for row in raw
    )


def test_the_real_implied_volatilities_keep_their_gaps(tmp_path: Path) -> None:
    path = sample("nifty_iv_5min_gaps", "dataset.csv")
    raw = rows_of(path)
    contracts = [name for name in raw[0] if name.endswith(("CE", "PE"))]
    rows = stage(mapped("implied_volatility_five_minutes"), path, tmp_path).accepted(
        "implied_volatilities"
    )
    assert len(rows) == len(raw) * len(contracts) == 975 * 28
    held = [row["implied_volatility"] for row in rows if row["implied_volatility"] is not None]
    assert len(held) == sum(bool(row[name]) for row in raw for name in contracts)
    assert sum(held) == pytest.approx(
        sum(float(row[name] or 0) for row in raw for name in contracts)
    )
    assert {row["expiry"] for row in rows} == {date(2026, 1, 27)}
    assert min(row["as_of"] for row in rows) == instant_us(date(2026, 1, 7), time(9, 20))


# --- What is no market data, and what is damaged


def test_damaged_json_gives_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"data": {"candles": [[', encoding="utf-8")
    with pytest.raises(
        ImportRefusedError, match=r"a\.json: damaged JSON file \(.*line 1"
    ) as refused:
        stage(mapped("kite_candles"), path, tmp_path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"status": "success", "data": {"order_id": "1"}}', "account"),
        ('{"status": "success", "data": {}}', "without data"),
        ('{"mode": "ltp", "last_price": 1}', "stream"),
        ('{"data": {"NSE:X": {"last_price": 1}}}', "one quote"),
        ("MIT License\n\nCopyright (c) 2022", "a licence"),
        ("# A title\n\ntext", "a text about the data"),
        ("AAY6AQACZoMAAAABAAJlaQAR8bIAA+n/AAWANwACZPMAAmc8AAJhyQACZGw=\n", "base64"),
        ("a,b\n1,2\n", None),
    ],
)
def test_what_is_no_market_data_has_its_reason(
    tmp_path: Path, text: str, reason: str | None
) -> None:
    path = tmp_path / "a"
    path.write_text(text, encoding="utf-8")
    found = skipped.reason(read_head(path))
    assert found is None if reason is None else reason in str(found)
