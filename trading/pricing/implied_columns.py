"""Implied volatilities over arrays: one per price, or the name of what prevented it.

The total standard deviation is found by third-order steps kept inside a bracket that only shrinks;
where the price lies below the value's inflection they are taken on its logarithm in 1/s², in which
it is nearly straight, above on the value itself. What is found gives its price back to 1e-12 of it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trading.pricing.black import VolatilityStatus
from trading.pricing.black_columns import Booleans, normalised_value
from trading.pricing.elementary import (
    SQRT_TWO_PI,
    Array,
    exponential,
    log_ratio,
    logarithm,
    polynomial,
    scaled_erfc,
)

STATUSES = tuple(VolatilityStatus)
PRICE_TOLERANCE = 1e-12

_WIDEST_DEVIATION = 64.0
_MOST_STEPS = 100
_ROOM = 1e-6
# A step this small lands within rounding: what it leaves is of its third power.
_CLOSE = 3e-7
_CLOSE_VALUE = 1e-5
# Highest power first.
_NORMAL_ABOVE = (
    1.266458051348246e4,
    2.493415285349361e4,
    6.106322407867059e3,
    1.848489695437094e3,
    5.988761102690991e2,
    4.980340217855084e1,
    2.100960795068497e1,
    3.994961687345134e-1,
)
_NORMAL_BELOW = (
    1.174240599306013e1,
    -2.067719486400926e2,
    3.608817108375034e3,
    2.392008891720782e4,
    1.598919697679745e4,
    1.323614537899738e3,
    1.495105008310999e3,
    3.093573936743112e1,
    4.990534153589422e1,
    1.0,
)


class ImpliedVolatilities(NamedTuple):
    """Volatilities (fractions a year, not a number where there is none) and, as an index into
    `STATUSES`, why there is or is not one.
    """

    value: Array
    code: npt.NDArray[np.int8]

    def statuses(self) -> list[VolatilityStatus]:
        """The status of each element, in the order of the flattened array."""
        return [STATUSES[code] for code in self.code.ravel().tolist()]


def implied_volatilities(
    price: Array, forward: Array, strike: Array, years: Array, is_call: Booleans
) -> ImpliedVolatilities:
    """The volatilities at which Black-76 gives undiscounted prices; arguments broadcast."""
    p, f, k, t = np.broadcast_arrays(
        *(np.asarray(x, dtype=np.float64) for x in (price, forward, strike, years))
    )
    sign = np.where(np.broadcast_to(is_call, p.shape), 1.0, -1.0)
    status = np.full(p.shape, VolatilityStatus.OK, dtype=object)
    bad = ~(np.isfinite(p) & np.isfinite(f) & np.isfinite(k) & np.isfinite(t))
    bad |= ~((f > 0.0) & (k > 0.0))
    expired = ~bad & ~(t > 0.0)
    usable = ~bad & ~expired
    f, k = np.where(usable, f, 1.0), np.where(usable, k, 1.0)
    target = np.where(usable, p, 0.0) - np.maximum(sign * (f - k), 0.0)
    below = usable & ~(target > 0.0)
    bound = np.where(sign > 0.0, f, k)
    above = usable & ((target >= np.minimum(f, k)) | (p >= bound))
    status[bad], status[expired] = VolatilityStatus.BAD_INPUT, VolatilityStatus.EXPIRED
    status[below], status[above] = VolatilityStatus.BELOW_INTRINSIC, VolatilityStatus.ABOVE_BOUND
    solvable = usable & ~below & ~above
    value = np.full(p.shape, math.nan)
    if solvable.any():
        distance = np.abs(log_ratio(f[solvable], k[solvable]))
        goal = target[solvable] / (np.sqrt(f[solvable]) * np.sqrt(k[solvable]))
        whole = np.abs(p[solvable]) / (np.sqrt(f[solvable]) * np.sqrt(k[solvable]))
        deviation = implied_deviations(goal, distance)
        error = np.abs(normalised_value(distance, deviation) - goal)
        found = error <= PRICE_TOLERANCE * np.maximum(whole, goal)
        value[solvable] = np.where(found, deviation / np.sqrt(t[solvable]), math.nan)
        status[solvable] = np.where(found, VolatilityStatus.OK, VolatilityStatus.NOT_CONVERGED)
    code = np.array([STATUSES.index(s) for s in status.ravel()], dtype=np.int8)
    return ImpliedVolatilities(value, code.reshape(p.shape))


def implied_deviations(goal: Array, distance: Array) -> Array:
    """The total standard deviations whose normalised time values are `goal`, 0 < goal < its bound;
    `distance` is |ln(forward/strike)|.
    """
    result = np.empty_like(goal)
    open_ = np.arange(goal.size)
    s = _start(goal, distance)
    inflection = np.sqrt(2.0 * distance)
    # The value there: half e**(−d/2) less half e**(d/2) erfc(√d), from h + t = 0.
    under = goal < 0.5 * exponential(-0.5 * distance) * (1.0 - scaled_erfc(np.sqrt(distance)))
    # That value loses digits near the money; the bracket leaves room for them.
    upper = np.minimum((1.0 + _ROOM) * inflection, _WIDEST_DEVIATION)
    high = np.where(under, upper, _WIDEST_DEVIATION)
    low = np.where(under, 0.0, (1.0 - _ROOM) * inflection)
    s = np.where((s >= low) & (s <= high), s, 0.5 * (low + high))
    for _ in range(_MOST_STEPS):
        value = normalised_value(distance, s)
        low = np.where(value < goal, s, low)
        high = np.where(value > goal, s, high)
        following = _step(value, goal, distance, s, under)
        # The last step may leave a bracket as narrow as that.
        done = np.abs(following - s) <= _CLOSE * s
        done &= np.abs(value - goal) <= _CLOSE_VALUE * goal
        outside = ~done & ~((following > low) & (following < high))
        following = np.where(outside, 0.5 * (low + high), following)
        done |= (value == goal) | ((high - low) <= 4e-16 * high)
        result[open_[done]] = np.where(value == goal, s, following)[done]
        if done.all():
            return result
        keep = ~done
        goal, distance, under, open_ = goal[keep], distance[keep], under[keep], open_[keep]
        s, low, high = following[keep], low[keep], high[keep]
    result[open_] = s
    return result


def _start(goal: Array, distance: Array) -> Array:
    """The deviation n of a normal law in the place of the lognormal one, by the closed form of
    Choi, Kim and Kwak (Numerical approximation of the implied volatility under arithmetic Brownian
    motion, Applied Mathematical Finance 16, 2009), and the lognormal one it stands for to second
    order: n·(1 + n²/24)·d/(2 sinh(d/2)). Within 4e-7 of itself where deviations are below 0.1.
    """
    square = np.minimum(distance * distance, 1.0)  # the expansion is for small ones
    stretch = 1.0 + square / 24.0 * (1.0 + square / 80.0)  # 2 sinh(d/2) / d
    distance = distance * stretch
    straddle = 2.0 * goal + distance
    ratio = distance / straddle
    # The inverse hyperbolic tangent of the ratio, without its cancellation.
    tangent = 0.5 * log_ratio(goal + distance, goal)
    eta = np.where(distance > 0.0, ratio / np.where(distance > 0.0, tangent, 1.0), 1.0)
    shape = np.sqrt(eta) * polynomial(_NORMAL_ABOVE, eta) / polynomial(_NORMAL_BELOW, eta)
    normal = 0.5 * SQRT_TWO_PI * straddle * shape
    return np.asarray(normal * (1.0 + np.minimum(normal * normal, 1.0) / 24.0) / stretch)


def _step(value: Array, goal: Array, distance: Array, s: Array, under: Booleans) -> Array:
    h = distance / s
    slope = exponential(-0.5 * (h * h + 0.25 * s * s)) / SQRT_TWO_PI
    curvature = h * h / s - 0.25 * s  # second derivative over the first
    usable = (value > 0.0) & (slope > 0.0)
    safe_value, safe_slope = np.where(usable, value, 1.0), np.where(usable, slope, 1.0)
    plain = (goal - safe_value) / safe_slope
    plain = plain / np.maximum(1.0 + 0.5 * plain * curvature, 0.25)
    error = logarithm(safe_value) - logarithm(goal)
    # A step so long that it overflows leaves the bracket, and is not taken.
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        inverse_square = 1.0 / (s * s) + 2.0 * error * safe_value / safe_slope / (s * s * s)
        straightened = 1.0 / np.sqrt(np.maximum(inverse_square, 1e-300))
    return np.where(usable, np.where(under, straightened, s + plain), math.nan)
