"""What fitting a surface costs, beside the solver alone and beside other people's ways.

The peers are development dependencies, imported where they are measured. Times are of the process
(CPU), so that a busy machine does not count.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from brahmastra_site.bench.figure import Figure
from trading.pricing.black_columns import values
from trading.pricing.fitting import Method, fit_surface
from trading.pricing.profiles import FAST
from trading.pricing.quotes import ExpiryQuotes

if TYPE_CHECKING:
    from collections.abc import Callable

    from brahmastra_site.bench.ground import Ground

_FOUR = (4, 11, 32, 60)
_EIGHT = (4, 11, 18, 32, 60, 90, 120, 180)
_FORWARD, _TICK = 25_000.0, 0.05


def fitting_four_expiries(ground: Ground) -> Figure:
    """Fit 4 × 61 quotes cold; the floor is what the solver alone takes, as it says itself."""
    return _beside_the_solver("fit a surface of 4 × 61 quotes", _FOUR)


def fitting_eight_expiries(ground: Ground) -> Figure:
    """Fit 8 × 61 quotes cold; the floor is what the solver alone takes, as it says itself."""
    return _beside_the_solver("fit a surface of 8 × 61 quotes", _EIGHT)


def fitting_beside_cvxpy(ground: Ground) -> Figure:
    """Fit 4 × 61 quotes; the peer states the same problem in cvxpy, with the same solver."""
    chain = _chain(_FOUR)
    ours = _cpu_seconds(lambda: fit_surface(chain, profile=FAST))
    name = "fit a surface of 4 × 61 quotes"
    try:
        peer = _cpu_seconds(
            lambda: fit_surface(chain, profile=FAST, method=Method.REFERENCE), times=3
        )
    except ImportError:
        return _without_peer(name, ours, "cvxpy")
    return Figure(name, 1.0 / ours, "fits/s", "cvxpy, same problem", 1.0 / peer)


def _beside_the_solver(name: str, days: tuple[int, ...]) -> Figure:
    chain = _chain(days)
    runs = []
    for _ in range(9):
        started = time.perf_counter()
        fit = fit_surface(chain, profile=FAST)
        runs.append((time.perf_counter() - started, fit.solver_seconds))
    ours, solver = min(runs)  # both of one run and on one clock: the least disturbed
    return Figure(name, 1.0 / ours, "fits/s", "Clarabel alone", 1.0 / solver)


def _without_peer(name: str, ours: float, peer: str) -> Figure:
    return Figure(name, 1.0 / ours, "fits/s", f"{peer} is not installed: itself", 1.0 / ours)


def _cpu_seconds(work: Callable[[], object], *, times: int = 9) -> float:
    """The median of several runs."""
    found = []
    for _ in range(times):
        started = time.process_time()
        work()
        found.append(time.process_time() - started)
    return sorted(found)[times // 2]


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
