"""Rough volatility: Riemann-Liouville processes in place of Ornstein-Uhlenbeck factors.

    X(t) = eta sqrt(2H) int_0^t (t - s)^(H - 1/2) dW(s),   var X(t) = eta^2 t^(2H)

the logarithmic volatility of the rough Bergomi model (Bayer, Friz and Gatheral 2016), by the hybrid
scheme of Bennedsen, Lunde and Pakkanen (2017, Finance and Stochastics 21, 931) with kappa = 1: the
Wiener integral over the step next to the kernel's singularity is exact, jointly with the increment
of W (for a step of one: covariance 1/(H + 1/2), variance 1/(2H)); every step k before it has the
kernel at its optimal point b_k = ((k^(H+1/2) - (k-1)^(H+1/2)) / (H+1/2))^(1/(H-1/2)), where it is
the kernel's mean over the step.

The kernel is cut at each day's open. What earlier days made is stepped once a day and stands for
the day: one process, from ROUGH_DAYS_BEFORE days before the market's first day on. What the day
itself makes is stepped each minute, from nothing at its open. Both are linear in their noise, so
what is known of them at any time, and the variance of what is not, are sums over the same weights.
Sums are taken lag by lag, without transforms: no later noise moves a bit of an earlier value.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trading.market.synthetic import parameters as p
from trading.market.synthetic.streams import Stream

if TYPE_CHECKING:
    from datetime import date

    from trading.market.synthetic.arrays import Floats, Integers

HURST = p.ROUGH_HURST
DAY_SCALE = p.ROUGH_DEVIATION * math.sqrt(2.0 * HURST)
# A minute is a part of the day's shock, of which the night has its share; var is self-similar.
MINUTE_SCALE = DAY_SCALE * ((1.0 - p.OVERNIGHT_SHARE) / p.FULL_SESSION) ** HURST
# Of the singular integral over a step of one, what its increment of W does not say.
_CELL_REST = math.sqrt(1.0 / (2.0 * HURST) - 1.0 / (HURST + 0.5) ** 2)


class Steps(NamedTuple):
    """The driving noise, steps along the last axis: the increments of W, and the rest of each
    step's singular integral, all of unit variance.
    """

    moves: Floats
    rests: Floats


def with_past(seed: int, first: date, moves: Floats, rests: Floats) -> Steps:
    """The daily noise from a first day on, after that of the ROUGH_DAYS_BEFORE days before it."""
    before = Stream(seed, "rough/beginning", first).normals(2 * p.ROUGH_DAYS_BEFORE)
    early = before.reshape(2, -1)
    return Steps(np.append(early[0], moves), np.append(early[1], rests))


def weights(count: int) -> Floats:
    """The mean of the kernel over each of the last steps, the last one first."""
    ends = np.arange(count + 1) ** (HURST + 0.5) / (HURST + 0.5)
    each: Floats = np.diff(ends)
    return each


def levels(steps: Steps) -> Floats:
    """The process at the beginning of each step, for a step of one and a scale of one."""
    moves, rests = steps
    found = np.zeros_like(moves)
    for lag, weight in enumerate(weights(moves.shape[-1] - 1).tolist(), start=1):
        found[..., lag:] += weight * moves[..., :-lag]
    found[..., 1:] += _CELL_REST * rests[..., :-1]
    return found


def variances(count: int) -> Floats:
    """The variance of the process at the beginning of each of its first steps, and so of what so
    many steps ahead is not known.
    """
    grown = np.cumsum(np.square(weights(count - 1))) + _CELL_REST**2
    return np.append(0.0, grown)


def known_ahead(steps: Steps, done: int, count: int) -> Floats:
    """What the first `done` steps (at least one) make of the process from 1 to `count` steps after
    the beginning of the next, step `done` left out altogether.
    """
    each = weights(done + count)
    past = np.ascontiguousarray(steps.moves[:done][::-1])
    return np.array(
        [np.cumsum(each[ahead : ahead + done] * past)[-1] for ahead in range(1, count + 1)]
    )


def known_by(steps: Steps, done: Integers) -> Floats:
    """What is known of the process at the beginning of each step (columns) when some numbers of
    steps are done (rows); 0 for what is past.
    """
    moves, rests = steps
    count = len(moves)
    each = weights(count)
    found = np.zeros((len(done), count))
    now = np.zeros(count)
    for number in range(1, min(int(done.max()), count - 1) + 1):
        now = now[1:] + moves[number - 1] * each[: count - number]
        wanted = done == number
        if wanted.any():
            found[wanted, number:] = now
            found[wanted, number] += _CELL_REST * rests[number - 1]
    return found
