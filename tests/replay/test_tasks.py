"""The tasks, called as functions, and how they are declared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from celery import current_app
from django.conf import settings

from replay.models import ReplayRun
from replay.tasks import LIMIT_SECONDS, replay_run_task, replay_runs_reap_task
from tests.replay.conftest import ask

if TYPE_CHECKING:
    from pathlib import Path

    from django.contrib.auth.models import User

State = ReplayRun.State


def test_the_task_replays_a_run(operator: User, site_log: Path) -> None:
    run = ask(operator, site_log)
    replay_run_task(run_id=str(run.pk), added_later="is passed over")
    run.refresh_from_db()
    assert run.state == State.SUCCEEDED
    replay_run_task(run_id=str(run.pk))  # delivered again
    run.refresh_from_db()
    assert run.state == State.SUCCEEDED


def test_the_reaper_requeues_what_is_silent(operator: User, site_log: Path) -> None:
    run = ask(operator, site_log)  # at a moment of February
    ReplayRun.objects.filter(pk=run.pk).update(state=State.RUNNING)
    replay_runs_reap_task(added_later=1)
    run.refresh_from_db()
    assert (run.state, run.attempt) == (State.QUEUED, 2)


def test_a_replay_is_acknowledged_early_on_its_own_queue_and_bounded() -> None:
    route = current_app.amqp.router.route({}, replay_run_task.name)
    assert route["queue"].name == "replay"
    assert replay_run_task.acks_late is False
    assert replay_run_task.soft_time_limit == LIMIT_SECONDS
    assert replay_run_task.time_limit == LIMIT_SECONDS + 60


def test_tasks_take_named_arguments_only() -> None:
    with pytest.raises(TypeError):
        replay_run_task("a run")


def test_beat_knows_the_reaper_by_a_name_that_exists() -> None:
    entry = settings.CELERY_BEAT_SCHEDULE["replay-runs-reap"]
    current_app.loader.import_default_modules()
    assert entry["task"] == replay_runs_reap_task.name
    assert entry["task"] in current_app.tasks
