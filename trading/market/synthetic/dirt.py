"""The dirt of a real feed, thrown at clean chains and prints, every piece told to the truth.

What could be traded against (a stale or crossed quote) happens only in a flawed mode; what merely
goes missing happens in all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trading.market.synthetic.streams import Stream
from trading.market.synthetic.tables import Truth

if TYPE_CHECKING:
    from datetime import date

    from trading.market.synthetic.arrays import Floats, Integers, Mask
    from trading.market.synthetic.chains import Chain

MINUTE_US = 60_000_000
SIDES = ("call", "put")
_BLOCK_MINUTES = 30
_STALE, _ONE_SIDED, _CROSSED = 0.005, 0.002, 3e-5
_DEEP, _DEEP_CHANCE, _DEEP_GROWTH = 2.5, 0.10, 0.20
_LATE_INTEREST = 0.03
_MOST_DISTANCE = 4.0
_GAP_MINUTES, _GAP_FIRST, _GAP_SPREAD = 4, 60, 60
_SKEW_CHANCE, _SKEW_US, _SKEW_MINUTES = 0.05, -3_500_000, 60
_MISSING_BAR = 5e-4
_WRONG_PRINT_DAYS, _WRONG_PRINT = 0.2, 0.03
_SENT_TWICE, _OUT_OF_ORDER = 5e-4, 2e-3


class DirtyChain(NamedTuple):
    """What a feed shows of a chain: quotes in paise (-1 missing), open interest and which rows
    exist at all.
    """

    bid: Integers
    ask: Integers
    interest: Integers
    exists: Mask


def dirty_chain(
    seed: int, day: date, name: str, chain: Chain, tick: int, *, flawed: bool
) -> tuple[DirtyChain, list[Truth]]:
    """A chain as the feed shows it, and what is wrong with it."""
    stream = Stream(seed, f"{name}/{chain.listing.expiry}/dirt", day)
    exists, truth = _without_deep_strikes(stream, name, chain)
    interest, late = _late_interest(stream, name, chain)
    truth += late
    bid, ask = chain.bid.copy(), chain.ask.copy()
    distance = np.minimum(np.abs(chain.score), _MOST_DISTANCE)
    drawn = stream.uniforms(bid.size).reshape(bid.shape)
    one_sided = (drawn < _ONE_SIDED * distance) & (bid > 0)
    bid[one_sided] = -1
    truth += _truths("ONE_SIDED_QUOTE", name, chain, one_sided & exists)
    if flawed:
        drawn = stream.uniforms(bid.size).reshape(bid.shape)
        stale = _stale(chain, drawn < _STALE * distance) & ~one_sided
        bid[:, 1:][stale[:, 1:]] = chain.bid[:, :-1][stale[:, 1:]]
        ask[:, 1:][stale[:, 1:]] = chain.ask[:, :-1][stale[:, 1:]]
        crossed = (drawn > 1.0 - _CROSSED) & (bid > tick)
        bid[crossed], ask[crossed] = ask[crossed] + tick, bid[crossed] - tick
        truth += _truths("STALE_QUOTE", name, chain, stale & exists)
        truth += _truths("CROSSED_QUOTE", name, chain, crossed & exists)
    return DirtyChain(bid, ask, interest, exists), truth


def _stale(chain: Chain, chosen: Mask) -> Mask:
    """The chosen quotes that had moved since the snapshot before."""
    moved = np.zeros_like(chosen)
    moved[:, 1:] = (chain.bid[:, 1:] != chain.bid[:, :-1]) | (chain.ask[:, 1:] != chain.ask[:, :-1])
    return chosen & moved


def _truths(kind: str, name: str, chain: Chain, hit: Mask) -> list[Truth]:
    times = chain.instants.at_us.tolist()
    strikes = chain.strikes.tolist()
    return [
        Truth(kind, name, times[at], times[at], SIDES[side], chain.listing.expiry, strikes[strike])
        for side, at, strike in zip(*(index.tolist() for index in np.nonzero(hit)), strict=True)
    ]


def _without_deep_strikes(stream: Stream, name: str, chain: Chain) -> tuple[Mask, list[Truth]]:
    """Rows far from the money go missing for half an hour at a time."""
    block = chain.instants.minute // _BLOCK_MINUTES
    starts = np.flatnonzero(np.diff(block, prepend=-1))
    deep = np.abs(chain.score[starts])
    chance = _DEEP_CHANCE + _DEEP_GROWTH * np.minimum((deep - _DEEP) / _DEEP, 1.0)
    missing = (deep > _DEEP) & (stream.uniforms(deep.size).reshape(deep.shape) < chance)
    ends = np.append(starts[1:], len(block)) - 1
    times = chain.instants.at_us
    truth = [
        Truth(
            "MISSING_STRIKE",
            name,
            int(times[starts[span]]),
            int(times[ends[span]]),
            "",
            chain.listing.expiry,
            int(chain.strikes[strike]),
        )
        for span, strike in zip(*(index.tolist() for index in np.nonzero(missing)), strict=True)
    ]
    return ~np.repeat(missing, ends - starts + 1, axis=0), truth


def _late_interest(stream: Stream, name: str, chain: Chain) -> tuple[Integers, list[Truth]]:
    """Open interest stands still for half an hour."""
    interest = chain.interest.copy()
    block = chain.instants.minute // _BLOCK_MINUTES
    starts = np.flatnonzero(np.diff(block, prepend=-1))
    ends = np.append(starts[1:], len(block))
    late = stream.uniforms(len(starts)) < _LATE_INTEREST
    times = chain.instants.at_us
    truth = []
    for start, end in zip(starts[late].tolist(), ends[late].tolist(), strict=True):
        if start:
            interest[:, start:end] = chain.interest[:, start - 1 : start]
            span = int(times[start]), int(times[end - 1])
            truth.append(Truth("LATE_OPEN_INTEREST", name, *span, "", chain.listing.expiry))
    return interest, truth


def gap(seed: int, day: date, minutes: int) -> range:
    """The minutes of a day without snapshots, the same for all."""
    if minutes <= _GAP_FIRST + _GAP_SPREAD + _GAP_MINUTES:
        return range(0)
    start = _GAP_FIRST + int(Stream(seed, "gap", day).uniforms(1)[0] * _GAP_SPREAD)
    return range(start, start + _GAP_MINUTES)


def clock_skew(seed: int, day: date, minutes: Integers) -> Integers:
    """How far the collector's clock is off at each instant, µs; 0 on most days."""
    chance, when = Stream(seed, "clock", day).uniforms(2).tolist()
    if chance >= _SKEW_CHANCE:
        return np.zeros(len(minutes), dtype=np.int64)
    start = int(when * 240)
    return np.where((minutes >= start) & (minutes < start + _SKEW_MINUTES), _SKEW_US, 0)


def missing_bars(seed: int, day: date, stream: str, minutes: int) -> Mask:
    """Which minute bars the feed lost."""
    return Stream(seed, f"{stream}/missing", day).uniforms(minutes) < _MISSING_BAR


class DirtyPrints(NamedTuple):
    """What is wrong with a day's prints: factors on their prices, delays in µs, and positions of
    those sent again with the delay of the second sending.
    """

    factor: Floats
    delay_us: Integers
    again: Integers
    again_delay_us: Integers


def dirty_prints(seed: int, day: date, name: str, count: int, *, flawed: bool) -> DirtyPrints:
    """The dirt of a day's prints."""
    stream = Stream(seed, f"{name}/prints/dirt", day)
    factor = np.ones(count)
    chance, which, side = stream.uniforms(3).tolist()
    if flawed and count and chance < _WRONG_PRINT_DAYS:
        factor[int(which * count)] = 1.0 + (_WRONG_PRINT if side < 0.5 else -_WRONG_PRINT)
    drawn = stream.uniforms(count)
    delay = np.where(drawn < _OUT_OF_ORDER, 1_000_000 + (drawn / _OUT_OF_ORDER * 3e6), 0.0)
    again = np.flatnonzero(drawn > 1.0 - _SENT_TWICE)
    return DirtyPrints(
        factor,
        delay.astype(np.int64),
        again,
        1_000_000 + ((1.0 - drawn[again]) / _SENT_TWICE * 4e6).astype(np.int64),
    )
