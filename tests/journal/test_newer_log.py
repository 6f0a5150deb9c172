"""A log that a newer version wrote: everything that reads it goes on, and says what it sees."""

from __future__ import annotations

import json
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import call_command

from journal import mirror, mirror_check
from journal.events import Event
from journal.live import Tail
from journal.log.errors import PayloadError
from journal.log.reader import read_session
from tests.journal.log_bed import open_log, write_log
from tests.replay.forge import forge

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg


def newer(body: dict[str, Any]) -> dict[str, Any]:
    """What a newer version might have written: other frames, another kind, another field."""
    if body["kind"] == "market.frame":
        return body | {"v": 2, "data": {"depth": [[1, 2], [3, 4]], "chain": {"2025-09-04": 1}}}
    if body["seq"] == 3:
        return body | {"kind": "surface.bent", "key": "NIFTY", "data": {"new": [None, 1.5]}}
    return body | {"data": body["data"] | {"later": True}} if body["seq"] == 4 else body


@pytest.fixture
def directory(var_dir: Path) -> Path:
    log = write_log(var_dir, events=10)
    forge(log, newer)
    return log


def run(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


def test_the_log_commands_read_it(directory: Path) -> None:
    report = json.loads(run("log", "verify", "day1", "--json"))
    assert report["holds"] is True
    assert report["unknown"] == {
        "market.frame: v: version 2 is not known, expected 1": 1,
        "surface.bent: kind: not known": 1,
        "signal.emitted: data.later: unknown field": 1,
    }
    assert "not known to this version, 1 lines: surface.bent" in run("log", "verify", "day1")
    assert "surface.bent" in run("log", "show", "day1", "3")
    assert "surface.bent" in run("log", "tail", "day1", "-n", "20")
    assert "; 1 anomalies" in run("log", "signals", "day1").splitlines()[-1]


def test_push_reads_past_it(var_dir: Path, directory: Path) -> None:
    figures = Tail(var_dir, "day1").advance()
    assert (figures.seq, figures.alarm) == (11, "")
    assert figures.cells[0].forward_paise is None


def test_the_mirror_stores_it_and_compares_equal(
    directory: Path, mirror_role: psycopg.Connection[Any]
) -> None:
    lines = list(read_session(directory))
    assert mirror.catch_up(mirror_role, directory) == len(lines)
    found = mirror_check.compare(mirror_role, directory, patience_seconds=0)
    assert (found.difference, found.rows) == ("", len(lines))


def test_the_writer_goes_on_after_it_but_writes_only_what_it_knows(
    var_dir: Path, directory: Path
) -> None:
    with open_log(var_dir) as writer:
        line = writer.line
        for event in (
            Event(session="day1", seq=12, ts=2**50, kind="surface.bent", data={}),
            Event(session="day1", seq=12, ts=2**50, kind="clock.tick", data={}, v=2),
        ):
            with pytest.raises(PayloadError):
                writer.commit([event])
        tick = Event(session="day1", seq=12, ts=2**51, kind="clock.tick", data={})
        assert writer.commit([tick]) == line + 1
