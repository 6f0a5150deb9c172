"""Refusals: styled, named by their request, telling nothing; fragments for htmx; also logged."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from django.core.exceptions import SuspiciousOperation
from django.db import OperationalError
from django.test import Client, RequestFactory, override_settings
from django.urls import path

from brahmastra_site import errors
from brahmastra_site.middleware import DatabaseDownMiddleware

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.http import HttpRequest, HttpResponse

SECRET = "the secret in the traceback"


def break_down(request: HttpRequest) -> HttpResponse:
    raise RuntimeError(SECRET)


def lose_database(request: HttpRequest) -> HttpResponse:
    raise OperationalError(SECRET)


def be_suspicious(request: HttpRequest) -> HttpResponse:
    raise SuspiciousOperation(SECRET)


urlpatterns = [
    path("broken/", break_down),
    path("lost/", lose_database),
    path("suspicious/", be_suspicious),
]
handler400 = errors.bad_request
handler403 = errors.permission_denied
handler404 = errors.page_not_found
handler500 = errors.server_error

BROKEN = pytest.mark.urls("tests.brahmastra_site.test_errors")


@pytest.fixture
def client() -> Client:
    """A browser; a broken view answers it, as it would in the street."""
    return Client(raise_request_exception=False)


def assert_is_refusal(response: HttpResponse, status: int, title: str) -> None:
    body = response.content.decode()
    assert response.status_code == status
    assert f"<h1>{title}</h1>" in body
    assert "css/tokens.css" in body
    assert SECRET not in body
    assert "Traceback" not in body
    named = re.search(r"request <code>([^<]+)</code>", body)
    assert named is not None
    assert named[1] == response.headers["X-Request-Id"]


@BROKEN
@pytest.mark.parametrize(
    ("address", "status", "title"),
    [
        ("/broken/", 500, "Something broke here"),
        ("/lost/", 503, "The database does not answer"),
        ("/suspicious/", 400, "Request refused"),
        ("/nowhere/", 404, "Nothing here"),
    ],
)
def test_failures_are_styled_and_say_nothing(
    client: Client, operator: User, address: str, status: int, title: str
) -> None:
    client.force_login(operator)
    assert_is_refusal(client.get(address), status, title)


@BROKEN
def test_the_database_may_be_gone_before_the_view_is_reached(client: Client) -> None:
    """The sign-in middleware asks the database first; its failure is told in the same words."""

    def gone(request: HttpRequest) -> HttpResponse:
        raise OperationalError(SECRET)

    response = DatabaseDownMiddleware(gone)(RequestFactory().get("/signals/"))
    assert response.status_code == 503
    assert b"manage.py kill" in response.content
    assert SECRET.encode() not in response.content


def test_forbidden_and_wrong_method(client: Client, stranger: User, viewer: User) -> None:
    client.force_login(stranger)
    assert_is_refusal(client.get("/signals/"), 403, "Not allowed")
    client.force_login(viewer)
    response = client.post("/signals/")
    assert_is_refusal(response, 405, "Not that way")
    assert response.headers["Allow"] == "GET, HEAD"


def test_a_form_without_its_token(operator: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(operator)
    response = strict.post("/stop/", {"reason": "because"})
    assert_is_refusal(response, 403, "This form is out of date")


def test_htmx_gets_a_fragment_and_not_a_page_in_a_cell(client: Client, viewer: User) -> None:
    client.force_login(viewer)
    response = client.get("/why/none/1/", headers={"HX-Request": "true"})
    body = response.content.decode()
    assert response.status_code == 404
    assert "Nothing here" in body
    assert "<html" not in body


def test_htmx_of_someone_signed_out_leads_the_whole_page_away(client: Client, db: None) -> None:
    response = client.get("/signals/", headers={"HX-Request": "true"})
    assert response.status_code == 401
    assert response.headers["HX-Redirect"] == "/sign-in/"
    assert "Location" not in response.headers


def test_refusals_are_logged_under_their_id(
    client: Client, db: None, caplog: pytest.LogCaptureFixture
) -> None:
    response = client.get("/no%0Awhere/")
    lines = [record.getMessage() for record in caplog.records if "request" in record.name]
    ours = [line for line in lines if response.headers["X-Request-Id"] in line]
    assert len(ours) == 1
    assert "404" in ours[0]
    assert "\n" not in ours[0]


@pytest.mark.parametrize("given", ["<script>", "x" * 65, "a b c d e f g h", "short"])
def test_an_id_from_outside_must_look_like_one(client: Client, db: None, given: str) -> None:
    response = client.get("/sign-in/", headers={"X-Request-Id": given})
    assert response.headers["X-Request-Id"] != given


def test_a_proxys_id_is_kept(client: Client, db: None) -> None:
    response = client.get("/sign-in/", headers={"X-Request-Id": "edge-0123456789"})
    assert response.headers["X-Request-Id"] == "edge-0123456789"


@override_settings(ALLOWED_HOSTS=["elsewhere.example"])
def test_a_wrong_host_is_refused_in_style(client: Client, db: None) -> None:
    assert_is_refusal(client.get("/sign-in/"), 400, "Request refused")
