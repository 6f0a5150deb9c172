"""The repair of a solver's dust: what comes out is a law in order, whatever went in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.pricing.discrete_law import calls_of_masses, masses_of_calls, repaired

# Nodes as a wild variance makes them: as close as 1e-4 at one end, as far apart as hundreds.
NODES = np.round(np.exp(np.linspace(-8.4, 6.0, 39)), 9)
NODES = np.unique(np.append(NODES, 1.0))


def lawful(weights: np.ndarray) -> np.ndarray:
    """Masses of mass and mean one, with these weights on each side of the forward."""
    below, above = NODES < 1.0, NODES > 1.0
    masses = np.where(below, weights / weights[below].sum(), weights / weights[above].sum())
    masses[NODES == 1.0] = 0.0
    low, high = float((masses * NODES)[below].sum()), float((masses * NODES)[above].sum())
    share = (1.0 - low) / (high - low)
    return np.where(below, (1.0 - share) * masses, share * masses)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), size=st.sampled_from([0.0, 1e-13, 1e-11, 1e-9]))
def test_laws_with_dust_come_out_in_order(seed: int, size: float) -> None:
    random = np.random.default_rng(seed)
    narrow = lawful(np.exp(-10.0 * np.abs(np.log(NODES)) + random.normal(0.0, 1.0, NODES.size)))
    wide = lawful(np.exp(-3.0 * np.abs(np.log(NODES)) + random.normal(0.0, 1.0, NODES.size)))
    dusty = []
    for law in (narrow, wide):
        calls = calls_of_masses(NODES, law)
        dusty.append(masses_of_calls(NODES, calls + random.normal(0.0, size, NODES.size)))
    before = np.maximum(1.0 - NODES, 0.0)
    for masses in repaired(NODES, dusty):
        calls = calls_of_masses(NODES, masses)
        assert masses.min() >= 0.0
        assert abs(masses.sum() - 1.0) < 1e-9
        assert abs(float((masses * NODES).sum()) - 1.0) < 1e-9
        assert (calls - before).min() > -1e-10
        before = calls


def test_a_clean_law_is_left_as_it_is() -> None:
    law = lawful(np.exp(-3.0 * np.abs(np.log(NODES))))
    assert repaired(NODES, [law])[0] == pytest.approx(law, abs=1e-11)
