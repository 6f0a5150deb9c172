"""The harness on trial: every planted leak is caught, no clean function is accused."""

from __future__ import annotations

import pytest

from tests.trading.causality import catches, zoo
from trading.causality.harness import check
from trading.causality.poisons import POISONS


def test_the_zoo_is_large_enough() -> None:
    assert len(zoo.LEAKY) >= 15
    assert len(zoo.CLEAN) >= 5


@pytest.mark.parametrize("name", [function.__name__ for function in zoo.LEAKY])
def test_a_leak_is_caught(name: str) -> None:
    report = catches.report_of(name)
    assert report.leaks
    assert not report.is_causal
    assert "changed" in str(report)


@pytest.mark.parametrize("name", [function.__name__ for function in zoo.CLEAN])
def test_a_clean_function_is_not_accused(name: str) -> None:
    report = catches.report_of(name)
    assert report.is_causal, str(report)
    assert report.trials > 800


def test_no_poison_is_enough_and_none_is_useless() -> None:
    caught = {name: set(catches.report_of(name).caught_by()) for name in _leaky()}
    everything = set(caught)
    for poison in POISONS:
        found = {name for name, poisons in caught.items() if poison.name in poisons}
        assert found
        assert found != everything
    # What only one kind of poison shows.
    assert caught["last_bars_held_back"] == {"dropped"}
    assert caught["latest_revision"] == {"revised"}
    assert caught["type_of_everything"] == {"missing"}
    assert caught["window_by_length"] == {"dropped", "longer", "revised"}


def test_the_same_multiset_hides_leaks_through_the_whole_sample() -> None:
    for name in ("full_sample_rank", "full_sample_maximum", "full_sample_quantile"):
        caught = catches.report_of(name).caught_by()
        assert not {"reverse", "shuffled"} & set(caught)


def test_a_gap_filled_from_behind_shows_only_inside_the_gap() -> None:
    report = catches.report_of("filled_from_behind")
    assert {leak.cut.name for leak in report.leaks} == {"inside a gap of close"}
    unrevised = [
        leak for leak in catches.report_of("interpolated").leaks if leak.poison != "revised"
    ]
    assert {leak.cut.name for leak in unrevised} == {"inside a gap of close"}


def test_a_leak_through_another_table_names_it() -> None:
    for name, table in (
        ("interest_of_the_same_day", "interest"),
        ("calendar_of_today", "notices"),
        ("farthest_expiry", "listings"),
        ("rate_of_today", "rates"),
    ):
        tables = {leak.table for leak in catches.report_of(name).leaks}
        assert tables == {table, "all tables"}


def test_a_function_that_fails_on_another_future_has_leaked() -> None:
    def refuses(tables: zoo.Tables) -> zoo.Answer:
        if tables["bars"]["volume"].max() > 1e6:
            raise ValueError("volume too large")
        return zoo.trailing_mean(tables)

    report = check(refuses, zoo.make_tables(), zoo.CUTS[:1])
    assert {leak.difference.column for leak in report.leaks} == {"error"}
    assert "volume too large" in str(report)


def test_nothing_tried_is_not_causal() -> None:
    assert not check(zoo.trailing_mean, zoo.make_tables(), ()).is_causal


def test_the_table_of_catches_in_the_document_is_current() -> None:
    text = catches.DOCUMENT.read_text(encoding="utf-8")
    assert f"{catches.BEGIN}\n{catches.table()}\n{catches.END}" in text, "run: make docs"


def _leaky() -> list[str]:
    return [function.__name__ for function in zoo.LEAKY]
