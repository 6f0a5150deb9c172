"""An import that is really killed: the store is the generation before it or the one after."""

from __future__ import annotations

import multiprocessing
import random
import time
from typing import TYPE_CHECKING

import pytest

from tests.trading.market.conftest import row, snapshot
from trading.market.services import market_import
from trading.market.store import MarketStore

if TYPE_CHECKING:
    from pathlib import Path

    from tests.trading.market.conftest import WriteFile

KILLS = 12


def _import(root: Path, folder: Path) -> None:
    market_import(root=root, paths=[folder])


@pytest.mark.slow
def test_a_killed_import_leaves_a_whole_generation(tmp_path: Path, write_file: WriteFile) -> None:
    root = tmp_path / "market"
    first = write_file("first.parquet", snapshot())
    market_import(root=root, paths=[first])
    first.unlink()
    for minute in range(1, 9):
        at = {
            "Fetch_Time": f"29-Aug-2025 11:{minute:02}:00",
            "collection_timestamp": f"20250829_11{minute:02}30",
        }
        rows = [row(20_000 + step * 50, **at) for step in range(300)]
        write_file(f"{minute}.parquet", [*rows, row(20_000, Symbol="SENSEX", **at)])
    folder = first.parent
    context = multiprocessing.get_context("fork")
    dice = random.Random(4)
    whole = _seconds_of_one_import(tmp_path, folder, context)
    before = MarketStore(root).catalogue()
    interrupted = 0
    for _ in range(KILLS):
        process = context.Process(target=_import, args=(root, folder))
        process.start()
        time.sleep(dice.uniform(0, 1.0) * whole)
        process.kill()
        process.join()
        store = MarketStore(root)
        catalogue = store.catalogue()
        for made in catalogue.imports:
            for stored in made.stored:
                store.path_of(stored)  # there, and of the bytes it is listed with
        if catalogue != before:
            assert catalogue.generation == before.generation + 1
            assert len(catalogue.imports) == 1 + 8
            break
        interrupted += 1
    assert interrupted
    report = market_import(root=root, paths=[folder])
    catalogue = MarketStore(root).catalogue()
    assert (report.generation, len(catalogue.imports)) == (2, 9)
    listed = {stored.file for made in catalogue.imports for stored in made.stored}
    found = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    assert listed <= found
    assert not [name for name in found if ".writing-" in name]


def _seconds_of_one_import(
    tmp_path: Path, folder: Path, context: multiprocessing.context.ForkContext
) -> float:
    started = time.monotonic()
    process = context.Process(target=_import, args=(tmp_path / "trial", folder))
    process.start()
    process.join()
    assert process.exitcode == 0
    return time.monotonic() - started
