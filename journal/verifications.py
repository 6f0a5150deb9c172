"""What is done with range verifications: asked for, carried out, stopped; see
`journal.long_work`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from journal.log.errors import TamperedError
from journal.log.head import read_head
from journal.log.session import day_name, log_names, session_directory
from journal.log.status import UNREADABLE, file_statuses, without_directory
from journal.log.verification import verify_range
from journal.long_work import (
    WorkEndedError,
    WorkReporter,
    work_attempt,
    work_claim,
    work_request,
    work_send,
    work_stop,
    works_reap,
)
from journal.models import RangeVerification
from journal.services import desk_record

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path
    from uuid import UUID

    from django.contrib.auth.models import User

NOUN = "verification"
WHOLE = "whole session"

State = RangeVerification.State


class VerificationRefusedError(Exception):
    """A verification was not started or stopped; the text says why."""


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
    desk_record(
        kind="desk.verification_asked",
        actor=requested_by.get_username(),
        address=address,
        data={"session": session, "range": wanted.asked},
        var_dir=var_dir,
    )
    same = {"session": session, "asked": wanted.asked}
    return work_request(row=row, same=same, send=_send_verification)


def range_verification_stop(*, verification_id: UUID, stopped_by: User, now: datetime) -> None:
    """End a waiting verification at once; ask a running one to stop.

    Raises VerificationRefusedError when it has ended.
    """
    try:
        work_stop(model=RangeVerification, work_id=verification_id, stopped_by=stopped_by, now=now)
    except WorkEndedError:
        words = "This verification has ended; there is nothing to stop."
        raise VerificationRefusedError(words) from None


def range_verification_execute(*, verification_id: UUID, means: VerifierMeans) -> None:
    """Claim a verification, carry it out and write what was found; nothing when none waits."""
    row = work_claim(model=RangeVerification, work_id=verification_id, now=means.now())
    if row is None:
        return
    directory = session_directory(means.var_dir, row.session)
    with work_attempt(row=row, noun=NOUN, now=means.now) as finish:
        try:
            verified = verify_range(
                directory,
                first_line=None if row.whole else row.first_line,
                last_line=None if row.whole else row.last_line,
                progress=WorkReporter(row, means.clock, means.now).tell,
            )
        except TamperedError as error:
            finish(State.BROKEN, result=_contradiction(error))
        except UNREADABLE as error:
            finish(State.FAILED, error=without_directory(error, directory))
        else:
            finish(State.HOLDS, result=asdict(verified), done=verified.lines)


def range_verifications_reap(*, now: datetime) -> list[UUID]:
    """Give verifications that lost their worker to another; return those sent."""
    return works_reap(model=RangeVerification, now=now, send=_send_verification)


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
    if session not in log_names(var_dir):
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


def _send_verification(verification_id: UUID) -> None:
    from journal.tasks import range_verification_task

    work_send(
        task=range_verification_task, noun=NOUN, argument="verification_id", work_id=verification_id
    )
