"""Expected variance is what is realised, on average, at every horizon and from any minute."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.trading.market.synthetic.worlds import MINUTES, grid, world
from trading.market.synthetic import parameters as p
from trading.market.synthetic.expectation import capped_square, expected_variance
from trading.market.synthetic.modes import mode_of
from trading.market.synthetic.rough import Steps

HORIZON = 10
SEEDS = 24


@pytest.mark.parametrize(
    ("mode", "rough"), [("null", False), ("realistic", False), ("realistic", True)]
)
def test_realised_variance_averages_to_what_was_expected(mode: str, *, rough: bool) -> None:
    """Closing prices, so that the autocorrelation of minutes counts: squared returns over horizons
    beside the expectation, an average of ratios within three standard errors.
    """
    ratios = []
    for seed in range(1, SEEDS + 1):
        past = world(seed, mode_of(mode, rough=rough), 400)
        minute = np.diff(grid(past, "NIFTY"), axis=1)
        opens, closes = past.paths["NIFTY"].opens, grid(past, "NIFTY")[:, -1]
        nights = np.append(0.0, opens[1:] - closes[:-1])
        for row in range(1, 400 - HORIZON, 3):
            expected = expected_variance(
                past, "NIFTY", row, np.array([0, 200]), [MINUTES] * HORIZON
            )
            rest = minute[row, 200:].sum() ** 2
            days = minute[row + 1 : row + 1 + HORIZON].sum(axis=1)
            apart = days**2 + nights[row + 1 : row + 1 + HORIZON] ** 2
            ratios.append(
                (
                    rest / expected[1, 0],
                    apart[0] / (expected[1, 1] - expected[1, 0]),
                    apart.sum() / (expected[0, -1] - expected[0, 0]),
                )
            )
    found = np.array(ratios)
    # Days of one seed share their volatility, so the scatter of seeds is what counts.
    by_seed = found.reshape(SEEDS, -1, 3).mean(axis=1)
    error = by_seed.std(axis=0, ddof=1) / np.sqrt(SEEDS)
    assert (np.abs(by_seed.mean(axis=0) - 1.0) < 3 * error).all()
    assert (error < 0.05).all()


@pytest.mark.parametrize("mean", [-3.0, -0.4, 0.0, 0.7, 2.5])
@pytest.mark.parametrize("variance", [0.01, 0.3, 1.2])
def test_the_square_below_the_ceiling_is_that_of_quadrature(mean: float, variance: float) -> None:
    x = mean + math.sqrt(variance) * np.linspace(-12.0, 12.0, 400_001)
    density = np.exp(-0.5 * (x - mean) ** 2 / variance) / math.sqrt(2.0 * math.pi * variance)
    wanted = np.trapezoid(np.square(np.minimum(np.exp(x), p.MOST_VOLATILITY)) * density, x)
    found = capped_square(np.array([mean]), np.array([variance]))
    assert found[0] == pytest.approx(wanted, rel=1e-8)


def test_nothing_remains_at_the_close_and_more_days_cost_more() -> None:
    past = world(1, mode_of("realistic"), 30)
    expected = expected_variance(past, "NIFTY", 20, np.arange(MINUTES + 1), [MINUTES] * 30)
    assert expected.shape == (MINUTES + 1, 31)
    assert expected[-1, 0] == 0.0
    assert expected[0, 0] > expected[150, 0] > expected[300, 0] > expected[370, 0] > 0.0
    assert (np.diff(expected, axis=1) > 0).all()


@pytest.mark.parametrize("rough", [False, True])
def test_it_knows_nothing_of_what_comes(*, rough: bool) -> None:
    """Other shocks after a minute leave the expectation at that minute as it was."""
    past = world(1, mode_of("realistic", rough=rough), 30)
    minutes = np.array([0, 100, 200])
    before = expected_variance(past, "BANKNIFTY", 20, minutes, [MINUTES] * 5)
    shocks, intraday = past.shocks.copy(), past.intraday.copy()
    shocks[20, 200:] = 9.0
    shocks[21:] = 9.0
    intraday[20, 201:] = 9.0
    state = past.state
    if state.steps is not None:
        moves, rests = state.steps.moves.copy(), state.steps.rests.copy()
        for noise in (moves, rests):
            noise[len(noise) - 30 + 20 :] = 9.0
        state = state._replace(steps=Steps(moves, rests))
    poisoned = past._replace(shocks=shocks, intraday=intraday, state=state)
    after = expected_variance(poisoned, "BANKNIFTY", 20, minutes, [MINUTES] * 5)
    assert np.array_equal(before, after)


@pytest.mark.parametrize("rough", [False, True])
def test_a_fall_makes_tomorrow_dearer(*, rough: bool) -> None:
    past = world(1, mode_of("null", rough=rough), 30)
    fallen, risen = past.shocks.copy(), past.shocks.copy()
    fallen[20, :200], risen[20, :200] = -0.1, 0.1
    minutes = np.array([200])
    dear, cheap = (
        expected_variance(past._replace(shocks=shocks), "NIFTY", 20, minutes, [MINUTES])
        for shocks in (fallen, risen)
    )
    assert dear[0, 1] - dear[0, 0] > cheap[0, 1] - cheap[0, 0]
