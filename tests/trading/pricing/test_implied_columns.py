"""Implied volatilities over arrays: found wherever there is one, and to the last digits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vollib.black.implied_volatility import implied_volatility as vollib_implied

from trading.pricing import implied_columns
from trading.pricing.black import VolatilityStatus, implied_volatility
from trading.pricing.black_columns import normalised_value, values
from trading.pricing.implied_columns import (
    PRICE_TOLERANCE,
    implied_deviations,
    implied_volatilities,
)


def _one(x: float) -> np.ndarray:
    return np.array([x])


def test_every_price_inside_its_bounds_is_given_back_to_its_last_digits() -> None:
    random = np.random.default_rng(2)
    count = 20_000
    forward = np.full(count, 100.0)
    strike = 100.0 * np.exp(random.normal(size=count) * random.choice([0.01, 0.1, 1.0, 5.0], count))
    call = random.uniform(size=count) < 0.5
    low = np.maximum(np.where(call, 1, -1) * (forward - strike), 0.0)
    high = np.where(call, forward, strike)
    share = random.uniform(size=count)
    share[: count // 2] = 10.0 ** random.uniform(-16, 0, count // 2)
    share[: count // 4] = 1.0 - share[: count // 4]
    price = low + (high - low) * share
    solved = implied_volatilities(price, forward, strike, np.full(count, 0.1), call)
    inside = (price > low) & (price < high)
    assert np.all((solved.code == 0) == inside)
    back = values(
        forward[inside], strike[inside], np.full(1, 0.1), solved.value[inside], call[inside]
    )
    assert np.max(np.abs(back / price[inside] - 1.0)) <= PRICE_TOLERANCE


def test_time_values_of_any_size_are_given_back() -> None:
    random = np.random.default_rng(3)
    distance = np.concatenate((10.0 ** random.uniform(-12, 1, 20_000), np.zeros(100)))
    deviation = np.minimum(distance / random.uniform(1e-3, 37.0, distance.size), 30.0)
    deviation[-100:] = np.linspace(1e-6, 10.0, 100)
    goal = normalised_value(distance, deviation)
    told = (goal > 1e-300) & (goal < np.exp(-distance / 2.0) * (1.0 - 1e-12))
    solved = implied_deviations(goal[told], distance[told])
    back = normalised_value(distance[told], solved)
    assert told.sum() > 19_000
    assert np.max(np.abs(back / goal[told] - 1.0)) <= PRICE_TOLERANCE


@given(st.floats(-0.3, 0.3), st.floats(0.05, 1.5), st.floats(0.01, 2.0))
def test_the_volatility_comes_back(distance: float, volatility: float, years: float) -> None:
    strike = 100.0 * math.exp(distance)
    call = np.array([strike >= 100.0])
    price = values(_one(100.0), _one(strike), _one(years), _one(volatility), call)
    if not price.item() > 1e-250:
        return
    solved = implied_volatilities(price, _one(100.0), _one(strike), _one(years), call)
    assert solved.value.item() == pytest.approx(volatility, rel=1e-9)


def test_it_agrees_with_the_scalar_function_and_vollib() -> None:
    for strike, price in ((24_000.0, 620.5), (24_575.0, 210.0), (25_500.0, 12.35)):
        solved = implied_volatilities(
            _one(price), _one(24_575.43), _one(strike), _one(4 / 365), np.array([True])
        ).value.item()
        scalar = implied_volatility(price, 24_575.43, strike, 4 / 365, "CE").value
        theirs = vollib_implied(price, 24_575.43, strike, 0.0, 4 / 365, "c")
        assert solved == pytest.approx(scalar, rel=1e-11)
        assert solved == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize(
    ("price", "forward", "strike", "years", "call", "status"),
    [
        (100.0, 200.0, 100.0, 1.0, True, VolatilityStatus.BELOW_INTRINSIC),
        (0.0, 100.0, 100.0, 1.0, False, VolatilityStatus.BELOW_INTRINSIC),
        (200.0, 200.0, 100.0, 1.0, True, VolatilityStatus.ABOVE_BOUND),
        (100.0, 200.0, 100.0, 1.0, False, VolatilityStatus.ABOVE_BOUND),
        (10.0, 100.0, 100.0, 0.0, True, VolatilityStatus.EXPIRED),
        (math.nan, 100.0, 100.0, 1.0, True, VolatilityStatus.BAD_INPUT),
        (10.0, math.inf, 100.0, 1.0, True, VolatilityStatus.BAD_INPUT),
        (10.0, 100.0, 0.0, 1.0, True, VolatilityStatus.BAD_INPUT),
        (10.0, 100.0, 100.0, math.nan, True, VolatilityStatus.BAD_INPUT),
    ],
)
def test_each_element_without_a_volatility_is_named(
    price: float, forward: float, strike: float, years: float, *, call: bool, status: str
) -> None:
    solved = implied_volatilities(
        np.array([price, 10.0]),
        np.array([forward, 100.0]),
        np.array([strike, 100.0]),
        np.array([years, 1.0]),
        np.array([call, True]),
    )
    assert solved.statuses() == [status, VolatilityStatus.OK]
    assert math.isnan(solved.value[0])
    assert math.isfinite(solved.value[1])


def test_arguments_broadcast() -> None:
    strikes = np.linspace(90.0, 110.0, 6).reshape(2, 3)
    solved = implied_volatilities(
        np.full(1, 15.0), np.full(1, 100.0), strikes, np.ones(1), np.array([True])
    )
    assert solved.value.shape == solved.code.shape == (2, 3)


@pytest.mark.parametrize("deviation", [1e-4, 0.003, 0.02, 0.08])
def test_two_steps_are_enough_where_options_are_traded(
    deviation: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the closed form of the normal law: one value at the inflection, one at the start, one to
    see that the step from there has arrived.
    """
    distance = np.linspace(0.0, 6.0, 41) * deviation
    goal = normalised_value(distance, np.full(41, deviation))
    asked: list[int] = []

    def counted(x: np.ndarray, s: np.ndarray) -> np.ndarray:
        asked.append(x.size)
        return normalised_value(x, s)

    monkeypatch.setattr(implied_columns, "normalised_value", counted)
    found = implied_deviations(goal, distance)
    assert np.max(np.abs(found / deviation - 1.0)) < 1e-13 / deviation**0.5
    assert len(asked) <= 4
