"""The strikes at which a surface keeps its state: as fine as the kernel is wide, and no finer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from trading.pricing.elementary import Array, exponential

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trading.pricing.profiles import Profile

DECIMALS = 9

_STEP = 2.0 / 3.0  # of the kernel's deviation
_REACH = 3.5  # deviations of an expiry inside which it decides the step
_MARGIN = 3.0  # kernel deviations past the outermost quote
# Logarithms of strikes end here, however wild the variance a wrong quote claims: nodes nearer to
# nothing have no digits left between them.
_FURTHEST = 9.0


def node_strikes(
    variances: Sequence[float], eta: float, profile: Profile, lowest: float, highest: float
) -> Array:
    """Rising strikes over the forward, common to all expiries.

    `variances` are the total variances at the money, never decreasing; `lowest` and `highest` are
    logarithms of the outermost quoted strikes, which the nodes reach past.
    """
    last = math.sqrt(variances[-1])
    margin = _MARGIN * math.sqrt(eta) * last
    left = max(profile.left_deviations * last, margin - lowest)
    right = max(profile.right_deviations * last, margin + highest)
    left_half = _outward(variances, eta, profile, min(left, _FURTHEST))
    right_half = _outward(variances, eta, profile, min(right, _FURTHEST))
    logs = [-x for x in reversed(left_half)] + [0.0, *right_half]
    return np.round(exponential(np.array(logs)), DECIMALS)


def _outward(
    variances: Sequence[float], eta: float, profile: Profile, furthest: float
) -> list[float]:
    """Distances from the money, the first past `furthest` the last."""
    deviations = [math.sqrt(v) for v in variances]
    distances: list[float] = []
    x, stretch = 0.0, 1.0
    while x < furthest:
        reaching = next((d for d in deviations if _REACH * d > x), deviations[-1])
        if x > profile.even_deviations * deviations[-1]:
            stretch *= profile.growth
        x += _STEP * math.sqrt(eta) * reaching * stretch
        distances.append(x)
    return distances
