"""The door to history: nothing is seen before it was known, and of revisions the last one known."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from tests.market_rows import at, bar_rows, record_rows, store_rows
from trading.market.calendar import calendar
from trading.market.store import MarketStore, StoreError
from trading.market.timeguard import TimeGuard, TimeGuardError, published_through

if TYPE_CHECKING:
    from pathlib import Path

FRIDAY, MONDAY, TUESDAY = date(2026, 2, 20), date(2026, 2, 23), date(2026, 2, 24)


def _closes(root: Path, now_us: int, **options: object) -> list[int]:
    found = TimeGuard(MarketStore(root)).rows(
        "spot_bars",
        now_us=now_us,
        columns=("as_of", "close_paise"),
        **options,  # type: ignore[arg-type]
    )
    return found["close_paise"].tolist() if found else []


def test_a_row_is_seen_from_the_microsecond_it_was_known(tmp_path: Path) -> None:
    end = at(MONDAY, "10:00")
    store_rows(tmp_path, "spot_bars", bar_rows({end: 25_000_00}))
    assert _closes(tmp_path, end - 1) == []
    assert _closes(tmp_path, end) == [25_000_00]


def test_a_correction_is_seen_from_the_moment_it_came(tmp_path: Path) -> None:
    end, corrected = at(MONDAY, "10:00"), at(MONDAY, "10:05")
    store_rows(tmp_path, "spot_bars", bar_rows({end: 25_000_00}))
    later = [row | {"available_at": corrected} for row in bar_rows({end: 25_010_00})]
    store_rows(tmp_path, "spot_bars", later, name="corrections")
    assert _closes(tmp_path, corrected - 1) == [25_000_00]
    assert _closes(tmp_path, corrected) == [25_010_00]


@pytest.mark.parametrize("clock", ["10:00", "10:05"])
@pytest.mark.parametrize("name", ["made", "made another time", "made a third time"])
def test_a_generated_row_never_stands_in_for_a_recorded_one(
    tmp_path: Path, clock: str, name: str
) -> None:
    end, later = at(MONDAY, "10:00"), at(MONDAY, clock)
    made = [row | {"available_at": later} for row in bar_rows({end: 1_00})]
    store_rows(tmp_path, "spot_bars", made, name=name, synthetic=True)
    assert _closes(tmp_path, later) == [1_00]
    store_rows(tmp_path, "spot_bars", bar_rows({end: 25_000_00}))
    assert _closes(tmp_path, later) == [25_000_00]
    assert _closes(tmp_path, later, where={"synthetic": True}) == [1_00]


def test_more_rows_to_come_change_nothing_that_was_known(tmp_path: Path) -> None:
    minutes = [at(MONDAY, f"10:{minute:02d}") for minute in range(5)]
    store_rows(tmp_path, "spot_bars", bar_rows(dict.fromkeys(minutes[:3], 25_000_00)))
    before = _closes(tmp_path, minutes[2])
    store_rows(tmp_path, "spot_bars", bar_rows(dict.fromkeys(minutes[3:], 1_00)), name="later")
    assert _closes(tmp_path, minutes[2]) == before
    assert len(_closes(tmp_path, minutes[4])) == 5


def test_a_record_is_seen_at_nine_of_the_next_market_day(tmp_path: Path) -> None:
    store_rows(tmp_path, "bhavcopy_options", record_rows(FRIDAY, known=MONDAY))
    guard = TimeGuard(MarketStore(tmp_path))
    count = len(record_rows(FRIDAY, known=MONDAY))
    for clock, seen in (("08:59:59", 0), ("09:00", count)):
        rows = guard.rows("bhavcopy_options", now_us=at(MONDAY, clock))
        assert len(rows.get("close_paise", [])) == seen


def test_a_record_that_claims_to_have_been_known_at_once_is_not_believed(tmp_path: Path) -> None:
    rows = record_rows(FRIDAY, known=FRIDAY, available_at=at(FRIDAY, "15:31"))
    store_rows(tmp_path, "bhavcopy_options", rows)
    guard = TimeGuard(MarketStore(tmp_path))
    assert len(guard.rows("bhavcopy_options", now_us=at(FRIDAY, "23:00"))["close_paise"]) == 0
    assert len(guard.rows("bhavcopy_options", now_us=at(MONDAY, "09:00"))["close_paise"]) == 42


@pytest.mark.parametrize(
    ("day", "clock", "through"),
    [
        (MONDAY, "08:59:59", date(2026, 2, 19)),
        (MONDAY, "09:00", FRIDAY),
        (TUESDAY, "15:30", MONDAY),
        (date(2026, 2, 22), "12:00", date(2026, 2, 19)),  # a Sunday: Friday's is out on Monday
        (date(2026, 2, 1), "09:00", date(2026, 1, 30)),  # a Sunday with a session
        (date(2026, 1, 26), "12:00", date(2026, 1, 22)),  # a holiday
    ],
)
def test_through_which_day_records_are_out(day: date, clock: str, through: date) -> None:
    assert published_through(at(day, clock)) == through


def test_outside_the_calendar_a_record_is_out_a_day_later() -> None:
    beyond = calendar().last.replace(year=calendar().last.year + 1)
    assert (beyond - published_through(at(beyond, "12:00"))).days >= 1


def test_columns_filters_and_a_beginning(tmp_path: Path) -> None:
    ends = [at(MONDAY, "10:00"), at(MONDAY, "10:01")]
    both = [
        *bar_rows({ends[0]: 1_00, ends[1]: 2_00}),
        *bar_rows({ends[0]: 3_00, ends[1]: 4_00}, underlying="BANKNIFTY"),
    ]
    store_rows(tmp_path, "spot_bars", both)
    assert _closes(tmp_path, ends[1]) == [3_00, 4_00, 1_00, 2_00]  # by key
    assert _closes(tmp_path, ends[1], where={"underlying": "NIFTY"}) == [1_00, 2_00]
    named = ("NIFTY", "BANKNIFTY")
    assert _closes(tmp_path, ends[1], where={"underlying": named}, since_us=ends[1]) == [4_00, 2_00]


def test_a_category_or_column_there_is_none_of_is_named(tmp_path: Path) -> None:
    store_rows(tmp_path, "spot_bars", bar_rows({at(MONDAY, "10:00"): 1_00}))
    guard = TimeGuard(MarketStore(tmp_path))
    with pytest.raises(TimeGuardError, match="no category 'spots'"):
        guard.rows("spots", now_us=0)
    with pytest.raises(TimeGuardError, match="has no column 'strike'"):
        guard.rows("spot_bars", now_us=2**60, where={"strike": 1})


def test_a_guard_keeps_to_the_generation_it_was_made_with(tmp_path: Path) -> None:
    end = at(MONDAY, "10:00")
    store_rows(tmp_path, "spot_bars", bar_rows({end: 1_00}))
    guard = TimeGuard(MarketStore(tmp_path))
    store_rows(tmp_path, "spot_bars", bar_rows({end + 1: 2_00}), name="later")
    assert guard.rows("spot_bars", now_us=2**60)["close_paise"].tolist() == [1_00]
    assert _closes(tmp_path, 2**60) == [1_00, 2_00]


def test_a_damaged_file_is_no_history(tmp_path: Path) -> None:
    store_rows(tmp_path, "spot_bars", bar_rows({at(MONDAY, "10:00"): 1_00}))
    (path,) = (tmp_path / "spot_bars").glob("*.parquet")
    path.chmod(0o600)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(StoreError, match="the market catalogue expects"):
        TimeGuard(MarketStore(tmp_path)).rows("spot_bars", now_us=2**60)
