"""What a position gains and loses: greeks, scenarios, future equivalents, the largest loss of a
structure. Black-76 on the expiry's forward, in floats, rounded to whole paise at the end.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from trading.pricing.black import CALL, black_price
from trading.risk.proposal import FutureEquivalent, Greeks

if TYPE_CHECKING:
    from collections.abc import Sequence

# A scenario moves every underlying alike and every volatility by as many points.
MOVES_PPM = (-60_000, -40_000, -20_000, 20_000, 40_000, 60_000)
VOL_POINTS = (-5, 5)
SCENARIOS = tuple((move, points) for move in MOVES_PPM for points in VOL_POINTS)
LIMITED_MOVE_PPM = 40_000  # what lies beyond is told and not limited
LIMITED_SCENARIOS = tuple(
    number for number, (move, _) in enumerate(SCENARIOS) if abs(move) <= LIMITED_MOVE_PPM
)

_MILLION = 1_000_000
_STEP = 2e-4  # of the forward, for delta and gamma
_POINT = 0.01
_LEAST_VOLATILITY = 0.001
_DAY_YEARS = 1 / 365


class HeldOption(NamedTuple):
    """An option held or wanted: signed units, strike and forward in paise, years to expiry, its
    volatility (a fraction a year).
    """

    quantity: int
    strike_paise: int
    right: str
    forward_paise: int
    years: float
    volatility: float


class PaidOption(NamedTuple):
    """An option at a price: signed units, strike and price in paise."""

    quantity: int
    strike_paise: int
    right: str
    price_paise: int


def no_greeks() -> Greeks:
    """Those of an empty book."""
    return Greeks(0, 0, 0, 0, (0,) * len(SCENARIOS))


def greeks_of(options: Sequence[HeldOption]) -> Greeks:
    """The greeks and scenarios of options, in paise of profit."""
    if not options:
        return no_greeks()
    each = [_greeks(option) for option in options]
    delta, gamma, vega, theta, *moved = (
        round(math.fsum(column)) for column in zip(*each, strict=True)
    )
    return Greeks(delta, gamma, vega, theta, tuple(moved))


def future_equivalent(options: Sequence[HeldOption]) -> FutureEquivalent:
    """Quantity × delta × forward of options of one underlying, the long and the short side."""
    each = [option.quantity * _delta(option) * option.forward_paise for option in options]
    return FutureEquivalent(
        long_paise=math.ceil(math.fsum(value for value in each if value > 0)),
        short_paise=math.ceil(-math.fsum(value for value in each if value < 0)),
    )


def largest_loss_paise(options: Sequence[PaidOption], forward_paise: int, move_ppm: int) -> int:
    """The most a structure can lose at expiry while the forward moves by no more than `move_ppm`,
    paise, exact. A structure without wings loses more beyond.

    The payoff is piecewise linear, so its least value lies at a strike or at an end.
    """
    low = forward_paise * (_MILLION - move_ppm) // _MILLION
    high = -(-forward_paise * (_MILLION + move_ppm) // _MILLION)
    inside = [each.strike_paise for each in options if low < each.strike_paise < high]
    worst = min(_profit_at(options, level) for level in (low, high, *inside))
    return max(-worst, 0)


def _profit_at(options: Sequence[PaidOption], level_paise: int) -> int:
    return sum(
        each.quantity
        * (max((1 if each.right == CALL else -1) * (level_paise - each.strike_paise), 0))
        - each.quantity * each.price_paise
        for each in options
    )


def _greeks(option: HeldOption) -> tuple[float, ...]:
    quantity, forward, volatility = option.quantity, option.forward_paise, option.volatility
    step = _STEP * forward
    now = _value(option, forward, volatility)
    up, down = (
        _value(option, forward + step, volatility),
        _value(option, forward - step, volatility),
    )
    one_percent = 0.01 * forward
    delta = (up - down) / (2 * step)
    gamma = (up - 2 * now + down) / step**2
    vega = _value(option, forward, volatility + _POINT / 2) - _value(
        option, forward, max(volatility - _POINT / 2, 0.0)
    )
    later = option._replace(years=max(option.years - _DAY_YEARS, 0.0))
    theta = _value(later, forward, volatility) - now
    moved = (
        _value(
            option,
            forward * (_MILLION + move) / _MILLION,
            max(volatility + points * _POINT, _LEAST_VOLATILITY),
        )
        - now
        for move, points in SCENARIOS
    )
    figures = (delta * one_percent, gamma * one_percent**2, vega, theta, *moved)
    return tuple(quantity * figure for figure in figures)


def _delta(option: HeldOption) -> float:
    step = _STEP * option.forward_paise
    up = _value(option, option.forward_paise + step, option.volatility)
    down = _value(option, option.forward_paise - step, option.volatility)
    return (up - down) / (2 * step)


def _value(option: HeldOption, forward: float, volatility: float) -> float:
    return black_price(forward, option.strike_paise, option.years, volatility, option.right)
