"""The option surface of a whole chain: fitted when one is due, told in `surface.fitted`.

What a fit took is told by no event: time differs from run to run, and a log says what was decided.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from journal.events import rounded
from trading.engine.step import MINUTE_US
from trading.market.quality import Rung
from trading.pricing.chain_quotes import LEAST_A_SIDE, LEAST_QUOTES, chain_expiries
from trading.pricing.profiles import PROFILES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trading.engine.state import UnderlyingState
    from trading.engine.step import Step
    from trading.market.frames import MarketFrame
    from trading.pricing.chain_quotes import ChainExpiry
    from trading.pricing.fitting import Fit


class FittedSurface(NamedTuple):
    """What later parts of the same decision read of a fit: the seq of its event, the volatility at
    the money (a fraction a year, as logged) of each fitted expiry, why there is none of the others.
    """

    seq: int
    volatilities: dict[str, float | None]
    refusals: dict[str, str]


def fit_due_surface(step: Step, seen: UnderlyingState, frame: MarketFrame) -> FittedSurface | None:
    """Fit a surface to a frame with a whole chain and derive surface.fitted, when one is due; a
    record of closing prices has no quotes to fit.
    """
    wanted = step.configuration.surface
    if wanted is None or frame.is_end_of_day or seen.rung != Rung.SURFACE:
        return None
    if wanted.every_minutes:
        slot = (step.ts - step.day.open_us) // (wanted.every_minutes * MINUTE_US)
        if seen.surface_slot is not None and slot <= seen.surface_slot:
            return None
        seen.surface_slot = slot
    # The solvers are loaded by sessions that fit, and by no others.
    from trading.pricing.fitting import fit_surface

    chain = chain_expiries(frame)
    fit = fit_surface(
        [expiry.quotes for expiry in chain],
        profile=PROFILES[wanted.profile],
        least_quotes=LEAST_QUOTES,
        least_a_side=LEAST_A_SIDE,
    )
    data = _fitted(frame, chain, fit)
    seq = step.emit("surface.fitted", data, cause=(step.seq,), key=frame.underlying)
    return FittedSurface(
        seq,
        {each["expiry"]: each["at_the_money_volatility"] for each in data["expiries"]},
        {each["expiry"]: each["refusal"] for each in data["expiries"] if each["refusal"]},
    )


def _fitted(frame: MarketFrame, chain: Sequence[ChainExpiry], fit: Fit) -> dict[str, Any]:
    """The data of a surface.fitted. The surface itself is told to the last bit, so that its digest
    can be made again from the event.
    """
    from trading.pricing.arbitrage import arbitrage_check
    from trading.pricing.fit_report import quotes_report

    surface = fit.surface
    told = {
        "underlying": frame.underlying,
        "profile": fit.profile.name,
        "method": str(fit.method),
        "refusal": str(fit.refusal) if fit.refusal else None,
        "rung": str(fit.rung) if fit.rung else None,
        "solver_status": fit.solver_status or None,
        "iterations": fit.iterations,
        "eta": surface.eta if surface else None,
        "halvings": fit.halvings,
        "quotes": msgspec.to_builtins(quotes_report(fit.quote_fits)),
        "arbitrage": msgspec.to_builtins(arbitrage_check(surface)) if surface else None,
        "expiries": _expiries(chain, fit),
        "synthetic": frame.source.synthetic,
    }
    return {name: _all_rounded(value) for name, value in told.items()} | {
        "digest": surface.digest if surface else None,
        "surface": surface.to_data() if surface else None,
    }


def _expiries(chain: Sequence[ChainExpiry], fit: Fit) -> list[dict[str, Any]]:
    from trading.pricing.fit_report import at_the_money_volatility, forward_report, quotes_report

    met = {each.quotes.expiry: each for each in fit.quote_fits}
    laws = {}
    if fit.surface is not None:
        laws = {name: fit.surface.expiry(i) for i, name in enumerate(fit.surface.expiries)}
    found = []
    for each in chain:
        refusal = fit.refused.get(each.expiry) or (None if each.expiry in laws else fit.refusal)
        quotes = met.get(each.expiry)
        law = laws.get(each.expiry)
        omitted = quotes.quotes.omitted if quotes else {}
        found.append(
            {
                "expiry": each.expiry,
                "years": each.quotes.years,
                "refusal": str(refusal) if refusal else None,
                "forward": msgspec.to_builtins(forward_report(each)),
                "quotes": msgspec.to_builtins(quotes_report([quotes])) if quotes else None,
                "omitted": {str(reason): count for reason, count in omitted.items()},
                "at_the_money_volatility": at_the_money_volatility(law) if law else None,
            }
        )
    return found


def _all_rounded(value: Any) -> Any:
    """The value with every float in it rounded as events carry them."""
    if isinstance(value, dict):
        return {name: _all_rounded(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_all_rounded(each) for each in value]
    return rounded(value) if isinstance(value, float) else value
