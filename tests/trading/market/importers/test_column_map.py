"""What can be wrong in a column map gives one clear line; units and gaps are read as it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

from tests.trading.market.importers.staging import read_head, stage
from tests.trading.market.importers.vendor_files import write_csv
from trading.market.importers import ImportRefusedError
from trading.market.importers.column_map import read_map
from trading.market.importers.mapped import MappedImporter, built_in

if TYPE_CHECKING:
    from pathlib import Path

MAP = """
format = "brahmastra-column-map-1"
name = "my_chain"
title = "a chain of mine"
source = "mine"

[file]
header = ["time", "strike", "bid", "oi", "volume", "spot"]
missing = ["-"]

[[rows]]
category = "chain_snapshots"

[rows.columns]
underlying = { value = "NIFTY" }
as_of = { column = "time" }
strike_paise = { column = "strike", unit = "thousandths" }
call_bid_paise = { column = "bid", unit = "rupees" }
call_oi_contracts = { column = "oi", unit = "units", lot = 75, suffixes = true }
call_volume_contracts = { column = "volume", unit = "units", lot = 75 }
spot_paise = { column = "spot", unit = "points", round = true }
"""
HEADER = ("time", "strike", "bid", "oi", "volume", "spot")


def write_map(folder: Path, text: str) -> Path:
    path = folder / "map.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            '"chain_snapshots"',
            '"chains"',
            r"category 'chains' is unknown, expected one of spot_bars",
        ),
        (
            'column = "bid"',
            'column = "Bid"',
            r"column 'Bid' is not in header, which has time, strike",
        ),
        (', unit = "rupees"', "", r"call_bid_paise .*has no unit, expected one of rupees, dollars"),
        ('"rupees"', '"yen"', r"call_bid_paise .*has the unit 'yen', expected one of rupees"),
        ("call_bid_paise", "call_price", r"column call_price of chain_snapshots is unknown"),
        (", lot = 75, suffixes = true", "", r"is given in units, expected lot = "),
        ('as_of = { column = "time" }\n', "", r"has no as_of, expected the column that says when"),
        (
            'underlying = { value = "NIFTY" }\n',
            "",
            r"has no underlying, expected a column, a value",
        ),
        ("brahmastra-column-map-1", "csv", r"no column map, expected format ="),
        ("[[rows]]", "[rows", r"not a column map in TOML: "),
        ('name = "my_chain"', 'name = "My Chain"', r"name 'My Chain', expected small letters"),
        ('column = "bid"', 'column = "bid", colour = 1', r"'colour' is unknown, expected at, "),
        ('value = "NIFTY"', 'value = "NIFTY", column = "bid"', r"has 2 sources, expected one of"),
        ('column = "time"', 'column = "time", pattern = "("', r"is no regular expression"),
        ('column = "time"', 'column = "time", pattern = "a"', r"has 0 groups, expected one"),
        ('column = "time"', 'column = "time", unit = "hours"', r"unit is 'hours', expected one of"),
    ],
)
def test_a_bad_map_gives_one_line_with_its_place(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in MAP
    path = write_map(tmp_path, MAP.replace(old, new, 1))
    with pytest.raises(ImportRefusedError, match=message) as refused:
        read_map(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert "\n" not in str(refused.value)


def test_a_map_that_is_not_there_gives_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        ImportRefusedError, match=r"absent\.toml: not a column map in TOML: No such"
    ):
        read_map(tmp_path / "absent.toml")


def test_numbers_are_read_in_their_units_and_exactly(tmp_path: Path) -> None:
    importer = MappedImporter(read_map(write_map(tmp_path, MAP)))
    rows = [
        ("2026-01-05 10:00:00", 24500000, "100.05", "1.5K", 150, "24501.2378"),
        ("2026-01-05 10:00:00", 24550000, "0.00", "-", "-", "24501.2378"),
    ]
    first, second = stage(importer, write_csv(tmp_path / "a.csv", HEADER, rows), tmp_path).accepted(
        "chain_snapshots"
    )
    assert (first["strike_paise"], first["call_bid_paise"], first["spot_paise"]) == (
        2_450_000,
        10_005,
        2_450_124,
    )
    assert (first["call_oi_contracts"], first["call_volume_contracts"]) == (20.0, 2)
    assert second["call_bid_paise"] is second["call_oi_contracts"] is None
    assert second["call_volume_contracts"] is None


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("bid", "100.005", "NOT_A_PAISA"),
        ("bid", "abc", "NOT_A_NUMBER"),
        ("bid", "-1", "NEGATIVE"),
        ("bid", "1e15", "TOO_LARGE"),
        ("bid", "0.30000000000000004", "NOT_A_PAISA"),
        ("volume", "151", "NOT_WHOLE"),
        ("strike", "", "BAD_STRIKE"),
        ("time", "noon", "BAD_STAMP"),
        ("oi", "5X", "NOT_A_NUMBER"),
    ],
)
def test_a_value_that_is_none_is_refused_and_kept_as_it_was(
    tmp_path: Path, column: str, value: str, reason: str
) -> None:
    importer = MappedImporter(read_map(write_map(tmp_path, MAP)))
    row = dict(zip(HEADER, ("2026-01-05 10:00:00", "24500000", "1", "75", "75", "1"), strict=True))
    path = write_csv(tmp_path / "a.csv", HEADER, [{**row, column: value}.values(), row.values()])
    staged = stage(importer, path, tmp_path)
    (refused,) = (one for one in staged.rows["chain_snapshots"] if one["outcome"])
    assert (refused["outcome"], refused["source_row"]) == (reason, 2)
    assert f'"{column}":"{value}"' in refused["raw"]
    assert len(staged.accepted("chain_snapshots")) == 1


def test_a_row_cut_short_is_refused(tmp_path: Path) -> None:
    importer = MappedImporter(read_map(write_map(tmp_path, MAP)))
    path = tmp_path / "a.csv"
    path.write_text(",".join(HEADER) + "\n2026-01-05 10:00:00,245", encoding="utf-8")
    assert stage(importer, path, tmp_path).outcomes() == {"BROKEN_ROW": 1}


def test_parquet_is_read_by_a_map_too(tmp_path: Path) -> None:
    text = MAP.replace("header =", 'kind = "parquet"\nheader =')
    importer = MappedImporter(read_map(write_map(tmp_path, text)))
    path = tmp_path / "a.parquet"
    duckdb.execute(
        f"""COPY (SELECT '2026-01-05 10:00:00' AS time, 24500000 AS strike, 0.1 AS bid, '75' AS oi,
        NULL AS volume, 24500.5 AS spot) TO '{path}' (FORMAT parquet)"""
    )
    (row,) = stage(importer, path, tmp_path).accepted("chain_snapshots")
    assert (row["call_bid_paise"], row["call_oi_contracts"]) == (10, 1.0)


def test_built_in_maps_are_told_apart_by_their_headers(tmp_path: Path) -> None:
    assert len({one.NAME for one in built_in()}) == len(built_in()) >= 13
    for importer in built_in():
        if importer.map.kind != "csv" or importer.map.header_line != 1:
            continue
        path = write_csv(tmp_path / "a.csv", importer.map.header, [])
        found = [one.NAME for one in built_in() if one.recognises(read_head(path))]
        assert found == [importer.NAME]
