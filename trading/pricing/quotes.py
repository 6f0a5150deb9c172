"""Quotes of an expiry as a fit reads them: out of the money, two-sided, in units of the forward,
sorted, rounded.

What cannot be used is left out and counted by reason, never repaired.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trading.pricing.elementary import SQRT_TWO_PI, Array, exponential, logarithm
from trading.pricing.implied_columns import implied_deviations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trading.pricing.black_columns import Booleans
    from trading.pricing.kernel import Places

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


_CODES = {reason: code for code, reason in enumerate(Omission)}
_USED = len(_CODES)  # the code of a quote that nothing is said against


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
    refusals = [_refusal(quotes) for quotes in expiries]
    priced = [quotes for quotes, refused in zip(expiries, refusals, strict=True) if not refused]
    if not priced:
        return [refused for refused in refusals if refused]
    # All expiries at once: most of what a call costs does not depend on how many numbers it has.
    columns, reasons = _columns(priced)
    variances = [
        _at_the_money(columns.log_strike[own], columns.deviation[own] * columns.deviation[own])
        for own in columns.places(len(priced))
    ]
    reach = quote_deviations * np.sqrt(np.array(variances))
    near = np.abs(columns.log_strike) <= reach[columns.number]
    reasons[columns.row[~near]] = _CODES[Omission.FAR_WING]
    columns = _Columns(*(column[near] for column in columns))
    table = _table(priced, columns, spread_floor_ticks)
    omitted = _counted(priced, reasons)
    answers = iter(
        _usable(quotes, table[:, own], variance, omissions, max(least_quotes, 1), least_a_side)
        for quotes, own, variance, omissions in zip(
            priced, columns.places(len(priced)), variances, omitted, strict=True
        )
    )
    return [refused or next(answers) for refused in refusals]


class _Columns(NamedTuple):
    """Quotes that may be used, by expiry and rising strike: `number` is the expiry's place, `row`
    that of the quote among all that were offered; prices are time values per unit of discounted
    forward, strikes per unit of forward.
    """

    number: Places
    row: Places
    strike: Array
    bid: Array
    ask: Array
    log_strike: Array
    deviation: Array

    def places(self, expiries: int) -> list[slice]:
        """Where each expiry's quotes are."""
        ends = np.searchsorted(self.number, np.arange(expiries + 1)).tolist()
        return [slice(first, last) for first, last in itertools.pairwise(ends)]


def _refusal(quotes: ExpiryQuotes) -> Refusal | None:
    """Why an expiry has no price in units of its forward."""
    if not quotes.years > 0.0:
        return Refusal.EXPIRED
    if not (quotes.forward > 0.0 and quotes.discount > 0.0):
        return Refusal.NO_FORWARD
    return None


def _columns(priced: Sequence[ExpiryQuotes]) -> tuple[_Columns, Places]:
    """The candidates of all expiries; and for each quote offered the code of why it is left out."""
    number = np.repeat(np.arange(len(priced)), [quotes.strike.size for quotes in priced])
    strike, bid, ask = (
        np.concatenate([column(quotes) for quotes in priced])
        for column in (attrgetter("strike"), attrgetter("bid"), attrgetter("ask"))
    )
    reasons = _reasons(priced, number, strike, bid, ask)
    chosen = np.flatnonzero(reasons == _USED)
    row = chosen[np.lexsort((ask[chosen], bid[chosen], strike[chosen], number[chosen]))]
    number = number[row]
    unit = np.array([quotes.discount * quotes.forward for quotes in priced])[number]
    k = np.round(strike[row] / np.array([q.forward for q in priced])[number], DECIMALS)
    low, high = np.round(bid[row] / unit, DECIMALS), np.round(ask[row] / unit, DECIMALS)
    first = np.ones(k.size, dtype=bool)
    first[1:] = (k[1:] > k[:-1]) | (number[1:] > number[:-1])
    mid = 0.5 * (low + high)
    worth = (mid > 0.0) & (mid < np.minimum(k, 1.0))
    reasons[row[~worth]] = _CODES[Omission.NO_VALUE]
    reasons[row[~first]] = _CODES[Omission.DUPLICATE]
    kept = first & worth
    k = k[kept]
    log_k = logarithm(k)
    deviation = implied_deviations(mid[kept] / np.sqrt(k), np.abs(log_k))
    found = _Columns(number[kept], row[kept], k, low[kept], high[kept], log_k, deviation)
    return found, reasons


def _reasons(
    priced: Sequence[ExpiryQuotes], number: Places, strike: Array, bid: Array, ask: Array
) -> Places:
    """Of each quote offered, the code of the first reason against it: rows out of the money that
    are quoted on both sides, not crossed, and traded have none.
    """
    is_call = np.concatenate([quotes.is_call for quotes in priced])
    forward = np.array([quotes.forward for quotes in priced])[number]
    has_bid, has_ask = np.isfinite(bid), np.isfinite(ask)
    reasons = np.full(number.size, _USED)
    if any(quotes.traded is not None for quotes in priced):
        reasons[~np.concatenate([_traded(quotes) for quotes in priced])] = _CODES[
            Omission.NO_VOLUME
        ]
    reasons[bid > ask] = _CODES[Omission.CROSSED]
    reasons[has_bid ^ has_ask] = _CODES[Omission.ONE_SIDED]
    reasons[~(has_bid | has_ask)] = _CODES[Omission.MISSING]
    reasons[is_call != (strike >= forward)] = _CODES[Omission.IN_THE_MONEY]
    return reasons


def _traded(quotes: ExpiryQuotes) -> Booleans:
    if quotes.traded is None:
        return np.ones(quotes.strike.size, dtype=bool)
    return quotes.traded


def _counted(priced: Sequence[ExpiryQuotes], reasons: Places) -> list[dict[Omission, int]]:
    """How many quotes of each expiry are left out, by reason."""
    ends = itertools.accumulate((quotes.strike.size for quotes in priced), initial=0)
    counts = [
        np.bincount(reasons[first:last], minlength=_USED).tolist()
        for first, last in itertools.pairwise(ends)
    ]
    return [
        {reason: own[code] for reason, code in sorted(_CODES.items()) if own[code]}
        for own in counts
    ]


def _table(priced: Sequence[ExpiryQuotes], columns: _Columns, spread_floor_ticks: float) -> Array:
    """The columns of `UsableQuotes` from strike to deviation, a row each."""
    number, k, bid, ask = columns.number, columns.strike, columns.bid, columns.ask
    ticks = [quotes.tick / (quotes.discount * quotes.forward) for quotes in priced]
    floors = [max(spread_floor_ticks * tick, _SMALLEST_SPREAD) for tick in ticks]
    roots = np.array([math.sqrt(quotes.years) for quotes in priced])
    intrinsic = np.maximum(1.0 - k, 0.0)
    vega = _vega(columns.log_strike, columns.deviation, roots[number])
    return np.stack(
        (
            k,
            bid + intrinsic,
            ask + intrinsic,
            0.5 * (bid + ask) + intrinsic,
            np.maximum(ask - bid, np.array(floors)[number]),
            np.maximum(np.array(ticks)[number], vega),
            columns.deviation,
        )
    )


def _usable(
    quotes: ExpiryQuotes,
    table: Array,
    variance: float,
    omitted: dict[Omission, int],
    least_quotes: int,
    least_a_side: int,
) -> UsableQuotes | Refusal:
    strike, bid, ask, mid, spread, tolerance, deviation = table
    if strike.size < least_quotes:
        return Refusal.TOO_FEW_QUOTES
    below = int((strike < 1.0).sum())
    if min(below, strike.size - below) < least_a_side:
        return Refusal.ONE_SIDED_CHAIN
    return UsableQuotes(
        expiry=quotes.expiry,
        years=quotes.years,
        forward=quotes.forward,
        discount=quotes.discount,
        strike=strike,
        bid=bid,
        ask=ask,
        mid=mid,
        spread=spread,
        tolerance=tolerance,
        deviation=deviation,
        variance=variance,
        omitted=omitted,
    )


def _at_the_money(log_k: Array, variance: Array) -> float:
    """The total variance at the forward: between its neighbours on the straight line, else that of
    the nearest; the smallest there is where nothing is quoted.
    """
    if not log_k.size:
        return _SMALLEST_VARIANCE
    above = int(np.searchsorted(log_k, 0.0))
    if above == 0 or above == log_k.size:
        found = float(variance[min(above, log_k.size - 1)])
    else:
        left, right = float(log_k[above - 1]), float(log_k[above])
        share = -left / (right - left)
        found = (1.0 - share) * float(variance[above - 1]) + share * float(variance[above])
    return max(round(found, DECIMALS), _SMALLEST_VARIANCE)


def _vega(log_k: Array, deviation: Array, root_years: Array) -> Array:
    """What the tolerated change of volatility is worth, per unit of forward."""
    d1 = -log_k / deviation + 0.5 * deviation
    slope = exponential(-0.5 * d1 * d1) / SQRT_TWO_PI
    return np.asarray(TOLERATED_VOLATILITY * root_years * slope)
