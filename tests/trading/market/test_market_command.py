"""`manage.py market`: reports, JSON, and one clear line for what is wrong."""

from __future__ import annotations

import json
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from django.core.management import CommandError, call_command

from tests.trading.market.conftest import snapshot
from trading.market.categories import CATEGORIES
from trading.market.importers import reference_tables
from trading.market.store import file_digest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.trading.market.conftest import WriteFile


def _market(*arguments: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("market", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_import_reports_and_tells_its_progress(var_dir: Path, write_file: WriteFile) -> None:
    path = str(write_file("chain.parquet", snapshot()))
    out, err = _market("import", path)
    assert f"{path}: imported, 4 of 4 rows, NIFTY 1 of 1 snapshots" in out
    assert "generation 1" in out
    assert f"[1/1] {path}: imported" in err
    assert (var_dir / "market" / "catalogue.json").exists()
    out, err = _market("import", path)
    assert "unchanged" in out
    assert f"[1/1] {path}: unchanged" in err


def test_the_shipped_tables_come_in_by_a_command_of_their_own(var_dir: Path) -> None:
    out, err = _market("import", "--reference")
    assert "scheduled_events.toml: imported" in out
    assert "6 imported" in out
    assert "[6/6]" in err
    assert "6 unchanged" in _market("import", "--reference")[0]
    assert "calendar.toml: calendar; sessions; holidays; expiries, " in _market("status")[0]
    catalogue = _market("catalogue")[0]
    assert "  reference-tables: calendar.toml, " in catalogue
    assert "lots: 38 rows" in catalogue
    assert "lots: nothing" in _market("catalogue", "--generation", "0")[0]
    assert (var_dir / "market" / "lots").is_dir()


def test_a_dry_run_reports_and_writes_nothing(var_dir: Path, write_file: WriteFile) -> None:
    path = str(write_file("chain.parquet", snapshot()))
    out, _ = _market("import", path, "--dry-run")
    assert "would import, 4 of 4 rows" in out
    assert list(var_dir.iterdir()) == []


def test_json_is_the_whole_report(var_dir: Path, write_file: WriteFile) -> None:
    path = str(write_file("c.parquet", [*snapshot(), *snapshot(Symbol="SENSEX")]))
    report = json.loads(_market("import", path, "--json")[0])
    assert report["generation"] == 1
    assert report["outcomes"][0]["status"] == "imported"
    assert report["outcomes"][0]["counts"]["rejected"] == {"UNKNOWN_UNDERLYING": 4}
    status = json.loads(_market("status", "--json")[0])
    assert status["sources"][-1]["days"] == {"chain_snapshots": {"NIFTY": ["2025-08-29"]}}
    assert status["root"] == str(var_dir / "market")


@pytest.mark.usefixtures("var_dir")
def test_synth_makes_the_default_days_and_status_says_so() -> None:
    assert "no market data in" in _market("status")[0]
    out, err = _market("synth", "--seed", "5")
    assert "2026-02-26: generated" in out
    assert "2026-02-27: generated" in out
    assert "[2/2] 2026-02-27: generated, seed 5" in err
    status = _market("status")[0]
    assert "SYNTHETIC seed 5, 2026-02-26: " in status
    assert "generation 1" in status


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("import",), "nothing to import: name files or directories, or --reference"),
        (("import", "/nowhere"), "/nowhere: no such file or directory"),
        (("import", "/dev/null"), "/dev/null: no importer knows it"),
        (("synth", "--from", "2027-01-04", "--to", "2027-01-05"), "outside the trading calendar"),
        (("synth", "--from", "2026-02-27", "--to", "2026-02-26"), "no market day"),
        (("synth", "--from", "soon"), "'soon' is not a date, expected YYYY-MM-DD"),
        (("synth", "--seed", "-1"), "seed -1 is out of range"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    var_dir: Path, arguments: tuple[str, ...], said: str
) -> None:
    with pytest.raises(CommandError) as refusal:
        _market(*arguments)
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)
    written = [path for path in var_dir.rglob("*") if path.is_file() and path.name != "lock"]
    assert written == []


def test_status_names_a_damaged_file(var_dir: Path, write_file: WriteFile) -> None:
    _market("import", str(write_file("chain.parquet", snapshot())))
    (stored,) = (var_dir / "market" / "chain_snapshots").iterdir()
    stored.write_bytes(b"PAR1")
    with pytest.raises(CommandError, match=stored.name):
        _market("status")


def test_the_catalogue_names_every_category_with_what_is_held(
    var_dir: Path, write_file: WriteFile
) -> None:
    empty = _market("catalogue")[0].splitlines()
    assert len(empty) == len(CATEGORIES) + 1
    assert all(line.endswith(": nothing") for line in empty[:-1])
    assert list(var_dir.iterdir()) == []

    path = write_file("chain.parquet", snapshot())
    _market("import", str(path))
    out = _market("catalogue")[0]
    assert "chain_snapshots: 4 rows, as of 2025-08-29 to 2025-08-29" in out
    assert f"  nse-chain-collector: chain.parquet, 4 rows, {file_digest(path)}" in out
    report = json.loads(_market("catalogue", "--json")[0])
    held = {c["name"]: c for c in report["categories"] if c["rows"]}
    assert set(held) == {"chain_snapshots", *reference_tables.CATEGORIES}
    assert held["chain_snapshots"]["sources"][0]["synthetic"] is False
    assert [category["name"] for category in report["categories"]] == [c.name for c in CATEGORIES]
