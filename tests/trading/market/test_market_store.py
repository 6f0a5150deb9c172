"""The store: immutable, one generation or none, and loud about damage."""

from __future__ import annotations

import multiprocessing
from datetime import date
from typing import TYPE_CHECKING

import pytest

from tests.trading.market.conftest import snapshot
from trading.market.feed import frames
from trading.market.importers import ImportRefusedError
from trading.market.services import market_import
from trading.market.store import Catalogue, MarketStore, StoreError, file_digest
from trading.market.synthetic.services import market_synthesise

if TYPE_CHECKING:
    from pathlib import Path

    from tests.trading.market.conftest import WriteFile

DAY = date(2025, 8, 29)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "market"


def _contents(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): file_digest(path)
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_an_empty_store_is_generation_zero(root: Path) -> None:
    assert MarketStore(root).catalogue() == Catalogue()
    assert not root.exists()


def test_the_same_file_twice_changes_nothing(root: Path, write_file: WriteFile) -> None:
    path = write_file("chain.parquet", snapshot())
    first = market_import(root=root, paths=[path])
    before = _contents(root)
    second = market_import(root=root, paths=[path])
    assert _contents(root) == before
    assert [o.status for r in (first, second) for o in r.outcomes] == ["imported", "unchanged"]
    assert (first.generation, second.generation) == (1, 1)


def test_the_same_bytes_under_another_name_change_nothing(
    root: Path, write_file: WriteFile
) -> None:
    path = write_file("chain.parquet", snapshot())
    other = path.with_name("other.parquet")
    other.write_bytes(path.read_bytes())
    report = market_import(root=root, paths=[path, other])
    assert [outcome.status for outcome in report.outcomes] == ["imported", "unchanged"]
    assert len(MarketStore(root).catalogue().entries) == 1


def test_a_file_is_named_by_its_bytes_and_described(root: Path, write_file: WriteFile) -> None:
    path = write_file("chain.parquet", snapshot())
    market_import(root=root, paths=[path])
    (made,) = MarketStore(root).catalogue().imports
    (entry,) = made.entries
    assert entry.accepted.file == f"chain_snapshots/{entry.accepted.digest}.parquet"
    assert file_digest(root / entry.accepted.file) == entry.accepted.digest
    assert entry.accepted.rows == made.counts["accepted"] == 4
    assert (entry.source.file, entry.source.digest) == ("chain.parquet", file_digest(path))
    assert entry.days == {"NIFTY": ("2025-08-29",)}
    assert entry.ranges["available_at"][0] - entry.ranges["as_of"][0] == 70_000_000
    assert (made.importer, made.importer_version, made.generation) == ("chain_snapshots", 2, 1)


def test_several_files_are_one_generation(root: Path, write_file: WriteFile) -> None:
    nifty = write_file("a.parquet", snapshot())
    write_file("b.parquet", snapshot(Symbol="BANKNIFTY"))
    report = market_import(root=root, paths=[nifty.parent])
    assert report.generation == 1
    assert [e.generation for e in MarketStore(root).catalogue().entries] == [1, 1]


def test_what_another_file_holds_already_is_not_taken_twice(
    root: Path, write_file: WriteFile
) -> None:
    first = snapshot()
    second = snapshot(Fetch_Time="29-Aug-2025 10:01:00", collection_timestamp="20250829_100215")
    market_import(root=root, paths=[write_file("half.parquet", first)])
    report = market_import(root=root, paths=[write_file("whole.parquet", [*first, *second])])
    assert report.outcomes[0].counts["dropped"] == {"ALREADY_STORED": 4}
    assert len(list(frames(MarketStore(root), ["NIFTY"], DAY, DAY))) == 2
    again = market_import(root=root, paths=[write_file("late.parquet", second)])
    assert (again.outcomes[0].status, again.generation) == ("unchanged", 2)


def test_a_file_that_contradicts_the_store_is_refused(root: Path, write_file: WriteFile) -> None:
    market_import(root=root, paths=[write_file("one.parquet", snapshot())])
    before = _contents(root)
    with pytest.raises(ImportRefusedError, match="CONFLICTS_WITH_STORE 4"):
        market_import(root=root, paths=[write_file("two.parquet", snapshot(CALLS_OI=5.0))])
    assert _contents(root) == before


def test_recorded_and_synthetic_data_never_share_a_day(root: Path, write_file: WriteFile) -> None:
    path = write_file("chain.parquet", snapshot())
    market_import(root=root, paths=[path])
    before = _contents(root)
    with pytest.raises(ImportRefusedError, match="already holds NIFTY on 2025-08-29"):
        market_synthesise(root=root, seed=1, from_date=date(2025, 8, 28), to_date=DAY)
    assert _contents(root) == before


def test_when_one_file_is_refused_none_is_imported(root: Path, write_file: WriteFile) -> None:
    good = write_file("a.parquet", snapshot())
    bad = write_file("b.parquet", snapshot(Symbol="SENSEX"))
    with pytest.raises(ImportRefusedError, match=r"b\.parquet: none of its 4 rows"):
        market_import(root=root, paths=[good, bad])
    assert set(_contents(root)) == {"lock"}
    assert market_import(root=root, paths=[good]).generation == 1


def test_a_dry_run_writes_nothing(root: Path, write_file: WriteFile) -> None:
    path = write_file("chain.parquet", snapshot())
    report = market_import(root=root, paths=[path], dry_run=True)
    assert report.outcomes[0].status == "would import"
    assert report.outcomes[0].counts["accepted"] == 4
    assert not root.exists()


def test_leftovers_of_a_killed_import_are_removed_by_the_next(
    root: Path, write_file: WriteFile
) -> None:
    leftover = root / "chain_snapshots" / "tmp_.writing-x.parquet"
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"half a file")
    market_import(root=root, paths=[write_file("chain.parquet", snapshot())])
    assert not leftover.exists()


@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_a_damaged_file_is_named_not_read(root: Path, write_file: WriteFile, damage: str) -> None:
    market_import(root=root, paths=[write_file("chain.parquet", snapshot())])
    (entry,) = MarketStore(root).catalogue().entries
    path = root / entry.accepted.file
    if damage == "changed":
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(bytes(data))
    else:
        path.unlink()
    with pytest.raises(StoreError, match=entry.accepted.digest):
        list(frames(MarketStore(root), ["NIFTY"], DAY, DAY))


def test_an_unreadable_catalogue_is_named(root: Path) -> None:
    root.mkdir()
    (root / "catalogue.json").write_text('{"generation": "one"}')
    with pytest.raises(StoreError, match=r"catalogue\.json"):
        MarketStore(root).catalogue()


def _import_one(root: Path, path: Path) -> None:
    market_import(root=root, paths=[path])


def test_two_imports_at_once_lose_nothing(root: Path, write_file: WriteFile) -> None:
    paths = [
        write_file(
            f"{minute}.parquet",
            snapshot(
                Fetch_Time=f"29-Aug-2025 10:{minute:02}:00",
                collection_timestamp=f"20250829_10{minute:02}30",
            ),
        )
        for minute in range(6)
    ]
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_import_one, args=(root, path)) for path in paths]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * len(paths)
    catalogue = MarketStore(root).catalogue()
    assert catalogue.generation == len(paths)
    assert len(list(frames(MarketStore(root), ["NIFTY"], DAY, DAY))) == len(paths)


def test_a_path_with_wildcards_and_quotes_means_itself(root: Path, write_file: WriteFile) -> None:
    plain = write_file("plain.parquet", snapshot())
    odd = plain.with_name("it's [a] * file?.parquet")
    plain.rename(odd)
    assert market_import(root=root, paths=[odd]).outcomes[0].counts["accepted"] == 4
