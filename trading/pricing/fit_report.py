"""What a fit of a market frame amounts to: how well each expiry is met, what was left out and why,
what the solver did, whether anything on the surface could be arbitraged.

Volatilities are fractions a year of 365 days, prices and forwards paise, errors are in spreads of
the quote (floored as the profile says) and absolute.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import msgspec
import numpy as np

from trading.pricing.arbitrage import ArbitrageCheck, arbitrage_check
from trading.pricing.density import (
    Coverage,
    MassCheck,
    coverage,
    log_moments,
    lower_shortfall,
    mass_check,
    model_free_variance,
    upper_shortfall,
    variance_contracts,
    variance_strip,
)
from trading.pricing.surface import variance_at_the_money

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trading.pricing.chain_quotes import ChainExpiry
    from trading.pricing.fitting import Fit, QuoteFit
    from trading.pricing.slice import Slice


TAIL = 0.05  # the probability of the tails whose means are told


class ForwardReport(msgspec.Struct, frozen=True):
    """The parity forward of an expiry and how good it is (`parity_fit.ParityFit`)."""

    forward_paise: float
    discount: float
    residual_paise: float
    error_paise: float
    pairs_used: int
    pairs_offered: int
    crossed_paise: float


class QuotesReport(msgspec.Struct, frozen=True):
    """How quotes are met: how many, inside bid and ask, inside their tolerance (a tick, or 0.10
    volatility points if that is more), and how far from the mids.
    """

    count: int
    inside: int
    tolerated: int
    median_error: float | None
    p95_error: float | None
    largest_error: float | None

    @property
    def inside_share(self) -> float | None:
        """The share inside bid and ask; None without quotes."""
        return self.inside / self.count if self.count else None

    @property
    def tolerated_share(self) -> float | None:
        """The share inside tolerance; None without quotes."""
        return self.tolerated / self.count if self.count else None


class DensityReport(msgspec.Struct, frozen=True):
    """What the law of an expiry says (`density`), and how far its quotes carry it.

    `quoted_variance` is the share of the model-free variance that lies between the outermost
    quotes, `tail_below` and `tail_above` the probabilities of ending beyond them; skewness and
    kurtosis are of the logarithm; `quoted_skewness` is that of the variance contracts between the
    outermost quotes. Shortfalls are means over the forward of the worst and the best 5 %.
    """

    mass: MassCheck
    coverage: Coverage
    truncated: bool
    model_free_volatility: float
    quoted_variance: float
    skewness: float
    kurtosis: float
    quoted_skewness: float
    tail_below: float
    tail_above: float
    lower_shortfall: float
    upper_shortfall: float


class ExpiryReport(msgspec.Struct, frozen=True):
    """One expiry. A refused one has its reason and no figures of a fit; without a forward there is
    none.
    """

    expiry: str
    expires_at_us: int
    years: float
    refusal: str | None
    forward: ForwardReport | None
    quotes: QuotesReport | None
    omitted: dict[str, int]
    at_the_money_volatility: float | None
    density: DensityReport | None


class SolverReport(msgspec.Struct, frozen=True):
    """What the solver did. `rung` is the step of the fallback ladder that gave the surface."""

    BEFORE: ClassVar[dict[str, str]] = {
        "LOOSE": "the quadratic program gave no solution at its own tolerance",
        "LINEAR": "the quadratic program gave no solution, nor at a looser tolerance",
    }

    status: str
    rung: str | None
    iterations: int
    solver_seconds: float
    fit_seconds: float

    @property
    def fallback(self) -> str:
        """Why an earlier step of the ladder did not do; nothing at the first."""
        return self.BEFORE.get(self.rung or "", "")


class FitReport(msgspec.Struct, frozen=True):
    """A fit, or why there is no surface (`refusal`)."""

    profile: str
    method: str
    eta: float | None
    halvings: int
    refusal: str | None
    digest: str | None
    nodes: int
    quotes: QuotesReport
    solver: SolverReport
    arbitrage: ArbitrageCheck | None
    expiries: tuple[ExpiryReport, ...]

    @property
    def fitted(self) -> int:
        """How many expiries the surface has."""
        return sum(expiry.refusal is None for expiry in self.expiries)


def fit_report(chain: Sequence[ChainExpiry], fit: Fit, *, fit_seconds: float) -> FitReport:
    """Describe the fit of a chain, which took so many seconds by the clock of whoever asked."""
    surface = fit.surface
    fits = {f.quotes.expiry: f for f in fit.quote_fits}
    slices: dict[str, Slice] = {}
    if surface is not None:
        slices = {name: surface.expiry(i) for i, name in enumerate(surface.expiries)}
    return FitReport(
        profile=fit.profile.name,
        method=str(fit.method),
        eta=surface.eta if surface else None,
        halvings=fit.halvings,
        refusal=str(fit.refusal) if fit.refusal else None,
        digest=surface.digest if surface else None,
        nodes=int(surface.nodes.size) if surface else 0,
        quotes=quotes_report(fit.quote_fits),
        solver=SolverReport(
            status=fit.solver_status,
            rung=str(fit.rung) if fit.rung else None,
            iterations=fit.iterations,
            solver_seconds=fit.solver_seconds,
            fit_seconds=fit_seconds,
        ),
        arbitrage=arbitrage_check(surface) if surface else None,
        expiries=tuple(
            _expiry(each, fit, fits.get(each.expiry), slices.get(each.expiry)) for each in chain
        ),
    )


def at_the_money_volatility(law: Slice) -> float:
    """The Black-76 volatility of the option struck at the forward."""
    return math.sqrt(variance_at_the_money(law.at_the_money()) / law.years)


def _expiry(
    expiry: ChainExpiry, fit: Fit, quote_fit: QuoteFit | None, law: Slice | None
) -> ExpiryReport:
    refusal = fit.refused.get(expiry.expiry)
    if refusal is None and law is None:
        refusal_text: str | None = str(fit.refusal)
    else:
        refusal_text = None if refusal is None else str(refusal)
    omitted = quote_fit.quotes.omitted if quote_fit else {}
    return ExpiryReport(
        expiry=expiry.expiry,
        expires_at_us=expiry.expires_at_us,
        years=expiry.quotes.years,
        refusal=refusal_text,
        forward=forward_report(expiry),
        quotes=quotes_report([quote_fit]) if quote_fit else None,
        omitted={str(reason): count for reason, count in omitted.items()},
        at_the_money_volatility=at_the_money_volatility(law) if law else None,
        density=_density(law, quote_fit) if law and quote_fit else None,
    )


def _density(law: Slice, quote_fit: QuoteFit) -> DensityReport:
    reach = coverage(quote_fit.quotes)
    ends = np.array([reach.low_strike, reach.high_strike])
    whole, logs = model_free_variance(law), log_moments(law)
    return DensityReport(
        mass=mass_check(law),
        coverage=reach,
        truncated=reach.truncated,
        model_free_volatility=math.sqrt(whole / law.years),
        quoted_variance=variance_strip(law, reach.low_strike, reach.high_strike) / whole,
        skewness=logs.skewness,
        kurtosis=logs.kurtosis,
        quoted_skewness=variance_contracts(law, reach.low_strike, reach.high_strike).skewness,
        tail_below=float(law.cumulative(ends[:1])[0]),
        tail_above=float(law.exceedance(ends[1:])[0]),
        lower_shortfall=lower_shortfall(law, TAIL).mean_beyond,
        upper_shortfall=upper_shortfall(law, TAIL).mean_beyond,
    )


def forward_report(expiry: ChainExpiry) -> ForwardReport | None:
    """The parity forward of an expiry; None where its quotes give none."""
    parity = expiry.parity
    if parity is None:
        return None
    return ForwardReport(
        forward_paise=parity.forward,
        discount=parity.discount,
        residual_paise=parity.residual,
        error_paise=parity.error,
        pairs_used=parity.used,
        pairs_offered=parity.offered,
        crossed_paise=parity.crossed,
    )


def quotes_report(fits: Sequence[QuoteFit]) -> QuotesReport:
    """How the quotes of some expiries are met, all together."""
    count = sum(f.quotes.count for f in fits)
    if not count:
        return QuotesReport(0, 0, 0, None, None, None)
    errors = np.abs(np.concatenate([f.error for f in fits]))
    return QuotesReport(
        count=count,
        inside=sum(int(np.count_nonzero(f.inside())) for f in fits),
        tolerated=count - sum(f.missed for f in fits),
        median_error=float(np.median(errors)),
        p95_error=float(np.percentile(errors, 95)),
        largest_error=float(errors.max()),
    )
