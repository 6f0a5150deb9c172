"""The volatility surface: SSVI (Gatheral and Jacquier 2014), free of butterfly and calendar
arbitrage by its conditions.

Total variance at log-moneyness k, for at-the-money total variance theta:
    w = theta/2 (1 + rho phi k + sqrt((phi k + rho)^2 + 1 - rho^2)),
    phi = eta theta^-g (1 + theta)^(g-1).
The skew grows like maturity to the power of g - 1/2 - 1/2 ... bounded by the conditions. What is
given is not theta but the fair variance (the price of the variance swap) of each expiry: theta is
solved from it, so that a strip of options costs the variance it should.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trading.market.synthetic.normal import normal_density
from trading.market.synthetic.parameters import SMILE_POWER

if TYPE_CHECKING:
    from trading.market.synthetic.arrays import Floats

_LEAST_THETA, _MOST_THETA, _NODES = 1e-9, 1.0, 65
_LEFT, _RIGHT, _POINTS = 80.0, 40.0, 201  # deviations; far, because the wings are straight lines


class Smile(NamedTuple):
    """The parameters of a surface: correlation and width."""

    rho: float
    eta: float


def arbitrage_free_smile(rho: float, eta: float) -> Smile:
    """The surface with this correlation, its width reduced where the butterfly condition asks it.

    The conditions are theta phi (1 + |rho|) < 4 and theta phi^2 (1 + |rho|) <= 4 for every theta;
    with the power law the second binds, where theta^(1-2g) (1+theta)^(2g-2) is greatest. The
    calendar condition holds for any power in (0, 1/2] and a correlation that is the same at every
    maturity.
    """
    power = 1.0 - 2.0 * SMILE_POWER
    worst = power**power  # at theta = 1 - 2g: theta^(1-2g) (1+theta)^(2g-2) (2-2g)^(2-2g) of it
    worst /= (1.0 + power) ** (1.0 + power)
    return Smile(rho, min(eta, math.sqrt(4.0 / (worst * (1.0 + abs(rho))))))


def _steepness(theta: Floats, smile: Smile) -> Floats:
    return smile.eta * theta**-SMILE_POWER * (1.0 + theta) ** (SMILE_POWER - 1.0)


def total_variance(moneyness: Floats, theta: Floats, smile: Smile) -> Floats:
    """Total implied variance at log-moneyness ln(strike/forward)."""
    y = _steepness(theta, smile) * moneyness
    rho = smile.rho
    return 0.5 * theta * (1.0 + rho * y + np.sqrt(np.square(y + rho) + (1.0 - rho * rho)))


def fair_variance(theta: Floats, smile: Smile) -> Floats:
    """The variance swap's total variance on the smile: the mean of w over d2, normal."""
    steps = np.sinh(np.linspace(-math.asinh(_LEFT), math.asinh(_RIGHT), _POINTS))
    moneyness = np.sqrt(theta)[:, None] * steps[None, :]
    w = total_variance(moneyness, theta[:, None], smile)
    deviation = np.sqrt(w)
    d2 = -moneyness / deviation - 0.5 * deviation
    weighted = w * normal_density(d2)
    areas = 0.5 * (weighted[:, 1:] + weighted[:, :-1]) * (d2[:, :-1] - d2[:, 1:])
    return np.cumsum(areas, axis=1)[:, -1]


def theta_of(variance: Floats, smile: Smile) -> Floats:
    """The at-the-money total variance whose variance swap costs `variance`, which must be positive.

    Increasing in it, so expiries in order stay free of calendar arbitrage.
    """
    grid = np.exp(np.linspace(math.log(_LEAST_THETA), math.log(_MOST_THETA), _NODES))
    fair = np.log(fair_variance(grid, smile))
    return np.exp(np.interp(np.log(variance), fair, np.log(grid)))
