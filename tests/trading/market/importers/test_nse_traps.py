"""The traps in the exchange's own files, one test each, named after it. Those in the files of
vendors have their own.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from tests.trading.market.importers import exchange_files as files
from tests.trading.market.importers.independent import at_ist
from tests.trading.market.importers.staging import read_head, stage
from trading.market.calendar import is_market_day
from trading.market.categories import columns_of
from trading.market.contracts import expiries
from trading.market.importers import (
    ImportRefusedError,
    api_option_chain,
    chain_2018,
    index_close,
    index_history,
    india_vix,
    site_option_chain,
    udiff_bhavcopy,
    volatility_file,
)

if TYPE_CHECKING:
    from pathlib import Path


def _bhavcopy(tmp_path: Path, *rows: str) -> list[dict[str, Any]]:
    path = files.UDIFF.write(tmp_path, files.udiff_text(*rows))
    staged = stage(udiff_bhavcopy, path, tmp_path)
    return [*staged.accepted("bhavcopy_options"), *staged.accepted("bhavcopy_futures")]


def test_trap_1_the_settlement_price_of_an_expiry_day_is_the_index(tmp_path: Path) -> None:
    expiry = {"TradDt": "2026-01-06", "BizDt": "2026-01-06", "SttlmPric": "26178.70"}
    today, later = _bhavcopy(
        tmp_path,
        files.udiff_row(**expiry, UndrlygPric="26178.70"),
        files.udiff_row(
            **expiry | {"SttlmPric": "120.35"},
            XpryDt="2026-01-13",
            FininstrmActlXpryDt="2026-01-13",
            FinInstrmNm="NIFTY2611326100CE",
        ),
    )
    assert (today["settles_index"], today["settlement_paise"]) == (True, 26_178_70)
    assert (later["settles_index"], later["settlement_paise"]) == (False, 120_35)


def test_trap_1_in_every_real_file_of_an_expiry_day(sample_data: Path, tmp_path: Path) -> None:
    paths = sorted((sample_data / "nse_fo_bhavcopy").glob("*.csv.gz"))
    if not paths:
        pytest.skip(f"no bhavcopies in {sample_data}")
    marked = 0
    for path in paths[::4]:
        staged = stage(udiff_bhavcopy, path, tmp_path)
        for row in staged.accepted("bhavcopy_options"):
            assert row["settles_index"] == (row["trade_date"] == row["expiry"])
            if row["settles_index"]:
                assert row["settlement_paise"] == row["underlying_paise"]
                marked += 1
    assert marked > 0


def test_trap_2_volume_is_lots_and_open_interest_units_in_one_row(tmp_path: Path) -> None:
    (row,) = _bhavcopy(tmp_path, files.udiff_row(TtlTradgVol="21", OpnIntrst="6500"))
    assert (row["volume_contracts"], row["open_interest"], row["lot_size"]) == (21, 6500, 65)
    # The chain of the exchange's API has both in lots, its old page open interest in units.
    path = files.API_JSON.write(tmp_path)
    chain = stage(api_option_chain, path, tmp_path).accepted("chain_snapshots")[0]
    assert (chain["call_volume_contracts"], chain["call_oi_contracts"]) == (21, 41 / 3)
    old = files.chain_2018_row(10_800.0, "2019-01-15 10:00:00", CallOI=750.0, CallVolume=11)
    path = files.write_parquet(tmp_path / "old.parquet", [old])
    chain = stage(chain_2018, path, tmp_path).accepted("chain_snapshots")[0]
    assert (chain["call_volume_contracts"], chain["call_oi_contracts"]) == (11, 10.0)


def test_trap_3_two_lot_sizes_of_one_underlying_on_one_day(tmp_path: Path) -> None:
    day = {"TradDt": "2025-01-02", "BizDt": "2025-01-02"}
    january = {"XpryDt": "2025-01-30", "FininstrmActlXpryDt": "2025-01-30"}
    weekly = {"XpryDt": "2025-01-09", "FininstrmActlXpryDt": "2025-01-09"}
    rows = _bhavcopy(
        tmp_path,
        files.udiff_row(**day, **january, NewBrdLotQty="25", FinInstrmNm="NIFTY25JAN26100CE"),
        files.udiff_row(**day, **weekly, NewBrdLotQty="75", FinInstrmNm="NIFTY2510926100CE"),
    )
    assert {row["expiry"]: row["lot_size"] for row in rows} == {
        date(2025, 1, 30): 25,
        date(2025, 1, 9): 75,
    }


def test_trap_4_zero_means_missing(tmp_path: Path) -> None:
    idle = dict.fromkeys(("OpnPric", "HghPric", "LwPric", "LastPric", "PrvsClsgPric"), "0.00")
    counts = dict.fromkeys(("TtlTradgVol", "TtlNbOfTxsExctd", "OpnIntrst"), "0")
    (row,) = _bhavcopy(tmp_path, files.udiff_row(**idle, **counts))
    missing = ("open_paise", "high_paise", "low_paise", "last_paise", "previous_close_paise")
    assert [row[name] for name in missing] == [None] * 5
    assert row["close_paise"] == 95_55
    # A count of nought is a count.
    assert [row[name] for name in ("volume_contracts", "trades", "open_interest")] == [0, 0, 0]
    nothing = {"bidprice": 0, "bidQty": 0, "askPrice": 0, "askQty": 0, "lastPrice": 0}
    legs = files.leg("CE", 25000, **nothing, openInterest=0, totalTradedVolume=0)
    path = files.API_JSON.write(tmp_path, files.api_text([files.datum(25000, CE=legs)]))
    (chain,) = stage(api_option_chain, path, tmp_path).accepted("chain_snapshots")
    assert {value for name, value in chain.items() if name.startswith("call_")} == {None}


def test_trap_5_event_time_is_not_knowledge_time(tmp_path: Path) -> None:
    path = files.API_JSON.write(tmp_path)
    stamp = at_ist(date(2026, 2, 6), 11, 30)
    received = stamp + 71_000_000
    row = stage(api_option_chain, path, tmp_path, known_at_us=received).accepted("chain_snapshots")[
        0
    ]
    assert (row["as_of"], row["available_at"]) == (stamp, received)
    # Not told when, it is never known at its own second.
    unsaid = stage(api_option_chain, path, tmp_path).accepted("chain_snapshots")[0]
    assert unsaid["available_at"] - unsaid["as_of"] == 139_000_000
    # What is published at the end of a day is known the next market morning.
    (daily,) = _bhavcopy(tmp_path, files.udiff_row())
    assert daily["as_of"] == at_ist(date(2026, 1, 5), 15, 30)
    assert daily["available_at"] == at_ist(date(2026, 1, 6), 9)


@pytest.mark.parametrize(
    "day",
    [
        date(2024, 1, 20),
        date(2024, 3, 2),
        date(2024, 5, 18),
        date(2025, 2, 1),
        date(2026, 2, 1),
        date(2024, 11, 1),  # the evening of Diwali
        date(2025, 10, 21),
    ],
)
def test_trap_8_sessions_on_weekends_and_evenings_are_market_days(
    tmp_path: Path, day: date
) -> None:
    text = files.VIX.text.replace("05-JAN-2026", day.strftime("%d-%b-%Y").upper())
    staged = stage(india_vix, files.VIX.write(tmp_path, text), tmp_path)
    assert staged.outcomes() == {}
    row = staged.accepted("vix")[1]
    assert at_ist(day, 0) < row["as_of"] < row["available_at"]


def test_trap_8_a_weekend_session_is_the_next_market_day(tmp_path: Path) -> None:
    friday = {"TradDt": "2026-01-30", "BizDt": "2026-01-30"}
    later = {"XpryDt": "2026-02-03", "FininstrmActlXpryDt": "2026-02-03"}
    (row,) = _bhavcopy(tmp_path, files.udiff_row(**friday, **later))
    assert row["available_at"] == at_ist(date(2026, 2, 1), 9)  # the Sunday of the budget


@pytest.mark.parametrize(
    ("moved", "by_rule"),
    [
        (date(2023, 6, 28), date(2023, 6, 29)),
        (date(2025, 10, 20), date(2025, 10, 21)),
        (date(2026, 3, 2), date(2026, 3, 3)),
        (date(2026, 3, 30), date(2026, 3, 31)),
    ],
)
def test_trap_9_expiries_moved_by_a_holiday(tmp_path: Path, moved: date, by_rule: date) -> None:
    assert expiries("NIFTY", moved, by_rule) == (moved,)
    day = {"TradDt": str(moved), "BizDt": str(moved)}
    expiry = {"XpryDt": str(moved), "FininstrmActlXpryDt": str(moved)}
    (row,) = _bhavcopy(tmp_path, files.udiff_row(**day, **expiry))
    assert (row["expiry"], row["settles_index"]) == (moved, True)


def test_trap_9_the_nearest_expiry_of_a_chain_is_the_moved_one(tmp_path: Path) -> None:
    # The holiday of Thursday, 21 March 2019 carried the expiry to Wednesday.
    row = files.chain_2018_row(11_450.0, "2019-03-20 11:00:00")
    path = files.write_parquet(tmp_path / "c.parquet", [row])
    (found,) = stage(chain_2018, path, tmp_path).accepted("chain_snapshots")
    assert found["expiry"] == date(2019, 3, 20)
    assert not is_market_day(date(2019, 3, 21))
    # The weekday is Thursday up to August 2025, then Tuesday.
    assert expiries("NIFTY", date(2025, 8, 25), date(2025, 9, 5)) == (
        date(2025, 8, 28),
        date(2025, 9, 2),
    )


def test_trap_10_a_name_that_lies(tmp_path: Path) -> None:
    # A bhavcopy is one, whatever it is called.
    lying = files.UDIFF.write(tmp_path).rename(tmp_path / "FOVOLT_14112025.csv")
    head = read_head(lying)
    assert udiff_bhavcopy.recognises(head)
    assert not volatility_file.recognises(head)
    assert not index_close.recognises(head)
    # Where only the name says something, it is believed as far as the content bears it out.
    chain = files.SITE_CHAIN.write(tmp_path)
    other = chain.rename(tmp_path / "option-chain-ED-BANKNIFTY-30-Mar-2026.csv")
    with pytest.raises(ImportRefusedError, match="not of whole lots of 30"):
        stage(site_option_chain, other, tmp_path, known_at_us=files.KNOWN_AT_US)
    history = files.INDEX_HISTORY.write(tmp_path)
    other = history.rename(tmp_path / "NIFTY 50-01-01-2025-to-31-01-2025.csv")
    with pytest.raises(ImportRefusedError, match="its name says 2025-01-01 to 2025-01-31"):
        stage(index_history, other, tmp_path)
    # Chains without the index's name are told by their lots: a NIFTY file stays one.
    row = files.chain_2018_row(10_800.0, "2019-01-15 10:00:00")
    path = files.write_parquet(tmp_path / "banknifty_chain.parquet", [row])
    assert stage(chain_2018, path, tmp_path).accepted("chain_snapshots")[0]["underlying"] == "NIFTY"


def test_trap_11_the_volatility_of_the_exchange_is_not_taken(tmp_path: Path) -> None:
    """Call and put of a strike disagree (9.5 and 7.45); it is worked out again from a parity
    forward, so no row has a place for it.
    """
    assert not [name for name in columns_of("chain_snapshots") if "iv" in name.split("_")]
    first = stage(
        site_option_chain,
        files.SITE_CHAIN.write(tmp_path),
        tmp_path,
        known_at_us=files.KNOWN_AT_US,
    )
    text = files.SITE_CHAIN.text.replace(",7.45,", ",70,").replace(",9.5,", ",0,")
    second = stage(
        site_option_chain,
        files.SITE_CHAIN.write(tmp_path, text),
        tmp_path,
        known_at_us=files.KNOWN_AT_US,
    )
    assert first == second


def test_trap_11_call_and_put_volatilities_differ_in_the_real_downloads(sample_data: Path) -> None:
    chains = sorted((sample_data / "nse_site_option_chain").glob("2026*/*.csv"))
    if not chains:
        pytest.skip(f"no downloaded chains in {sample_data}")
    differing = 0
    for chain in chains:
        for line in chain.read_text(encoding="utf-8-sig").splitlines()[2:]:
            cells = line.split('"')
            bare = "".join(c if n % 2 == 0 else c.replace(",", "") for n, c in enumerate(cells))
            fields = bare.split(",")
            differing += "-" not in (fields[4], fields[18]) and fields[4] != fields[18]
    assert differing > 50
