"""The normal distribution over arrays: plain arithmetic, exponential and logarithm of numpy alone.

Accurate to about 1e-15 (the distribution) and 1e-15 relative (its inverse).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from trading.market.synthetic.arrays import Floats

# Wichura (1988), algorithm AS 241, PPND16: numerators and denominators, highest power first.
_CENTRE = (
    (
        2.5090809287301226727e3,
        3.3430575583588128105e4,
        6.7265770927008700853e4,
        4.5921953931549871457e4,
        1.3731693765509461125e4,
        1.9715909503065514427e3,
        1.3314166789178437745e2,
        3.3871328727963666080e0,
    ),
    (
        5.2264952788528545610e3,
        2.8729085735721942674e4,
        3.9307895800092710610e4,
        2.1213794301586595867e4,
        5.3941960214247511077e3,
        6.8718700749205790830e2,
        4.2313330701600911252e1,
        1.0,
    ),
)
_TAIL = (
    (
        7.74545014278341407640e-4,
        2.27238449892691845833e-2,
        2.41780725177450611770e-1,
        1.27045825245236838258e0,
        3.64784832476320460504e0,
        5.76949722146069140550e0,
        4.63033784615654529590e0,
        1.42343711074968357734e0,
    ),
    (
        1.05075007164441684324e-9,
        5.47593808499534494600e-4,
        1.51986665636164571966e-2,
        1.48103976427480074590e-1,
        6.89767334985100004550e-1,
        1.67638483018380384940e0,
        2.05319162663775882187e0,
        1.0,
    ),
)
_FAR_TAIL = (
    (
        2.01033439929228813265e-7,
        2.71155556874348757815e-5,
        1.24266094738807843860e-3,
        2.65321895265761230930e-2,
        2.96560571828504891230e-1,
        1.78482653991729133580e0,
        5.46378491116411436990e0,
        6.65790464350110377720e0,
    ),
    (
        2.04426310338993978564e-15,
        1.42151175831644588870e-7,
        1.84631831751005468180e-5,
        7.86869131145613259100e-4,
        1.48753612908506148525e-2,
        1.36929880922735805310e-1,
        5.99832206555887937690e-1,
        1.0,
    ),
)

# Hart (1968) as given by West (2005), "Better approximations to cumulative normal functions".
_HART = (
    (
        3.52624965998911e-2,
        0.700383064443688,
        6.37396220353165,
        33.912866078383,
        112.079291497871,
        221.213596169931,
        220.206867912376,
    ),
    (
        8.83883476483184e-2,
        1.75566716318264,
        16.064177579207,
        86.7807322029461,
        296.564248779674,
        637.333633378831,
        793.826512519948,
        440.413735824752,
    ),
)
_HART_END = 7.07106781186547
_SQRT_TWO_PI = 2.5066282746310002


def normal_density(x: Floats) -> Floats:
    """The standard normal density."""
    return np.exp(-0.5 * x * x) / _SQRT_TWO_PI


def normal_distribution(x: Floats) -> Floats:
    """The standard normal distribution function."""
    size = np.abs(x)
    exponential = np.exp(-0.5 * size * size)
    middle = exponential * _ratio(_HART, np.minimum(size, _HART_END))
    far = size
    for step in (0.65, 4.0, 3.0, 2.0, 1.0):
        far = size + step / np.maximum(far, 1.0)
    tail = np.where(size < _HART_END, middle, exponential / (far * _SQRT_TWO_PI))
    return np.where(x > 0, 1.0 - tail, tail)


def inverse_normal(probability: Floats) -> Floats:
    """The standard normal quantiles of probabilities strictly between 0 and 1."""
    q = probability - 0.5
    central = 0.180625 - q * q
    value = q * _ratio(_CENTRE, np.maximum(central, 0.0))
    outside = central < 0.0
    if not outside.any():
        return value
    outer = q[outside]
    p = probability[outside]
    r = np.sqrt(-np.log(np.where(outer < 0, p, 1.0 - p)))
    near = _ratio(_TAIL, r - 1.6)
    beyond = r > 5.0
    if beyond.any():
        near[beyond] = _ratio(_FAR_TAIL, r[beyond] - 5.0)
    value[outside] = np.where(outer < 0, -near, near)
    return value


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], x: Floats) -> Floats:
    above, below = (_polynomial(side, x) for side in coefficients)
    return above / below


def _polynomial(coefficients: tuple[float, ...], x: Floats) -> Floats:
    value = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        value *= x
        value += coefficient
    return value
