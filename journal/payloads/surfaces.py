"""An option surface as a session fitted it to a chain: how it met the quotes, and the surface."""

from __future__ import annotations

from operator import attrgetter
from typing import Literal

from journal.payloads.registry import payload_of
from journal.payloads.shapes import Count, DateText, Digest, Number, Positive, Shape, Text


class QuotesMet(Shape, frozen=True):
    """How quotes are met. Errors are distances from the mid in spreads of the quote (floored as the
    profile says), absolute; null without quotes.

    count: quotes used.
    inside: of them, priced inside bid and ask.
    tolerated: of them, outside by no more than a tick, or 0.10 volatility points if that is more.
    median_error: median error.
    p95_error: 95th percentile of the errors.
    largest_error: largest error.
    """

    count: Count
    inside: Count
    tolerated: Count
    median_error: float | None
    p95_error: float | None
    largest_error: float | None


class ParityForward(Shape, frozen=True):
    """The forward that puts and calls of an expiry agree on.

    forward_paise: forward, paise and fractions.
    discount: factor that brings money of the expiry to today.
    residual_paise: weighted root mean square of the pairs' distances from the parity line, paise.
    error_paise: standard error of the forward, paise.
    pairs_used: strikes that kept weight.
    pairs_offered: strikes that were looked at.
    crossed_paise: by how much the highest synthetic bid of the forward exceeds the lowest synthetic
        ask; negative when one forward lies inside them all.
    """

    forward_paise: Number
    discount: Number
    residual_paise: Number
    error_paise: Number
    pairs_used: Count
    pairs_offered: Count
    crossed_paise: Number


class ExpiryFitted(Shape, frozen=True):
    """One expiry of the chain.

    expiry: ISO date of the expiry.
    years: time to it, years of 365 days.
    refusal: why it is not on the surface; null when it is.
    forward: its forward; null when its quotes give none.
    quotes: how its quotes are met; null when it is refused.
    omitted: quotes left out, by reason.
    at_the_money_volatility: volatility of the option struck at the forward, a fraction a year; null
        when it is refused.
    """

    expiry: DateText
    years: Number
    refusal: Text | None
    forward: ParityForward | None
    quotes: QuotesMet | None
    omitted: dict[str, Count]
    at_the_money_volatility: float | None


class ArbitrageFound(Shape, frozen=True):
    """What arbitrage was looked for on the surface; figures in forwards, the worst found.

    strikes: evenly spaced strikes looked at.
    dates: expiries and dates half way before each.
    butterfly: lowest second difference of calls between neighbouring strikes.
    calendar: lowest rise of a call from one date to the next.
    vertical: lowest fall of a call from one strike to the next.
    violations: how many lie below −1e-10.
    """

    strikes: Positive
    dates: Positive
    butterfly: Number
    calendar: Number
    vertical: Number
    violations: Count


class SurfaceState(Shape, frozen=True):
    """The surface itself, unrounded: strikes are over the forward of their expiry, row i of
    `masses` is the discrete law of expiry i on the nodes, spread by a lognormal of variance `eta`
    times variance i.

    format: name of this form.
    expiries: ISO dates, ascending.
    years: time to each, years of 365 days.
    eta: the lognormal's share of the variance at the money.
    variances: total variance at the money, by expiry, never decreasing.
    nodes: strikes over the forward at which laws have mass, ascending.
    masses: a row an expiry, a mass a node.
    """

    format: Text
    expiries: list[DateText]
    years: list[Number]
    eta: Number
    variances: list[Number]
    nodes: list[Number]
    masses: list[list[Number]]


@payload_of("surface.fitted", key=attrgetter("underlying"), key_text="`underlying`")
class SurfaceFitted(Shape, frozen=True):
    """A surface was fitted to the whole chain of a frame, or could not be. The time it took is not
    here, for it differs from run to run.

    underlying: name of the index.
    profile: settings of the fit.
    method: how laws are found: `qp`, the quadratic program.
    refusal: why there is no surface, `NO_EXPIRY` (each has its own refusal) or `SOLVER_FAILED`;
        null when there is one.
    rung: what gave it: `FIRST` the quadratic program, `LOOSE` at a looser tolerance, `LINEAR` the
        linear program; null without a surface.
    solver_status: the solver's own word for how it ended; null when it was not asked.
    iterations: its iterations, all passes together.
    eta: the lognormal's share of the variance at the money; null without a surface.
    halvings: how often the profile's share was halved.
    digest: SHA-256 of `surface`: equal digests, equal prices; null without a surface.
    quotes: how all quotes are met.
    arbitrage: what was looked for and found; null without a surface.
    expiries: each expiry of the chain, ascending.
    surface: the surface; null without one.
    synthetic: whether the frame was generated rather than recorded.
    """

    underlying: Text
    profile: Text
    method: Text
    refusal: Literal["NO_EXPIRY", "SOLVER_FAILED"] | None
    rung: Literal["FIRST", "LOOSE", "LINEAR"] | None
    solver_status: Text | None
    iterations: Count
    eta: float | None
    halvings: Count
    digest: Digest | None
    quotes: QuotesMet
    arbitrage: ArbitrageFound | None
    expiries: list[ExpiryFitted]
    surface: SurfaceState | None
    synthetic: bool
