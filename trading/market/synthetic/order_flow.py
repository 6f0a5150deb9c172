"""Order flow: buyers and sellers that excite one another, as a branching process.

A bivariate Hawkes process made by its clusters, exactly: newcomers arrive at a rate that follows
the day's shape, its volatility and the size of the minute's return; every event has on average
BRANCHING_FAST + BRANCHING_SLOW further ones after exponential delays, most of them on its side.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trading.market.synthetic import parameters as p
from trading.market.synthetic.process import BASE_DAY_VARIANCE, FULL_SHAPE, u_shape
from trading.market.synthetic.streams import Stream

if TYPE_CHECKING:
    from trading.market.synthetic.arrays import Floats, Integers, Mask
    from trading.market.synthetic.process import History

_BRANCHING = p.BRANCHING_FAST + p.BRANCHING_SLOW
_MOST_CHILDREN = 16
_TYPICAL_SHOCK = 0.7978845608028654  # the mean size of a standard normal


class OrderFlow(NamedTuple):
    """The market orders of one day in order: seconds since the open of trading (pauses not
    counted), who began it, and lots.
    """

    seconds: Floats
    is_buy: Mask
    lots: Integers


def order_flow(history: History, name: str, row: int) -> OrderFlow:
    """The flow of an underlying's future on one day."""
    day = history.days[row]
    stream = Stream(history.seed, f"{name}/flow", day.date)
    seconds, is_buy = _newcomers(stream, _activity(history, name, row))
    generations = [(seconds, is_buy)]
    while len(seconds):
        seconds, is_buy = _children(stream, seconds, is_buy, 60.0 * day.minutes)
        generations.append((seconds, is_buy))
    times = np.concatenate([generation[0] for generation in generations])
    sides = np.concatenate([generation[1] for generation in generations])
    order = np.argsort(times, kind="stable")
    mean = np.log(p.LOTS_AN_EVENT[name]) - 0.5 * p.SIZE_DEVIATION**2
    sizes = np.exp(mean + p.SIZE_DEVIATION * stream.normals(len(times)))
    return OrderFlow(times[order], sides[order], 1 + sizes.astype(np.int64))


def minute_lots(flow: OrderFlow, minutes: int) -> Floats:
    """The lots of each minute."""
    minute = (flow.seconds / 60.0).astype(np.int64)
    return np.asarray(np.bincount(minute, flow.lots.astype(np.float64), minutes), dtype=np.float64)


def minute_imbalance(flow: OrderFlow, minutes: int) -> Floats:
    """Buyers' less sellers' share of each minute's lots, 0 where nothing traded."""
    signed = np.where(flow.is_buy, flow.lots, -flow.lots).astype(np.float64)
    minute = (flow.seconds / 60.0).astype(np.int64)
    return np.bincount(minute, signed, minutes) / np.maximum(minute_lots(flow, minutes), 1.0)


def _activity(history: History, name: str, row: int) -> Floats:
    """The rate of newcomers in each minute, a second."""
    minutes = history.days[row].minutes
    shape = u_shape(minutes)
    level = history.deviation[row, :minutes] / shape
    typical = math.sqrt(BASE_DAY_VARIANCE * (1.0 - p.OVERNIGHT_SHARE) / FULL_SHAPE)
    excited = 0.45 + 0.55 * np.abs(history.shocks[row, :minutes]) / _TYPICAL_SHOCK
    activity = shape / 0.95 * np.sqrt(level / typical) * excited
    base = p.EVENTS_A_DAY[name] * (1.0 - _BRANCHING) / (60.0 * p.FULL_SESSION)
    rates: Floats = base * activity
    return rates


def _newcomers(stream: Stream, rates: Floats) -> tuple[Floats, Mask]:
    counts = _poisson(stream.uniforms(60 * len(rates)), np.repeat(rates, 60))
    second = np.repeat(np.arange(len(counts)), counts)
    drawn = stream.uniforms(2 * len(second)).reshape(2, -1)
    return second + drawn[0], drawn[1] < 0.5


def _children(
    stream: Stream,
    parents: Floats,
    is_buy: Mask,
    end: float,
) -> tuple[Floats, Mask]:
    counts = _poisson(stream.uniforms(len(parents)), np.full(len(parents), _BRANCHING))
    parent = np.repeat(np.arange(len(parents)), counts)
    kernel, delay, side = stream.uniforms(3 * len(parent)).reshape(3, -1)
    decay = np.where(kernel < p.BRANCHING_FAST / _BRANCHING, p.DECAY_FAST, p.DECAY_SLOW)
    times = parents[parent] - np.log(delay) / decay
    sides = is_buy[parent] == (side < p.SAME_SIDE)
    inside = times < end
    return times[inside], sides[inside]


def _poisson(uniforms: Floats, means: Floats) -> Integers:
    """Counts by the inverse of their distribution."""
    counts = np.zeros(len(means), dtype=np.int64)
    chance = np.exp(-means)
    reached = chance.copy()
    for count in range(1, _MOST_CHILDREN):
        above = uniforms > reached
        if not above.any():
            break
        counts[above] = count
        chance = chance * means / count
        reached += chance
    return counts
