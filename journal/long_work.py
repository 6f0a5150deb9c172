"""Long work that people ask for on the site: queued once, claimed by one worker, carried on with
signs of life, finished, stopped, and given to another worker when its own has died.

The row says how a piece of work stands; Celery only carries its id. Every write names the attempt
it belongs to, so a worker that was given up cannot write any more.
"""

from __future__ import annotations

import functools
import logging
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from billiard.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from django.db.models import F
from kombu.exceptions import OperationalError

from journal.models import LongWork

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from uuid import UUID

    from celery import Task
    from django.contrib.auth.models import User
    from django.db.models import QuerySet

logger = logging.getLogger("brahmastra.long_work")

MAX_ATTEMPTS = 3
SILENCE = timedelta(seconds=60)  # without a sign of life for so long it has lost its worker
WRITE_SECONDS = 1.0
_STEPS = (0, 25, 50, 75, 100)

QUEUED, RUNNING = LongWork.ACTIVE
FAILED, STOPPED = LongWork.FAILED, LongWork.STOPPED

Work = TypeVar("Work", bound=LongWork)


class WorkStoppedError(Exception):
    """Somebody asked for the end of it."""


class WorkLostError(Exception):
    """It is not ours any more: it was given to another worker, or ended."""


class WorkEndedError(Exception):
    """It has ended; there is nothing to stop."""


class WorkFinish(Protocol):
    """Ends an attempt in a state, with what `work_finish` takes."""

    def __call__(self, state: str, **found: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class WorkProgress:
    """How far work is: per cent, how many a second, seconds left; None where it cannot be known
    yet.
    """

    percent: int
    per_second: int | None
    seconds_left: int | None

    @property
    def step(self) -> int:
        """The last quarter passed: what is worth announcing."""
        return max(step for step in _STEPS if step <= self.percent)


def progress_of(row: LongWork) -> WorkProgress:
    """Return how far work is, by what its row says."""
    until = row.finished_at or row.heartbeat_at
    seconds = (until - row.started_at).total_seconds() if row.started_at else 0.0
    pace = row.done / seconds if row.done and seconds > 0 else None
    running = row.state == RUNNING
    return WorkProgress(
        percent=min(100, row.done * 100 // row.total) if row.total else 0,
        per_second=None if pace is None else round(pace),
        seconds_left=round((row.total - row.done) / pace) if pace and running else None,
    )


def work_request(*, row: Work, same: dict[str, Any], send: Callable[[UUID], None]) -> Work:
    """Queue a piece of work and send it when the transaction is committed; the one that waits or
    runs already when it has the `same` fields, which a constraint of its table must name.
    """
    model = type(row)
    while True:
        with transaction.atomic():
            # The constraint decides between two who ask at once; nobody's transaction breaks.
            model._default_manager.bulk_create([row], ignore_conflicts=True)
            active = model._default_manager.filter(state__in=LongWork.ACTIVE, **same)
            found = active.first()
            if found is not None and found.pk == row.pk:
                transaction.on_commit(lambda: send(row.pk))
        if found is not None:
            return found
        # What stood in the way has ended meanwhile.


def work_stop(*, model: type[LongWork], work_id: UUID, stopped_by: User, now: datetime) -> None:
    """End waiting work at once; ask running work to stop. Raises WorkEndedError when it has
    ended.
    """
    rows = model._default_manager.filter(pk=work_id)
    who = {"stopped_by": stopped_by, "stop_requested_at": now}
    if rows.filter(state=QUEUED).update(state=STOPPED, finished_at=now, **who):
        return
    asked = rows.filter(state=RUNNING, stop_requested_at__isnull=True).update(**who)
    if not asked and not rows.filter(state=RUNNING).exists():
        raise WorkEndedError(str(work_id))


def work_claim(*, model: type[Work], work_id: UUID, now: datetime) -> Work | None:
    """Take waiting work; None when somebody else has it or it has ended."""
    claimed = model._default_manager.filter(pk=work_id, state=QUEUED).update(
        state=RUNNING, started_at=now, heartbeat_at=now, done=0, total=0
    )
    return model._default_manager.get(pk=work_id) if claimed else None


def work_progress(*, row: LongWork, done: int, total: int, now: datetime) -> None:
    """Write how far our attempt is: what is behind us and all there is.

    Raises WorkLostError when it is not ours any more, WorkStoppedError when somebody asked for its
    end.
    """
    if not _ours(row).update(done=done, total=total, heartbeat_at=now):
        raise WorkLostError(str(row.pk))
    if _ours(row).filter(stop_requested_at__isnull=False).exists():
        raise WorkStoppedError(str(row.pk))


def work_finish(
    *,
    row: LongWork,
    state: str,
    now: datetime,
    result: dict[str, Any] | None = None,
    done: int | None = None,
    error: str = "",
) -> bool:
    """End our attempt, `done` being all of it when it is given; False when it is not ours any
    more.
    """
    changed = {"state": state, "finished_at": now, "heartbeat_at": now, "error": error}
    if result is not None:
        changed["result"] = result
    if done is not None:
        changed |= {"done": done, "total": done}
    return bool(_ours(row).update(**changed))


@contextmanager
def work_attempt(
    *, row: LongWork, noun: str, now: Callable[[], datetime], overdue: str = FAILED
) -> Iterator[WorkFinish]:
    """Carry out a claimed attempt: the body says what came of it. One that is stopped, takes too
    long (it ends `overdue`) or breaks is ended here; one that was lost writes nothing. `noun` is
    what people call it.
    """

    def finish(state: str, **found: Any) -> None:
        work_finish(row=row, state=state, now=now(), **found)

    try:
        yield finish
    except WorkLostError:
        logger.warning("%s %s attempt %d: another has it", noun, row.pk, row.attempt)
    except WorkStoppedError:
        finish(STOPPED)
    except SoftTimeLimitExceeded:
        finish(overdue, error=f"it took longer than a {noun} may")
    except Exception as error:
        finish(FAILED, error=f"the {noun} broke: {type(error).__name__}: {error}")
        raise


def work_send(*, task: Task, noun: str, argument: str, work_id: UUID) -> None:
    """Send the id of work to a worker as the task's `argument`; a queue that does not answer keeps
    it waiting, and the reaper sends it again.
    """
    try:
        task.apply_async(kwargs={argument: str(work_id)}, task_id=str(work_id))
    except OperationalError as error:
        logger.warning("%s %s waits: the queue does not answer (%s)", noun, work_id, error)


def works_reap(*, model: type[LongWork], now: datetime, send: Callable[[UUID], None]) -> list[UUID]:
    """Requeue the running work whose worker has gone silent, and send the waiting work again that
    no worker took while none was busy; return what was sent.
    """
    rows = model._default_manager.order_by("created_at", "id")
    silent = rows.filter(heartbeat_at__lt=now - SILENCE)
    sent = [row.pk for row in silent.filter(state=RUNNING) if _requeue(row, now)]
    busy = rows.filter(state=RUNNING, heartbeat_at__gte=now - SILENCE).exists()
    if not busy:
        sent += [
            row.pk
            for row in silent.filter(state=QUEUED)
            if _unchanged(row).update(heartbeat_at=now)  # their message is lost
        ]
    for work_id in sent:
        transaction.on_commit(functools.partial(send, work_id))
    return sent


class WorkReporter:
    """Writes the progress of an attempt, at most once a second; `clock` in seconds, `now` says
    when.
    """

    def __init__(
        self, row: LongWork, clock: Callable[[], float], now: Callable[[], datetime]
    ) -> None:
        self._row = row
        self._clock = clock
        self._now = now
        self._next = clock()

    def tell(self, done: int, total: int) -> None:
        """Write how far it is, when that is due; raises as `work_progress` does."""
        moment = self._clock()
        if moment >= self._next:
            self._next = moment + WRITE_SECONDS
            work_progress(row=self._row, done=done, total=total, now=self._now())


def _ours(row: LongWork) -> QuerySet[LongWork]:
    return type(row)._default_manager.filter(pk=row.pk, attempt=row.attempt, state=RUNNING)


def _unchanged(row: LongWork) -> QuerySet[LongWork]:
    """Match a row only as it was read: of two reapers one acts."""
    return type(row)._default_manager.filter(
        pk=row.pk, state=row.state, attempt=row.attempt, heartbeat_at=row.heartbeat_at
    )


def _requeue(row: LongWork, now: datetime) -> bool:
    """Give work that lost its worker another chance; end it when somebody stopped it, or it has
    had enough of them.
    """
    if row.stop_requested_at is not None:
        _unchanged(row).update(state=STOPPED, finished_at=now)
        return False
    if row.attempt >= MAX_ATTEMPTS:
        words = f"its worker died {row.attempt} times"
        _unchanged(row).update(state=FAILED, finished_at=now, error=words)
        return False
    again = {"state": QUEUED, "attempt": F("attempt") + 1, "heartbeat_at": now}
    return bool(_unchanged(row).update(**again))
