"""Reading a surface: the chain known at an instant, fitted, with the report of the fit.

The command and the page call `surface_get`; nothing here knows Django.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from journal.figures import ist_text
from trading.market.calendar import ist_date
from trading.market.chain_at import chain_days, chain_frame_at, chain_moments
from trading.market.frames import FrameSource
from trading.market.quality import InputQuality, State
from trading.market.store import UNDERLYINGS, MarketStore
from trading.pricing.chain_quotes import LEAST_A_SIDE, LEAST_QUOTES, chain_expiries
from trading.pricing.fit_report import FitReport, fit_report
from trading.pricing.fitting import Method, fit_surface
from trading.pricing.profiles import FAST, MARKET

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trading.market.frames import MarketFrame
    from trading.pricing.chain_quotes import ChainExpiry
    from trading.pricing.fitting import QuoteFit
    from trading.pricing.profiles import Profile
    from trading.pricing.surface import Surface

PROFILES = {profile.name: profile for profile in (MARKET, FAST)}
METHODS = (Method.QP, Method.LP)
DEFAULT_EXPIRIES = 4


class SurfaceError(Exception):
    """There is nothing to fit: one line saying what is missing and what there is instead."""


class SurfaceWish(msgspec.Struct, frozen=True):
    """Which surface: of an underlying, at an instant (µs UTC), fitted how, to how many of the
    nearest expiries (None: all).
    """

    underlying: str
    at_us: int
    profile: str = MARKET.name
    method: Method = Method.QP
    expiries: int | None = DEFAULT_EXPIRIES


class SurfaceReport(msgspec.Struct, frozen=True):
    """A surface of the recorded market. `as_of` and `available_at` are the chain's stamps,
    `quality` is the chain's at the instant asked for.
    """

    underlying: str
    at_us: int
    as_of: int
    available_at: int
    source: FrameSource
    flags: tuple[str, ...]
    quality: InputQuality
    spot_paise: int | None
    fit: FitReport


@dataclass(frozen=True, slots=True, eq=False)
class FittedSurface:
    """The report with what it is about: the surface (None when refused), the quotes beside its
    prices and the chain they come from.
    """

    report: SurfaceReport
    surface: Surface | None
    quote_fits: tuple[QuoteFit, ...]
    chain: tuple[ChainExpiry, ...]


def surface_get(*, root: Path, wish: SurfaceWish, clock: Callable[[], float]) -> FittedSurface:
    """Fit the surface asked for; `clock` gives seconds and only measures.

    Raises SurfaceError where the store holds no chain then, StoreError when a file is damaged.
    """
    frame = _frame(root, wish)
    chain = tuple(chain_expiries(frame, limit=wish.expiries))
    profile = _profile(wish.profile)
    start = clock()
    fit = fit_surface(
        [expiry.quotes for expiry in chain],
        profile=profile,
        method=wish.method,
        least_quotes=LEAST_QUOTES,
        least_a_side=LEAST_A_SIDE,
    )
    report = fit_report(chain, fit, fit_seconds=clock() - start)
    return FittedSurface(_report(wish, frame, report), fit.surface, fit.quote_fits, chain)


def _report(wish: SurfaceWish, frame: MarketFrame, fit: FitReport) -> SurfaceReport:
    return SurfaceReport(
        underlying=wish.underlying,
        at_us=wish.at_us,
        as_of=frame.as_of,
        available_at=frame.available_at,
        source=frame.source,
        flags=frame.flags,
        quality=_quality_at(frame.quality.chain, wish.at_us),
        spot_paise=frame.spot_paise,
        fit=fit,
    )


def _quality_at(quality: InputQuality, at_us: int) -> InputQuality:
    """The quality of a chain some time after it became known: it ages."""
    if quality.as_of is None or quality.limit_us is None:
        return quality
    age_us = max(0, at_us - quality.as_of)
    if quality.state is State.FRESH and age_us > quality.limit_us:
        return msgspec.structs.replace(quality, age_us=age_us, state=State.STALE, reason="OLD")
    return msgspec.structs.replace(quality, age_us=max(age_us, quality.age_us or 0))


def _profile(name: str) -> Profile:
    if name not in PROFILES:
        msg = f"profile {name!r}: expected one of {', '.join(PROFILES)}"
        raise SurfaceError(msg)
    return PROFILES[name]


def _frame(root: Path, wish: SurfaceWish) -> MarketFrame:
    if wish.underlying not in UNDERLYINGS:
        msg = f"underlying {wish.underlying!r}: expected one of {', '.join(UNDERLYINGS)}"
        raise SurfaceError(msg)
    store = MarketStore(root)
    frame = chain_frame_at(store, wish.underlying, wish.at_us)
    if frame is None:
        raise SurfaceError(_nothing_then(store, wish))
    return frame


def _nothing_then(store: MarketStore, wish: SurfaceWish) -> str:
    """What there is in place of what was asked for."""
    asked = f"no {wish.underlying} chain known by {ist_text(wish.at_us, '%Y-%m-%d %H:%M:%S')} IST"
    moments = chain_moments(store, wish.underlying, ist_date(wish.at_us))
    if moments:
        return f"{asked}; the first of that day came at {ist_text(moments[0])}"
    days = chain_days(store, wish.underlying)
    if days:
        return f"{asked}; the store has snapshots of {days[0]} to {days[-1]} ({len(days)} days)"
    return f"{asked}; the store has none: run `manage.py market import PATH` or `market synth`"
