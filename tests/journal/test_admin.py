"""The event table in the admin: to look at, never to change, and fast when it is large."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape

from journal import admin as journal_admin
from journal import mirror
from journal.log.reader import read_session
from journal.log.session import ID_STRIDE
from journal.models import Event
from tests.journal.log_bed import write_log

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg
    from django.contrib.auth.models import User
    from django.test import Client

    Connection = psycopg.Connection[Any]

LIST = "/admin/journal/event/"
ONE = f"/admin/journal/event/{ID_STRIDE + 9}/change/"


# `log` comes before `db` in every test: the store is emptied after the test's transaction ended.
@pytest.fixture
def log(var_dir: Path, mirror_role: Connection) -> Path:
    """Two sessions in the store; the first one's directory."""
    directories = [write_log(var_dir, name, days=2, events=20) for name in ("day1", "day2")]
    for directory in directories:
        mirror.catch_up(mirror_role, directory)
    return directories[0]


@pytest.fixture
def auditor(log: Path, compliance: User, client: Client) -> Client:
    """Someone of compliance, signed in."""
    client.force_login(compliance)
    return client


def shown(page: str) -> list[str]:
    """Return the public ids a list page shows, in order."""
    return re.findall(r'<a href="/admin/journal/event/\d+/change/[^"]*">([^<]+)</a>', page)


def get(client: Client, url: str, **query: str) -> str:
    response = client.get(url, query)
    assert response.status_code == 200, response
    return response.content.decode()


def test_the_newest_come_first(auditor: Client) -> None:
    page = get(auditor, LIST)
    ids = shown(page)
    assert ids[:2] == ["day2.42", "day2.41"]
    assert len(ids) == 88
    assert "29 Aug 2025 09:00:00.000042 IST" in page
    assert "S4:BANKNIFTY" in page


@pytest.mark.parametrize(
    ("query", "first", "count"),
    [
        ({"session": "1"}, "day1.42", 44),
        ({"session": "3"}, None, 0),
        ({"session": "x"}, None, 0),
        ({"kind": "market.frame"}, "day2.22", 4),
        ({"kind": "market.frame", "session": "1"}, "day1.22", 2),
        ({"kind": "nonsense"}, None, 0),
        ({"q": "day1.7"}, "day1.7", 1),
        ({"q": "7"}, "day2.7", 2),
        ({"q": " log.opened "}, "day2:23", 4),
        ({"q": "S4:NIFTY"}, "day2.41", 40),
        ({"q": "S4"}, None, 0),
        ({"q": "nobody.7"}, None, 0),
        ({"q": "day1.99999999999999999999999"}, None, 0),
        ({"q": "'; DROP TABLE audit.event; --"}, None, 0),
        ({"id__lt": str(ID_STRIDE + 3)}, "day1.1", 2),
    ],
)
def test_filters_and_search(
    auditor: Client, query: dict[str, str], first: str | None, count: int
) -> None:
    ids = shown(get(auditor, LIST, **query))
    assert len(ids) == count
    assert (ids[0] if ids else None) == first


def test_an_event_is_shown_with_its_exact_line_and_hash(auditor: Client, log: Path) -> None:
    line = next(line for line in read_session(log) if line.line == 9)
    page = get(auditor, ONE)
    assert line.hash in page
    assert line.prev in page
    assert f"byte {line.offset}, {line.length} bytes with the newline" in page
    assert "The exact line the hash is of." in page
    assert escape(line.raw[:-1].decode()) in page
    assert "day1.7" in page
    assert "29 Aug 2025 09:00:00.000008 IST" in page
    summarised = get(auditor, f"/admin/journal/event/{ID_STRIDE + 2}/change/")
    assert "summary of this kind" in summarised


@pytest.mark.parametrize("person", ["compliance", "admin_user"])
def test_nothing_can_be_changed(
    log: Path, client: Client, person: str, request: pytest.FixtureRequest
) -> None:
    client.force_login(request.getfixturevalue(person))
    page, stored = get(client, ONE), Event.objects.values_list().get(id=ID_STRIDE + 9)
    assert "Save" not in page
    assert "/delete/" not in page
    assert "/event/add/" not in get(client, LIST)
    for url in (LIST + "add/", ONE.replace("/change/", "/delete/")):
        assert client.get(url).status_code == 403
        assert client.post(url, {"post": "yes"}).status_code == 403
    assert client.post(ONE, {"file": "x"}).status_code == 403
    action = {"action": "delete_selected", "_selected_action": str(ID_STRIDE + 9), "post": "yes"}
    assert client.post(LIST, action).status_code == 403
    assert Event.objects.values_list().get(id=ID_STRIDE + 9) == stored


@pytest.mark.parametrize("person", ["operator", "viewer", "stranger"])
def test_others_do_not_see_it(
    log: Path, client: Client, person: str, request: pytest.FixtureRequest
) -> None:
    client.force_login(request.getfixturevalue(person))
    for url in (LIST, ONE, "/admin/"):
        assert client.get(url).status_code in {302, 403}
    client.logout()
    assert client.get(LIST).status_code == 302


def test_staff_without_the_permission_do_not_see_it(
    log: Path, client: Client, operator: User
) -> None:
    operator.is_staff = True
    operator.save()
    client.force_login(operator)
    assert client.get(LIST).status_code == 403
    assert client.get(ONE).status_code == 403


@pytest.mark.parametrize(
    "query", [{}, {"session": "1"}, {"kind": "signal.emitted"}, {"q": "day1.7"}, {"q": "S4:NIFTY"}]
)
def test_a_list_costs_few_queries_and_counts_nothing_unbounded(
    auditor: Client, query: dict[str, str]
) -> None:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        get(auditor, LIST, **query)
    asked = [entry["sql"] for entry in captured.captured_queries]
    assert len(asked) <= 9  # signing in 3, filters 1, count 1, rows 1, and two for <session>.<seq>
    for sql in asked:
        if "COUNT(" in sql:
            assert "LIMIT 10001" in sql
        assert "DISTINCT" not in sql
        assert "LIKE" not in sql
        assert "UPPER(" not in sql


def test_beyond_the_bound_one_goes_on_by_key(
    auditor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_admin, "COUNTED_ROWS", 30)
    monkeypatch.setattr(journal_admin.EventAdmin, "list_per_page", 10)
    page = get(auditor, LIST, session="1", p="3")
    assert shown(page)[-1] == "day1.14"
    assert "There are more rows than these pages reach." in page
    assert "?p=4" not in page
    older = re.search(r'<a href="\?([^"]*)">Older than the last row shown', page)
    assert older is not None
    query = dict(part.split("=") for part in older.group(1).replace("&amp;", "&").split("&"))
    assert query["session"] == "1"
    assert "p" not in query
    page = get(auditor, LIST, **query)
    assert shown(page)[0] == "day1.13"
    assert "more rows than" not in page


def test_no_page_of_the_admin_has_inline_style_or_script(auditor: Client) -> None:
    for url in (LIST, ONE, "/admin/", reverse("admin:journal_event_history", args=[ID_STRIDE + 9])):
        page = get(auditor, url)
        assert "<style" not in page
        assert " style=" not in page
        assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)", page)
        assert not re.search(r"\son[a-z]+=", page)


def test_an_event_that_is_not_there(auditor: Client) -> None:
    response = auditor.get(f"/admin/journal/event/{9 * ID_STRIDE}/change/")
    assert response.status_code == 302
    assert auditor.get("/admin/journal/event/x/change/").status_code == 302
