"""Other people's ways to a smile or a surface, each over the quotes a fit would use.

Implied volatilities that a way starts from are found before the clock starts. All are development
dependencies, imported where they are used.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from brahmastra_site.bench.arbitrage_repair import detected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trading.pricing.quotes import UsableQuotes

Work = Callable[[], object]


def svi(quotes: Sequence[UsableQuotes]) -> Work:
    """QuantLib's SVI, an expiry after another (SviInterpolatedSmileSection); it knows no calendar
    and rules out no butterfly.
    """
    import QuantLib as ql  # noqa: N813

    today = _today()
    chain = [(q, *_volatilities(q)) for q in quotes]

    def work() -> object:
        sections = []
        for q, strikes, volatilities in chain:
            nearest = volatilities[int(np.argmin(np.abs(q.strike - 1.0)))]
            start = 0.5 * nearest * nearest * q.years, 0.02, 0.1, -0.4, 0.0
            section = ql.SviInterpolatedSmileSection(
                today + round(365.0 * q.years),
                q.forward,
                strikes,
                *(False,),  # strikes stay where they are
                nearest,
                volatilities,
                *start,
                *(False,) * 5,  # every parameter is sought
            )
            section.rmsError()  # what makes it calibrate
            sections.append(section)
        return sections

    return work


def andreasen_huge(quotes: Sequence[UsableQuotes]) -> Work:
    """QuantLib's Andreasen-Huge interpolation (AndreasenHugeVolatilityInterpl), free of arbitrage
    by its construction; its quotes share one forward.
    """
    import QuantLib as ql  # noqa: N813

    today = _today()
    flat = ql.YieldTermStructureHandle(ql.FlatForward(today, 0.0, ql.Actual365Fixed()))
    spot = ql.QuoteHandle(ql.SimpleQuote(quotes[0].forward))
    calibration = ql.CalibrationSet()
    for q in quotes:
        exercise = ql.EuropeanExercise(today + round(365.0 * q.years))
        for strike, volatility in zip(*_volatilities(q), strict=True):
            right = ql.Option.Call if strike >= q.forward else ql.Option.Put
            option = ql.VanillaOption(ql.PlainVanillaPayoff(right, strike), exercise)
            calibration.push_back(ql.CalibrationPair(option, ql.SimpleQuote(volatility)))

    def work() -> object:
        surface = ql.AndreasenHugeVolatilityInterpl(calibration, spot, flat, flat)
        return surface.calibrationError()

    return work


def arbitrage_repair(quotes: Sequence[UsableQuotes]) -> Work:
    """arbitragerepair: mids moved as little as their spreads allow until no static arbitrage is
    left; prices at the quotes and nothing between them.
    """
    from arbitragerepair import repair
    from cvxopt import solvers

    years = np.concatenate([np.full(q.count, q.years) for q in quotes])
    strike, mid, half = (
        np.concatenate([column(q) for q in quotes])
        for column in (lambda q: q.strike, lambda q: q.mid, lambda q: 0.5 * q.spread)
    )
    solvers.options["glpk"] = {"msg_lev": "GLP_MSG_OFF"}

    def work() -> object:
        found = detected(years, strike, mid)
        return repair.l1ba(found.matrix, found.bound, mid, [half, half])

    return work


def _today() -> Any:
    import QuantLib as ql  # noqa: N813

    today = ql.Date(2, 2, 2026)
    ql.Settings.instance().evaluationDate = today
    return today


def _volatilities(quotes: UsableQuotes) -> tuple[list[float], list[float]]:
    """Strikes in money and volatilities a year of the mids."""
    return (
        (quotes.strike * quotes.forward).tolist(),
        (quotes.deviation / np.sqrt(quotes.years)).tolist(),
    )
