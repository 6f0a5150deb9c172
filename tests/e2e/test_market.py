"""The market page in a real browser: what is held, a line by day, refused rows, figures."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.e2e.test_replay import assert_clean_at_every_width
from tests.market_rows import at, chain_rows, store_rows
from tests.trading.market.conftest import WriteFile, snapshot, write_file
from trading.market.services import market_import
from trading.market.synthetic.services import market_synthesise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.contrib.auth.models import User
    from playwright.sync_api import Page

    Enter = Callable[[User], Page]

__all__ = ["write_file"]

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
LINE = "chain_snapshots.NIFTY.intraday"


@pytest.fixture
def market(live_site: str, write_file: WriteFile) -> Iterator[Path]:
    """A store where the site looks: a synthetic day, a recorded one, and sixty refused rows."""
    root = Path(os.environ["VAR_DIR"]) / "market"
    aside = root.with_name("market-aside")
    with ExitStack() as after:
        if root.exists():
            root.rename(aside)
            after.callback(aside.rename, root)
        after.callback(shutil.rmtree, root)
        day = date(2026, 2, 23)
        market_synthesise(root=root, seed=7, from_date=day, to_date=day)
        rows = [*snapshot(), *(row for _ in range(15) for row in snapshot(Symbol="SENSEX"))]
        market_import(root=root, paths=[write_file("chain.parquet", rows)])
        wednesday = at(date(2026, 2, 25), "10:00")
        store_rows(root, "chain_snapshots", chain_rows(wednesday), name="recorded")
        yield root


@pytest.mark.usefixtures("told", "market")
def test_from_what_is_held_to_a_gap_by_keyboard(enter: Enter, viewer: User) -> None:
    # 1. g m leads there; what was made up is marked by hatch and word.
    page = enter(viewer)
    page.goto("/signals/")
    page.keyboard.press("g")
    page.keyboard.press("m")
    page.wait_for_url("**/market/")
    row = page.locator("#row-chain_snapshots")
    expect(row).to_contain_text("SYNTHETIC")
    expect(row).to_have_class(re.compile("synthetic"))
    hatch = row.evaluate("row => getComputedStyle(row).backgroundImage")
    assert "repeating-linear-gradient" in hatch
    expect(row).to_contain_text("market days behind")

    # 2. j walks the rows, Enter opens the days of a line.
    expect(page.locator("#row-spot_bars")).to_be_visible()
    page.keyboard.press("j")
    for _ in range(40):
        if page.evaluate("() => document.activeElement.textContent") == "Chain snapshots":
            break
        page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/market/coverage/\?line=chain_snapshots\.NIFTY\.intraday"))
    full = page.locator(".days td[title^='2026-02-23']")
    expect(full).to_have_attribute("data-level", "full")
    gap = page.locator("section", has=page.locator("#gaps-title"))
    expect(gap).to_contain_text("2026-02-24")

    # 3. A range is typed; the address keeps it, and Back takes it away.
    page.keyboard.press("/")
    page.get_by_label("From").fill("2026-02-24")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("from=2026-02-24"))
    expect(full).to_have_count(0)
    expect(page.locator("#gaps-title")).to_contain_text("1 gap")
    page.go_back()
    expect(full).to_have_count(1)


@pytest.mark.usefixtures("told", "market")
def test_refused_rows_are_narrowed_and_paged(enter: Enter, viewer: User) -> None:
    page = enter(viewer)
    page.goto("/market/files/")
    page.get_by_role("link", name="60", exact=True).click()
    page.wait_for_url(re.compile(r"/market/rejections/\?file=[0-9a-f]{64}$"))
    expect(page.locator("tbody tr")).to_have_count(50)
    page.get_by_role("combobox", name="Reason").select_option("UNKNOWN_UNDERLYING")
    expect(page).to_have_url(re.compile("reason=UNKNOWN_UNDERLYING"))
    page.get_by_role("link", name="Older ›").click()
    expect(page.locator("#shown")).to_contain_text("10 of 60 refused rows")
    expect(page.locator("tbody tr")).to_have_count(10)


@pytest.mark.usefixtures("told")
def test_an_unconfirmed_figure_is_marked(enter: Enter, viewer: User) -> None:
    page = enter(viewer)
    page.goto("/market/figures/?day=2026-11-26")
    figure = page.get_by_role("row", name=re.compile("Freeze quantity")).first
    mark = figure.locator(".tag-unconfirmed")
    expect(mark).to_have_text("UNCONFIRMED")
    warn = mark.evaluate(
        "mark => [getComputedStyle(mark).color,"
        " getComputedStyle(document.querySelector('.pager .warn')).color]"
    )
    assert warn[0] == warn[1]
    page.get_by_role("searchbox", name="Day").fill("2026-03-03")
    page.keyboard.press("Enter")
    expect(page.get_by_role("row", name=re.compile("Market day"))).to_contain_text("no: Holi")
    page.get_by_role("link", name="Every uncertain figure").click()
    page.wait_for_url("**/market/uncertain/")
    expect(page.locator(".tag-unconfirmed").first).to_be_visible()


@pytest.mark.usefixtures("told", "market")
def test_without_javascript_everything_is_there(
    enter: Enter, viewer: User, page: Page, live_site: str
) -> None:
    cookies = enter(viewer).context.cookies()
    browser = page.context.browser
    assert browser is not None
    bare = browser.new_context(java_script_enabled=False, base_url=live_site)
    try:
        bare.add_cookies(cookies)  # type: ignore[arg-type]
        plain = bare.new_page()
        plain.goto(f"/market/coverage/?line={LINE}")
        plain.get_by_label("From").fill("2026-02-25")
        plain.get_by_role("button", name="Show").click()
        assert "from=2026-02-25" in plain.url
        expect(plain.locator(".days td[data-level]").first).to_have_attribute(
            "title", re.compile("02-25")
        )
    finally:
        bare.close()


@pytest.mark.usefixtures("told", "market")
def test_pages_are_clean_at_every_width(enter: Enter, operator: User) -> None:
    page = enter(operator)
    for address in (
        "/market/",
        "/market/coverage/",
        f"/market/coverage/?line={LINE}",
        "/market/coverage/?line=gold&from=soon",
        "/market/rejections/",
        "/market/rejections/?reason=NEVER",
        "/market/files/",
        "/market/figures/?day=2026-11-26",
        "/market/uncertain/",
    ):
        page.goto(address)
        assert_clean_at_every_width(page)
