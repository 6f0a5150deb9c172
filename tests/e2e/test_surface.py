"""The surface in a real browser: chosen, walked through, read without scripts; accessible."""

from __future__ import annotations

import os
import re
import shutil
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.e2e.test_accessibility import WIDTHS
from tests.e2e.test_replay import assert_clean_at_every_width
from trading.market.synthetic.services import market_synthesise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.contrib.auth.models import User
    from playwright.sync_api import Browser, Page

    Enter = Callable[[User], Page]

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
DAY = date(2026, 2, 26)
NOON = "/surface/?underlying=NIFTY&at=2026-02-26T12:00:00"


@pytest.fixture
def market() -> Iterator[None]:
    """A synthetic day in the `VAR_DIR` the live site looks into."""
    var_dir = Path(os.environ["VAR_DIR"])
    market_synthesise(
        root=var_dir / "market", seed=7, from_date=DAY, to_date=DAY, cadence_minutes=15
    )
    yield
    for name in ("market", "surfaces"):
        shutil.rmtree(var_dir / name, ignore_errors=True)


def test_from_the_navigation_to_another_expiry_and_the_next_snapshot(
    enter: Enter, market: None, viewer: User
) -> None:
    # 1. By keyboard from anywhere: the newest chain of NIFTY.
    page = enter(viewer)
    page.goto("/signals/")
    page.keyboard.press("g")
    page.keyboard.press("u")
    page.wait_for_url("**/surface/")
    expect(page.get_by_role("heading", name=re.compile("Smile of"))).to_be_visible()
    expect(page.locator("#page").get_by_text("SYNTHETIC", exact=True)).to_be_visible()

    # 2. Another underlying and profile, chosen in the form: both are in the address.
    page.get_by_label("Underlying").select_option("BANKNIFTY")
    page.get_by_label("Profile").select_option("fast")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url(re.compile("underlying=BANKNIFTY.*profile=fast"))
    expect(page.get_by_text("η 0.25")).to_be_visible()

    # 3. A row of the table is an expiry; the address goes on, and so does the snapshot.
    page.goto(NOON)
    page.get_by_role("link", name="2026-03-10").click()
    expect(page.get_by_role("heading", name="Smile of 2026-03-10")).to_be_visible()
    page.get_by_role("link", name="Later").click()
    expect(page.get_by_role("heading", name="Smile of 2026-03-10")).to_be_visible()
    assert "12%3A00%3A02" in page.url
    page.go_back()
    expect(page.get_by_label("At, IST")).to_have_value("2026-02-26T12:00")

    # 4. Every plot is one picture with a name, and its figures stand in a table.
    expect(page.get_by_role("img")).to_have_count(4)
    page.get_by_text("The quotes as a table").click()
    expect(page.get_by_role("region", name="Quotes")).to_be_visible()
    page.get_by_text("The fits as a table").click()
    expect(page.get_by_role("region", name="Fits of the day").get_by_role("link")).to_have_count(2)
    page.get_by_text("The law as a table").click()
    assert_clean_at_every_width(page)
    for width, height in WIDTHS:
        page.set_viewport_size({"width": width, "height": height})
        for place in (".surface", ".plots > section"):
            for part in page.locator(place).all():
                wide = part.evaluate("(part) => part.scrollWidth - part.clientWidth")
                assert wide <= 0, f"{place} is {wide} px too wide in a window of {width}"


def test_refusals_are_clean_too(enter: Enter, market: None, viewer: User) -> None:
    page = enter(viewer)
    page.goto("/surface/?at=2026-02-26T09:00:00")
    expect(page.get_by_role("heading", name="No surface here")).to_be_visible()
    assert_clean_at_every_width(page)
    page.get_by_role("link", name="Show the newest chain").click()
    expect(page.get_by_role("heading", name=re.compile("Density of"))).to_be_visible()


def test_without_scripts_it_is_all_there(
    browser: Browser, enter: Enter, live_site: str, market: None, viewer: User
) -> None:
    cookies = enter(viewer).context.cookies()
    context = browser.new_context(java_script_enabled=False, base_url=live_site)
    context.add_cookies(cookies)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(NOON)
    page.get_by_role("combobox", name="Expiries").select_option("1")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("of 1 expiry")).to_be_visible()
    page.get_by_text("The quotes as a table").click()
    expect(page.get_by_role("region", name="Quotes")).to_be_visible()
    context.close()
