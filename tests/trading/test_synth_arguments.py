"""What `manage.py market synth` makes of its arguments."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import date
from typing import Any

import pytest

from trading.management.synth_arguments import add_synth_arguments, synth_arguments
from trading.market.importers import ImportRefusedError


def parsed(*words: str) -> dict[str, Any]:
    parser = ArgumentParser()
    add_synth_arguments(parser)
    return synth_arguments(vars(parser.parse_args(words)))


def test_without_a_range_it_is_the_demo_at_every_minute() -> None:
    found = parsed()
    assert (found["from_date"], found["to_date"]) == (date(2026, 2, 26), date(2026, 2, 27))
    assert (found["cadence_minutes"], found["mode"].text) == (1, "realistic")


def test_a_range_has_snapshots_every_five_minutes_unless_asked_otherwise() -> None:
    assert parsed("--from", "2024-10-01")["cadence_minutes"] == 5
    assert parsed("--days", "3", "--every", "1")["cadence_minutes"] == 1


@pytest.mark.parametrize(
    ("words", "first", "last"),
    [
        (("--days", "3"), date(2026, 2, 25), date(2026, 2, 27)),
        # 26 January is a holiday.
        (("--days", "2", "--from", "2026-01-23"), date(2026, 1, 23), date(2026, 1, 27)),
        (("--days", "2", "--to", "2026-01-27"), date(2026, 1, 23), date(2026, 1, 27)),
    ],
)
def test_days_are_market_days(words: tuple[str, ...], first: date, last: date) -> None:
    found = parsed(*words)
    assert (found["from_date"], found["to_date"]) == (first, last)


def test_effects_are_planted_together() -> None:
    found = parsed("--mode", "planted", "--effect", "premium=0.3", "--effect", "momentum=0.1")
    assert found["mode"].text == "planted momentum=0.1 premium=0.3"


def test_any_mode_can_be_rough() -> None:
    assert parsed("--rough")["mode"].text == "realistic rough"
    assert parsed("--rough", "--mode", "null")["mode"].text == "null rough"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--days", "0"), "--days 0: expected 1 or more"),
        (("--processes", "0"), "--processes 0: expected 1 or more"),
        (
            ("--days", "2", "--from", "2026-01-23", "--to", "2026-01-27"),
            "expected at most two of the three",
        ),
    ],
)
def test_nonsense_is_named(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(ImportRefusedError, match=said):
        parsed(*words)
