"""Rough volatility: a Riemann-Liouville process in place of the slow and the fast factor.

    X(t) = eta sqrt(2H) int_0^t (t - s)^(H - 1/2) dW(s)

as in the rough Bergomi model (Bayer, Friz and Gatheral 2016), a step a day, by the hybrid scheme of
Bennedsen, Lunde and Pakkanen (2017) with kappa = 1: the step next to the singularity of the kernel
is exact, (2.9) there, every earlier one a Riemann sum at its optimal point, (2.13), whose weight is
the mean of the kernel over the step. The process begins BEFORE days before the market's first.

It has no state to carry: each day is a sum over all steps before it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trading.market.synthetic import parameters as p
from trading.market.synthetic.streams import Stream

if TYPE_CHECKING:
    from datetime import date

    from trading.market.synthetic.arrays import Floats

HURST = p.ROUGH_HURST
_SCALE = p.ROUGH_DEVIATION * math.sqrt(2.0 * HURST)
# Of the last step's singular integral, what its increment of W does not say.
_CELL_REST = math.sqrt(1.0 / (2.0 * HURST) - 1.0 / (HURST + 0.5) ** 2)


class Forecast(NamedTuple):
    """What is known on a day of the factors of the days to come, one value a day ahead: their mean
    but for today's shock, what that adds (to be multiplied by the part of it that is known), their
    variance, today's shock unknown, and what is taken off so that their exponential is worth one.
    """

    known: Floats
    push: Floats
    variance: Floats
    convexity: Floats


class Steps(NamedTuple):
    """The driving noise, a value a day from BEFORE days before the first on: increments of W, and
    the rest of each day's singular integral, a standard normal.
    """

    moves: Floats
    rests: Floats


def steps_of(seed: int, first: date, moves: Floats, rests: Floats) -> Steps:
    """The noise of the days from `first` on, after that of the days before them."""
    before = Stream(seed, "rough/beginning", first).normals(2 * p.ROUGH_DAYS_BEFORE)
    early, rest = before.reshape(2, -1)
    return Steps(np.append(early, moves), np.append(rest, rests))


def weights(count: int) -> Floats:
    """The mean of the kernel over each step, the last one first."""
    ends = np.arange(count + 1) ** (HURST + 0.5) / (HURST + 0.5)
    each: Floats = np.diff(ends)
    return each


def levels(steps: Steps) -> Floats:
    """The process at the open of each day, from the steps before it."""
    first = p.ROUGH_DAYS_BEFORE
    whole = len(steps.moves)
    backwards = np.ascontiguousarray(weights(whole)[::-1])
    found = [
        np.cumsum(backwards[whole - row :] * steps.moves[:row])[-1]
        + _CELL_REST * steps.rests[row - 1]
        for row in range(first, whole)
    ]
    return _SCALE * np.array(found)


def variances(count: int) -> Floats:
    """The variance of the process at the open of each of the first days."""
    first = p.ROUGH_DAYS_BEFORE
    summed = np.cumsum(np.square(weights(first + count)))
    return _SCALE**2 * (summed[first - 1 : first + count - 1] + _CELL_REST**2)


def forecast(steps: Steps, row: int, count: int) -> Forecast:
    """What is known on a day (a row) of as many days after it; nothing of its own step is used."""
    done = row + p.ROUGH_DAYS_BEFORE
    each = weights(done + count)
    past = np.ascontiguousarray(steps.moves[:done][::-1])
    known = [np.cumsum(each[ahead : ahead + done] * past)[-1] for ahead in range(1, count + 1)]
    variance = np.cumsum(np.square(each))[:count] + _CELL_REST**2
    convexity = variances(row + count + 1)[row + 1 :]
    return Forecast(
        _SCALE * np.array(known), _SCALE * each[:count], _SCALE**2 * variance, convexity
    )
