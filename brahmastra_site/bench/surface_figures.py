"""What fitting a surface costs, beside the solver and the kernel alone and beside other people's
ways to the same quotes.

Times are of the process (CPU), so that a busy machine does not count; ours and theirs take turns.
Values are rates at the median, names tell the 95th percentiles.
"""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import clarabel
import numpy as np

from brahmastra_site.bench import surface_peers
from brahmastra_site.bench.figure import Figure
from trading.pricing import kernel, least_squares, quadratic_program
from trading.pricing.black_columns import values
from trading.pricing.fitting import Method, fit_surface
from trading.pricing.profiles import FAST, MARKET, Profile
from trading.pricing.quotes import ExpiryQuotes, UsableQuotes, usable_quotes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from brahmastra_site.bench.ground import Ground

_FOUR = (4, 11, 32, 60)
_EIGHT = (4, 11, 18, 32, 60, 90, 120, 180)
_FORWARD, _TICK = 25_000.0, 0.05
_RUNS = 21


def fitting_four_expiries(ground: Ground) -> Figure:
    """Fit 4 × 61 quotes cold; the floor solves the same problem and evaluates the same kernel."""
    return _beside_the_solver(_FOUR, FAST)


def fitting_eight_expiries(ground: Ground) -> Figure:
    """Fit 8 × 61 quotes cold; the floor solves the same problem and evaluates the same kernel."""
    return _beside_the_solver(_EIGHT, FAST)


def fitting_for_the_market(ground: Ground) -> Figure:
    """Fit 4 × 61 quotes as real ones are; the floor solves and evaluates the same, three times."""
    return _beside_the_solver(_FOUR, MARKET)


def fitting_beside_cvxpy(ground: Ground) -> Figure:
    """Fit 4 × 61 quotes; the peer states the same problem in cvxpy, with the same solver."""
    chain = _chain(_FOUR)
    return _beside(
        "cvxpy, same problem",
        lambda quotes: lambda: fit_surface(chain, profile=FAST, method=Method.REFERENCE),
        runs=5,
    )


def fitting_beside_svi(ground: Ground) -> Figure:
    """Fit 4 × 61 quotes; the peer is QuantLib's SVI, an expiry after another."""
    return _beside("QuantLib SVI, 4 smiles", surface_peers.svi)


def fitting_beside_andreasen_huge(ground: Ground) -> Figure:
    """Fit 4 × 61 quotes; the peer is QuantLib's Andreasen-Huge interpolation."""
    return _beside("QuantLib Andreasen-Huge", surface_peers.andreasen_huge, runs=5)


def fitting_beside_arbitragerepair(ground: Ground) -> Figure:
    """Fit 4 × 61 quotes; the peer detects and repairs arbitrage in their mids."""
    return _beside("arbitragerepair of the mids", surface_peers.arbitrage_repair, runs=7)


def _beside_the_solver(days: tuple[int, ...], profile: Profile) -> Figure:
    chain = _chain(days)

    def ours() -> object:
        return fit_surface(chain, profile=profile)

    solved, evaluated = _what_it_asks(ours)

    def floor() -> None:
        for asked in evaluated:
            kernel.time_values(*asked)
        for asked in solved:
            clarabel.DefaultSolver(*asked).solve()

    return _figure(len(days), profile, ours, "solver and kernel alone", floor, _RUNS)


def _what_it_asks(
    work: Callable[[], object],
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """What the solver and the kernel are called with while some work is done."""
    solved: list[tuple[Any, ...]] = []
    evaluated: list[tuple[Any, ...]] = []

    def solver(*asked: Any) -> Any:
        solved.append(asked)
        return genuine(*asked)

    def evaluate(*asked: Any) -> Any:
        evaluated.append(asked)
        return kernel.time_values(*asked)

    genuine = clarabel.DefaultSolver
    with (
        patch.object(quadratic_program.clarabel, "DefaultSolver", solver),
        patch.object(least_squares, "time_values", evaluate),
    ):
        work()
    return solved, evaluated


def _beside(
    peer: str,
    made: Callable[[Sequence[UsableQuotes]], Callable[[], object]],
    *,
    runs: int = _RUNS,
) -> Figure:
    chain = _chain(_FOUR)

    def ours() -> object:
        return fit_surface(chain, profile=FAST)

    try:
        theirs = made(_quotes())
        theirs()
    except ImportError:
        peer, theirs = f"{peer} is not installed: itself", ours
    return _figure(4, FAST, ours, peer, theirs, runs)


def _figure(
    expiries: int,
    profile: Profile,
    ours: Callable[[], object],
    peer: str,
    theirs: Callable[[], object],
    runs: int,
) -> Figure:
    mine, other = [], []
    for _ in range(runs):
        mine.append(_cpu_seconds(ours))
        other.append(_cpu_seconds(theirs))
    return Figure(
        f"fit {expiries} × 61 quotes, {profile.name} (p95 {_milliseconds(mine)})",
        1.0 / float(np.median(mine)),
        "fits/s",
        f"{peer} (p95 {_milliseconds(other)})",
        1.0 / float(np.median(other)),
    )


def _milliseconds(seconds: list[float]) -> str:
    return f"{1e3 * float(np.percentile(seconds, 95)):.1f} ms"


def _cpu_seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


@functools.cache
def _quotes() -> tuple[UsableQuotes, ...]:
    """The quotes a fit of four expiries uses."""
    found = usable_quotes(
        _chain(_FOUR),
        spread_floor_ticks=FAST.spread_floor_ticks,
        quote_deviations=FAST.quote_deviations,
    )
    return tuple(each for each in found if isinstance(each, UsableQuotes))


def _chain(days: tuple[int, ...]) -> list[ExpiryQuotes]:
    """61 quotes an expiry out of the money, an SSVI smile in ticks, one forward for all."""
    chain = []
    for count in days:
        years = count / 365.0
        step = 50.0 if count < 60 else 100.0
        strike = _FORWARD + step * np.arange(-30.0, 31.0)
        theta = (0.115 + 0.02 * min(1.0, count / 60.0)) ** 2 * years
        x = 1.1 / theta**0.45 * np.log(strike / _FORWARD)
        variance = theta / 2.0 * (1.0 - 0.55 * x + np.sqrt((x - 0.55) ** 2 + 1.0 - 0.55**2))
        is_call = strike >= _FORWARD
        price = values(np.array([_FORWARD]), strike, np.ones(1), np.sqrt(variance), is_call)
        half = 0.5 * np.maximum(0.10, 0.30 + 0.004 * price)
        ticks = np.floor((price - half) / _TICK)
        bid = np.where(ticks >= 1.0, ticks * _TICK, np.nan)
        ask = np.ceil((price + half) / _TICK) * _TICK
        chain.append(
            ExpiryQuotes(f"day {count:03}", years, _FORWARD, 1.0, _TICK, strike, is_call, bid, ask)
        )
    return chain
