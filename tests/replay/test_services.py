"""Replay runs from asked for to finished, without Celery: the row is the truth."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from django.db import IntegrityError, connection, transaction
from kombu.exceptions import OperationalError

import journal.long_work as long_work
from journal.log.head import read_head
from journal.log.session import day_files
from journal.long_work import (
    MAX_ATTEMPTS,
    WorkLostError,
    WorkStoppedError,
    work_claim,
    work_finish,
    work_progress,
)
from replay.models import ReplayRun
from replay.recording import read_recording
from replay.services import (
    ReplayRefusedError,
    replay_run_execute,
    replay_run_request,
    replay_run_stop,
    replay_runs_reap,
)
from tests.market_factory import DAYS, Rig
from tests.replay.conftest import NOW, ask, make_means
from tests.replay.forge import bodies, forge_event

if TYPE_CHECKING:
    from pathlib import Path

    from django.contrib.auth.models import User

State = ReplayRun.State
LATER = NOW + timedelta(seconds=61)


def claimed(user: User, log: Path, **more: Any) -> ReplayRun:
    run = work_claim(model=ReplayRun, work_id=ask(user, log, **more).pk, now=NOW)
    assert run is not None
    return run


# --- asked for ------------------------------------------------------------------------------------


def test_a_run_is_queued_with_the_end_of_its_log(operator: User, short_log: Path) -> None:
    run = ask(operator, short_log)
    head = read_head(short_log)
    assert head is not None
    assert (run.state, run.attempt, run.times) == (State.QUEUED, 1, 2)
    assert run.end == asdict(head)
    assert run.requested_by == operator
    assert run.engine_version.startswith("0.")


def test_the_same_again_is_the_same_run_until_it_has_ended(
    operator: User, viewer: User, short_log: Path
) -> None:
    first = ask(operator, short_log)
    assert ask(viewer, short_log, now=LATER).pk == first.pk
    assert ask(operator, short_log, times=3).pk != first.pk
    work_claim(model=ReplayRun, work_id=first.pk, now=NOW)
    assert ask(operator, short_log).pk == first.pk
    first.refresh_from_db()
    work_finish(row=first, state=State.FAILED, now=NOW, error="x")
    assert ask(operator, short_log).pk != first.pk


@pytest.mark.django_db(transaction=True)
def test_a_hundred_clicks_at_once_are_one_run(operator: User, short_log: Path) -> None:
    def click(_: int) -> object:
        try:
            return ask(operator, short_log).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(click, range(100)))
    assert len(ids) == 1
    assert ReplayRun.objects.count() == 1


def test_the_database_itself_refuses_a_second_active_run(operator: User, short_log: Path) -> None:
    run = ask(operator, short_log)
    run.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        run.save(force_insert=True)


def test_it_is_sent_when_the_row_is_committed_and_only_once(
    operator: User, short_log: Path, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks() as callbacks:
        ask(operator, short_log)
        ask(operator, short_log)
    assert len(callbacks) == 1


def test_a_queue_that_does_not_answer_leaves_the_run_waiting(
    operator: User,
    short_log: Path,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from replay.tasks import replay_run_task

    def unreachable(**_: object) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(replay_run_task, "apply_async", unreachable)
    with django_capture_on_commit_callbacks(execute=True):
        run = ask(operator, short_log)
    run.refresh_from_db()
    assert run.state == State.QUEUED
    assert "the queue does not answer (connection refused)" in caplog.text


@pytest.mark.parametrize("times", [0, 10, -1, "", "two", "1.5"])
def test_a_number_of_ways_out_of_range_is_refused(
    operator: User, short_log: Path, times: str | int
) -> None:
    with pytest.raises(ReplayRefusedError, match="expected 1 to 9"):
        ask(operator, short_log, times=times)  # type: ignore[arg-type]
    assert not ReplayRun.objects.exists()


@pytest.mark.parametrize("session", ["", "nobody", "../../etc", "day1/"])
def test_an_unknown_session_is_refused(operator: User, short_log: Path, session: str) -> None:
    with pytest.raises(ReplayRefusedError, match="has no log"):
        replay_run_request(
            session=session,
            times=1,
            requested_by=operator,
            var_dir=short_log.parent.parent,
            now=NOW,
        )


# --- carried out ----------------------------------------------------------------------------------


def test_a_run_is_carried_out_to_the_digests(operator: User, short_log: Path) -> None:
    run = ask(operator, short_log)
    replay_run_execute(run_id=run.pk, means=make_means(short_log.parent.parent))
    run.refresh_from_db()
    assert (run.state, run.error, run.finished_at) == (State.SUCCEEDED, "", NOW)
    digest = read_recording(short_log).digest
    assert run.result["digest"] == digest
    assert [way["digest"] for way in run.result["ways"]] == [digest, digest]
    assert run.done == run.total == 2 * run.result["events"]


def test_a_divergence_is_kept_with_its_place(operator: User, short_log: Path) -> None:
    seq = bodies(short_log, "signal.emitted")[3]["seq"]
    forge_event(short_log, seq, lambda body: body | {"key": "S4:NOBODY"})
    run = ask(operator, short_log)
    replay_run_execute(run_id=run.pk, means=make_means(short_log.parent.parent))
    run.refresh_from_db()
    assert run.state == State.DIVERGED
    assert run.result["ways"][0]["divergence"]["seq"] == seq
    assert run.result["ways"][0]["divergence"]["path"] == "$.key"


def test_a_tampered_log_fails_the_run_with_its_line(operator: User, short_log: Path) -> None:
    run = ask(operator, short_log)
    path = day_files(short_log)[0]
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    replay_run_execute(run_id=run.pk, means=make_means(short_log.parent.parent))
    run.refresh_from_db()
    assert run.state == State.FAILED
    assert f"{path} line " in run.error
    assert run.result is None


def test_a_session_that_went_on_is_replayed_to_where_it_was(operator: User, tmp_path: Path) -> None:
    """Asked for in the morning, carried out in the evening: the end is the morning's."""
    rig = Rig(var_dir=tmp_path)
    heads = []

    def note(text: str) -> None:
        if "closed" in text:
            heads.append(read_head(rig.directory))

    rig.on_progress = note
    rig.run()
    run = ask(operator, rig.directory, times=1)
    ReplayRun.objects.filter(pk=run.pk).update(end=asdict(heads[0]))
    replay_run_execute(run_id=run.pk, means=make_means(tmp_path))
    run.refresh_from_db()
    assert run.state == State.SUCCEEDED
    assert run.result["days"] == [DAYS[0].isoformat()]
    assert run.result["finished"] is False


def test_a_run_is_carried_out_once(operator: User, short_log: Path) -> None:
    """A message delivered twice, or late."""
    run = claimed(operator, short_log)
    assert work_claim(model=ReplayRun, work_id=run.pk, now=NOW) is None
    replay_run_execute(run_id=run.pk, means=make_means(short_log.parent.parent))
    run.refresh_from_db()
    assert run.state == State.RUNNING


@pytest.mark.django_db(transaction=True)
def test_of_many_workers_one_gets_the_run(operator: User, short_log: Path) -> None:
    run = ask(operator, short_log)

    def claim(_: int) -> bool:
        try:
            return work_claim(model=ReplayRun, work_id=run.pk, now=NOW) is not None
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(claim, range(40))) == 1


def test_too_long_is_timed_out(
    operator: User, short_log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_long(**_: object) -> None:
        raise SoftTimeLimitExceeded

    monkeypatch.setattr(long_work, "work_progress", too_long)
    run = ask(operator, short_log)
    replay_run_execute(run_id=run.pk, means=make_means(short_log.parent.parent))
    run.refresh_from_db()
    assert (run.state, run.error) == (State.TIMED_OUT, "it took longer than a replay may")


def test_a_bug_fails_the_run_and_is_not_swallowed(
    operator: User, short_log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(long_work, "work_progress", broken)
    run = ask(operator, short_log)
    with pytest.raises(ZeroDivisionError):
        replay_run_execute(run_id=run.pk, means=make_means(short_log.parent.parent))
    run.refresh_from_db()
    assert (run.state, run.error) == (State.FAILED, "the replay broke: ZeroDivisionError: oh")


def test_the_row_is_written_at_most_once_a_second(
    operator: User, short_log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[float] = []
    seconds = iter(range(10_000))
    means = make_means(short_log.parent.parent, clock=lambda: next(seconds) / 8)

    def note(**_: object) -> None:
        written.append(1.0)

    monkeypatch.setattr(long_work, "work_progress", note)
    run = ask(operator, short_log)
    replay_run_execute(run_id=run.pk, means=means)
    looks = next(seconds)
    assert 1 <= len(written) <= looks / 8 + 1


# --- ended by people ------------------------------------------------------------------------------


def test_a_waiting_run_is_stopped_at_once(
    operator: User, compliance: User, short_log: Path
) -> None:
    run = ask(operator, short_log)
    replay_run_stop(run_id=run.pk, stopped_by=compliance, now=NOW)
    run.refresh_from_db()
    assert (run.state, run.stopped_by, run.finished_at) == (State.STOPPED, compliance, NOW)
    replay_run_execute(run_id=run.pk, means=make_means(short_log.parent.parent))
    run.refresh_from_db()
    assert run.state == State.STOPPED


def test_a_running_run_stops_at_its_next_sign_of_life(
    operator: User, compliance: User, short_log: Path
) -> None:
    run = claimed(operator, short_log)
    work_progress(row=run, done=1, total=9, now=NOW)
    replay_run_stop(run_id=run.pk, stopped_by=compliance, now=NOW)
    replay_run_stop(run_id=run.pk, stopped_by=operator, now=LATER)  # a second click
    with pytest.raises(WorkStoppedError):
        work_progress(row=run, done=2, total=9, now=NOW)
    run.refresh_from_db()
    assert (run.stopped_by, run.stop_requested_at) == (compliance, NOW)


def test_a_stopped_replay_ends_as_stopped_without_a_result(operator: User, short_log: Path) -> None:
    run = ask(operator, short_log, times=4)
    means = make_means(short_log.parent.parent)

    def stop_when_running() -> Any:
        if ReplayRun.objects.filter(pk=run.pk, state=State.RUNNING).exists():
            replay_run_stop(run_id=run.pk, stopped_by=operator, now=NOW)
        return NOW

    replay_run_execute(run_id=run.pk, means=make_means(means.var_dir, now=stop_when_running))
    run.refresh_from_db()
    assert (run.state, run.result) == (State.STOPPED, None)


def test_what_has_ended_cannot_be_stopped(operator: User, short_log: Path) -> None:
    run = claimed(operator, short_log)
    work_finish(row=run, state=State.FAILED, now=NOW, error="x")
    with pytest.raises(ReplayRefusedError, match="has ended"):
        replay_run_stop(run_id=run.pk, stopped_by=operator, now=NOW)


# --- ended by accidents ---------------------------------------------------------------------------


def test_a_silent_run_is_requeued_and_its_old_worker_has_lost_it(
    operator: User, short_log: Path, django_capture_on_commit_callbacks: Any
) -> None:
    run = claimed(operator, short_log)
    work_progress(row=run, done=5, total=9, now=NOW)
    assert replay_runs_reap(now=NOW + timedelta(seconds=60)) == []
    with django_capture_on_commit_callbacks() as callbacks:
        assert replay_runs_reap(now=LATER) == [run.pk]
    assert len(callbacks) == 1
    again = ReplayRun.objects.get(pk=run.pk)
    assert (again.state, again.attempt) == (State.QUEUED, 2)
    # The old worker was only slow: what it says and finds is not taken any more.
    with pytest.raises(WorkLostError):
        work_progress(row=run, done=6, total=9, now=LATER)
    assert not work_finish(row=run, state=State.FAILED, now=LATER, error="late")
    assert work_claim(model=ReplayRun, work_id=run.pk, now=LATER) is not None
    with pytest.raises(WorkLostError):
        work_progress(row=run, done=7, total=9, now=LATER)


def test_a_run_that_is_taken_away_is_not_finished(
    operator: User, short_log: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = ask(operator, short_log, times=4)

    def reap_when_running() -> Any:
        ReplayRun.objects.filter(pk=run.pk, state=State.RUNNING).update(attempt=2)
        return NOW

    means = make_means(short_log.parent.parent, now=reap_when_running)
    replay_run_execute(run_id=run.pk, means=means)
    run.refresh_from_db()
    assert (run.state, run.attempt, run.result) == (State.RUNNING, 2, None)
    assert "another has it" in caplog.text


def test_a_run_whose_workers_keep_dying_is_given_up(operator: User, short_log: Path) -> None:
    run = claimed(operator, short_log)
    now = NOW
    for _ in range(MAX_ATTEMPTS - 1):
        now += timedelta(seconds=61)
        assert replay_runs_reap(now=now) == [run.pk]
        assert work_claim(model=ReplayRun, work_id=run.pk, now=now) is not None
    assert replay_runs_reap(now=now + timedelta(seconds=61)) == []
    run.refresh_from_db()
    assert (run.state, run.error) == (State.FAILED, f"its worker died {MAX_ATTEMPTS} times")


def test_a_silent_run_that_was_asked_to_stop_is_not_started_again(
    operator: User, short_log: Path
) -> None:
    run = claimed(operator, short_log)
    replay_run_stop(run_id=run.pk, stopped_by=operator, now=NOW)
    assert replay_runs_reap(now=LATER) == []
    run.refresh_from_db()
    assert run.state == State.STOPPED


def test_a_waiting_run_whose_message_is_lost_is_sent_again_once_a_minute(
    operator: User, short_log: Path
) -> None:
    run = ask(operator, short_log)
    assert replay_runs_reap(now=NOW + timedelta(seconds=59)) == []
    assert replay_runs_reap(now=LATER) == [run.pk]
    assert replay_runs_reap(now=LATER) == []
    run.refresh_from_db()
    assert (run.state, run.attempt) == (State.QUEUED, 1)


def test_a_run_that_waits_its_turn_is_not_sent_again(operator: User, short_log: Path) -> None:
    waiting = ask(operator, short_log, times=3)
    busy = claimed(operator, short_log, times=2)
    work_progress(row=busy, done=1, total=9, now=LATER)
    assert replay_runs_reap(now=LATER) == []
    waiting.refresh_from_db()
    assert waiting.heartbeat_at == NOW
