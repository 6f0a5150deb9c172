"""Collector files of a few made-up rows, as the real ones are laid out."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Protocol

import duckdb
import pytest

REPOSITORY = Path(__file__).parents[3]
LEG_TYPES = {
    "OI": "DOUBLE",
    "Chng_in_OI": "DOUBLE",
    "Volume": "BIGINT",
    "IV": "DOUBLE",
    "LTP": "DOUBLE",
    "Net_Chng": "DOUBLE",
    "Bid_Qty": "BIGINT",
    "Bid_Price": "DOUBLE",
    "Ask_Price": "DOUBLE",
    "Ask_Qty": "BIGINT",
}
TYPES = {
    "Fetch_Time": "VARCHAR",
    "Symbol": "VARCHAR",
    "Expiry_Date": "VARCHAR",
    **{f"CALLS_{name}": kind for name, kind in LEG_TYPES.items()},
    "Strike_Price": "BIGINT",
    **{f"PUTS_{name}": kind for name, kind in LEG_TYPES.items()},
    "collection_timestamp": "VARCHAR",
}
MIDS = {24_400: (220.0, 20.0), 24_500: (140.0, 40.0), 24_600: (80.0, 80.0), 24_700: (40.0, 140.0)}


class WriteFile(Protocol):
    """Writes rows as a collector's Parquet file."""

    def __call__(self, name: str, rows: list[dict[str, Any]], **types: str | None) -> Path: ...


def row(strike: int, **changes: Any) -> dict[str, Any]:
    """One row of a snapshot whose forward is 24,600: quoted on both sides, everything positive."""
    values: dict[str, Any] = {
        "Fetch_Time": "29-Aug-2025 10:00:00",
        "Symbol": "NIFTY",
        "Expiry_Date": "02-Sep-2025",
        "Strike_Price": strike,
        "collection_timestamp": "20250829_100110",
    }
    for side, mid in zip(("CALLS", "PUTS"), MIDS.get(strike, (50.0, 50.0)), strict=True):
        values |= {
            f"{side}_OI": 1200.0,
            f"{side}_Chng_in_OI": 5.0,
            f"{side}_Volume": 340,
            f"{side}_IV": 9.5,
            f"{side}_LTP": mid + 0.05,
            f"{side}_Net_Chng": 0.1,
            f"{side}_Bid_Qty": 150,
            f"{side}_Bid_Price": mid - 0.1,
            f"{side}_Ask_Price": mid + 0.1,
            f"{side}_Ask_Qty": 75,
        }
        for price in ("LTP", "Bid_Price", "Ask_Price"):
            values[f"{side}_{price}"] = round(values[f"{side}_{price}"], 2)
    return values | changes


def snapshot(**changes: Any) -> list[dict[str, Any]]:
    """The rows of one snapshot."""
    return [row(strike, **changes) for strike in MIDS]


@pytest.fixture(scope="session")
def facts() -> dict[str, Any]:
    """The compiled facts: `BRAHMASTRA_FACTS`, else `../shared/facts` of the repository."""
    named = os.environ.get("BRAHMASTRA_FACTS")
    path = Path(named) if named else REPOSITORY.parent / "shared" / "facts" / "india_facts.json"
    if not path.is_file():
        pytest.skip(f"no compiled facts in {path}: set BRAHMASTRA_FACTS")
    read: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return read


@pytest.fixture
def write_file(tmp_path: Path) -> WriteFile:
    """Write a collector file; a keyword gives a column another type, or leaves it out (None)."""

    def write(name: str, rows: list[dict[str, Any]], **types: str | None) -> Path:
        path = tmp_path / "incoming" / name
        path.parent.mkdir(exist_ok=True)
        columns = {n: t for n, t in {**TYPES, **types}.items() if t is not None}
        with duckdb.connect() as connection:
            described = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
            connection.execute(f"CREATE TABLE t ({described})")
            for values in rows:
                marks = ", ".join("?" * len(columns))
                connection.execute(
                    f"INSERT INTO t VALUES ({marks})",  # noqa: S608 - question marks
                    [values[name] for name in columns],
                )
            connection.execute(f"COPY t TO '{path}' (FORMAT parquet)")
        return path

    return write
