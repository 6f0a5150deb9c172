"""The journal: which sessions there are, and one event as it is on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import Http404
from django.shortcuts import render
from django.views.decorators.http import require_safe

from journal.access import role_required
from journal.selectors import UnknownEventError, desk_state, raw_event_get, session_list

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


@require_safe
@role_required()
def sessions(request: HttpRequest) -> HttpResponse:
    return render(
        request, "journal/sessions.html", {"sessions": session_list(), "desk": desk_state()}
    )


@require_safe
@role_required()
def event_detail(request: HttpRequest, session: str, seq: int) -> HttpResponse:
    """One event: page, or the fragment inside a card of Why."""
    try:
        raw = raw_event_get(session=session, seq=seq)
    except UnknownEventError:
        raise Http404 from None
    template = "journal/event.html#raw" if request.htmx else "journal/event.html"
    return render(request, template, {"raw": raw})
