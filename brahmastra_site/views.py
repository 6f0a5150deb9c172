"""Pages that belong to no room: the way in and out, the stop, the live figures."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from brahmastra_site.desk_signals import address_of
from journal.access import Role, role_required, roles_of
from journal.log.errors import UnknownStrategyError
from journal.metrics import CONTENT_TYPE, metrics_text
from journal.services import trading_kill

if TYPE_CHECKING:
    from django.http import HttpRequest


class SignInForm(AuthenticationForm):
    """The same words for an unknown name, a wrong password and a closed account."""

    error_messages = {  # noqa: RUF012 - Django's own declaration
        "invalid_login": _("Username or password is not right."),
        "inactive": _("Username or password is not right."),
    }


class StopForm(forms.Form):
    """What is stopped (a strategy, or all), whether what is held stays, why; and the id that makes
    a second click the same command.
    """

    strategy = forms.RegexField(
        r"^[A-Z][A-Z0-9]{0,15}$",
        required=False,
        error_messages={"invalid": "The strategy's name is not one: open the form again."},
    )
    hold = forms.BooleanField(required=False)
    reason = forms.CharField(
        max_length=500,
        error_messages={"required": "A reason is required: it is written into the log."},
    )
    command_id = forms.UUIDField(
        error_messages={
            "required": "The form is out of date: open it again.",
            "invalid": "The form is out of date: open it again.",
        }
    )


@require_safe
@role_required()
def home(request: HttpRequest) -> HttpResponse:
    return redirect("trading:signals")


@login_not_required
@require_safe
def admin_sign_in(request: HttpRequest) -> HttpResponse:
    """Where the admin sends people it does not let in: to sign in, or away if they have."""
    if request.user.is_authenticated:
        raise PermissionDenied
    return redirect_to_login(request.GET.get("next", reverse("admin:index")))


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
    form = StopForm(request.POST)
    if not form.is_valid():
        error = next(iter(form.errors.values()))[0]
        return render(request, "stop.html", {"error": error}, status=400)
    wanted = form.cleaned_data
    try:
        killed = trading_kill(
            var_dir=settings.VAR_DIR,
            actor=request.user.get_username(),
            address=address_of(request),
            **wanted | {"strategy": wanted["strategy"] or None},
        )
    except UnknownStrategyError as error:
        return render(request, "stop.html", {"error": f"{error}."}, status=400)
    for problem in killed.problems:
        messages.error(request, f"Not everything was stopped: {problem}")
    if killed.file is not None:
        reached = ", ".join(killed.sessions) or "none is open"
        what = wanted["strategy"] or "Trading"
        messages.success(request, f"{what} is stopped. Open sessions told: {reached}.")
    return redirect("home")


@login_not_required
@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Figures for a monitor: for every role, and for whoever shows the token of the house.

    A monitor cannot sign in: without either it is told 401 and not sent to a form.
    """
    if not _shows_token(request.headers.get("Authorization", "")):
        if not request.user.is_authenticated:
            refused = HttpResponse("A token or a role is needed.\n", CONTENT_TYPE, status=401)
            refused.headers["WWW-Authenticate"] = "Bearer"
            return refused
        if not roles_of(request.user):
            raise PermissionDenied
    return HttpResponse(metrics_text(), CONTENT_TYPE)


def _shows_token(authorization: str) -> bool:
    wanted = f"Bearer {settings.METRICS_TOKEN}".encode()
    return bool(settings.METRICS_TOKEN) and hmac.compare_digest(authorization.encode(), wanted)
