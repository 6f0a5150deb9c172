"""Forward and discount factor of one expiry, from puts and calls alone: no spot, no rate is needed.

At each strike call − put = discount·(forward − strike). The line is fitted to the mids of pairs
near the money by weighted least squares whose weights fall to nothing for pairs far from it
(Tukey's biweight), so that a stale or mistyped quote does not move it. A few strikes of a short
expiry say next to nothing about the slope, so a weak prior on the rate joins in; wherever strikes
span enough it is not felt.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trading.pricing.elementary import exponential

if TYPE_CHECKING:
    from collections.abc import Sequence

PAIRS_NEEDED = 2
PAIRS_WANTED = 31
RATE_EXPECTED = 0.05  # a year
RATE_DEVIATION = 0.04

_ROUNDS = 12
_BIWEIGHT = 4.685
_NORMAL_MEDIAN = 0.6745
_SPREAD_FLOOR = 1e-6  # of the forward


class Pair(NamedTuple):
    """A strike at which call and put are both quoted on both sides, neither crossed."""

    strike: float
    call_bid: float
    call_ask: float
    put_bid: float
    put_ask: float

    @property
    def difference(self) -> float:
        """Call mid minus put mid."""
        return 0.5 * ((self.call_bid + self.call_ask) - (self.put_bid + self.put_ask))

    @property
    def width(self) -> float:
        """Half the width of what the difference can be: both half-spreads together."""
        return 0.5 * ((self.call_ask - self.call_bid) + (self.put_ask - self.put_bid))


class ParityFit(NamedTuple):
    """What the pairs say, in the units of the strikes.

    `residual` is the weighted root mean square of the pairs' distances from the line, `error` the
    standard error of the forward from them, `used` the pairs that kept weight of those `offered`,
    `crossed` by how much the highest synthetic bid exceeds the lowest synthetic ask of the forward
    (negative when some forward lies inside them all).
    """

    forward: float
    discount: float
    residual: float
    error: float
    used: int
    offered: int
    crossed: float


def parity_fit(pairs: Sequence[Pair], years: float) -> ParityFit | None:
    """Fit the parity line of an expiry `years` away; None with fewer than two pairs.

    Raises ValueError for a crossed pair, or a strike or time that is not positive.
    """
    for pair in pairs:
        if not (
            pair.strike > 0 and pair.call_bid <= pair.call_ask and pair.put_bid <= pair.put_ask
        ):
            msg = f"parity needs positive strikes and uncrossed quotes, got {pair}"
            raise ValueError(msg)
    if not years > 0:
        msg = f"parity needs a positive time, got {years}"
        raise ValueError(msg)
    near = sorted(pairs, key=lambda pair: (abs(pair.difference), pair.strike))[:PAIRS_WANTED]
    if len(near) < PAIRS_NEEDED:
        return None
    near.sort(key=lambda pair: pair.strike)
    # Not the C library's: another of its variants may differ in the last bit, and so would a fit.
    expected = float(exponential(np.array([-RATE_EXPECTED * years]))[0])
    centre = _median([pair.strike + pair.difference / expected for pair in near])
    scales = [max(pair.width, _SPREAD_FLOOR * centre) for pair in near]
    discount, offset = expected, 0.0
    residuals = [p.difference + expected * (p.strike - centre) for p in near]
    weights = _weights(residuals, scales)
    for _ in range(_ROUNDS):
        discount, offset = _line(near, weights, centre, expected, RATE_DEVIATION * years)
        residuals = [p.difference - offset + discount * (p.strike - centre) for p in near]
        weights = _weights(residuals, scales)
    return _described(near, weights, residuals, discount, centre + offset / discount)


def _line(
    pairs: Sequence[Pair],
    weights: Sequence[float],
    centre: float,
    expected: float,
    deviation: float,
) -> tuple[float, float]:
    """Discount and value at the centre of `difference = value − discount·(strike − centre)`."""
    total = math.fsum(weights)
    mean_x = math.fsum(w * (p.strike - centre) for w, p in zip(weights, pairs, strict=True)) / total
    mean_y = math.fsum(w * p.difference for w, p in zip(weights, pairs, strict=True)) / total
    spread = math.fsum(
        w * (p.strike - centre - mean_x) * (p.strike - centre - mean_x)
        for w, p in zip(weights, pairs, strict=True)
    )
    joint = math.fsum(
        w * (p.strike - centre - mean_x) * (p.difference - mean_y)
        for w, p in zip(weights, pairs, strict=True)
    )
    prior = 1.0 / (deviation * deviation)
    discount = (prior * expected - joint) / (prior + spread)
    return discount, mean_y + discount * mean_x


def _weights(residuals: Sequence[float], scales: Sequence[float]) -> list[float]:
    """Biweights over squared scales: a pair is judged in its own half-spreads, and in more of them
    when the typical pair needs more.
    """
    ratios = [r / scale for r, scale in zip(residuals, scales, strict=True)]
    unit = max(_median([abs(ratio) for ratio in ratios]) / _NORMAL_MEDIAN, 1.0)
    found = []
    for ratio, scale in zip(ratios, scales, strict=True):
        distance = ratio / (_BIWEIGHT * unit)
        root = 1.0 - distance * distance if abs(distance) < 1.0 else 0.0
        found.append(root * root / (unit * scale * unit * scale))
    return found


def _described(
    pairs: Sequence[Pair],
    weights: Sequence[float],
    residuals: Sequence[float],
    discount: float,
    forward: float,
) -> ParityFit:
    total = math.fsum(weights)
    mean_square = math.fsum(w * r * r for w, r in zip(weights, residuals, strict=True)) / total
    used = sum(weight > 0.0 for weight in weights)
    effective = total * total / math.fsum(w * w for w in weights)
    crossed = max(p.strike + (p.call_bid - p.put_ask) / discount for p in pairs) - min(
        p.strike + (p.call_ask - p.put_bid) / discount for p in pairs
    )
    return ParityFit(
        forward=forward,
        discount=discount,
        residual=math.sqrt(mean_square),
        error=math.sqrt(mean_square / effective) / discount,
        used=used,
        offered=len(pairs),
        crossed=crossed,
    )


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return 0.5 * (ordered[middle - 1] + ordered[middle])
