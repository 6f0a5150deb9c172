"""Pages that belong to no room: the way in and out, the stop, the live figures."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.forms import AuthenticationForm
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from brahmastra_site.services import StopRefusedError, trading_stop
from journal.access import Role, role_required
from journal.secrets import read_or_create_secret

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


class SignInForm(AuthenticationForm):
    """The same words for an unknown name, a wrong password and a closed account."""

    error_messages = {  # noqa: RUF012 - Django's own declaration
        "invalid_login": _("Username or password is not right."),
        "inactive": _("Username or password is not right."),
    }


@require_safe
@role_required()
def home(request: HttpRequest) -> HttpResponse:
    return redirect("trading:signals")


@require_safe
@never_cache
@role_required()
def live(request: HttpRequest) -> HttpResponse:
    """The snapshot that follows a reconnection, and the fallback when the socket is down."""
    return render(request, "frame/snapshot.html")


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@role_required(Role.OPERATOR)
def stop(request: HttpRequest) -> HttpResponse:
    """The form without scripts, and what both forms send to."""
    if request.method != "POST":
        return render(request, "stop.html")
    try:
        sessions = trading_stop(
            var_dir=settings.VAR_DIR,
            key=read_or_create_secret(settings.VAR_DIR / "secrets" / "spool.key"),
            command_id=request.POST.get("command_id", ""),
            actor=request.user.get_username(),
            address=request.META.get("REMOTE_ADDR", "") or "unknown",
            reason=request.POST.get("reason", "")[:500],
            now_us=time.time_ns() // 1000,
        )
    except StopRefusedError as error:
        return render(request, "stop.html", {"error": str(error)}, status=409)
    messages.success(request, f"Stop sent to {', '.join(sessions)}. The log will show it.")
    return redirect("home")
