"""The exchange's files through the door everything goes through: imported, refused or unchanged."""

from __future__ import annotations

import zipfile
from datetime import date
from typing import TYPE_CHECKING

import pytest

from tests.trading.market.importers import exchange_files as files
from tests.trading.market.importers.independent import at_ist
from trading.market.importers import ImportRefusedError
from trading.market.services import market_import

if TYPE_CHECKING:
    from pathlib import Path

# Another of the files gives another open interest for the same key and moment.
SAID_OTHERWISE = (files.SITE_CALLS, files.SITE_PUTS, files.PARTICIPANTS_OF_A_DAY)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "market"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "incoming"
    made.mkdir()
    return made


def test_a_folder_of_every_form_and_again(root: Path, folder: Path) -> None:
    kept = [f for f in files.TEXT_FILES if f not in SAID_OTHERWISE]
    for number, file in enumerate(kept):
        (folder / str(number)).mkdir()
        file.write(folder / str(number))
    report = market_import(root=root, paths=[folder], known_at_us=files.KNOWN_AT_US)
    assert [(o.path, o.reason) for o in report.outcomes if o.status != "imported"] == []
    assert sum(o.counts["accepted"] for o in report.outcomes) == 51
    again = market_import(root=root, paths=[folder], known_at_us=files.KNOWN_AT_US)
    assert {o.status for o in again.outcomes} == {"unchanged"}
    assert again.generation == report.generation


def test_both_members_of_a_daily_report(root: Path, folder: Path) -> None:
    with zipfile.ZipFile(folder / "fo28072025.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in (files.FUTURES_REPORT, files.OPTIONS_REPORT):
            archive.writestr(file.name, file.text)
    report = market_import(root=root, paths=[folder])
    assert [(o.status, o.counts["accepted"]) for o in report.outcomes] == [("imported", 2)] * 2


def test_the_same_day_plain_and_zipped_is_stored_once(root: Path, folder: Path) -> None:
    plain = files.UDIFF.write(folder)
    with zipfile.ZipFile(folder / "bhavcopy.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(plain, plain.name)
    report = market_import(root=root, paths=[plain, folder / "bhavcopy.zip"])
    first, second = (outcome.counts for outcome in report.outcomes)
    assert (first["accepted"], second["accepted"]) == (6, 0)
    assert second["dropped"] == {"ALREADY_STORED": 6}


def test_a_chain_without_a_time_named_directly_is_one_line(root: Path, folder: Path) -> None:
    path = files.SITE_CHAIN.write(folder)
    with pytest.raises(ImportRefusedError, match="says no time") as refusal:
        market_import(root=root, paths=[path])
    assert "\n" not in str(refusal.value)
    taken = market_import(root=root, paths=[path], known_at_us=at_ist(date(2026, 2, 7), 12))
    assert taken.outcomes[0].counts["accepted"] == 2


def test_a_packed_file_cut_off_is_one_line(root: Path, folder: Path) -> None:
    packed = files.gzipped(files.UDIFF.write(folder))
    packed.write_bytes(packed.read_bytes()[:-20])
    with pytest.raises(ImportRefusedError, match="damaged archive") as refusal:
        market_import(root=root, paths=[packed])
    assert "\n" not in str(refusal.value)
