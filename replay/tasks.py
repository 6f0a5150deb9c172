"""Replays as tasks, on a queue of their own (settings). Acknowledged early: a run whose worker
dies is requeued by the reaper, and the claim in the row makes a second delivery harmless.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from uuid import UUID

from celery import shared_task
from django.conf import settings
from django.utils import timezone

LIMIT_SECONDS = 4 * 3600


@shared_task(
    acks_late=False,
    soft_time_limit=LIMIT_SECONDS,
    time_limit=LIMIT_SECONDS + 60,
)
def replay_run_task(*, run_id: str, **_: object) -> None:
    """Replay a run that waits."""
    from replay.services import Means, replay_run_execute

    means = Means(
        var_dir=settings.VAR_DIR,
        scratch=Path(tempfile.gettempdir()),
        workers=os.cpu_count() or 1,
        environment=os.environ,
        clock=time.monotonic,
        now=timezone.now,
    )
    replay_run_execute(run_id=UUID(run_id), means=means)


@shared_task
def replay_runs_reap_task(**_: object) -> None:
    """Requeue what lost its worker; beat calls it."""
    from replay.services import replay_runs_reap

    replay_runs_reap(now=timezone.now())
