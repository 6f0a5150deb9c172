"""The process behind the underlyings: causal, the same in any order, regimes as they are meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.trading.market.synthetic.worlds import grid, weekdays, world
from trading.market.synthetic import parameters as p
from trading.market.synthetic.modes import mode_of
from trading.market.synthetic.process import history, level_factor
from trading.market.synthetic.sessions import trading_days

if TYPE_CHECKING:
    from trading.market.synthetic.modes import Mode

REALISTIC = mode_of("realistic")


@pytest.mark.parametrize("mode", [REALISTIC, mode_of("realistic", rough=True)])
def test_a_shorter_history_is_the_beginning_of_a_longer_one_to_the_bit(mode: Mode) -> None:
    short, long = world(3, mode, 40), world(3, mode, 300)
    for name in p.UNDERLYINGS:
        assert np.array_equal(short.paths[name].closes, long.paths[name].closes[:40])
    for part in ("regime", "volatility", "premium", "skew"):
        assert np.array_equal(getattr(short.state, part), getattr(long.state, part)[:40])
    for name, factor in short.state.factors.items():
        assert np.array_equal(factor, long.state.factors[name][:40])


def test_longer_sessions_later_change_nothing_before_them() -> None:
    days = weekdays(30)
    stretched = [
        day._replace(intervals=((day.open_us, day.close_us + 600_000_000),)) if row > 20 else day
        for row, day in enumerate(days)
    ]
    plain, other = history(1, REALISTIC, days), history(1, REALISTIC, stretched)
    assert np.array_equal(plain.paths["NIFTY"].closes[:21], other.paths["NIFTY"].closes[:21])
    assert stretched[25].minutes == 385


def test_another_seed_is_another_market() -> None:
    levels = {float(world(seed, REALISTIC, 10).paths["NIFTY"].closes[-1, -1]) for seed in range(9)}
    assert len(levels) == 9


def test_regimes_last_and_return_as_their_matrix_says() -> None:
    regimes = np.concatenate([world(s, REALISTIC, 1_500).state.regime for s in range(1, 6)])
    shares = np.bincount(regimes, minlength=4) / len(regimes)
    # The stationary distribution: the left eigenvector of the matrix.
    values, vectors = np.linalg.eig(np.array(p.TRANSITIONS).T)
    wanted = np.real(vectors[:, np.argmax(np.real(values))])
    assert shares == pytest.approx(wanted / wanted.sum(), abs=0.06)
    stays = [(regimes[1:][regimes[:-1] == k] == k).mean() for k in range(4)]
    assert stays == pytest.approx([row[k] for k, row in enumerate(p.TRANSITIONS)], abs=0.02)


def test_stress_is_volatile_and_its_premium_can_go() -> None:
    past = world(2, REALISTIC, 1_500)
    stressed = past.state.regime == p.STRESS
    level = level_factor(past.state)
    assert level[stressed].mean() > 1.5 * level[~stressed].mean()
    assert level.max() == p.MOST_VOLATILITY
    assert 0.01 < (level == p.MOST_VOLATILITY).mean() < 0.12
    assert past.state.premium[stressed].mean() < 0 < past.state.premium[~stressed].mean()
    assert past.state.premium[~stressed].mean() == pytest.approx(0.10, abs=0.05)
    assert past.state.skew.min() >= p.SKEW_LIMITS[0]
    assert past.state.skew.max() <= p.SKEW_LIMITS[1]


def test_the_dated_calendar_gives_the_days() -> None:
    days = trading_days(p.FIRST_DAY.replace(year=2026, month=8, day=4))
    by_date = {day.date.isoformat(): day for day in days}
    assert "2026-01-26" not in by_date  # a holiday
    assert by_date["2025-10-21"].minutes == 60  # Muhurat
    assert by_date["2024-03-02"].minutes == 105  # a drill in two parts
    assert by_date["2026-07-31"].minutes == 375
    assert by_date["2026-08-03"].minutes == 385
    past = history(1, REALISTIC, days)
    row = days.index(by_date["2025-10-21"])
    closes = past.paths["NIFTY"].closes[row]
    assert (np.diff(closes[:60]) != 0).all()
    assert (closes[59:] == closes[59]).all()


def test_750_days_of_minutes_are_those_of_the_paths() -> None:
    past = world(4, REALISTIC, 750)
    prices = np.exp(grid(past, "NIFTY"))
    assert prices.shape == (750, 376)
    assert prices.min() > 3_000
    assert prices[0, 0] == pytest.approx(p.FIRST_LEVEL["NIFTY"])
