"""What holds for every importer of the exchange's files: one of them knows a file, by its content;
all its rows are staged with every column; damage is told in one line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.trading.market.importers import exchange_files as files
from tests.trading.market.importers.staging import read_head, stage
from trading.market.categories import columns_of
from trading.market.importers import ImportRefusedError

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from tests.trading.market.importers.exchange_files import TextFile

IMPORTERS = tuple(dict.fromkeys(f.importer for f in files.TEXT_FILES)) + files.PARQUET_IMPORTERS
FRAMEWORK_COLUMNS = {"source_digest", "synthetic", "generator", "seed", "mode"}


def _knowing(path: Path) -> list[str]:
    head = read_head(path)
    return [importer.NAME for importer in IMPORTERS if importer.recognises(head)]


def _parquet(importer: ModuleType, folder: Path) -> Path:
    rows: dict[str, list[dict[str, Any]]] = {
        "chain_2018": [files.chain_2018_row(10800.0, "2019-01-15 10:00:00")],
        "chain_minutes_2019": [files.chain_minutes_row(11600.0, "2019-05-23 12:00:00")],
        "expiry_calendar": [files.expiry_row("2023-06-28", "2023-06-29")],
    }
    return files.write_parquet(folder / "data.parquet", rows[importer.NAME])


@pytest.mark.parametrize("file", files.TEXT_FILES, ids=lambda file: file.name)
def test_one_importer_knows_a_file_whatever_it_is_called(file: TextFile, tmp_path: Path) -> None:
    path = tmp_path / "anything.xls"
    path.write_text(file.text, encoding="utf-8")
    assert _knowing(path) == [file.importer.NAME]


@pytest.mark.parametrize("importer", files.PARQUET_IMPORTERS, ids=lambda i: i.NAME)
def test_one_importer_knows_a_parquet_file(importer: ModuleType, tmp_path: Path) -> None:
    assert _knowing(_parquet(importer, tmp_path)) == [importer.NAME]


@pytest.mark.parametrize("file", files.TEXT_FILES, ids=lambda file: file.name)
def test_every_row_is_staged_with_every_column(file: TextFile, tmp_path: Path) -> None:
    staged = stage(file.importer, file.write(tmp_path), tmp_path, known_at_us=file.known_at_us)
    assert staged.outcomes() == {}
    for category, rows in staged.rows.items():
        expected = set(columns_of(category)) - FRAMEWORK_COLUMNS
        for row in rows:
            assert set(row) == expected | {"source_row", "outcome", "raw"}
            assert row["as_of"] is not None
            assert row["available_at"] >= row["as_of"]
            assert row["raw"] is None
    assert any(staged.rows.values())


@pytest.mark.parametrize("importer", IMPORTERS, ids=lambda i: i.NAME)
def test_an_importer_says_what_it_is(importer: ModuleType) -> None:
    assert importer.NAME
    assert importer.VERSION >= 1
    assert importer.SOURCE_NAME
    assert importer.TITLE
    assert importer.CATEGORIES
    assert not set(importer.REFUSALS) & set(importer.DROPS)


@pytest.mark.parametrize("file", files.TABLES, ids=lambda file: file.name)
def test_a_row_cut_off_is_refused_and_the_others_taken(file: TextFile, tmp_path: Path) -> None:
    whole = stage(file.importer, file.write(tmp_path), tmp_path, known_at_us=file.known_at_us)
    lines = file.text.rstrip("\n").splitlines()
    cut = "\n".join([*lines, ",".join(lines[-1].split(",")[:2])])
    staged = stage(file.importer, file.write(tmp_path, cut), tmp_path, known_at_us=file.known_at_us)
    assert staged.outcomes() == {"BROKEN_ROW": 1}
    for category, rows in whole.rows.items():
        assert len(staged.accepted(category)) == len(rows)
    (refused,) = (r for rows in staged.rows.values() for r in rows if r["outcome"] is not None)
    assert refused["source_row"] == len(lines) + 1
    assert refused["raw"].startswith("{")


@pytest.mark.parametrize("file", files.TABLES, ids=lambda file: file.name)
def test_another_header_is_not_known(file: TextFile, tmp_path: Path) -> None:
    names = [name.strip() for name in read_head(file.write(tmp_path)).columns]
    vital = file.vital or next(name for name in reversed(names) if name)
    changed = file.text.replace(vital, "Something Else")
    assert _knowing(file.write(tmp_path, changed)) == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        bytes(range(256)) * 20,
        b"\x00" * 4096,
        b"{",
        b"[]",
        b"PK\x03\x04rest",
        b"a,b\n1,2",
    ],
)
def test_rubbish_is_not_known(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "rubbish.csv"
    path.write_bytes(data)
    assert _knowing(path) == []


OWN_ENCODING = (files.SITE_CHAIN, files.SITE_CALLS, files.SITE_PUTS)  # were latin-1 once
MARKED = (files.INDEX_HISTORY,)  # a byte order mark before other text makes its header unknown


@pytest.mark.parametrize(
    "file",
    [file for file in files.TABLES if file not in (*OWN_ENCODING, *MARKED)],
    ids=lambda file: file.name,
)
def test_text_in_another_encoding_is_refused_in_one_line(file: TextFile, tmp_path: Path) -> None:
    path = file.write(tmp_path)
    first, rest = path.read_bytes().split(b"\n", 1)
    path.write_bytes(first + b"\n" + rest.rstrip(b"\n") + b"\xff\xfe\xe9\n")
    with pytest.raises(ImportRefusedError, match=r"not utf-8|unicode") as refusal:
        stage(file.importer, path, tmp_path, known_at_us=file.known_at_us)
    assert "\n" not in str(refusal.value)
    assert str(path) in str(refusal.value)


@pytest.mark.parametrize("file", files.JSON_FILES, ids=lambda file: file.name)
def test_json_cut_off_is_refused_in_one_line(file: TextFile, tmp_path: Path) -> None:
    path = file.write(tmp_path, file.text[: -len(file.text) // 3])
    with pytest.raises(ImportRefusedError) as refusal:
        stage(file.importer, path, tmp_path)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("importer", files.PARQUET_IMPORTERS, ids=lambda i: i.NAME)
def test_a_parquet_file_with_damaged_pages_is_refused_in_one_line(
    importer: ModuleType, tmp_path: Path
) -> None:
    path = _parquet(importer, tmp_path)
    data = bytearray(path.read_bytes())
    data[4:200] = b"\xff" * 196
    path.write_bytes(bytes(data))
    with pytest.raises(ImportRefusedError) as refusal:
        stage(importer, path, tmp_path)
    assert "\n" not in str(refusal.value)


def test_every_real_file_of_the_exchange_is_known_to_one_importer(sample_data: Path) -> None:
    folders = [
        folder
        for pattern in ("nse_[adfi]*", "nse_site_option_chain/*", "nse_chain_2018*", "nse_chain_e*")
        for folder in sorted(sample_data.glob(pattern))
        if folder.is_dir()
    ]
    if not folders:
        pytest.skip(f"no files of the exchange in {sample_data}")
    known = {path.name: _knowing(path) for folder in folders for path in sorted(folder.glob("*.*"))}
    # What the circulars said, in sentences; its figures stand in the shipped tables.
    assert known.pop("nse_contract_rule_history.json") == []
    assert {len(names) for names in known.values()} == {1}
