"""What is done with replay runs: asked for, claimed, carried on, finished, cancelled, requeued."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from billiard.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from django.db.models import F
from kombu.exceptions import OperationalError

from journal.log.canonical import canonical_bytes
from journal.log.errors import LogError
from journal.log.head import Head, read_head
from journal.log.session import existing_session_directory, session_directory, session_names
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

logger = logging.getLogger("brahmastra.replay")

MAX_TIMES = 9
MAX_ATTEMPTS = 3
SILENCE = timedelta(seconds=60)  # a run without a sign of life for so long has lost its worker
WRITE_SECONDS = 1.0

State = ReplayRun.State


class ReplayRefusedError(Exception):
    """A replay was not started or cancelled; the text says why."""


class ReplayCancelledError(Exception):
    """Somebody asked for the end of the run."""


class ReplayLostError(Exception):
    """The run is not ours any more: it was given to another worker, or ended."""


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
    *, session: str, times: str | int, requested_by: User, var_dir: Path, now: datetime
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
    while True:
        with transaction.atomic():
            # The constraint decides between two who ask at once; nobody's transaction breaks.
            ReplayRun.objects.bulk_create([wanted], ignore_conflicts=True)
            run = ReplayRun.objects.filter(
                params_hash=wanted.params_hash,
                engine_version=wanted.engine_version,
                state__in=ReplayRun.ACTIVE,
            ).first()
            if run is not None and run.pk == wanted.pk:
                transaction.on_commit(partial(_send, wanted.pk))
        if run is not None:
            return run
        # What stood in the way has ended meanwhile.


def replay_run_cancel(*, run_id: UUID, cancelled_by: User, now: datetime) -> None:
    """End a waiting run at once; ask a running one to stop.

    Raises ReplayRefusedError when it has ended.
    """
    runs = ReplayRun.objects.filter(pk=run_id)
    who = {"cancelled_by": cancelled_by, "cancel_requested_at": now}
    if runs.filter(state=State.QUEUED).update(state=State.CANCELLED, finished_at=now, **who):
        return
    asked = runs.filter(state=State.RUNNING, cancel_requested_at__isnull=True).update(**who)
    if not asked and not runs.filter(state=State.RUNNING).exists():
        raise ReplayRefusedError("This replay has ended; there is nothing to cancel.")


def replay_run_claim(*, run_id: UUID, now: datetime) -> ReplayRun | None:
    """Take a waiting run; None when somebody else has it or it has ended."""
    claimed = ReplayRun.objects.filter(pk=run_id, state=State.QUEUED).update(
        state=State.RUNNING, started_at=now, heartbeat_at=now, progress_seq=0, total_seq=0
    )
    return ReplayRun.objects.get(pk=run_id) if claimed else None


def replay_run_progress(*, run: ReplayRun, done: int, total: int, now: datetime) -> None:
    """Write how far our attempt at a run is: events behind us and in all.

    Raises ReplayLostError when the run is not ours any more, ReplayCancelledError when somebody
    asked for its end.
    """
    ours = ReplayRun.objects.filter(pk=run.pk, attempt=run.attempt, state=State.RUNNING)
    if not ours.update(progress_seq=done, total_seq=total, heartbeat_at=now):
        raise ReplayLostError(str(run.pk))
    if ours.filter(cancel_requested_at__isnull=False).exists():
        raise ReplayCancelledError(str(run.pk))


def replay_run_finish(
    *,
    run: ReplayRun,
    state: ReplayRun.State,
    now: datetime,
    result: dict[str, Any] | None = None,
    error: str = "",
) -> bool:
    """End our attempt at a run; False when the run is not ours any more."""
    changed = {"state": state, "finished_at": now, "heartbeat_at": now, "error": error}
    if result is not None:
        events = result["events"] * len(result["ways"])
        changed |= {"result": result, "progress_seq": events, "total_seq": events}
    ours = ReplayRun.objects.filter(pk=run.pk, attempt=run.attempt, state=State.RUNNING)
    return bool(ours.update(**changed))


def replay_run_execute(*, run_id: UUID, means: Means) -> None:
    """Claim a run, replay it and write what came of it; nothing when it is not waiting."""
    run = replay_run_claim(run_id=run_id, now=means.now())
    if run is None:
        return
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
                progress=_Reporter(run, means).tell,
            ),
        )
    except ReplayLostError:
        logger.warning("replay %s attempt %d: another has it", run.pk, run.attempt)
    except ReplayCancelledError:
        replay_run_finish(run=run, state=State.CANCELLED, now=means.now())
    except SoftTimeLimitExceeded:
        words = "it took longer than a replay may"
        replay_run_finish(run=run, state=State.TIMED_OUT, now=means.now(), error=words)
    except LogError as error:
        replay_run_finish(run=run, state=State.FAILED, now=means.now(), error=str(error))
    except Exception as error:
        words = f"the replay broke: {type(error).__name__}: {error}"
        replay_run_finish(run=run, state=State.FAILED, now=means.now(), error=words)
        raise
    else:
        state = State.SUCCEEDED if result.identical else State.DIVERGED
        replay_run_finish(run=run, state=state, now=means.now(), result=result.to_data())


def replay_runs_reap(*, now: datetime) -> list[UUID]:
    """Requeue the running runs whose worker has gone silent, and send the waiting ones again that
    no worker took while none was busy; return those sent.
    """
    sent = [run.pk for run in _silent(State.RUNNING, now) if _requeue(run, now)]
    busy = ReplayRun.objects.filter(state=State.RUNNING, heartbeat_at__gte=now - SILENCE).exists()
    if not busy:
        sent += [
            run.pk
            for run in _silent(State.QUEUED, now)
            if _unchanged(run).update(heartbeat_at=now)  # their message is lost
        ]
    for run_id in sent:
        transaction.on_commit(partial(_send, run_id))
    return sent


class _Reporter:
    """Writes the progress of a run, at most once a second."""

    def __init__(self, run: ReplayRun, means: Means) -> None:
        self._run = run
        self._means = means
        self._next = means.clock()

    def tell(self, done: int, total: int) -> None:
        clock = self._means.clock()
        if clock >= self._next:
            self._next = clock + WRITE_SECONDS
            replay_run_progress(run=self._run, done=done, total=total, now=self._means.now())


def _checked_times(times: str | int) -> int:
    try:
        ways = int(times)
    except ValueError:
        ways = 0
    if not 1 <= ways <= MAX_TIMES:
        raise ReplayRefusedError(f"{times or 'Nothing'} ways: expected 1 to {MAX_TIMES}.")
    return ways


def _silent(state: ReplayRun.State, now: datetime) -> list[ReplayRun]:
    runs = ReplayRun.objects.filter(state=state, heartbeat_at__lt=now - SILENCE)
    return list(runs.order_by("created_at", "id"))


def _unchanged(run: ReplayRun) -> Any:
    """Match a run only as it was read: of two reapers one acts."""
    return ReplayRun.objects.filter(
        pk=run.pk, state=run.state, attempt=run.attempt, heartbeat_at=run.heartbeat_at
    )


def _requeue(run: ReplayRun, now: datetime) -> bool:
    """Give a run that lost its worker another chance; end it when it was cancelled, or has had
    enough of them.
    """
    if run.cancel_requested_at is not None:
        _unchanged(run).update(state=State.CANCELLED, finished_at=now)
        return False
    if run.attempt >= MAX_ATTEMPTS:
        words = f"its worker died {run.attempt} times"
        _unchanged(run).update(state=State.FAILED, finished_at=now, error=words)
        return False
    again = {"state": State.QUEUED, "attempt": F("attempt") + 1, "heartbeat_at": now}
    return bool(_unchanged(run).update(**again))


def _send(run_id: UUID) -> None:
    from replay.tasks import replay_run_task

    try:
        replay_run_task.apply_async(kwargs={"run_id": str(run_id)}, task_id=str(run_id))
    except OperationalError as error:
        logger.warning("replay %s waits: the queue does not answer (%s)", run_id, error)
