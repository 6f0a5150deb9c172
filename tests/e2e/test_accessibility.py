"""No page breaks WCAG 2.2 A or AA as far as a machine can tell, in any of its states or widths."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.factories import seqs_by_kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.contrib.auth.models import User
    from playwright.sync_api import Page

    Enter = Callable[[User], Page]

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
WIDTHS = [(1440, 900), (1024, 768), (390, 844), (320, 640)]


def assert_clean(page: Page) -> None:
    results = Axe().run(page, options=RULES)
    assert results.violations_count == 0, results.generate_report()


def signal() -> int:
    return next(seq for seq, data in seqs_by_kind("signal.emitted") if not data["fired"])


def gate() -> int:
    return next(seq for seq, data in seqs_by_kind("gate.decided") if data["verdict"] == "pass")


def addresses(told: str) -> list[str]:
    return [
        "/signals/",
        "/signals/?verdict=admitted",
        "/signals/?strategy=S7",
        f"/signals/{told}/{signal()}/",
        f"/why/{told}/{gate()}/",
        "/journal/",
        f"/journal/{told}/",
        f"/journal/{told}/{signal()}/",
        f"/journal/{told}/lines/{signal()}/",
        f"/journal/{told}/files/",
        "/risk/",
        f"/risk/in-force/?session={told}",
        f"/risk/portfolio/?session={told}",
        f"/risk/portfolio/?session={told}&at=2026-02-26T10:01",
        f"/risk/reconciliation/?session={told}",
        "/surface/",
        "/replay/",
        "/stop/",
    ]


@pytest.mark.parametrize("size", WIDTHS)
def test_every_page_is_clean_and_nothing_is_lost_at_its_side(
    enter: Enter, told: str, operator: User, size: tuple[int, int]
) -> None:
    page = enter(operator)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    for address in addresses(told):
        page.goto(address)
        assert_clean(page)
        wide = page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, f"{address} is {wide} px wider than a window of {size[0]}"


def test_open_states_are_clean(enter: Enter, told: str, operator: User) -> None:
    page = enter(operator)
    page.goto("/signals/")
    page.keyboard.press("?")
    assert_clean(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="STOP TRADING").click()
    assert_clean(page)
    page.keyboard.press("Escape")
    page.get_by_text("operator", exact=True).first.click()
    assert_clean(page)
    page.goto(f"/why/{told}/{gate()}/")
    for summary in page.locator("details.raw summary").all():
        summary.click()
    expect(page.get_by_text("its bytes hash to this hash").first).to_be_visible()
    assert_clean(page)


def test_ways_in_and_refusals_are_clean(
    page: Page, live_site: str, expected_complaints: list[str], db: None
) -> None:
    expected_complaints.append("status of 404")
    page.goto("/sign-in/")
    assert_clean(page)
    page.get_by_label("Username").fill("nobody")
    page.get_by_label("Password").fill("not a password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert_clean(page)
    page.goto("/nowhere/")
    assert_clean(page)


def test_focus_is_always_to_be_seen(enter: Enter, told: str, viewer: User) -> None:
    """Each stop of the Tab key draws an outline of at least two pixels, on itself or on its row."""
    page = enter(viewer)
    page.goto("/signals/")
    for _ in range(25):
        page.keyboard.press("Tab")
        drawn = page.evaluate(
            """() => {
                const at = document.activeElement;
                const places = [at, at.closest("tr")].filter(Boolean);
                return places.some((place) => {
                    const style = getComputedStyle(place);
                    return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
                });
            }"""
        )
        assert drawn, page.evaluate("() => document.activeElement.outerHTML")
