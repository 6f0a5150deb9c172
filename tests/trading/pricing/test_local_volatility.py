"""Local volatilities: any positive field is a surface without arbitrage, and is found again."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.linalg import solve_banded

from tests.trading.pricing.chains import ssvi_chain
from trading.pricing.discrete_law import calls_of_masses
from trading.pricing.fitting import fit_surface
from trading.pricing.local_volatility import local_volatilities, masses_of_local_volatilities
from trading.pricing.profiles import FAST
from trading.pricing.surface import surface_of

YEARS = (0.02, 0.05, 0.13, 0.25)


def random_nodes(random: np.random.Generator) -> np.ndarray:
    """On both sides of the forward, at least a thousandth apart."""
    logs = random.choice(np.arange(-400, 350), random.integers(5, 60), replace=False) / 1000
    return np.exp(np.unique(np.concatenate((logs, [-0.5, 0.0, 0.45]))))


@pytest.mark.parametrize("seed", range(5))
def test_a_hundred_random_fields_are_free_of_arbitrage(seed: int) -> None:
    random = np.random.default_rng(seed)
    for _ in range(100):
        nodes = random_nodes(random)
        field = 0.15 * np.exp(random.normal(0.0, 1.5, (4, nodes.size - 2)))
        masses = masses_of_local_volatilities(nodes, YEARS, field)
        assert masses.min() >= 0.0
        assert np.abs(masses.sum(axis=1) - 1.0).max() < 1e-11
        assert np.abs((masses * nodes).sum(axis=1) - 1.0).max() < 1e-11
        before = np.maximum(1.0 - nodes, 0.0)
        for law in masses:
            calls = calls_of_masses(nodes, law)
            assert (calls - before).min() > -1e-12
            before = calls


def test_a_given_field_is_recovered() -> None:
    random = np.random.default_rng(3)
    nodes = np.exp(np.linspace(-0.35, 0.35, 41))
    field = 0.2 + 0.1 * random.uniform(-1.0, 1.0, (4, 39))
    masses = masses_of_local_volatilities(nodes, YEARS, field)
    found = local_volatilities(nodes, YEARS, masses)
    # Both theta and gamma are differences; where little mass arrives few digits are left of them.
    heavy = masses[:, 1:-1] > 1e-7
    assert heavy.sum() > 100
    assert np.abs(found - field)[heavy].max() < 1e-6


def test_the_step_solves_the_system_it_says() -> None:
    """Against LAPACK's banded solver."""
    random = np.random.default_rng(8)
    nodes = random_nodes(random)
    field = 0.2 * np.exp(random.normal(0.0, 1.0, (1, nodes.size - 2)))
    (masses,) = masses_of_local_volatilities(nodes, [0.1], field)
    gaps, space = np.diff(nodes), 0.5 * (nodes[2:] - nodes[:-2])
    pace = 0.5 * field[0] ** 2 * nodes[1:-1] ** 2 * 0.1 / space
    left, right = pace / gaps[:-1], pace / gaps[1:]
    bands = np.zeros((3, nodes.size - 2))
    bands[0, 1:], bands[1], bands[2, :-1] = -right[:-1], 1.0 + left + right, -left[1:]
    goal = np.maximum(1.0 - nodes[1:-1], 0.0)
    goal[0] += left[0] * (1.0 - nodes[0])
    calls = solve_banded((1, 1), bands, goal)
    assert calls_of_masses(nodes, masses)[1:-1] == pytest.approx(calls, abs=1e-14)


def test_a_constant_volatility_becomes_the_lognormal_law() -> None:
    """Many small steps of the heat equation: the at-the-money price of Black-76."""
    nodes = np.exp(np.linspace(-1.2, 1.2, 241))
    years = np.linspace(0.01, 1.0, 100)
    masses = masses_of_local_volatilities(nodes, list(years), np.full((100, 239), 0.2))
    price = calls_of_masses(nodes, masses[-1])[120]
    assert price == pytest.approx(math.erf(0.1 / math.sqrt(2.0)), rel=2e-3)
    assert local_volatilities(nodes, list(years), masses)[-1, 120] == pytest.approx(0.2, rel=1e-9)


def test_a_fitted_surface_survives_the_round_trip() -> None:
    surface = fit_surface(ssvi_chain(), profile=FAST).surface
    assert surface is not None
    field = local_volatilities(surface.nodes, surface.years, surface.masses)
    assert field.shape == (4, surface.nodes.size - 2)
    assert np.nanmin(field) >= 0.0
    usable = np.where(np.isfinite(field) & (field > 0.0), field, 1e-3)
    masses = masses_of_local_volatilities(surface.nodes, surface.years, usable)
    again = surface_of(
        surface.expiries, surface.years, surface.eta, surface.variances, surface.nodes, masses
    )
    k = np.linspace(0.9, 1.1, 101)
    for number in range(4):
        off = again.expiry(number).call(k) - surface.expiry(number).call(k)
        assert np.abs(off).max() < 1e-5
    # A least-squares fit is rough from node to node; around the money it is right on the whole.
    near = np.abs(surface.nodes[1:-1] - 1.0) < 0.02
    assert 0.08 < np.nanmedian(field[:, near]) < 0.2


def test_a_node_without_mass_has_none_and_a_still_one_has_zero() -> None:
    nodes = np.array([0.5, 0.9, 1.0, 1.1, 2.0])
    certain = np.array([0.0, 0.0, 1.0, 0.0, 0.0])
    (row,) = local_volatilities(nodes, [0.1], certain[None, :])
    assert math.isnan(row[0])
    assert row[1] == 0.0
    assert math.isnan(row[2])


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"field": np.full((4, 3), 0.2)}, "a positive number for each expiry and inner node"),
        ({"field": np.zeros((4, 4))}, "a positive number for each"),
        ({"field": np.full((4, 4), math.nan)}, "a positive number for each"),
        ({"field": np.full((4, 4), math.inf)}, "a positive number for each"),
        ({"years": (0.02, 0.02, 0.1, 0.2)}, "times that rise from zero"),
        ({"years": (0.0, 0.02, 0.1, 0.2)}, "times that rise from zero"),
        ({"nodes": np.array([0.5, 0.9, 0.8, 1.1, 1.5, 2.0])}, "rising nodes on both sides"),
        ({"nodes": np.array([1.1, 1.2, 1.3, 1.4, 1.5, 2.0])}, "rising nodes on both sides"),
    ],
)
def test_what_is_no_field_is_refused(changes: dict[str, Any], complaint: str) -> None:
    given: dict[str, Any] = {
        "nodes": np.array([0.5, 0.8, 0.9, 1.1, 1.5, 2.0]),
        "years": YEARS,
        "field": np.full((4, 4), 0.2),
    }
    with pytest.raises(ValueError, match=complaint):
        masses_of_local_volatilities(**(given | changes))
