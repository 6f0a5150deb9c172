"""Signals, Why, and the surface."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.http import Http404
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from journal.access import role_required
from journal.selectors import UnknownEventError
from trading.engine.configuration import STRATEGIES, UNDERLYINGS
from trading.pricing.profiles import PROFILES
from trading.selectors import FIRED, VERDICTS, SignalFilters, signal_page, spine_get
from trading.surfaces.desk import EXPIRIES, SurfaceQuery, surface_page
from trading.surfaces.selectors import METHODS
from trading.version import code_version

if TYPE_CHECKING:
    from typing import Any

    from django.http import HttpRequest, HttpResponse

    from trading.selectors import SignalPage


@require_safe
@role_required()
def signals(request: HttpRequest) -> HttpResponse:
    """The list: page, or its rows when a filter or a neighbouring page was asked for."""
    page = _page(SignalFilters.from_query(request.GET))
    fragment = request.htmx and not request.htmx.history_restore_request
    template = "trading/signals.html#rows" if fragment else "trading/signals.html"
    return _rendered(request, template, _list_context(request, page) | {"fragment": fragment})


@require_safe
@role_required()
def signal_detail(request: HttpRequest, session: str, seq: int) -> HttpResponse:
    """Why of one signal beside the list: page, or the panel alone."""
    spine = _spine(session, seq)
    filters = SignalFilters.from_query({**request.GET.dict(), "session": session})
    query = request.GET.urlencode()
    close_url = reverse("trading:signals") + (f"?{query}" if query else "")
    context: dict[str, Any] = {"spine": spine, "close_url": close_url}
    if request.htmx and not request.htmx.history_restore_request:
        return _rendered(request, "trading/why_panel.html", context)
    context |= _list_context(request, _page(filters))
    return _rendered(request, "trading/signals.html", context)


@require_safe
@role_required()
def why(request: HttpRequest, session: str, seq: int) -> HttpResponse:
    """Why of any event, on a page of its own."""
    return _rendered(request, "trading/why.html", {"spine": _spine(session, seq)})


@require_safe
@role_required()
def surface(request: HttpRequest) -> HttpResponse:
    """The option surface of an instant of the recorded market."""
    page = surface_page(
        var_dir=Path(settings.VAR_DIR),
        query=SurfaceQuery.from_query(request.GET),
        version=code_version(),
        clock=time.perf_counter,
    )
    context = {
        "page": page,
        "underlyings": UNDERLYINGS,
        "profiles": tuple(PROFILES),
        "methods": [method.value for method in METHODS],
        "expiry_counts": EXPIRIES,
    }
    return render(request, "trading/surface.html", context)


def _page(filters: SignalFilters) -> SignalPage:
    try:
        return signal_page(filters)
    except UnknownEventError:
        raise Http404 from None


def _spine(session: str, seq: int) -> Any:
    try:
        return spine_get(session=session, seq=seq)
    except UnknownEventError:
        raise Http404 from None


def _list_context(request: HttpRequest, page: SignalPage) -> dict[str, Any]:
    query = request.GET.copy()
    query["session"] = page.session
    narrowing = query.copy()
    for name in ("before", "after"):
        narrowing.pop(name, None)
    return {
        "page": page,
        "query": query.urlencode(),
        "narrowing": narrowing.urlencode(),
        "strategies": STRATEGIES,
        "underlyings": UNDERLYINGS,
        "fired_choices": FIRED,
        "verdict_choices": VERDICTS,
    }


def _rendered(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """Render; one address gives a page or a fragment, so caches must tell them apart."""
    response = render(request, template, context)
    patch_vary_headers(response, ("HX-Request",))
    return response
