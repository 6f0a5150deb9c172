"""Expected variance is what is realised, on average, at every horizon and from any minute."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.trading.market.synthetic.worlds import MINUTES, grid, world
from trading.market.synthetic import parameters as p
from trading.market.synthetic import process
from trading.market.synthetic.expectation import capped_square, expected_variance
from trading.market.synthetic.modes import mode_of
from trading.market.synthetic.process import (
    BASE_DAY_VARIANCE,
    SLOW_KEPT,
    SLOW_PUSH,
    jump_variance,
    level_factor,
)
from trading.market.synthetic.rough import DAY_SCALE, Steps, levels

if TYPE_CHECKING:
    from collections.abc import Callable

    from trading.market.synthetic.modes import Mode

HORIZON = 10
SEEDS = 24


@pytest.mark.parametrize(
    ("mode", "rough", "every"),
    [("null", False, 3), ("realistic", False, 3), ("realistic", True, 7)],
)
def test_realised_variance_averages_to_what_was_expected(
    mode: str, every: int, *, rough: bool
) -> None:
    """Closing prices, so that the autocorrelation of minutes counts: squared returns over horizons
    beside the expectation, an average of ratios within three standard errors.
    """
    ratios = []
    for seed in range(1, SEEDS + 1):
        past = world(seed, mode_of(mode, rough=rough), 400)
        minute = np.diff(grid(past, "NIFTY"), axis=1)
        opens, closes = past.paths["NIFTY"].opens, grid(past, "NIFTY")[:, -1]
        nights = np.append(0.0, opens[1:] - closes[:-1])
        for row in range(1, 400 - HORIZON, every):
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
    poisoned = past._replace(shocks=shocks, intraday=intraday)
    if past.steps is not None and past.state.steps is not None:
        daily, minutely = (
            Steps(*(noise.copy() for noise in steps)) for steps in (past.state.steps, past.steps)
        )
        for noise in daily:
            noise[p.ROUGH_DAYS_BEFORE + 20 :] = 9.0
        for noise in minutely:
            noise[20, 200:] = 9.0
            noise[21:] = 9.0
        poisoned = poisoned._replace(state=past.state._replace(steps=daily), steps=minutely)
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


FUTURES, BASES, ROW, MINUTE = 40, 16, 5, 200


def spliced(draw: Callable[..., Any], known: int, future: int) -> Callable[..., Any]:
    """Draws that are those of one seed up to a minute of a day and another's from there on."""

    def drawn(_: int, mode: Mode, days: Any) -> Any:
        past, later = draw(known, mode, days), draw(future, mode, days)
        for mine, other in (
            (past.daily, later.daily),
            (past.chances, later.chances),
            *((past.shocks[name], later.shocks[name]) for name in past.shocks),
            (past.wander, later.wander),
            (past.rests, later.rests),
        ):
            mine[ROW + 1 :] = other[ROW + 1 :]
        past.daily[ROW, :2] = later.daily[ROW, :2]  # of volatility's own noise of the day
        past.rests[ROW, 0] = later.rests[ROW, 0]
        past.rests[ROW, 1 + MINUTE :] = later.rests[ROW, 1 + MINUTE :]
        past.wander[ROW, MINUTE:] = later.wander[ROW, MINUTE:]
        for name, shocks in past.shocks.items():
            shocks[ROW, MINUTE:] = later.shocks[name][ROW, MINUTE:]
        return past

    return drawn


def test_many_futures_of_one_rough_past_average_to_what_was_expected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same past up to a minute, other noise after it: the variance of the rest of the day, of
    the next and of the three after it, is for each of many pasts only as far off as chance has it.
    """
    draw, null, scores = vars(process)["_draw"], mode_of("null", rough=True), []
    night = p.BASE_VOLATILITY**2 / p.YEAR_DAYS * p.OVERNIGHT_SHARE
    for seed in range(1, BASES + 1):
        found = []
        for future in range(1_000 * seed, 1_000 * seed + FUTURES):
            monkeypatch.setattr(process, "_draw", spliced(draw, seed, future))
            past = world(seed, null, ROW + 5)
            days = np.square(past.deviation).sum(axis=1) + night * level_factor(past.state) ** 2
            rest = np.square(past.deviation[ROW, MINUTE:]).sum()
            found.append((rest, days[ROW + 1], days[ROW + 2 :].sum()))
        expected = expected_variance(past, "NIFTY", ROW, np.array([MINUTE]), [MINUTES] * 4)[0]
        jumps = jump_variance("NIFTY")
        wanted = np.array([expected[0], expected[1] - expected[0], expected[4] - expected[1]])
        wanted -= jumps * np.array([1.0 - MINUTE / MINUTES, 1.0, 3.0])
        each = np.array(found) / wanted
        scores.append((each.mean(axis=0) - 1.0) / (each.std(axis=0, ddof=1) / math.sqrt(FUTURES)))
    off = np.array(scores)
    assert (np.abs(off.mean(axis=0)) < 3.0 / math.sqrt(BASES)).all()
    assert (np.square(off).mean(axis=0) < 2.2).all()  # one, and one of skewness and of chance


def impulse_responses(days: int) -> dict[str, np.ndarray[Any, Any]]:
    """What one unit of each noise of each day (rows, from the first of the rough process on) makes
    of the slow and the rough factor together at each day's open (columns).
    """
    unit, nothing = np.eye(p.ROUGH_DAYS_BEFORE + days), np.zeros((p.ROUGH_DAYS_BEFORE + days,) * 2)
    moved = DAY_SCALE * levels(Steps(unit, nothing))
    slow = np.zeros_like(unit)
    for now in range(p.ROUGH_DAYS_BEFORE, len(unit) - 1):
        slow[:, now + 1] = SLOW_KEPT * slow[:, now] + SLOW_PUSH * unit[:, now]
    alone = math.sqrt(1.0 - p.LEVERAGE**2)
    return {
        "market": p.LEVERAGE * (slow + moved),
        "slow": alone * slow,
        "rough": alone * moved,
        "rest": DAY_SCALE * levels(Steps(nothing, unit)),
    }


def test_a_rough_price_of_variance_is_that_of_unit_impulses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing has happened, one regime and no ceiling: the logarithm of a coming day's expected
    square is twice what is not known of its factors less what is taken off, both summed here from
    impulses. The night's share of today's shock is known, and is nothing.
    """
    monkeypatch.setattr(p, "REGIME_VOLATILITY", (1.0,) * 4)
    monkeypatch.setattr(p, "MOST_VOLATILITY", 1e6)
    past, ahead, row = world(1, mode_of("null", rough=True), ROW + 1), 12, ROW
    assert past.state.steps is not None
    silent = past._replace(
        shocks=np.zeros_like(past.shocks),
        night_shocks=np.zeros_like(past.night_shocks),
        state=past.state._replace(
            factors={name: np.zeros_like(each) for name, each in past.state.factors.items()},
            steps=Steps(*(np.zeros_like(each) for each in past.state.steps)),
        ),
    )
    expected = expected_variance(silent, "NIFTY", row, np.array([0]), [MINUTES] * ahead)[0]
    square = (np.diff(expected) - jump_variance("NIFTY")) / BASE_DAY_VARIANCE

    made, today = impulse_responses(row + 1 + ahead), p.ROUGH_DAYS_BEFORE + row
    coming = slice(today + 1, None)
    taken = sum(np.square(each[:, coming]).sum(axis=0) for each in made.values())
    taken += (p.SLOW_DEVIATION * SLOW_KEPT ** np.arange(row + 1, row + 1 + ahead)) ** 2
    unknown = sum(np.square(each[today:, coming]).sum(axis=0) for each in made.values())
    unknown -= p.OVERNIGHT_SHARE * np.square(made["market"][today, coming])
    assert 0.5 * np.log(square) == pytest.approx(unknown - taken, rel=1e-9)
