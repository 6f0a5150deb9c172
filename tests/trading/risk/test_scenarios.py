"""Greeks, scenarios, future equivalents and the largest loss of a structure, against figures worked
out another way.
"""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from trading.pricing.black import black_price
from trading.risk.scenarios import (
    LIMITED_SCENARIOS,
    SCENARIOS,
    HeldOption,
    PaidOption,
    future_equivalent,
    greeks_of,
    largest_loss_paise,
    no_greeks,
)

FORWARD = 2_532_140
YEARS = 7 / 365
VOLATILITY = 0.14
MOVE = 200_000


def held(right: str = "CE", quantity: int = 65, strike: int = 2_530_000) -> HeldOption:
    return HeldOption(quantity, strike, right, FORWARD, YEARS, VOLATILITY)


@pytest.mark.parametrize("right", ["CE", "PE"])
@pytest.mark.parametrize("strike", [2_430_000, 2_530_000, 2_630_000])
def test_greeks_are_those_of_the_closed_form(right: str, strike: int) -> None:
    quantity = 65_000
    deviation = VOLATILITY * math.sqrt(YEARS)
    d1 = math.log(FORWARD / strike) / deviation + deviation / 2
    delta = norm.cdf(d1) - (right == "PE")
    gamma = norm.pdf(d1) / (FORWARD * deviation)
    found = greeks_of([held(right, quantity, strike)])
    one_percent = FORWARD / 100
    assert found.delta_paise == pytest.approx(quantity * delta * one_percent, rel=1e-3)
    assert found.gamma_paise == pytest.approx(quantity * gamma * one_percent**2, rel=1e-3)
    vega = FORWARD * norm.pdf(d1) * math.sqrt(YEARS) / 100
    assert found.vega_paise == pytest.approx(quantity * vega, rel=1e-2)
    assert found.theta_paise < 0


@pytest.mark.parametrize("number", range(len(SCENARIOS)))
def test_each_scenario_is_black_76_moved(number: int) -> None:
    move, points = SCENARIOS[number]
    option = held("PE", -65)
    before = black_price(FORWARD, 2_530_000, YEARS, VOLATILITY, "PE")
    after = black_price(
        FORWARD * (1 + move / 1e6), 2_530_000, YEARS, VOLATILITY + points / 100, "PE"
    )
    found = greeks_of([option]).scenarios_paise[number]
    assert found == pytest.approx(-65 * (after - before), abs=1)


def test_the_scenarios_are_those_of_the_specification() -> None:
    assert set(SCENARIOS) == {
        (move * 10_000, points) for move in (-6, -4, -2, 2, 4, 6) for points in (-5, 5)
    }
    assert {SCENARIOS[number][0] for number in LIMITED_SCENARIOS} == {
        -40_000,
        -20_000,
        20_000,
        40_000,
    }


def test_an_empty_book_has_none_and_opposites_cancel() -> None:
    assert greeks_of([]) == no_greeks()
    assert greeks_of([held(), held(quantity=-65)]) == no_greeks()
    assert greeks_of([held()]).plus(greeks_of([held(quantity=-65)])) == no_greeks()


def test_a_synthetic_future_has_one_unit_of_future_equivalent_a_unit() -> None:
    pair = [held("CE", 65), held("PE", -65)]
    found = future_equivalent(pair)
    assert found.long_paise == pytest.approx(65 * FORWARD, rel=1e-6)
    assert found.short_paise == 0
    opposite = future_equivalent([held("CE", -65), held("PE", 65)])
    assert (opposite.short_paise, opposite.long_paise) == (found.long_paise, 0)


def test_the_largest_loss_of_what_is_bought_is_what_was_paid() -> None:
    straddle = [PaidOption(65, 2_530_000, "CE", 15_000), PaidOption(65, 2_530_000, "PE", 14_000)]
    assert largest_loss_paise(straddle, FORWARD, MOVE) == 65 * 29_000


def test_the_largest_loss_of_an_iron_condor_is_its_width_less_its_credit() -> None:
    condor = [
        PaidOption(65, 2_430_000, "PE", 2_000),
        PaidOption(-65, 2_450_000, "PE", 3_000),
        PaidOption(-65, 2_610_000, "CE", 3_500),
        PaidOption(65, 2_640_000, "CE", 1_500),
    ]
    assert largest_loss_paise(condor, FORWARD, MOVE) == 65 * (30_000 - 3_000)


def test_what_has_no_wings_loses_what_the_move_takes() -> None:
    """20 % of 25,321.40 is 5,064.28; the further side of the strike is what counts."""
    straddle = [PaidOption(-65, 2_530_000, "CE", 15_000), PaidOption(-65, 2_530_000, "PE", 14_000)]
    high = -(-FORWARD * 1_200_000 // 1_000_000)
    assert largest_loss_paise(straddle, FORWARD, MOVE) == 65 * (high - 2_530_000 - 29_000)


def test_a_credit_that_cannot_be_lost_is_no_loss() -> None:
    far = [PaidOption(-65, 4_000_000, "CE", 100)]
    assert largest_loss_paise(far, FORWARD, MOVE) == 0


options = st.lists(
    st.builds(
        PaidOption,
        st.integers(-200, 200),
        st.integers(2_000_000, 3_000_000),
        st.sampled_from(["CE", "PE"]),
        st.integers(5, 50_000),
    ),
    max_size=6,
)


@given(options, st.integers(2_100_000, 2_900_000))
def test_no_level_within_the_move_loses_more(book: list[PaidOption], level: int) -> None:
    def profit() -> int:
        return sum(
            each.quantity
            * (
                max(
                    level - each.strike_paise if each.right == "CE" else each.strike_paise - level,
                    0,
                )
                - each.price_paise
            )
            for each in book
        )

    assert -profit() <= largest_loss_paise(book, FORWARD, MOVE)
