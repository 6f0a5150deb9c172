"""Replay runs: the list, one run with its progress, start and stop."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from journal.access import Role, role_required, roles_of
from journal.work_pages import WorkFace, work_context
from replay.selectors import UnknownRunError, run_get, run_page
from replay.services import (
    MAX_TIMES,
    ReplayRefusedError,
    replay_run_request,
    replay_run_stop,
)

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

# Who may have a session replayed.
ASKERS = (Role.OPERATOR, Role.COMPLIANCE)
_REPLAY = WorkFace(
    noun="replay",
    counted="events",
    beginning="Checking the log's chain",
    state_template="replay/run_state.html",
    outcome_template="replay/run_outcome.html",
)


@require_safe
@role_required()
def runs(request: HttpRequest) -> HttpResponse:
    """The runs, newest first, with the form for those who may start one."""
    return _list(request)


@require_POST
@role_required(*ASKERS)
def start(request: HttpRequest) -> HttpResponse:
    """Ask for a replay; to its page, or back to the list with the reason why not."""
    try:
        run = replay_run_request(
            session=request.POST.get("session", ""),
            times=request.POST.get("times", ""),
            requested_by=request.user,
            address=request.META.get("REMOTE_ADDR") or "unknown",
            var_dir=settings.VAR_DIR,
            now=timezone.now(),
        )
    except ReplayRefusedError as error:
        return _list(request, error=str(error), status=409)
    return redirect("replay:run-detail", run.pk)


@require_safe
@never_cache
@role_required()
def run_detail(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """One run: page, or its progress each second while it lasts."""
    try:
        run = run_get(run_id=run_id)
    except UnknownRunError:
        raise Http404 from None
    fragment = request.htmx and not request.htmx.history_restore_request
    context = work_context(
        row=run,
        face=_REPLAY,
        url=reverse("replay:run-detail", args=[run_id]),
        stop_url=reverse("replay:stop", args=[run_id]),
        may_stop=_may_start(request),
        said=request.GET.get("said", "") if fragment else None,
    )
    template = "journal/work_fragment.html" if fragment else "replay/run.html"
    response = render(request, template, context)
    patch_vary_headers(response, ("HX-Request",))
    return response


@require_POST
@role_required(*ASKERS)
def stop(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """Ask a run to stop."""
    try:
        replay_run_stop(run_id=run_id, stopped_by=request.user, now=timezone.now())
    except ReplayRefusedError as error:
        messages.warning(request, str(error))
    return redirect("replay:run-detail", run_id)


def _list(request: HttpRequest, *, error: str = "", status: int = 200) -> HttpResponse:
    try:
        before = UUID(request.GET["before"]) if "before" in request.GET else None
        page = run_page(var_dir=settings.VAR_DIR, before=before)
    except (ValueError, UnknownRunError):
        raise Http404 from None
    context = {
        "page": page,
        "may_start": _may_start(request),
        "max_times": MAX_TIMES,
        "asked_session": request.POST.get("session") or request.GET.get("session", ""),
        "error": error,
    }
    return render(request, "replay/runs.html", context, status=status)


def _may_start(request: HttpRequest) -> bool:
    return not roles_of(request.user).isdisjoint(ASKERS)
