"""The rough process: the law of the hybrid scheme against that of the Riemann-Liouville integral,
which is computed here by quadrature; what is known ahead against the scheme itself.

The scheme is linear in its noise, so its covariances are exact: it is given unit impulses.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad

from tests.trading.market.synthetic.worlds import (
    ACCEPTED,
    grid,
    stylised_facts,
    world,
)
from trading.market.synthetic import parameters as p
from trading.market.synthetic.modes import mode_of
from trading.market.synthetic.rough import HURST, Steps, forecast, levels, steps_of, variances

Array = np.ndarray[Any, np.dtype[Any]]
BEFORE, DAYS = p.ROUGH_DAYS_BEFORE, 120
ROUGH = mode_of("realistic", rough=True)


def exact_covariance(s: int, t: int) -> float:
    """E X(s) X(t) of the integral, s <= t; the singularity at s is quad's to handle."""
    weighted, _ = quad(
        lambda u: (t - u) ** (HURST - 0.5) if s < t else 1.0,
        0.0,
        s,
        weight="alg",
        wvar=(0.0, HURST - 0.5 if s < t else 2 * HURST - 1.0),
        limit=200,
    )
    return 2.0 * HURST * p.ROUGH_DEVIATION**2 * float(weighted)


@cache
def responses() -> tuple[Array, Array]:
    """What each level makes of each impulse: of the moves and of the rests, a row an impulse."""
    whole = BEFORE + DAYS
    nothing = np.zeros(whole)
    unit = np.eye(whole)
    return (
        np.stack([levels(Steps(each, nothing)) for each in unit]),
        np.stack([levels(Steps(nothing, each)) for each in unit]),
    )


@cache
def covariance() -> Array:
    moves, rests = responses()
    found: Array = moves.T @ moves + rests.T @ rests
    return found


def test_its_variance_grows_like_the_integral_s() -> None:
    own = np.diag(covariance())
    exact = p.ROUGH_DEVIATION**2 * np.arange(BEFORE, BEFORE + DAYS) ** (2 * HURST)
    assert own == pytest.approx(exact, rel=0.01)
    assert variances(DAYS) == pytest.approx(own, rel=1e-12)


@pytest.mark.parametrize("lag", [1, 2, 5, 20, 100])
def test_its_covariances_are_the_integral_s(lag: int) -> None:
    exact = exact_covariance(BEFORE, BEFORE + lag)
    assert covariance()[0, lag] == pytest.approx(exact, rel=0.02)


def test_the_oracle_knows_the_variance() -> None:
    wanted = p.ROUGH_DEVIATION**2 * BEFORE ** (2 * HURST)
    assert exact_covariance(BEFORE, BEFORE) == pytest.approx(wanted, rel=1e-9)


def test_it_is_as_rough_as_its_index_says() -> None:
    """Mean squared moves over lags of 1 to 20 days go like the lag to twice the index (Gatheral,
    Jaisson and Rosenbaum 2018).
    """
    found, lags = covariance(), np.arange(1, 21)
    moved = [
        np.mean([found[t, t] + found[t + lag, t + lag] - 2 * found[t, t + lag] for t in range(90)])
        for lag in lags
    ]
    slope = np.polyfit(np.log(lags), np.log(moved), 1)[0]
    assert slope / 2 == pytest.approx(HURST, abs=0.02)


@pytest.mark.parametrize("row", [0, 1, 60])
def test_what_is_known_ahead_is_the_process_without_what_comes(row: int) -> None:
    steps = steps_of(7, date(2022, 1, 3), *np.random.default_rng(1).normal(size=(2, DAYS)))
    moves, rests = steps.moves.copy(), steps.rests.copy()
    moves[BEFORE + row :] = 0.0
    rests[BEFORE + row :] = 0.0
    ahead = DAYS - row - 1
    known = forecast(steps, row, ahead)
    assert known.known == pytest.approx(levels(Steps(moves, rests))[row + 1 :], rel=1e-12)
    moves[BEFORE + row] = 1.0
    pushed = levels(Steps(moves, rests))[row + 1 :] - known.known
    assert known.push == pytest.approx(pushed, rel=1e-9)


@pytest.mark.parametrize("row", [0, 60])
def test_what_is_unknown_ahead_has_the_variance_it_says(row: int) -> None:
    moves, rests = (each[BEFORE + row :, row + 1 :] for each in responses())
    known = forecast(Steps(np.zeros(BEFORE + DAYS), np.zeros(BEFORE + DAYS)), row, DAYS - row - 1)
    unknown = np.square(moves).sum(axis=0) + np.square(rests).sum(axis=0)
    assert known.variance == pytest.approx(unknown, rel=1e-9)
    assert known.convexity == pytest.approx(np.diag(covariance())[row + 1 :], rel=1e-12)


def test_its_middle_is_inside_the_ranges_but_where_the_model_card_says() -> None:
    """A rough process remembers for long and forgets fast: two facts are those of the default."""
    found = [stylised_facts(grid(world(seed, ROUGH, 750), "NIFTY")) for seed in range(1, 21)]
    median = {fact: float(np.median([each[fact] for each in found])) for fact in found[0]}
    outside = {name for name, (low, high) in ACCEPTED.items() if not low <= median[name] <= high}
    assert outside <= {"ACF1 of log RV"}
    assert median["roughness of log RV"] < 0.16  # the default's is 0.235
    assert median["ACF20 of log RV"] > 0.15  # the default's is 0.136
