"""What is done with range verifications: asked for, claimed, carried on, finished, stopped,
requeued.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from billiard.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from django.db.models import F
from kombu.exceptions import OperationalError

from journal.log.errors import TamperedError
from journal.log.head import read_head
from journal.log.session import day_name, session_directory, session_names
from journal.log.status import UNREADABLE, file_statuses, without_directory
from journal.log.verification import verify_range
from journal.models import RangeVerification
from journal.services import put_on_record

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path
    from uuid import UUID

    from django.contrib.auth.models import User

logger = logging.getLogger("brahmastra.journal")

MAX_ATTEMPTS = 3
SILENCE = timedelta(seconds=60)  # without a sign of life for so long it has lost its worker
WRITE_SECONDS = 1.0
WHOLE = "whole session"

State = RangeVerification.State


class VerificationRefusedError(Exception):
    """A verification was not started or stopped; the text says why."""


class VerificationStoppedError(Exception):
    """Somebody asked for the end of it."""


class VerificationLostError(Exception):
    """It is not ours any more: it was given to another worker, or ended."""


@dataclass(frozen=True, slots=True)
class Range:
    """Lines to verify, both ends included, and the words for them; `whole` is everything there is,
    the durable head included.
    """

    asked: str
    first_line: int
    last_line: int
    whole: bool = False


@dataclass(frozen=True, slots=True)
class VerifierMeans:
    """What a worker has: where the logs are, a clock in seconds and one that says when."""

    var_dir: Path
    clock: Callable[[], float]
    now: Callable[[], datetime]


def range_verification_request(
    *,
    session: str,
    day: str | None = None,
    lines: tuple[str, str] | None = None,
    requested_by: User,
    address: str,
    var_dir: Path,
    now: datetime,
) -> RangeVerification:
    """Queue the verification of a session, of a `day` of it (ISO text) or of its `lines` (first and
    last, as typed); the one that waits or runs already when it is for the same range.

    Raises VerificationRefusedError for a session, day or range that is not in the log.
    """
    wanted = _range(_log_directory(session, var_dir), day, lines)
    row = RangeVerification(
        session=session,
        asked=wanted.asked,
        whole=wanted.whole,
        first_line=wanted.first_line,
        last_line=wanted.last_line,
        requested_by=requested_by,
        created_at=now,
        heartbeat_at=now,
    )
    put_on_record(
        kind="verification.asked",
        actor=requested_by.get_username(),
        address=address,
        data={"session": session, "range": wanted.asked},
    )
    while True:
        with transaction.atomic():
            # The constraint decides between two who ask at once; nobody's transaction breaks.
            RangeVerification.objects.bulk_create([row], ignore_conflicts=True)
            found = RangeVerification.objects.filter(
                session=session, asked=wanted.asked, state__in=RangeVerification.ACTIVE
            ).first()
            if found is not None and found.pk == row.pk:
                transaction.on_commit(partial(_send_verification, row.pk))
        if found is not None:
            return found
        # What stood in the way has ended meanwhile.


def range_verification_stop(*, verification_id: UUID, stopped_by: User, now: datetime) -> None:
    """End a waiting verification at once; ask a running one to stop.

    Raises VerificationRefusedError when it has ended.
    """
    rows = RangeVerification.objects.filter(pk=verification_id)
    who = {"stopped_by": stopped_by, "stop_requested_at": now}
    if rows.filter(state=State.QUEUED).update(state=State.STOPPED, finished_at=now, **who):
        return
    asked = rows.filter(state=State.RUNNING, stop_requested_at__isnull=True).update(**who)
    if not asked and not rows.filter(state=State.RUNNING).exists():
        raise VerificationRefusedError("This verification has ended; there is nothing to stop.")


def range_verification_claim(*, verification_id: UUID, now: datetime) -> RangeVerification | None:
    """Take a waiting verification; None when somebody else has it or it has ended."""
    claimed = RangeVerification.objects.filter(pk=verification_id, state=State.QUEUED).update(
        state=State.RUNNING, started_at=now, heartbeat_at=now, done_lines=0, total_lines=0
    )
    return RangeVerification.objects.get(pk=verification_id) if claimed else None


def range_verification_progress(
    *, row: RangeVerification, done: int, total: int, now: datetime
) -> None:
    """Write how far our attempt is: lines behind us and in all.

    Raises VerificationLostError when it is not ours any more, VerificationStoppedError when
    somebody asked for its end.
    """
    ours = RangeVerification.objects.filter(pk=row.pk, attempt=row.attempt, state=State.RUNNING)
    if not ours.update(done_lines=done, total_lines=total, heartbeat_at=now):
        raise VerificationLostError(str(row.pk))
    if ours.filter(stop_requested_at__isnull=False).exists():
        raise VerificationStoppedError(str(row.pk))


def range_verification_finish(
    *,
    row: RangeVerification,
    state: RangeVerification.State,
    now: datetime,
    result: dict[str, Any] | None = None,
    error: str = "",
) -> bool:
    """End our attempt; False when it is not ours any more."""
    changed = {"state": state, "finished_at": now, "heartbeat_at": now, "error": error}
    if result is not None:
        changed["result"] = result
    if state == State.HOLDS and result is not None:
        changed |= {"done_lines": result["lines"], "total_lines": result["lines"]}
    ours = RangeVerification.objects.filter(pk=row.pk, attempt=row.attempt, state=State.RUNNING)
    return bool(ours.update(**changed))


def range_verification_execute(*, verification_id: UUID, means: VerifierMeans) -> None:
    """Claim a verification, carry it out and write what was found; nothing when none waits."""
    row = range_verification_claim(verification_id=verification_id, now=means.now())
    if row is None:
        return
    directory = session_directory(means.var_dir, row.session)

    def finish(state: RangeVerification.State, **found: Any) -> None:
        range_verification_finish(row=row, state=state, now=means.now(), **found)

    try:
        verified = verify_range(
            directory,
            first_line=None if row.whole else row.first_line,
            last_line=None if row.whole else row.last_line,
            progress=_VerificationReporter(row, means).tell,
        )
    except VerificationLostError:
        logger.warning("verification %s attempt %d: another has it", row.pk, row.attempt)
    except VerificationStoppedError:
        finish(State.STOPPED)
    except SoftTimeLimitExceeded:
        finish(State.FAILED, error="it took longer than a verification may")
    except TamperedError as error:
        finish(State.BROKEN, result=_contradiction(error))
    except UNREADABLE as error:
        finish(State.FAILED, error=without_directory(error, directory))
    except Exception as error:
        finish(State.FAILED, error=f"the verification broke: {type(error).__name__}: {error}")
        raise
    else:
        finish(State.HOLDS, result=asdict(verified))


def range_verifications_reap(*, now: datetime) -> list[UUID]:
    """Requeue the running verifications whose worker has gone silent, and send the waiting ones
    again that no worker took while none was busy; return those sent.
    """
    rows = RangeVerification.objects.order_by("created_at", "id")
    silent = rows.filter(heartbeat_at__lt=now - SILENCE)
    sent = [row.pk for row in silent.filter(state=State.RUNNING) if _requeue(row, now)]
    busy = rows.filter(state=State.RUNNING, heartbeat_at__gte=now - SILENCE).exists()
    if not busy:
        sent += [
            row.pk
            for row in silent.filter(state=State.QUEUED)
            if _unchanged(row).update(heartbeat_at=now)  # their message is lost
        ]
    for verification_id in sent:
        transaction.on_commit(partial(_send_verification, verification_id))
    return sent


class _VerificationReporter:
    """Writes the progress of a verification, at most once a second."""

    def __init__(self, row: RangeVerification, means: VerifierMeans) -> None:
        self._row = row
        self._means = means
        self._next = means.clock()

    def tell(self, done: int, total: int) -> None:
        clock = self._means.clock()
        if clock >= self._next:
            self._next = clock + WRITE_SECONDS
            range_verification_progress(
                row=self._row, done=done, total=total, now=self._means.now()
            )


def _range(directory: Path, day: str | None, lines: tuple[str, str] | None) -> Range:
    if day is not None:
        return _day_range(directory, day)
    end = read_head(directory)
    if lines is not None:
        first, last = _line_number(lines[0], "first"), _line_number(lines[1], "last")
        if end is None or not first <= last <= end.line:
            words = f"the log ends at line {end.line}" if end else "the log has no durable line"
            raise VerificationRefusedError(f"Lines {first} to {last}: {words}.")
        return Range(asked=f"lines {first} to {last}", first_line=first, last_line=last)
    if end is None:
        raise VerificationRefusedError(f"Session {directory.name} has no durable line yet.")
    return Range(asked=WHOLE, first_line=1, last_line=end.line, whole=True)


def _day_range(directory: Path, day: str) -> Range:
    """Return the lines of a day; where its ends cannot be read, those between its neighbours."""
    statuses = file_statuses(directory)
    at = next((i for i, status in enumerate(statuses) if status.day == day), None)
    if at is None:
        raise VerificationRefusedError(f"Session {directory.name} has no day {day or '(none)'}.")
    before = [status.last_line for status in statuses[:at] if status.last_line]
    after = [status.first_line for status in statuses[at + 1 :] if status.first_line]
    end = read_head(directory)
    first = statuses[at].first_line or (before[-1] + 1 if before else 1)
    last = statuses[at].last_line or (after[0] - 1 if after else (end.line if end else 0))
    if last < first:
        raise VerificationRefusedError(f"Day {day} has no durable line yet.")
    return Range(asked=day, first_line=first, last_line=last)


def _line_number(text: str, which: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < len(text) <= 13 and int(text)):
        raise VerificationRefusedError(
            f"The {which} line is {text or 'missing'}: expected a number from 1."
        )
    return int(text)


def _log_directory(session: str, var_dir: Path) -> Path:
    if session not in session_names(var_dir):
        raise VerificationRefusedError(f"Session {session or '(none)'} has no log.")
    return session_directory(var_dir, session)


def _contradiction(error: TamperedError) -> dict[str, Any]:
    return {
        "file": day_name(error.path),
        "line": error.line,
        "reason": error.reason,
        "expected": error.expected,
        "found": error.found,
    }


def _unchanged(row: RangeVerification) -> Any:
    """Match a row only as it was read: of two reapers one acts."""
    return RangeVerification.objects.filter(
        pk=row.pk, state=row.state, attempt=row.attempt, heartbeat_at=row.heartbeat_at
    )


def _requeue(row: RangeVerification, now: datetime) -> bool:
    """Give a verification that lost its worker another chance; end it when somebody stopped it, or
    it has had enough of them.
    """
    if row.stop_requested_at is not None:
        _unchanged(row).update(state=State.STOPPED, finished_at=now)
        return False
    if row.attempt >= MAX_ATTEMPTS:
        words = f"its worker died {row.attempt} times"
        _unchanged(row).update(state=State.FAILED, finished_at=now, error=words)
        return False
    again = {"state": State.QUEUED, "attempt": F("attempt") + 1, "heartbeat_at": now}
    return bool(_unchanged(row).update(**again))


def _send_verification(verification_id: UUID) -> None:
    from journal.tasks import range_verification_task

    try:
        range_verification_task.apply_async(
            kwargs={"verification_id": str(verification_id)}, task_id=str(verification_id)
        )
    except OperationalError as error:
        logger.warning("verification %s waits: the queue is silent (%s)", verification_id, error)
