"""Who reaches what: every address of the site, for everyone. A new address fails until listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.urls import URLPattern, URLResolver, get_resolver

from journal.access import Role
from tests.factories import TOLD, seqs_by_kind, told_in_store
from tests.market_factory import DAYS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.contrib.auth.models import User
    from django.test import Client

PEOPLE = ("anonymous", "stranger", "viewer", "operator", "compliance", "admin")

# What GET answers, in the order of PEOPLE. 302 is the way to the sign-in page; where the admin
# sends someone who is signed in, he is told 403 by the page behind (test_admin_sends_nobody_round).
LOOK = (302, 403, 200, 200, 200, 200)
ASK = (302, 403, 403, 200, 200, 403)
POST_ONLY = (302, 405, 405, 405, 405, 405)
ADMIN_ONLY = (302, 302, 302, 302, 403, 200)
# An object that is not there: the admin goes back to its index, for those who may look.
ADMIN_OBJECT = (302, 302, 302, 302, 403, 302)
NOBODY = (302, 302, 302, 302, 403, 403)
AUDIT = (302, 302, 302, 302, 200, 200)
LOOKED_AT = (302, 302, 302, 302, 302, 302)
EXPECTED: dict[str, tuple[int, ...]] = {
    "": (302, 403, 302, 302, 302, 302),
    "sign-in/": (200, 302, 302, 302, 302, 302),
    "sign-out/": (302, 405, 405, 405, 405, 405),
    "live/": LOOK,
    "metrics": (401, 403, 200, 200, 200, 200),
    "stop/": (302, 403, 403, 200, 403, 403),
    "signals/": LOOK,
    "signals/<slug:session>/<int:seq>/": LOOK,
    "why/<slug:session>/<int:seq>/": LOOK,
    "risk/": LOOK,
    "risk/in-force/": LOOK,
    "risk/portfolio/": LOOK,
    "risk/reconciliation/": LOOK,
    "risk/tell/": POST_ONLY,
    "surface/": LOOK,
    "market/": LOOK,
    "market/coverage/": LOOK,
    "market/rejections/": LOOK,
    "market/files/": LOOK,
    "market/figures/": LOOK,
    "market/uncertain/": LOOK,
    "replay/": LOOK,
    "replay/start/": (302, 405, 405, 405, 405, 405),
    "replay/<uuid:run_id>/": (302, 403, 404, 404, 404, 404),
    "replay/<uuid:run_id>/stop/": (302, 405, 405, 405, 405, 405),
    "journal/": LOOK,
    "journal/<slug:session>/": LOOK,
    "journal/<slug:session>/<int:seq>/": LOOK,
    "journal/<slug:session>/lines/<int:line>/": LOOK,
    "journal/<slug:session>/files/": LOOK,
    "journal/<slug:session>/files/<str:day>.jsonl": ASK,
    "journal/<slug:session>/files/<str:day>.jsonl.gz": (302, 403, 403, 409, 409, 403),
    "journal/<slug:session>/lines.jsonl": (302, 403, 403, 409, 409, 403),
    "journal/<slug:session>/verify/": POST_ONLY,
    "journal/<slug:session>/verifications/<uuid:verification_id>/": (302, 403, 404, 404, 404, 404),
    "journal/<slug:session>/verifications/<uuid:verification_id>/stop/": POST_ONLY,
    "admin/login/": (302, 403, 403, 403, 403, 403),
    "admin/": (302, 302, 302, 302, 200, 200),
    "admin/logout/": (302, 302, 302, 302, 405, 405),
    "admin/password_change/": (302, 302, 302, 302, 200, 200),
    "admin/password_change/done/": (302, 302, 302, 302, 200, 200),
    "admin/autocomplete/": (302, 302, 302, 302, 403, 403),
    "admin/jsi18n/": (302, 302, 302, 302, 200, 200),
    "admin/r/<path:content_type_id>/<path:object_id>/": (302, 302, 302, 302, 404, 404),
    "admin/(?P<url>.*)$": (302, 302, 302, 302, 404, 404),
}


def all_routes(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[str]:
    """Yield the route of every address of the site."""
    for pattern in patterns:
        route = prefix + str(pattern.pattern).removeprefix("^")
        if isinstance(pattern, URLResolver):
            yield from all_routes(pattern.url_patterns, route)
        else:
            yield route


ROUTES = list(dict.fromkeys(all_routes(get_resolver().url_patterns)))


@pytest.fixture(scope="module")
def told() -> Iterator[str]:
    with told_in_store() as name:
        yield name


@pytest.fixture
def everyone(
    stranger: User, viewer: User, operator: User, compliance: User, admin_user: User
) -> dict[str, User | None]:
    people = (None, stranger, viewer, operator, compliance, admin_user)
    return dict(zip(PEOPLE, people, strict=True))


def address(route: str) -> str:
    """Return an address of a route, with values that exist where the site has them."""
    signal = str(seqs_by_kind("signal.emitted")[0][0])
    for part, value in (
        ("<slug:session>", TOLD),
        ("<int:seq>", signal),
        ("<int:line>", signal),
        ("<str:day>", DAYS[0].isoformat()),
        ("<uuid:verification_id>", "00000000-0000-4000-8000-000000000000"),
        ("<uuid:run_id>", "00000000-0000-4000-8000-000000000000"),
        ("<path:object_id>", "999999999"),
        ("<path:content_type_id>", "999999999"),
        ("<id>", "999999999"),
        ("(?P<url>.*)$", "no/such/page/"),
        ("(?P<app_label>auth|axes|journal)/$", "auth/"),
    ):
        route = route.replace(part, value)
    assert not set("<>()$^") & set(route), f"{route}: give its parts values in address()"
    return f"/{route}"


def expected_of(route: str) -> tuple[int, ...] | None:
    """Return what is expected of a route; the admin's own models answer by the kind of page."""
    if route in EXPECTED:
        return EXPECTED[route]
    if route.startswith("admin/journal/event/"):
        # Rows that only the mirror makes: to be looked at, by those who may, and nothing else.
        if route.endswith(("/add/", "/delete/")):
            return NOBODY
        return LOOKED_AT if "<path:object_id>" in route else AUDIT
    if route.startswith(("admin/auth/", "admin/axes/", "admin/(?P<app_label>")):
        if route == "admin/(?P<app_label>auth|axes|journal)/$":
            return (302, 302, 302, 302, 404, 200)
        if route == "admin/auth/user/<id>/password/":
            return (302, 302, 302, 302, 403, 404)
        if route.startswith("admin/axes/") and route.endswith("/add/"):
            return NOBODY  # only a failed attempt makes one
        if route.endswith("/<path:object_id>/"):
            return (302, 302, 302, 302, 302, 302)  # an old address, sent on
        if route.endswith("/history/"):
            return (302, 302, 302, 302, 302, 302)
        return ADMIN_OBJECT if "<path:object_id>" in route else ADMIN_ONLY
    return None


@pytest.mark.parametrize("route", ROUTES)
def test_every_address_answers_each_role_as_listed(
    client: Client, told: str, everyone: dict[str, User | None], route: str
) -> None:
    expected = expected_of(route)
    assert expected is not None, f"{route}: list what each role gets in EXPECTED"
    got = []
    for user in everyone.values():
        client.logout()
        if user is not None:
            client.force_login(user)
        got.append(client.get(address(route)).status_code)
    assert dict(zip(PEOPLE, got, strict=True)) == dict(zip(PEOPLE, expected, strict=True))


def test_nothing_is_listed_that_is_not_there() -> None:
    assert set(EXPECTED) <= set(ROUTES)


def test_admin_sends_nobody_round(client: Client, viewer: User) -> None:
    """A signed-in viewer ends at a refusal, not in a circle of redirects."""
    client.force_login(viewer)
    assert client.get("/admin/", follow=True).status_code == 403


def test_groups_hold_exactly_their_permissions(db: None) -> None:
    held = {
        group.name: sorted(group.permissions.values_list("codename", flat=True))
        for group in Group.objects.all()
    }
    assert held["operator"] == ["look", "stop_trading"]
    assert held["viewer"] == ["look"]
    assert held["compliance"] == ["audit", "look", "view_event"]
    assert set(held) == {role.value for role in Role}


@pytest.mark.django_db(transaction=True)
def test_groups_survive_a_flush_and_lose_what_was_slipped_in() -> None:
    viewer = Group.objects.get(name="viewer")
    viewer.permissions.add(Permission.objects.get(codename="stop_trading"))
    call_command("flush", interactive=False, verbosity=0, reset_sequences=False)
    viewer = Group.objects.get(name="viewer")
    assert list(viewer.permissions.values_list("codename", flat=True)) == ["look"]


def test_a_role_taken_away_is_gone_at_once(client: Client, operator: User, told: str) -> None:
    client.force_login(operator)
    assert client.get("/signals/").status_code == 200
    operator.groups.clear()
    assert client.get("/signals/").status_code == 403


def test_a_closed_account_is_out_at_once(client: Client, operator: User, told: str) -> None:
    client.force_login(operator)
    operator.is_active = False
    operator.save()
    assert client.get("/signals/").status_code == 302
