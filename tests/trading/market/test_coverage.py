"""What is held by market day: full, part, nothing; gaps on market days only; how far behind."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.market_rows import at, chain_rows, store_rows
from trading.market.calendar import calendar, session_hours
from trading.market.coverage import (
    DAILY,
    INTRADAY,
    DayRows,
    Level,
    Line,
    day_coverage,
    days_behind,
    expected_through,
    gaps,
    lines_of,
    missing_days,
)
from trading.market.day_slots import slots_between
from trading.market.selectors import (
    LONGEST_RANGE_DAYS,
    coverage_page,
    import_page,
    market_catalogue,
    rejected_page,
)
from trading.market.services import market_import
from trading.market.store import Catalogue, MarketStore

if TYPE_CHECKING:
    from pathlib import Path

    from tests.trading.market.conftest import WriteFile

FRIDAY, MONDAY = date(2026, 2, 20), date(2026, 2, 23)
HOLIDAY = date(2026, 3, 3)  # Holi, a Tuesday
MUHURAT = date(2024, 11, 1)  # an hour in the evening of a Friday
MINUTE_US = 60_000_000
YEAR = date(2026, 1, 1), date(2026, 12, 31)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "market"


def snapshots(day: date, *clocks: str, underlying: str = "NIFTY") -> list[dict[str, object]]:
    return [
        row
        for clock in clocks
        for row in chain_rows(at(day, clock), underlying=underlying, strikes_each_side=1)
    ]


def every_quarter(day: date) -> list[str]:
    """The wall-clock times, a minute into each quarter of an hour of a session."""
    times = []
    for opens_us, closes_us in session_hours(day).intervals:
        for moment in range(opens_us + MINUTE_US, closes_us, 15 * MINUTE_US):
            minutes = (moment - at(day, "00:00")) // MINUTE_US
            times.append(f"{minutes // 60:02d}:{minutes % 60:02d}")
    return times


def daily(days: list[date], category: str = "bhavcopy_options") -> Line:
    return Line(category, "NIFTY", DAILY, {day: DayRows(1, 0, synthetic=False) for day in days})


def chains(root: Path) -> Line:
    (line,) = lines_of(MarketStore(root).catalogue().entries)
    return line


# --- one day --------------------------------------------------------------------------------------


def test_a_day_with_a_row_in_every_quarter_of_an_hour_is_full(root: Path) -> None:
    store_rows(root, "chain_snapshots", snapshots(FRIDAY, *every_quarter(FRIDAY)))
    covered = day_coverage(chains(root), FRIDAY)
    assert (covered.level, covered.quarters, covered.of_quarters) == (Level.FULL, 25, 25)
    assert covered.missing_ist == ()


def test_a_hole_makes_it_partial_and_is_named(root: Path) -> None:
    clocks = [c for c in every_quarter(FRIDAY) if not "11:00" <= c < "12:00"]
    store_rows(root, "chain_snapshots", snapshots(FRIDAY, *clocks))
    covered = day_coverage(chains(root), FRIDAY)
    assert (covered.level, covered.quarters) == (Level.PARTIAL, 21)
    assert covered.missing_ist == ("11:00–12:00",)


def test_two_files_make_one_day(root: Path) -> None:
    clocks = every_quarter(FRIDAY)
    store_rows(root, "chain_snapshots", snapshots(FRIDAY, *clocks[:12]))
    assert day_coverage(chains(root), FRIDAY).missing_ist == ("12:15–15:30",)
    store_rows(root, "chain_snapshots", snapshots(FRIDAY, *clocks[12:]), name="second")
    assert day_coverage(chains(root), FRIDAY).level is Level.FULL


def test_rows_outside_the_session_cover_nothing(root: Path) -> None:
    store_rows(root, "chain_snapshots", snapshots(FRIDAY, "08:59", "15:31", "18:20"))
    covered = day_coverage(chains(root), FRIDAY)
    assert (covered.level, covered.quarters) == (Level.PARTIAL, 0)


def test_a_muhurat_hour_is_a_whole_day(root: Path) -> None:
    clocks = every_quarter(MUHURAT)
    assert len(clocks) == 4
    assert clocks[0] > "18:00"
    store_rows(root, "chain_snapshots", snapshots(MUHURAT, *clocks))
    assert day_coverage(chains(root), MUHURAT).level is Level.FULL


def test_a_longer_session_asks_for_more(root: Path) -> None:
    longer = date(2026, 8, 4)  # until 15:40
    store_rows(root, "chain_snapshots", snapshots(longer, *every_quarter(FRIDAY)))
    assert day_coverage(chains(root), longer).missing_ist == ("15:30–15:45",)


def test_bars_are_of_the_quarter_before_their_label(root: Path) -> None:
    ends = [at(FRIDAY, "09:15") + n * 15 * MINUTE_US for n in range(1, 26)]
    rows = [
        {"as_of": end, "available_at": end, "underlying": "NIFTY", "interval": "5m"} for end in ends
    ]
    store_rows(root, "spot_bars", rows)
    assert day_coverage(chains(root), FRIDAY).level is Level.FULL


def test_bars_of_days_and_of_minutes_are_two_lines(root: Path) -> None:
    end = at(FRIDAY, "15:30")
    common = {"as_of": end, "available_at": end, "underlying": "NIFTY"}
    store_rows(root, "spot_bars", [common | {"interval": "1d"}, common | {"interval": "1m"}])
    lines = lines_of(MarketStore(root).catalogue().entries)
    assert [(line.resolution, line.days[FRIDAY].rows) for line in lines] == [
        (DAILY, 1),
        (INTRADAY, 1),
    ]
    assert [day_coverage(line, FRIDAY).level for line in lines] == [Level.FULL, Level.PARTIAL]


def test_days_listed_by_an_earlier_build_are_held_to_an_unknown_extent(root: Path) -> None:
    store_rows(root, "chain_snapshots", snapshots(FRIDAY, "10:00"))
    path = root / "catalogue.json"
    said = msgspec.json.decode(path.read_bytes())
    said["imports"][0]["files"][0]["days"] = {"NIFTY": ["2026-02-20"]}
    del said["imports"][0]["imported_at_us"]
    path.write_bytes(msgspec.json.encode(said))
    assert day_coverage(chains(root), FRIDAY).level is Level.EXTENT_UNKNOWN
    assert MarketStore(root).catalogue().entries[0].days == {"NIFTY": ("2026-02-20",)}


def test_the_catalogue_reads_back_what_it_wrote(root: Path) -> None:
    store_rows(root, "chain_snapshots", snapshots(FRIDAY, "10:00"))
    catalogue = MarketStore(root).catalogue()
    again = msgspec.json.decode(msgspec.json.encode(catalogue), type=Catalogue)
    assert again == catalogue


# --- gaps -----------------------------------------------------------------------------------------


def test_a_weekend_and_a_holiday_are_no_gap() -> None:
    assert gaps(daily([FRIDAY, MONDAY]), *YEAR) == ()
    assert not calendar().is_market_day(HOLIDAY)
    around = [HOLIDAY - timedelta(days=1), HOLIDAY + timedelta(days=1)]
    assert gaps(daily(around), *YEAR) == ()


def test_a_special_session_on_a_weekend_is_missed() -> None:
    saturday = date(2024, 3, 2)
    found = gaps(daily([date(2024, 3, 1), date(2024, 3, 4)]), saturday, saturday)
    assert found == ((saturday, saturday, 1),)


def test_gaps_are_runs_of_market_days_within_what_is_held_and_asked() -> None:
    line = daily([date(2026, 2, 2), date(2026, 2, 6), MONDAY])
    assert gaps(line, *YEAR) == (
        (date(2026, 2, 3), date(2026, 2, 5), 3),
        (date(2026, 2, 9), FRIDAY, 10),
    )
    assert gaps(line, date(2026, 2, 4), date(2026, 2, 10)) == (
        (date(2026, 2, 4), date(2026, 2, 5), 2),
        (date(2026, 2, 9), date(2026, 2, 10), 2),
    )


def test_other_markets_keep_other_days() -> None:
    days = {FRIDAY: DayRows(1, 1, synthetic=False), YEAR[0]: DayRows(1, 1, synthetic=False)}
    line = Line("prints", "*", INTRADAY, dict(sorted(days.items())))
    assert not line.judged
    assert gaps(line, *YEAR) == ()
    assert missing_days(line) == set()
    assert days_behind(line, at(date(2026, 3, 30), "12:00")) is None


@given(st.sets(st.dates(date(2024, 1, 1), date(2024, 12, 31)), min_size=1))
def test_held_and_gaps_make_up_the_market_days_between(held: set[date]) -> None:
    line = daily(sorted(held))
    found = gaps(line, date(2024, 1, 1), date(2024, 12, 31))
    # An independent walk, one date at a time.
    day, lacking = line.first, []
    while day <= line.last:
        if calendar().is_market_day(day) and day not in held:
            lacking.append(day)
        day += timedelta(days=1)
    assert sum(gap.market_days for gap in found) == len(lacking)
    assert missing_days(line) == set(lacking)
    assert all(gap.first in lacking and gap.last in lacking for gap in found)
    between = pairwise(found)
    assert all(
        any(one.last < day < other.first and calendar().is_market_day(day) for day in held)
        for one, other in between
    )


@given(st.integers(0, 95), st.integers(1, 95))
def test_slots_between_are_the_quarters_touched(first: int, length: int) -> None:
    last = min(96, first + length)
    start, quarter = at(FRIDAY, "00:00"), 15 * MINUTE_US
    slots = slots_between(start + first * quarter, start + last * quarter)
    assert [n for n in range(97) if slots >> n & 1] == list(range(first, last))


# --- behind ---------------------------------------------------------------------------------------


def test_a_session_counts_once_it_has_closed_and_a_record_once_it_is_out() -> None:
    assert expected_through(INTRADAY, at(MONDAY, "15:29")) == FRIDAY
    assert expected_through(INTRADAY, at(MONDAY, "15:30")) == MONDAY
    assert expected_through(DAILY, at(MONDAY, "08:59")) == date(2026, 2, 19)
    assert expected_through(DAILY, at(MONDAY, "09:00")) == FRIDAY
    assert expected_through(INTRADAY, at(date(2026, 2, 22), "12:00")) == FRIDAY


def test_behind_counts_market_days_only() -> None:
    line = daily([FRIDAY])
    assert days_behind(line, at(MONDAY, "09:00")) == 0
    assert days_behind(line, at(MONDAY + timedelta(days=1), "09:00")) == 1
    # Monday to Monday over Holi: the record of Friday is the newest out.
    assert days_behind(daily([MONDAY]), at(date(2026, 3, 9), "12:00")) == 8


def test_beyond_the_calendar_nothing_more_is_expected() -> None:
    last = date(2026, 12, 31)
    assert expected_through(INTRADAY, at(date(2028, 5, 2), "12:00")) == last
    assert days_behind(daily([last]), at(date(2028, 5, 2), "12:00")) == 0


# --- pages ----------------------------------------------------------------------------------------


def test_an_empty_store_holds_nothing(root: Path) -> None:
    now_us = at(MONDAY, "12:00")
    assert market_catalogue(root=root, now_us=now_us).held == ()
    assert coverage_page(root=root, now_us=now_us).lines == ()
    assert import_page(root=root).total == 0
    assert rejected_page(root=root).files == ()
    assert not root.exists()


def test_the_catalogue_says_how_fresh_and_how_whole(root: Path) -> None:
    store_rows(root, "chain_snapshots", snapshots(date(2026, 2, 18), "10:00"))
    store_rows(root, "chain_snapshots", snapshots(FRIDAY, "10:00"), name="b", synthetic=True)
    page = market_catalogue(root=root, now_us=at(date(2026, 2, 24), "15:30"))
    (held,) = page.held
    assert (held.name, held.first_day, held.last_day) == (
        "chain_snapshots",
        date(2026, 2, 18),
        FRIDAY,
    )
    assert (held.behind, held.missing, held.imported_at_us) == (2, 1, None)
    assert held.age_us == at(date(2026, 2, 24), "15:30") - at(FRIDAY, "10:00")
    assert held.synthetic
    assert not held.synthetic_only
    assert page.synthetic


def test_one_lines_days_between_two_dates(root: Path) -> None:
    store_rows(root, "chain_snapshots", snapshots(FRIDAY, *every_quarter(FRIDAY)))
    store_rows(root, "chain_snapshots", snapshots(date(2026, 2, 25), "10:00"), name="b")
    page = coverage_page(
        root=root,
        now_us=at(date(2026, 2, 27), "12:00"),
        line="chain_snapshots.NIFTY.intraday",
        first=FRIDAY,
        last=date(2026, 2, 28),
    )
    assert page.chosen is not None
    levels = {one.day.day: one.level for one in page.chosen.days}
    assert levels == {
        20: Level.FULL,
        23: Level.NONE,
        24: Level.NONE,
        25: Level.PARTIAL,
        26: Level.NONE,
    }
    assert page.chosen.gaps == ((MONDAY, date(2026, 2, 24), 2),)
    ((month, days),) = page.chosen.months
    assert month == date(2026, 2, 1)
    assert days[19] is not None
    assert days[19].day == FRIDAY
    assert days[20] is None  # a Saturday
    (year,) = page.chosen.line.years
    assert year is not None
    assert (year.held, year.expected, year.partial, year.level) == (2, 5, 1, Level.PARTIAL)


def test_a_line_shows_its_last_year_and_a_long_range_its_end(root: Path) -> None:
    store_rows(root, "chain_snapshots", snapshots(date(2012, 3, 1), "10:00"))
    store_rows(root, "chain_snapshots", snapshots(FRIDAY, "10:00"), name="b")
    now_us, line = at(MONDAY, "12:00"), "chain_snapshots.NIFTY.intraday"
    chosen = coverage_page(root=root, now_us=now_us, line=line).chosen
    assert chosen is not None
    assert (chosen.first, chosen.last, chosen.cut) == (date(2026, 1, 1), FRIDAY, False)
    chosen = coverage_page(root=root, now_us=now_us, line=line, first=date(2012, 1, 1), last=FRIDAY)
    assert chosen.chosen is not None
    assert chosen.chosen.cut
    assert (FRIDAY - chosen.chosen.first).days == LONGEST_RANGE_DAYS - 1


def test_rows_on_a_day_without_a_market_are_told_apart(root: Path) -> None:
    sunday = date(2026, 2, 22)
    rows = snapshots(FRIDAY, "10:00") + snapshots(sunday, "10:00") + snapshots(MONDAY, "10:00")
    store_rows(root, "chain_snapshots", rows)
    page = coverage_page(
        root=root, now_us=at(MONDAY, "16:00"), line="chain_snapshots.NIFTY.intraday"
    )
    assert page.chosen is not None
    assert page.chosen.elsewhere == (sunday,)
    assert page.chosen.held == 2


def test_a_new_generation_is_seen_at_once(root: Path) -> None:
    now_us = at(MONDAY, "12:00")
    store_rows(root, "chain_snapshots", snapshots(FRIDAY, "10:00"))
    assert len(coverage_page(root=root, now_us=now_us).lines) == 1
    store_rows(root, "chain_snapshots", snapshots(FRIDAY, "10:00", underlying="BANKNIFTY"))
    assert len(coverage_page(root=root, now_us=now_us).lines) == 2


# --- imports and refused rows ---------------------------------------------------------------------


@pytest.fixture
def refusing(root: Path, write_file: WriteFile) -> Path:
    """A store of two files: one refused 60 rows for two reasons, the other none."""
    from tests.trading.market.conftest import snapshot

    bad = [row for _ in range(15) for row in snapshot(Symbol="SENSEX")]
    early = snapshot(Fetch_Time="29-Aug-2025 04:00:00", collection_timestamp="20250829_040010")
    first = write_file("a.parquet", [*snapshot(), *bad, *early])
    second = write_file("b.parquet", snapshot(Symbol="BANKNIFTY"))
    market_import(root=root, paths=[first], now_us=at(FRIDAY, "08:00"))
    market_import(root=root, paths=[second], now_us=at(FRIDAY, "09:00"))
    return root


def test_refused_rows_page_by_page_are_all_of_them_once(refusing: Path) -> None:
    page = rejected_page(root=refusing)
    total = page.total
    assert page.reasons["UNKNOWN_UNDERLYING"] == 60
    assert sum(page.reasons.values()) == total
    assert len(page.rows) == 50
    rest = rejected_page(root=refusing, skip=50)
    rows = [*page.rows, *rest.rows]
    assert len(rows) == total
    assert len({(row.digest, row.row, row.category) for row in rows}) == total
    assert [row.row for row in rows] == sorted(row.row for row in rows)
    assert "SENSEX" in page.rows[0].raw
    assert page.files[0][0] == "a.parquet"


def test_refused_rows_of_one_reason(refusing: Path) -> None:
    page = rejected_page(root=refusing, reason="UNKNOWN_UNDERLYING", skip=50)
    assert (page.total, len(page.rows)) == (60, 10)
    assert {row.reason for row in page.rows} == {"UNKNOWN_UNDERLYING"}
    assert rejected_page(root=refusing, reason="NEVER_SAID").rows == ()
    assert rejected_page(root=refusing, digest="0" * 64).total == 0
    assert rejected_page(root=refusing, skip=10_000).rows == ()


def test_files_newest_first_with_what_became_of_them(refusing: Path) -> None:
    page = import_page(root=refusing)
    assert [(row.name, row.generation) for row in page.rows] == [("b.parquet", 2), ("a.parquet", 1)]
    assert page.rows[1].rejected == rejected_page(root=refusing).total
    assert page.rows[0].imported_at_us == at(FRIDAY, "09:00")
    assert import_page(root=refusing, name="nobody").total == 0
    assert import_page(root=refusing, skip=1).rows == page.rows[1:]
