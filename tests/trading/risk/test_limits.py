"""The limits file: dated, hashed, refused whole when a figure is not one."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

import trading.risk.limits as limits_module
from tests.trading.risk.desk import limits_of
from trading.risk.limits import (
    FIXED,
    STRICTER_WHEN_LARGER,
    DeskLimits,
    Limits,
    LimitsError,
    desk_limits,
    is_looser,
    limits_from_data,
    limits_of_toml,
)

TEXT = (Path(limits_module.__file__).parent / "limits.toml").read_text(encoding="utf-8")
FIRST = date(2018, 1, 1)


def later(text: str, since: str) -> str:
    """A second block of limits, from another day on."""
    block = text[text.index("[[limits]]") :]
    return text + block.replace("from = 2018-01-01", f"from = {since}")


def test_the_shipped_file_holds_the_table_of_the_specification() -> None:
    figures = desk_limits(date(2026, 2, 26)).figures
    assert figures.day_loss_half_ppm == 10_000
    assert figures.day_loss_block_ppm == 20_000
    assert figures.day_loss_flatten_ppm == 30_000
    assert (figures.peak_loss_half_ppm, figures.peak_loss_stop_ppm) == (60_000, 100_000)
    assert figures.toxic_percentile_ppm == 900_000
    shares = (
        figures.strategy_share_ppm,
        figures.expiry_share_ppm,
        figures.strike_share_ppm,
        figures.underlying_share_ppm,
        figures.expiring_share_ppm,
    )
    assert shares == (400_000, 500_000, 250_000, 700_000, 200_000)
    assert (figures.margin_soft_ppm, figures.margin_hard_ppm) == (700_000, 850_000)
    assert (figures.messages_per_second, figures.messages_per_minute) == (5, 120)
    assert figures.entries_per_day == 20


def test_a_day_is_held_to_the_last_block_that_has_begun() -> None:
    text = later(TEXT, "2026-03-01").replace("order_lots = 50", "order_lots = 40", 1)
    first, second = limits_of_toml(text, where="two")
    assert (first.since, second.since) == (FIRST, date(2026, 3, 1))
    assert (first.figures.order_lots, second.figures.order_lots) == (40, 50)
    assert first.digest != second.digest


def test_the_digest_is_of_the_figures_and_not_of_how_they_are_written() -> None:
    (plain,) = limits_of_toml(TEXT, where="a")
    (spaced,) = limits_of_toml(TEXT.replace("50_400", "50400") + "\n# more\n", where="b")
    assert plain.digest == spaced.digest == desk_limits(FIRST).digest
    (other,) = limits_of_toml(TEXT.replace("order_lots = 50", "order_lots = 51"), where="c")
    assert other.digest != plain.digest


def test_before_the_file_begins_there_are_no_limits() -> None:
    assert desk_limits(FIRST).since == FIRST
    with pytest.raises(LimitsError, match=r"no limits for 2017-12-31; .* begins on 2018"):
        desk_limits(FIRST - timedelta(days=1))


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("order_lots = 50", "order_lots = 0", "order_lots is 0, expected more than 0"),
        ("order_lots = 50", "order_lots = -1", "order_lots is -1, expected more than 0"),
        ("order_lots = 50", "order_lots = 1.5", "Expected `int`, got `float` - at `$.order_lots`"),
        ("order_lots = 50", "", "missing required field `order_lots`"),
        ("order_lots = 50", "order_lots = 50\nlots = 5", "unknown field `lots`"),
        ("margin_soft_ppm = 700_000", "margin_soft_ppm = 850_000", "is not below margin_hard_ppm"),
        (
            "day_loss_half_ppm = 10_000",
            "day_loss_half_ppm = 20_000",
            "day_loss_half_ppm 20000 is not below day_loss_block_ppm 20000",
        ),
        ("from = 2018-01-01", "", "says `from`, a date"),
        ("brahmastra-limits-1", "brahmastra-limits-2", "expected format"),
        ("[[limits]]", "[[", "not TOML"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_its_figure(
    before: str, after: str, words: str
) -> None:
    with pytest.raises(LimitsError) as refused:
        limits_of_toml(TEXT.replace(before, after, 1), where="mine.toml")
    assert words in str(refused.value)
    assert str(refused.value).startswith("mine.toml")


def test_blocks_ascend() -> None:
    with pytest.raises(LimitsError, match="2018-01-01 follows 2018-01-01"):
        limits_of_toml(later(TEXT, "2018-01-01"), where="two")


def test_the_limits_of_a_day_are_checked_whole() -> None:
    whole: dict[str, Any] = msgspec.structs.asdict(limits_of(FIRST))
    assert limits_from_data(whole, where="day") == limits_of(FIRST)
    with pytest.raises(LimitsError, match="day: first_entry_ist_seconds 54600 is not below"):
        limits_from_data({**whole, "first_entry_ist_seconds": 54_600}, where="day")
    del whole["chain_age_us"]
    with pytest.raises(LimitsError, match="chain_age_us"):
        limits_from_data(whole, where="day")


def test_every_name_in_the_lists_is_a_limit_and_the_strict_direction_is_known() -> None:
    names = set(Limits.__struct_fields__)
    assert set(DeskLimits.__struct_fields__) < names
    assert names > STRICTER_WHEN_LARGER
    assert names > FIXED
    assert is_looser("order_lots", 50, 51)
    assert not is_looser("order_lots", 50, 49)
    assert is_looser("duplicate_window_us", 60, 59)
    assert not is_looser("duplicate_window_us", 60, 61)
