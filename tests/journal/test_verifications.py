"""Verifications asked for, carried out, stopped and given up; and what the pages ask of them."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from django.db import IntegrityError, connection, transaction
from kombu.exceptions import OperationalError

import journal.long_work as long_work
from journal import verifications
from journal.log.head import read_head
from journal.log.session import day_files
from journal.long_work import (
    MAX_ATTEMPTS,
    WorkLostError,
    WorkStoppedError,
    progress_of,
    work_claim,
    work_finish,
    work_progress,
)
from journal.models import RangeVerification
from journal.verification_pages import (
    UnknownVerificationError,
    file_rows,
    verification_get,
    verification_list,
)
from journal.verifications import (
    VerificationRefusedError,
    VerifierMeans,
    range_verification_execute,
    range_verification_request,
    range_verification_stop,
    range_verifications_reap,
)
from tests.journal.desk_bed import written
from tests.journal.log_bed import write_log

if TYPE_CHECKING:
    from pathlib import Path

    from django.contrib.auth.models import User

State = RangeVerification.State
NOW = datetime(2026, 2, 27, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(seconds=61)


@pytest.fixture
def log(var_dir: Path) -> Path:
    """Session `day1`: three days of 242 lines."""
    return write_log(var_dir, days=3, events=240)


def ask(user: User, log: Path, *, now: datetime = NOW, **what: Any) -> RangeVerification:
    return range_verification_request(
        session=log.name,
        requested_by=user,
        address="10.0.0.7",
        var_dir=log.parent.parent,
        now=now,
        **what,
    )


def claimed(user: User, log: Path, **what: Any) -> RangeVerification:
    row = work_claim(model=RangeVerification, work_id=ask(user, log, **what).pk, now=NOW)
    assert row is not None
    return row


def means(log: Path, **changes: Any) -> VerifierMeans:
    given: dict[str, Any] = {
        "var_dir": log.parent.parent,
        "clock": time.monotonic,
        "now": lambda: NOW,
    }
    return VerifierMeans(**given | changes)


def hasty(log: Path, **changes: Any) -> VerifierMeans:
    """Means whose clock gains a second a look, so that every progress is written."""
    seconds = iter(range(1_000_000))
    return means(log, clock=lambda: next(seconds), **changes)


def carried_out(row: RangeVerification, log: Path) -> RangeVerification:
    range_verification_execute(verification_id=row.pk, means=means(log))
    row.refresh_from_db()
    return row


def flip(path: Path, offset: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)


# --- asked for ------------------------------------------------------------------------------------


def test_each_kind_of_range_is_queued_with_its_lines(operator: User, log: Path) -> None:
    whole = ask(operator, log)
    day = ask(operator, log, day="2025-08-21")
    some = ask(operator, log, lines=("5", "300"))
    assert (whole.asked, whole.whole, whole.first_line, whole.last_line) == (
        "whole session",
        True,
        1,
        726,
    )
    assert (day.asked, day.whole, day.first_line, day.last_line) == ("2025-08-21", False, 243, 484)
    assert (some.asked, some.first_line, some.last_line) == ("lines 5 to 300", 5, 300)
    assert {row.state for row in (whole, day, some)} == {State.QUEUED}
    assert whole.requested_by == operator


def test_who_asked_from_where_is_on_record(operator: User, log: Path) -> None:
    ask(operator, log, day="2025-08-21")
    (record,) = written(log.parents[1])
    assert (record.kind, record.actor) == ("desk.verification_asked", "operator")
    assert record.address == "10.0.0.7"
    assert record.data == {"session": "day1", "range": "2025-08-21"}


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ({"day": "2025-08-29"}, "Session day1 has no day 2025-08-29."),
        ({"day": ""}, "has no day (none)."),
        ({"lines": ("", "")}, "The first line is missing: expected a number from 1."),
        ({"lines": ("1", "x")}, "The last line is x: expected a number from 1."),
        ({"lines": ("0", "5")}, "The first line is 0: expected a number from 1."),
        ({"lines": ("9", "8")}, "Lines 9 to 8: the log ends at line 726."),
        ({"lines": ("1", "727")}, "Lines 1 to 727: the log ends at line 726."),
        ({"lines": ("-3", "5")}, "The first line is -3"),
    ],
)
def test_what_is_not_in_the_log_is_refused(
    operator: User, log: Path, what: dict[str, Any], words: str
) -> None:
    with pytest.raises(VerificationRefusedError) as refused:
        ask(operator, log, **what)
    assert words in str(refused.value)
    assert not RangeVerification.objects.exists()


@pytest.mark.parametrize("session", ["", "nobody", "../../etc", "DAY1"])
def test_an_unknown_session_is_refused(operator: User, log: Path, session: str) -> None:
    with pytest.raises(VerificationRefusedError, match="has no log"):
        range_verification_request(
            session=session,
            requested_by=operator,
            address="local",
            var_dir=log.parent.parent,
            now=NOW,
        )


def test_a_day_with_a_damaged_end_is_bounded_by_its_neighbours(operator: User, log: Path) -> None:
    flip(day_files(log)[1], 40)
    row = ask(operator, log, day="2025-08-21")
    assert (row.first_line, row.last_line) == (243, 484)
    flip(day_files(log)[2], 40)
    last = ask(operator, log, day="2025-08-22")
    assert last.last_line == 726


def test_a_log_without_a_durable_line_is_refused(operator: User, log: Path) -> None:
    (log / "head").unlink()
    with pytest.raises(VerificationRefusedError, match="no durable line yet"):
        ask(operator, log)
    with pytest.raises(VerificationRefusedError, match="no durable line"):
        ask(operator, log, lines=("1", "2"))


def test_the_same_again_is_the_same_until_it_has_ended(
    operator: User, compliance: User, log: Path
) -> None:
    first = ask(operator, log)
    assert ask(compliance, log, now=LATER).pk == first.pk
    assert ask(operator, log, day="2025-08-21").pk != first.pk
    carried_out(first, log)
    assert ask(operator, log).pk != first.pk


@pytest.mark.django_db(transaction=True)
def test_fifty_clicks_at_once_are_one_verification(operator: User, log: Path) -> None:
    def click(_: int) -> object:
        try:
            return ask(operator, log).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(click, range(50)))) == 1
    assert RangeVerification.objects.count() == 1


def test_the_database_itself_refuses_a_second_active_one(operator: User, log: Path) -> None:
    row = ask(operator, log)
    row.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save(force_insert=True)


def test_a_queue_that_does_not_answer_leaves_it_waiting(
    operator: User,
    log: Path,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from journal.tasks import range_verification_task

    def unreachable(**_: object) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(range_verification_task, "apply_async", unreachable)
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        row = ask(operator, log)
        ask(operator, log)
    assert len(callbacks) == 1
    row.refresh_from_db()
    assert row.state == State.QUEUED
    assert "the queue does not answer (connection refused)" in caplog.text


# --- carried out ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "lines"), [({}, 726), ({"day": "2025-08-21"}, 242), ({"lines": ("5", "300")}, 296)]
)
def test_a_sound_range_holds(operator: User, log: Path, what: dict[str, Any], lines: int) -> None:
    row = carried_out(ask(operator, log, **what), log)
    assert (row.state, row.error, row.finished_at) == (State.HOLDS, "", NOW)
    assert row.result["lines"] == row.done == row.total == lines


def test_the_whole_holds_to_the_published_head(operator: User, log: Path) -> None:
    head = read_head(log)
    assert head is not None
    row = carried_out(ask(operator, log), log)
    assert row.result["head"] == head.hash


def test_damage_is_told_with_file_line_and_both_hashes(operator: User, log: Path) -> None:
    row = ask(operator, log)
    path = day_files(log)[1]
    flip(path, path.stat().st_size // 2)
    carried_out(row, log)
    assert row.state == State.BROKEN
    assert row.result["file"] == "2025-08-21.jsonl"
    assert 243 < row.result["line"] < 484
    assert row.result["reason"]
    assert len(row.result["expected"]) == 64
    assert row.result["expected"] != row.result["found"]


def test_a_log_that_is_gone_could_not_be_read(operator: User, log: Path) -> None:
    row = ask(operator, log)
    for path in day_files(log):
        path.unlink()
    carried_out(row, log)
    assert row.state == State.FAILED
    assert "no log here" in row.error


def test_a_file_that_cannot_be_opened_could_not_be_read(operator: User, log: Path) -> None:
    row = ask(operator, log)
    path = day_files(log)[0]
    path.unlink()
    path.mkdir()
    carried_out(row, log)
    assert row.state == State.FAILED
    assert "Is a directory" in row.error


def test_it_is_carried_out_once(operator: User, log: Path) -> None:
    row = claimed(operator, log)
    assert work_claim(model=RangeVerification, work_id=row.pk, now=NOW) is None
    assert carried_out(row, log).state == State.RUNNING


def test_progress_is_written_in_lines(
    operator: User, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int]] = []
    write = long_work.work_progress

    def note(**given: Any) -> None:
        told.append((given["done"], given["total"]))
        write(**given)

    monkeypatch.setattr(long_work, "work_progress", note)
    range_verification_execute(verification_id=ask(operator, log).pk, means=hasty(log))
    assert told
    assert told == sorted(told)
    assert {total for _, total in told} == {726}


def test_the_row_is_written_at_most_once_a_second(
    operator: User, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []
    monkeypatch.setattr(long_work, "work_progress", lambda **given: told.append(given["done"]))
    row = ask(operator, log)
    range_verification_execute(verification_id=row.pk, means=means(log, clock=lambda: 5.0))
    assert len(told) <= 1  # the clock stands still: the first sign of life and no other


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (SoftTimeLimitExceeded(), "it took longer than a verification may"),
        (ZeroDivisionError("oh"), "the verification broke: ZeroDivisionError: oh"),
    ],
)
def test_what_breaks_it_is_written_down(
    operator: User, log: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(verifications, "verify_range", broken)
    row = ask(operator, log)
    if isinstance(error, ZeroDivisionError):
        with pytest.raises(ZeroDivisionError):
            carried_out(row, log)
    else:
        carried_out(row, log)
    row.refresh_from_db()
    assert (row.state, row.error) == (State.FAILED, words)


# --- ended by people and by accidents -------------------------------------------------------------


def test_a_waiting_one_is_stopped_at_once(operator: User, compliance: User, log: Path) -> None:
    row = ask(operator, log)
    range_verification_stop(verification_id=row.pk, stopped_by=compliance, now=NOW)
    assert carried_out(row, log).state == State.STOPPED
    assert (row.stopped_by, row.finished_at) == (compliance, NOW)
    with pytest.raises(VerificationRefusedError, match="has ended"):
        range_verification_stop(verification_id=row.pk, stopped_by=operator, now=NOW)


def test_a_running_one_stops_at_its_next_sign_of_life(operator: User, log: Path) -> None:
    row = claimed(operator, log)
    work_progress(row=row, done=1, total=9, now=NOW)
    range_verification_stop(verification_id=row.pk, stopped_by=operator, now=NOW)
    range_verification_stop(verification_id=row.pk, stopped_by=operator, now=LATER)
    with pytest.raises(WorkStoppedError):
        work_progress(row=row, done=2, total=9, now=NOW)
    row.refresh_from_db()
    assert row.stop_requested_at == NOW


def test_stopped_in_mid_run_it_ends_without_a_result(operator: User, log: Path) -> None:
    row = ask(operator, log)

    def stop_when_running() -> datetime:
        if RangeVerification.objects.filter(pk=row.pk, state=State.RUNNING).exists():
            range_verification_stop(verification_id=row.pk, stopped_by=operator, now=NOW)
        return NOW

    range_verification_execute(verification_id=row.pk, means=hasty(log, now=stop_when_running))
    row.refresh_from_db()
    assert (row.state, row.result) == (State.STOPPED, None)


def test_a_silent_one_is_requeued_and_its_old_worker_has_lost_it(
    operator: User, log: Path, django_capture_on_commit_callbacks: Any
) -> None:
    row = claimed(operator, log)
    assert range_verifications_reap(now=NOW + timedelta(seconds=60)) == []
    with django_capture_on_commit_callbacks() as callbacks:
        assert range_verifications_reap(now=LATER) == [row.pk]
    assert len(callbacks) == 1
    again = RangeVerification.objects.get(pk=row.pk)
    assert (again.state, again.attempt) == (State.QUEUED, 2)
    with pytest.raises(WorkLostError):
        work_progress(row=row, done=6, total=9, now=LATER)
    assert not work_finish(row=row, state=State.FAILED, now=LATER, error="late")


def test_one_that_is_taken_away_is_not_finished(
    operator: User, log: Path, caplog: pytest.LogCaptureFixture
) -> None:
    row = ask(operator, log)

    def reap_when_running() -> datetime:
        RangeVerification.objects.filter(pk=row.pk, state=State.RUNNING).update(attempt=2)
        return NOW

    range_verification_execute(verification_id=row.pk, means=hasty(log, now=reap_when_running))
    row.refresh_from_db()
    assert (row.state, row.attempt, row.result) == (State.RUNNING, 2, None)
    assert "another has it" in caplog.text


def test_one_whose_workers_keep_dying_is_given_up(operator: User, log: Path) -> None:
    row = claimed(operator, log)
    now = NOW
    for _ in range(MAX_ATTEMPTS - 1):
        now += timedelta(seconds=61)
        assert range_verifications_reap(now=now) == [row.pk]
        assert work_claim(model=RangeVerification, work_id=row.pk, now=now) is not None
    assert range_verifications_reap(now=now + timedelta(seconds=61)) == []
    row.refresh_from_db()
    assert (row.state, row.error) == (State.FAILED, f"its worker died {MAX_ATTEMPTS} times")


def test_a_silent_one_that_was_stopped_is_not_started_again(operator: User, log: Path) -> None:
    row = claimed(operator, log)
    range_verification_stop(verification_id=row.pk, stopped_by=operator, now=NOW)
    assert range_verifications_reap(now=LATER) == []
    row.refresh_from_db()
    assert row.state == State.STOPPED


def test_a_lost_message_is_sent_again_when_no_worker_is_busy(operator: User, log: Path) -> None:
    waiting = ask(operator, log)
    busy = claimed(operator, log, day="2025-08-21")
    work_progress(row=busy, done=1, total=9, now=LATER)
    assert range_verifications_reap(now=LATER) == []
    work_finish(row=busy, state=State.HOLDS, now=LATER, result={"lines": 1})
    assert range_verifications_reap(now=LATER) == [waiting.pk]
    assert range_verifications_reap(now=LATER) == []


# --- what the pages ask ---------------------------------------------------------------------------


def test_each_file_has_the_last_verification_that_covers_it(operator: User, log: Path) -> None:
    def told() -> list[tuple[str, str, bool]]:
        rows = file_rows(session="day1", var_dir=log.parent.parent)
        return [
            (row.status.day, row.verified.asked if row.verified else "never", row.whole)
            for row in rows
        ]

    assert told() == [(f"2025-08-2{day}", "never", False) for day in (2, 1, 0)]
    carried_out(ask(operator, log), log)
    carried_out(ask(operator, log, day="2025-08-21", now=LATER), log)
    carried_out(ask(operator, log, lines=("700", "720"), now=LATER), log)
    ask(operator, log, now=LATER + timedelta(seconds=9))  # not ended: says nothing yet
    assert told() == [
        ("2025-08-22", "lines 700 to 720", False),
        ("2025-08-21", "2025-08-21", True),
        ("2025-08-20", "whole session", True),
    ]
    flip(day_files(log)[1], 40)
    assert told()[1] == ("2025-08-21", "2025-08-21", True)


def test_the_list_goes_by_key(operator: User, log: Path) -> None:
    rows = [
        carried_out(ask(operator, log, lines=(str(n), "99"), now=NOW), log) for n in range(1, 46)
    ]
    found: list[Any] = []
    before = None
    while True:
        shown = verification_list(session="day1", before=before)
        found += [row.pk for row in shown.rows]
        before = shown.older
        if before is None:
            break
    assert sorted(found) == sorted(row.pk for row in rows)
    assert verification_list(session="other").rows == []
    with pytest.raises(UnknownVerificationError):
        verification_get(session="other", verification_id=rows[0].pk)


def test_pace_and_rest_are_what_the_row_says(operator: User, log: Path) -> None:
    row = claimed(operator, log)
    assert progress_of(row).percent == 0
    assert progress_of(row).seconds_left is None
    work_progress(row=row, done=370, total=1000, now=NOW + timedelta(seconds=10))
    row.refresh_from_db()
    progress = progress_of(row)
    assert (progress.percent, progress.step) == (37, 25)
    assert (progress.per_second, progress.seconds_left) == (37, 17)
