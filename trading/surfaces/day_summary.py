"""The fits of a whole day in a few figures."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from trading.surfaces.selectors import SurfaceReport


class DaySummary(msgspec.Struct, frozen=True):
    """Snapshots of a day: how many were fitted, how many expiries were and why the others were not,
    how quotes were met, what it took (seconds; median and 95th percentile) and what was violated.
    """

    underlying: str
    first_us: int
    last_us: int
    synthetic: bool
    profile: str
    method: str
    snapshots: int
    fitted: int
    refused: dict[str, int]
    expiries_fitted: int
    expiries_refused: dict[str, int]
    quotes: int
    inside: int
    tolerated: int
    median_p95_error: float | None
    fit_seconds: tuple[float, float] | None
    solver_seconds: tuple[float, float] | None
    halved: int
    rungs: dict[str, int]
    violations: int


def day_summary(reports: Sequence[SurfaceReport]) -> DaySummary:
    """Sum up the reports of a day, of which there is at least one."""
    fits = [report.fit for report in reports]
    done = [fit for fit in fits if fit.refusal is None]
    expiries = [expiry for fit in fits for expiry in fit.expiries]
    errors = [fit.quotes.p95_error for fit in done if fit.quotes.p95_error is not None]
    return DaySummary(
        underlying=reports[0].underlying,
        first_us=reports[0].available_at,
        last_us=reports[-1].available_at,
        synthetic=any(report.source.synthetic for report in reports),
        profile=fits[0].profile,
        method=fits[0].method,
        snapshots=len(fits),
        fitted=len(done),
        refused=_counted(fit.refusal for fit in fits),
        expiries_fitted=sum(expiry.refusal is None for expiry in expiries),
        expiries_refused=_counted(expiry.refusal for expiry in expiries),
        quotes=sum(fit.quotes.count for fit in done),
        inside=sum(fit.quotes.inside for fit in done),
        tolerated=sum(fit.quotes.tolerated for fit in done),
        median_p95_error=float(np.median(errors)) if errors else None,
        fit_seconds=_percentiles([fit.solver.fit_seconds for fit in done]),
        solver_seconds=_percentiles([fit.solver.solver_seconds for fit in done]),
        halved=sum(fit.halvings > 0 for fit in done),
        rungs=_counted(fit.solver.rung for fit in done),
        violations=sum(fit.arbitrage.violations for fit in done if fit.arbitrage),
    )


def _counted(reasons: Iterable[str | None]) -> dict[str, int]:
    return dict(sorted(Counter(reason for reason in reasons if reason is not None).items()))


def _percentiles(seconds: Sequence[float]) -> tuple[float, float] | None:
    if not seconds:
        return None
    return float(np.median(seconds)), float(np.percentile(seconds, 95))
