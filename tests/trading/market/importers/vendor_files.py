"""Small files of every form vendors give, with invented rows; and the real ones, where they are."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from trading.market.importers.mapped import MappedImporter, built_in

if TYPE_CHECKING:
    from collections.abc import Iterable

REPOSITORY = Path(__file__).parents[4]


def sample(*parts: str) -> Path:
    """A file of the real data; the test is skipped where it is absent."""
    named = os.environ.get("BRAHMASTRA_SAMPLE_DATA")
    root = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    path = root.joinpath(*parts)
    if not path.is_file():
        pytest.skip(f"no real data in {root}: set BRAHMASTRA_SAMPLE_DATA")
    return path


def mapped(name: str) -> MappedImporter:
    """The built-in importer of a column map."""
    return next(one for one in built_in() if name == one.NAME)


def write_csv(path: Path, header: Iterable[str], rows: Iterable[Iterable[Any]]) -> Path:
    lines = [",".join(header), *(",".join(str(value) for value in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_json(path: Path, whole: Any) -> Path:
    path.write_text(json.dumps(whole), encoding="utf-8")
    return path


def tick(stamp: str, **changes: Any) -> dict[str, Any]:
    """A full-mode tick of an invented contract."""
    level = {"quantity": 25, "price": 100.05, "orders": 1}
    return {
        "tradable": True,
        "mode": "full",
        "instrument_token": 777,
        "last_price": 100.1,
        "last_quantity": 25,
        "average_price": 99.123456,
        "volume": 50,
        "buy_quantity": 10,
        "sell_quantity": 20,
        "ohlc": {"open": 0.0, "high": 101.0, "low": 99.0, "close": 98.0},
        "change": 1.5,
        "last_trade_time": stamp,
        "oi": 500,
        "oi_day_high": 0,
        "oi_day_low": 0,
        "timestamp": stamp,
        "depth": {
            "buy": [level, *[{"quantity": 0, "price": 0.0, "orders": 0}] * 4],
            "sell": [{**level, "price": 100.15}] * 5,
        },
        **changes,
    }


def trade(received_ns: int, at_ms: int, number: int, *, maker: bool) -> str:
    data = {"e": "trade", "E": at_ms, "s": "COINUSD", "t": number, "p": "61.50000000", "q": "0.25"}
    message = {"stream": "coinusd@trade", "data": {**data, "T": at_ms, "m": maker}}
    return f"{received_ns} {json.dumps(message, separators=(',', ':'))}"
