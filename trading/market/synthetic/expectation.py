"""What the generator's own state says of the variance to come: the fair price of options in it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trading.market.synthetic import parameters as p
from trading.market.synthetic import rough
from trading.market.synthetic.normal import normal_distribution
from trading.market.synthetic.process import (
    BASE_DAY_VARIANCE,
    FACTOR_VARIANCE,
    FAST_KEPT,
    FAST_PUSH,
    FULL_SHAPE,
    INTRADAY_KEPT,
    SLOW_KEPT,
    SLOW_PUSH,
    DailyState,
    History,
    jump_variance,
    level_factor,
    minute_convexity,
    rough_convexity,
    slow_rough_covariance,
    u_shape,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trading.market.synthetic.arrays import Floats, Integers
    from trading.market.synthetic.modes import Mode


class _Forecast(NamedTuple):
    """What is known on a day of the sum of the factors of the days to come, a value a day ahead:
    its mean but for today's shock, what that adds (to be multiplied by the part of it that is
    known), its variance, today's shock unknown, and what is taken off.
    """

    known: Floats
    push: Floats
    variance: Floats
    convexity: Floats


def expected_variance(
    history: History, name: str, row: int, minutes: Integers, coming: Sequence[int]
) -> Floats:
    """The expected variance of an underlying's logarithmic price from the ends of some minutes of a
    day (counted from 1; 0 is the open) to the close of that day (first column) and of each of the
    coming days, whose minutes of trading are given.

    It uses what has happened by then and nothing later. Shape (minutes, 1 + coming days).
    """
    today = _rest_of_day(history, row, minutes)
    days = _coming_days(history, row, minutes, coming)
    ratio = p.VOLATILITY_RATIO[name] ** 2
    jumps = jump_variance(name) / p.FULL_SESSION
    session = history.days[row].minutes
    variance = np.column_stack([today, days]) * ratio
    variance[:, 0] += jumps * (session - minutes)
    variance[:, 1:] += jumps * np.asarray(coming, dtype=np.float64)
    return np.cumsum(variance, axis=1)


def _memory_factor(mode: Mode) -> Floats:
    """How much autocorrelation of minute returns adds to the variance of their sum, by regime."""
    return np.asarray([(1.0 - memory) ** -2 for memory in mode.minute_memory])


def _rest_of_day(history: History, row: int, minutes: Integers) -> Floats:
    """NIFTY's expected variance over the rest of the session, jumps left out."""
    session = history.days[row].minutes
    level = float(level_factor(history.state)[row]) ** 2
    shape = np.square(u_shape(session)) / FULL_SHAPE
    scale = level * BASE_DAY_VARIANCE * (1.0 - p.OVERNIGHT_SHARE)
    scale *= float(_memory_factor(history.mode)[history.state.regime[row]])
    ahead = np.arange(session)[None, :] - minutes[:, None]
    grown = np.exp(_minute_factor(history, row, minutes, ahead))
    return np.cumsum(np.where(ahead >= 0, grown * shape[None, :], 0.0), axis=1)[:, -1] * scale


def _minute_factor(history: History, row: int, minutes: Integers, ahead: Integers) -> Floats:
    """The logarithm of the minute factor's expected square so many minutes ahead."""
    session = history.days[row].minutes
    expected: Floats
    if history.steps is None:
        factor = history.intraday[row][np.minimum(minutes, session - 1)]
        kept = np.where(ahead >= 0, INTRADAY_KEPT ** np.maximum(ahead, 0), 0.0)
        expected = 2.0 * kept * factor[:, None] - 2.0 * np.square(p.INTRADAY_DEVIATION * kept)
        return expected
    moves, rests = (np.ascontiguousarray(each[row, :session]) for each in history.steps)
    known = rough.MINUTE_SCALE * rough.known_by(rough.Steps(moves, rests), minutes)
    unknown = rough.MINUTE_SCALE**2 * rough.variances(session)[np.maximum(ahead, 0)]
    expected = 2.0 * (known + unknown - minute_convexity(history.mode)[:session])
    return expected


def _coming_days(history: History, row: int, minutes: Integers, coming: Sequence[int]) -> Floats:
    """NIFTY's expected variance of each coming day, its night included, jumps left out."""
    state = history.state
    session = history.days[row].minutes
    count = len(coming)
    # The part of the day's shock that is known pushes tomorrow's volatility already.
    done = np.cumsum(np.append(0.0, history.shocks[row, :session]))[minutes] / math.sqrt(session)
    share = p.OVERNIGHT_SHARE
    known = math.sqrt(share) * history.night_shocks[row] + math.sqrt(1.0 - share) * done
    unknown = (1.0 - share) * (1.0 - minutes / session)
    factors = _forecast(state, row, count)
    mean = factors.known[None, :] + p.LEVERAGE * known[:, None] * factors.push[None, :]
    variance = factors.variance[None, :] - p.LEVERAGE**2 * (
        (1.0 - unknown)[:, None] * np.square(factors.push)[None, :]
    )
    weights = _regime_weights(history, row, coming)
    expected = np.zeros_like(mean)
    for regime, volatility in enumerate(p.REGIME_VOLATILITY):
        level = mean + (math.log(volatility) - factors.convexity)
        expected += weights[regime][None, :] * capped_square(level, variance)
    variances: Floats = BASE_DAY_VARIANCE * expected
    return variances


def capped_square(mean: Floats, variance: Floats) -> Floats:
    """The expected square of a level below its ceiling, whose logarithm without the ceiling is
    normal with these moments.
    """
    ceiling, deviation = math.log(p.MOST_VOLATILITY), np.sqrt(variance)
    below = np.exp(2.0 * mean + 2.0 * variance)
    below *= normal_distribution((ceiling - mean - 2.0 * variance) / deviation)
    at_it = p.MOST_VOLATILITY**2 * normal_distribution((mean - ceiling) / deviation)
    square: Floats = below + at_it
    return square


def _forecast(state: DailyState, row: int, count: int) -> _Forecast:
    """What is known on a day of the factors of as many days after it."""
    ahead = np.arange(1, count + 1)
    known = SLOW_KEPT**ahead * state.factors["slow"][row]
    push = SLOW_PUSH * SLOW_KEPT ** (ahead - 1)
    if state.steps is None:
        return _Forecast(
            known=known + FAST_KEPT**ahead * state.factors["fast"][row],
            push=push + FAST_PUSH * FAST_KEPT ** (ahead - 1),
            variance=_factor_variance(ahead),
            convexity=np.full(count, FACTOR_VARIANCE),
        )
    remembered = rough.known_ahead(state.steps, p.ROUGH_DAYS_BEFORE + row, count)
    return _Forecast(
        known=known + rough.DAY_SCALE * remembered,
        push=push + rough.DAY_SCALE * rough.weights(count),
        variance=_rough_variance(ahead),
        convexity=rough_convexity(row + count + 1)[row + 1 :],
    )


def _rough_variance(ahead: Integers) -> Floats:
    """The variance of the sum of the slow and the rough factor so many days ahead (from 1 on)."""
    slow = p.SLOW_DEVIATION**2 * (1.0 - SLOW_KEPT ** (2 * ahead))
    rest = rough.DAY_SCALE**2 * rough.variances(len(ahead) + 1)[1:]
    variance: Floats = slow + rest + 2.0 * slow_rough_covariance(len(ahead) + 1)[1:]
    return variance


def _factor_variance(ahead: Integers) -> Floats:
    """The variance of the sum of the slow and the fast factor so many days ahead."""
    cross = p.LEVERAGE**2 * SLOW_PUSH * FAST_PUSH
    variance: Floats = (
        p.SLOW_DEVIATION**2 * (1.0 - SLOW_KEPT ** (2 * ahead))
        + p.FAST_DEVIATION**2 * (1.0 - FAST_KEPT ** (2 * ahead))
        + 2.0 * cross * (1.0 - (SLOW_KEPT * FAST_KEPT) ** ahead) / (1.0 - SLOW_KEPT * FAST_KEPT)
    )
    return variance


def _regime_weights(history: History, row: int, coming: Sequence[int]) -> list[Floats]:
    """For each regime and each coming day the chance that it is that day's, times the share of a
    full day's variance that its session has, the night before it included.
    """
    memory = _memory_factor(history.mode)
    chances = np.zeros(len(p.REGIMES))
    chances[history.state.regime[row]] = 1.0
    shares = {
        length: float(np.cumsum(np.square(u_shape(length)))[-1]) / FULL_SHAPE
        for length in sorted(set(coming))
    }
    weights = np.empty((len(coming), len(p.REGIMES)))
    for day, length in enumerate(coming):
        chances = np.asarray(
            [
                sum(chances[i] * p.TRANSITIONS[i][j] for i in range(len(p.REGIMES)))
                for j in range(len(p.REGIMES))
            ]
        )
        within = (1.0 - p.OVERNIGHT_SHARE) * shares[length] * memory
        weights[day] = chances * (p.OVERNIGHT_SHARE + within)
    return list(weights.T)
