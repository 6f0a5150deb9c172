"""The pages of the journal: what they show, who may do what, and the bytes they hand out."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
from django.utils.html import escape

from journal import mirror
from journal.log.packing import pack_day
from journal.log.reader import read_session
from journal.log.session import day_files
from journal.long_work import work_claim, work_progress
from journal.models import RangeVerification
from tests.journal.desk_bed import written
from tests.journal.log_bed import write_log
from tests.journal.test_verifications import LATER, NOW, ask, carried_out, flip

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg
    from django.contrib.auth.models import User
    from django.test import Client

    Connection = psycopg.Connection[Any]

State = RangeVerification.State
HTMX = {"HX-Request": "true"}
LIST = "/journal/day1/"
FILES = "/journal/day1/files/"


# `log` comes before `db` in every test: the store is emptied after the test's transaction ended.
@pytest.fixture
def log(var_dir: Path, mirror_role: Connection) -> Path:
    """Session `day1` of two days, 122 lines a day, in the store; its directory."""
    directory = write_log(var_dir, days=2, events=120)
    mirror.catch_up(mirror_role, directory)
    return directory


@pytest.fixture
def desk(log: Path, operator: User, client: Client) -> Client:
    """An operator, signed in."""
    client.force_login(operator)
    return client


@pytest.fixture
def looking(log: Path, viewer: User, client: Client) -> Client:
    """A viewer, signed in."""
    client.force_login(viewer)
    return client


def text_of(response: Any) -> str:
    """Return the text of a page as it reads, markup and doubled spaces taken out."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", response.content.decode()))


def rows_of(response: Any) -> list[int]:
    """Return the lines a list shows, in order."""
    return [int(line) for line in re.findall(r'<tr id="row-(\d+)"', response.content.decode())]


# --- lines ----------------------------------------------------------------------------------------


def test_the_list_shows_lines_newest_first_in_words(looking: Client) -> None:
    response = looking.get(LIST)
    assert rows_of(response) == list(range(244, 194, -1))
    text = text_of(response)
    assert "2025-08-29 09:00:00.000" in text
    assert "signal.emitted did not fire: abs_z_score " in text
    assert "audit store to line 244, at the head" in text
    page = response.content.decode()
    assert 'href="/journal/day1/241/">241</a>' in page
    assert "before=195" in page


def test_every_filter_is_in_the_address_and_in_the_form(looking: Client) -> None:
    query = {
        "kind": "signal.emitted",
        "key": "S4:NIFTY",
        "strategy": "S4",
        "seq_from": "5",
        "seq_to": "60",
        "from": "2025-08-29 09:00",
        "to": "2025-08-30",
        "order": "oldest",
    }
    response = looking.get(LIST, query)
    page = response.content.decode()
    assert rows_of(response)[0] == 6
    assert '<option value="signal.emitted" selected>' in page
    assert '<option value="oldest" selected>' in page
    for value in ("S4:NIFTY", "2025-08-29 09:00", "2025-08-30", "5", "60"):
        assert f'value="{value}"' in page
    older = re.search(r'href="([^"]*)"[^>]*>‹ Newer|id="older"\s+href="([^"]*)"', page)
    assert older is None  # all of it is on one page
    link = re.search(r'class="row-link"\s+href="([^"]*)"', page)
    assert link is not None
    assert "kind=signal.emitted" in link.group(1)


def test_a_fragment_is_the_rows_alone(looking: Client) -> None:
    response = looking.get(LIST, {"kind": "market.frame"}, headers=HTMX)
    page = response.content.decode()
    assert rows_of(response) == [124, 2]
    assert "<html" not in page
    assert page.lstrip().startswith('<div id="rows"')
    assert "HX-Request" in response["Vary"]
    assert 'class="synthetic"' in page
    assert "SYNTHETIC" in page


def test_a_line_opens_beside_the_list_at_its_own_address(looking: Client, log: Path) -> None:
    line = next(line for line in read_session(log) if line.line == 240)
    address = f"{LIST}lines/240/?kind=signal.emitted"
    response = looking.get(address)
    page = response.content.decode()
    assert re.search(r'<tr id="row-240" aria-current="true"', page)
    assert escape(line.raw[:-1].decode()) in page
    assert page.count(line.hash) == 3  # of the bytes, in the store, and in the line itself
    assert f'href="{LIST}?kind=signal.emitted"' in page
    text = text_of(response)
    assert f"2025-08-21.jsonl, line 118 of it, byte {line.offset:,}, {line.length} bytes" in text
    assert "✓ read from the log; its bytes hash to this hash" in text
    assert 'href="/why/day1/238/"' in page
    assert "signal.emitted 237" in text
    panel = looking.get(address, headers=HTMX).content.decode()
    assert panel.lstrip().startswith('<div class="why" data-row="240">')
    assert "<html" not in panel


def test_an_event_has_a_page_of_its_own_and_a_fragment_for_why(looking: Client) -> None:
    page = looking.get("/journal/day1/238/")
    assert "In words" in text_of(page)
    assert f'href="{LIST}lines/240/"' in page.content.decode()
    fragment = looking.get("/journal/day1/238/", headers=HTMX).content.decode()
    assert fragment.lstrip().startswith("<dl>")
    assert "its bytes hash to this hash" in fragment


def test_bytes_that_were_changed_are_named_with_file_and_line(looking: Client, log: Path) -> None:
    line = next(line for line in read_session(log) if line.line == 9)
    flip(day_files(log)[0], line.offset + 60)
    text = text_of(looking.get(f"{LIST}lines/9/"))
    assert "✕ 2025-08-20.jsonl line 9: the bytes do not hash to the hash they carry." in text
    day_files(log)[0].unlink()
    assert "2025-08-20.jsonl line 9: the file is not here" in text_of(
        looking.get(f"{LIST}lines/9/")
    )


@pytest.mark.parametrize("content", [b"", b"\n\n\n", b"\xff\xfe" * 999, b"{}", b"x" * 70_000])
def test_no_page_breaks_on_a_damaged_log(desk: Client, log: Path, content: bytes) -> None:
    for path in day_files(log):
        path.write_bytes(content)
        for address in (LIST, f"{LIST}lines/9/", f"{LIST}lines/200/", FILES, "/journal/day1/7/"):
            assert desk.get(address).status_code == 200
            assert desk.get(address, headers=HTMX).status_code == 200
    assert "✕ cannot be read: 2025-08-20.jsonl line 1: " in text_of(desk.get(FILES))
    for head in (b"", b"{}", b"[1]", b"\xff"):
        (log / "head").write_bytes(head)
        assert desk.get(FILES).status_code == 200
        assert desk.get(LIST).status_code == 200


def test_empty_states_say_why_and_what_to_do(looking: Client, var_dir: Path) -> None:
    assert "has none that match these filters" in text_of(looking.get(LIST, {"key": "nobody"}))
    assert "Show all of this session" in text_of(looking.get(LIST, {"before": "1"}))
    write_log(var_dir, "fresh")
    text = text_of(looking.get("/journal/fresh/"))
    assert "has 22 durable lines in its log; the mirror has not taken any of them" in text


def test_what_is_not_understood_is_said_on_the_page(looking: Client) -> None:
    response = looking.get(LIST, {"from": "<b>soon</b>"})
    assert "from &lt;b&gt;soon&lt;/b&gt; is not a time" in response.content.decode()
    assert rows_of(response)


@pytest.mark.parametrize(
    "address",
    [
        "/journal/nobody/",
        "/journal/UPPER/",
        "/journal/nobody/files/",
        "/journal/nobody/lines/1/",
        "/journal/day1/lines/999/",
        "/journal/day1/lines/99999999999999999999999/",
        "/journal/day1/999/",
        "/journal/day1/99999999999999999999999/",
        "/why/day1/99999999999999999999999/",
        "/journal/day1/files/?before=x",
        "/journal/day1/verifications/00000000-0000-4000-8000-000000000000/",
    ],
)
def test_what_is_not_there_is_not_found(looking: Client, address: str) -> None:
    assert looking.get(address).status_code == 404
    assert looking.get(address, headers=HTMX).status_code == 404


@pytest.mark.parametrize(
    ("address", "headers", "most"),
    [
        (LIST, {}, 6),
        (f"{LIST}?kind=signal.emitted&key=S4:NIFTY&from=2025-08-29&seq_to=90", {}, 6),
        (f"{LIST}lines/9/", {}, 8),
        (f"{LIST}lines/9/", HTMX, 4),
        (LIST, HTMX, 4),
        (FILES, {}, 6),
    ],
)
def test_a_page_costs_few_queries(
    looking: Client,
    address: str,
    headers: dict[str, str],
    most: int,
    django_assert_max_num_queries: Any,
) -> None:
    """Signing in costs two, the frame none without a live session; the rest is the page's."""
    with django_assert_max_num_queries(most):
        looking.get(address, headers=headers)


def test_a_full_page_stays_small(looking: Client) -> None:
    as_the_form_sends_it = {"kind": "", "key": "", "seq_from": "", "from": "", "order": "oldest"}
    page = looking.get(LIST, as_the_form_sends_it).content
    assert b"order=oldest" in page
    assert b"seq_from=" not in page
    assert len(page) < 60_000


def test_nothing_on_the_pages_breaks_a_strict_policy(desk: Client, log: Path) -> None:
    for address in ("/journal/", LIST, f"{LIST}lines/9/", FILES, "/journal/day1/7/"):
        page = desk.get(address).content.decode()
        assert not re.search(r"\sstyle=|\son[a-z]+=|hx-on|<style|javascript:", page)
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", page))


# --- files and verification -----------------------------------------------------------------------


def test_each_file_is_told_with_its_chain(desk: Client, operator: User, log: Path) -> None:
    carried_out(ask(operator, log), log)
    text = text_of(desk.get(FILES))
    assert text.index("2025-08-21.jsonl") < text.index("2025-08-20.jsonl")
    assert "✓ sound ✓ holds ✓ holds whole session, operator, 2026-02-27 17:30:00 IST" in text
    assert "122 123 – 244 122 – 242" in text
    assert "the first" in text
    assert read_hash(log)[:16] in text


def read_hash(log: Path) -> str:
    return list(read_session(log))[-1].hash


def test_damage_torn_pieces_and_unfinished_bytes_are_told(desk: Client, log: Path) -> None:
    first, last = day_files(log)
    flip(first, 40)
    with last.open("ab") as file:
        file.write(b"{half")
    last.with_name(f"{last.name}.torn-17").write_bytes(b"12345")
    text = text_of(desk.get(FILES))
    assert "✕ cannot be read: 2025-08-20.jsonl line 1: hash does not match its event" in text
    assert "5 bytes after the durable head" in text
    assert "torn, moved aside: 2025-08-21.jsonl.torn-17, 5 bytes" in text
    assert "not known: the end of 2025-08-20.jsonl cannot be read" in text


@pytest.mark.parametrize(
    ("form", "asked"),
    [
        ({"scope": "session"}, "whole session"),
        ({"scope": "day", "day": "2025-08-21"}, "2025-08-21"),
        ({"scope": "lines", "first": " 5 ", "last": "200"}, "lines 5 to 200"),
    ],
)
def test_a_verification_is_asked_for_and_has_a_page(
    desk: Client, form: dict[str, str], asked: str
) -> None:
    response = desk.post("/journal/day1/verify/", form)
    row = RangeVerification.objects.get()
    assert response["Location"] == f"/journal/day1/verifications/{row.pk}/"
    assert row.asked == asked
    assert f"Verification: {asked}" in text_of(desk.get(response["Location"]))
    assert desk.post("/journal/day1/verify/", form)["Location"] == response["Location"]


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"scope": "day"}, "Session day1 has no day (none)."),
        ({"scope": "day", "day": "<script>"}, "has no day &lt;script&gt;."),
        ({"scope": "lines", "first": "9", "last": "900"}, "the log ends at line 244."),
        ({"scope": "lines"}, "The first line is missing"),
    ],
)
def test_what_cannot_be_verified_is_said_with_what_was_typed(
    desk: Client, form: dict[str, str], words: str
) -> None:
    response = desk.post("/journal/day1/verify/", form)
    assert response.status_code == 409
    page = response.content.decode()
    assert words in page
    if "first" in form:
        assert 'value="900"' in page
    assert not RangeVerification.objects.exists()
    assert desk.post("/journal/nobody/verify/", form).status_code == 404


def test_who_may_ask_stop_and_take(
    log: Path,
    client: Client,
    operator: User,
    compliance: User,
    viewer: User,
    admin_user: User,
    stranger: User,
) -> None:
    for user, allowed in (
        (operator, True),
        (compliance, True),
        (viewer, False),
        (admin_user, False),
        (stranger, False),
    ):
        RangeVerification.objects.all().delete()
        row = ask(operator, log)
        client.force_login(user)
        posted = 302 if allowed else 403
        assert client.post("/journal/day1/verify/", {}).status_code == posted, user
        stop = f"/journal/day1/verifications/{row.pk}/stop/"
        assert client.post(stop).status_code == posted, user
        got = 200 if allowed else 403
        assert client.get(f"{FILES}2025-08-20.jsonl").status_code == got, user
        assert client.get("/journal/day1/lines.jsonl?first=1&last=2").status_code == got, user


def test_a_viewer_sees_everything_and_finds_nothing_to_press(
    looking: Client, operator: User, log: Path
) -> None:
    row = ask(operator, log)
    for address in (FILES, f"/journal/day1/verifications/{row.pk}/", f"{LIST}lines/9/"):
        page = looking.get(address)
        assert page.status_code == 200
        for word in ("/verify/", "/stop/", ".jsonl?", "Download", "sha256sum"):
            assert word not in page.content.decode().replace("STOP TRADING", ""), (address, word)


def test_a_running_one_is_followed_each_second_until_it_ends(
    desk: Client, operator: User, log: Path, django_assert_max_num_queries: Any
) -> None:
    asked = ask(operator, log)
    address = f"/journal/day1/verifications/{asked.pk}/"
    assert "Waiting for a worker since 2026-02-27 17:30:00 IST" in text_of(desk.get(address))
    row = work_claim(model=RangeVerification, work_id=asked.pk, now=NOW)
    assert row is not None
    assert "Begun · 17:30:00 IST" in text_of(desk.get(address))
    work_progress(row=row, done=91, total=244, now=LATER)
    page = desk.get(address).content.decode()
    assert '<progress max="100" value="37" aria-labelledby="run-words">' in page
    assert 'hx-trigger="every 1s"' in page
    with django_assert_max_num_queries(3):
        fragment = desk.get(f"{address}?said=25", headers=HTMX)
    assert "37 % · 91 of 244 lines · 17:31:01 IST" in text_of(fragment)
    assert "run-said" not in fragment.content.decode()
    assert 'id="run-said"' in desk.get(f"{address}?said=0", headers=HTMX).content.decode()

    RangeVerification.objects.filter(pk=row.pk).update(state=State.QUEUED)
    carried_out(row, log)
    last = desk.get(f"{address}?said=25", headers=HTMX).content.decode()
    assert "every 1s" not in last
    assert "Stop this verification" not in last
    assert "✓ Every line holds: 244 lines" in text_of(desk.get(address))


def test_damage_found_is_told_with_file_line_and_both_hashes(
    desk: Client, operator: User, log: Path
) -> None:
    row = ask(operator, log)
    line = next(line for line in read_session(log) if line.line == 130)
    flip(day_files(log)[1], line.offset + 60)
    carried_out(row, log)
    text = text_of(desk.get(f"/journal/day1/verifications/{row.pk}/"))
    assert "✕ Does not hold: 2025-08-21.jsonl line 130" in text
    assert row.result["expected"] in text
    assert row.result["found"] in text
    assert (
        f'href="{LIST}lines/130/"'
        in desk.get(f"/journal/day1/verifications/{row.pk}/").content.decode()
    )
    files = text_of(desk.get(FILES))
    assert "✕ does not hold at 2025-08-21.jsonl line 130" in files


def test_stopped_and_unreadable_ones_say_so(desk: Client, operator: User, log: Path) -> None:
    row = ask(operator, log)
    address = f"/journal/day1/verifications/{row.pk}/"
    assert "Stopped by operator" in text_of(desk.post(f"{address}stop/", follow=True))
    again = text_of(desk.post(f"{address}stop/", follow=True))
    assert "This verification has ended; there is nothing to stop." in again
    RangeVerification.objects.filter(pk=row.pk).update(state=State.FAILED, error="disk gone")
    assert "Could not be read: disk gone" in text_of(desk.get(address))
    RangeVerification.objects.filter(pk=row.pk).update(state=State.QUEUED, attempt=2)
    assert "the worker of attempt 1 went silent" in text_of(desk.get(address))


# --- download -------------------------------------------------------------------------------------


def test_a_day_comes_out_byte_for_byte_with_its_digest(desk: Client, log: Path) -> None:
    wanted = day_files(log)[0].read_bytes()
    response = desk.get(f"{FILES}2025-08-20.jsonl")
    assert response.streaming
    assert b"".join(response.streaming_content) == wanted
    digest = sha256(wanted)
    assert response["X-SHA256"] == digest.hexdigest()
    assert response["Repr-Digest"] == f"sha-256=:{b64encode(digest.digest()).decode()}:"
    assert response["Content-Length"] == str(len(wanted))
    assert 'filename="day1-2025-08-20.jsonl"' in response["Content-Disposition"]
    record = written(log.parents[1])[-1]
    assert (record.kind, record.actor) == ("desk.downloaded", "operator")
    assert record.address == "127.0.0.1"
    assert record.data["sha256"] == digest.hexdigest()


def test_the_digest_alone_is_what_sha256sum_takes(desk: Client, log: Path) -> None:
    response = desk.get(f"{FILES}2025-08-20.jsonl?sha256")
    digest = sha256(day_files(log)[0].read_bytes()).hexdigest()
    assert response.content.decode() == f"{digest}  day1-2025-08-20.jsonl\n"
    assert 'filename="day1-2025-08-20.jsonl.sha256"' in response["Content-Disposition"]


def test_lines_come_out_byte_for_byte_across_files(desk: Client, log: Path) -> None:
    response = desk.get("/journal/day1/lines.jsonl?first=120&last=130")
    wanted = b"".join(line.raw for line in read_session(log) if 120 <= line.line <= 130)
    assert b"".join(response.streaming_content) == wanted
    assert 'filename="day1-lines-120-130.jsonl"' in response["Content-Disposition"]


def test_a_damaged_file_comes_out_as_it_is(desk: Client, log: Path) -> None:
    day_files(log)[0].write_bytes(b"\x00not a log\xff")
    response = desk.get(f"{FILES}2025-08-20.jsonl")
    assert b"".join(response.streaming_content) == b"\x00not a log\xff"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (f"{FILES}2025-08-29.jsonl", "2025-08-29.jsonl: no such file in session day1"),
        (f"{FILES}head.jsonl", "no such file"),
        ("/journal/day1/lines.jsonl?first=9&last=8", "the log ends at line 244"),
        ("/journal/day1/lines.jsonl?first=1&last=999", "the log ends at line 244"),
        ("/journal/day1/lines.jsonl?first=x&last=2", "first and last are numbers"),
        ("/journal/day1/lines.jsonl", "first and last are numbers"),
    ],
)
def test_what_cannot_be_downloaded_is_said(desk: Client, address: str, words: str) -> None:
    response = desk.get(address)
    assert response.status_code == 409
    assert words in text_of(response)
    assert desk.get(address.replace("day1", "nobody")).status_code == 404


def test_lines_that_begin_with_damage_are_refused_and_the_day_is_not(
    desk: Client, log: Path
) -> None:
    line = next(line for line in read_session(log) if line.line == 120)
    flip(day_files(log)[0], line.offset + 60)
    response = desk.get("/journal/day1/lines.jsonl?first=120&last=130")
    assert response.status_code == 409
    assert "2025-08-20.jsonl line 120: hash does not match" in text_of(response)
    whole = desk.get(f"{FILES}2025-08-20.jsonl")
    assert b"".join(whole.streaming_content) == day_files(log)[0].read_bytes()


def test_a_packed_day_is_shown_verified_and_handed_out_like_any(
    desk: Client, operator: User, log: Path
) -> None:
    plain = day_files(log)[0]
    wanted = plain.read_bytes()
    packed = pack_day(plain)
    assert not plain.exists()
    text = text_of(desk.get(FILES))
    assert ", packed" in text
    assert "✓ sound ✓ holds" in text
    assert "✓ read from the log; its bytes hash" in text_of(desk.get(f"{LIST}lines/9/"))
    assert carried_out(ask(operator, log, day="2025-08-20"), log).state == State.HOLDS
    response = desk.get(f"{FILES}2025-08-20.jsonl")
    assert b"".join(response.streaming_content) == wanted
    response = desk.get(f"{FILES}2025-08-20.jsonl.gz")
    assert b"".join(response.streaming_content) == packed.read_bytes()
    assert 'filename="day1-2025-08-20.jsonl.gz"' in response["Content-Disposition"]

    # A damaged one cannot be unpacked, and comes out packed as it is.
    packed.write_bytes(packed.read_bytes()[:-40])
    assert "✕ cannot be read: 2025-08-20.jsonl" in text_of(desk.get(FILES))
    assert "2025-08-20.jsonl line 9: the file is not here" in text_of(desk.get(f"{LIST}lines/9/"))
    row = carried_out(ask(operator, log, day="2025-08-20"), log)
    assert row.state == State.BROKEN
    assert row.result["file"] == "2025-08-20.jsonl"
    assert desk.get(f"{FILES}2025-08-20.jsonl").status_code == 409
    response = desk.get(f"{FILES}2025-08-20.jsonl.gz")
    assert b"".join(response.streaming_content) == packed.read_bytes()
