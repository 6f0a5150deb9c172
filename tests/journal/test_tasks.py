"""The tasks, called as functions, and how they are declared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from celery import current_app
from django.conf import settings

from journal.models import RangeVerification
from journal.tasks import LIMIT_SECONDS, range_verification_task, range_verifications_reap_task
from tests.journal.log_bed import write_log
from tests.journal.test_verifications import ask

if TYPE_CHECKING:
    from pathlib import Path

    from django.contrib.auth.models import User

State = RangeVerification.State


@pytest.fixture
def log(var_dir: Path) -> Path:
    return write_log(var_dir)


def test_the_task_carries_a_verification_out(operator: User, log: Path) -> None:
    row = ask(operator, log)
    for _ in range(2):  # delivered twice
        range_verification_task(verification_id=str(row.pk), added_later="is passed over")
        row.refresh_from_db()
        assert row.state == State.HOLDS


def test_the_reaper_requeues_what_is_silent(operator: User, log: Path) -> None:
    row = ask(operator, log)  # at a moment of February
    RangeVerification.objects.filter(pk=row.pk).update(state=State.RUNNING)
    range_verifications_reap_task(added_later=1)
    row.refresh_from_db()
    assert (row.state, row.attempt) == (State.QUEUED, 2)


def test_it_is_acknowledged_early_and_bounded_beside_the_queue_of_replays() -> None:
    route = current_app.amqp.router.route({}, range_verification_task.name)
    assert route["queue"].name == "celery"
    assert range_verification_task.acks_late is False
    assert range_verification_task.soft_time_limit == LIMIT_SECONDS
    assert range_verification_task.time_limit == LIMIT_SECONDS + 60


def test_tasks_take_named_arguments_only() -> None:
    with pytest.raises(TypeError):
        range_verification_task("a verification")


def test_beat_knows_the_reaper_by_a_name_that_exists() -> None:
    entry = settings.CELERY_BEAT_SCHEDULE["range-verifications-reap"]
    current_app.loader.import_default_modules()
    assert entry["task"] == range_verifications_reap_task.name
    assert entry["task"] in current_app.tasks
