"""The stylised facts of index returns, inside their accept ranges (docs/synthetic.md).

Every fact of a history of 750 days must hold at once, of whatever seed. Kurtosis, skewness and tail
are measured on 750 returns and scatter by themselves, so it is the share of seeds that is held to a
bound: over a panel that is fixed, so nothing flakes; the long panel is of 200 seeds.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from tests.trading.market.synthetic.worlds import (
    ACCEPTED,
    MINUTES,
    autocorrelation,
    correlation,
    farthest_from_close,
    grid,
    missed,
    stylised_facts,
    world,
)
from trading.market.synthetic.modes import mode_of
from trading.market.synthetic.order_flow import minute_imbalance, minute_lots, order_flow

REALISTIC = mode_of("realistic")
INDICES = ("NIFTY", "BANKNIFTY")
PANEL, LONG_PANEL = 30, 200
LEAST_SHARE, MOST_MISSES = 0.92, 10  # of the long panel; skewness is the fact that misses most


@cache
def facts_of(seed: int, days: int) -> dict[str, dict[str, float]]:
    past = world(seed, REALISTIC, days)
    return {name: stylised_facts(grid(past, name)) for name in INDICES}


def hold_all(name: str, seeds: int) -> float:
    """The share of seeds of 750 days whose every fact is inside its range."""
    return float(np.mean([not outside(name, seed) for seed in range(1, seeds + 1)]))


def outside(name: str, seed: int) -> set[str]:
    return set(missed(facts_of(seed, 750)[name])) & set(ACCEPTED)


@pytest.mark.parametrize("name", INDICES)
def test_every_fact_of_nearly_every_history_is_in_its_range(name: str) -> None:
    assert hold_all(name, PANEL) >= 0.9
    for fact in ACCEPTED:
        misses = sum(fact in outside(name, seed) for seed in range(1, PANEL + 1))
        assert misses <= 2, fact


@pytest.mark.slow
@pytest.mark.parametrize("name", INDICES)
def test_every_fact_is_in_its_range_over_many_seeds(name: str) -> None:
    assert hold_all(name, LONG_PANEL) >= LEAST_SHARE
    for fact in ACCEPTED:
        misses = sum(fact in outside(name, seed) for seed in range(1, LONG_PANEL + 1))
        assert misses <= MOST_MISSES, fact


def farthest(seeds: int) -> float:
    """How far NIFTY goes from a close before on any of 750 days, of so many seeds."""
    moves = [facts_of(seed, 750)["NIFTY"]["farthest from a close"] for seed in range(1, seeds + 1)]
    return max(moves)


def test_no_day_of_the_panel_goes_as_far_as_a_circuit_breaker() -> None:
    """No bound is set; ten per cent are more than five deviations of a day at its ceiling."""
    assert farthest(PANEL) == pytest.approx(0.0664, abs=5e-5)


@pytest.mark.parametrize(("mode", "moved"), [("realistic", 0.0870), ("null", 0.0828)])
def test_the_farthest_day_known_is_that_of_a_seed(mode: str, moved: float) -> None:
    """Of two hundred seeds, measured in both modes; the slow trial looks again at all of one."""
    found = farthest_from_close(grid(world(125, mode_of(mode), 750), "NIFTY"))
    assert found == pytest.approx(moved, abs=5e-5)


@pytest.mark.slow
def test_the_farthest_day_of_many_seeds_stays_short_of_a_circuit_breaker() -> None:
    assert farthest(LONG_PANEL) == pytest.approx(0.0870, abs=5e-5)


@pytest.mark.parametrize("seed", [2, 3, 4, 5, 7])
def test_a_longer_history_holds_every_fact(seed: int) -> None:
    for name, facts in facts_of(seed, 1_500).items():
        assert not missed(facts), name


@pytest.mark.parametrize("name", INDICES)
def test_the_middle_of_many_histories_is_well_inside(name: str) -> None:
    found = [facts_of(seed, 750)[name] for seed in range(1, PANEL + 1)]
    for fact, (low, high) in ACCEPTED.items():
        values = np.array([facts[fact] for facts in found])
        assert low < np.percentile(values, 10) < np.percentile(values, 90) < high, fact
    # Memory that fades slowly, and returns that come nearer the normal over longer times.
    median = {fact: float(np.median([facts[fact] for facts in found])) for fact in found[0]}
    assert median["ACF10 of |r|, day"] > 0.03
    assert median["ACF20 of log RV"] > 0.08
    assert median["kurtosis, 20 days"] < 0.7 * median["kurtosis, day"]


def test_the_indices_move_together() -> None:
    past = world(1, REALISTIC, 750)
    nifty, bank = (np.diff(grid(past, name)[:, -1]) for name in ("NIFTY", "BANKNIFTY"))
    assert 0.75 < correlation(nifty, bank) < 0.92
    assert 1.05 < bank.std() / nifty.std() < 1.3


def test_volume_goes_with_the_size_of_returns() -> None:
    past = world(2, REALISTIC, 60)
    moves = np.abs(np.diff(grid(past, "NIFTY"), axis=1))
    lots = np.stack([minute_lots(order_flow(past, "NIFTY", row), MINUTES) for row in range(60)])
    assert 0.3 < correlation(lots.ravel(), moves.ravel()) < 0.7
    middle = lots[:, 125:250].mean()
    assert lots[:, :30].mean() > 1.5 * middle
    assert lots[:, -30:].mean() > 1.2 * middle


def test_the_branching_ratio_of_events_is_in_its_range() -> None:
    """From the dispersion of counts (Hardiman and Bouchaud 2014): n = 1 - sqrt(mean / variance),
    after the shape of the day and the level of each day are taken out.
    """
    past = world(2, REALISTIC, 60)
    seconds = [order_flow(past, "NIFTY", row).seconds for row in range(60)]
    counts = np.stack([np.histogram(times, 75, (0, 60 * MINUTES))[0] for times in seconds])
    season = counts.mean(axis=0) / counts.mean()
    level = counts.mean(axis=1, keepdims=True)
    ratio = ((counts / season - level) ** 2).mean() / counts.mean()
    assert 0.5 < 1.0 - 1.0 / np.sqrt(ratio) < 0.8


def test_order_flow_stays_on_its_side_for_a_while() -> None:
    past = world(2, REALISTIC, 20)
    flows = [order_flow(past, "NIFTY", row) for row in range(20)]
    imbalance = [minute_imbalance(flow, MINUTES) for flow in flows]
    assert 0.02 < np.mean([autocorrelation(each) for each in imbalance]) < 0.6
    assert abs(np.mean(imbalance)) < 0.02
