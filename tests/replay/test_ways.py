"""N ways, each in fresh interpreters: identical digests, and nobody left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import psutil
import pytest

from journal.log.errors import TamperedError
from journal.log.head import Head
from journal.log.manifest import read_manifest, write_manifest
from journal.log.reader import read_session
from journal.log.session import day_files
from replay.comparator import What
from replay.recording import ReplayError, read_recording
from replay.ways import Workshop, replay_session
from tests.market_factory import DAYS
from tests.replay.conftest import make_workshop
from tests.replay.forge import bodies, forge, forge_event
from trading.engine.engine import Engine
from trading.process import process_facts

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]


class StopHere(Exception):  # noqa: N818 - what a progress callback may raise
    """Asked to stop."""


def replay(log: Path, workshop: Workshop, times: int = 2, **more: Any) -> Any:
    return replay_session(log, times=times, workshop=workshop, code_version="test", **more)


def test_three_ways_are_identical_over_every_derived_event(log: Path, workshop: Workshop) -> None:
    result = replay(log, workshop, times=3)
    recording = read_recording(log)
    assert [way.digest for way in result.ways] == [recording.digest] * 3
    assert [way.identical for way in result.ways] == [recording.derived] * 3
    assert [way.events for way in result.ways] == [recording.events] * 3
    assert len({way.hash_seed for way in result.ways}) == 3
    assert result.identical
    assert result.counts == recording.counts
    assert result.verdict().startswith("3 ways identical to the record over 1,")
    assert all(way.seconds > 0 for way in result.ways)


def test_some_days_alone(log: Path, workshop: Workshop) -> None:
    second = DAYS[1].isoformat()
    result = replay(log, workshop, times=1, days=[second])
    assert result.identical
    assert result.days == [second]
    assert result.digest == read_recording(log, days=[second]).digest
    assert result.digest != read_recording(log).digest


def test_progress_grows_to_the_total_over_all_ways(log: Path, tmp_path: Path) -> None:
    said: list[tuple[int, int]] = []
    workshop = make_workshop(tmp_path, lambda done, total: said.append((done, total)))
    result = replay(log, workshop)
    steps = [done for done, total in said if total]
    assert steps == sorted(steps)
    assert said[-1] == (result.events * 2, result.events * 2)


def test_a_changed_record_is_found_by_every_way(log: Path, workshop: Workshop) -> None:
    seq = bodies(log, "features.computed")[-1]["seq"]
    forge_event(log, seq, lambda body: body | {"ts": body["ts"] + 1})
    result = replay(log, workshop)
    assert not result.identical
    assert {way.divergence.seq for way in result.ways} == {seq}
    assert {way.divergence.path for way in result.ways} == {"$.ts"}
    assert {way.different for way in result.ways} == {1}
    assert len({way.digest for way in result.ways}) == 1
    assert result.verdict() == (
        "2 ways differ from the record, identical to each other; recorded and replayed by test"
    )


def test_a_state_put_under_the_second_day_is_found_between_the_days(
    log: Path, workshop: Workshop
) -> None:
    """The forger gives the second day another past, decides it anew, and hashes everything again:
    each day is good alone, and they do not follow on one another.
    """
    first, second = (path.stem for path in day_files(log))
    opening = bodies(log, "day.opened")[1]
    engine = Engine("day1")
    engine.restore(opening["data"]["state"])
    engine.state.realised_paise += 5_000_00
    state = {"state": engine.dump(), "state_digest": engine.digest()}
    again = Engine("day1")
    answers: dict[int, Any] = {}
    for line in read_session(log):
        if line.body["seq"] is None or line.body["seq"] < opening["seq"]:
            continue
        event = line.to_event()
        if event.seq == opening["seq"]:
            event = replace(event, data=event.data | state)
        if event.seq in answers:
            continue
        answers |= {item.seq: item.body() for item in again.on(event)} | {event.seq: event.body()}
    forge(log, lambda body: answers.get(body["seq"], body))
    assert replay(log, workshop, times=1, days=[first]).identical
    assert replay(log, workshop, times=1, days=[second]).identical
    result = replay(log, workshop, times=1)
    found = result.ways[0].divergence
    assert (found.what, found.seq, found.path) == (
        What.STATE,
        opening["seq"],
        "$.data.state_digest",
    )
    assert found.recorded == f'"{state["state_digest"]}"'
    assert not result.identical


def test_an_unfinished_session_is_compared_and_said_to_be_unfinished(
    log: Path, workshop: Workshop
) -> None:
    last = bodies(log)[-1]["seq"]
    forge(log, lambda body: body if (body["seq"] or 0) < last else None)
    result = replay(log, workshop, times=1)
    assert result.identical
    assert not result.finished
    assert result.ways[0].owed == 1
    assert result.verdict().endswith("; the session is not finished")


def test_lines_written_after_the_end_that_was_fixed_do_not_matter(
    log: Path, workshop: Workshop
) -> None:
    lines = list(read_session(log))
    middle = lines[len(lines) // 3]
    end = Head(middle.file, middle.offset + middle.length, middle.line, middle.hash)
    result = replay(log, workshop, end=end)
    assert result.identical
    assert result.events < read_recording(log).events
    assert result.days == [DAYS[0].isoformat()]


def test_ways_that_do_not_agree_are_called_what_they_are(log: Path, workshop: Workshop) -> None:
    result = replay(log, workshop)
    result.ways[1].digest = "0" * 64
    assert not result.identical
    assert result.verdict().startswith("2 ways differ from each other")


def test_another_version_of_the_code_is_named(log: Path, workshop: Workshop) -> None:
    forge_event(log, bodies(log, "features.computed")[0]["seq"], lambda body: body | {"v": 2})
    result = replay_session(log, times=1, workshop=workshop, code_version="next")
    assert result.verdict() == "1 way differs from the record; recorded by test, replayed by next"


def test_a_way_gets_nothing_of_our_environment_but_what_an_interpreter_needs(
    log: Path, workshop: Workshop, tmp_path: Path
) -> None:
    """A path on which lies what would end any interpreter that looks there."""
    (tmp_path / "sitecustomize.py").write_text("import os\nos._exit(3)\n")
    poisoned = {**workshop.environment, "PYTHONPATH": str(tmp_path)}
    assert replay(log, replace(workshop, environment=poisoned), times=1).identical


@pytest.mark.parametrize("when", ["reading", "replaying"])
def test_stopping_leaves_no_process_and_no_file(log: Path, tmp_path: Path, when: str) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    def progress(done: int, total: int) -> None:
        if (when == "reading") == (total == 0):
            raise StopHere

    before = {child.pid for child in psutil.Process().children(recursive=True)}
    with pytest.raises(StopHere):
        replay(log, make_workshop(scratch, progress), times=4)
    after = {child.pid for child in psutil.Process().children(recursive=True)}
    assert after <= before
    assert list(scratch.iterdir()) == []


def test_a_way_that_dies_is_an_error_and_no_verdict(log: Path, tmp_path: Path) -> None:
    def kill_the_first_child(done: int, total: int) -> None:
        for child in psutil.Process().children(recursive=True):
            if "replay.day_process" in " ".join(child.cmdline()):
                child.kill()

    with pytest.raises(ReplayError, match=r"way \d of 2026-02-2\d ended with code -9"):
        replay(log, make_workshop(tmp_path, kill_the_first_child), times=4)


def test_ways_end_when_whoever_started_them_is_killed(log: Path, tmp_path: Path) -> None:
    """SIGKILL leaves no time to clean up: the ways find their pipe broken."""
    program = (
        "import os, sys, time; from pathlib import Path; from replay.ways import *\n"
        "def tell(done, total):\n    print(done, total, flush=True)\n"
        "replay_session(Path(sys.argv[1]), times=40, code_version='t', workshop=Workshop("
        "2, os.environ, Path(sys.argv[2]), time.perf_counter, tell))\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(log), str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    children = await_children(parent.pid, parent.stdout.readline)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    _, alive = psutil.wait_procs(children, timeout=20)
    assert alive == []


def await_children(pid: int, look: Callable[[], str]) -> list[psutil.Process]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        look()
        children = psutil.Process(pid).children()
        if children:
            return children
    pytest.fail("no way was started")


@pytest.mark.parametrize("times", [0, -1])
def test_no_way_at_all_is_refused(log: Path, workshop: Workshop, times: int) -> None:
    with pytest.raises(ReplayError, match="expected 1 or more"):
        replay(log, workshop, times=times)


def test_a_tampered_log_is_refused_before_any_way_starts(log: Path, tmp_path: Path) -> None:
    path = day_files(log)[1]
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    said: list[tuple[int, int]] = []
    workshop = make_workshop(tmp_path, lambda done, total: said.append((done, total)))
    with pytest.raises(TamperedError, match=path.name):
        replay(log, workshop)
    assert all(total == 0 for _, total in said)


def test_no_room_for_what_is_derived_is_one_line(log: Path, workshop: Workshop) -> None:
    nowhere = replace(workshop, scratch=Path(os.devnull) / "nowhere")
    with pytest.raises(ReplayError, match="cannot start an interpreter"):
        replay(log, nowhere)


def test_the_result_is_a_json_value(log: Path, workshop: Workshop) -> None:
    import json

    forge_event(log, bodies(log, "features.computed")[0]["seq"], lambda body: body | {"v": 2})
    data = json.loads(json.dumps(replay(log, workshop, times=1).to_data()))
    assert data["identical"] is False
    assert data["ways"][0]["divergence"]["what"] == "CHANGED"
    assert data["ways"][0]["divergence"]["path"] == "$.v"


def test_other_versions_than_the_manifests_are_noted_and_change_no_verdict(
    log: Path, workshop: Workshop
) -> None:
    facts = process_facts({})
    older = msgspec.structs.replace(facts, libraries=facts.libraries | {"numpy": "1.26.0"})
    manifest = read_manifest(log)
    assert manifest is not None
    write_manifest(log, msgspec.structs.replace(manifest, processes={older.key: older}))
    result = replay(log, workshop, times=1, present=facts)
    now = facts.libraries["numpy"]
    assert result.notes == [f"recorded with numpy 1.26.0, replayed with {now}"]
    assert result.identical
    assert replay(log, workshop, times=1, present=older).notes == []
    (log / "manifest.json").write_text("{")
    (note,) = replay(log, workshop, times=1, present=facts).notes
    assert "what the session was recorded with is not known" in note
