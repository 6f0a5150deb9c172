"""The site as it is served: a real daphne, real static files, a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import PASSWORD

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from playwright.sync_api import Page

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


def test_someone_signs_in_and_out(page: Page, operator: User) -> None:
    page.goto("/")
    page.locator("input[name=username]").fill(operator.username)
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("form:has(input[name=password]) button[type=submit]").click()
    page.wait_for_url(lambda address: "sign-in" not in address)
    assert page.locator("input[name=password]").count() == 0
    assert page.title()


def test_styles_and_scripts_are_served_under_names_that_change_with_them(page: Page) -> None:
    answers: dict[str, int] = {}
    page.on("response", lambda answer: answers.update({answer.url: answer.status}))
    page.goto("/sign-in/")
    assets = {url: status for url, status in answers.items() if "/static/" in url}
    assert assets, "the page asks for no style"
    assert set(assets.values()) == {200}
    # whitenoise puts twelve hexadecimal digits of the content before the extension.
    assert all(len(url.rsplit(".", 2)[1]) == 12 for url in assets), assets


def test_the_browser_s_complaints_reach_the_test(
    page: Page, expected_complaints: list[str], complaints: list[str]
) -> None:
    expected_complaints += ["CSP: style-src", "Applying inline style", "a script error"]
    page.goto("/sign-in/")
    page.evaluate("() => document.body.setAttribute('style', 'color: red')")
    page.evaluate("() => { setTimeout(() => { throw new Error('a script error') }, 0) }")
    page.wait_for_timeout(200)
    assert any("CSP: style-src" in text for text in complaints)
    assert any("a script error" in text for text in complaints)
