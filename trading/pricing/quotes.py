"""Quotes of an expiry as a fit reads them: out of the money, two-sided, in units of the forward,
sorted, rounded.

What cannot be used is left out and counted by reason, never repaired.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trading.pricing.elementary import SQRT_TWO_PI, Array, exponential, logarithm
from trading.pricing.implied_columns import implied_deviations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trading.pricing.black_columns import Booleans

DECIMALS = 12
TOLERATED_VOLATILITY = 0.001  # 0.10 volatility points

_SMALLEST_VARIANCE = 1e-12
_SMALLEST_SPREAD = 1e-9  # of the forward


class Omission(StrEnum):
    """Why a quote is not used."""

    IN_THE_MONEY = "IN_THE_MONEY"  # the other right of the strike says the same with less money
    MISSING = "MISSING"  # neither side is quoted
    ONE_SIDED = "ONE_SIDED"
    NO_VOLUME = "NO_VOLUME"  # not traded today
    CROSSED = "CROSSED"  # bid above ask; a locked quote is used
    DUPLICATE = "DUPLICATE"  # a second quote of the strike and right
    NO_VALUE = "NO_VALUE"  # a mid no option can have: worth nothing, or more than its bound
    FAR_WING = "FAR_WING"


class Refusal(StrEnum):
    """Why an expiry is not fitted."""

    EXPIRED = "EXPIRED"  # no time is left
    NO_FORWARD = "NO_FORWARD"
    TOO_FEW_QUOTES = "TOO_FEW_QUOTES"
    ONE_SIDED_CHAIN = "ONE_SIDED_CHAIN"  # too few quotes below or above the forward
    SAME_TIME = "SAME_TIME"  # ends with another expiry that has more quotes


@dataclass(frozen=True, slots=True, eq=False)
class ExpiryQuotes:
    """One expiry's quotes in money, a row an option; not a number where nothing is quoted.

    `forward`, `tick` and prices share a unit; `discount` is the factor that brings money of the
    expiry to today, `years` the time to it in years of 365 days. `traded` says which options
    traded; without it all count as if they had.
    """

    expiry: str
    years: float
    forward: float
    discount: float
    tick: float
    strike: Array
    is_call: Booleans
    bid: Array
    ask: Array
    traded: Booleans | None = None


@dataclass(frozen=True, slots=True, eq=False)
class UsableQuotes:
    """What a fit uses of an expiry: undiscounted call prices over the forward, by rising strike.

    `spread` is floored; `tolerance` is how far outside bid and ask a price may be before it counts
    as missed: a tick, or 0.10 volatility points if that is more. `deviation` is the implied total
    standard deviation of the mid, `variance` the implied total variance at the money.
    """

    expiry: str
    years: float
    forward: float
    discount: float
    strike: Array
    bid: Array
    ask: Array
    mid: Array
    spread: Array
    tolerance: Array
    deviation: Array
    variance: float
    omitted: dict[Omission, int]

    @property
    def count(self) -> int:
        """The number of quotes used."""
        return int(self.strike.size)


def usable_quotes(
    expiries: Sequence[ExpiryQuotes],
    *,
    spread_floor_ticks: float,
    quote_deviations: float,
    least_quotes: int = 3,
    least_a_side: int = 1,
) -> list[UsableQuotes | Refusal]:
    """Choose, normalise and round the quotes of each expiry, or say why it cannot be fitted."""
    found = [_candidates(quotes) for quotes in expiries]
    candidates = [c for c in found if isinstance(c, _Candidates)]
    result: list[UsableQuotes | Refusal] = [c for c in found if isinstance(c, Refusal)]
    if not candidates:
        return result
    # One call for all: most of what it costs does not depend on how many there are.
    strikes = np.concatenate([c.strike for c in candidates])
    mids = np.concatenate([0.5 * (c.bid + c.ask) for c in candidates])
    deviations = implied_deviations(mids / np.sqrt(strikes), np.abs(logarithm(strikes)))
    ends = np.add.accumulate([c.strike.size for c in candidates])[:-1]
    usable = iter(
        _usable(c, own, spread_floor_ticks, quote_deviations, least_quotes, least_a_side)
        for c, own in zip(candidates, np.split(deviations, ends), strict=True)
    )
    return [c if isinstance(c, Refusal) else next(usable) for c in found]


class _Candidates(NamedTuple):
    """Time values per unit of discounted forward, of quotes that may be used."""

    source: ExpiryQuotes
    strike: Array
    bid: Array
    ask: Array
    omitted: Counter[Omission]


def _candidates(quotes: ExpiryQuotes) -> _Candidates | Refusal:
    if not quotes.years > 0.0:
        return Refusal.EXPIRED
    if not (quotes.forward > 0.0 and quotes.discount > 0.0):
        return Refusal.NO_FORWARD
    omitted: Counter[Omission] = Counter()
    chosen = _chosen(quotes, omitted)
    order = chosen[np.lexsort((quotes.ask[chosen], quotes.bid[chosen], quotes.strike[chosen]))]
    unit = quotes.discount * quotes.forward
    k = np.round(quotes.strike[order] / quotes.forward, DECIMALS)
    bid = np.round(quotes.bid[order] / unit, DECIMALS)
    ask = np.round(quotes.ask[order] / unit, DECIMALS)
    first = np.ones(k.size, dtype=bool)
    first[1:] = k[1:] > k[:-1]
    mid = 0.5 * (bid + ask)
    worth = (mid > 0.0) & (mid < np.minimum(k, 1.0))
    omitted[Omission.DUPLICATE] += int((~first).sum())
    omitted[Omission.NO_VALUE] += int((first & ~worth).sum())
    kept = first & worth
    return _Candidates(quotes, k[kept], bid[kept], ask[kept], omitted)


def _usable(
    candidates: _Candidates,
    deviation: Array,
    spread_floor_ticks: float,
    quote_deviations: float,
    least_quotes: int,
    least_a_side: int,
) -> UsableQuotes | Refusal:
    quotes, k, bid, ask, omitted = candidates
    if k.size < max(least_quotes, 1):
        return Refusal.TOO_FEW_QUOTES
    log_k = logarithm(k)
    variance = _at_the_money(log_k, deviation * deviation)
    near = np.abs(log_k) <= quote_deviations * math.sqrt(variance)
    omitted[Omission.FAR_WING] += int((~near).sum())
    k, bid, ask, log_k, deviation = k[near], bid[near], ask[near], log_k[near], deviation[near]
    if k.size < max(least_quotes, 1):
        return Refusal.TOO_FEW_QUOTES
    below = int((k < 1.0).sum())
    if min(below, k.size - below) < least_a_side:
        return Refusal.ONE_SIDED_CHAIN
    intrinsic = np.maximum(1.0 - k, 0.0)
    tick = quotes.tick / (quotes.discount * quotes.forward)
    return UsableQuotes(
        expiry=quotes.expiry,
        years=quotes.years,
        forward=quotes.forward,
        discount=quotes.discount,
        strike=k,
        bid=bid + intrinsic,
        ask=ask + intrinsic,
        mid=0.5 * (bid + ask) + intrinsic,
        spread=np.maximum(ask - bid, max(spread_floor_ticks * tick, _SMALLEST_SPREAD)),
        tolerance=np.maximum(tick, _vega(log_k, deviation, quotes.years)),
        deviation=deviation,
        variance=variance,
        omitted={reason: number for reason, number in sorted(omitted.items()) if number},
    )


def _chosen(quotes: ExpiryQuotes, omitted: Counter[Omission]) -> np.ndarray:
    """Rows out of the money that are quoted on both sides, not crossed, and traded."""
    out = np.where(quotes.is_call, quotes.strike >= quotes.forward, quotes.strike < quotes.forward)
    has_bid, has_ask = np.isfinite(quotes.bid), np.isfinite(quotes.ask)
    both = out & has_bid & has_ask
    crossed = both & (np.where(both, quotes.bid, 0.0) > np.where(both, quotes.ask, 0.0))
    omitted[Omission.IN_THE_MONEY] += int((~out).sum())
    omitted[Omission.MISSING] += int((out & ~has_bid & ~has_ask).sum())
    omitted[Omission.ONE_SIDED] += int((out & (has_bid ^ has_ask)).sum())
    omitted[Omission.CROSSED] += int(crossed.sum())
    good = both & ~crossed
    if quotes.traded is not None:
        omitted[Omission.NO_VOLUME] += int((good & ~quotes.traded).sum())
        good &= quotes.traded
    return np.flatnonzero(good)


def _at_the_money(log_k: Array, variance: Array) -> float:
    """The total variance at the forward: between its neighbours on the straight line, else that of
    the nearest.
    """
    above = int(np.searchsorted(log_k, 0.0))
    if above == 0 or above == log_k.size:
        found = float(variance[min(above, log_k.size - 1)])
    else:
        left, right = float(log_k[above - 1]), float(log_k[above])
        share = -left / (right - left)
        found = (1.0 - share) * float(variance[above - 1]) + share * float(variance[above])
    return max(round(found, DECIMALS), _SMALLEST_VARIANCE)


def _vega(log_k: Array, deviation: Array, years: float) -> Array:
    """What the tolerated change of volatility is worth, per unit of forward."""
    d1 = -log_k / deviation + 0.5 * deviation
    slope = exponential(-0.5 * d1 * d1) / SQRT_TWO_PI
    return np.asarray(TOLERATED_VOLATILITY * math.sqrt(years) * slope)
