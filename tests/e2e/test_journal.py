"""The journal in a real browser: filter, walk the pages, open a line, verify, take bytes away."""

from __future__ import annotations

import re
from hashlib import sha256
from http.client import HTTPConnection
from typing import TYPE_CHECKING

import psutil
import pytest
from django.utils import timezone
from playwright.sync_api import expect

from journal.log.reader import read_session
from journal.log.session import day_files
from journal.long_work import work_claim, work_progress
from journal.models import RangeVerification
from journal.verifications import range_verification_execute
from tests.e2e.test_replay import assert_clean_at_every_width
from tests.factories import told_log
from tests.journal.test_verifications import flip, means

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.contrib.auth.models import User
    from playwright.sync_api import Page

    Enter = Callable[[User], Page]

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
State = RangeVerification.State


@pytest.fixture
def spoiled(told: str) -> Iterator[int]:
    """The number of a line of session `told` that is changed on disk for as long as this lasts."""
    log = told_log()
    path = day_files(log)[0]
    whole = path.read_bytes()
    line = next(line for line in read_session(log) if line.line == 700)
    flip(path, line.offset + 60)
    yield line.line
    path.write_bytes(whole)


def verification_of(page: Page) -> RangeVerification:
    """Return the verification whose page the browser has been led to."""
    page.wait_for_url(re.compile(r"/verifications/[0-9a-f-]{36}/$"))
    return RangeVerification.objects.get(pk=page.url.rstrip("/").rpartition("/")[2])


def test_filters_and_pages_live_in_the_address(enter: Enter, told: str, viewer: User) -> None:
    # 1. From the list of sessions to the lines of one.
    page = enter(viewer)
    page.goto("/journal/")
    page.get_by_role("link", name=told, exact=True).click()
    page.wait_for_url(f"**/journal/{told}/")
    expect(page.locator("tbody tr")).to_have_count(50)
    newest = page.locator("tbody tr").first.get_attribute("id")

    # 2. A filter, then a page on, and back over both by the browser's own button.
    page.get_by_label("Kind").select_option("signal.emitted")
    expect(page).to_have_url(re.compile("kind=signal.emitted"))
    expect(page.locator("tbody tr").first).to_contain_text("signal.emitted")
    first = page.locator("tbody tr").first.get_attribute("id")
    page.get_by_role("link", name="Older ›").click()
    expect(page).to_have_url(re.compile(r"before=\d+"))
    expect(page.locator(f"#{first}")).to_have_count(0)
    second = page.locator("tbody tr").first.get_attribute("id")
    page.get_by_role("link", name="‹ Newer").click()
    expect(page.locator("tbody tr").first).to_have_id(str(first))
    page.go_back()
    expect(page.locator("tbody tr").first).to_have_id(str(second))
    page.go_back()
    expect(page.locator("tbody tr").first).to_have_id(str(first))
    page.go_back()
    expect(page.locator("tbody tr").first).to_have_id(str(newest))
    expect(page.get_by_label("Kind")).to_have_value("")

    # 3. A copied address shows the same rows in a fresh tab.
    page.goto(f"/journal/{told}/?kind=signal.emitted&from=2026-02-26+09:30&order=oldest")
    wanted = page.locator("tbody tr").first.get_attribute("id")
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.locator("tbody tr").first).to_have_id(str(wanted))
    other.close()

    # 4. What is typed and not understood is said, and the rest still shown.
    page.get_by_label("IST from").fill("soon")
    page.get_by_label("IST from").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("soon is not a time")


def test_a_line_by_keyboard_with_its_bytes_beside_it(enter: Enter, told: str, viewer: User) -> None:
    page = enter(viewer)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"/journal/{told}/?kind=signal.emitted")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    panel = page.locator("#why .why")
    expect(panel).to_be_visible()
    expect(page.locator("#why-title")).to_be_focused()
    expect(page).to_have_url(re.compile(rf"/journal/{told}/lines/\d+/\?kind=signal.emitted"))
    expect(page.locator("tr[aria-current=true]")).to_have_count(1)
    expect(panel.get_by_text("its bytes hash to this hash")).to_be_visible()

    # The line is there exactly as it is on disk, and so it is copied.
    number = int(panel.get_attribute("data-row") or 0)
    line = next(line for line in read_session(told_log()) if line.line == number)
    expect(panel.locator("#line-raw")).to_have_text(line.raw[:-1].decode())
    panel.get_by_role("button", name="Copy the line").click()
    expect(panel.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("() => navigator.clipboard.readText()") == line.raw[:-1].decode()

    # A cause opens in its place, Why leads to the spine, Escape goes back to the list.
    panel.get_by_role("link", name="features.computed").click()
    expect(page.locator("#why-title")).to_contain_text("features.computed")
    page.go_back()
    expect(page.locator("#why-title")).to_contain_text("signal.emitted")
    page.keyboard.press("Escape")
    expect(page.locator("#why .why")).to_have_count(0)
    expect(page).to_have_url(re.compile(rf"/journal/{told}/\?kind=signal.emitted$"))
    page.goto(f"/journal/{told}/lines/{number}/")
    page.get_by_role("link", name="Why", exact=True).click()
    page.wait_for_url(f"**/why/{told}/{line.body['seq']}/")


def test_pages_are_clean_at_every_width(
    enter: Enter, told: str, operator: User, spoiled: int
) -> None:
    page = enter(operator)
    for address in (
        f"/journal/{told}/",
        f"/journal/{told}/?kind=market.frame",
        f"/journal/{told}/?key=nobody&from=soon",
        f"/journal/{told}/lines/8/",
        f"/journal/{told}/lines/{spoiled}/",
        f"/journal/{told}/7/",
        f"/journal/{told}/files/",
    ):
        page.goto(address)
        assert_clean_at_every_width(page)


def test_a_verification_followed_to_its_end(enter: Enter, told: str, operator: User) -> None:
    # 1. The form, by keyboard, leads to a page that waits.
    page = enter(operator)
    page.goto(f"/journal/{told}/files/")
    page.get_by_label("First line").fill("5")
    page.get_by_label("Last line").fill("1200")
    page.get_by_label("Last line").press("Enter")
    row = verification_of(page)
    expect(page.locator("#run-words")).to_contain_text("Waiting for a worker")
    assert_clean_at_every_width(page)

    # 2. A worker takes it: the page follows without being asked, and focus stays where it was.
    page.get_by_role("button", name="Stop this verification").focus()
    claimed = work_claim(model=RangeVerification, work_id=row.pk, now=timezone.now())
    assert claimed is not None
    work_progress(row=claimed, done=442, total=1196, now=timezone.now())
    expect(page.locator("#run-words")).to_contain_text("36 % · 442 of 1,196 lines")
    expect(page.locator("#run-said")).to_have_text("25 %")
    expect(page.get_by_role("progressbar")).to_have_attribute("value", "36")
    expect(page.get_by_role("button", name="Stop this verification")).to_be_focused()
    assert_clean_at_every_width(page)

    # 3. It ends: the verdict stands there and nothing is asked any more.
    RangeVerification.objects.update(state=State.QUEUED)
    range_verification_execute(verification_id=row.pk, means=means(told_log()))
    expect(page.get_by_role("heading", name="Every line holds: 1,196 lines")).to_be_visible()
    expect(page.locator("#run-said")).to_have_text("holds")
    expect(page.get_by_role("button", name="Stop this verification")).to_have_count(0)
    expect(page.locator("#run-progress[hx-trigger]")).to_have_count(0)
    assert_clean_at_every_width(page)

    # 4. The files know of it.
    page.get_by_role("link", name="Files and verification").click()
    expect(page.locator("#history-title ~ .scroll")).to_contain_text("lines 5 to 1200")
    expect(page.get_by_role("link", name="✓ holds")).to_be_visible()


def test_a_tampered_file_does_not_hold(
    enter: Enter, told: str, operator: User, spoiled: int
) -> None:
    page = enter(operator)
    page.goto(f"/journal/{told}/files/")
    page.get_by_role("button", name="Verify the whole session").click()
    row = verification_of(page)
    range_verification_execute(verification_id=row.pk, means=means(told_log()))
    heading = page.get_by_role("heading", name=re.compile("Does not hold"))
    expect(heading).to_have_text(f"✕ Does not hold: 2026-02-26.jsonl line {spoiled}")
    assert_clean_at_every_width(page)
    page.get_by_role("link", name="What the audit store has of it").click()
    expect(page.get_by_role("alert")).to_contain_text("do not hash to the hash they carry")
    page.goto(f"/journal/{told}/files/")
    expect(page.get_by_role("link", name="✕ does not hold")).to_be_visible()


def test_stopping_from_the_page(enter: Enter, told: str, operator: User) -> None:
    page = enter(operator)
    page.goto(f"/journal/{told}/files/")
    page.get_by_role("button", name="Verify the day").click()
    verification_of(page)
    page.get_by_role("button", name="Stop this verification").click()
    expect(page.get_by_role("heading", name="Stopped by operator")).to_be_visible()


def test_a_download_is_the_bytes_on_disk(enter: Enter, told: str, compliance: User) -> None:
    page = enter(compliance)
    page.goto(f"/journal/{told}/files/")
    with page.expect_download() as downloading:
        page.get_by_role("link", name="download", exact=True).click()
    wanted = day_files(told_log())[0].read_bytes()
    assert downloading.value.path().read_bytes() == wanted
    assert downloading.value.suggested_filename == f"{told}-2026-02-26.jsonl"
    with page.expect_download() as downloading:
        page.get_by_role("link", name="sha256", exact=True).click()
    digest = sha256(wanted).hexdigest()
    assert downloading.value.path().read_text() == f"{digest}  {told}-2026-02-26.jsonl\n"
    page.get_by_label("First line").fill("100")
    page.get_by_label("Last line").fill("900")
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Download these lines").click()
    lines = b"".join(line.raw for line in read_session(told_log()) if 100 <= line.line <= 900)
    assert downloading.value.path().read_bytes() == lines


BIG_BYTES = 128 * 2**20


def test_a_large_download_does_not_grow_the_site(
    enter: Enter, told: str, compliance: User, live_site: str
) -> None:
    """A day file of 128 MiB passes through the site's memory block by block."""
    page = enter(compliance)
    cookies = "; ".join(f"{cookie['name']}={cookie['value']}" for cookie in page.context.cookies())
    path = told_log() / "2025-01-01.jsonl"
    site = _site_process(live_site)
    try:
        with path.open("wb") as file:
            file.truncate(BIG_BYTES)
        before, most = site.memory_info().rss, 0
        received, digest = 0, sha256()
        connection = HTTPConnection(live_site.removeprefix("http://"))
        address = f"/journal/{told}/files/2025-01-01.jsonl"
        connection.request("GET", address, headers={"Cookie": cookies})
        with connection.getresponse() as response:
            announced = response.headers["X-SHA256"]
            while block := response.read(2**20):
                received += len(block)
                digest.update(block)
                most = max(most, site.memory_info().rss)
    finally:
        path.unlink()
    assert received == BIG_BYTES
    assert announced == digest.hexdigest()
    assert most - before < 50 * 2**20, f"grew by {(most - before) / 2**20:.0f} MiB"


def _site_process(address: str) -> psutil.Process:
    port = address.rpartition(":")[2]
    children = psutil.Process().children(recursive=True)
    return next(child for child in children if f"daphne -b 127.0.0.1 -p {port}" in _line(child))


def _line(process: psutil.Process) -> str:
    return " ".join(process.cmdline())
