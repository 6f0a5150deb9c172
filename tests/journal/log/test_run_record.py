"""The manifest through the life of a session: real logs, real writers, real kills."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brahmastra_site.launcher.environment import REPOSITORY
from journal.log.errors import LogPoisonedError
from journal.log.facts import LogTally, facts_of_log
from journal.log.files import FILES, Files
from journal.log.manifest import (
    DataFile,
    Manifest,
    ManifestError,
    Process,
    ProcessFacts,
    ProcessIdentity,
    RunStatus,
    check_manifest,
    read_manifest,
    write_manifest,
)
from journal.log.packing import pack_closed_days
from journal.log.run_record import RunRecord
from journal.log.verification import verify_session
from journal.log.writer import Durability
from tests.journal.log.faulty_files import FailingFiles
from tests.journal.log_bed import (
    frame,
    open_log,
    session_closed,
    session_opened,
    signals,
    steady_clock,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from journal.events import Event
    from journal.log.reader import LogLine
    from journal.log.writer import LogWriter

DIGEST = "c" * 64
PROCESS = Process(
    identity=ProcessIdentity(pid=1, started="2", boot="3", namespace="4"),
    facts=ProcessFacts(
        python="CPython 3.11.7",
        hash_seed="0",
        libraries={"numpy": "2.4.6"},
        libc="glibc 2.36",
        machine="x86_64",
        cpu_features=("AVX2",),
        variables={"TZ": "UTC", "LD_PRELOAD": None},
        solvers={"BLAS": {"threads": "1"}},
    ),
)


class Asked(Exception):  # noqa: N818 - as the runner's own
    """Asked to stop."""


def recorded(
    log: LogWriter,
    report: Callable[[str], None] | None = None,
    process: Process | None = PROCESS,
    files: Files = FILES,
) -> RunRecord:
    return RunRecord(
        log,
        clock=steady_clock,
        report=report or pytest.fail,
        process=process,
        stops=(Asked,),
        files=files,
    )


def begin(record: RunRecord) -> None:
    record.start(configuration_digest=DIGEST, code_version="1+abc")


def opening(session: str, seq: int) -> Event:
    return session_opened(session, seq, configuration_digest=DIGEST, code_version="1+abc")


def closing(session: str, seq: int) -> Event:
    return session_closed(session, seq)


def manifest_of(directory: Path) -> Manifest:
    manifest = read_manifest(directory)
    assert manifest is not None
    return manifest


def statuses(directory: Path) -> list[str]:
    return [run.status.value for run in manifest_of(directory).runs]


def ranges(directory: Path) -> list[tuple[int, int | None]]:
    return [(run.first_line, run.last_line) for run in manifest_of(directory).runs]


def holds(directory: Path) -> bool:
    checked = check_manifest(manifest_of(directory), directory)
    assert checked.difference is None, checked.difference
    return True


def abandon(log: LogWriter) -> None:
    """Let go of a writer as a kill would: nothing more is said."""
    log.close()


# --- one run ------------------------------------------------------------------------------------


def test_a_run_is_running_before_its_first_commit_and_finished_with_the_log(var_dir: Path) -> None:
    with open_log(var_dir) as log, recorded(log) as record:
        assert read_manifest(log.directory) is None
        record.start(
            configuration_digest=DIGEST,
            code_version="1+abc",
            data=[DataFile("chain/a.parquet", "a" * 64, "0" * 64)],
        )
        before = manifest_of(log.directory)
        assert (before.status, before.log.lines) == (RunStatus.RUNNING, 0)
        assert before.runs[0].identity == PROCESS.identity
        assert before.runs[0].configuration_digest == DIGEST
        assert holds(log.directory)
        log.open_day("2025-08-29")
        log.commit([opening("day1", 1), frame("day1", 2), *signals("day1", 3, 4)])
        assert check_manifest(before, log.directory).lines_after == 7
        log.open_day("2025-08-30")
        log.commit([frame("day1", 7), closing("day1", 8)])
    manifest = manifest_of(log.directory)
    verified = verify_session(log.directory)
    assert manifest.status == RunStatus.FINISHED
    assert manifest.processes == {PROCESS.facts.key: PROCESS.facts}
    assert manifest.runs[0].process == PROCESS.facts.key
    assert (manifest.number, manifest.log.number, manifest.log.session) == (1, 1, "day1")
    assert (manifest.log.root, manifest.log.head) == (verified.root, verified.head)
    assert (manifest.log.lines, manifest.log.events) == (verified.lines, verified.events)
    assert [(f.file, f.lines, f.bytes, f.head) for f in manifest.log.files] == [
        (f.file, f.lines, f.bytes, f.head) for f in verified.files
    ]
    assert [(s.digest, s.frames, s.seed) for s in manifest.log.sources] == [("0" * 64, 2, 1)]
    assert manifest.log.configuration_digest == DIGEST
    assert manifest.runs[0].ended_us is not None
    assert holds(log.directory)


def test_a_stop_and_a_failure_are_named_and_the_runs_share_out_the_lines(var_dir: Path) -> None:
    with pytest.raises(Asked), open_log(var_dir) as log, recorded(log) as record:  # noqa: PT012
        begin(record)
        log.open_day("2025-08-29")
        log.commit([opening("day1", 1), *signals("day1", 2, 3)])
        raise Asked
    assert statuses(log.directory) == ["stopped"]
    assert holds(log.directory)
    with pytest.raises(ValueError, match="bad"), open_log(var_dir) as log, recorded(log) as record:  # noqa: PT012
        begin(record)
        log.commit(signals("day1", 5, 2))
        raise ValueError("bad things\nand more of them")
    assert holds(log.directory)
    with open_log(var_dir) as log, recorded(log) as record:
        begin(record)
        log.commit([closing("day1", 7)])
    assert statuses(log.directory) == ["stopped", "failed", "finished"]
    assert ranges(log.directory) == [(1, 5), (6, 7), (8, 8)]
    assert manifest_of(log.directory).runs[1].error == "ValueError: bad things"
    assert len(manifest_of(log.directory).processes) == 1
    assert holds(log.directory)


def test_a_refusal_before_the_start_is_no_run(var_dir: Path) -> None:
    with pytest.raises(ValueError, match="no"), open_log(var_dir) as log, recorded(log):
        raise ValueError("no")
    assert read_manifest(log.directory) is None


# --- crashes ------------------------------------------------------------------------------------


def test_a_dead_run_is_found_crashed_by_the_next_start(var_dir: Path) -> None:
    log = open_log(var_dir)
    record = recorded(log).__enter__()
    begin(record)
    log.open_day("2025-08-29")
    log.commit([opening("day1", 1), *signals("day1", 2, 3)])
    abandon(log)
    with (log.directory / "2025-08-29.jsonl").open("ab") as file:
        file.write(b'{"event":{"bo')
    assert holds(log.directory)
    with open_log(var_dir) as log, recorded(log) as record:
        assert statuses(log.directory) == ["crashed"]
        assert holds(log.directory)
        begin(record)
        log.commit([closing("day1", 5)])
    crashed, finished = manifest_of(log.directory).runs
    assert (crashed.status, finished.status) == (RunStatus.CRASHED, RunStatus.FINISHED)
    assert crashed.found.startswith("the next start")
    assert crashed.ended_us is not None
    assert ranges(log.directory) == [(1, 5), (6, 7)]  # line 6 says what was recovered
    assert holds(log.directory)


def test_a_run_killed_after_its_close_had_finished(var_dir: Path) -> None:
    log = open_log(var_dir)
    begin(recorded(log).__enter__())
    log.open_day("2025-08-29")
    log.commit([opening("day1", 1), closing("day1", 2)])
    abandon(log)
    assert statuses(log.directory) == ["running"]
    with pytest.raises(ValueError, match="finished"), open_log(var_dir) as log, recorded(log):
        raise ValueError("finished; choose another name")
    assert statuses(log.directory) == ["finished"]
    assert holds(log.directory)


def test_starts_that_die_at_once_are_runs_without_lines(var_dir: Path) -> None:
    for _ in range(3):
        log = open_log(var_dir)
        begin(recorded(log).__enter__())
        abandon(log)
    with open_log(var_dir) as log, recorded(log) as record:
        begin(record)
        log.open_day("2025-08-29")
        log.commit([opening("day1", 1), closing("day1", 2)])
    assert statuses(log.directory) == ["crashed", "crashed", "crashed", "finished"]
    assert ranges(log.directory) == [(1, 0), (1, 0), (1, 0), (1, 3)]
    assert holds(log.directory)


# --- manifests that cannot be gone on with ------------------------------------------------------


def stopped_session(var_dir: Path) -> Path:
    with open_log(var_dir) as log, recorded(log) as record:
        begin(record)
        log.open_day("2025-08-29")
        log.commit([opening("day1", 1), frame("day1", 2), *signals("day1", 3, 3)])
    return log.directory


def _damaged(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _older(content: bytes) -> bytes:
    return content.replace(b"brahmastra-manifest-1", b"brahmastra-manifest-0")


def _contradicting(content: bytes) -> bytes:
    head = msgspec.json.decode(content)["log"]["head"].encode()
    return content.replace(head, b"e" * 64)


def _other_length(content: bytes) -> bytes:
    return content.replace(b'"lines": 6,\n  "events', b'"lines": 7,\n  "events')


def _other_root(content: bytes) -> bytes:
    root = msgspec.json.decode(content)["log"]["root"].encode()
    return content.replace(root, b"f" * 64)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_damaged, "not a manifest"),
        (_older, "format 'brahmastra-manifest-0', expected 'brahmastra-manifest-1'"),
        (_contradicting, f"head: the manifest says {'e' * 64}, the log "),
        (_other_root, f"root: the manifest says {'f' * 64}, its peaks "),
        (_other_length, "peaks: a tree of 7 leaves does not have 2 peaks"),
        (lambda content: b"", "not a manifest"),
        (lambda content: b"[" * 100_000, "not a manifest"),
        (lambda content: b"\xff\xfe" + content, "not a manifest"),
    ],
)
def test_it_is_made_anew_from_the_log_and_the_old_one_kept(
    var_dir: Path, change: Callable[[bytes], bytes], said: str
) -> None:
    directory = stopped_session(var_dir)
    path = directory / "manifest.json"
    told = manifest_of(directory).log
    content = change(path.read_bytes())
    path.write_bytes(content)
    lines: list[str] = []
    with open_log(var_dir) as log, recorded(log, lines.append) as record:
        begin(record)
        log.commit([closing("day1", 6)])
    assert len(lines) == 1
    assert said in lines[0]
    assert "\n" not in lines[0]
    manifest = manifest_of(directory)
    assert said in str(manifest.rebuilt)
    assert statuses(directory) == ["unrecorded", "finished"]
    assert ranges(directory) == [(1, told.lines), (told.lines + 1, told.lines + 1)]
    assert [kept.read_bytes() for kept in directory.glob("manifest.json.aside-*")] == [content]
    assert holds(directory)


def test_a_missing_one_is_made_from_the_log(var_dir: Path) -> None:
    directory = stopped_session(var_dir)
    told = manifest_of(directory).log
    (directory / "manifest.json").unlink()
    with open_log(var_dir) as log, recorded(log) as record:
        assert manifest_of(directory).log == told
        assert (statuses(directory), holds(directory)) == (["unrecorded"], True)
        begin(record)
        log.commit([closing("day1", 6)])
    assert manifest_of(directory).rebuilt == "it was missing"
    assert statuses(directory) == ["unrecorded", "finished"]
    assert holds(directory)


# --- a disk that does not take it ---------------------------------------------------------------


WRITE = ["remove", "create", "write", "sync", "rename", "sync directory"]


@pytest.mark.parametrize("place", range(1, len(WRITE) + 1))
@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_fails_at_the_start_refuses_the_run_before_its_first_commit(
    var_dir: Path, place: int, fault: int
) -> None:
    files = FailingFiles(place, fault, short=True)
    with (
        pytest.raises(ManifestError, match=r"manifest.json: cannot be written \(") as refused,
        open_log(var_dir) as log,
        recorded(log, files=files) as record,
    ):
        begin(record)
    assert os.strerror(fault) in str(refused.value)
    assert files.seen == WRITE[:place]
    assert not list(log.directory.glob(".manifest*"))
    assert not list(log.directory.glob("*.jsonl"))
    with open_log(var_dir) as log, recorded(log) as record:
        begin(record)
        log.open_day("2025-08-29")
        log.commit([opening("day1", 1), closing("day1", 2)])
    assert statuses(log.directory)[-1] == "finished"
    assert holds(log.directory)


@pytest.mark.parametrize("place", range(1, len(WRITE) + 1))
def test_a_disk_that_fails_at_the_end_is_reported_and_the_next_start_repairs(
    var_dir: Path, place: int
) -> None:
    said: list[str] = []
    files = FailingFiles(len(WRITE) + place, errno.ENOSPC, short=True)
    with open_log(var_dir) as log, recorded(log, said.append, files=files) as record:
        begin(record)
        log.open_day("2025-08-29")
        log.commit([opening("day1", 1), closing("day1", 2)])
    assert len(said) == 1
    assert "the manifest does not say how this run ended" in said[0]
    assert "No space left" in said[0]
    # Once it is renamed the new one is there, if perhaps not after a power cut.
    assert statuses(log.directory) == ["finished" if place == len(WRITE) else "running"]
    assert holds(log.directory)
    with open_log(var_dir) as log, recorded(log):
        pass
    assert statuses(log.directory) == ["finished"]
    assert holds(log.directory)


def test_a_writer_that_was_poisoned_leaves_a_failed_run(var_dir: Path) -> None:
    files = FailingFiles(10**9, errno.EIO)
    with (  # noqa: PT012
        pytest.raises(LogPoisonedError),
        open_log(var_dir, files=files) as log,
        recorded(log) as record,
    ):
        begin(record)
        log.open_day("2025-08-29")
        log.commit([opening("day1", 1)])
        files.fail_at = len(files.seen) + 1
        log.commit(signals("day1", 2, 2))
    assert statuses(log.directory) == ["failed"]
    assert "nothing more is accepted" in str(manifest_of(log.directory).runs[0].error)
    assert holds(log.directory)


@pytest.mark.parametrize("durability", Durability)
def test_the_end_of_a_lazily_synced_log_is_told_of_whole(
    var_dir: Path, durability: Durability
) -> None:
    with open_log(var_dir, durability=durability) as log, recorded(log) as record:
        begin(record)
        log.open_day("2025-08-29")
        log.commit([opening("day1", 1), *signals("day1", 2, 3)])
    (run,) = manifest_of(log.directory).runs
    assert (run.status, run.last_line, run.durability) == ("stopped", 5, durability.value)
    assert holds(log.directory)


def test_a_start_does_not_read_again_what_the_manifest_tells_of(
    var_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped_session(var_dir)
    taken: list[int] = []
    take = LogTally._take

    def noting(tally: LogTally, line: LogLine) -> None:
        taken.append(line.line)
        take(tally, line)

    monkeypatch.setattr(LogTally, "_take", noting)
    with open_log(var_dir) as log, recorded(log) as record:
        begin(record)
        log.commit([*signals("day1", 6, 2), closing("day1", 8)])
    assert taken == [7, 8, 9]
    assert holds(log.directory)


def test_days_packed_while_a_session_goes_on_are_marked_and_change_nothing_else(
    var_dir: Path,
) -> None:
    with open_log(var_dir) as log, recorded(log) as record:
        begin(record)
        log.open_day("2025-08-29")
        log.commit([opening("day1", 1), frame("day1", 2)])
        log.open_day("2025-08-30")
        pack_closed_days(log.directory)
        log.commit([frame("day1", 3)])
        log.open_day("2025-08-31")
        log.commit([closing("day1", 4)])
    told = manifest_of(log.directory)
    assert [file.packed for file in told.log.files] == [True, False, False]
    assert holds(log.directory)
    pack_closed_days(log.directory)
    assert holds(log.directory)
    assert [file.packed for file in facts_of_log(log.directory).files] == [True, True, False]
    with open_log(var_dir) as log, recorded(log):
        pass
    assert manifest_of(log.directory).runs == told.runs


def test_lines_a_failed_sync_left_in_doubt_belong_to_the_failed_run(var_dir: Path) -> None:
    with (  # noqa: PT012
        pytest.raises(ValueError, match="sync"),
        open_log(var_dir) as log,
        recorded(log) as record,
    ):
        begin(record)
        log.open_day("2025-08-29")
        log.commit([opening("day1", 1)])
        head = (log.directory / "head").read_bytes()
        log.commit(signals("day1", 2, 2))
        (log.directory / "head").write_bytes(head)  # written, and never published
        raise ValueError("sync failed")
    assert ranges(log.directory) == [(1, 2)]
    with open_log(var_dir) as log, recorded(log) as record:
        assert holds(log.directory)
        begin(record)
        log.commit([closing("day1", 4)])
    assert ranges(log.directory) == [(1, 4), (5, 5)]
    assert holds(log.directory)


# --- whatever a session goes through ------------------------------------------------------------

ENDINGS = ("finish", "stop", "fail", "kill", "kill in a batch")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(ENDINGS),
            st.lists(st.tuples(st.integers(0, 6), st.booleans(), st.booleans()), max_size=4),
        ),
        min_size=1,
        max_size=4,
    )
)
@settings(max_examples=60, deadline=None)
def test_made_from_the_log_alone_it_says_the_same_of_the_log(
    runs: list[tuple[str, list[tuple[int, bool, bool]]]],
) -> None:
    with tempfile.TemporaryDirectory() as place:
        directory = live(Path(place), runs)
        written = manifest_of(directory)
        assert written.log == facts_of_log(directory)
        assert holds(directory)
        (directory / "manifest.json").unlink()
        with open_log(Path(place)) as log, recorded(log):
            pass
        rebuilt = read_manifest(directory)
        if rebuilt is None:
            assert written.log.lines == 0
        else:
            assert rebuilt.log == written.log
            assert holds(directory)


def live(var_dir: Path, runs: list[tuple[str, list[tuple[int, bool, bool]]]]) -> Path:
    """Run a session several times, each time ending in some way; it is at rest in the end."""
    seq, day = 0, 0
    for ending, batches in [*runs, ("stop", [])]:
        log = open_log(var_dir)
        record = recorded(log).__enter__()
        begin(record)
        for count, framed, new_day in batches:
            if new_day or log.date is None:
                day += 1
                log.open_day(f"2025-08-{day:02d}")
            events = [opening("day1", 1)] if seq == 0 else []
            events += signals("day1", seq + len(events) + 1, count)
            events += [frame("day1", seq + len(events) + 1)] if framed else []
            log.commit(events)
            seq += len(events)
        finish = ending == "finish" and seq > 0
        if finish:
            log.commit([closing("day1", seq + 1)])
        end(log, record, ending)
        if finish:
            break
    return log.directory


def end(log: LogWriter, record: RunRecord, ending: str) -> None:
    errors = {"stop": Asked(), "fail": ValueError("bad")}
    if not ending.startswith("kill"):
        error = errors.get(ending)
        record.__exit__(type(error) if error else None, error, None)
    abandon(log)
    files = sorted(log.directory.glob("*.jsonl"))
    if ending == "kill in a batch" and files:
        with files[-1].open("ab") as file:
            file.write(b'{"event":{"body":')


# --- kill -9 while it is rewritten --------------------------------------------------------------

REWRITER = """
import sys
from pathlib import Path
from journal.log.manifest import read_manifest, write_manifest
import msgspec
directory = Path(sys.argv[1])
manifest = read_manifest(directory)
number = manifest.number
print("ready", flush=True)
while True:
    number += 1
    runs = manifest.runs[:1] * (number % 500 + 1)
    write_manifest(directory, msgspec.structs.replace(manifest, number=number, runs=runs))
"""


def test_a_reader_sees_the_old_or_the_new_one_whenever_the_writer_is_killed(
    var_dir: Path,
) -> None:
    directory = stopped_session(var_dir)
    write_manifest(directory, msgspec.structs.replace(manifest_of(directory), number=0))
    chance = random.Random(5)
    seen = set()
    number = 0
    for _ in range(15):
        child = subprocess.Popen(
            [sys.executable, "-c", REWRITER, str(directory)],
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
        )
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        ends = time.monotonic() + chance.uniform(0.002, 0.15)
        while time.monotonic() < ends:
            number = whole(directory, at_least=number)
            seen.add(number)
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
        child.stdout.close()
        number = whole(directory, at_least=number)
    assert len(seen) > 15
    with open_log(var_dir) as log, recorded(log, lambda line: None):
        assert not list(directory.glob(".manifest.json.*"))


def whole(directory: Path, *, at_least: int) -> int:
    """Return the number of the manifest that is there, which must be whole and not go back."""
    manifest = manifest_of(directory)
    assert manifest.number >= at_least
    assert len(manifest.runs) == (manifest.number % 500 + 1)
    return manifest.number
