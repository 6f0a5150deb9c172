"""Comparisons that found differences, as a browser receives them."""

from __future__ import annotations

import re
from contextlib import ExitStack
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest

from tests.trading.disputed import FIRST, STRAY, disputed
from tests.trading.test_live_kill import told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from django.contrib.auth.models import User
    from django.test import Client

    from tests.trading.disputed import Disputed

    Dispute = Callable[..., Disputed]


@pytest.fixture
def dispute(var_dir: Path, tmp_path: Path) -> Iterator[Dispute]:
    """Begins a disputed session. It is older than the test's transaction, which has read its rows
    and must be over before they are dropped.
    """
    with ExitStack() as closing:
        yield lambda **how: closing.enter_context(disputed(var_dir, tmp_path, **how))


@pytest.fixture
def desk(dispute: Dispute, client: Client, viewer: User) -> Client:
    client.force_login(viewer)
    return client


def words(html: str) -> str:
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", html).split()))


def page_of(client: Client, session: Disputed, asked: str = "") -> str:
    """The page by the log as it is on disk."""
    session.mirror()
    response = client.get(f"/risk/reconciliation/?session={session.name}{asked}")
    assert response.status_code == 200
    return response.content.decode()


def standing(page: str) -> str:
    """What the page says of entries."""
    found = re.search(r'<section aria-labelledby="standing-title">(.*?)</section>', page, re.DOTALL)
    assert found
    return words(found[1])


def rows(page: str) -> list[str]:
    """The rows of orders and contracts, the newest comparison first."""
    each = re.findall(r"<tr>\s*<td></td>(.*?)</tr>", page, re.DOTALL)
    return [words(row) for row in each]


def accept(session: Disputed) -> None:
    """Two people accept what the last comparison found; held a minute later."""
    reconciliation = session.open_reconciliation()
    way = ("tell", session.name, "accept", reconciliation, "--reason", "known", "--actor", "asha")
    asked = told(session.var_dir, *way)
    way = ("tell", session.name, "approve", asked["id"], "--reason", "seen", "--actor", "ravi")
    told(session.var_dir, *way)
    session.go_to(FIRST + 2)


def test_a_holding_nobody_knows_stands_beside_the_book(dispute: Dispute, desk: Client) -> None:
    session = dispute()
    session.go_to(FIRST + 1)
    for asked in ("", "&only=differences"):
        page = page_of(desk, session, asked)
        assert rows(page) == ["NIFTY 2026-03-02 25,300.00 CE 65 units 0 units DIFFERS"]
        assert "1 differ, nothing is entered" in words(page)
        (compared,) = session.events("book.reconciled")
        assert f"Nothing is entered : 1 differ in {compared.public_id}" in standing(page)
        assert f'/why/{session.name}/{compared.seq}/"' in page


def test_what_was_accepted_may_differ_and_lets_entries_in(dispute: Dispute, desk: Client) -> None:
    session = dispute()
    session.go_to(FIRST + 1)
    accept(session)
    page = page_of(desk, session)
    assert rows(page)[0] == "NIFTY 2026-03-02 25,300.00 CE may differ by 65 units"
    assert "accepted by asha, approved by ravi: known" in words(page)
    assert standing(page).startswith("Entries Open, as far as book and broker go: what differed")

    # Compared again, it is named and holds nothing back; the address can leave it out.
    told(session.var_dir, "tell", session.name, "reconcile", "--reason", "once more")
    session.go_to(FIRST + 3)
    page = page_of(desk, session)
    assert rows(page)[0] == "NIFTY 2026-03-02 25,300.00 CE 65 units 0 units ACCEPTED"
    assert "no difference is open" in standing(page)
    narrowed = page_of(desk, session, "&only=differences")
    assert len(rows(narrowed)) == len(rows(page)) - 1
    assert standing(narrowed) == standing(page), "how it stands is not filtered"


def test_orders_that_never_came_in_stand_beside_the_broker_that_does_not_work_them(
    dispute: Dispute, desk: Client
) -> None:
    session = dispute(way="lost", stray=0)
    session.go_to(FIRST + 1)
    told(session.var_dir, "tell", session.name, "reconcile", "--reason", "no answer comes")
    session.go_to(FIRST + 2)
    found = rows(page_of(desk, session))
    intents = [each for each in session.events("order.intended") if each.data["purpose"] == "entry"]
    assert len(found) == len(intents) == 2
    for row, intent in zip(sorted(found), intents, strict=True):
        side, quantity = intent.data["side"], intent.data["quantity"]
        assert row.startswith(f"order {intent.data['order']} {side} NIFTY 2026-03-02 ")
        assert row.endswith(f"does not work 0 of {quantity} filled NOT_AT_BROKER")


def test_a_broker_that_is_gone_holds_entries_back_and_nothing_can_be_accepted(
    dispute: Dispute, client: Client, operator: User
) -> None:
    client.force_login(operator)
    session = dispute(stray=0)
    assert "no difference is open" in standing(page_of(client, session))
    session.exchange.stop()
    told(session.var_dir, "tell", session.name, "reconcile", "--reason", "is it there")
    session.go_to(2)
    page = page_of(client, session)
    assert "Nothing is entered : socket could not be asked: " in standing(page)
    assert "; socket could not be asked: " in words(page)
    assert 'value="accept"' not in page
    assert 'value="reconcile"' in page


def test_before_a_comparison_nothing_is_held_back(dispute: Dispute, desk: Client) -> None:
    page = page_of(desk, dispute(keeps_book=False))
    assert "were not compared yet: they hold no entry back" in standing(page)
    assert "Nothing was compared" in words(page)
    assert rows(page) == []


def test_it_costs_few_queries(
    dispute: Dispute, desk: Client, django_assert_max_num_queries: Any
) -> None:
    session = dispute()
    session.mirror()
    # Session, user with roles, mirror, parity; sessions, days, standing, comparisons, changes,
    # end, the first features.
    with django_assert_max_num_queries(12):
        page = page_of(desk, session)
    assert STRAY.split()[1] in page
