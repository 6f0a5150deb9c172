"""What an import of the exchange's end-of-day files costs."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from brahmastra_site.bench.bhavcopies import (
    INDEX_ROWS,
    MARKET_ROWS,
    write_index_days,
    write_market_day,
)
from brahmastra_site.bench.figure import Figure
from brahmastra_site.bench.ground import cpu_seconds
from trading.market.services import market_import
from trading.market.store import connect, sql_text

if TYPE_CHECKING:
    from brahmastra_site.bench.ground import Ground

_INDEX_FILES = 40
_MARKET_BAR_SECONDS, _INDEX_BAR_SECONDS = 1.5, 9.0


def importing_a_market_day(ground: Ground) -> Figure:
    """Import a day of the whole market into an empty store; the floor has DuckDB read the same
    file, bare.
    """
    with TemporaryDirectory(dir=ground.var_dir) as name:
        folder = Path(name) / "incoming"
        folder.mkdir()
        write_market_day(folder / "BhavCopy_NSE_FO_0_0_0_20260101_F_0000.csv.gz")
        return _importing(folder, MARKET_ROWS, "import a full-market bhavcopy", _MARKET_BAR_SECONDS)


def importing_index_days(ground: Ground) -> Figure:
    """Import 40 days of the two indices into an empty store; the floor has DuckDB read the same
    files, bare.
    """
    with TemporaryDirectory(dir=ground.var_dir) as name:
        folder = Path(name) / "incoming"
        folder.mkdir()
        write_index_days(folder, _INDEX_FILES)
        rows = _INDEX_FILES * INDEX_ROWS
        return _importing(
            folder, rows, f"import {_INDEX_FILES} index bhavcopies", _INDEX_BAR_SECONDS
        )


def _importing(folder: Path, rows: int, what: str, bar_seconds: float) -> Figure:
    """Rows a CPU second; the name says the bar in the same unit."""
    root = folder.parent / "market"

    def import_all() -> None:
        shutil.rmtree(root, ignore_errors=True)
        report = market_import(root=root, paths=[folder])
        for outcome in report.outcomes:
            if outcome.counts["rejected"]:
                raise RuntimeError(f"{what}: refused {outcome.counts['rejected']}")

    def read_bare() -> None:
        pattern = sql_text(f"{folder}/*.csv.gz")
        with connect() as connection:
            connection.execute(f"SELECT * FROM read_csv('{pattern}')").fetchnumpy()  # noqa: S608

    ours, floor = cpu_seconds(import_all), cpu_seconds(read_bare)
    return Figure(
        f"{what} (bar {rows / bar_seconds:,.0f})",
        rows / ours,
        "rows/CPU s",
        "DuckDB reads the same bytes, bare",
        rows / floor,
    )
