"""Chains of the exchange's API, as JSON and as legs in a CSV."""

from __future__ import annotations

import ast
import csv
import json
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from tests.trading.market.importers import exchange_files as files
from tests.trading.market.importers.exchange_files import api_text, datum, leg
from tests.trading.market.importers.independent import at_ist
from tests.trading.market.importers.staging import stage
from trading.market.importers import ImportRefusedError, api_option_chain

if TYPE_CHECKING:
    from pathlib import Path

    from tests.trading.market.importers.staging import Staged

STAMP = at_ist(date(2026, 2, 6), 11, 30)


def _json(tmp_path: Path, data: list[dict[str, Any]], known_at_us: int | None = None) -> Staged:
    path = files.API_JSON.write(tmp_path, api_text(data))
    return stage(api_option_chain, path, tmp_path, known_at_us=known_at_us)


def test_a_strike_of_the_json(tmp_path: Path) -> None:
    path = files.API_JSON.write(tmp_path)
    both, put_only = stage(api_option_chain, path, tmp_path).accepted("chain_snapshots")
    assert both == {
        "as_of": STAMP,
        "available_at": STAMP + 139_000_000,  # the longest delay measured
        "exchange_stamp": STAMP,
        "collection_stamp": None,
        "underlying": "NIFTY",
        "expiry": date(2026, 3, 30),
        "strike_paise": 25_000_00,
        "call_bid_paise": 1_099_95,
        "call_ask_paise": 1_101_20,
        "call_bid_quantity": 130,
        "call_ask_quantity": 65,
        "call_last_paise": 1_100_05,
        "call_oi_contracts": 13.666666666666666,
        "call_volume_contracts": 21,
        "put_bid_paise": None,  # zero is no quote
        "put_ask_paise": 1_101_20,
        "put_bid_quantity": None,
        "put_ask_quantity": 65,
        "put_last_paise": 1_100_05,
        "put_oi_contracts": 13.666666666666666,
        "put_volume_contracts": 21,
        "spot_paise": 25_700_15,
        "source_row": 1,
        "outcome": None,
        "raw": None,
    }
    assert (put_only["call_bid_paise"], put_only["spot_paise"]) == (None, 25_700_15)


def test_a_receipt_the_user_knows_is_the_knowledge_time(tmp_path: Path) -> None:
    known = STAMP + 71_000_000
    (row,) = _json(tmp_path, [datum(25000, CE=leg("CE", 25000))], known).accepted("chain_snapshots")
    assert (row["as_of"], row["available_at"], row["collection_stamp"]) == (STAMP, known, known)
    with pytest.raises(ImportRefusedError, match="--known-at is before the file's own time"):
        _json(tmp_path, [datum(25000, CE=leg("CE", 25000))], STAMP - 1)


def test_json_without_a_time_is_refused(tmp_path: Path) -> None:
    path = files.API_JSON.write(tmp_path, api_text([datum(25000, CE=leg("CE", 25000))], None))
    with pytest.raises(ImportRefusedError, match="no time or no data in its records"):
        stage(api_option_chain, path, tmp_path)


def test_legs_say_the_same_but_for_the_time(tmp_path: Path) -> None:
    path = files.API_LEGS.write(tmp_path)
    staged = stage(api_option_chain, path, tmp_path, known_at_us=files.KNOWN_AT_US)
    both, put_only = staged.accepted("chain_snapshots")
    assert both["as_of"] == at_ist(date(2026, 2, 6), 15, 30)
    assert (both["available_at"], both["exchange_stamp"]) == (files.KNOWN_AT_US, None)
    assert (both["call_oi_contracts"], both["put_bid_paise"]) == (13.666666666666666, 1_099_95)
    assert (put_only["call_last_paise"], put_only["put_last_paise"]) == (None, 1_100_05)
    with pytest.raises(ImportRefusedError, match=r"says no time; give .* with --known-at$"):
        stage(api_option_chain, path, tmp_path)


def test_missing_words_of_python_are_missing_values(tmp_path: Path) -> None:
    call = leg("CE", 25000, impliedVolatility=None, lastPrice=float("nan"))
    text = f'strikePrice,expiryDate,PE,CE\n25000,30-Mar-2026,,"{call}"\n'
    path = files.API_LEGS.write(tmp_path, text)
    staged = stage(api_option_chain, path, tmp_path, known_at_us=files.KNOWN_AT_US)
    (row,) = staged.accepted("chain_snapshots")
    assert (row["call_last_paise"], row["call_bid_paise"]) == (None, 1_099_95)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (datum(25000), "NO_LEGS"),
        (datum(25000, CE=leg("CE", 25000, underlying="")), "BAD_UNDERLYING"),
        (
            datum(25000, CE=leg("CE", 25000), PE=leg("PE", 25000, underlying="BANKNIFTY")),
            "BAD_UNDERLYING",
        ),
        (datum(25000, CE=leg("CE", 25000, expiryDate="07-Apr-2026")), "BAD_EXPIRY"),
        (
            datum(25000, CE=leg("CE", 25000, expiryDate="03-Feb-2026"))
            | {"expiryDate": "03-Feb-2026"},
            "EXPIRED",
        ),
        (datum(25000, CE=leg("CE", 25050)), "BAD_STRIKE"),
        (datum(0, CE=leg("CE", 0)), "BAD_STRIKE"),
        (datum(25000, CE=leg("CE", 25000, bidprice="n/a")), "NOT_A_NUMBER"),
        (datum(25000, CE=leg("CE", 25000, askPrice=-1)), "NEGATIVE"),
        (datum(25000, CE=leg("CE", 25000, lastPrice=1.234)), "NOT_A_PAISA"),
        (datum(25000, CE=leg("CE", 25000, bidQty=1.5)), "NOT_WHOLE"),
    ],
)
def test_a_bad_strike_is_refused(tmp_path: Path, row: dict[str, Any], reason: str) -> None:
    staged = _json(tmp_path, [datum(26000, PE=leg("PE", 26000)), row])
    assert staged.outcomes() == {reason: 1}
    (refused,) = (r for r in staged.rows["chain_snapshots"] if r["outcome"])
    assert json.loads(refused["raw"])["strikePrice"] == str(row["strikePrice"])


def test_a_leg_that_is_no_dictionary_breaks_its_row(tmp_path: Path) -> None:
    text = files.API_LEGS.text.replace("'openInterest': 13.666666666666666", "'openInterest'", 1)
    path = files.API_LEGS.write(tmp_path, text)
    staged = stage(api_option_chain, path, tmp_path, known_at_us=files.KNOWN_AT_US)
    assert staged.outcomes() == {"BROKEN_ROW": 1}


@pytest.mark.parametrize("underlying", ["NIFTY", "BANKNIFTY"])
def test_real_legs(sample_data: Path, tmp_path: Path, underlying: str) -> None:
    path = sample_data / "nse_api_json_2025-07-21" / f"{underlying}_2025-07-21.csv"
    if not path.is_file():
        pytest.skip(f"no legs in {path}")
    known = at_ist(date(2025, 7, 21), 16)
    staged = stage(api_option_chain, path, tmp_path, known_at_us=known)
    assert staged.outcomes() == {}
    ours = {row["source_row"]: row for row in staged.accepted("chain_snapshots")}
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(ours) == len(rows) == {"NIFTY": 743, "BANKNIFTY": 435}[underlying]
    for line, row in enumerate(rows, start=2):
        for side, name in (("call", "CE"), ("put", "PE")):
            values = ast.literal_eval(row[name]) if row[name] else {}
            here = ours[line]
            assert here[f"{side}_oi_contracts"] == (values.get("openInterest") or None)
            assert here[f"{side}_bid_quantity"] == (values.get("bidQty") or None)
            bid = values.get("bidprice")
            assert here[f"{side}_bid_paise"] == (round(bid * 100) if bid else None)
    assert {row["underlying"] for row in ours.values()} == {underlying}
