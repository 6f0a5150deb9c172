"""The shipped tables as rows of the store, each as it was announced."""

from __future__ import annotations

from collections import Counter
from datetime import date, time, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.market.calendar import CalendarError, calendar, instant_us
from trading.market.categories import BY_NAME, columns_of
from trading.market.contracts import expiries, lot_size
from trading.market.figures import STATUSES, table
from trading.market.importers import ImportRefusedError, reference_tables
from trading.market.reference import TABLES, reference_rows
from trading.market.uncertain import uncertain_figures

if TYPE_CHECKING:
    from pathlib import Path

ROWS: dict[str, list[dict[str, Any]]] = {}
for name in TABLES:
    ROWS |= reference_rows(name, table(name))

DAYS = st.dates(date(2012, 1, 2), date(2026, 12, 31))


def _known(category: str, at_us: int) -> dict[tuple[Any, ...], dict[str, Any]]:
    """The rows of a category that hold at an instant, by their key."""
    key = BY_NAME[category].key
    known: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in sorted(ROWS[category], key=lambda row: row["available_at"]):
        if row["available_at"] <= at_us:
            known[tuple(row[name] for name in key)] = row
    return known


@pytest.mark.parametrize("category", reference_tables.CATEGORIES)
def test_rows_have_the_columns_of_their_category(category: str) -> None:
    added = {"source_digest", "synthetic", "generator", "seed", "mode"}
    expected = set(columns_of(category)) - added
    assert ROWS[category]
    key = BY_NAME[category].key
    seen = Counter((row["available_at"], *(row[name] for name in key)) for row in ROWS[category])
    assert max(seen.values()) == 1
    for row in ROWS[category]:
        assert set(row) == expected
        assert row["as_of"] < row["available_at"]
        assert row["status"] in STATUSES
        assert row["source"]
        assert all(row[name] is not None for name in key)


@given(day=DAYS, known=DAYS)
def test_the_calendar_rows_say_what_the_calendar_says(day: date, known: date) -> None:
    at_us = instant_us(known, time(12))
    row = _known("calendar", at_us)[(day,)]
    assert row["trades"] is calendar().is_market_day(day, known_at_us=at_us)
    assert row["counts_for_expiry"] is calendar().is_expiry_day_candidate(day, known_at_us=at_us)
    spans = sorted(
        (interval["opens_us"], interval["closes_us"])
        for (on, _), interval in _known("sessions", at_us).items()
        if on == day and interval["opens_us"] is not None
    )
    try:
        hours = calendar().session_hours(day, known_at_us=at_us)
    except CalendarError:
        assert spans == []
    else:
        assert tuple(spans) == hours.intervals


@given(
    underlying=st.sampled_from(["NIFTY", "BANKNIFTY"]),
    first=st.dates(date(2012, 1, 2), date(2026, 10, 1)),
    known=DAYS,
)
def test_the_expiry_rows_say_what_the_contracts_say(
    underlying: str, first: date, known: date
) -> None:
    at_us = instant_us(known, time(12))
    last = first + timedelta(days=75)
    found = sorted(
        expiry
        for (of, expiry), row in _known("expiries", at_us).items()
        if of == underlying and first <= expiry <= last and not row["withdrawn"]
    )
    assert tuple(found) == expiries(underlying, first, last, known_at_us=at_us)


@given(
    underlying=st.sampled_from(["NIFTY", "BANKNIFTY"]),
    trade_date=st.dates(date(2012, 7, 2), date(2026, 10, 1)),
    ahead=st.integers(0, 400),
)
def test_the_lot_rows_say_what_the_contracts_say(
    underlying: str, trade_date: date, ahead: int
) -> None:
    later = expiries(
        underlying, trade_date, min(trade_date + timedelta(days=430), date(2026, 12, 31))
    )
    expiry = later[min(ahead // 7, len(later) - 1)]
    matching = [
        row
        for row in ROWS["lots"]
        if row["underlying"] == underlying
        and row["expiry_from"] <= expiry <= (row["expiry_to"] or date.max)
        and row["trade_from"] <= trade_date <= (row["trade_to"] or date.max)
        and (not row["quarterly"] or expiry.month % 3 == 0)
    ]
    # A lot that ended on a trade date goes before one that did not; of two, the one that ended
    # sooner.
    row = min(matching, key=lambda row: (row["trade_to"] or date.max, row["expiry_to"] or date.max))
    assert row["lot_size"] == lot_size(underlying, expiry, trade_date)


def test_a_withdrawn_holiday_and_its_expiry_are_rows_of_their_own() -> None:
    rows = [row for row in ROWS["holidays"] if row["day"] == date(2023, 6, 28)]
    assert [(row["announced_on"], row["withdrawn"]) for row in rows] == [
        (date(2022, 12, 8), False),
        (date(2023, 6, 27), True),
    ]
    moved = {
        (row["expiry"], row["withdrawn"])
        for row in ROWS["expiries"]
        if row["underlying"] == "NIFTY" and row["available_at"] == rows[1]["available_at"]
    }
    assert moved == {(date(2023, 6, 28), False), (date(2023, 6, 29), True)}


def test_every_unconfirmed_figure_is_listed_with_its_source() -> None:
    listed = uncertain_figures()
    assert {figure.status for figure in listed} == {"UNCONFIRMED"}
    assert all(figure.source and figure.value for figure in listed)
    by_table = Counter(figure.table for figure in listed)
    assert by_table["contracts"] == sum(
        row["status"] == "UNCONFIRMED"
        for part in ("lot", "strike_step", "tick", "freeze")
        for row in table("contracts")[part]
    )
    assert any("2026-11-08" in figure.value for figure in listed)
    assert {figure.status for figure in uncertain_figures(STATUSES)} == set(STATUSES)


class _Head(NamedTuple):
    lines: tuple[str, ...]


class _Source(NamedTuple):
    path: Path
    plain: Path


@pytest.mark.parametrize("path", reference_tables.shipped(), ids=lambda path: path.stem)
def test_a_shipped_table_is_recognised_and_staged(path: Path) -> None:
    head = _Head(tuple(path.read_text(encoding="utf-8").splitlines()[:30]))
    assert reference_tables.recognises(head)
    with duckdb.connect() as connection:
        reference_tables.stage(connection, _Source(path, path))
        staged = connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'staged_%'"
        ).fetchall()
        assert staged
        for (name,) in staged:
            category = name.removeprefix("staged_")
            order = ", ".join(f'"{column}"' for column in BY_NAME[category].columns)
            rows = connection.execute(f"SELECT {order} FROM {name} ORDER BY source_row").fetchall()  # noqa: S608
            expected = [
                tuple(row[column] for column in BY_NAME[category].columns) for row in ROWS[category]
            ]
            assert rows == expected
            described = connection.execute(f"DESCRIBE {name}").fetchall()
            assert {"source_row", "outcome", "raw"} <= {column[0] for column in described}


def test_a_table_that_is_none_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "calendar.toml"
    path.write_text('format = "brahmastra-reference-1"\ntable = "calendar"\n', encoding="utf-8")
    with duckdb.connect() as connection, pytest.raises(ImportRefusedError) as refusal:
        reference_tables.stage(connection, _Source(path, path))
    assert "calendar.toml: not a table of dated figures" in str(refusal.value)
    assert "\n" not in str(refusal.value)
