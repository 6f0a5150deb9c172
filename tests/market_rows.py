"""Rows of any category put into a market store as if an importer had brought them."""

from __future__ import annotations

from datetime import date, datetime, time
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec

from trading.market.calendar import instant_us
from trading.market.categories import columns_of
from trading.market.day_slots import days_held
from trading.market.store import CategoryFile, Import, MarketStore, StoredSource, connect

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MINUTE_US = 60_000_000
CLEAN_QUANTITY = 150


def at(day: date, clock: str) -> int:
    """µs UTC of an IST time of day, `HH:MM` or `HH:MM:SS`."""
    return instant_us(day, time.fromisoformat(clock))


def store_rows(
    root: Path,
    category: str,
    rows: Sequence[dict[str, Any]],
    *,
    name: str = "test-feed",
    cadence_us: int = MINUTE_US,
    synthetic: bool = False,
) -> str:
    """Put rows into the store as one source; return its digest. What a row leaves out is null."""
    digest = sha256(msgspec.json.encode([category, name, [str(row) for row in rows]])).hexdigest()
    columns = columns_of(category)
    with MarketStore(root).exclusive() as catalogue, connect() as connection:
        described = ", ".join(f'"{column}" {kind}' for column, kind in columns.items())
        connection.execute(f"CREATE TABLE t ({described})")
        marks = ", ".join("?" * len(columns))
        common = {"source_digest": digest, "synthetic": synthetic}
        connection.executemany(
            f"INSERT INTO t VALUES ({marks})",  # noqa: S608 - question marks
            [[(common | row).get(column) for column in columns] for row in rows],
        )
        store = MarketStore(root)
        stored = store.write_table(
            connection, "SELECT * FROM t ORDER BY available_at, rowid", category
        )
        held = days_held(connection, category, "t")
        store.publish(
            catalogue, [_import(category, stored, rows, held, name, digest, cadence_us, synthetic)]
        )
    return digest


def _import(
    category: str,
    stored: Any,
    rows: Sequence[dict[str, Any]],
    held: Any,
    name: str,
    digest: str,
    cadence_us: int,
    synthetic: bool,  # noqa: FBT001 - passed on
) -> Import:
    file = CategoryFile(
        category=category,
        accepted=stored,
        ranges={
            stamp: (min(row[stamp] for row in rows), max(row[stamp] for row in rows))
            for stamp in ("as_of", "available_at")
        },
        held=held,
    )
    return Import(
        source=StoredSource(name=name, file=name, digest=digest, synthetic=synthetic),
        importer="test",
        importer_version=1,
        cadence_us=cadence_us,
        files=(file,),
        rejected=None,
        counts={"read": len(rows), "accepted": len(rows), "rejected": {}, "dropped": {}},
    )


def chain_rows(
    as_of: int,
    *,
    available_at: int | None = None,
    underlying: str = "NIFTY",
    forward: int = 25_000_00,
    expiry: str = "2026-03-02",
    strikes_each_side: int = 10,
    step: int = 50_00,
    spot: int | None = None,
    nudge: int = 0,
    changes: dict[int, dict[str, Any]] | None = None,
    without: Sequence[int] = (),
) -> list[dict[str, Any]]:
    """A snapshot whose parity forward is `forward` at every strike, quoted on both sides. `changes`
    overwrites columns of a strike (counted from the money), `without` leaves strikes out, `nudge`
    moves every quote by some paise.
    """
    middle = round(forward / step) * step
    rows = []
    for offset in range(-strikes_each_side, strikes_each_side + 1):
        if offset in without:
            continue
        strike = middle + offset * step
        value = max(20_00, 120_00 - 8_00 * abs(offset)) + nudge
        mids = (value + max(0, forward - strike), value + max(0, strike - forward))
        row: dict[str, Any] = {
            "as_of": as_of,
            "available_at": as_of if available_at is None else available_at,
            "underlying": underlying,
            "expiry": datetime.fromisoformat(expiry).date(),
            "strike_paise": strike,
            "spot_paise": spot,
        }
        for side, mid in zip(("call", "put"), mids, strict=True):
            row |= {
                f"{side}_bid_paise": mid - 10,
                f"{side}_ask_paise": mid + 10,
                f"{side}_bid_quantity": CLEAN_QUANTITY,
                f"{side}_ask_quantity": CLEAN_QUANTITY,
                f"{side}_last_paise": mid,
                f"{side}_oi_contracts": 1200.0,
                f"{side}_volume_contracts": 340,
            }
        rows.append(row | (changes or {}).get(offset, {}))
    return rows


def bar_rows(
    closes: dict[int, int], *, underlying: str = "NIFTY", interval: str = "1m", **columns: Any
) -> list[dict[str, Any]]:
    """Bars by the µs UTC of their end, each with its close in paise."""
    width = {"1m": MINUTE_US, "5m": 5 * MINUTE_US}[interval]
    return [
        {
            "as_of": end,
            "available_at": end,
            "underlying": underlying,
            "interval": interval,
            "interval_us": width,
            **dict.fromkeys(("open_paise", "high_paise", "low_paise", "close_paise"), close),
            **columns,
        }
        for end, close in closes.items()
    ]


def record_rows(
    trade_date: date,
    *,
    known: date,
    forward: int = 25_000_00,
    expiry: date = date(2026, 3, 10),
    level: int = 120_00,
    underlying: str = "NIFTY",
    without_volume: Sequence[int] = (),
    **columns: Any,
) -> list[dict[str, Any]]:
    """An end-of-day record of one expiry whose closes have the parity forward `forward`."""
    rows = []
    for offset in range(-10, 11):
        strike = forward + offset * 50_00
        value = max(20_00, level - 8_00 * abs(offset))
        for right, close in (
            ("CE", value + max(0, forward - strike)),
            ("PE", value + max(0, strike - forward)),
        ):
            rows.append(
                {
                    "as_of": at(trade_date, "15:30"),
                    "available_at": at(known, "09:00"),
                    "trade_date": trade_date,
                    "underlying": underlying,
                    "expiry": expiry,
                    "strike_paise": strike,
                    "right": right,
                    "instrument": "IDO",
                    "close_paise": close,
                    "underlying_paise": forward - 20_00,
                    "settlement_paise": close,
                    "settles_index": trade_date == expiry,
                    "open_interest": 65 * 100,
                    "volume_contracts": 0 if offset in without_volume else 50,
                    "lot_size": 65,
                    **columns,
                }
            )
    return rows
