"""The audit store as the site reads it, an index of the logs that only the mirror fills; and the
range verifications people ask for on the site.

The models of the audit store are not managed: the tables, their constraints, partitions, triggers
and privileges are made by the migrations, and the database refuses any change of a row. A
verification is an ordinary row of schema `app`.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from journal.events import public_id
from journal.log.session import ID_STRIDE
from journal.mirror_rows import SUMMARISED_KINDS

if TYPE_CHECKING:
    from typing import Self

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Session(models.Model):
    """One log: its number, which the ids of its events begin with, and its name."""

    number = models.BigIntegerField(primary_key=True)
    name = models.TextField(unique=True)

    class Meta:
        managed = False
        db_table = '"audit"."session"'

    def __str__(self) -> str:
        return self.name


class EventQuerySet(models.QuerySet["Event"]):
    """Reads that stay inside one session's partition."""

    def of_session(self, number: int) -> Self:
        """Keep the events of one session."""
        return self.filter(id__gte=number * ID_STRIDE, id__lt=(number + 1) * ID_STRIDE)

    def effects_of(self, event: Event) -> Self:
        """Keep the events that name `event` among their causes."""
        if event.seq is None:
            return self.none()
        return self.of_session(event.number).filter(cause__contains=[event.seq])

    def causes_of(self, event: Event) -> Self:
        """Keep the events that `event` names as its causes."""
        return self.of_session(event.number).filter(seq__in=event.cause)


class Event(models.Model):
    """One line of a log, its searchable columns held by the database against `raw`."""

    id = models.BigIntegerField(primary_key=True)
    file = models.TextField()
    file_offset = models.BigIntegerField()
    length = models.IntegerField()  # bytes of the line in its file, newline included
    hash = models.TextField()
    prev = models.TextField()
    raw = models.TextField()
    session = models.TextField()
    seq = models.BigIntegerField(null=True)
    kind = models.TextField()
    ts = models.BigIntegerField()  # µs UTC
    key = models.TextField(null=True)  # noqa: DJ001 - null is what the log says
    cause = ArrayField(models.BigIntegerField())
    payload = models.JSONField()  # the event's body

    objects = EventQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = '"audit"."event"'

    def __str__(self) -> str:
        return self.public_id

    @property
    def number(self) -> int:
        """The session's number."""
        return self.id // ID_STRIDE

    @property
    def line(self) -> int:
        """The line's number across the session."""
        return self.id % ID_STRIDE

    @property
    def public_id(self) -> str:
        """`<session>.<seq>`; `<session>:<line>` for a bookkeeping record, which has no seq."""
        if self.seq is None:
            return f"{self.session}:{self.line}"
        return public_id(self.session, self.seq)

    @property
    def at(self) -> datetime:
        """`ts` as a time, exact to the microsecond."""
        return EPOCH + timedelta(microseconds=self.ts)

    @property
    def is_summarised(self) -> bool:
        """Whether `raw` holds a summary of the line's data."""
        return self.kind in SUMMARISED_KINDS


class MirrorPosition(models.Model):
    """How far a session's log is in the store."""

    session = models.OneToOneField(
        Session,
        primary_key=True,
        db_column="number",
        on_delete=models.DO_NOTHING,
        related_name="mirror_position",
    )
    file = models.TextField()
    file_offset = models.BigIntegerField()
    line = models.BigIntegerField()
    hash = models.TextField()

    class Meta:
        managed = False
        db_table = '"audit"."mirror_position"'

    def __str__(self) -> str:
        return f"{self.session_id}: line {self.line}"


class LongWork(models.Model):
    """Work that a worker of the site does for somebody: see `journal.long_work`. The row says how
    it stands; Celery only carries it. A kind of work adds what is asked for, its states and what
    makes two requests the same.
    """

    QUEUED, RUNNING, FAILED, STOPPED = "QUEUED", "RUNNING", "FAILED", "STOPPED"
    ACTIVE = (QUEUED, RUNNING)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    session = models.TextField()
    state = models.TextField(default=QUEUED)
    attempt = models.PositiveSmallIntegerField(default=1)  # 1 + requeues
    done = models.PositiveBigIntegerField(default=0)  # lines or events behind it
    total = models.PositiveBigIntegerField(default=0)  # 0 before they are counted
    result = models.JSONField(null=True, blank=True)
    error = models.TextField(blank=True, default="")
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    stopped_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField()
    heartbeat_at = models.DateTimeField()  # last sign of life; of what is queued, when it was sent
    stop_requested_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True

    @property
    def active(self) -> bool:
        """Whether it waits or runs."""
        return self.state in self.ACTIVE


class RangeVerification(LongWork):
    """One verification of a session's log, or of a part of it, counted in lines; `result` is what
    `journal.verifications` found.
    """

    class State(models.TextChoices):
        QUEUED = "QUEUED", "waiting for a worker"
        RUNNING = "RUNNING", "running"
        HOLDS = "HOLDS", "holds"
        BROKEN = "BROKEN", "does not hold"
        FAILED = "FAILED", "could not be read"
        STOPPED = "STOPPED", "stopped"

    asked = models.TextField()  # the range in words; the same words are the same range
    whole = models.BooleanField()  # everything, the durable head included
    first_line = models.PositiveBigIntegerField()
    last_line = models.PositiveBigIntegerField()  # of the whole: the head when it was asked for
    state = models.TextField(choices=State, default=State.QUEUED)

    class Meta:
        constraints = [  # noqa: RUF012 - Django's own declaration
            models.UniqueConstraint(
                fields=["session", "asked"],
                condition=Q(state__in=["QUEUED", "RUNNING"]),
                name="range_verification_active_once",
            ),
        ]
        indexes = [  # noqa: RUF012 - Django's own declaration
            models.Index(
                fields=["session", "-created_at", "-id"], name="range_verification_newest"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.session}: {self.asked}"
