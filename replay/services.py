"""What is done with replay runs: asked for, carried out, stopped; see `journal.long_work`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from journal.log.canonical import canonical_bytes
from journal.log.errors import LogError
from journal.log.head import Head, read_head
from journal.log.session import existing_session_directory, session_directory, session_names
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
from journal.services import desk_record
from replay.models import ReplayRun
from replay.ways import Workshop, replay_session
from trading.process import process_facts
from trading.version import code_version

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path
    from uuid import UUID

    from django.contrib.auth.models import User

NOUN = "replay"
MAX_TIMES = 9

State = ReplayRun.State


class ReplayRefusedError(Exception):
    """A replay was not started or stopped; the text says why."""


@dataclass(frozen=True, slots=True)
class Means:
    """What a worker has: interpreters at once, its environment, a directory for temporary files,
    a clock in seconds and one that says when.
    """

    var_dir: Path
    scratch: Path
    workers: int
    environment: Mapping[str, str]
    clock: Callable[[], float]
    now: Callable[[], datetime]


def replay_run_request(
    *,
    session: str,
    times: str | int,
    requested_by: User,
    address: str = "local",
    var_dir: Path,
    now: datetime,
) -> ReplayRun:
    """Queue an N-way replay of a session up to its durable head; the same one, when it is waiting
    or running already.

    Raises ReplayRefusedError for an unknown session or a number of ways out of range.
    """
    ways = _checked_times(times)
    if session not in session_names(var_dir):
        raise ReplayRefusedError(f"Session {session or '(none)'} has no log.")
    end = read_head(session_directory(var_dir, session))
    if end is None:
        raise ReplayRefusedError(f"Session {session} has no durable event yet.")
    wanted = ReplayRun(
        session=session,
        times=ways,
        end=asdict(end),
        params_hash=sha256(canonical_bytes({"session": session, "times": ways})).hexdigest(),
        engine_version=code_version(),
        requested_by=requested_by,
        created_at=now,
        heartbeat_at=now,
    )
    same = {"params_hash": wanted.params_hash, "engine_version": wanted.engine_version}
    run = work_request(row=wanted, same=same, send=_send)
    desk_record(
        kind="desk.replay_asked",
        actor=requested_by.get_username(),
        address=address,
        data={"session": session, "times": ways, "run": str(run.pk)},
        var_dir=var_dir,
    )
    return run


def replay_run_stop(*, run_id: UUID, stopped_by: User, now: datetime) -> None:
    """End a waiting run at once; ask a running one to stop.

    Raises ReplayRefusedError when it has ended.
    """
    try:
        work_stop(model=ReplayRun, work_id=run_id, stopped_by=stopped_by, now=now)
    except WorkEndedError:
        words = "This replay has ended; there is nothing to stop."
        raise ReplayRefusedError(words) from None


def replay_run_execute(*, run_id: UUID, means: Means) -> None:
    """Claim a run, replay it and write what came of it; nothing when it is not waiting."""
    run = work_claim(model=ReplayRun, work_id=run_id, now=means.now())
    if run is None:
        return
    attempt = work_attempt(row=run, noun=NOUN, now=means.now, overdue=State.TIMED_OUT)
    with attempt as finish:
        try:
            result = replay_session(
                existing_session_directory(means.var_dir, run.session),
                times=run.times,
                end=Head(**run.end),
                code_version=code_version(),
                present=process_facts(means.environment),
                workshop=Workshop(
                    workers=means.workers,
                    environment=means.environment,
                    scratch=means.scratch,
                    clock=means.clock,
                    progress=WorkReporter(run, means.clock, means.now).tell,
                ),
            )
        except LogError as error:
            finish(State.FAILED, error=str(error))
        else:
            state = State.SUCCEEDED if result.identical else State.DIVERGED
            finish(state, result=result.to_data(), done=result.events * len(result.ways))


def replay_runs_reap(*, now: datetime) -> list[UUID]:
    """Give runs that lost their worker to another; return those sent."""
    return works_reap(model=ReplayRun, now=now, send=_send)


def _checked_times(times: str | int) -> int:
    try:
        ways = int(times)
    except ValueError:
        ways = 0
    if not 1 <= ways <= MAX_TIMES:
        raise ReplayRefusedError(f"{times or 'Nothing'} ways: expected 1 to {MAX_TIMES}.")
    return ways


def _send(run_id: UUID) -> None:
    from replay.tasks import replay_run_task

    work_send(task=replay_run_task, noun=NOUN, argument="run_id", work_id=run_id)
