"""Replays asked for on the site. The row says how a run stands; Celery only carries it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from journal.models import LongWork


class ReplayRun(LongWork):
    """One N-way replay of a session, up to where its log ended when it was asked for, counted in
    events over all ways; `result` is ReplayResult.to_data().
    """

    class State(models.TextChoices):
        QUEUED = "QUEUED", "waiting for a worker"
        RUNNING = "RUNNING", "running"
        SUCCEEDED = "SUCCEEDED", "identical"
        DIVERGED = "DIVERGED", "diverged"
        FAILED = "FAILED", "failed"
        STOPPED = "STOPPED", "stopped"
        TIMED_OUT = "TIMED_OUT", "timed out"

    times = models.PositiveSmallIntegerField()  # how many ways
    end = models.JSONField()  # the durable head it replays up to: file, offset, line, hash
    params_hash = models.TextField()  # SHA-256 of what was asked for
    engine_version = models.TextField()
    state = models.TextField(choices=State, default=State.QUEUED)

    class Meta:
        constraints = [  # noqa: RUF012 - Django's own declaration
            models.UniqueConstraint(
                fields=["params_hash", "engine_version"],
                condition=Q(state__in=["QUEUED", "RUNNING"]),
                name="replay_run_active_once",
            ),
            models.CheckConstraint(condition=Q(times__gte=1), name="replay_run_has_ways"),
        ]
        indexes = [  # noqa: RUF012 - Django's own declaration
            models.Index(fields=["-created_at", "-id"], name="replay_run_newest"),
            models.Index(fields=["session", "-finished_at"], name="replay_run_of_session"),
        ]

    def __str__(self) -> str:
        return f"{self.session} × {self.times}"
