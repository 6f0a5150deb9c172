"""The exchange's list of holidays, which does not say when it became known."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trading.market.importers.exchange_files import HOLIDAYS
from tests.trading.market.importers.independent import at_ist
from tests.trading.market.importers.staging import stage
from trading.market.calendar import calendar
from trading.market.importers import ImportRefusedError, holiday_master
from trading.market.services import market_import
from trading.market.store import MarketStore
from trading.market.timeguard import TimeGuard

if TYPE_CHECKING:
    from pathlib import Path


def _listed(tmp_path: Path, *days: date) -> Path:
    """A list of the exchange of these holidays."""
    rows = [
        {
            "tradingDate": day.strftime("%d-%b-%Y"),
            "weekDay": day.strftime("%A"),
            "description": f"Holiday {number}",
        }
        for number, day in enumerate(days)
    ]
    return HOLIDAYS.write(tmp_path, json.dumps({"FO": rows}))


ELECTIONS = date(2026, 1, 15)  # announced on 12 January
UNHEARD_OF = date(2026, 6, 10)  # a Wednesday that no record closes


def test_what_nobody_dates_counts_from_the_day_on_record_or_its_own_end(tmp_path: Path) -> None:
    path = _listed(tmp_path, date(2026, 1, 26), date(2026, 3, 3), ELECTIONS, UNHEARD_OF)
    republic, holi, elections, unheard = stage(holiday_master, path, tmp_path).accepted("holidays")
    on_record = {closure.day: closure.announced_on for closure in calendar().every_holiday()}
    assert on_record[date(2026, 1, 26)] is None  # fixed by law
    assert (republic["announced_on"], republic["available_at"]) == (
        None,
        at_ist(date(2026, 1, 27), 0),
    )
    announced = on_record[date(2026, 3, 3)]
    assert announced is not None
    assert holi["announced_on"] == announced
    assert holi["available_at"] == at_ist(announced + timedelta(days=1), 0)
    assert (elections["announced_on"], elections["as_of"], elections["available_at"]) == (
        date(2026, 1, 12),
        at_ist(date(2026, 1, 12), 0),
        at_ist(date(2026, 1, 13), 0),
    )
    assert (unheard["announced_on"], unheard["available_at"]) == (
        UNHEARD_OF,
        at_ist(UNHEARD_OF + timedelta(days=1), 0),
    )
    assert (holi["status"], holi["withdrawn"]) == ("INFERRED", False)
    assert holi["source"] == "the exchange's list of holidays, segment FO"


def test_a_list_is_known_when_the_user_says(tmp_path: Path) -> None:
    known = at_ist(date(2026, 2, 1), 12)
    path = _listed(tmp_path, ELECTIONS, UNHEARD_OF)
    staged = stage(holiday_master, path, tmp_path, known_at_us=known)
    elections, unheard = staged.accepted("holidays")
    assert (elections["announced_on"], elections["available_at"]) == (date(2026, 1, 12), known)
    assert (unheard["announced_on"], unheard["available_at"]) == (date(2026, 2, 1), known)
    assert elections["as_of"] == unheard["as_of"] == at_ist(date(2026, 2, 1), 0)


@given(
    known=st.none() | st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001
    days=st.lists(
        st.sampled_from([c.day for c in calendar().every_holiday()]), min_size=1, unique=True
    ),
)
@settings(max_examples=25, deadline=None)
def test_no_holiday_is_known_before_it_was_announced(
    tmp_path_factory: pytest.TempPathFactory, known: datetime | None, days: list[date]
) -> None:
    folder = tmp_path_factory.mktemp("list")
    known_us = None if known is None else at_ist(known.date(), known.hour)
    path = _listed(folder, *days)
    rows = stage(holiday_master, path, folder, known_at_us=known_us).accepted("holidays")
    assert [row["day"] for row in rows] == days
    announced = {closure.day: closure.announced_on for closure in calendar().every_holiday()}
    for row in rows:
        on = announced[row["day"]]
        if on is not None:
            assert row["available_at"] >= at_ist(on + timedelta(days=1), 0)
        if known_us is not None:
            assert row["available_at"] >= known_us
        assert row["as_of"] <= row["available_at"]


def test_the_store_does_not_know_the_closure_of_january_too_early(tmp_path: Path) -> None:
    root = tmp_path / "market"
    claimed = at_ist(date(2026, 1, 2), 9)  # no list of that day can have had it
    path = _listed(tmp_path, ELECTIONS)
    market_import(root=root, paths=[path], with_shipped=True, known_at_us=claimed)
    guard = TimeGuard(MarketStore(root))
    for now_us, said in (
        (at_ist(date(2026, 1, 12), 23), False),
        (at_ist(date(2026, 1, 13), 0), True),
    ):
        days = guard.rows("holidays", now_us=now_us, columns=["day"])["day"]
        assert (ELECTIONS in days.astype("datetime64[D]").tolist()) is said


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
