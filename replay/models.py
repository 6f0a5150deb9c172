"""Replays asked for on the site. The row says how a run stands; Celery only carries it."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q


class ReplayRun(models.Model):
    """One N-way replay of a session, up to where its log ended when it was asked for."""

    class State(models.TextChoices):
        QUEUED = "QUEUED", "waiting for a worker"
        RUNNING = "RUNNING", "running"
        SUCCEEDED = "SUCCEEDED", "identical"
        DIVERGED = "DIVERGED", "diverged"
        FAILED = "FAILED", "failed"
        CANCELLED = "CANCELLED", "cancelled"
        TIMED_OUT = "TIMED_OUT", "timed out"

    ACTIVE = (State.QUEUED, State.RUNNING)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    session = models.TextField()
    times = models.PositiveSmallIntegerField()  # how many ways
    end = models.JSONField()  # the durable head it replays up to: file, offset, line, hash
    params_hash = models.TextField()  # SHA-256 of what was asked for
    engine_version = models.TextField()
    state = models.TextField(choices=State, default=State.QUEUED)
    attempt = models.PositiveSmallIntegerField(default=1)  # 1 + requeues
    progress_seq = models.BigIntegerField(default=0)  # events behind us, over all ways
    total_seq = models.BigIntegerField(default=0)  # events of all ways; 0 before they are counted
    result = models.JSONField(null=True, blank=True)  # ReplayResult.to_data()
    error = models.TextField(blank=True, default="")
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    cancelled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField()
    heartbeat_at = models.DateTimeField()  # last sign of life; of a queued run, when it was sent
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

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

    @property
    def active(self) -> bool:
        """Whether it waits or runs."""
        return self.state in self.ACTIVE
