"""Black-76 prices and implied volatilities of single options, scalar and deterministic: nothing but
the math module.

Prices are undiscounted: the value at expiry's money, as the parity forward is. Units are free as
long as price, forward and strike share one (the engine uses paise). Volatility is a fraction a
year, time is in years of 365 days.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from trading.market.frames import ExpiryBlock

YEAR_US = 365 * 24 * 3600 * 1_000_000
CALL = "CE"
PUT = "PE"

_SQRT_HALF = math.sqrt(0.5)
_WIDEST_DEVIATION = (
    64.0  # total standard deviation; the price equals its bound to the last bit long before
)
_STEPS = 200


class VolatilityStatus(StrEnum):
    """Why there is, or is not, an implied volatility."""

    OK = "OK"
    BELOW_INTRINSIC = (
        "BELOW_INTRINSIC"  # at or below what exercising would pay: no positive volatility gives it
    )
    ABOVE_BOUND = "ABOVE_BOUND"  # at or above the forward (call) or the strike (put)
    EXPIRED = "EXPIRED"
    BAD_INPUT = "BAD_INPUT"  # not finite, or a forward or strike that is not positive
    NO_FORWARD = "NO_FORWARD"
    NO_QUOTE = "NO_QUOTE"  # no two-sided, uncrossed quote at the strike
    NOT_CONVERGED = "NOT_CONVERGED"  # a price inside its bounds that no step reached


class ImpliedVolatility(NamedTuple):
    """A volatility (fraction a year) or None, and the status that says why."""

    value: float | None
    status: VolatilityStatus


class AtmVolatility(NamedTuple):
    """The at-the-money volatility of one expiry, the strike it was read at, and the status of what
    stopped it.
    """

    value: float | None
    status: VolatilityStatus
    strike_paise: int | None


def black_price(
    forward: float, strike: float, years: float, volatility: float, right: str
) -> float:
    """The undiscounted Black-76 value of one European option; `right` is "CE" or "PE".

    Raises ValueError for another right, a forward or strike that is not positive, or a negative
    time or volatility.
    """
    if right not in {CALL, PUT}:
        msg = f"right is {right!r}, expected {CALL!r} or {PUT!r}"
        raise ValueError(msg)
    if not (forward > 0 and strike > 0 and years >= 0 and volatility >= 0):
        msg = (
            f"Black-76 needs forward > 0, strike > 0, years >= 0, volatility >= 0; "
            f"got {forward}, {strike}, {years}, {volatility}"
        )
        raise ValueError(msg)
    sign = 1.0 if right == CALL else -1.0
    deviation = volatility * math.sqrt(years)
    intrinsic = max(sign * (forward - strike), 0.0)
    return intrinsic + _time_value(forward, strike, deviation)


def _normal_cdf(x: float) -> float:
    return 0.5 * math.erfc(-x * _SQRT_HALF)


def _time_value(forward: float, strike: float, deviation: float) -> float:
    """The value of the out-of-the-money option of the strike: by parity the time value of both
    rights.
    """
    if deviation <= 0.0:
        return 0.0
    if forward == strike:
        return forward * math.erf(0.5 * deviation * _SQRT_HALF)
    # The option out of the money: x < 0 whichever right it is, so no large intrinsic hides the
    # small value.
    low, high = (forward, strike) if forward < strike else (strike, forward)
    d1 = math.log(low / high) / deviation + 0.5 * deviation
    return max(low * _normal_cdf(d1) - high * _normal_cdf(d1 - deviation), 0.0)


def implied_volatility(
    price: float, forward: float, strike: float, years: float, right: str
) -> ImpliedVolatility:
    """The volatility at which Black-76 gives `price`: bracketed, so it is found or its absence is
    named.

    The logarithm of the time value is solved by Newton steps kept inside a bracket that only
    shrinks (bisection where a step would leave it), until the step is below the resolution of a
    double. The same input gives the same bits.
    """
    if right not in {CALL, PUT} or not all(map(math.isfinite, (price, forward, strike, years))):
        return ImpliedVolatility(None, VolatilityStatus.BAD_INPUT)
    if forward <= 0 or strike <= 0:
        return ImpliedVolatility(None, VolatilityStatus.BAD_INPUT)
    if years <= 0:
        return ImpliedVolatility(None, VolatilityStatus.EXPIRED)
    sign = 1.0 if right == CALL else -1.0
    target = price - max(sign * (forward - strike), 0.0)
    if target <= 0:
        return ImpliedVolatility(None, VolatilityStatus.BELOW_INTRINSIC)
    if target >= _time_value(forward, strike, _WIDEST_DEVIATION):
        return ImpliedVolatility(None, VolatilityStatus.ABOVE_BOUND)
    deviation = _solve_deviation(target, forward, strike)
    return ImpliedVolatility(deviation / math.sqrt(years), VolatilityStatus.OK)


def _solve_deviation(target: float, forward: float, strike: float) -> float:
    """The total standard deviation whose time value is `target`; the caller has checked that one
    exists.
    """
    goal = math.log(target)
    distance = abs(math.log(forward / strike))
    low, high = 0.0, _WIDEST_DEVIATION
    # The inflection of the value in the deviation is the safe Newton start; at the money the
    # straight-line guess is better still.
    deviation = math.sqrt(2 * distance) if distance else 0.0
    deviation = max(deviation, math.sqrt(2 * math.pi) * target / min(forward, strike), 1e-12)
    deviation = min(deviation, high / 2)
    for _ in range(_STEPS):
        value = _time_value(forward, strike, deviation)
        if value < target:
            low = deviation
        elif value > target:
            high = deviation
        else:
            return deviation
        step = _newton_step(value, goal, distance, deviation, forward, strike)
        following = deviation + step if step is not None else math.nan
        if not low < following < high:
            following = 0.5 * (low + high)
        if abs(following - deviation) <= 1e-15 * deviation or not low < following < high:
            return following
        deviation = following
    return deviation


def _newton_step(
    value: float, goal: float, distance: float, deviation: float, forward: float, strike: float
) -> float | None:
    """A Newton step on the logarithm of the value; None where the value or its slope has
    underflowed.
    """
    if value <= 0.0:
        return None
    d1 = -distance / deviation + 0.5 * deviation
    slope = min(forward, strike) * math.exp(-0.5 * d1 * d1) / math.sqrt(2 * math.pi)
    if slope <= 0.0:
        return None
    return (goal - math.log(value)) * value / slope


def years_between(now_us: int, then_us: int) -> float:
    """Years of 365 days between two instants in µs UTC; negative when `then_us` comes first."""
    return (then_us - now_us) / YEAR_US


def atm_volatility(block: ExpiryBlock, now_us: int, *, closes: bool = False) -> AtmVolatility:
    """The at-the-money volatility of an expiry at an instant (µs UTC), of quotes or, with `closes`,
    of closing prices.

    At the strike nearest the parity forward (of two equally near the lower), the average of the
    volatility of the call mid and that of the put mid. Both are needed: one side alone would carry
    the error of the forward.
    """
    forward = block.forward_paise
    if forward is None or not block.strike_paise:
        return AtmVolatility(None, VolatilityStatus.NO_FORWARD, None)
    index = min(
        range(len(block.strike_paise)), key=lambda i: (abs(block.strike_paise[i] - forward), i)
    )
    strike = block.strike_paise[index]
    years = years_between(now_us, block.expires_at_us)
    volatilities: list[float] = []
    bid_name, ask_name = ("last_paise", "last_paise") if closes else ("bid_paise", "ask_paise")
    for right, side in ((CALL, "call"), (PUT, "put")):
        bid = getattr(block, f"{side}_{bid_name}")[index]
        ask = getattr(block, f"{side}_{ask_name}")[index]
        if bid is None or ask is None or bid > ask:
            return AtmVolatility(None, VolatilityStatus.NO_QUOTE, strike)
        solved = implied_volatility((bid + ask) / 2, forward, strike, years, right)
        if solved.value is None:
            return AtmVolatility(None, solved.status, strike)
        volatilities.append(solved.value)
    return AtmVolatility((volatilities[0] + volatilities[1]) / 2, VolatilityStatus.OK, strike)
