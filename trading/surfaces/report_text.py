"""The report of a surface as lines for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from journal.figures import ist_text, span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trading.pricing.fit_report import ExpiryReport, FitReport, QuotesReport
    from trading.surfaces.day_summary import DaySummary
    from trading.surfaces.selectors import SurfaceReport

_HEAD = (
    f"{'expiry':<12}{'days':>7}{'forward':>12}{'± error':>9}{'crossed':>9}{'pairs':>8}"
    f"{'quotes':>8}{'in b/a':>8}{'tol.':>8}{'median':>8}{'p95':>7}{'max':>7}{'ATM %':>8}"
)


def report_lines(report: SurfaceReport) -> list[str]:
    """A headline, a line an expiry, what was left out, what the solver did and what was checked."""
    source = report.source
    made_up = "SYNTHETIC " if source.synthetic else ""
    quality = report.quality
    state = f"{quality.state}" + (f" ({quality.reason})" if quality.reason else "")
    return [
        f"{report.underlying} at {ist_text(report.at_us, '%Y-%m-%d %H:%M:%S')} IST: chain of "
        f"{ist_text(report.as_of)}, known {ist_text(report.available_at)}, "
        f"{span(quality.age_us)} old, {state}",
        f"source {made_up}{source.name} {source.digest[:16]}"
        + (f", flags {', '.join(report.flags)}" if report.flags else ""),
        "",
        _HEAD,
        *map(_expiry, report.fit.expiries),
        "",
        *map(_density, (e for e in report.fit.expiries if e.density is not None)),
        *_omissions(report.fit),
        *_fit(report.fit),
        *(["fitted before and kept: the times are of then"] if report.kept else []),
    ]


def _expiry(expiry: ExpiryReport) -> str:
    line = f"{expiry.expiry:<12}{expiry.years * 365:>7.2f}"
    forward = expiry.forward
    if forward is None:
        line += f"{'–':>12}{'':>9}{'':>9}{'':>8}"
    else:
        pairs = f"{forward.pairs_used}/{forward.pairs_offered}"
        line += (
            f"{forward.forward_paise / 100:>12.2f}{forward.error_paise / 100:>9.3f}"
            f"{forward.crossed_paise / 100:>9.2f}{pairs:>8}"
        )
    if expiry.refusal is not None or expiry.quotes is None:
        return f"{line}  refused: {expiry.refusal}"
    volatility = (expiry.at_the_money_volatility or 0.0) * 100
    return line + _quotes(expiry.quotes) + f"{volatility:>8.2f}"


def _density(expiry: ExpiryReport) -> str:
    density = expiry.density
    assert density is not None  # noqa: S101 - only such are passed
    reach = density.coverage
    return (
        f"law of {expiry.expiry}: model-free {density.model_free_volatility * 100:.2f} %, "
        f"{density.quoted_variance * 100:.1f} % of its variance between the quotes; skewness "
        f"{density.skewness:.2f}, kurtosis {density.kurtosis:.1f}; beyond the quotes "
        f"{density.tail_below * 100:.2f} % below, {density.tail_above * 100:.2f} % above; reach "
        f"−{reach.deviations_below:.1f} to +{reach.deviations_above:.1f} deviations"
        + (", TRUNCATED" if density.truncated else "")
    )


def _quotes(quotes: QuotesReport) -> str:
    return (
        f"{quotes.count:>8}{_percent(quotes.inside, quotes.count):>8}"
        f"{_percent(quotes.tolerated, quotes.count):>8}{quotes.median_error or 0.0:>8.2f}"
        f"{quotes.p95_error or 0.0:>7.2f}{quotes.largest_error or 0.0:>7.2f}"
    )


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}%"


def _omissions(fit: FitReport) -> Iterator[str]:
    for expiry in fit.expiries:
        if expiry.omitted:
            told = ", ".join(f"{count} {reason}" for reason, count in expiry.omitted.items())
            yield f"left out of {expiry.expiry}: {told}"


def _fit(fit: FitReport) -> Iterator[str]:
    solver, check = fit.solver, fit.arbitrage
    if fit.eta is None or check is None:
        yield f"profile {fit.profile}, method {fit.method}: {solver.status or 'nothing to solve'}"
        return
    quotes = fit.quotes
    yield (
        f"all: {quotes.count} quotes, {_percent(quotes.inside, quotes.count)} inside bid/ask, "
        f"{_percent(quotes.tolerated, quotes.count)} inside tolerance (a tick or 0.10 vol points)"
    )
    yield (
        f"profile {fit.profile}, method {fit.method}, η {fit.eta:g}"
        + (f" halved {fit.halvings} times" if fit.halvings else "")
        + f", {fit.nodes} nodes; rung {solver.rung}, {solver.status}, {solver.iterations} "
        f"iterations, {solver.solver_seconds * 1e3:.1f} ms of {solver.fit_seconds * 1e3:.1f} ms"
    )
    if solver.fallback:
        yield f"fallback: {solver.fallback}"
    yield (
        f"arbitrage: {check.violations} violations on {check.strikes} strikes × {check.dates} "
        f"dates (butterfly ≥ {check.butterfly:.1e}, calendar ≥ {check.calendar:.1e}, "
        f"vertical ≥ {check.vertical:.1e})"
    )
    yield f"digest {fit.digest}"


def day_lines(day: DaySummary) -> list[str]:
    """A day of fits in a few lines."""
    made_up = "SYNTHETIC " if day.synthetic else ""
    lines = [
        f"{made_up}{day.underlying} {ist_text(day.first_us, '%Y-%m-%d %H:%M:%S')} to "
        f"{ist_text(day.last_us)} IST, profile {day.profile}, method {day.method}",
        f"snapshots: {day.fitted} of {day.snapshots} fitted{_reasons(day.refused)}",
        f"expiries: {day.expiries_fitted} fitted{_reasons(day.expiries_refused)}",
    ]
    if day.fit_seconds is None or day.solver_seconds is None:
        return lines
    fit, solver = day.fit_seconds, day.solver_seconds
    return [
        *lines,
        f"quotes: {day.quotes}, {_percent(day.inside, day.quotes)} inside bid/ask, "
        f"{_percent(day.tolerated, day.quotes)} inside tolerance; p95 error "
        f"{day.median_p95_error:.2f} spreads (median of snapshots)",
        f"fit: median {fit[0] * 1e3:.0f} ms, p95 {fit[1] * 1e3:.0f} ms; solver "
        f"{solver[0] * 1e3:.0f} and {solver[1] * 1e3:.0f} ms; {day.halved} with η halved, rungs"
        f" {', '.join(f'{rung} {count}' for rung, count in day.rungs.items())}",
        f"arbitrage: {day.violations} violations",
    ]


def _reasons(refused: dict[str, int]) -> str:
    return "".join(f", {count} {reason}" for reason, count in refused.items())
