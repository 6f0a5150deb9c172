"""What a file is, is told by its header; what cannot be imported is refused in one line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.trading.market.conftest import row, snapshot
from trading.management.import_progress import Lines
from trading.market.importers import ImportRefusedError
from trading.market.services import market_import

if TYPE_CHECKING:
    from tests.trading.market.conftest import WriteFile


def _refusal(tmp_path: Path, *paths: Path) -> str:
    root = tmp_path / "market"
    with pytest.raises(ImportRefusedError) as refusal:
        market_import(root=root, paths=paths)
    assert not (root / "catalogue.json").exists()
    assert not list(root.rglob("*.parquet"))
    text = str(refusal.value)
    assert "\n" not in text
    return text


def test_a_header_is_recognised_whatever_the_name(tmp_path: Path, write_file: WriteFile) -> None:
    path = write_file("FOVOLT_29082025.csv", snapshot())
    assert market_import(root=tmp_path / "market", paths=[path]).generation == 1


def test_columns_may_come_in_any_order_and_with_others(
    tmp_path: Path, write_file: WriteFile
) -> None:
    rows = [{"note": "x", **values} for values in snapshot()]
    path = write_file("chain.parquet", rows, note="VARCHAR", Symbol="VARCHAR")
    assert market_import(root=tmp_path / "market", paths=[path]).generation == 1


def test_a_missing_column_is_named(tmp_path: Path, write_file: WriteFile) -> None:
    path = write_file("chain.parquet", snapshot(), PUTS_OI=None)
    text = _refusal(tmp_path, path)
    assert "no importer knows it (parquet with columns Fetch_Time, Symbol, " in text


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "/nowhere: no such file or directory" in _refusal(tmp_path, Path("/nowhere"))


@pytest.mark.parametrize("content", [b"", b"PAR", b"Symbol,Strike\nNIFTY,24500\n"])
def test_a_file_that_nobody_knows_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "chain.parquet"
    path.write_bytes(content)
    assert "no importer knows it" in _refusal(tmp_path, path)


def test_a_cut_parquet_file_is_refused(tmp_path: Path, write_file: WriteFile) -> None:
    path = write_file("chain.parquet", snapshot())
    path.write_bytes(path.read_bytes()[:-20])
    assert "damaged Parquet file" in _refusal(tmp_path, path)


def test_a_parquet_file_damaged_inside_is_refused(tmp_path: Path, write_file: WriteFile) -> None:
    path = write_file("chain.parquet", [row(24_000 + step * 50) for step in range(200)])
    data = bytearray(path.read_bytes())
    data[4:400] = bytes(396)
    path.write_bytes(bytes(data))
    assert "chain.parquet" in _refusal(tmp_path, path)


def test_a_directory_without_files_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / ".hidden").write_text("nothing here")
    assert "no file in this directory" in _refusal(tmp_path, empty)


def test_a_directory_stands_for_every_file_under_it(tmp_path: Path, write_file: WriteFile) -> None:
    path = write_file("chain.parquet", snapshot())
    (path.parent / "README.md").write_text("about the data")
    told: list[str] = []
    report = market_import(
        root=tmp_path / "market", paths=[path.parent, path], progress=Lines(told.append)
    )
    readme = path.parent / "README.md"
    assert [(outcome.path, outcome.status) for outcome in report.outcomes] == [
        (str(readme), "skipped"),
        (str(path), "imported"),
    ]
    assert any(f"{readme}: skipped, no importer knows it" in line for line in told)


def test_a_file_without_rows_is_refused(tmp_path: Path, write_file: WriteFile) -> None:
    assert "no rows" in _refusal(tmp_path, write_file("chain.parquet", []))


def test_a_file_without_an_acceptable_row_says_why(tmp_path: Path, write_file: WriteFile) -> None:
    rows = [*snapshot(Symbol="SENSEX"), row(24_500, CALLS_LTP=-1.0)]
    text = _refusal(tmp_path, write_file("chain.parquet", rows))
    assert "none of its 5 rows can be accepted: UNKNOWN_UNDERLYING 4, NEGATIVE 1" in text
