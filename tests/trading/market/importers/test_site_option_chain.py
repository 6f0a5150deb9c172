"""Chains downloaded from the exchange's site: columns by place, and a time only the user knows."""

from __future__ import annotations

import csv
from datetime import date
from typing import TYPE_CHECKING

import pytest

from tests.trading.market.importers import exchange_files as files
from tests.trading.market.importers.independent import at_ist, paise
from tests.trading.market.importers.staging import stage
from trading.market.importers import ImportRefusedError, site_option_chain

if TYPE_CHECKING:
    from pathlib import Path

    from tests.trading.market.importers.staging import Staged

SATURDAY = at_ist(date(2026, 2, 7), 12)
FRIDAY_CLOSE = at_ist(date(2026, 2, 6), 15, 30)


def _staged(tmp_path: Path, text: str, known_at_us: int = SATURDAY) -> Staged:
    path = files.SITE_CHAIN.write(tmp_path, text)
    return stage(site_option_chain, path, tmp_path, known_at_us=known_at_us)


def test_columns_go_by_their_place(tmp_path: Path) -> None:
    row, empty = _staged(tmp_path, files.SITE_CHAIN.text).accepted("chain_snapshots")
    assert row == {
        "as_of": FRIDAY_CLOSE,
        "available_at": SATURDAY,
        "exchange_stamp": None,
        "collection_stamp": SATURDAY,
        "underlying": "NIFTY",
        "expiry": date(2026, 3, 30),
        "strike_paise": 25_000_00,
        "call_bid_paise": 1_099_95,
        "call_ask_paise": 1_101_20,
        "call_bid_quantity": 1_300,
        "call_ask_quantity": 65,
        "call_last_paise": 1_100_05,
        "call_oi_contracts": 205_721.0,
        "call_volume_contracts": 1_234,
        "put_bid_paise": 20_10,
        "put_ask_paise": 20_95,
        "put_bid_quantity": 130,
        "put_ask_quantity": 195,
        "put_last_paise": 20_55,
        "put_oi_contracts": 1.0,
        "put_volume_contracts": 1,
        "spot_paise": None,
        "source_row": 3,
        "outcome": None,
        "raw": None,
    }
    assert empty["strike_paise"] == 26_000_00
    assert {v for name, v in empty.items() if name.startswith(("call_", "put_"))} == {None}


def test_without_a_time_it_is_refused(tmp_path: Path) -> None:
    path = files.SITE_CHAIN.write(tmp_path)
    with pytest.raises(ImportRefusedError, match=r"says no time; give .* with --known-at$"):
        stage(site_option_chain, path, tmp_path)


@pytest.mark.parametrize(
    ("known_at_us", "as_of"),
    [
        (at_ist(date(2026, 2, 6), 11), at_ist(date(2026, 2, 6), 11)),  # in the session
        (at_ist(date(2026, 2, 6), 18), FRIDAY_CLOSE),  # after it
        (at_ist(date(2026, 2, 9), 9), FRIDAY_CLOSE),  # before Monday's
    ],
)
def test_it_was_true_when_the_market_was_last_open(
    tmp_path: Path, known_at_us: int, as_of: int
) -> None:
    row, _ = _staged(tmp_path, files.SITE_CHAIN.text, known_at_us).accepted("chain_snapshots")
    assert (row["as_of"], row["available_at"]) == (as_of, known_at_us)


def test_a_time_outside_the_calendar_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportRefusedError, match="no session before the time of --known-at"):
        _staged(tmp_path, files.SITE_CHAIN.text, at_ist(date(2031, 2, 6), 11))


def test_one_side_alone(tmp_path: Path) -> None:
    path = files.SITE_CALLS.write(tmp_path)
    (calls,) = stage(site_option_chain, path, tmp_path, known_at_us=SATURDAY).accepted(
        "chain_snapshots"
    )
    assert (calls["call_bid_paise"], calls["put_bid_paise"]) == (1_099_95, None)
    path = files.SITE_PUTS.write(tmp_path)
    (puts,) = stage(site_option_chain, path, tmp_path, known_at_us=SATURDAY).accepted(
        "chain_snapshots"
    )
    assert (puts["call_bid_paise"], puts["put_bid_paise"], puts["put_oi_contracts"]) == (
        None, 20_10, 7.0,
    )  # fmt: skip


def test_the_older_page_with_line_breaks_in_cells_and_charts_at_the_ends(tmp_path: Path) -> None:
    header = (
        'Chart,OI,"Chng\n in OI",Volume,IV,LTP,Net Chng,Bid Qty,"Bid\nPrice",Ask Price,Ask Qty,'
        "Strike Price,Bid Qty,Bid Price,Ask Price,Ask Qty,Net Chng,LTP,IV,Volume,Chng in OI,OI,"
        "Chart"
    )
    row = '"\n\t",7,-,3,-,"\n1,100.05\t",-,65,1099.95,1101.2,65,25000.00,-,-,-,-,-,-,-,-,-,-,"\n"'
    path = tmp_path / files.SITE_CHAIN.name
    path.write_bytes(f"{header}\n{row}\n\xa0,and so on".encode("latin-1"))
    staged = stage(site_option_chain, path, tmp_path, known_at_us=SATURDAY)
    (found,) = staged.accepted("chain_snapshots")
    assert (found["call_last_paise"], found["call_oi_contracts"]) == (1_100_05, 7.0)
    assert staged.outcomes() == {"BROKEN_ROW": 1}


@pytest.mark.parametrize(
    "name", ["chain.csv", "option-chain-ED-NIFTY.csv", "option-chain-ED-NIFTY-31-Foo-2026.csv"]
)
def test_a_name_that_tells_no_contract_is_refused(tmp_path: Path, name: str) -> None:
    path = files.SITE_CHAIN.write(tmp_path).rename(tmp_path / name)
    with pytest.raises(ImportRefusedError, match="no column says underlying and expiry"):
        stage(site_option_chain, path, tmp_path, known_at_us=SATURDAY)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("option-chain-ED-NIFTY-31-Mar-2026.csv", "no expiry of NIFTY still to come"),  # moved
        ("option-chain-ED-NIFTY-03-Feb-2026.csv", "no expiry of NIFTY still to come"),  # over
        ("option-chain-ED-BANKNIFTY-30-Mar-2026.csv", "not of whole lots of 30"),
    ],
)
def test_a_name_that_lies_is_refused(tmp_path: Path, name: str, complaint: str) -> None:
    path = files.SITE_CHAIN.write(tmp_path).rename(tmp_path / name)
    with pytest.raises(ImportRefusedError, match=complaint):
        stage(site_option_chain, path, tmp_path, known_at_us=SATURDAY)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"25,000.00"', "-", "BAD_STRIKE"),
        ("20.10", "20.1O", "NOT_A_NUMBER"),
        ("20.10", "20.105", "NOT_A_PAISA"),
        ("20.10", "-20.10", "NEGATIVE"),
    ],
)
def test_a_bad_row_is_refused(tmp_path: Path, old: str, new: str, reason: str) -> None:
    staged = _staged(tmp_path, files.SITE_CHAIN.text.replace(old, new, 1))
    assert staged.outcomes() == {reason: 1}


def _independent(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.reader(stream))
    return rows[2:] if rows[0][0] == "CALLS" else rows[1:]


def test_real_downloads(sample_data: Path, tmp_path: Path) -> None:
    root = sample_data / "nse_site_option_chain"
    times = {
        "2024-06": at_ist(date(2024, 6, 22), 12),
        "2026-02-07": SATURDAY,
        "2026-02-14": at_ist(date(2026, 2, 14), 12),
    }
    paths = sorted(root.glob("*/*.csv"))
    if not paths:
        pytest.skip(f"no downloaded chains in {root}")
    total = 0
    for path in paths:
        known = times[path.parent.name]
        staged = stage(site_option_chain, path, tmp_path, known_at_us=known)
        assert staged.outcomes() == {}
        ours = staged.accepted("chain_snapshots")
        rows = _independent(path)
        strike = {"Calls": 10, "Puts": 0}.get(path.name.split("_")[0], 11)
        assert [row["strike_paise"] for row in ours] == [paise(row[strike]) for row in rows]
        if strike == 11:
            assert [row["call_ask_paise"] for row in ours] == [paise(row[9]) for row in rows]
            assert [row["put_bid_paise"] for row in ours] == [paise(row[13]) for row in rows]
            assert [row["put_last_paise"] for row in ours] == [paise(row[17]) for row in rows]
        total += len(ours)
    assert (len(paths), total) == (21, 1591)
