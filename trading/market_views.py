"""The market store: what is held, coverage by day, refused rows, files, the figures in force."""

from __future__ import annotations

import time
from datetime import date
from datetime import time as clock
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from journal.access import role_required
from trading.market.calendar import calendar, instant_us, ist_date
from trading.market.figures import INFERRED, SINGLE_SOURCE, UNCONFIRMED
from trading.market.figures_in_force import figures_in_force
from trading.market.selectors import (
    PAGE_ROWS,
    coverage_page,
    import_page,
    market_catalogue,
    rejected_page,
    turned_away_page,
)
from trading.market.store import StoreError
from trading.market.uncertain import uncertain_figures

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse, QueryDict

    from trading.market.selectors import RejectedPage, TurnedAwayPage

_UNCERTAIN = (UNCONFIRMED, INFERRED, SINGLE_SOURCE)
_NUMBER_DIGITS = 9
_TEXT_CHARACTERS = 100


@require_safe
@role_required()
def held(request: HttpRequest) -> HttpResponse:
    """What the store holds of each category, and how fresh it is."""
    return _page(
        request, "held", _Asked(request.GET), lambda: market_catalogue(root=_root(), now_us=_now())
    )


@require_safe
@role_required()
def coverage(request: HttpRequest) -> HttpResponse:
    """Every line by year, or one of them by market day."""
    asked = _Asked(request.GET)
    line = asked.text("line")
    first, last = asked.days("from", "to")
    return _page(
        request,
        "coverage",
        asked,
        lambda: coverage_page(root=_root(), now_us=_now(), line=line, first=first, last=last),
        line=line,
        first=first,
        last=last,
    )


@require_safe
@role_required()
def rejections(request: HttpRequest) -> HttpResponse:
    """Refused rows with their reasons, or the files that were turned away whole."""
    asked = _Asked(request.GET)
    of = asked.choice("of", ("", "files"))
    reason, digest, skip = asked.text("reason"), asked.text("file"), asked.number("skip")

    def read() -> RejectedPage | TurnedAwayPage:
        if of == "files":
            return turned_away_page(root=_root(), skip=skip)
        return rejected_page(root=_root(), reason=reason, digest=digest, skip=skip)

    return _page(request, "rejections", asked, read, of=of, reason=reason, digest=digest)


@require_safe
@role_required()
def files(request: HttpRequest) -> HttpResponse:
    """What was imported or generated, file by file."""
    asked = _Asked(request.GET)
    name, skip = asked.text("source"), asked.number("skip")
    return _page(
        request,
        "files",
        asked,
        lambda: import_page(root=_root(), name=name, skip=skip),
        name=name,
    )


@require_safe
@role_required()
def figures(request: HttpRequest) -> HttpResponse:
    """The calendar, the terms of contracts, limits and charges on a day."""
    asked = _Asked(request.GET)
    known = asked.choice("known", ("", "then"))
    day = asked.day_of_calendar("day")
    known_at_us = instant_us(day, clock(0)) if known == "then" else None
    return _page(
        request,
        "figures",
        asked,
        lambda: figures_in_force(day, known_at_us=known_at_us),
        known=known,
    )


@require_safe
@role_required()
def uncertain(request: HttpRequest) -> HttpResponse:
    """Every figure of the shipped tables that is not confirmed."""
    asked = _Asked(request.GET)
    status = asked.choice("status", _UNCERTAIN)
    return _page(
        request,
        "uncertain",
        asked,
        lambda: uncertain_figures([status]),
        status=status,
        statuses=_UNCERTAIN,
    )


class _Asked:
    """Reads an address; what it cannot understand is left out and named in `problems`."""

    def __init__(self, query: QueryDict) -> None:
        self._query = query
        self.problems: list[str] = []

    def text(self, name: str) -> str:
        return self._query.get(name, "").strip()[:_TEXT_CHARACTERS]

    def number(self, name: str) -> int:
        text = self.text(name)
        if not text:
            return 0
        if not (text.isascii() and text.isdigit() and len(text) <= _NUMBER_DIGITS):
            self.problems.append(f"{name}: {text!r} is not a number of rows, expected 0 or more.")
            return 0
        return int(text)

    def day(self, name: str) -> date | None:
        text = self.text(name)
        if not text:
            return None
        try:
            return date.fromisoformat(text)
        except ValueError:
            self.problems.append(f"{name}: {text!r} is not a date, expected YYYY-MM-DD.")
            return None

    def choice(self, name: str, among: tuple[str, ...]) -> str:
        """One of several words; the first where none or another is asked for."""
        text = self.text(name)
        if text and text not in among:
            expected = ", ".join(word for word in among if word)
            self.problems.append(f"{name}: {text!r} is not known, expected {expected}.")
        return text if text in among else among[0]

    def day_of_calendar(self, name: str) -> date:
        """A day the calendar answers for; today where none or another is asked for."""
        first, last = calendar().first, calendar().last
        day = self.day(name)
        if day is not None and not first <= day <= last:
            self.problems.append(f"{name}: the trading calendar goes from {first} to {last}.")
            day = None
        return day or min(ist_date(_now()), last)

    def days(self, first: str, last: str) -> tuple[date | None, date | None]:
        found = self.day(first), self.day(last)
        if found[0] and found[1] and found[1] < found[0]:
            self.problems.append(f"{last}: {found[1]} is before {found[0]}, expected a later day.")
            return None, None
        return found

    def rest(self, *without: str) -> str:
        """The query without some of its members and what a form sends empty."""
        rest = self._query.copy()
        for name, value in self._query.items():
            if name in without or not value:
                del rest[name]
        return rest.urlencode()


def _page(
    request: HttpRequest, tab: str, asked: _Asked, read: Callable[[], Any], **shown: Any
) -> HttpResponse:
    """Render a tab; one address gives a page or its rows, so caches must tell them apart."""
    context = {"tab": tab, "problems": asked.problems, "rest": asked.rest("skip"), **shown}
    try:
        page = read()
    except StoreError as error:
        context["damage"] = str(error)
    else:
        context["page"] = page
        if hasattr(page, "skip"):
            following = page.skip + PAGE_ROWS
            context["older"] = following if following < page.total else None
            context["newer"] = max(0, page.skip - PAGE_ROWS) if page.skip else None
    fragment = request.htmx and not request.htmx.history_restore_request
    template = f"trading/market_{tab}.html" + ("#rows" if fragment else "")
    response = render(request, template, context)
    patch_vary_headers(response, ("HX-Request",))
    return response


def _root() -> Path:
    return Path(settings.VAR_DIR) / "market"


def _now() -> int:
    return time.time_ns() // 1000
