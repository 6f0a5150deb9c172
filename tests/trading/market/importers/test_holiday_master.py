"""The exchange's list of holidays, which does not say when it became known."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING

import pytest

from tests.trading.market.importers.exchange_files import HOLIDAYS
from tests.trading.market.importers.independent import at_ist
from tests.trading.market.importers.staging import stage
from trading.market.calendar import calendar
from trading.market.importers import ImportRefusedError, holiday_master

if TYPE_CHECKING:
    from pathlib import Path


def test_a_holiday_counts_as_announced_the_day_before_at_the_latest(tmp_path: Path) -> None:
    staged = stage(holiday_master, HOLIDAYS.write(tmp_path), tmp_path)
    republic, holi = staged.accepted("holidays")
    assert (republic["day"], republic["name"]) == (date(2026, 1, 26), "Republic Day")
    assert republic["announced_on"] == date(2026, 1, 25)
    assert (republic["as_of"], republic["available_at"]) == (
        at_ist(date(2026, 1, 25), 0),
        at_ist(date(2026, 1, 26), 0),
    )
    assert (holi["status"], holi["withdrawn"]) == ("INFERRED", False)
    assert holi["source"] == "the exchange's list of holidays, segment FO"


def test_what_the_user_knew_sooner_counts(tmp_path: Path) -> None:
    known = at_ist(date(2026, 2, 1), 12)
    path = HOLIDAYS.write(tmp_path)
    republic, holi = stage(holiday_master, path, tmp_path, known_at_us=known).accepted("holidays")
    assert republic["announced_on"] == date(2026, 1, 25)
    assert holi["announced_on"] == date(2026, 2, 1)
    assert holi["available_at"] == at_ist(date(2026, 2, 2), 0)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [("26-Jan-2026", "2026-01-26", "BAD_DATE"), ("Monday", "Friday", "WRONG_WEEKDAY")],
)
def test_a_bad_row_is_refused(tmp_path: Path, old: str, new: str, reason: str) -> None:
    path = HOLIDAYS.write(tmp_path, HOLIDAYS.text.replace(old, new))
    assert stage(holiday_master, path, tmp_path).outcomes() == {reason: 1}


def test_a_list_without_the_segment_is_refused(tmp_path: Path) -> None:
    path = HOLIDAYS.write(tmp_path, HOLIDAYS.text.replace('"FO"', '"XX"'))
    with pytest.raises(ImportRefusedError, match="no holidays of the segment FO"):
        stage(holiday_master, path, tmp_path)


def test_the_real_list(sample_data: Path, tmp_path: Path) -> None:
    paths = sorted((sample_data / "nse_daily").glob("nse_holiday_master_*.json"))
    if not paths:
        pytest.skip(f"no list of holidays in {sample_data}")
    listed = json.loads(paths[0].read_text(encoding="utf-8"))["FO"]
    staged = stage(holiday_master, paths[0], tmp_path)
    assert staged.outcomes() == {}
    found = {row["day"]: row["name"] for row in staged.accepted("holidays")}
    assert list(found.values()) == [row["description"] for row in listed]
    # Nothing in it trades but the evening of Diwali.
    assert [day for day in found if calendar().is_market_day(day)] == [date(2026, 11, 8)]
