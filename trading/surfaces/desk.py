"""The surface page as a whole: what its address asks for, and everything it shows."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from journal.figures import ist_text
from trading.market.ist import instant_us, ist_date
from trading.market.store import UNDERLYINGS, StoreError
from trading.pricing.profiles import PROFILES
from trading.surfaces.page import MOMENT, ExpiryFace, History, expiry_face, history
from trading.surfaces.records import records_of_day
from trading.surfaces.selectors import (
    DEFAULT_EXPIRIES,
    METHODS,
    Snapshots,
    SurfaceError,
    SurfaceWish,
    snapshots_of,
)
from trading.surfaces.services import FittedSurface, surface_fit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from trading.pricing.fitting import Method

# What a page may ask for: a fit of more takes a second and belongs on the command line.
EXPIRIES = (1, 2, 4, 6)


@dataclass(frozen=True, slots=True)
class SurfaceQuery:
    """What the address asks for; without `at_us` the newest chain, without `expiry` the nearest
    that was fitted.
    """

    underlying: str = UNDERLYINGS[0]
    at_us: int | None = None
    profile: str = next(iter(PROFILES))
    method: Method = METHODS[0]
    expiries: int = DEFAULT_EXPIRIES
    expiry: str = ""

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> SurfaceQuery:
        """Read a query string; values that mean nothing are left out."""
        asked = cls()
        found = {name: query.get(name, "") for name in ("underlying", "profile", "expiry")}
        methods = {method.value: method for method in METHODS}
        counts = {str(count): count for count in EXPIRIES}
        return cls(
            underlying=_among(found["underlying"], UNDERLYINGS, asked.underlying),
            at_us=_moment(query.get("at", "")),
            profile=_among(found["profile"], tuple(PROFILES), asked.profile),
            method=methods.get(query.get("method", ""), asked.method),
            expiries=counts.get(query.get("expiries", ""), asked.expiries),
            expiry=found["expiry"][:10],
        )


@dataclass(frozen=True, slots=True)
class SurfacePage:
    """The page: `refusal` says why there is no surface, `face` is the expiry looked at, `before`
    and `after` the neighbouring snapshots as the address writes them.
    """

    query: SurfaceQuery
    at: str
    snapshots: Snapshots
    fitted: FittedSurface | None
    refusal: str
    face: ExpiryFace | None
    history: History | None
    before: str
    after: str

    @property
    def day(self) -> str:
        """The IST date of the page."""
        return self.at[:10]


def surface_page(
    *, var_dir: Path, query: SurfaceQuery, version: str, clock: Callable[[], float]
) -> SurfacePage:
    """Everything the page shows: at most one fit of one snapshot, or the record of an earlier one.

    What cannot be read or fitted is a refusal on the page, never an exception.
    """
    nothing = SurfacePage(query, "", Snapshots((), ()), None, "", None, None, "", "")
    try:
        snapshots = snapshots_of(var_dir=var_dir, underlying=query.underlying, at_us=query.at_us)
        at_us = query.at_us
        if at_us is None and snapshots.moments:
            at_us = snapshots.moments[-1]
        if at_us is None:
            return replace(nothing, refusal=f"The market store holds no {query.underlying} chain.")
        page = replace(nothing, snapshots=snapshots, at=ist_text(at_us, MOMENT))
        wish = SurfaceWish(query.underlying, at_us, query.profile, query.method, query.expiries)
        fitted = surface_fit(
            var_dir=var_dir, wish=wish, version=version, clock=clock, moments=snapshots.moments
        )
    except SurfaceError as error:
        return replace(page, refusal=f"There is {error}.")
    except StoreError as error:
        return replace(nothing, refusal=f"The market store cannot be read: {error}.")
    return _filled(page, var_dir, fitted, version)


def _filled(page: SurfacePage, var_dir: Path, fitted: FittedSurface, version: str) -> SurfacePage:
    report, moments = fitted.report, page.snapshots.moments
    known_at, day = report.available_at, ist_date(report.available_at)
    kept = records_of_day(var_dir / "surfaces", report.underlying, day, version=version)
    before = bisect_left(moments, known_at) - 1
    after = bisect_right(moments, known_at)
    faces = [each.expiry for each in report.fit.expiries if each.refusal is None]
    chosen = page.query.expiry if page.query.expiry in faces else next(iter(faces), "")
    return replace(
        page,
        fitted=fitted,
        face=expiry_face(fitted, chosen),
        history=history(kept, day, fitted.key),
        before=ist_text(moments[before], MOMENT) if before >= 0 else "",
        after=ist_text(moments[after], MOMENT) if after < len(moments) else "",
    )


def _among(text: str, known: tuple[str, ...], otherwise: str) -> str:
    return text if text in known else otherwise


def _moment(text: str) -> int | None:
    """IST wall-clock text as a browser's field writes it, or None."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is not None:
        return None
    return instant_us(moment.date(), moment.time())
