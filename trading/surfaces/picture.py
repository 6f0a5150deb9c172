"""A fitted surface as a PNG: a row an expiry, its smile with the quotes and its density.

Matplotlib is loaded when a picture is asked for, without its global state and without a display.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from journal.figures import ist_text, percent
from trading.surfaces.page import QuoteRow, density_line, quote_rows, smile_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from trading.pricing.fitting import QuoteFit
    from trading.pricing.slice import Slice
    from trading.surfaces.selectors import SurfaceReport
    from trading.surfaces.services import FittedSurface

_WIDTH, _ROW_HEIGHT = 12.0, 3.2  # inches
_DOTS = 110  # an inch
_TONES = {"inside": "#56606e", "tolerated": "#9aa4b2", "outside": "#d9822b"}


def surface_png(fitted: FittedSurface) -> bytes:
    """Draw the surface; the same surface gives the same bytes. Raises ValueError for a refused
    fit.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    surface = fitted.surface
    if surface is None:
        msg = f"there is no surface to draw: {fitted.report.fit.refusal}"
        raise ValueError(msg)
    count = len(fitted.quote_fits)
    figure = Figure(figsize=(_WIDTH, 0.8 + _ROW_HEIGHT * count), dpi=_DOTS, layout="constrained")
    FigureCanvasAgg(figure)
    rows = figure.subplots(count, 2, squeeze=False)
    for (left, right), quote_fit in zip(rows, fitted.quote_fits, strict=True):
        law = surface.expiry(surface.expiries.index(quote_fit.quotes.expiry))
        _draw_smile(left, quote_fit, law)
        _draw_density(right, quote_fit, law)
    figure.suptitle(_title(fitted.report), fontsize=10)
    out = BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def _title(report: SurfaceReport) -> str:
    fit = report.fit
    made_up = "SYNTHETIC · " if report.source.synthetic else ""
    return (
        f"{made_up}{report.underlying} {ist_text(report.as_of, '%Y-%m-%d %H:%M:%S')} IST · "
        f"{fit.quotes.count} quotes, {percent(fit.quotes.tolerated_share)} % inside tolerance · "
        f"profile {fit.profile}, η {fit.eta:g}\nsurface {fit.digest}"
    )


def _draw_smile(axes: Axes, quote_fit: QuoteFit, law: Slice) -> None:
    forward = quote_fit.quotes.forward / 100.0
    rows = quote_rows(quote_fit, law)
    strikes, volatilities = smile_line(rows, forward, law)
    for verdict, tone in _TONES.items():
        quoted = [row for row in rows if row.verdict == verdict and _both(row)]
        if quoted:
            axes.vlines(
                [row.strike for row in quoted],
                [row.bid_volatility or 0.0 for row in quoted],
                [row.ask_volatility or 0.0 for row in quoted],
                colors=tone,
                linewidth=3,
                label=f"{verdict} {len(quoted)}",
            )
    axes.plot(strikes, volatilities, color="black", linewidth=1)
    axes.axvline(forward, color="grey", linewidth=0.7, linestyle=":")
    axes.set_title(f"{quote_fit.quotes.expiry}: implied volatility, % a year", fontsize=9)
    axes.legend(fontsize=7, frameon=False)
    axes.tick_params(labelsize=7)


def _draw_density(axes: Axes, quote_fit: QuoteFit, law: Slice) -> None:
    forward = quote_fit.quotes.forward / 100.0
    levels, density = density_line(forward, law)
    axes.plot(levels, density, color="black", linewidth=1)
    for strike in quote_fit.quotes.strike[[0, -1]]:
        if levels[0] < strike * forward < levels[-1]:
            axes.axvline(strike * forward, color="grey", linewidth=0.7, linestyle="--")
    axes.axvline(forward, color="grey", linewidth=0.7, linestyle=":")
    axes.set_ylim(bottom=0.0)
    axes.set_title(
        f"{quote_fit.quotes.expiry}: % of probability a 1 % move (dashed: outermost quotes)",
        fontsize=9,
    )
    axes.tick_params(labelsize=7)


def _both(row: QuoteRow) -> bool:
    return row.bid_volatility is not None and row.ask_volatility is not None
