"""One-sided and two-sided tests at 5 %, and how many of them chance rejects."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

FIVE_PERCENT = 1.959964
ONE_SIDED = 1.644854


def t_of_mean(values: Array) -> float:
    return float(values.mean() / (values.std(ddof=1) / math.sqrt(len(values))))


def skewed_t(values: Array) -> float:
    """The t of a mean corrected for skewness by Hall's (1992) cubic: sellers of variance rarely see
    what they can lose, so the plain one finds them lucky too often.

    Johnson's (1978) is its first two terms. Alone they turn round far from zero, and call a clear
    and skewed loser a winner; the cubic only grows.
    """
    count, mean, deviation = len(values), values.mean(), values.std(ddof=1)
    skewness = ((values - mean) ** 3).mean() / deviation**3
    t, bend = mean / deviation, skewness / 3
    corrected = t + bend * t**2 + bend**2 * t**3 / 3 + skewness / (6 * count)
    return float(math.sqrt(count) * corrected)


def within_chance(rejections: int, trials: int, share: float) -> bool:
    """Whether a count is within three binomial deviations of its expectation."""
    return abs(rejections - trials * share) <= _three_deviations(trials, share)


def beyond_chance(rejections: int, trials: int, share: float) -> bool:
    """Whether a count is more than three binomial deviations above its expectation."""
    return rejections - trials * share > _three_deviations(trials, share)


def _three_deviations(trials: int, share: float) -> float:
    return 3 * math.sqrt(trials * share * (1 - share))
