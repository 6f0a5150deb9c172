"""Chains without index and expiry: the lots tell the index, the calendar of the day the expiry."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from tests.trading.market.importers import exchange_files as files
from tests.trading.market.importers.independent import at_ist
from tests.trading.market.importers.staging import stage
from trading.market.calendar import is_market_day
from trading.market.importers import ImportRefusedError, chain_2018, chain_minutes_2019

if TYPE_CHECKING:
    from pathlib import Path

    from tests.trading.market.importers.staging import Staged


def _staged(tmp_path: Path, *rows: dict[str, Any]) -> Staged:
    return stage(chain_2018, files.write_parquet(tmp_path / "c.parquet", list(rows)), tmp_path)


def test_a_row_of_a_snapshot(tmp_path: Path) -> None:
    staged = _staged(tmp_path, files.chain_2018_row(10800.0, "2019-01-15 10:00:00"))
    (row,) = staged.accepted("chain_snapshots")
    at = at_ist(date(2019, 1, 15), 10)
    assert row == {
        "as_of": at,
        "available_at": at,
        "exchange_stamp": None,
        "collection_stamp": at,
        "underlying": "NIFTY",
        "expiry": date(2019, 1, 31),  # no weeklies of this index yet
        "strike_paise": 10_800_00,
        "call_bid_paise": 50_05,
        "call_ask_paise": 50_40,
        "call_bid_quantity": 150,
        "call_ask_quantity": 75,
        "call_last_paise": 45_00,
        "call_oi_contracts": 10.0,  # 750 units of a lot of 75
        "call_volume_contracts": 11,
        "put_bid_paise": 40_10,
        "put_ask_paise": 40_55,
        "put_bid_quantity": 225,
        "put_ask_quantity": 375,
        "put_last_paise": 45_00,
        "put_oi_contracts": 10.0,
        "put_volume_contracts": 11,
        "spot_paise": 10_800_15,
        "source_row": 1,
        "outcome": None,
        "raw": None,
    }


def test_the_index_is_the_one_of_the_lots(tmp_path: Path) -> None:
    row = files.chain_2018_row(27_000.0, "2019-01-15 10:00:00", lot=20, CurrentVal=27_100.5)
    (found,) = _staged(tmp_path, row).accepted("chain_snapshots")
    assert (found["underlying"], found["expiry"]) == ("BANKNIFTY", date(2019, 1, 17))


def test_quantities_of_no_lot_or_of_both_are_refused(tmp_path: Path) -> None:
    for lot in (7, 300):
        row = files.chain_2018_row(10_800.0, "2019-01-15 10:00:00", lot=lot)
        with pytest.raises(ImportRefusedError, match="not of whole lots of exactly one index"):
            _staged(tmp_path, row)


@pytest.mark.parametrize(
    ("at", "expiry"),
    [
        ("2019-02-08 10:00:00", date(2019, 2, 28)),  # the last day without weeklies
        ("2019-02-11 10:00:00", date(2019, 2, 14)),  # the first with them
        ("2019-02-14 15:30:00", date(2019, 2, 14)),  # an expiry lasts to its close
        ("2019-02-15 09:15:00", date(2019, 2, 21)),
        ("2019-03-18 10:00:00", date(2019, 3, 20)),  # moved by the holiday of the 21st
        ("2019-04-16 10:00:00", date(2019, 4, 18)),
    ],
)
def test_the_expiry_is_the_nearest_the_calendar_had_then(
    tmp_path: Path, at: str, expiry: date
) -> None:
    (row,) = _staged(tmp_path, files.chain_2018_row(10_800.0, at)).accepted("chain_snapshots")
    assert row["expiry"] == expiry


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        ("2019-01-13 11:00:00", "NOT_A_MARKET_DAY"),  # a Sunday
        ("2019-03-04 11:00:00", "NOT_A_MARKET_DAY"),  # a holiday
        ("2019-01-15 09:14:59", "OUTSIDE_SESSION"),
        ("2019-01-15 15:30:01", "OUTSIDE_SESSION"),
        ("2018-11-07 10:00:00", "OUTSIDE_SESSION"),  # trade was in the evening that day
        ("2011-01-14 11:00:00", "OUTSIDE_CALENDAR"),
    ],
)
def test_a_snapshot_of_a_shut_market_is_stale_and_refused(
    tmp_path: Path, at: str, reason: str
) -> None:
    staged = _staged(
        tmp_path,
        files.chain_2018_row(10_800.0, "2019-01-15 10:00:00"),
        files.chain_2018_row(10_800.0, at),
    )
    assert staged.outcomes() == {reason: 1}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"snapshot_ist": None}, "BAD_STAMP"),
        ({"StrikePrice": None}, "BAD_STRIKE"),
        ({"CallBidPrice": 0.15000000000000002}, "NOT_A_PAISA"),
        ({"PutAskPrice": -1.0}, "NEGATIVE"),
        ({"PutVolume": 1.5}, "NOT_WHOLE"),
        ({"CallLTP": 1e16}, "TOO_LARGE"),
    ],
)
def test_a_bad_row_is_refused(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    at = "2019-01-15 10:00:00"
    rows = [files.chain_2018_row(10_800.0, at), files.chain_2018_row(10_850.0, at) | changes]
    assert _staged(tmp_path, *rows).outcomes() == {reason: 1}


def test_minutes_have_no_spot(tmp_path: Path) -> None:
    row = files.chain_minutes_row(11_600.0, "2019-05-23 12:00:00")
    path = files.write_parquet(tmp_path / "c.parquet", [row])
    (found,) = stage(chain_minutes_2019, path, tmp_path).accepted("chain_snapshots")
    assert (found["underlying"], found["expiry"]) == ("NIFTY", date(2019, 5, 23))
    assert (found["spot_paise"], found["call_oi_contracts"]) == (None, 10.0)


def _reason(at: datetime) -> str | None:
    if not is_market_day(at.date()):
        return "NOT_A_MARKET_DAY"
    if at.date() == date(2018, 11, 7):  # Diwali: an hour in the evening
        return "OUTSIDE_SESSION"
    return None if time(9, 15) <= at.time() <= time(15, 30) else "OUTSIDE_SESSION"


@pytest.mark.parametrize(
    ("name", "underlying", "lot"),
    [
        ("nse_chain_2018_2019/nifty_chain_2018-10_2019-06.parquet", "NIFTY", 75),
        ("nse_chain_2018_2019/banknifty_chain_2018-10_2019-06.parquet", "BANKNIFTY", 20),
        ("nse_chain_election_2019-05-23/nifty_chain_2019-05-23.parquet", "NIFTY", 75),
    ],
)
def test_real_chains(
    sample_data: Path, tmp_path: Path, name: str, underlying: str, lot: int
) -> None:
    path = sample_data / name
    if not path.is_file():
        pytest.skip(f"no chains in {path}")
    minutes = "election" in name
    importer = chain_minutes_2019 if minutes else chain_2018
    oi = "c_oi" if minutes else "CallOI"
    bid = "p_bid" if minutes else "PutBidPrice"
    with duckdb.connect() as connection:
        rows = connection.execute(
            f"SELECT snapshot_ist, {oi}, {bid} FROM read_parquet($path)",  # noqa: S608
            {"path": str(path)},
        ).fetchall()
    staged = stage(importer, path, tmp_path)
    wanted = Counter(_reason(row[0]) for row in rows)
    taken = wanted.pop(None)
    assert staged.outcomes() == wanted
    accepted = staged.accepted("chain_snapshots")
    assert len(accepted) == taken
    assert {row["underlying"] for row in accepted} == {underlying}
    for row in accepted[::997]:
        at, open_interest, put_bid = rows[row["source_row"] - 1]
        assert row["as_of"] == at_ist(at.date(), at.hour, at.minute)
        assert row["put_bid_paise"] == (put_bid and round(put_bid * 100))
        contract = 40 if underlying == "BANKNIFTY" and at < datetime(2018, 10, 26) else lot  # noqa: DTZ001
        assert row["call_oi_contracts"] == (open_interest and open_interest / contract)


def test_real_chains_die_on_the_expiry_they_were_given(sample_data: Path, tmp_path: Path) -> None:
    """Near the close of each expiry day the straddle at the money is all but worthless, and the
    next morning's is not: evidence that the page showed the contracts the calendar says.
    """
    path = sample_data / "nse_chain_2018_2019" / "nifty_chain_2018-10_2019-06.parquet"
    if not path.is_file():
        pytest.skip(f"no chains in {path}")
    rows = stage(chain_2018, path, tmp_path).accepted("chain_snapshots")
    straddles: dict[int, tuple[int, int, date]] = {}
    for row in rows:
        if row["call_last_paise"] and row["put_last_paise"] and row["spot_paise"]:
            away = abs(row["strike_paise"] - row["spot_paise"])
            value = row["call_last_paise"] + row["put_last_paise"]
            best = straddles.get(row["as_of"], (10**9, 0, row["expiry"]))
            if away < best[0]:
                straddles[row["as_of"]] = (away, value, row["expiry"])
    last = [value for at, (_, value, expiry) in straddles.items() if at >= at_ist(expiry, 15, 15)]
    mornings = {expiry + timedelta(days=1) for _, _, expiry in straddles.values()}
    first = [
        value
        for at, (_, value, _) in straddles.items()
        if any(at_ist(day, 9, 15) <= at <= at_ist(day, 10) for day in mornings)
    ]
    assert len(last) > 20
    assert sorted(last)[len(last) // 2] < 20_00
    assert sorted(first)[len(first) // 2] > 100_00
