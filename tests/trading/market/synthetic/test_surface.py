"""The surface: the formula, its conditions, and what a strip of its options costs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trading.market.synthetic import parameters as p
from trading.market.synthetic.surface import (
    Smile,
    arbitrage_free_smile,
    fair_variance,
    theta_of,
    total_variance,
)
from trading.pricing.black import black_price

SMILES = [
    arbitrage_free_smile(rho, eta) for rho in (-0.6, -0.475, -0.35) for eta in (0.9, 1.7, 9.0)
]
THETAS = np.exp(np.linspace(math.log(1e-6), math.log(0.05), 30))


def scalar_variance(moneyness: float, theta: float, smile: Smile) -> float:
    """SSVI with the power law, written down again."""
    phi = smile.eta / (theta**p.SMILE_POWER * (1 + theta) ** (1 - p.SMILE_POWER))
    rho = smile.rho
    root = math.sqrt((phi * moneyness + rho) ** 2 + 1 - rho * rho)
    return theta / 2 * (1 + rho * phi * moneyness + root)


def test_it_is_the_formula() -> None:
    moneyness = np.linspace(-0.3, 0.3, 61)
    for smile in SMILES:
        for theta in (1e-5, 1e-3, 2e-2):
            found = total_variance(moneyness, np.full(61, theta), smile)
            wanted = [scalar_variance(k, theta, smile) for k in moneyness.tolist()]
            assert found.tolist() == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("smile", SMILES)
def test_no_butterfly_is_an_arbitrage(smile: Smile) -> None:
    """Gatheral's g, which has the sign of the density, by numerical derivatives."""
    for theta in THETAS.tolist():
        k = np.linspace(-12, 12, 4001) * math.sqrt(theta)
        w = total_variance(k, np.full_like(k, theta), smile)
        first, second = np.gradient(w, k), np.gradient(np.gradient(w, k), k)
        g = (1 - k * first / (2 * w)) ** 2 - first**2 / 4 * (1 / w + 0.25) + second / 2
        assert g[5:-5].min() > -1e-6


@pytest.mark.parametrize("smile", SMILES)
def test_no_calendar_is_an_arbitrage(smile: Smile) -> None:
    k = np.linspace(-0.4, 0.4, 161)
    w = np.stack([total_variance(k, np.full_like(k, theta), smile) for theta in THETAS])
    assert (np.diff(w, axis=0) > 0).all()


def test_the_width_is_cut_to_the_condition_and_no_further() -> None:
    smile = arbitrage_free_smile(-0.5, 9.0)
    theta = np.exp(np.linspace(-14, 3, 20_001))
    phi = smile.eta * theta**-p.SMILE_POWER * (1 + theta) ** (p.SMILE_POWER - 1)
    assert (theta * phi**2 * 1.5).max() == pytest.approx(4.0, rel=1e-3)
    assert (theta * phi * 1.5).max() < 4.0
    assert arbitrage_free_smile(-0.475, 1.7).eta == 1.7


@pytest.mark.parametrize("theta", [1e-4, 1.5e-3, 1e-2])
def test_fair_variance_is_what_a_strip_of_options_costs(theta: float) -> None:
    """The log contract replicated by options at many strikes: 2 * sum of price / strike^2."""
    smile = arbitrage_free_smile(-0.475, 1.7)
    edges = np.linspace(-16 * math.sqrt(theta), 10 * math.sqrt(theta), 6_001)
    total = 0.0
    for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        middle = (low + high) / 2
        strike, width = math.exp(middle), math.exp(high) - math.exp(low)
        deviation = math.sqrt(scalar_variance(middle, theta, smile))
        right = "CE" if strike >= 1 else "PE"
        total += 2 * black_price(1.0, strike, 1.0, deviation, right) / strike**2 * width
    assert fair_variance(np.array([theta]), smile)[0] == pytest.approx(total, rel=5e-3)


def test_theta_is_found_again_from_the_fair_variance() -> None:
    for smile in SMILES:
        found = theta_of(fair_variance(THETAS, smile), smile)
        assert found.tolist() == pytest.approx(THETAS.tolist(), rel=2e-3)
        dense = theta_of(np.exp(np.linspace(-14, -2, 5_000)), smile)
        assert (np.diff(dense) > 0).all()
