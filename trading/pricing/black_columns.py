"""Black-76 over arrays: values and every derivative of many options at once, bit-reproducible.

Undiscounted, as in `black`: multiply by the discount factor where money of today is wanted. Units
are free as long as price, forward and strike share one; volatility is a fraction a year, time in
years of 365 days. All arguments broadcast against each other; `is_call` is a boolean array.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from trading.pricing.elementary import (
    SQRT_HALF,
    SQRT_TWO_PI,
    Array,
    exponential,
    log_ratio,
    normal_cumulative,
    normal_density,
    scaled_erfc,
)

Booleans = npt.NDArray[np.bool_]

_SERIES_BELOW = 0.03  # half deviations under which a difference of error functions cancels
_LARGEST_DEVIATION = 64.0


class Greeks(NamedTuple):
    """Derivatives of the undiscounted value: in the forward F, the strike K, the volatility σ and
    calendar time t (years, so that `theta` is what a year costs at this instant's rate).

    `rho` is the derivative in the discount rate of a value discounted at it, the forward held.
    """

    delta: Array  # F
    gamma: Array  # F F
    vega: Array  # σ
    theta: Array  # t
    rho: Array
    dual_delta: Array  # K
    dual_gamma: Array  # K K
    vanna: Array  # F σ
    volga: Array  # σ σ
    charm: Array  # F t
    veta: Array  # σ t
    speed: Array  # F F F
    zomma: Array  # F F σ
    color: Array  # F F t
    ultima: Array  # σ σ σ


def values(
    forward: Array, strike: Array, years: Array, volatility: Array, is_call: Booleans
) -> Array:
    """The undiscounted values of European options.

    Raises ValueError for a forward or strike that is not positive, a negative time or volatility,
    or anything that is not a number.
    """
    forward, strike, years, volatility = _checked(forward, strike, years, volatility)
    sign = np.where(is_call, 1.0, -1.0)
    intrinsic = np.maximum(sign * (forward - strike), 0.0)
    return intrinsic + time_value(forward, strike, volatility * np.sqrt(years))


def time_value(forward: Array, strike: Array, deviation: Array) -> Array:
    """The value of the out-of-the-money option of a strike, by parity the time value of both
    rights, for a total standard deviation; about 1e-13 of itself exact however small it is.
    """
    distance = np.abs(log_ratio(forward, strike))
    return np.sqrt(forward) * np.sqrt(strike) * normalised_value(distance, deviation)


def normalised_value(distance: Array, deviation: Array) -> Array:
    """The time value over the root of forward times strike, `distance` = |ln(forward/strike)|.

    With h = −distance/deviation and t = deviation/2 it is φ·(Y(h+t) − Y(h−t)) for Y = Φ/φ: the
    difference is taken by its series in t where it would cancel, and from the distribution function
    where Y would overflow.
    """
    distance, deviation = np.broadcast_arrays(
        np.asarray(distance, dtype=np.float64), np.asarray(deviation, dtype=np.float64)
    )
    shape = distance.shape
    distance = distance.ravel()
    deviation = np.minimum(deviation.ravel(), _LARGEST_DEVIATION)
    result = np.zeros(distance.size)
    positive = deviation > 0.0
    t = 0.5 * deviation
    h = np.where(positive, -distance / np.where(positive, deviation, 1.0), -np.inf)
    alive = positive & (h > -40.0)
    series = alive & (t < _SERIES_BELOW)
    right = alive & ~series & (h + t > 0.0)
    left = alive & ~series & ~right
    for chosen, branch in ((series, _by_series), (right, _by_distribution), (left, _by_ratio)):
        if chosen.any():
            result[chosen] = branch(h[chosen], t[chosen])
    return result.reshape(shape)


def _by_series(h: Array, t: Array) -> Array:
    """Odd derivatives of Y at h, by their recursion."""
    zeroth = 0.5 * SQRT_TWO_PI * scaled_erfc(-h * SQRT_HALF)
    derivatives = [zeroth, 1.0 + h * zeroth]
    for order in range(1, 7):
        derivatives.append(h * derivatives[order] + order * derivatives[order - 1])
    square = t * t
    total = derivatives[1] + square / 6.0 * (
        derivatives[3] + square / 20.0 * (derivatives[5] + square / 42.0 * derivatives[7])
    )
    return exponential(-0.5 * (h * h + square)) / SQRT_TWO_PI * 2.0 * t * total


def _by_distribution(h: Array, t: Array) -> Array:
    """e**(−d/2) Φ(h+t) − e**(d/2) Φ(h−t), with distance d = −2ht."""
    half = h * t
    # Both terms at once: a call costs more than what it does to so few numbers.
    terms = exponential(np.stack((half, -half))) * normal_cumulative(np.stack((h + t, h - t)))
    return np.asarray(terms[0] - terms[1])


def _by_ratio(h: Array, t: Array) -> Array:
    scale = 0.5 * exponential(-0.5 * (h * h + t * t))
    terms = scaled_erfc(np.stack((-(h + t), -(h - t))) * SQRT_HALF)
    return np.asarray(scale * (terms[0] - terms[1]))


def greeks(
    forward: Array, strike: Array, years: Array, volatility: Array, is_call: Booleans
) -> Greeks:
    """Every derivative in closed form.

    Raises ValueError as `values` does, and where time or volatility is zero: there the derivatives
    do not exist.
    """
    forward, strike, years, volatility = _checked(forward, strike, years, volatility)
    if not (np.all(years > 0.0) and np.all(volatility > 0.0)):
        msg = "derivatives of Black-76 need a positive time and a positive volatility"
        raise ValueError(msg)
    root = np.sqrt(years)
    deviation = volatility * root
    d1 = log_ratio(forward, strike) / deviation + 0.5 * deviation
    d2 = d1 - deviation
    density = normal_density(d1)
    call = np.asarray(is_call, dtype=bool)
    delta = np.where(call, normal_cumulative(d1), -normal_cumulative(-d1))
    dual_delta = np.where(call, -normal_cumulative(d2), normal_cumulative(-d2))
    gamma = density / (forward * deviation)
    vega = forward * density * root
    theta = -0.5 * forward * density * volatility / root
    product = d1 * d2
    return Greeks(
        delta=delta,
        gamma=gamma,
        vega=vega,
        theta=theta,
        rho=-years * values(forward, strike, years, volatility, call),
        dual_delta=dual_delta,
        dual_gamma=gamma * (forward / strike) * (forward / strike),
        vanna=-density * d2 / volatility,
        volga=vega * product / volatility,
        charm=0.5 * density * d2 / years,
        veta=-0.5 * vega / years * (1.0 + product),
        speed=-gamma / forward * (d1 / deviation + 1.0),
        zomma=gamma * (product - 1.0) / volatility,
        color=0.5 * gamma / years * (1.0 - product),
        ultima=-vega / (volatility * volatility) * (product * (1.0 - product) + d1 * d1 + d2 * d2),
    )


def _checked(
    forward: Array, strike: Array, years: Array, volatility: Array
) -> tuple[Array, Array, Array, Array]:
    f, k, t, v = np.broadcast_arrays(
        *(np.asarray(x, dtype=np.float64) for x in (forward, strike, years, volatility))
    )
    good = (f > 0.0) & (k > 0.0) & (t >= 0.0) & (v >= 0.0)
    good &= np.isfinite(f) & np.isfinite(k) & np.isfinite(t) & np.isfinite(v)
    if not good.all():
        place = tuple(int(i) for i in np.argwhere(~good)[0])
        msg = (
            "Black-76 needs forward > 0, strike > 0, years >= 0, volatility >= 0, all finite; "
            f"element {place} has {f[place]}, {k[place]}, {t[place]}, {v[place]}"
        )
        raise ValueError(msg)
    return f, k, t, v
