"""Fitting surfaces of the recorded market and keeping the fits.

The command and the page call `surface_fit`; nothing here knows Django.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from trading.market.calendar import ist_date
from trading.market.chain_at import chain_frame_at, chain_moments
from trading.market.quality import InputQuality, State
from trading.market.store import MarketStore
from trading.pricing.chain_quotes import LEAST_A_SIDE, LEAST_QUOTES, chain_expiries
from trading.pricing.fit_report import fit_report
from trading.pricing.fitting import QuoteFit, fit_surface
from trading.pricing.profiles import PROFILES
from trading.pricing.quotes import UsableQuotes, usable_quotes
from trading.surfaces.records import fit_key, record_keep, record_read
from trading.surfaces.selectors import SurfaceReport, checked_wish, nothing_then

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from trading.market.frames import MarketFrame
    from trading.pricing.chain_quotes import ChainExpiry
    from trading.pricing.fit_report import FitReport
    from trading.pricing.surface import Surface
    from trading.surfaces.records import FitKey
    from trading.surfaces.selectors import SurfaceWish


@dataclass(frozen=True, slots=True, eq=False)
class FittedSurface:
    """The report with what it is about: the surface (None when refused), the quotes beside its
    prices and the chain they come from. `not_kept` says why the fit could not be kept.
    """

    key: FitKey
    report: SurfaceReport
    surface: Surface | None
    quote_fits: tuple[QuoteFit, ...]
    chain: tuple[ChainExpiry, ...]
    not_kept: str | None


def surface_fit(
    *,
    var_dir: Path,
    wish: SurfaceWish,
    version: str,
    clock: Callable[[], float],
    fresh: bool = False,
    moments: Sequence[int] | None = None,
) -> FittedSurface:
    """The surface asked for: fitted, or read where this version of the code fitted it before and
    no `fresh` fit is wanted. `moments` are those of the day's chains, where they are known already.

    `clock` gives seconds and only measures. Raises SurfaceError where the store holds no chain
    then, StoreError when a file of it is damaged.
    """
    wish = checked_wish(wish)
    store, root = MarketStore(var_dir / "market"), var_dir / "surfaces"
    frame = chain_frame_at(store, wish.underlying, wish.at_us, moments=moments)
    if frame is None:
        raise nothing_then(store, wish)
    key = fit_key(
        frame,
        profile=wish.profile,
        method=wish.method.value,
        expiries=wish.expiries,
        version=version,
    )
    chain = tuple(chain_expiries(frame, limit=wish.expiries))
    kept = None if fresh else record_read(root, key)
    if kept is not None:
        fit, surface = kept
        quote_fits = _quote_fits(wish, chain, surface) if surface else ()
        report = _report(wish, frame, fit, kept=True)
        return FittedSurface(key, report, surface, quote_fits, chain, None)
    fit, surface, quote_fits = _fitted(wish, chain, clock)
    not_kept = None
    try:
        record_keep(root, key, fit, surface)
    except OSError as error:
        not_kept = f"{error.filename}: {error.strerror}"
    report = _report(wish, frame, fit, kept=False)
    return FittedSurface(key, report, surface, quote_fits, chain, not_kept)


def day_fit(
    *,
    var_dir: Path,
    wish: SurfaceWish,
    version: str,
    clock: Callable[[], float],
    fresh: bool = False,
) -> Iterator[SurfaceReport]:
    """The report of every snapshot of the day of `wish.at_us`, in order, each fitted as wished.

    Raises what `surface_fit` raises; a day without snapshots is a SurfaceError.
    """
    store = MarketStore(var_dir / "market")
    moments = chain_moments(store, checked_wish(wish).underlying, ist_date(wish.at_us))
    if not moments:
        raise nothing_then(store, wish)
    for at_us in moments:
        one = msgspec.structs.replace(wish, at_us=at_us)
        yield surface_fit(
            var_dir=var_dir,
            wish=one,
            version=version,
            clock=clock,
            fresh=fresh,
            moments=moments,
        ).report


def _fitted(
    wish: SurfaceWish, chain: Sequence[ChainExpiry], clock: Callable[[], float]
) -> tuple[FitReport, Surface | None, tuple[QuoteFit, ...]]:
    start = clock()
    fit = fit_surface(
        [expiry.quotes for expiry in chain],
        profile=PROFILES[wish.profile],
        method=wish.method,
        least_quotes=LEAST_QUOTES,
        least_a_side=LEAST_A_SIDE,
    )
    seconds = clock() - start
    return fit_report(chain, fit, fit_seconds=seconds), fit.surface, fit.quote_fits


def _quote_fits(
    wish: SurfaceWish, chain: Sequence[ChainExpiry], surface: Surface
) -> tuple[QuoteFit, ...]:
    """The quotes of the fitted expiries beside the surface's prices, as the fit had them."""
    profile = PROFILES[wish.profile]
    answers = usable_quotes(
        [expiry.quotes for expiry in chain if expiry.expiry in surface.expiries],
        spread_floor_ticks=profile.spread_floor_ticks,
        quote_deviations=profile.quote_deviations,
        least_quotes=LEAST_QUOTES,
        least_a_side=LEAST_A_SIDE,
    )
    number = {expiry: index for index, expiry in enumerate(surface.expiries)}
    return tuple(
        QuoteFit(quotes, surface.expiry(number[quotes.expiry]).call(quotes.strike))
        for quotes in answers
        if isinstance(quotes, UsableQuotes)
    )


def _report(wish: SurfaceWish, frame: MarketFrame, fit: FitReport, *, kept: bool) -> SurfaceReport:
    return SurfaceReport(
        underlying=wish.underlying,
        at_us=wish.at_us,
        as_of=frame.as_of,
        available_at=frame.available_at,
        source=frame.source,
        flags=frame.flags,
        quality=_quality_at(frame.quality.chain, wish.at_us),
        spot_paise=frame.spot_paise,
        kept=kept,
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
