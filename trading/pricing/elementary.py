"""Exponential, logarithm and the normal law over arrays, in additions, multiplications, divisions
and roots alone: the same bits on every machine that keeps IEEE 754, whatever instructions NumPy or
the C library would have chosen.

The reductions are those of FDLIBM, the rational approximations of the error function those of W. J.
Cody (Mathematics of Computation, 1969). Each is within 2 units in the last place or so.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

SQRT_HALF = math.sqrt(0.5)
SQRT_TWO_PI = math.sqrt(2.0 * math.pi)

_LOG2_HIGH = 6.93147180369123816490e-01
_LOG2_LOW = 1.90821492927058770002e-10
_ONE_OVER_LOG2 = 1.44269504088896338700e00
_EXP = (
    4.13813679705723846039e-08,
    -1.65339022054652515390e-06,
    6.61375632143793436117e-05,
    -2.77777777770155933842e-03,
    1.66666666666666019037e-01,
)
_EXP_LOWEST = -745.0  # below, the result is zero
_EXP_HIGHEST = 709.0
_LOG_EVEN = (1.531383769920937332e-01, 2.222219843214978396e-01, 3.999999999940941908e-01)
_LOG_ODD = (
    1.479819860511658591e-01,
    1.818357216161805012e-01,
    2.857142874366239149e-01,
    6.666666666666735130e-01,
)
_ONE_OVER_SQRT_PI = 0.56418958354775628695
_NEAR, _FAR = 0.46875, 4.0
_ERF_ABOVE = (
    0.185777706184603153,
    3.1611237438705656,
    113.864154151050156,
    377.485237685302021,
    3209.37758913846947,
)
_ERF_BELOW = (
    1.0,
    23.6012909523441209,
    244.024637934444173,
    1282.61652607737228,
    2844.23683343917062,
)
_MIDDLE_ABOVE = (
    2.15311535474403846e-8,
    0.564188496988670089,
    8.88314979438837594,
    66.1191906371416295,
    298.635138197400131,
    881.95222124176909,
    1712.04761263407058,
    2051.07837782607147,
    1230.33935479799725,
)
_MIDDLE_BELOW = (
    1.0,
    15.7449261107098347,
    117.693950891312499,
    537.181101862009858,
    1621.38957456669019,
    3290.79923573345963,
    4362.61909014324716,
    3439.36767414372164,
    1230.33935480374942,
)
_FAR_ABOVE = (
    0.0163153871373020978,
    0.305326634961232344,
    0.360344899949804439,
    0.125781726111229246,
    0.0160837851487422766,
    6.58749161529837803e-4,
)
_FAR_BELOW = (
    1.0,
    2.56852019228982242,
    1.87295284992346047,
    0.527905102951428412,
    0.0605183413124413191,
    0.00233520497626869185,
)


def polynomial(coefficients: tuple[float, ...], x: Array) -> Array:
    """Horner's rule, the highest power first."""
    total = coefficients[0] * x + coefficients[1]
    for coefficient in coefficients[2:]:
        total *= x
        total += coefficient
    return total


def exponential(x: Array) -> Array:
    """e to the power of x; zero below −745, never more than e**709."""
    x = np.asarray(x, dtype=np.float64)
    bounded = np.minimum(np.maximum(x, _EXP_LOWEST), _EXP_HIGHEST)
    count = np.rint(bounded * _ONE_OVER_LOG2)
    high = bounded - count * _LOG2_HIGH
    low = count * _LOG2_LOW
    r = high - low
    square = r * r
    c = r - square * polynomial(_EXP, square)
    mantissa = 1.0 - ((low - (r * c) / (2.0 - c)) - high)
    # In two steps: 2**count alone may be too small for a double when the product is not.
    half = np.trunc(count * 0.5)
    result = np.ldexp(np.ldexp(mantissa, half.astype(np.int32)), (count - half).astype(np.int32))
    return np.where(x < _EXP_LOWEST, 0.0, result)


def logarithm(x: Array) -> Array:
    """The natural logarithm of positive numbers."""
    fraction, exponent = np.frexp(np.asarray(x, dtype=np.float64))
    small = fraction < SQRT_HALF
    fraction = np.where(small, 2.0 * fraction, fraction)
    count = exponent - small.astype(np.float64)
    f = fraction - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    remainder = w * polynomial(_LOG_EVEN, w) + z * polynomial(_LOG_ODD, w)
    half_square = 0.5 * f * f
    return count * _LOG2_HIGH - (
        (half_square - (s * (half_square + remainder) + count * _LOG2_LOW)) - f
    )


def log_ratio(above: Array, below: Array) -> Array:
    """The logarithm of a ratio of positive numbers, exact to the last digits near one."""
    above, below = np.broadcast_arrays(
        np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    )
    s = (above - below) / (above + below)
    z = s * s
    w = z * z
    series = w * polynomial(_LOG_EVEN, w) + z * polynomial(_LOG_ODD, w)
    near = np.abs(s) < 0.1
    return np.where(near, s * (2.0 + series), logarithm(np.where(near, 1.0, above / below)))


def scaled_erfc(y: Array) -> Array:
    """`exp(y²)·erfc(y)` for y ≥ 0."""
    y = np.asarray(y, dtype=np.float64)
    flat = y.ravel()
    result = np.empty_like(flat)
    near = flat <= _NEAR
    far = flat > _FAR
    middle = ~(near | far)
    for chosen, branch in ((near, _near), (middle, _middle), (far, _far)):
        if chosen.any():
            result[chosen] = branch(flat[chosen])
    return result.reshape(y.shape)


def _near(y: Array) -> Array:
    square = y * y
    erf = y * polynomial(_ERF_ABOVE, square) / polynomial(_ERF_BELOW, square)
    return (1.0 - erf) * exponential(square)


def _middle(y: Array) -> Array:
    return polynomial(_MIDDLE_ABOVE, y) / polynomial(_MIDDLE_BELOW, y)


def _far(y: Array) -> Array:
    inverse = 1.0 / y / y
    correction = inverse * polynomial(_FAR_ABOVE, inverse) / polynomial(_FAR_BELOW, inverse)
    return (_ONE_OVER_SQRT_PI - correction) / y


def normal_density(x: Array) -> Array:
    """The standard normal density."""
    x = np.asarray(x, dtype=np.float64)
    return exponential(-0.5 * x * x) / SQRT_TWO_PI


def normal_cumulative(x: Array) -> Array:
    """The standard normal distribution function, with full relative precision in the left tail."""
    x = np.asarray(x, dtype=np.float64)
    distance = np.minimum(np.abs(x), 1e150)
    tail = 0.5 * exponential(-0.5 * distance * distance) * scaled_erfc(distance * SQRT_HALF)
    return np.where(x < 0.0, tail, 1.0 - tail)
