"""Risk in a real browser: from the navigation to a stop and a second person's approval, by
keyboard; what was in force at an instant.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from journal.kill_file import kill_file
from journal.spool import waiting_commands
from tests.e2e.test_replay import assert_clean_at_every_width
from tests.factories import GOVERNED, governed_in_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.contrib.auth.models import User
    from playwright.sync_api import Page

    Enter = Callable[[User], Page]

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def governed(live_site: str) -> Iterator[Path]:
    """Session `governed` in the audit store; what was told to it and the file KILL are removed."""
    var_dir = Path(os.environ["VAR_DIR"])
    with governed_in_store():
        yield var_dir
    kill_file(var_dir).unlink(missing_ok=True)
    for path in waiting_commands(var_dir=var_dir, session=GOVERNED):
        path.unlink()


def test_a_strategy_is_stopped_and_a_request_approved_by_keyboard(
    enter: Enter, governed: Path, operator: User
) -> None:
    # 1. From anywhere, two keys.
    page = enter(operator)
    page.goto("/journal/")
    page.keyboard.press("g")
    page.keyboard.press("k")
    page.wait_for_url("**/risk/")
    page.goto(f"/risk/?session={GOVERNED}")
    expect(page.locator("#page").get_by_text("SYNTHETIC", exact=True)).to_be_visible()
    switches = page.get_by_role("region", name="Switches")
    expect(switches.get_by_role("row", name=re.compile("^kill switch S4 open"))).to_be_visible()

    # 2. A stop of everything that keeps what is held: opened, filled and sent without the mouse.
    page.get_by_text("Stop everything").first.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("The feed looks wrong")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#live-stopped")).to_have_text("STOPPED")
    text = kill_file(governed).read_text()
    assert text == "hold=yes by operator: The feed looks wrong\n"

    # 3. Another person's wish waits, and is approved with a reason.
    page.goto(f"/risk/?session={GOVERNED}")
    waiting = page.get_by_role("region", name="Waiting")
    expect(waiting.get_by_text("messages_per_second 5 → 7")).to_be_visible()
    waiting.get_by_text("Approve").first.click()
    waiting.get_by_label("Reason").fill("seen and agreed")
    waiting.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("is told: approve")).to_be_visible()
    assert len(waiting_commands(var_dir=governed, session=GOVERNED)) == 2

    # 4. A block leads to its Why.
    blocks = page.get_by_role("region", name="Blocks")
    blocks.get_by_role("link").first.click()
    page.wait_for_url(re.compile(f"/why/{GOVERNED}/"))
    expect(page.get_by_text("kill switch").first).to_be_visible()


def test_the_day_is_chosen_in_the_address(enter: Enter, governed: Path, viewer: User) -> None:
    page = enter(viewer)
    page.goto(f"/risk/?session={GOVERNED}")
    page.get_by_label("Day").select_option("2026-02-26")
    page.wait_for_url(re.compile("day=2026-02-26"))
    expect(page.get_by_role("heading", name="Gates over 2026-02-26")).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("^gate "))).to_have_count(20)
    assert page.locator("#page form[method=post]").count() == 0
    page.reload()
    expect(page.get_by_label("Day")).to_have_value("2026-02-26")
    assert_clean_at_every_width(page)


def test_what_was_in_force_at_an_instant(enter: Enter, governed: Path, viewer: User) -> None:
    page = enter(viewer)
    page.goto(f"/risk/?session={GOVERNED}")
    page.get_by_role("link", name="In force at an instant").click()
    known = page.get_by_role("region", name="In force")
    limit = known.get_by_role("row", name=re.compile("^order lots"))
    expect(limit).to_contain_text("40, opened with 50")
    page.get_by_label("At, IST").fill("2026-02-26T09:05:00")
    page.get_by_label("At, IST").blur()
    page.wait_for_url(re.compile("at=2026-02-26T09"))
    expect(limit).to_contain_text("50")
    expect(limit).not_to_contain_text("opened with")
    assert_clean_at_every_width(page)


def test_the_portfolio_goes_from_gross_to_net_at_an_instant(
    enter: Enter, governed: Path, viewer: User
) -> None:
    # 1. From the tab, the end of the session: what is there goes from expected to net.
    page = enter(viewer)
    page.goto(f"/risk/?session={GOVERNED}")
    page.get_by_role("link", name="Portfolio").click()
    steps = page.get_by_role("region", name="From gross to net")
    expect(steps.get_by_role("row", name=re.compile("^Net [▲▼]"))).to_be_visible()

    # 2. Before the first trade nothing was made, and nothing is drawn.
    page.get_by_label("At, IST").fill("2026-02-26T09:20:00")
    page.get_by_label("At, IST").blur()
    page.wait_for_url(re.compile("at=2026-02-26T09"))
    expect(page.get_by_text("No trade of this session had been made by then.")).to_be_visible()
    expect(steps.locator("rect")).to_have_count(0)

    # 3. At 09:27 a straddle is held: its loss is drawn on one scale, each bar as wide as its figure
    # says, and slippage ends where gross begins.
    page.get_by_label("At, IST").fill("2026-02-26T09:27:00")
    page.get_by_label("At, IST").blur()
    page.wait_for_url(re.compile("at=2026-02-26T09%3A27"))
    expect(steps.get_by_role("row", name="Gross ▼ −91.00")).to_be_visible()
    expect(steps.get_by_role("row", name="Net ▼ −163.74")).to_be_visible()
    gross, charges, net = (
        steps.get_by_role("row", name=re.compile(f"^{name} ")).locator("rect").bounding_box()
        for name in ("Gross", "Charges", "Net")
    )
    assert gross
    assert charges
    assert net
    assert abs(gross["width"] / net["width"] - 9_100 / 16_374) < 0.01
    assert abs(charges["width"] / net["width"] - 7_274 / 16_374) < 0.01
    assert abs(charges["x"] + charges["width"] - gross["x"]) < 1
    assert abs(charges["x"] - net["x"]) < 1

    # 4. One trade's own steps, then why it stands so.
    trades = page.get_by_role("region", name="Trades")
    trades.get_by_role("link", name=re.compile(f"^{GOVERNED}")).first.click()
    page.wait_for_url(re.compile(f"trade={GOVERNED}"))
    expect(page.get_by_role("heading", name=f"From gross to net: {GOVERNED}")).to_be_visible()
    expect(steps.get_by_role("row", name=re.compile("^Funding"))).to_have_count(0)
    assert_clean_at_every_width(page)
    trades.locator("a[href^='/why/']").first.click()
    page.wait_for_url(re.compile(f"/why/{GOVERNED}/"))
    expect(page.get_by_text("POSITION").first).to_be_visible()


@pytest.mark.parametrize("size", [(1440, 900), (1024, 768), (390, 844)])
def test_open_forms_are_clean_and_fit(
    enter: Enter, governed: Path, operator: User, size: tuple[int, int]
) -> None:
    page = enter(operator)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(f"/risk/?session={GOVERNED}")
    page.get_by_text("Stop everything").first.click()
    page.get_by_text("Approve").first.click()
    assert_clean_at_every_width(page)
    pictures = os.environ.get("BRAHMASTRA_PICTURES")
    if pictures:
        for address, name in (("", "risk"), ("in-force/", "in-force"), ("portfolio/", "portfolio")):
            page.goto(f"/risk/{address}?session={GOVERNED}")
            page.set_viewport_size({"width": size[0], "height": size[1]})
            page.screenshot(path=f"{pictures}/{name}-{size[0]}.png")
