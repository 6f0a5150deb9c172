"""The risk page, figures in force and portfolio at an instant, and what is told to a session."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe

from journal.access import Role, role_required, roles_of
from journal.figures import IST
from journal.log.errors import LogError
from journal.selectors import UnknownEventError
from journal.services import session_tell
from journal.spool import SpoolError
from trading.risk_room.portfolio_selectors import portfolio_page
from trading.risk_room.selectors import (
    RiskFilters,
    in_force_page,
    reconciliation_page,
    risk_page,
)

if TYPE_CHECKING:
    from django.http import HttpRequest

_MICROSECONDS = 1_000_000


class TellForm(forms.Form):
    """A command to a session, its one argument or a limit's name and figure, and why."""

    session = forms.CharField(max_length=40)
    command = forms.ChoiceField(
        choices=[
            (name, name)
            for name in ("limit", "rearm", "disable", "enable", "approve", "reconcile", "accept")
        ]
    )
    subject = forms.CharField(max_length=100, required=False)
    value = forms.IntegerField(required=False)
    reason = forms.CharField(
        max_length=500,
        error_messages={"required": "A reason is required: it is written into the log."},
    )

    def clean(self) -> None:
        """Every command is about something, but for a comparison of all there is."""
        told = self.cleaned_data
        if not told.get("subject") and told.get("command") != "reconcile":
            self.add_error("subject", forms.Field.default_error_messages["required"])

    def arguments(self) -> dict[str, Any]:
        """The command's arguments, by the names the session knows them under."""
        told = self.cleaned_data
        if told["command"] == "reconcile":
            return {}
        if told["command"] == "limit":
            return {"name": told["subject"], "value": told["value"]}
        names = {"rearm": "breaker", "approve": "request", "accept": "reconciliation"}
        return {names.get(told["command"], "strategy"): told["subject"]}


@require_safe
@role_required()
def risk(request: HttpRequest) -> HttpResponse:
    """How a session stands: page, or its figures when another session or day was asked for."""
    filters = RiskFilters(request.GET.get("session", ""), request.GET.get("day", ""))
    try:
        page = risk_page(filters)
    except UnknownEventError:
        raise Http404 from None
    roles = roles_of(request.user)
    context = {
        "tab": "risk",
        "page": page,
        "may_tell": Role.OPERATOR in roles and not page.finished,
        "may_approve": bool(roles & {Role.OPERATOR, Role.COMPLIANCE}) and not page.finished,
    }
    return _rendered(request, "trading/risk.html", context)


@require_safe
@role_required()
def in_force(request: HttpRequest) -> HttpResponse:
    """Limits, rates and calendar as a session knew them at an instant."""
    problems: list[str] = []
    at_us = _instant(request.GET.get("at", "").strip(), problems)
    try:
        page = in_force_page(session=request.GET.get("session", ""), at_us=at_us)
    except UnknownEventError:
        raise Http404 from None
    context = {"tab": "in-force", "page": page, "problems": problems}
    return _rendered(request, "trading/risk_in_force.html", context)


@require_safe
@role_required()
def portfolio(request: HttpRequest) -> HttpResponse:
    """The portfolio of a session at an instant: what it holds, and its profit from gross to net."""
    problems: list[str] = []
    at_us = _instant(request.GET.get("at", "").strip(), problems)
    asked = {name: request.GET.get(name, "") for name in ("session", "trade")}
    try:
        page = portfolio_page(session=asked["session"], at_us=at_us, trade=asked["trade"])
    except UnknownEventError:
        raise Http404 from None
    context = {"tab": "portfolio", "page": page, "problems": problems}
    return _rendered(request, "trading/risk_portfolio.html", context)


@require_safe
@role_required()
def reconciliation(request: HttpRequest) -> HttpResponse:
    """The comparisons of book and broker in a day, differences side by side, and how it stands."""
    filters = RiskFilters(request.GET.get("session", ""), request.GET.get("day", ""))
    differing = request.GET.get("only") == "differences"
    try:
        page = reconciliation_page(filters, differing=differing)
    except UnknownEventError:
        raise Http404 from None
    roles = roles_of(request.user)
    context = {
        "tab": "reconciliation",
        "page": page,
        "differing": differing,
        "may_tell": Role.OPERATOR in roles and page.goes_on,
        "may_approve": bool(roles & {Role.OPERATOR, Role.COMPLIANCE}) and page.goes_on,
    }
    return _rendered(request, "trading/risk_reconciliation.html", context)


@require_POST
@role_required(Role.OPERATOR, Role.COMPLIANCE)
def tell(request: HttpRequest) -> HttpResponse:
    """Put a command into a session's spool; the session answers in its log. Compliance approves
    what others ask for and asks for nothing.
    """
    form, home = TellForm(request.POST), "trading:risk"
    if request.POST.get("back") == "reconciliation":
        home = "trading:risk-reconciliation"
    if not form.is_valid():
        name, errors = next(iter(form.errors.items()))
        messages.error(request, errors[0] if name == "reason" else f"{name}: {errors[0]}")
        return redirect(home)
    told = form.cleaned_data
    if told["command"] != "approve" and Role.OPERATOR not in roles_of(request.user):
        raise PermissionDenied
    try:
        session_tell(
            var_dir=settings.VAR_DIR,
            session=told["session"],
            command=told["command"],
            arguments=form.arguments(),
            actor=request.user.get_username(),
            address=request.META.get("REMOTE_ADDR") or "unknown",
            reason=told["reason"],
        )
    except (LogError, SpoolError) as error:
        messages.error(request, f"Not told: {error}.")
        return redirect(home)
    what = f"{told['command']} {told['subject']}".rstrip()
    messages.success(request, f"{told['session']} is told: {what}. Its log answers.")
    return redirect(f"{reverse(home)}?{urlencode({'session': told['session']})}")


def _instant(text: str, problems: list[str]) -> int | None:
    """An instant in IST as µs UTC; None where none, or one that cannot be read, is asked for."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=IST)
        return int(moment.timestamp() * _MICROSECONDS)
    except (ValueError, OverflowError):
        wanted = "expected one as 2026-02-26T12:00 (IST)"
        problems.append(f"at: {text[:40]!r} is no instant, {wanted}.")
        return None


def _rendered(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """Render; one address gives a page or its rows, so caches must tell them apart."""
    fragment = request.htmx and not request.htmx.history_restore_request
    response = render(request, template + ("#rows" if fragment else ""), context)
    patch_vary_headers(response, ("HX-Request",))
    return response
