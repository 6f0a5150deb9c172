"""How each session's newest run stands, in the journal's table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec
import pytest

from journal.log.manifest import Process, ProcessIdentity
from journal.processes import own_identity
from journal.selectors import session_list
from tests.journal.log.test_run_record import (
    PROCESS,
    Asked,
    begin,
    closing,
    opening,
    recorded,
)
from tests.journal.log_bed import open_log, write_log

if TYPE_CHECKING:
    from pathlib import Path

    from django.contrib.auth.models import User
    from django.test import Client

pytestmark = pytest.mark.django_db


def run(var_dir: Path, session: str, identity: ProcessIdentity, *, how: str) -> None:
    """Run a session to some ending; `gone` says nothing more, as after a kill."""
    log = open_log(var_dir, session)
    record = recorded(log, process=Process(identity, PROCESS.facts)).__enter__()
    begin(record)
    log.open_day("2025-08-29")
    log.commit([opening(session, 1)])
    if "closed" in how:
        log.commit([closing(session, 2)])
    errors = {"stopped": Asked(), "failed": ValueError("bad")}
    if "gone" not in how:
        record.__exit__(None, errors.get(how), None)
    log.close()


def test_the_table_says_how_each_session_stands(
    client: Client, viewer: User, var_dir: Path
) -> None:
    own = own_identity()
    assert own is not None
    dead = msgspec.structs.replace(own, started="1")
    expected = {
        "at-work": (own, "gone", "running"),
        "ended": (own, "closed", "finished"),
        "asked": (own, "stopped", "stopped"),
        "broke": (own, "failed", "failed"),
        "killed": (dead, "gone", "crashed"),
        "killed-late": (dead, "closed gone", "finished"),
    }
    for session, (identity, how, _) in expected.items():
        run(var_dir, session, identity, how=how)
    write_log(var_dir, "before")  # a log from before there were manifests
    write_log(var_dir, "damaged")
    (var_dir / "sessions" / "damaged" / "manifest.json").write_text("{")
    wanted = {session: status for session, (_, _, status) in expected.items()}
    wanted |= {"before": "unrecorded", "damaged": "unrecorded"}
    assert {row.name: row.status.value for row in session_list()} == wanted

    client.force_login(viewer)
    page = client.get("/journal/").content.decode()
    for session, status in wanted.items():
        row = re.search(rf'<tr id="{session}">.*?</tr>', page, re.DOTALL)
        assert row is not None
        assert f">{status}</span>" in row.group()
