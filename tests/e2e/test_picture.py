"""The README's picture, taken of the real page; `make picture` keeps it in `docs/`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.factories import seqs_by_kind, told_log

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.contrib.auth.models import User
    from playwright.sync_api import Page

    Enter = Callable[[User], Page]

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

LEAST_BYTES = 40_000  # a blank page of this size is far smaller


def test_signals_with_why_beside_them(
    enter: Enter, told: str, operator: User, push_process: None, tmp_path: Path
) -> None:
    folder = Path(os.environ.get("BRAHMASTRA_PICTURES", tmp_path))
    admitted = [seq for seq, data in seqs_by_kind("gate.decided") if data["action"] == "entry"]
    fired = [seq for seq, data in seqs_by_kind("signal.emitted") if data["fired"]]
    (told_log() / "head").touch()  # the session whose head was published last is the live one
    page = enter(operator)
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(f"/signals/{told}/{fired[0]}/?session={told}&fired=yes")
    page.locator("#why [data-stage=GATES]").first.wait_for()
    expect(page.locator("#live-nifty")).to_contain_text("25,321.40", timeout=15_000)
    picture = folder / "signals.png"
    page.screenshot(path=picture)
    assert admitted
    assert picture.stat().st_size > LEAST_BYTES
