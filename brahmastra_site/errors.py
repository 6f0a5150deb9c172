"""Pages for refusals and failures: styled, with the request's id, telling nothing else.

They use no database, no session and no context processor, for any of those may be what failed.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.http import HttpResponse
from django.template.loader import render_to_string

if TYPE_CHECKING:
    from django.http import HttpRequest

logger = logging.getLogger("brahmastra.request")


@dataclass(frozen=True, slots=True)
class Words:
    """What a refusal says: what happened and what to do."""

    title: str
    meaning: str
    advice: str


WORDS: dict[str, Words] = {
    "400": Words(
        "Request refused",
        "The address or the form held something this site does not accept.",
        "Go back and try again from the page itself.",
    ),
    "403": Words(
        "Not allowed",
        "Your role does not include this page or this action.",
        "Ask an administrator if it should.",
    ),
    "404": Words(
        "Nothing here",
        "There is no such page, session or event.",
        "Check the address, or start from the signals.",
    ),
    "405": Words(
        "Not that way",
        "This address does not take a request of this kind.",
        "Use the button or link on the page.",
    ),
    "429": Words(
        "Too many attempts",
        "Signing in with this name from this address is held for a quarter of an hour.",
        "Wait, then try again; an administrator can lift the hold.",
    ),
    "500": Words(
        "Something broke here",
        "The page could not be made. Trading and the log do not depend on it.",
        "Try again; if it happens twice, report the request id below.",
    ),
    "503": Words(
        "The database does not answer",
        "Pages wait for it. The engine goes on trading and logging without it, "
        "and nothing is lost.",
        "To stop trading now, run “manage.py kill” on the machine: "
        "it needs neither database nor web.",
    ),
    "csrf": Words(
        "This form is out of date",
        "Its security token is missing or does not match your session.",
        "Reload the page and send the form again.",
    ),
}


def refusal(request: HttpRequest, status: int, *, words: str = "") -> HttpResponse:
    """Return the page for a status, or its fragment when htmx asked."""
    fragment = request.headers.get("HX-Request") == "true"
    template = "errors/fragment.html" if fragment else "errors/page.html"
    context = {
        "words": WORDS[words or str(status)],
        "status": status,
        "request_id": getattr(request, "request_id", "none"),
    }
    response = HttpResponse(render_to_string(template, context), status=status)
    response.headers["Cache-Control"] = "no-store"
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return refusal(request, 400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return refusal(request, 403)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return refusal(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    logger.error("failed, request %s", getattr(request, "request_id", "none"))
    return refusal(request, 500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return refusal(request, 403, words="csrf")


def locked_out(request: HttpRequest, *_: object, **__: object) -> HttpResponse:
    """Answer someone django-axes has locked out."""
    return refusal(request, 429)
