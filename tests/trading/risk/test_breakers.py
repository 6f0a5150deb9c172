"""The desk's circuit breakers as functions: what trips each, at its limit and beside it."""

from __future__ import annotations

import statistics
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trading.risk.desk import CAPITAL_PAISE, SECOND_US, limits_of
from trading.risk.breakers import (
    BREAKERS,
    HARD,
    KEPT_FIGURES,
    Breaker,
    Outcome,
    day_loss_trips,
    flags,
    is_beyond,
    is_cooled,
    jump_trips,
    losses_trip,
    peak_loss_trips,
    rejects_trip,
    skew_trips,
    slippage_trips,
    with_figure,
)

LIMITS = limits_of(date(2026, 2, 26))


@pytest.mark.parametrize(("losses", "trips"), [(0, False), (4, False), (5, True), (6, True)])
def test_losses_in_a_row(losses: int, trips: bool) -> None:  # noqa: FBT001 - a row
    assert (losses_trip(losses, LIMITS) is not None) is trips


@pytest.mark.parametrize(
    ("rejected", "of", "trips"),
    [(4, 4, False), (1, 5, False), (2, 5, True), (2, 10, False), (3, 10, True), (0, 99, False)],
)
def test_the_reject_rate_is_above_a_fifth_of_five_orders_or_more(
    rejected: int,
    of: int,
    trips: bool,  # noqa: FBT001 - a row
) -> None:
    outcomes = [Outcome(0, number < rejected) for number in range(of)]
    assert (rejects_trip(outcomes, LIMITS) is not None) is trips


@pytest.mark.parametrize(
    ("ahead_us", "trips"), [(-9 * SECOND_US, False), (500_000, False), (500_001, True)]
)
def test_a_clock_may_be_half_a_second_off(
    ahead_us: int,
    trips: bool,  # noqa: FBT001 - a row
) -> None:
    assert (skew_trips(ahead_us, LIMITS) is not None) is trips


@pytest.mark.parametrize(("over", "trips"), [(-1, False), (0, True), (1, True)])
def test_a_day_ends_at_three_per_cent(over: int, trips: bool) -> None:  # noqa: FBT001 - a row
    lost = CAPITAL_PAISE * 3 // 100 + over
    assert (day_loss_trips(lost, CAPITAL_PAISE, LIMITS) is not None) is trips


@pytest.mark.parametrize(("over", "trips"), [(-1, False), (0, True), (1, True)])
def test_ten_per_cent_below_the_highest_is_for_review(
    over: int,
    trips: bool,  # noqa: FBT001 - a row
) -> None:
    equity = CAPITAL_PAISE * 9 // 10 - over
    assert (peak_loss_trips(equity, CAPITAL_PAISE, LIMITS) is not None) is trips


@pytest.mark.parametrize(
    ("slippage", "trips"), [(200, False), (201, True), (-201, False), (10_000, True)]
)
def test_a_fill_far_worse_than_fills_have_been(
    slippage: int,
    trips: bool,  # noqa: FBT001 - a row
) -> None:
    """All were as expected: the deviation is the floor of 50 paise, four of it 200."""
    assert (slippage_trips([0] * 30, slippage, LIMITS) is not None) is trips


def test_few_fills_say_nothing() -> None:
    assert slippage_trips([0] * 29, 10_000, LIMITS) is None


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("over", "trips"), [(0, False), (1, True)])
def test_a_jump_of_profit_either_way(
    sign: int,
    over: int,
    trips: bool,  # noqa: FBT001 - a row
) -> None:
    floor = CAPITAL_PAISE // 10_000
    change = sign * (5 * floor + over)
    reason = jump_trips([0] * 30, change, CAPITAL_PAISE, LIMITS)
    assert (reason is not None) is trips


figures = st.lists(st.integers(-(10**9), 10**9), min_size=3, max_size=60)


@given(figures, st.integers(-(10**10), 10**10), st.integers(1, 6))
def test_whole_number_moments_are_those_of_the_library(
    sample: list[int], figure: int, deviations: int
) -> None:
    spread = statistics.stdev(sample)
    distance = abs(figure - statistics.fmean(sample))
    if abs(distance - deviations * spread) <= 1e-6 * max(distance, 1.0):
        return  # too near for floats to say
    beyond = is_beyond(sample, figure, deviations=deviations, least=3, floor=0)
    assert beyond == (distance > deviations * spread)


def test_one_figure_has_no_deviation_and_two_have() -> None:
    assert not is_beyond([0], 10**9, deviations=1, least=1, floor=1)
    assert is_beyond([0, 0], 10**9, deviations=1, least=1, floor=1)
    assert not is_beyond([0, 0], 10**9, deviations=1, least=3, floor=1)


@pytest.mark.parametrize("name", BREAKERS)
def test_a_soft_breaker_cools_off_and_a_hard_one_waits_for_people(name: str) -> None:
    breaker = Breaker("open", 0, "why")
    assert not is_cooled(name, breaker, LIMITS.cool_off_us - 1, LIMITS)
    assert is_cooled(name, breaker, LIMITS.cool_off_us, LIMITS) == (name not in HARD)
    assert not is_cooled(name, Breaker("half open", 0, "why"), 10**15, LIMITS)
    later = Breaker("open", 7 * SECOND_US, "why")
    assert not is_cooled(name, later, LIMITS.cool_off_us + 7 * SECOND_US - 1, LIMITS)
    cooled = is_cooled(name, later, LIMITS.cool_off_us + 7 * SECOND_US, LIMITS)
    assert cooled == (name not in HARD)


def test_what_trips_says_the_figure_that_did() -> None:
    assert skew_trips(612_400, LIMITS) == "the exchange's stamp is 612 ms ahead of ours"
    assert day_loss_trips(CAPITAL_PAISE, CAPITAL_PAISE, LIMITS) == (
        f"{CAPITAL_PAISE} paise lost today"
    )
    assert peak_loss_trips(70, 100, LIMITS) == "equity is 30 paise below its highest"


@pytest.mark.parametrize("name", BREAKERS)
def test_an_open_breaker_lets_nothing_in_and_a_half_open_one_a_trade(name: str) -> None:
    is_open = {name: Breaker("open", 0, "why")}
    half = {name: Breaker("half open", 0, "why")}
    assert flags(is_open, trades_open=0) == (f"breaker {name}: why",)
    assert flags(half, trades_open=0) == ()
    assert flags(half, trades_open=1) == (f"breaker {name} is half open: its trial trade is out",)
    assert flags({}, trades_open=9) == ()


def test_the_last_figures_are_kept() -> None:
    figures: list[int] = []
    for figure in range(KEPT_FIGURES + 7):
        figures = with_figure(figures, figure)
    assert figures == list(range(7, KEPT_FIGURES + 7))
