"""The pages of replay: who sees and may do what, what they say, and the fragment that follows."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from journal.live import LiveFigures
from journal.log.session import day_files
from journal.long_work import work_claim, work_progress
from replay.models import ReplayRun
from replay.services import replay_run_execute
from tests.replay.conftest import NOW, ask, make_means
from tests.replay.forge import bodies, forge_event

if TYPE_CHECKING:
    from pathlib import Path

    from django.contrib.auth.models import User
    from django.test import Client

State = ReplayRun.State
HTMX = {"HX-Request": "true"}


def words_of(response: Any) -> str:
    """Return the text of a page as it reads, markup and doubled spaces taken out."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", response.content.decode()))


def executed(user: User, log: Path, **more: Any) -> ReplayRun:
    run = ask(user, log, **more)
    replay_run_execute(run_id=run.pk, means=make_means(log.parent.parent))
    run.refresh_from_db()
    return run


# --- the list -------------------------------------------------------------------------------------


def test_an_operator_starts_a_replay_and_lands_on_its_page(
    client: Client, operator: User, site_log: Path
) -> None:
    client.force_login(operator)
    page = client.get("/replay/").content.decode()
    assert 'action="/replay/start/"' in page
    assert '<option value="day1"' in page
    response = client.post("/replay/start/", {"session": "day1", "times": "2"})
    run = ReplayRun.objects.get()
    assert response["Location"] == f"/replay/{run.pk}/"
    assert (run.session, run.times, run.requested_by) == ("day1", 2, operator)
    again = client.post("/replay/start/", {"session": "day1", "times": "2"})
    assert again["Location"] == response["Location"]


def test_who_may_start_and_stop(
    client: Client,
    operator: User,
    compliance: User,
    viewer: User,
    admin_user: User,
    stranger: User,
    site_log: Path,
) -> None:
    run = ask(operator, site_log)
    for user, allowed in (
        (compliance, True),
        (operator, True),
        (viewer, False),
        (admin_user, False),
        (stranger, False),
    ):
        client.force_login(user)
        expected = 302 if allowed else 403
        start = client.post("/replay/start/", {"session": "day1", "times": "2"})
        assert start.status_code == expected, user
        assert client.post(f"/replay/{run.pk}/stop/").status_code == expected, user
        run.refresh_from_db()
        ReplayRun.objects.exclude(pk=run.pk).delete()
        ReplayRun.objects.filter(pk=run.pk).update(state=State.QUEUED)


def test_a_viewer_sees_and_finds_nothing_to_press(
    client: Client, viewer: User, operator: User, site_log: Path
) -> None:
    run = ask(operator, site_log)
    client.force_login(viewer)
    for address in ("/replay/", f"/replay/{run.pk}/"):
        page = client.get(address)
        assert page.status_code == 200
        assert "/replay/start/" not in page.content.decode()
        assert "Stop this replay" not in page.content.decode()


def test_a_stranger_is_refused(client: Client, stranger: User, site_log: Path) -> None:
    client.force_login(stranger)
    assert client.get("/replay/").status_code == 403


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"session": "nobody", "times": "3"}, "Session nobody has no log."),
        ({"session": "day1", "times": "0"}, "0 ways: expected 1 to 9."),
        ({"session": "day1", "times": "ten"}, "ten ways: expected 1 to 9."),
        ({}, "expected 1 to 9."),
        ({"session": "<script>", "times": "1"}, "Session &lt;script&gt; has no log."),
    ],
)
def test_what_cannot_be_started_is_said_on_the_list(
    client: Client, operator: User, site_log: Path, form: dict[str, str], words: str
) -> None:
    client.force_login(operator)
    response = client.post("/replay/start/", form)
    assert response.status_code == 409
    assert words in response.content.decode()
    assert not ReplayRun.objects.exists()


def test_an_empty_list_says_why_and_what_to_do(
    client: Client, viewer: User, site_log: Path, var_dir: Path, settings: Any
) -> None:
    client.force_login(viewer)
    assert "There is nothing to replay until a session has run" in words_of(client.get("/replay/"))
    settings.VAR_DIR = site_log.parent.parent
    assert "An operator or compliance can start a replay" in words_of(client.get("/replay/"))


def test_the_list_names_each_run_with_its_outcome(
    client: Client, operator: User, site_log: Path, django_assert_max_num_queries: Any
) -> None:
    executed(operator, site_log, times=1)
    ask(operator, site_log, now=NOW + timedelta(seconds=5))
    client.force_login(operator)
    with django_assert_max_num_queries(6):
        page = client.get("/replay/")
    text = words_of(page)
    assert text.index("waiting for a worker") < text.index("✓ identical")
    assert "2026-02-27 17:30:05" in text
    assert "2 runs shown" in text


@pytest.mark.parametrize("before", ["nonsense", "00000000-0000-4000-8000-000000000000"])
def test_a_list_after_nothing_is_not_there(
    client: Client, viewer: User, site_log: Path, before: str
) -> None:
    client.force_login(viewer)
    assert client.get("/replay/", {"before": before}).status_code == 404


def test_the_foot_line_says_what_the_last_replay_said(
    client: Client, operator: User, site_log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = LiveFigures(session="day1")
    monkeypatch.setattr("brahmastra_site.selectors.figures_from_store", lambda url: figures)
    client.force_login(operator)
    assert "parity not replayed" in words_of(client.get("/replay/"))
    run = executed(operator, site_log, times=1)
    page = client.get("/replay/")
    assert "parity ✓ 1 × identical, 2026-02-27 17:30" in words_of(page)
    link = " ".join(page.content.decode().split())
    assert f'id="foot-parity" href="/replay/{run.pk}/"' in link


# --- one run --------------------------------------------------------------------------------------


def test_a_finished_run_shows_ways_digests_and_verdict(
    client: Client, viewer: User, operator: User, site_log: Path, django_assert_max_num_queries: Any
) -> None:
    run = executed(operator, site_log)
    client.force_login(viewer)
    with django_assert_max_num_queries(8):
        page = client.get(f"/replay/{run.pk}/")
    text = words_of(page)
    assert text.count(run.result["digest"]) == 3  # recorded, and each way
    assert "✓ 2 ways identical to the record over" in text
    assert "hx-trigger" not in re.search(r'<div id="run-progress".*?>', str(page.content))[0]
    assert "<progress" not in page.content.decode()
    assert "Events by kind" in text
    assert "signal.emitted" in text


def test_what_is_not_as_it_was_recorded_is_noted_on_the_page(
    client: Client, operator: User, site_log: Path
) -> None:
    run = executed(operator, site_log)
    assert run.result is not None
    run.result["notes"] = ["recorded with numpy 1.26.0, replayed with 2.4.6"]
    run.save()
    client.force_login(operator)
    text = words_of(client.get(f"/replay/{run.pk}/"))
    assert "Note: recorded with numpy 1.26.0, replayed with 2.4.6." in text


def test_a_divergence_leads_to_why_of_its_event(
    client: Client, viewer: User, operator: User, site_log: Path
) -> None:
    signal = bodies(site_log, "signal.emitted")[3]

    def edit(body: dict[str, Any]) -> dict[str, Any]:
        body["data"]["reason"] = "<b>nobody knows</b>"
        return body

    forge_event(site_log, signal["seq"], edit)
    run = executed(operator, site_log)
    client.force_login(viewer)
    page = client.get(f"/replay/{run.pk}/").content.decode()
    assert page.count(f'href="/why/day1/{signal["seq"]}/"') == 2
    assert "<code>$.data.reason</code>" in page
    assert "&lt;b&gt;nobody knows&lt;/b&gt;" in page
    assert "2 ways differ from the record, identical to each other" in page
    assert "1 different" in page


def test_each_kind_of_divergence_has_its_words(
    client: Client, viewer: User, operator: User, site_log: Path
) -> None:
    run = executed(operator, site_log, times=1)
    client.force_login(viewer)
    for what, words in (
        ("ONLY_RECORDED", "is in the log and was not derived"),
        ("ONLY_REPLAYED", "was derived and is not in the log"),
        ("REFUSED", "is an input the engine does not take: it is late"),
        ("STATE", "$.data.state_digest"),
    ):
        run.result["ways"][0]["divergence"] = {
            "what": what,
            "seq": 5,
            "kind": "gate.decided",
            "path": "$.data.state_digest",
            "recorded": None,
            "replayed": "it is late",
        }
        run.save()
        assert words in words_of(client.get(f"/replay/{run.pk}/"))


def test_a_running_run_is_followed_each_second_until_it_ends(
    client: Client, operator: User, site_log: Path, django_assert_max_num_queries: Any
) -> None:
    """The page once, then only the fragment, and at the end one without a trigger."""
    client.force_login(operator)
    asked = ask(operator, site_log)
    address = f"/replay/{asked.pk}/"
    assert "Waiting for a worker since 2026-02-27 17:30:00 IST" in words_of(client.get(address))

    run = work_claim(model=ReplayRun, work_id=asked.pk, now=NOW)
    assert run is not None
    assert "Checking the log's chain" in words_of(client.get(address)).replace("&#x27;", "'")
    work_progress(row=run, done=3_700, total=10_000, now=NOW + timedelta(seconds=10))
    page = client.get(address).content.decode()
    assert '<progress max="100" value="37" aria-labelledby="run-words">' in page
    assert f'hx-get="{address}?said=25"' in page
    assert 'hx-trigger="every 1s"' in page
    assert "Stop this replay" in page

    with django_assert_max_num_queries(3):
        fragment = client.get(f"{address}?said=25", headers=HTMX)
    text = words_of(fragment)
    assert "37 % · 3,700 of 10,000 events · 17:30:10 IST · 370 events/s · about 17 s left" in text
    assert "<html" not in fragment.content.decode()
    assert "run-said" not in fragment.content.decode()  # nothing new to announce
    assert "HX-Request" in fragment["Vary"]
    announced = client.get(f"{address}?said=0", headers=HTMX).content.decode()
    assert 'id="run-said"' in announced

    ReplayRun.objects.filter(pk=run.pk).update(state=State.QUEUED)
    replay_run_execute(run_id=run.pk, means=make_means(site_log.parent.parent))
    last = client.get(f"{address}?said=25", headers=HTMX).content.decode()
    assert "every 1s" not in last
    assert '<section id="run-outcome" class="run-outcome" hx-swap-oob="true"' in re.sub(
        r"\s+", " ", last
    )
    assert 'id="run-actions" hx-swap-oob="true"' in last
    assert "Stop this replay" not in last
    assert "ways identical to the record" in last


def test_a_requeued_run_says_so(
    client: Client, viewer: User, operator: User, site_log: Path
) -> None:
    run = ask(operator, site_log)
    ReplayRun.objects.filter(pk=run.pk).update(attempt=2)
    client.force_login(viewer)
    assert "the worker of attempt 1 went silent" in words_of(client.get(f"/replay/{run.pk}/"))


def test_stopping_from_the_page(client: Client, operator: User, site_log: Path) -> None:
    run = ask(operator, site_log)
    client.force_login(operator)
    page = client.post(f"/replay/{run.pk}/stop/", follow=True)
    assert "Stopped by operator" in words_of(page)
    again = client.post(f"/replay/{run.pk}/stop/", follow=True)
    assert "This replay has ended; there is nothing to stop." in words_of(again)


def test_a_running_run_asked_to_stop_is_stopping(
    client: Client, operator: User, site_log: Path
) -> None:
    run = work_claim(model=ReplayRun, work_id=ask(operator, site_log).pk, now=NOW)
    assert run is not None
    client.force_login(operator)
    client.post(f"/replay/{run.pk}/stop/")
    assert "· stopping" in words_of(client.get(f"/replay/{run.pk}/"))


def test_a_log_that_cannot_be_replayed_is_said_with_its_line(
    client: Client, viewer: User, operator: User, site_log: Path
) -> None:
    path = day_files(site_log)[0]
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    run = executed(operator, site_log)
    client.force_login(viewer)
    text = words_of(client.get(f"/replay/{run.pk}/"))
    assert f"Not replayed: {path} line " in text
    assert "Nothing was compared" in text


def test_a_run_that_took_too_long_says_how_far_it_came(
    client: Client, viewer: User, operator: User, site_log: Path
) -> None:
    run = ask(operator, site_log)
    ReplayRun.objects.filter(pk=run.pk).update(
        state=State.TIMED_OUT, error="it took longer", finished_at=NOW, done=5, total=9
    )
    client.force_login(viewer)
    text = words_of(client.get(f"/replay/{run.pk}/"))
    assert "Ended before it was done: it took longer." in text
    assert "5 of 9 events were replayed" in text


def test_no_run_is_not_found(client: Client, viewer: User, site_log: Path) -> None:
    client.force_login(viewer)
    address = "/replay/00000000-0000-4000-8000-000000000000/"
    assert client.get(address).status_code == 404
    assert client.get(address, headers=HTMX).status_code == 404


def test_nothing_on_the_pages_breaks_a_strict_policy(
    client: Client, operator: User, site_log: Path
) -> None:
    run = executed(operator, site_log)
    client.force_login(operator)
    for address in ("/replay/", f"/replay/{run.pk}/"):
        page = client.get(address).content.decode()
        assert not re.search(r"\sstyle=|\son[a-z]+=|hx-on|<style|javascript:", page)
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", page))
