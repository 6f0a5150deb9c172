"""Book and broker in a real browser: a difference holds entries back, one person asks for it to be
accepted and cannot approve it, another does, and the session enters again.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.e2e.test_replay import assert_clean_at_every_width
from tests.trading.disputed import FIRST, SECOND, disputed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.contrib.auth.models import User
    from playwright.sync_api import Page

    from tests.trading.disputed import Disputed

    Enter = Callable[[User], Page]

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def session(live_site: str, tmp_path: Path) -> Iterator[Disputed]:
    """A session that runs in the site's own `VAR_DIR`, held after its first entry was refused."""
    with disputed(Path(os.environ["VAR_DIR"]), tmp_path) as session:
        session.go_to(FIRST + 1)
        yield session


def open_page(page: Page, session: Disputed) -> None:
    """The page, by the log as it is on disk."""
    session.mirror()
    page.goto(f"/risk/reconciliation/?session={session.name}")


def tell(page: Page, label: str, reason: str) -> None:
    """Open a form, give a reason and send it."""
    page.get_by_text(label, exact=True).first.click()
    form = page.locator("details[open]")
    form.get_by_label("Reason").fill(reason)
    form.get_by_role("button", name=label).click()


def test_a_difference_is_accepted_by_two_people_and_entries_open_again(
    enter: Enter, session: Disputed, operator: User, compliance: User
) -> None:
    # 1. What differs, both sides beside each other, and what that does.
    page = enter(operator)
    open_page(page, session)
    region = page.get_by_role("region", name="Book and broker")
    row = region.get_by_role("row", name=re.compile("25,300.00 CE"))
    expect(row).to_contain_text(re.compile(r"65 units\s+0 units\s+DIFFERS"))
    entries = page.get_by_role("region", name="Entries")
    expect(entries.get_by_text("Nothing is entered")).to_be_visible()
    assert_clean_at_every_width(page)
    assert session.events("order.submitted") == []

    # 2. One person asks, and is offered no approval of it.
    tell(page, "Accept what differs", "held by the family office")
    expect(page.get_by_text(f"{session.name} is told: accept")).to_be_visible()
    session.go_to(FIRST + 2)
    open_page(page, session)
    expect(entries.get_by_text("(another person approves)")).to_be_visible()
    expect(entries.get_by_text("Approve", exact=True)).to_have_count(0)
    expect(entries.get_by_text("Nothing is entered")).to_be_visible()

    # 3. Another approves.
    page = enter(compliance)
    open_page(page, session)
    assert_clean_at_every_width(page)
    tell(page, "Approve", "the statement was seen")
    expect(page.get_by_text(f"{session.name} is told: approve")).to_be_visible()
    session.go_to(FIRST + 3)
    open_page(page, session)
    expect(entries).to_contain_text("Open, as far as book and broker go")
    expect(entries.get_by_text("Nothing is entered")).to_have_count(0)
    expect(region).to_contain_text("accepted by operator, approved by compliance")
    assert_clean_at_every_width(page)

    # 4. The next signal is entered.
    session.go_to(SECOND + 1)
    assert session.events("order.submitted")
