import os, re
from pathlib import Path
import pytest
from django.utils import timezone
from datetime import timedelta
from replay.models import ReplayRun
from replay.services import *
from tests.replay.conftest import make_means
from tests.e2e.conftest import *

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


def test_shots(enter, told, operator):
    page = enter(operator)
    S = "/tmp/replayeng/"
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto("/replay/")
    page.get_by_label("Session").select_option(told)
    page.get_by_role("button", name="Replay").click()
    page.wait_for_url(re.compile(r"/replay/[0-9a-f-]{36}/$"))
    run = replay_run_claim(run_id=ReplayRun.objects.get().pk, now=timezone.now())
    replay_run_progress(run=run, done=370, total=1000, now=timezone.now() + timedelta(seconds=10))
    page.wait_for_timeout(1500)
    page.screenshot(path=S + "running.png")
    ReplayRun.objects.update(state="QUEUED")
    replay_run_execute(run_id=run.pk, means=make_means(Path(os.environ["VAR_DIR"])))
    page.wait_for_timeout(1500)
    page.screenshot(path=S + "done.png")
    page.set_viewport_size({"width": 390, "height": 844})
    page.screenshot(path=S + "done390.png")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto("/replay/")
    page.screenshot(path=S + "list.png")
    run.refresh_from_db()
    for way in run.result["ways"]:
        way["different"] = 1
        way["divergence"] = {
            "what": "CHANGED",
            "seq": 9,
            "kind": "signal.emitted",
            "path": "$.data.conditions[1].value",
            "recorded": "1.50123456789",
            "replayed": "1.50123456788",
        }
    run.result |= {
        "identical": False,
        "verdict": "3 ways differ from the record, identical to each other; recorded and replayed by 0.1.0+abc",
    }
    run.state = "DIVERGED"
    run.save()
    page.goto(f"/replay/{run.pk}/")
    page.screenshot(path=S + "div.png")
