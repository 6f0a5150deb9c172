"""Days written as Parquet files, by one process or several: the same bytes either way."""

from __future__ import annotations

import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trading.market.categories import BY_NAME, columns_of
from trading.market.day_slots import days_held
from trading.market.store import Held, connect, file_digest, sql_text
from trading.market.synthetic.market import (
    GENERATOR_VERSION,
    SOURCE_NAME,
    MarketPlan,
    day_tables,
    market_history,
    parameters_digest,
)
from trading.market.synthetic.parameters import UNDERLYINGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    import duckdb

    from trading.market.synthetic.process import History
    from trading.market.synthetic.tables import Columns

_DAYS_A_TASK = 4


class WrittenTable(NamedTuple):
    """The rows of one category of a day: a file under a temporary name in the category's folder,
    flushed, with its SHA-256, the first and last as_of and available_at in µs UTC, and what it has
    of each date.
    """

    category: str
    path: Path
    digest: str
    rows: int
    as_of: tuple[int, int]
    available_at: tuple[int, int]
    held: Held


class WrittenDay(NamedTuple):
    """What was written of a day; for each underlying its snapshots, and how many of them were
    received before their own stamp.
    """

    day: date
    tables: tuple[WrittenTable, ...]
    snapshots: dict[str, tuple[int, int]]


def write_days(
    root: Path, plan: MarketPlan, days: Sequence[date], processes: int
) -> Iterator[WrittenDay]:
    """Make days, which ascend, and write their files under `root`; they are given in that order.

    Raises CalendarError for a day outside the calendar.
    """
    past = market_history(plan, days[-1])
    if processes == 1 or len(days) <= _DAYS_A_TASK:
        for day in days:
            yield _write_day(root, plan, past, day)
        return
    # A fresh interpreter each: a fork would copy locks that threads of this one may hold.
    with ProcessPoolExecutor(
        min(processes, len(days)),
        mp_context=get_context("spawn"),
        initializer=_begin,
        initargs=(root, plan, past),
    ) as pool:
        yield from pool.map(_write_one, days, chunksize=_DAYS_A_TASK)


_work: list[tuple[Path, MarketPlan, History]] = []


def _begin(root: Path, plan: MarketPlan, past: History) -> None:
    _work[:] = [(root, plan, past)]


def _write_one(day: date) -> WrittenDay:
    root, plan, past = _work[0]
    return _write_day(root, plan, past, day)


def _write_day(root: Path, plan: MarketPlan, past: History, day: date) -> WrittenDay:
    common = {
        "source_digest": f"'{parameters_digest(plan, day)}'",
        "synthetic": "true",
        "generator": f"'{SOURCE_NAME} {GENERATOR_VERSION}'",
        "seed": str(plan.seed),
        "mode": f"'{sql_text(plan.mode.text)}'",
    }
    with connect() as connection:
        tables = day_tables(plan, past, day)
        return WrittenDay(
            day,
            tuple(
                _write_table(connection, root, category, rows, common)
                for category, rows in sorted(tables.items())
            ),
            _snapshots(tables["chain_snapshots"]),
        )


def _snapshots(rows: Columns) -> dict[str, tuple[int, int]]:
    found = {}
    for underlying in UNDERLYINGS:
        own = rows["underlying"] == underlying
        at, first = np.unique(rows["as_of"][own], return_index=True)
        found[underlying] = (len(at), int((at > rows["available_at"][own][first]).sum()))
    return found


def _write_table(
    connection: duckdb.DuckDBPyConnection,
    root: Path,
    category: str,
    rows: Columns,
    common: dict[str, str],
) -> WrittenTable:
    folder = root / category
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".writing-", suffix=".parquet", dir=folder)
    os.close(handle)
    columns = ", ".join(
        f'CAST({_source(column, rows, common)} AS {kind}) AS "{column}"'
        for column, kind in columns_of(category).items()
    )
    order = BY_NAME[category].order
    connection.register("generated", rows)
    query = f"SELECT {columns} FROM generated ORDER BY {order}"  # noqa: S608 - names of our own
    connection.execute(f"COPY ({query}) TO '{sql_text(name)}' (FORMAT parquet, COMPRESSION zstd)")
    held = days_held(connection, category, "generated")
    connection.unregister("generated")
    path = Path(name)
    _flush(path)
    as_of, available_at = rows["as_of"], rows["available_at"]
    return WrittenTable(
        category,
        path,
        file_digest(path),
        len(as_of),
        (int(as_of.min()), int(as_of.max())),
        (int(available_at.min()), int(available_at.max())),
        held,
    )


def _source(column: str, rows: Columns, common: dict[str, str]) -> str:
    if column in rows:
        return f'"{column}"'
    return common.get(column, "NULL")


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
