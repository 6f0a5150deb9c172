"""A day at the desk in a real browser: sign in, look, ask why, watch, lose the connection."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.bed import free_port
from tests.conftest import PASSWORD, daphne_at
from tests.journal.log_bed import frame, open_log

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.contrib.auth.models import User
    from playwright.sync_api import Page

    Enter = Callable[[User], Page]

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


def test_from_the_sign_in_to_why_by_click_and_back_by_escape(
    page: Page, told: str, operator: User
) -> None:
    # 1. Signed out, every address leads to the form, which leads back.
    page.goto("/signals/?fired=yes")
    page.get_by_label("Username").fill("operator")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/signals/?fired=yes")

    # 2. A row opens Why beside the list, at an address of its own.
    page.locator("a.row-link").first.click()
    panel = page.locator("#why .why")
    expect(panel).to_be_visible()
    expect(page).to_have_url(re.compile(rf"/signals/{told}/\d+/\?"))
    expect(panel.locator("[data-stage=CONDITIONS]")).to_be_visible()
    expect(page.locator("tr[aria-current=true]")).to_have_count(1)

    # 3. A card opens to the event on disk.
    panel.locator("details.raw summary", has_text="event signal.emitted").click()
    expect(panel.get_by_text("its bytes hash to this hash")).to_be_visible()

    # 4. The copied address shows the same in a fresh tab.
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.locator("#why .why")).to_be_visible()
    other.close()

    # 5. Escape closes, the filters stay, focus goes back to the row.
    page.keyboard.press("Escape")
    expect(panel).to_have_count(0)
    expect(page).to_have_url(re.compile(r"/signals/\?.*fired=yes"))
    expect(page.locator("a.row-link").first).to_be_focused()

    # 6. Back opens it again.
    page.go_back()
    expect(page.locator("#why .why")).to_be_visible()


def test_everything_by_keyboard(enter: Enter, told: str, viewer: User) -> None:
    page = enter(viewer)
    page.goto("/journal/")
    page.keyboard.press("g")
    page.keyboard.press("s")
    page.wait_for_url("**/signals/")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("j")
    expect(page.locator("a.row-link").nth(1)).to_be_focused()
    page.keyboard.press("w")
    expect(page.locator("#why .why")).to_be_visible()
    expect(page.locator("#why-title")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".spine .link").first.locator(":focus")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator("#why .why")).to_have_count(0)

    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    # Closing gives the focus back in a task of its own: a hand is never as fast as this.
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")

    page.keyboard.press("/")
    expect(page.get_by_label("Session")).to_be_focused()
    page.keyboard.press("w")  # typing in a field: no key is a command
    expect(page.locator("#why .why")).to_have_count(0)


def test_single_keys_can_be_switched_off(enter: Enter, told: str, viewer: User) -> None:
    page = enter(viewer)
    page.goto("/signals/")
    page.keyboard.press("?")
    page.get_by_label("Switch single keys off").check()
    page.keyboard.press("Escape")
    page.keyboard.press("w")
    page.wait_for_timeout(300)
    expect(page.locator("#why .why")).to_have_count(0)


def test_filters_live_in_the_address(enter: Enter, told: str, viewer: User) -> None:
    page = enter(viewer)
    page.goto("/signals/")
    page.get_by_label("Gates").select_option("refused")
    expect(page).to_have_url(re.compile("verdict=refused"))
    expect(page.locator("tbody tr").first).to_contain_text("blocked by gate 2 session window")
    page.get_by_label("Underlying").select_option("BANKNIFTY")
    expect(page.get_by_role("cell", name="NIFTY", exact=True)).to_have_count(0)
    page.go_back()
    expect(page).not_to_have_url(re.compile("BANKNIFTY"))
    expect(page.get_by_label("Underlying")).to_have_value("")


@pytest.mark.usefixtures("push_process")
def test_a_live_cell_moves_while_events_are_written(enter: Enter, viewer: User) -> None:
    session = f"live-{os.getpid()}"
    with open_log(Path(os.environ["VAR_DIR"]), session) as log:
        log.open_day("2025-08-29")
        log.commit([frame(session, 1)])
        page = enter(viewer)
        page.goto("/journal/")
        expect(page.locator("#live-nifty")).to_have_text("24,500.00")
        expect(page.locator("body")).to_have_attribute("data-live", "live")
        moved = frame(session, 2)
        moved.data["chain"][0]["forward_paise"] = 2_451_025
        log.commit([moved])
        expect(page.locator("#live-nifty")).to_have_text("24,510.25", timeout=2000)
        expect(page.locator("#live-nifty")).to_have_attribute("data-seq", "2")

        # Paused, nothing moves; resumed, the page catches up at once.
        page.locator("#pulse").click()
        expect(page.locator("#banner")).to_contain_text("paused")
        later = frame(session, 3)
        later.data["chain"][0]["forward_paise"] = 2_452_000
        log.commit([later])
        page.wait_for_timeout(800)
        expect(page.locator("#live-nifty")).to_have_text("24,510.25")
        page.locator("#pulse").click()
        expect(page.locator("#live-nifty")).to_have_text("24,520.00")


def test_without_push_the_page_says_its_figures_are_stale(enter: Enter, viewer: User) -> None:
    page = enter(viewer)
    page.goto("/journal/")
    expect(page.locator("#banner")).to_contain_text("not current", timeout=6000)
    expect(page.locator("body")).to_have_attribute("data-live", "stale")


def test_a_lost_site_is_said_within_seconds_and_forgotten_when_it_is_back(
    live_site: str, page: Page, enter: Enter, viewer: User, expected_complaints: list[str]
) -> None:
    expected_complaints += ["WebSocket connection", "htmx:", "net::", "[object Event]"]
    enter(viewer)
    port = free_port()
    with daphne_at(port) as (address, process):
        page.goto(f"{address}/journal/")
        expect(page.locator("#pulse-text")).to_contain_text(re.compile("live|stale"))
        process.kill()
        expect(page.locator("#banner")).to_contain_text("Disconnected", timeout=3000)
        expect(page.locator(".footline")).to_be_hidden()
    with daphne_at(port):
        expect(page.locator("body")).to_have_attribute(
            "data-live", re.compile("live|stale"), timeout=12_000
        )


def test_signing_out_elsewhere_stops_the_figures(enter: Enter, viewer: User) -> None:
    page = enter(viewer)
    page.goto("/journal/")
    page.get_by_text("viewer", exact=True).first.click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in/")
    page.goto("/journal/")
    page.wait_for_url("**/sign-in/?next=/journal/")


def test_the_stop_asks_for_a_reason_first(enter: Enter, operator: User, told: str) -> None:
    page = enter(operator)
    page.goto("/signals/")
    page.get_by_role("button", name="STOP TRADING").click()
    dialog = page.get_by_role("dialog", name="Stop trading")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_label("Reason")).to_be_focused()
    dialog.get_by_role("button", name="Stop trading").click()
    expect(dialog).to_be_visible()  # the browser will not send a form without its reason
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("button", name="STOP TRADING")).to_be_focused()


def test_the_stop_stops(enter: Enter, operator: User, told: str) -> None:
    kill = Path(os.environ["VAR_DIR"]) / "KILL"
    page = enter(operator)
    page.goto("/signals/")
    page.get_by_role("button", name="STOP TRADING").click()
    page.get_by_label("Reason").fill("The feed looks wrong")
    try:
        page.get_by_role("dialog").get_by_role("button", name="Stop trading").click()
        expect(page.get_by_text("Trading is stopped.")).to_be_visible()
        expect(page.locator("#live-stopped")).to_have_text("STOPPED")
        assert "operator: The feed looks wrong" in kill.read_text()
    finally:
        kill.unlink(missing_ok=True)


def test_refusals_are_pages_too(enter: Enter, viewer: User, expected_complaints: list[str]) -> None:
    expected_complaints += ["status of 404", "status of 403"]
    page = enter(viewer)
    page.goto("/nowhere/")
    expect(page.get_by_role("heading", name="Nothing here")).to_be_visible()
    expect(page.get_by_text(re.compile("request [0-9a-f]{16}"))).to_be_visible()
    page.goto("/stop/")
    expect(page.get_by_role("heading", name="Not allowed")).to_be_visible()
