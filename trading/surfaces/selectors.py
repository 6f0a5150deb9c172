"""What can be asked of surfaces: which there are, and how a wish and its report look."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import msgspec

from journal.figures import ist_text
from trading.market.calendar import ist_date
from trading.market.chain_at import chain_days, chain_moments
from trading.market.frames import FrameSource
from trading.market.quality import InputQuality
from trading.market.store import UNDERLYINGS, MarketStore
from trading.pricing.fit_report import FitReport
from trading.pricing.fitting import Method
from trading.pricing.profiles import MARKET, PROFILES

if TYPE_CHECKING:
    from pathlib import Path

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
    `quality` is the chain's at the instant asked for; `kept` tells a fit made before.
    """

    underlying: str
    at_us: int
    as_of: int
    available_at: int
    source: FrameSource
    flags: tuple[str, ...]
    quality: InputQuality
    spot_paise: int | None
    kept: bool
    fit: FitReport


class Snapshots(msgspec.Struct, frozen=True):
    """The days an underlying has chains of, and the moments of one of them, both ascending."""

    days: tuple[str, ...]
    moments: tuple[int, ...]


def snapshots_of(*, var_dir: Path, underlying: str, at_us: int | None) -> Snapshots:
    """What there is to fit on the day of an instant, or on the last day there is.

    Raises SurfaceError for an underlying that is none.
    """
    store = MarketStore(var_dir / "market")
    days = chain_days(store, _checked_underlying(underlying))
    day = ist_date(at_us).isoformat() if at_us is not None else days[-1] if days else None
    if day not in days:
        return Snapshots(days, ())
    return Snapshots(days, chain_moments(store, underlying, date.fromisoformat(day)))


def checked_wish(wish: SurfaceWish) -> SurfaceWish:
    """The wish; raises SurfaceError for an underlying or a profile there is none of."""
    _checked_underlying(wish.underlying)
    if wish.profile not in PROFILES:
        msg = f"profile {wish.profile!r}: expected one of {', '.join(PROFILES)}"
        raise SurfaceError(msg)
    return wish


def nothing_then(store: MarketStore, wish: SurfaceWish) -> SurfaceError:
    """What to say where no chain was known: what there is in its place."""
    asked = f"no {wish.underlying} chain known by {ist_text(wish.at_us, '%Y-%m-%d %H:%M:%S')} IST"
    moments = chain_moments(store, wish.underlying, ist_date(wish.at_us))
    if moments:
        return SurfaceError(f"{asked}; the first of that day came at {ist_text(moments[0])}")
    days = chain_days(store, wish.underlying)
    if days:
        return SurfaceError(
            f"{asked}; the store has snapshots from {days[0]} to {days[-1]}, of {len(days)} "
            f"day{'s' if len(days) > 1 else ''}"
        )
    return SurfaceError(
        f"{asked}; the store has none: run `manage.py market import PATH` or `market synth`"
    )


def _checked_underlying(underlying: str) -> str:
    if underlying not in UNDERLYINGS:
        msg = f"underlying {underlying!r}: expected one of {', '.join(UNDERLYINGS)}"
        raise SurfaceError(msg)
    return underlying
