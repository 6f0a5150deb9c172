"""The journal: sessions, their lines as they are on disk, their files, verification, download."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from typing import TYPE_CHECKING, Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST, require_safe

from journal.access import Role, role_required, roles_of
from journal.event_filters import EventFilters
from journal.event_page import event_page
from journal.events import KINDS
from journal.line_view import line_get
from journal.log.errors import LogError, UnknownSessionError
from journal.log.extract import extract_blocks
from journal.log.session import log_names
from journal.selectors import UnknownEventError, desk_state, raw_event_get, session_list
from journal.services import log_download
from journal.verification_pages import (
    UnknownVerificationError,
    file_rows,
    verification_get,
    verification_list,
)
from journal.verifications import (
    VerificationRefusedError,
    range_verification_request,
    range_verification_stop,
)
from journal.work_pages import WorkFace, work_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from django.http import HttpRequest, QueryDict

    from journal.event_page import EventPage
    from journal.line_view import LineView
    from journal.services import Download

# Who may have a log verified, and take bytes of it away.
ASKERS = (Role.OPERATOR, Role.COMPLIANCE)
# Daphne takes into memory whatever it is given, read by the browser or not: bytes go out no faster
# than an ordinary line takes them.
PACE_BYTES_PER_SECOND = 32 * 2**20
_VERIFICATION = WorkFace(
    noun="verification",
    counted="lines",
    beginning="Begun",
    state_template="journal/verification_state.html",
    outcome_template="journal/verification_outcome.html",
)


@require_safe
@role_required()
def sessions(request: HttpRequest) -> HttpResponse:
    return render(
        request, "journal/sessions.html", {"sessions": session_list(), "desk": desk_state()}
    )


# --- lines ----------------------------------------------------------------------------------------


@require_safe
@never_cache
@role_required()
def events(request: HttpRequest, session: str) -> HttpResponse:
    """The lines of a session: page, or its rows when a filter or a neighbouring page is asked."""
    context = _list_context(request, _page(request, session))
    template = "journal/events.html#rows" if _is_fragment(request) else "journal/events.html"
    return _rendered(request, template, context | {"fragment": _is_fragment(request)})


@require_safe
@never_cache
@role_required()
def line_detail(request: HttpRequest, session: str, line: int) -> HttpResponse:
    """One line beside the list: page, or the panel alone."""
    view = _line(session, line=line)
    query = _asked(request).urlencode()
    list_url = reverse("journal:events", args=[session])
    context = {
        "view": view,
        "query": query,
        "may_take": _may_ask(request),
        "close_url": f"{list_url}?{query}" if query else list_url,
    }
    if _is_fragment(request):
        return _rendered(request, "journal/line_panel.html", context)
    context |= _list_context(request, _page(request, session))
    return _rendered(request, "journal/events.html", context)


@require_safe
@role_required()
def event_detail(request: HttpRequest, session: str, seq: int) -> HttpResponse:
    """One event: page, or the fragment inside a card of Why."""
    if _is_fragment(request):
        try:
            raw = raw_event_get(session=session, seq=seq)
        except UnknownEventError:
            raise Http404 from None
        return _rendered(request, "journal/event.html#raw", {"raw": raw})
    context = {"view": _line(session, seq=seq), "may_take": _may_ask(request)}
    return _rendered(request, "journal/event.html", context)


def _page(request: HttpRequest, session: str) -> EventPage:
    try:
        return event_page(session=session, filters=EventFilters.from_query(request.GET))
    except UnknownSessionError:
        raise Http404 from None


def _line(session: str, *, line: int | None = None, seq: int | None = None) -> LineView:
    try:
        return line_get(session=session, line=line, seq=seq)
    except UnknownEventError:
        raise Http404 from None


def _asked(request: HttpRequest) -> QueryDict:
    """Return the query without what a form sends empty: it is repeated in every link of a page."""
    asked = request.GET.copy()
    for name, value in request.GET.items():
        if not value:
            del asked[name]
    return asked


def _list_context(request: HttpRequest, page: EventPage) -> dict[str, Any]:
    narrowing = _asked(request)
    for name in ("before", "after"):
        narrowing.pop(name, None)
    return {
        "page": page,
        "query": _asked(request).urlencode(),
        "narrowing": narrowing.urlencode(),
        "kinds": sorted(KINDS),
    }


# --- files ----------------------------------------------------------------------------------------


@require_safe
@never_cache
@role_required()
def files(request: HttpRequest, session: str) -> HttpResponse:
    """The files of a session with the state of their chain, and what was verified."""
    return _files(request, session)


@require_POST
@role_required(*ASKERS)
def verify(request: HttpRequest, session: str) -> HttpResponse:
    """Ask for a verification; to its page, or back to the files with the reason why not."""
    scope = request.POST.get("scope", "")
    lines = (request.POST.get("first", "").strip(), request.POST.get("last", "").strip())
    try:
        row = range_verification_request(
            session=session,
            day=request.POST.get("day", "") if scope == "day" else None,
            lines=lines if scope == "lines" else None,
            requested_by=request.user,
            address=_address(request),
            var_dir=settings.VAR_DIR,
            now=timezone.now(),
        )
    except VerificationRefusedError as error:
        return _files(request, session, error=str(error), status=409)
    return redirect("journal:verification-detail", session, row.pk)


@require_safe
@never_cache
@role_required()
def verification_detail(request: HttpRequest, session: str, verification_id: UUID) -> HttpResponse:
    """One verification: page, or its progress each second while it lasts."""
    try:
        row = verification_get(session=session, verification_id=verification_id)
    except UnknownVerificationError:
        raise Http404 from None
    fragment = _is_fragment(request)
    context = work_context(
        row=row,
        face=_VERIFICATION,
        url=reverse("journal:verification-detail", args=[session, verification_id]),
        stop_url=reverse("journal:verification-stop", args=[session, verification_id]),
        may_stop=_may_ask(request),
        said=request.GET.get("said", "") if fragment else None,
    )
    template = "journal/work_fragment.html" if fragment else "journal/verification.html"
    return _rendered(request, template, context)


@require_POST
@role_required(*ASKERS)
def verification_stop(request: HttpRequest, session: str, verification_id: UUID) -> HttpResponse:
    """Ask a verification to stop."""
    try:
        range_verification_stop(
            verification_id=verification_id, stopped_by=request.user, now=timezone.now()
        )
    except VerificationRefusedError as error:
        messages.warning(request, str(error))
    return redirect("journal:verification-detail", session, verification_id)


def _files(
    request: HttpRequest, session: str, *, error: str = "", status: int = 200
) -> HttpResponse:
    if session not in log_names(settings.VAR_DIR):
        raise Http404
    try:
        before = UUID(request.GET["before"]) if "before" in request.GET else None
        verifications = verification_list(session=session, before=before)
    except (ValueError, UnknownVerificationError):
        raise Http404 from None
    context = {
        "session": session,
        "files": file_rows(session=session, var_dir=settings.VAR_DIR),
        "verifications": verifications,
        "may_ask": _may_ask(request),
        "asked": request.POST if request.method == "POST" else request.GET,
        "error": error,
    }
    return render(request, "journal/files.html", context, status=status)


# --- download -------------------------------------------------------------------------------------


@require_GET
@never_cache
@role_required(*ASKERS)
def download_day(request: HttpRequest, session: str, day: str) -> HttpResponse:
    """A day file, byte for byte."""
    return _download(request, session, day=day)


@require_GET
@never_cache
@role_required(*ASKERS)
def download_packed(request: HttpRequest, session: str, day: str) -> HttpResponse:
    """The file a closed day is packed in, byte for byte."""
    return _download(request, session, day=day, packed=True)


@require_GET
@never_cache
@role_required(*ASKERS)
def download_lines(request: HttpRequest, session: str) -> HttpResponse:
    """The lines `first` to `last` of the query, byte for byte."""
    try:
        lines = (int(request.GET.get("first", "")), int(request.GET.get("last", "")))
    except ValueError:
        return _refused(request, session, "Lines to download: first and last are numbers.")
    return _download(request, session, lines=lines)


def _download(request: HttpRequest, session: str, **what: Any) -> HttpResponse:
    try:
        download = log_download(
            session=session,
            actor=request.user.get_username(),
            address=_address(request),
            var_dir=settings.VAR_DIR,
            **what,
        )
    except UnknownSessionError:
        raise Http404 from None
    except LogError as error:
        return _refused(request, session, f"Nothing to download: {error}.")
    if "sha256" in request.GET:
        return _digest_file(download)
    return _stream(request, download)


def _digest_file(download: Download) -> HttpResponse:
    """The digest as `sha256sum --check` takes it."""
    name = download.extract.name
    response = HttpResponse(f"{download.sha256.hex()}  {name}\n", content_type="text/plain")
    response["Content-Disposition"] = f'attachment; filename="{name}.sha256"'
    return response


def _stream(request: HttpRequest, download: Download) -> StreamingHttpResponse:
    blocks = extract_blocks(download.extract)
    # Django gathers a synchronous iterator in memory before an asynchronous server gets any of it.
    content = _in_threads(blocks) if hasattr(request, "scope") else blocks
    response = StreamingHttpResponse(content, content_type="application/octet-stream")
    response["Content-Length"] = str(download.extract.bytes)
    response["Content-Disposition"] = f'attachment; filename="{download.extract.name}"'
    response["Repr-Digest"] = f"sha-256=:{b64encode(download.sha256).decode()}:"
    response["X-SHA256"] = download.sha256.hex()
    return response


async def _in_threads(blocks: Iterator[bytes]) -> AsyncIterator[bytes]:
    following = sync_to_async(lambda: next(blocks, None), thread_sensitive=False)
    while block := await following():
        yield block
        await asyncio.sleep(len(block) / PACE_BYTES_PER_SECOND)


def _refused(request: HttpRequest, session: str, error: str) -> HttpResponse:
    return _files(request, session, error=error, status=409)


# --- all of them ----------------------------------------------------------------------------------


def _may_ask(request: HttpRequest) -> bool:
    return not roles_of(request.user).isdisjoint(ASKERS)


def _address(request: HttpRequest) -> str:
    return request.META.get("REMOTE_ADDR") or "unknown"


def _is_fragment(request: HttpRequest) -> bool:
    return bool(request.htmx) and not request.htmx.history_restore_request


def _rendered(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """Render; one address gives a page or a fragment, so caches must tell them apart."""
    response = render(request, template, context)
    patch_vary_headers(response, ("HX-Request",))
    return response
