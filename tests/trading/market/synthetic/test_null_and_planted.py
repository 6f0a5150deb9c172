"""The null market has nothing to find; the planted one has what it says, and it is found.

Every seed is fixed. Rates of rejection are counted over many seeds and compared with the binomial
spread around what a fair test would give.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.trading.market.synthetic.rejections import (
    FIVE_PERCENT,
    ONE_SIDED,
    skewed_t,
    t_of_mean,
    within_chance,
)
from tests.trading.market.synthetic.worlds import MINUTES, grid, world
from trading.market.synthetic.chains import fair_prices
from trading.market.synthetic.day_path import day_path
from trading.market.synthetic.expectation import expected_variance
from trading.market.synthetic.market import MarketPlan, day_smile, day_tables
from trading.market.synthetic.modes import Mode, mode_of
from trading.market.synthetic.order_flow import minute_imbalance, order_flow
from trading.market.synthetic.surface import theta_of

if TYPE_CHECKING:
    from trading.market.synthetic.process import History

SEEDS, ROUGH_SEEDS = 200, 80
DAYS = 60
EITHER = pytest.mark.parametrize("rough", [False, True])


@cache
def null_worlds(*, rough: bool = False) -> list[History]:
    null, seeds = mode_of("null", rough=rough), ROUGH_SEEDS if rough else SEEDS
    return [world(seed, null, DAYS) for seed in range(1, seeds + 1)]


def memory_t(past: History) -> float:
    """White's t of the first autocorrelation of minute returns: right where volatility moves."""
    r = np.diff(grid(past, "NIFTY"), axis=1)
    product = (r[:, 1:] * r[:, :-1]).ravel()
    return float(product.sum() / math.sqrt((product**2).sum()))


def premium_t(past: History) -> float:
    """The t of what sellers of each whole day's variance keep, as a part of its price."""
    return skewed_t(1.0 - variance_ratios(past))


def variance_ratios(past: History) -> np.ndarray:
    """Realised over implied variance of each day's session."""
    r = np.diff(grid(past, "NIFTY"), axis=1)
    implied = np.array([implied_day_variance(past, row) for row in range(len(past.days))])
    return (r**2).sum(axis=1) / implied


def implied_day_variance(past: History, row: int) -> float:
    fair = expected_variance(past, "NIFTY", row, np.array([0]), [])[0, 0]
    return float(fair * (1.0 + past.state.premium[row]))


@EITHER
def test_minute_returns_of_the_null_market_predict_nothing(*, rough: bool) -> None:
    worlds = null_worlds(rough=rough)
    rejected = sum(abs(memory_t(past)) > FIVE_PERCENT for past in worlds)
    assert within_chance(rejected, len(worlds), 0.05)


@EITHER
def test_daily_returns_of_the_null_market_predict_nothing(*, rough: bool) -> None:
    worlds, rejected = null_worlds(rough=rough), 0
    for past in worlds:
        daily = np.diff(grid(past, "NIFTY")[:, -1])
        product = daily[1:] * daily[:-1]
        rejected += abs(product.sum() / math.sqrt((product**2).sum())) > FIVE_PERCENT
    assert within_chance(rejected, len(worlds), 0.05)


def test_order_flow_of_the_null_market_predicts_nothing() -> None:
    rejected = 0
    for past in null_worlds():
        r = np.diff(grid(past, "NIFTY"), axis=1)[:5]
        flows = [order_flow(past, "NIFTY", row) for row in range(5)]
        flow = np.stack([minute_imbalance(each, MINUTES) for each in flows])
        product = (flow[:, :-1] * r[:, 1:]).ravel()
        rejected += abs(product.sum() / math.sqrt((product**2).sum())) > FIVE_PERCENT
    assert within_chance(rejected, SEEDS, 0.05)


@EITHER
def test_the_null_market_pays_no_premium_for_variance(*, rough: bool) -> None:
    worlds = null_worlds(rough=rough)
    ratios = np.array([variance_ratios(past).mean() for past in worlds])
    assert abs(t_of_mean(ratios - 1.0)) < 3.0
    assert ratios.mean() == pytest.approx(1.0, abs=0.02)
    lucky = sum(premium_t(past) > ONE_SIDED for past in worlds)
    assert within_chance(lucky, len(worlds), 0.05)


def straddle_gains(past: History, days: int) -> np.ndarray:
    """What sellers of the at-the-money straddle of a few days' life keep, in deviations, at fair
    prices, held to the end, and the half spread they pay.
    """
    gains = []
    for row in range(1, len(past.days) - days, days):
        elapsed = (past.days[row + days].close_us - past.days[row].open_us) / (365 * 86_400e6)
        fair = expected_variance(past, "NIFTY", row, np.array([0]), [MINUTES] * days)[:, -1]
        theta = theta_of(fair * (1.0 + past.state.premium[row]), day_smile(past, row))
        forward = np.exp(past.paths["NIFTY"].opens[row : row + 1] + 0.06 * elapsed)
        prices, density, _ = fair_prices(forward, forward, theta, day_smile(past, row))
        unit = forward[0] * math.sqrt(theta[0])
        end = math.exp(past.paths["NIFTY"].closes[row + days, -1])
        gain = prices.sum() - abs(end - forward[0])
        vega = 2 * forward[0] * density[0, 0] * math.sqrt(elapsed)
        half_spread = 0.004 * prices.sum() + 0.0015 * vega
        gains.append((gain / unit, half_spread / unit))
    return np.array(gains)


@pytest.mark.parametrize(("days", "rough"), [(1, False), (1, True), (5, False), (5, True)])
def test_straddles_of_the_null_market_gain_nothing_at_its_quotes(days: int, *, rough: bool) -> None:
    worlds = null_worlds(rough=rough)
    found = np.array([straddle_gains(past, days).mean(axis=0) for past in worlds])
    gain, half_spread = found[:, 0], found[:, 1]
    assert t_of_mean(gain - half_spread) < 3.0  # sellers
    assert t_of_mean(-gain - half_spread) < 3.0  # buyers
    assert half_spread.mean() < 0.02  # of about 0.8, the straddle's price: no wide net


@EITHER
def test_the_null_market_is_a_martingale_at_its_carry(*, rough: bool) -> None:
    worlds = null_worlds(rough=rough)
    moves = np.concatenate([np.diff(grid(past, "NIFTY")[:, -1]) for past in worlds])
    closes = np.array([[day.close_us for day in past.days] for past in worlds])
    years = (np.diff(closes, axis=1) / (365 * 86_400e6)).ravel()
    excess = np.expm1(moves) - np.expm1(0.06 * years)
    assert abs(t_of_mean(excess)) < 3.0


def share_found(mode: Mode, statistic, seeds: int, days: int) -> float:  # type: ignore[no-untyped-def]
    return float(
        np.mean([statistic(world(seed, mode, days)) > ONE_SIDED for seed in range(1, seeds + 1)])
    )


def test_a_planted_premium_is_found_with_the_stated_power() -> None:
    planted = mode_of("planted", {"premium": 0.25})
    assert share_found(planted, premium_t, 40, 120) >= 0.9


def test_planted_momentum_is_found_with_the_stated_power() -> None:
    planted = mode_of("planted", {"momentum": 0.05})
    assert share_found(planted, memory_t, 40, 60) >= 0.9


def test_planted_impact_is_found_with_the_stated_power() -> None:
    found = 0
    for seed in range(1, 21):
        past = world(seed, mode_of("planted", {"impact": 0.3}), 5)
        terms = []
        for row in range(5):
            flow = order_flow(past, "NIFTY", row)
            path = day_path(past, "NIFTY", row, flow, None, None, MINUTES)
            moves = np.diff(np.log(path.minute_ends))
            terms.append(moves * minute_imbalance(flow, MINUTES))
        product = np.concatenate(terms)
        found += product.sum() / math.sqrt((product**2).sum()) > ONE_SIDED
    assert found >= 18


def test_a_planted_reversion_strays_by_its_size_and_costs_nothing_on_average() -> None:
    """What thirty days' variance costs, beside the null market of the same seed, whose paths are
    the same; both are shown to the hundredth.
    """
    size, kept, walks = 0.3, 0.5 ** (1.0 / 15.0), []
    modes = (mode_of("null"), mode_of("planted", {"reversion": size}))
    for row in range(8):
        shown = []
        for mode in modes:
            past = world(7, mode, 10)
            rows = day_tables(MarketPlan(7, mode, 60, 1), past, past.days[row].date)["vix"]
            shown.append(rows["close"][:-1])
        plain, strayed = shown
        assert strayed[0] != plain[0]
        walks.append(np.log(strayed / plain) * 2.0)
    walk = np.array(walks) + 0.5 * size**2
    settled = walk[:, 60:]
    assert abs(settled.mean()) < 3 * size * math.sqrt(2 * 15 / math.log(2) / settled.size)
    assert settled.std() == pytest.approx(size, rel=0.15)
    steps = (settled[:, :-1] * settled[:, 1:]).sum() / np.square(settled[:, :-1]).sum()
    assert steps == pytest.approx(kept, abs=0.02)
    assert np.exp(settled - 0.5 * size**2).mean() == pytest.approx(1.0, abs=0.07)
