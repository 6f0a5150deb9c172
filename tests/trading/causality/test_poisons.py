"""A poison leaves alone what is known, and changes what is not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trading.causality import zoo
from trading.causality.answers import words
from trading.causality.cuts import find_cuts
from trading.causality.harness import every_trial
from trading.causality.poisons import EXTRA_ROWS, POISONS, Poison, poisoned
from trading.causality.tables import Table, TableError, joined

TABLES = zoo.make_tables()
BARS = TABLES["bars"]
FIRST, LAST = int(BARS.available_at[0]), int(BARS.available_at[-1])


def _rows(table: Table) -> list[tuple[object, ...]]:
    return list(zip(*(words(column).tolist() for column in table.columns.values()), strict=True))


@pytest.mark.parametrize("poison", POISONS, ids=lambda poison: poison.name)
@given(cut_us=st.integers(FIRST - 1, LAST + 1), seed=st.integers(0, 99))
def test_what_is_known_stays_and_something_later_changes(
    poison: Poison, cut_us: int, seed: int
) -> None:
    for table in TABLES.values():
        other = poisoned(table, poison, cut_us, seed)
        if other is None:
            continue
        assert _rows(other.until(cut_us)) == _rows(table.until(cut_us))
        assert list(other.columns) == list(table.columns)
        for name, column in table.columns.items():
            assert other[name].dtype == column.dtype
        assert poisoned(table, poison, cut_us, seed) is not None


@pytest.mark.parametrize("poison", POISONS, ids=lambda poison: poison.name)
def test_every_poison_changes_a_table_that_has_what_it_changes(poison: Poison) -> None:
    middle = (FIRST + LAST) // 2
    changed = [
        other
        for table in TABLES.values()
        if (other := poisoned(table, poison, middle, 1)) is not None
        and _rows(other) != _rows(table)
    ]
    assert changed


def test_late_revisions_are_about_known_instants() -> None:
    cut_us = zoo.CUTS[1].at_us
    other = poisoned(BARS, _named("revised"), cut_us, 1)
    assert other is not None
    late = other.take((other.available_at > cut_us) & (other["as_of"] <= cut_us))
    assert len(late) == 50


def test_a_longer_future_goes_on_in_the_rhythm_of_the_table() -> None:
    other = poisoned(BARS, _named("longer"), FIRST, 1)
    assert other is not None
    assert len(other) == len(BARS) + EXTRA_ROWS
    assert np.all(np.diff(other.available_at[-EXTRA_ROWS:]) == zoo.BAR_US)


def test_new_contracts_come_beside_the_old_ones() -> None:
    listings = TABLES["listings"]
    other = poisoned(listings, _named("contracts"), zoo.CUTS[0].at_us, 1)
    assert other is not None
    assert set(other["strike"].tolist()) > set(listings["strike"].tolist())
    assert poisoned(BARS, _named("contracts"), zoo.CUTS[0].at_us, 1) is None


def test_every_table_is_poisoned_by_itself_and_all_at_once() -> None:
    trials = list(every_trial(TABLES, zoo.CUTS[:1], poisons=[_named("dropped")]))
    assert [trial.table for trial in trials] == [*TABLES, "all tables"]


def test_cuts_of_every_kind() -> None:
    names = [cut.name for cut in zoo.CUTS]
    assert names[:8] == [
        "end of warm-up",
        "mid-session",
        "session end",
        "first row after the open",
        "expiry day",
        "halt",
        "inside a gap of rows",
        "inside a gap of close",
    ]
    assert sum(name.startswith("random") for name in names) == 10
    by_name = {cut.name: cut.at_us for cut in zoo.CUTS}
    assert by_name["end of warm-up"] == BARS.available_at[zoo.WINDOW - 1]
    before = BARS.available_at <= by_name["inside a gap of rows"]
    around = np.diff(BARS.available_at)[np.count_nonzero(before) - 1]
    assert around == (len(zoo.HALTED) + 1) * zoo.BAR_US
    at_gap = int(np.flatnonzero(BARS.available_at == by_name["inside a gap of close"])[0])
    assert np.isnan(BARS["close"][at_gap - 3 : at_gap + 4]).all()
    assert (
        find_cuts(
            BARS,
            warm_up=zoo.WINDOW,
            sessions=zoo.sessions(),
            halts=[(by_name["halt"] - 1, by_name["halt"] + 1)],
            seed=5,
        )
        == zoo.CUTS
    )


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"as_of": np.array([1]), "value": np.array([1.0])}, "no column available_at"),
        ({"as_of": np.array([1]), "available_at": np.array([1.0])}, "expected int64"),
        ({"as_of": np.array([1, 2]), "available_at": np.array([2, 1])}, "not ascending"),
        ({"as_of": np.array([1, 2]), "available_at": np.array([2])}, r"expected \(1,\)"),
    ],
)
def test_a_table_that_breaks_its_rules_is_refused(
    columns: dict[str, np.ndarray], said: str
) -> None:
    with pytest.raises(TableError, match=said):
        Table(columns)


def test_joined_tables_are_ascending_and_stable() -> None:
    one = Table({"as_of": np.array([1, 5]), "available_at": np.array([1, 5])})
    two = Table({"as_of": np.array([2, 4]), "available_at": np.array([1, 4])})
    assert joined(one, two)["as_of"].tolist() == [1, 2, 4, 5]


def _named(name: str) -> Poison:
    return next(poison for poison in POISONS if poison.name == name)
