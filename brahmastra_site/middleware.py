"""A name for every request, styled refusals, and honest words when the database is down."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING
from uuid import uuid4

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.shortcuts import resolve_url

from brahmastra_site.errors import refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponse

logger = logging.getLogger("brahmastra.request")
_PROXY_ID = re.compile(r"[A-Za-z0-9-]{8,64}\Z")


class RequestIdMiddleware:
    """Give each request an id, put it in the response and in the log line of every refusal."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-Id", "")
        request_id = given if _PROXY_ID.match(given) else uuid4().hex[:16]
        request.request_id = request_id  # type: ignore[attr-defined]
        response = self.get_response(request)
        if response.status_code == 405 and not response.content:
            allowed = response.headers.get("Allow", "")
            response = refusal(request, 405)
            response.headers["Allow"] = allowed
        response.headers["X-Request-Id"] = request_id
        if response.status_code >= 400:
            # The path comes from outside: repr keeps a line break in it from forging a log line.
            logger.warning(
                "%s %r refused with %d, request %s",
                request.method,
                request.path,
                response.status_code,
                request_id,
            )
        return response


class DatabaseDownMiddleware:
    """Say that the database does not answer, and that trading goes on without it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            return self.get_response(request)
        except (OperationalError, InterfaceError):
            return _database_down(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, OperationalError | InterfaceError):
            return _database_down(request)
        return None


def _database_down(request: HttpRequest) -> HttpResponse:
    logger.error("database does not answer, request %s", getattr(request, "request_id", "none"))
    return refusal(request, 503)


class FragmentSignInMiddleware:
    """Send the whole page, not a cell of it, to the sign-in page when a session has ended."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code != 302 or request.headers.get("HX-Request") != "true":
            return response
        sign_in = resolve_url(settings.LOGIN_URL)
        if response.headers["Location"].partition("?")[0] == sign_in:
            response.status_code = 401
            del response.headers["Location"]
            response.headers["HX-Redirect"] = sign_in
        return response
