"""What is asked about runs: the list, how far, and what the foot line says."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from journal.long_work import progress_of
from replay.models import ReplayRun
from replay.selectors import (
    PAGE_RUNS,
    UnknownRunError,
    last_parity,
    run_get,
    run_page,
)
from tests.replay.conftest import NOW, ask

if TYPE_CHECKING:
    from pathlib import Path

    from django.contrib.auth.models import User

State = ReplayRun.State


def make_run(user: User, **fields: Any) -> ReplayRun:
    given: dict[str, Any] = {
        "session": "day1",
        "times": 3,
        "end": {"file": "2026-02-26.jsonl", "offset": 1, "line": 9, "hash": "0" * 64},
        "params_hash": uuid4().hex,
        "engine_version": "test",
        "requested_by": user,
        "created_at": NOW,
        "heartbeat_at": NOW,
    }
    return ReplayRun.objects.create(**given | fields)


def test_pages_follow_on_one_another_newest_first(
    operator: User, var_dir: Path, django_assert_num_queries: Any
) -> None:
    """Also where many were asked for at one instant."""
    made = [make_run(operator, created_at=NOW + timedelta(seconds=i // 40)) for i in range(120)]
    seen: list[ReplayRun] = []
    before = None
    for _ in range(3):
        with django_assert_num_queries(1 if before is None else 2):  # the run before, the page
            page = run_page(var_dir=var_dir, before=before)
        seen += page.runs
        before = page.older
    assert before is None
    assert len(seen) == 120
    assert {run.pk for run in seen} == {run.pk for run in made}
    assert len(seen[:PAGE_RUNS]) == PAGE_RUNS
    assert seen == sorted(seen, key=lambda run: (run.created_at, run.pk), reverse=True)


def test_sessions_with_a_log_are_listed_newest_first(db: None, site_log: Path) -> None:
    numbers = site_log.parent / "numbers.json"
    numbers.write_text('{"day1": 1, "gone": 2, "later": 3}')
    (site_log.parent / "later").mkdir()
    (site_log.parent / "later" / "2026-02-27.jsonl").write_text("")
    assert run_page(var_dir=site_log.parent.parent).sessions == ["later", "day1"]


def test_an_unknown_run_is_an_error(db: None, var_dir: Path) -> None:
    with pytest.raises(UnknownRunError):
        run_get(run_id=uuid4())
    with pytest.raises(UnknownRunError):
        run_page(var_dir=var_dir, before=uuid4())


def test_progress_has_per_cent_pace_and_what_is_left(operator: User) -> None:
    run = make_run(
        operator,
        state=State.RUNNING,
        started_at=NOW,
        heartbeat_at=NOW + timedelta(seconds=10),
        done=3_000,
        total=12_000,
    )
    progress = progress_of(run)
    assert (progress.percent, progress.step) == (25, 25)
    assert (progress.per_second, progress.seconds_left) == (300, 30)


def test_progress_of_what_has_not_begun_says_nothing_it_cannot_know(operator: User) -> None:
    queued = progress_of(make_run(operator))
    begun = progress_of(make_run(operator, state=State.RUNNING, started_at=NOW))
    for progress in (queued, begun):
        assert (progress.percent, progress.step) == (0, 0)
        assert progress.per_second is None
        assert progress.seconds_left is None


def test_a_hundred_per_cent_is_only_the_end(operator: User) -> None:
    run = make_run(operator, state=State.RUNNING, done=11_999, total=12_000)
    assert progress_of(run).percent == 99


# --- the word of the foot line --------------------------------------------------------------------


def finished(user: User, state: str, seconds: int = 0, **fields: Any) -> ReplayRun:
    at = NOW + timedelta(seconds=seconds)
    return make_run(user, state=state, created_at=at, finished_at=at, **fields)


def test_parity_of_a_session_nobody_replayed(db: None) -> None:
    parity = last_parity(session="day1")
    assert (parity.words, parity.tone, parity.url) == ("not replayed", "warn", "/replay/")


def test_parity_is_that_of_the_last_run_that_came_to_a_verdict(
    operator: User, django_assert_num_queries: Any
) -> None:
    finished(operator, State.DIVERGED, result={"ways": []})
    good = finished(operator, State.SUCCEEDED, 60)
    finished(operator, State.STOPPED, 120)
    finished(operator, State.TIMED_OUT, 130)
    finished(operator, State.DIVERGED, 180, session="another", result={"ways": []})
    make_run(operator)
    with django_assert_num_queries(1):
        parity = last_parity(session="day1")
    assert (parity.words, parity.tone) == ("✓ 3 × identical, 2026-02-27 17:31", "good")
    assert parity.url == f"/replay/{good.pk}/"


def test_parity_of_a_divergence_names_the_first_seq(operator: User) -> None:
    ways = [
        {"divergence": None},
        {"divergence": {"seq": 1234567}},
        {"divergence": {"seq": 2 * 10**6}},
    ]
    finished(operator, State.DIVERGED, result={"ways": ways})
    parity = last_parity(session="day1")
    assert (parity.words, parity.tone) == ("✕ differs from seq 12,34,567", "refused")


def test_parity_of_a_log_that_cannot_be_read(operator: User) -> None:
    finished(operator, State.SUCCEEDED)
    finished(operator, State.FAILED, 60, error="tampered")
    assert last_parity(session="day1").words == "could not be replayed"


def test_a_run_says_whether_it_is_over(operator: User, short_log: Path) -> None:
    run = ask(operator, short_log)
    assert run.active
    run.state = State.SUCCEEDED
    assert not run.active
    assert str(run) == "day1 × 2"
