"""A replay followed in a real browser, from the form to the verdict; its pages are accessible."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import expect

from journal.long_work import work_claim, work_progress
from replay.models import ReplayRun
from replay.services import replay_run_execute
from tests.e2e.test_accessibility import RULES, WIDTHS
from tests.replay.conftest import make_means

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.contrib.auth.models import User
    from playwright.sync_api import Page

    Enter = Callable[[User], Page]

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
State = ReplayRun.State


def assert_clean_at_every_width(page: Page) -> None:
    for width, height in WIDTHS:
        page.set_viewport_size({"width": width, "height": height})
        results = Axe().run(page, options=RULES)
        assert results.violations_count == 0, results.generate_report()
        wide = page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, f"the page is {wide} px wider than a window of {width}"
    page.set_viewport_size({"width": 1440, "height": 900})


def test_a_replay_from_the_form_to_the_verdict(enter: Enter, told: str, operator: User) -> None:
    # 1. The form, by keyboard alone, leads to the page of the run, which waits.
    page = enter(operator)
    page.goto("/replay/")
    page.get_by_label("Session").select_option(told)
    page.get_by_label("Ways").fill("2")
    page.get_by_label("Ways").press("Enter")
    page.wait_for_url(re.compile(r"/replay/[0-9a-f-]{36}/$"))
    expect(page.locator("#run-words")).to_contain_text("Waiting for a worker")
    assert_clean_at_every_width(page)

    # 2. A worker takes it: the page follows without being asked, and focus stays where it was.
    page.get_by_role("button", name="Stop this replay").focus()
    run = work_claim(model=ReplayRun, work_id=ReplayRun.objects.get().pk, now=timezone.now())
    assert run is not None
    moment = timezone.now() + timedelta(seconds=10)
    work_progress(row=run, done=370, total=1000, now=moment)
    expect(page.locator("#run-words")).to_contain_text("37 % · ")
    expect(page.locator("#run-said")).to_have_text("25 %")
    expect(page.get_by_role("progressbar")).to_have_attribute("value", "37")
    expect(page.get_by_role("button", name="Stop this replay")).to_be_focused()
    assert_clean_at_every_width(page)

    # 3. It ends: verdict and digests stand there, the button is gone, nothing is asked any more.
    ReplayRun.objects.update(state=State.QUEUED)
    replay_run_execute(run_id=run.pk, means=make_means(Path(os.environ["VAR_DIR"])))
    expect(page.get_by_role("heading", name="2 ways identical to the record")).to_be_visible()
    expect(page.locator("#run-said")).to_have_text("identical")
    expect(page.get_by_role("button", name="Stop this replay")).to_have_count(0)
    expect(page.locator("#run-progress[hx-trigger]")).to_have_count(0)
    assert_clean_at_every_width(page)

    # 4. The list has it, and `g r` leads there.
    page.keyboard.press("g")
    page.keyboard.press("r")
    page.wait_for_url("**/replay/")
    expect(page.get_by_text("✓ identical")).to_be_visible()
    assert_clean_at_every_width(page)


def test_a_divergence_leads_to_why(enter: Enter, told: str, operator: User) -> None:
    from tests.factories import seqs_by_kind

    seq, _ = seqs_by_kind("signal.emitted")[0]
    page = enter(operator)
    page.goto("/replay/")
    page.get_by_label("Session").select_option(told)
    page.get_by_role("button", name="Replay").click()
    page.wait_for_url(re.compile(r"/replay/[0-9a-f-]{36}/$"))
    run = ReplayRun.objects.get()
    replay_run_execute(run_id=run.pk, means=make_means(Path(os.environ["VAR_DIR"])))
    run.refresh_from_db()
    for way in run.result["ways"]:
        way["different"] = 1
        way["divergence"] = {
            "what": "CHANGED",
            "seq": seq,
            "kind": "signal.emitted",
            "path": "$.data.conditions[1].value",
            "recorded": "1.50123456789",
            "replayed": "1.50123456788",
        }
    run.result |= {"identical": False, "verdict": "3 ways differ from the record"}
    run.state = State.DIVERGED
    run.save()
    page.reload()
    expect(page.get_by_role("heading", name="3 ways differ from the record")).to_be_visible()
    assert_clean_at_every_width(page)
    page.get_by_role("link", name="seq").first.click()
    page.wait_for_url(f"**/why/{told}/{seq}/")
    expect(page.locator(".why")).to_be_visible()
