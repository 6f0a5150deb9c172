"""Files that were skipped or refused whole: on record with digest, reason, time and generation."""

from __future__ import annotations

import zipfile
from datetime import date
from datetime import time as clock
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from django.core.management import call_command

from tests.trading.market.conftest import snapshot
from trading.market.calendar import instant_us
from trading.market.importers import ImportRefusedError
from trading.market.selectors import market_catalogue, turned_away_page
from trading.market.services import market_import
from trading.market.store import MarketStore, file_digest

if TYPE_CHECKING:
    from pathlib import Path

    from django.contrib.auth.models import User
    from django.test import Client

    from tests.trading.market.conftest import WriteFile

ODD_MAP = """
format = "brahmastra-column-map-1"
name = "odd"
title = "an odd file"
source = "odd"

[file]
header = ["when", "px"]

[[rows]]
category = "spot_bars"
interval = "1m"

[rows.columns]
underlying = { value = "NIFTY" }
as_of = { column = "when", stamp = "end" }
close_paise = { column = "px", unit = "points" }
"""
NOW_US = instant_us(date(2026, 11, 26), clock(9))


@pytest.fixture
def folder(write_file: WriteFile) -> Path:
    """A good file, one that nobody knows, and one that is damaged."""
    path = write_file("chain.parquet", snapshot())
    (path.parent / "notes.md").write_text("about the data", encoding="utf-8")
    damaged = write_file("cut.parquet", snapshot(Symbol="BANKNIFTY"))
    damaged.write_bytes(damaged.read_bytes()[:-20])
    return path.parent


def test_both_are_listed_with_what_they_were(tmp_path: Path, folder: Path) -> None:
    root = tmp_path / "market"
    market_import(root=root, paths=[folder], now_us=NOW_US)
    catalogue = MarketStore(root).catalogue()
    assert (catalogue.generation, len(catalogue.imports)) == (1, 1)
    found = {file.file: file for file in catalogue.turned_away}
    assert set(found) == {"notes.md", "cut.parquet"}
    for name, status in (("notes.md", "skipped"), ("cut.parquet", "refused")):
        file = found[name]
        assert file.digest == file_digest(folder / name)
        assert (file.status, file.generation, file.at_us) == (status, 1, NOW_US)
        assert str(folder) not in file.reason
    assert "no importer knows it" in found["notes.md"].reason
    assert "damaged Parquet file" in found["cut.parquet"].reason


def test_the_same_files_again_change_nothing_and_another_reason_is_added(
    tmp_path: Path, folder: Path
) -> None:
    root = tmp_path / "market"
    market_import(root=root, paths=[folder], now_us=NOW_US)
    before = (root / "catalogue.json").read_bytes()
    again = market_import(root=root, paths=[folder], now_us=NOW_US + 1)
    assert [outcome.status for outcome in again.outcomes] == ["unchanged", "refused", "skipped"]
    assert (root / "catalogue.json").read_bytes() == before
    # Another name is the same file; other bytes are another.
    (folder / "notes.md").rename(folder / "remarks.md")
    market_import(root=root, paths=[folder])
    assert (root / "catalogue.json").read_bytes() == before
    (folder / "remarks.md").write_text("more about the data", encoding="utf-8")
    market_import(root=root, paths=[folder], now_us=NOW_US + 2)
    catalogue = MarketStore(root).catalogue()
    assert [(file.file, file.generation) for file in catalogue.turned_away] == [
        ("cut.parquet", 1),
        ("notes.md", 1),
        ("remarks.md", 2),
    ]
    assert len(catalogue.at(1).turned_away) == 2
    assert catalogue.at(0).turned_away == ()


def test_a_dry_run_and_a_refused_import_list_nothing(tmp_path: Path, folder: Path) -> None:
    root = tmp_path / "market"
    market_import(root=root, paths=[folder], dry_run=True)
    assert not root.exists()
    with pytest.raises(ImportRefusedError):
        market_import(root=root, paths=[folder / "chain.parquet", folder / "notes.md"])
    assert MarketStore(root).catalogue().turned_away == ()


def test_members_of_a_zip_are_told_apart_and_a_refused_zip_is_one(
    tmp_path: Path, folder: Path
) -> None:
    root = tmp_path / "market"
    mixed, broken = folder / "mixed.zip", folder / "broken.zip"
    with zipfile.ZipFile(mixed, "w") as archive:
        archive.writestr("a.txt", "one")
        archive.write(folder / "chain.parquet", "chain.parquet")
    with zipfile.ZipFile(broken, "w") as archive:
        archive.writestr("b.txt", "two")
        archive.write(folder / "cut.parquet", "cut.parquet")
    market_import(root=root, paths=[folder])
    labels = {(f.label, f.status) for f in MarketStore(root).catalogue().turned_away}
    assert {("mixed.zip/a.txt", "skipped"), ("broken.zip", "refused")} <= labels
    assert not [label for label, _ in labels if "b.txt" in label]
    before = (root / "catalogue.json").read_bytes()
    folder.rename(folder.parent / "elsewhere")
    market_import(root=root, paths=[folder.parent / "elsewhere"])
    assert (root / "catalogue.json").read_bytes() == before


def test_a_file_that_was_taken_since_says_so(
    tmp_path: Path, folder: Path, write_file: WriteFile
) -> None:
    root = tmp_path / "market"
    cut = folder / "cut.parquet"
    market_import(root=root, paths=[folder])
    columns = folder.parent / "map.toml"
    # The same bytes, once somebody says what they are, are taken.
    odd = folder / "odd.csv"
    odd.write_text("when,px\n2025-08-29 10:00:00,24600.5\n", encoding="utf-8")
    market_import(root=root, paths=[folder])
    columns.write_text(ODD_MAP, encoding="utf-8")
    market_import(root=root, paths=[odd], column_map=columns)
    rows = {row.file: row for row in turned_away_page(root=root).rows}
    assert rows["odd.csv"].generation == 2
    assert rows["odd.csv"].taken_in == 3
    assert rows[cut.name].taken_in is None
    assert [row.file for row in turned_away_page(root=root, skip=2).rows] == ["cut.parquet"]


def test_the_command_names_them(var_dir: Path, folder: Path) -> None:
    def told(*arguments: str) -> str:
        out = StringIO()
        call_command("market", *arguments, stdout=out, stderr=StringIO())
        return out.getvalue()

    told("import", str(folder))
    catalogue = told("catalogue")
    assert "skipped: notes.md, no importer knows it" in catalogue
    assert "refused: cut.parquet, damaged Parquet file" in catalogue
    assert file_digest(folder / "cut.parquet") in catalogue
    assert "skipped:" not in told("catalogue", "--generation", "0")
    held = market_catalogue(root=var_dir / "market", now_us=NOW_US)
    assert [file.file for file in held.turned_away] == ["notes.md", "cut.parquet"]


@pytest.mark.django_db
def test_the_page_shows_them_beside_the_refused_rows(
    client: Client, viewer: User, var_dir: Path, folder: Path
) -> None:
    market_import(root=var_dir / "market", paths=[folder], now_us=NOW_US)
    client.force_login(viewer)
    rows = client.get("/market/rejections/").content.decode()
    assert '<a href="?of=files">Whole files 2</a>' in rows
    assert "Nothing was refused" in rows
    assert "not kept" not in rows
    files = client.get("/market/rejections/?of=files").content.decode()
    assert "2 of 2 files shown" in files
    assert "damaged Parquet file" in files
    assert f'title="{file_digest(folder / "notes.md")}"' in files
    assert "2026-11-26 09:00:00" in files
    assert (
        "None after the first 50"
        in client.get("/market/rejections/?of=files&skip=50").content.decode()
    )
    part = client.get("/market/rejections/?of=files", headers={"HX-Request": "true"})
    assert part.content.decode().strip().startswith('<div id="rows"')
