"""What the surface page shows of one expiry: its quotes and law as rows of tables and as plots,
and the fits kept of a day.

Volatilities in percent a year, levels and prices in index points, times µs UTC.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from datetime import time
from typing import TYPE_CHECKING

import numpy as np

from journal.figures import ist_text, significant
from trading.market.ist import instant_us
from trading.pricing.implied_columns import implied_volatilities
from trading.surfaces.plots import Axis, Line, Mark, Plot, plot

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from trading.pricing.elementary import Array
    from trading.pricing.fit_report import ExpiryReport
    from trading.pricing.fitting import QuoteFit
    from trading.pricing.slice import Slice
    from trading.surfaces.records import FitKey, KeptFit
    from trading.surfaces.services import FittedSurface

MOMENT = "%Y-%m-%dT%H:%M:%S"  # as a browser's field writes a moment
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_SMILE_POINTS = 121
_DENSITY_POINTS = 161
_DENSITY_ENDS = (0.001, 0.999)
_HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class QuoteRow:
    """A quote beside the surface; prices in points, error in spreads (positive above the mid)."""

    strike: float
    right: str
    bid: float
    ask: float
    price: float
    bid_volatility: float | None
    ask_volatility: float | None
    volatility: float | None
    error: float
    verdict: str  # inside, tolerated, outside


@dataclass(frozen=True, slots=True)
class QuantileRow:
    """A level the underlying ends below with a probability, both in percent of what they are of."""

    probability: float
    level: float
    move: float


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """A fit kept of the day, `at` its moment as the address writes it; `is_shown` marks the one on
    the page.
    """

    available_at: int
    at: str
    profile: str
    method: str
    expiries: str
    quotes: int
    inside: float | None
    tolerated: float | None
    p95_error: float | None
    solver_seconds: float
    fit_seconds: float
    refusal: str | None
    is_shown: bool


@dataclass(frozen=True, slots=True)
class ExpiryFace:
    """One expiry as the page shows it."""

    report: ExpiryReport
    quotes: tuple[QuoteRow, ...]
    quantiles: tuple[QuantileRow, ...]
    smile: Plot
    errors: Plot
    density: Plot


@dataclass(frozen=True, slots=True)
class History:
    """The day's kept fits and their solve times."""

    rows: tuple[HistoryRow, ...]
    plot: Plot


def expiry_face(fitted: FittedSurface, expiry: str) -> ExpiryFace | None:
    """The face of an expiry; None where the fit has no law of it."""
    surface = fitted.surface
    quote_fit = next((f for f in fitted.quote_fits if f.quotes.expiry == expiry), None)
    if surface is None or quote_fit is None:
        return None
    law = surface.expiry(surface.expiries.index(expiry))
    report = next(each for each in fitted.report.fit.expiries if each.expiry == expiry)
    forward = quote_fit.quotes.forward / 100.0
    rows = quote_rows(quote_fit, law)
    return ExpiryFace(
        report=report,
        quotes=rows,
        quantiles=tuple(
            QuantileRow(100.0 * p, k * forward, 100.0 * (k - 1.0))
            for p, k in zip(QUANTILES, law.quantile(np.array(QUANTILES)).tolist(), strict=True)
        ),
        smile=_smile(expiry, forward, rows, law),
        errors=_errors(expiry, forward, rows),
        density=_density(expiry, forward, quote_fit, law),
    )


def smile_line(rows: Sequence[QuoteRow], forward: float, law: Slice) -> tuple[Array, Array]:
    """The surface between the outermost quotes: strikes in points and volatilities in percent."""
    strikes = np.linspace(rows[0].strike, rows[-1].strike, _SMILE_POINTS)
    return strikes, 100.0 * law.implied_volatility(strikes / forward).value


def density_line(forward: float, law: Slice) -> tuple[Array, Array]:
    """Levels in points, all but a thousandth of the law on each side, and the density there in
    percent of probability a 1 % move.
    """
    low, high = law.quantile(np.array(_DENSITY_ENDS)).tolist()
    k = np.linspace(low, high, _DENSITY_POINTS)
    return k * forward, law.density(k)


def quote_rows(quote_fit: QuoteFit, law: Slice) -> tuple[QuoteRow, ...]:
    """The quotes of an expiry, by rising strike, each as the option out of the money."""
    quotes = quote_fit.quotes
    k, unit = quotes.strike, quotes.discount * quotes.forward / 100.0
    intrinsic = np.maximum(1.0 - k, 0.0)
    bids, asks = quotes.bid - intrinsic, quotes.ask - intrinsic
    prices = law.out_of_the_money(k)
    volatilities = [_volatilities(p, k, quotes.years) for p in (bids, asks, prices)]
    inside, tolerated = quote_fit.inside(), quote_fit.inside(quotes.tolerance)
    columns = zip(
        (k * quotes.forward / 100.0).tolist(),
        (bids * unit).tolist(),
        (asks * unit).tolist(),
        (prices * unit).tolist(),
        *volatilities,
        quote_fit.error.tolist(),
        inside.tolist(),
        tolerated.tolist(),
        strict=True,
    )
    return tuple(
        QuoteRow(
            strike=round(strike, 2),
            right="PE" if strike < quotes.forward / 100.0 else "CE",
            bid=bid,
            ask=ask,
            price=price,
            bid_volatility=bid_volatility,
            ask_volatility=ask_volatility,
            volatility=volatility,
            error=error,
            verdict="inside" if within else "tolerated" if near else "outside",
        )
        for (
            strike,
            bid,
            ask,
            price,
            bid_volatility,
            ask_volatility,
            volatility,
            error,
            within,
            near,
        ) in columns
    )


def history(kept: Sequence[KeptFit], day: date, shown: FitKey) -> History:
    """The kept fits of a day, one of which is on the page."""
    rows = tuple(
        HistoryRow(
            available_at=each.key.available_at,
            at=ist_text(each.key.available_at, MOMENT),
            profile=each.key.profile,
            method=each.key.method,
            expiries="all" if each.key.expiries is None else str(each.key.expiries),
            quotes=each.fit.quotes.count,
            inside=each.fit.quotes.inside_share,
            tolerated=each.fit.quotes.tolerated_share,
            p95_error=each.fit.quotes.p95_error,
            solver_seconds=each.fit.solver.solver_seconds,
            fit_seconds=each.fit.solver.fit_seconds,
            refusal=each.fit.refusal,
            is_shown=each.key == shown,
        )
        for each in kept
    )
    return History(rows, _history_plot(rows, day))


def _volatilities(price: Array, k: Array, years: float) -> list[float | None]:
    found = implied_volatilities(price, np.ones(1), k, np.array([years]), k >= 1.0).value
    return [None if math.isnan(v) else 100.0 * v for v in found.tolist()]


def _smile(expiry: str, forward: float, rows: Sequence[QuoteRow], law: Slice) -> Plot:
    low, high = rows[0].strike, rows[-1].strike
    margin = 0.02 * (high - low)
    strikes, fitted = smile_line(rows, forward, law)
    seen = [
        v
        for row in rows
        for v in (row.bid_volatility, row.ask_volatility, row.volatility)
        if v is not None
    ]
    top, bottom = max(seen), min(seen)
    room = 0.06 * (top - bottom) or 1.0
    y = Axis("implied volatility, % a year", max(bottom - room, 0.0), top + room, _plain)
    return plot(
        name="smile",
        title=f"Smile of {expiry}",
        summary=(
            f"{len(rows)} quotes out of the money from {_plain(low)} to {_plain(high)}, bid to "
            f"ask, and the surface: volatilities between {bottom:.1f} and {top:.1f} %."
        ),
        x=Axis("strike, points", low - margin, high + margin, _plain),
        y=y,
        lines=[Line(list(zip(strikes.tolist(), fitted.tolist(), strict=True)), "fitted")],
        marks=[_quote_mark(row, y) for row in rows],
        rule=(forward, "forward"),
    )


def _quote_mark(row: QuoteRow, axis: Axis) -> Mark:
    """A quote from bid to ask; a bid worth less than any volatility reaches the floor."""
    low = axis.low if row.bid_volatility is None else row.bid_volatility
    high = axis.high if row.ask_volatility is None else row.ask_volatility
    title = f"{_plain(row.strike)} {row.right}: {row.bid:.2f} / {row.ask:.2f}, {row.verdict}"
    return Mark(row.strike, low, high, row.verdict, title)


def _errors(expiry: str, forward: float, rows: Sequence[QuoteRow]) -> Plot:
    low, high = rows[0].strike, rows[-1].strike
    margin = 0.02 * (high - low)
    furthest = 1.15 * max(1.0, *(abs(row.error) for row in rows))
    met = Counter(row.verdict for row in rows)
    ends = (low - margin, high + margin)
    return plot(
        name="errors",
        title=f"Errors of {expiry}",
        summary=(
            f"The surface's price from the mid, in spreads: {met['inside']} inside bid and ask, "
            f"{met['tolerated']} inside their tolerance, {met['outside']} missed."
        ),
        x=Axis("strike, points", *ends, _plain),
        y=Axis("error, spreads", -furthest, furthest, _plain),
        lines=[Line([(end, level) for end in ends], "band") for level in (-0.5, 0.5)],
        marks=[
            Mark(
                row.strike,
                min(row.error, 0.0),
                max(row.error, 0.0),
                row.verdict,
                f"{_plain(row.strike)} {row.right}: {row.error:.2f} spreads, {row.verdict}",
            )
            for row in rows
        ],
        rule=(forward, "forward"),
    )


def _density(expiry: str, forward: float, quote_fit: QuoteFit, law: Slice) -> Plot:
    levels, density = density_line(forward, law)
    quoted = quote_fit.quotes.strike[0], quote_fit.quotes.strike[-1]
    points = list(zip(levels.tolist(), density.tolist(), strict=True))
    inside = [p for p in points if quoted[0] <= p[0] / forward <= quoted[1]]
    below = float(law.cumulative(np.array([quoted[0]]))[0])
    above = float(law.exceedance(np.array([quoted[1]]))[0])
    return plot(
        name="density",
        title=f"Density of {expiry}",
        summary=(
            f"Where the quotes say the index ends, under the measure that prices them; "
            f"{100 * below:.2f} % lies below and {100 * above:.2f} % above the outermost quotes "
            "(dashed)."
        ),
        x=Axis("level at expiry, points", float(levels[0]), float(levels[-1]), _plain),
        y=Axis("% of probability a 1 % move", 0.0, 1.06 * float(density.max()), _plain),
        lines=[Line(points, "unquoted"), Line(inside, "fitted")],
        rule=(forward, "forward"),
    )


def _history_plot(rows: Sequence[HistoryRow], day: date) -> Plot:
    fitted = [row for row in rows if row.refusal is None]
    millis = [1e3 * row.solver_seconds for row in fitted]
    slowest = max(millis, default=1.0)
    summary = "No fit of this day is kept."
    if fitted:
        summary = (
            f"{len(fitted)} kept; median {float(np.median(millis)):.0f} ms in the solver, "
            f"slowest {slowest:.0f} ms."
        )
    return plot(
        name="history",
        title=f"Solve times of {day.isoformat()}",
        summary=summary,
        x=Axis(
            "time the chain became known, IST",
            instant_us(day, time(9)),
            instant_us(day, time(16)),
            _hour,
            _HOUR_US,
        ),
        y=Axis("solver, ms", 0.0, 1.08 * slowest, _plain),
        marks=[
            Mark(
                row.available_at,
                value,
                value,
                "shown" if row.is_shown else row.profile,
                f"{ist_text(row.available_at)} {row.profile} {row.method}: {value:.0f} ms",
            )
            for row, value in zip(fitted, millis, strict=True)
        ],
    )


def _plain(value: float) -> str:
    return significant(float(value))


def _hour(us: float) -> str:
    return ist_text(int(us), "%H:%M")
