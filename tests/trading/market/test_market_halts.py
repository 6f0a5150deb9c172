"""Market-wide halts that a feed tells from its index: every row of the table on both sides of its
times and levels, what is counted from, and what the feed says when.
"""

from __future__ import annotations

from datetime import date, time
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.market_rows import MINUTE_US, at, bar_rows, chain_rows, store_rows
from trading.market.calendar import CalendarError, session_hours
from trading.market.circuit_breakers import Breaker, CircuitBreakerError, trigger_points
from trading.market.feed import feed_items, files_of_days, live_halts_counted_from
from trading.market.figures import table
from trading.market.frames import MarketFrame, MarketStatus
from trading.market.market_halts import IndexWatch
from trading.market.quality import Reading
from trading.market.store import MarketStore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DAY, BEFORE = date(2026, 2, 24), date(2026, 2, 23)
CLOSE = 25_000_00
HOURS = session_hours(DAY)
ROWS = table("circuit_breakers")["circuit_breaker"]
ROW_NAMES = [f"{row['move_percent']} % from {row['after']}" for row in ROWS]


# --- the table: what a value halts ----------------------------------------------------------------


def _span(row: dict[str, time]) -> tuple[int, int]:
    """The first and the last µs of a row within the session."""
    opens = at(DAY, row["after"].isoformat())
    return max(opens, HOURS.open_us), min(at(DAY, row["before"].isoformat()), HOURS.close_us) - 1


@pytest.mark.parametrize("side", [-1, 1], ids=["fall", "rise"])
@pytest.mark.parametrize("row", ROWS, ids=ROW_NAMES)
def test_a_row_holds_from_its_first_moment_to_its_last(row: dict[str, int], side: int) -> None:
    points = trigger_points(DAY, CLOSE)[row["move_percent"]]
    for at_us in _span(row):  # type: ignore[arg-type]
        halt = Breaker(DAY, {"NIFTY": CLOSE}).take(at_us, "NIFTY", CLOSE + side * points)
        assert halt is not None
        assert (halt.move_percent, halt.begins_us) == (row["move_percent"], at_us)
        if row.get("rest_of_day"):
            assert halt.rest_of_day
            assert (halt.halted_until_us, halt.reopens_us) == (HOURS.close_us, HOURS.close_us)
        else:
            ends = at_us + row["halt_minutes"] * MINUTE_US
            reopens = ends + row["auction_minutes"] * MINUTE_US
            assert halt.halted_until_us == min(ends, HOURS.close_us)
            assert halt.reopens_us == min(reopens, HOURS.close_us)


@pytest.mark.parametrize("side", [-1, 1], ids=["fall", "rise"])
@pytest.mark.parametrize("row", ROWS, ids=ROW_NAMES)
def test_a_paisa_short_of_a_level_is_not_that_level(row: dict[str, int], side: int) -> None:
    points = trigger_points(DAY, CLOSE)[row["move_percent"]]
    first, _ = _span(row)  # type: ignore[arg-type]
    halt = Breaker(DAY, {"NIFTY": CLOSE}).take(first, "NIFTY", CLOSE + side * (points - 1))
    assert (halt.move_percent if halt else 0) < row["move_percent"]
    assert (halt is None) == (row["move_percent"] == 10)


@pytest.mark.parametrize(
    ("clock", "percent", "minutes"),
    [
        ("12:59:59", 10, 60),
        ("13:00:00", 10, 30),
        ("14:29:59", 10, 30),
        ("14:30:00", 10, 0),
        ("12:59:59", 15, 120),
        ("13:00:00", 15, 60),
        ("13:59:59", 15, 60),
        ("14:00:00", 15, None),
        ("09:15:00", 20, None),
        ("15:29:59", 20, None),
    ],
)
def test_the_minutes_until_trading_goes_on(clock: str, percent: int, minutes: int | None) -> None:
    begins = at(DAY, clock)
    halt = Breaker(DAY, {"NIFTY": CLOSE}).take(begins, "NIFTY", CLOSE * (100 - percent) // 100)
    assert halt is not None
    ends = HOURS.close_us if minutes is None else begins + minutes * MINUTE_US
    assert (halt.rest_of_day, halt.reopens_us) == (minutes is None, ends)


@pytest.mark.parametrize("at_us", [HOURS.open_us - 1, HOURS.close_us])
def test_outside_the_session_nothing_is_halted(at_us: int) -> None:
    assert Breaker(DAY, {"NIFTY": CLOSE}).take(at_us, "NIFTY", CLOSE // 2) is None


def test_a_day_without_a_session_or_before_the_table_has_no_breaker() -> None:
    with pytest.raises(CalendarError):
        Breaker(date(2026, 2, 22), {"NIFTY": CLOSE})
    with pytest.raises(CircuitBreakerError, match="begins on"):
        Breaker(date(2013, 10, 11), {"NIFTY": CLOSE})


# --- the index: which values count ----------------------------------------------------------------


def _reading(at_us: int, paise: int, *, received: int | None = None) -> Reading:
    return Reading(paise, at_us, at_us if received is None else received, "test", MINUTE_US)


def test_one_wild_value_halts_nothing_and_three_that_agree_do() -> None:
    watch = IndexWatch(DAY, {"NIFTY": CLOSE})
    watch.take("NIFTY", _reading(at(DAY, "10:00"), CLOSE))
    watch.take("NIFTY", _reading(at(DAY, "10:01"), CLOSE // 10))
    watch.take("NIFTY", _reading(at(DAY, "10:02"), CLOSE))
    assert watch.found() == []
    for clock in ("10:03", "10:04", "10:05"):
        watch.take("NIFTY", _reading(at(DAY, clock), CLOSE * 88 // 100))
    (halt,) = watch.found()
    assert (halt.move_percent, halt.begins_us) == (10, at(DAY, "10:05"))
    assert watch.found() == []


def test_a_wild_value_that_is_old_as_well_halts_nothing_either() -> None:
    watch = IndexWatch(DAY, {"NIFTY": CLOSE})
    watch.take("NIFTY", _reading(at(DAY, "10:00"), CLOSE))
    watch.take("NIFTY", _reading(at(DAY, "10:01"), CLOSE // 10, received=at(DAY, "10:09")))
    assert watch.found() == []


def test_a_late_value_halts_nothing_and_a_stamp_ahead_of_its_receipt_is_not_believed() -> None:
    watch = IndexWatch(DAY, {"NIFTY": CLOSE})
    watch.take("NIFTY", _reading(at(DAY, "10:00"), CLOSE * 91 // 100))
    watch.take("NIFTY", _reading(at(DAY, "09:59"), CLOSE * 89 // 100, received=at(DAY, "10:01")))
    assert watch.found() == []
    watch.take("NIFTY", _reading(at(DAY, "13:00"), CLOSE * 89 // 100, received=at(DAY, "12:59")))
    (halt,) = watch.found()
    assert halt.begins_us == at(DAY, "12:59")


@given(
    st.lists(st.tuples(st.integers(0, 374), st.integers(70, 130)), max_size=20).map(sorted),
    st.integers(0, 20),
)
def test_what_comes_later_changes_no_halt(moves: list[tuple[int, int]], cut: int) -> None:
    def halts(told: Sequence[tuple[int, int]]) -> list[object]:
        watch = IndexWatch(DAY, {"NIFTY": CLOSE})
        for minute, percent in told:
            at_us = HOURS.open_us + minute * MINUTE_US
            watch.take("NIFTY", _reading(at_us, CLOSE * percent // 100))
        return list(watch.found())

    early = halts(moves[:cut])
    assert halts(moves)[: len(early)] == early


# --- the feed: what it says when ------------------------------------------------------------------


def _close_rows(
    paise: int, *, day: date = BEFORE, known: int | None = None
) -> list[dict[str, object]]:
    return [
        {
            "as_of": at(day, "15:30"),
            "available_at": at(DAY, "09:00") if known is None else known,
            "trade_date": day,
            "index": "Nifty 50",
            "close_paise": paise,
        }
    ]


def _day(
    root: Path, levels: dict[str, int], *, chains: Sequence[str] = ("09:16",), **names: str
) -> None:
    store_rows(
        root,
        "chain_snapshots",
        [
            row
            for n, clock in enumerate(chains)
            for row in chain_rows(at(DAY, clock), nudge=5 * n, **names)  # type: ignore[arg-type]
        ],
    )
    bars = {at(DAY, clock): paise for clock, paise in levels.items()}
    store_rows(root, "spot_bars", bar_rows(bars))


def _falling(to_percent: int, by: str) -> dict[str, int]:
    """A fall of one per cent a minute that arrives at a time."""
    end = at(DAY, by)
    minutes = range(to_percent + 1)
    first = end - to_percent * MINUTE_US
    clocks = [(first + n * MINUTE_US - at(DAY, "00:00")) // 1_000_000 for n in minutes]
    return {
        f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}": CLOSE * (100 - n) // 100
        for n, s in zip(minutes, clocks, strict=True)
    }


def _items(root: Path, *underlyings: str) -> list[MarketFrame | MarketStatus]:
    return list(feed_items(MarketStore(root), underlyings or ("NIFTY",), DAY, DAY))


def _halts(root: Path, *underlyings: str) -> list[tuple[str, int, str]]:
    return [
        (item.underlying, item.available_at, item.status)
        for item in _items(root, *underlyings)
        if isinstance(item, MarketStatus) and item.status != "GAP"
    ]


def test_the_feed_halts_where_the_index_crosses_and_goes_on_after_the_auction(
    tmp_path: Path,
) -> None:
    _day(tmp_path, _falling(10, "10:00") | {"11:05": CLOSE * 95 // 100})
    store_rows(tmp_path, "index_closes", _close_rows(CLOSE))
    assert _halts(tmp_path) == [
        ("NIFTY", at(DAY, "10:00"), "HALT"),
        ("NIFTY", at(DAY, "11:00"), "RESUME"),
    ]
    statuses = [item for item in _items(tmp_path) if isinstance(item, MarketStatus)]
    assert [s.reason for s in statuses if s.status == "HALT"] == [
        "market-wide circuit breaker, 10 % of the previous close 25000.00 of NIFTY"
    ]
    # The frame of the crossing already stands in the halt; in the halt nothing is a gap.
    items = _items(tmp_path)
    (begun,) = [
        n for n, i in enumerate(items) if isinstance(i, MarketStatus) and i.status == "HALT"
    ]
    crossing, resumed = items[begun + 1], items[begun + 2]
    assert isinstance(crossing, MarketFrame)
    assert (crossing.available_at, str(crossing.quality.spot.state)) == (at(DAY, "10:00"), "HALTED")
    assert isinstance(resumed, MarketStatus)


@pytest.mark.parametrize(
    ("percent", "by", "resumes"),
    [
        (10, "12:59", "13:59"),
        (10, "13:00", "13:30"),
        (10, "14:29", "14:59"),
        (10, "14:30", None),
    ],
)
def test_each_row_of_the_first_level_in_a_feed(
    tmp_path: Path, percent: int, by: str, resumes: str | None
) -> None:
    _day(tmp_path, _falling(percent, by))
    store_rows(tmp_path, "index_closes", _close_rows(CLOSE))
    told = (
        [("NIFTY", at(DAY, by), "HALT"), ("NIFTY", at(DAY, resumes), "RESUME")] if resumes else []
    )
    assert _halts(tmp_path) == told


@pytest.mark.parametrize(
    ("percent", "by", "resumes"),
    [
        (16, "12:58", "14:58"),
        (16, "13:05", "14:05"),
        (16, "14:05", None),
        (21, "11:00", None),
    ],
)
def test_each_row_of_the_higher_levels_in_a_feed(
    tmp_path: Path, percent: int, by: str, resumes: str | None
) -> None:
    """The day opens beyond the level; the first value is the one that crosses."""
    _day(tmp_path, {by: CLOSE * (100 - percent) // 100}, chains=("09:16", "15:20"))
    store_rows(tmp_path, "index_closes", _close_rows(CLOSE))
    told = [("NIFTY", at(DAY, by), "HALT")]
    if resumes:
        told.append(("NIFTY", at(DAY, resumes), "RESUME"))
    assert _halts(tmp_path) == told


def test_the_index_halts_every_underlying_also_when_it_is_not_traded(tmp_path: Path) -> None:
    _day(tmp_path, _falling(10, "10:00"), underlying="BANKNIFTY")
    store_rows(tmp_path, "index_closes", _close_rows(CLOSE))
    assert _halts(tmp_path, "BANKNIFTY") == [
        ("BANKNIFTY", at(DAY, "10:00"), "HALT"),
        ("BANKNIFTY", at(DAY, "11:00"), "RESUME"),
    ]
    assert {i.underlying for i in _items(tmp_path, "BANKNIFTY")} == {"BANKNIFTY"}


def test_a_chain_that_says_where_the_index_stands_halts_too(tmp_path: Path) -> None:
    rows = [
        row
        for n in range(12)
        for row in chain_rows(
            at(DAY, "10:00") + n * MINUTE_US, nudge=5 * n, spot=CLOSE * (100 - n) // 100
        )
    ]
    store_rows(tmp_path, "chain_snapshots", rows)
    store_rows(tmp_path, "index_closes", _close_rows(CLOSE))
    assert _halts(tmp_path) == [
        ("NIFTY", at(DAY, "10:10"), "HALT"),
        ("NIFTY", at(DAY, "11:10"), "RESUME"),
    ]


@pytest.mark.parametrize(
    "closes",
    [
        [],
        _close_rows(CLOSE, day=date(2026, 2, 20)),  # of an earlier day
        _close_rows(CLOSE, known=at(DAY, "09:15:01")),  # known after the open
    ],
    ids=["none", "older", "late"],
)
def test_without_the_close_of_the_day_before_nothing_is_told(
    tmp_path: Path, closes: list[dict[str, object]]
) -> None:
    _day(tmp_path, _falling(12, "10:00"))
    if closes:
        store_rows(tmp_path, "index_closes", closes)
    assert _halts(tmp_path) == []


def test_a_generated_close_is_not_taken_for_a_recorded_day(tmp_path: Path) -> None:
    _day(tmp_path, _falling(12, "10:00"))
    store_rows(tmp_path, "index_closes", _close_rows(CLOSE), synthetic=True)
    assert _halts(tmp_path) == []


def test_a_live_day_counts_from_a_recorded_close_alone(tmp_path: Path) -> None:
    """Also where the store holds a generated market of that very day."""
    store = MarketStore(tmp_path)
    assert live_halts_counted_from(store, DAY) == {}
    made = chain_rows(at(DAY, "09:16"))
    store_rows(tmp_path, "chain_snapshots", made, name="made", synthetic=True)
    store_rows(tmp_path, "index_closes", _close_rows(1), name="made", synthetic=True)
    assert live_halts_counted_from(store, DAY) == {}
    late = _close_rows(CLOSE + 100, known=at(DAY, "09:15:01"))
    store_rows(tmp_path, "index_closes", late, name="late")
    assert live_halts_counted_from(store, DAY) == {}
    store_rows(tmp_path, "index_closes", _close_rows(CLOSE))
    assert live_halts_counted_from(store, DAY) == {"NIFTY": CLOSE}
    assert live_halts_counted_from(store, date(2026, 2, 22)) == {}  # a Sunday


def test_the_file_of_the_close_is_among_those_a_session_names(tmp_path: Path) -> None:
    _day(tmp_path, _falling(10, "10:00"))
    digest = store_rows(tmp_path, "index_closes", _close_rows(CLOSE))
    named = files_of_days(MarketStore(tmp_path), ("NIFTY",), (DAY,))
    assert digest in {file.source for file in named}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        # The rows say it at the same instant, and resume a little later: theirs count.
        ((("10:00", "HALT"), ("11:00:01", "RESUME")), (("10:00", "HALT"), ("11:00:01", "RESUME"))),
        # The rows say it later and resume sooner: the halt is told once, and ends with the last.
        ((("10:02", "HALT"), ("10:50", "RESUME")), (("10:00", "HALT"), ("11:00", "RESUME"))),
        ((("09:55", "HALT"), ("10:30", "RESUME")), (("09:55", "HALT"), ("11:00", "RESUME"))),
        ((("09:55", "HALT"), ("12:30", "RESUME")), (("09:55", "HALT"), ("12:30", "RESUME"))),
        ((("10:59", "HALT"), ("11:30", "RESUME")), (("10:00", "HALT"), ("11:30", "RESUME"))),
    ],
)
def test_a_halt_told_twice_is_one_halt(
    tmp_path: Path,
    told: tuple[tuple[str, str], ...],
    expected: tuple[tuple[str, str], ...],
) -> None:
    _day(tmp_path, _falling(10, "10:00") | {"13:00": CLOSE * 95 // 100})
    store_rows(tmp_path, "index_closes", _close_rows(CLOSE))
    rows = [
        {
            "as_of": at(DAY, clock),
            "available_at": at(DAY, clock),
            "underlying": "NIFTY",
            "status": status,
            "reason": "told",
        }
        for clock, status in told
    ]
    store_rows(tmp_path, "market_status", rows)
    assert _halts(tmp_path) == [("NIFTY", at(DAY, clock), status) for clock, status in expected]


def test_everything_comes_in_the_order_it_became_known(tmp_path: Path) -> None:
    _day(tmp_path, _falling(16, "12:58") | {"15:10": CLOSE}, chains=("09:16", "13:10", "15:20"))
    store_rows(tmp_path, "index_closes", _close_rows(CLOSE))
    times = [item.available_at for item in _items(tmp_path, "NIFTY", "BANKNIFTY")]
    assert all(before <= after for before, after in pairwise(times))
