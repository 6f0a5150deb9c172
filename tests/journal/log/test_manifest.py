"""Whatever a manifest says otherwise than its log is named, in one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from journal.log.manifest import (
    DataFile,
    Manifest,
    ProcessFacts,
    Run,
    RunStatus,
    check_manifest,
    process_differences,
    read_manifest,
    write_manifest,
)
from tests.journal.log.test_run_record import (
    PROCESS,
    begin,
    closing,
    manifest_of,
    opening,
    recorded,
)
from tests.journal.log_bed import frame, open_log, signals

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

replace = msgspec.structs.replace


@pytest.fixture
def directory(var_dir: Path) -> Path:
    """A finished session of two days."""
    with open_log(var_dir) as log, recorded(log) as record:
        begin(record)
        log.open_day("2025-08-29")
        log.commit([opening("day1", 1), frame("day1", 2), *signals("day1", 3, 2)])
        log.open_day("2025-08-30")
        log.commit([frame("day1", 5), closing("day1", 6)])
    return log.directory


def in_log(**changes: Any) -> Callable[[Manifest], Manifest]:
    return lambda manifest: replace(manifest, log=replace(manifest.log, **changes))


def in_file(number: int, **changes: Any) -> Callable[[Manifest], Manifest]:
    def change(manifest: Manifest) -> Manifest:
        files = list(manifest.log.files)
        files[number] = replace(files[number], **changes)
        return replace(manifest, log=replace(manifest.log, files=tuple(files)))

    return change


def in_run(**changes: Any) -> Callable[[Manifest], Manifest]:
    return lambda manifest: replace(manifest, runs=(replace(manifest.runs[0], **changes),))


def fewer_frames(manifest: Manifest) -> Manifest:
    (source,) = manifest.log.sources
    return in_log(sources=(replace(source, frames=1),))(manifest)


def another_data(manifest: Manifest) -> Manifest:
    return replace(manifest, data=(DataFile("a", "a" * 64, "b" * 64),))


def after_the_end(manifest: Manifest) -> Manifest:
    run = Run(status=RunStatus.STOPPED, found="x", started_us=1, first_line=9, last_line=8)
    return replace(manifest, runs=(*manifest.runs, run))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: replace(m, session="day2"), "session: the manifest says day2, the log day1"),
        (lambda m: replace(m, number=9), "session number: the manifest says 9, the log 1"),
        (in_log(number=9), "number: the manifest says 9, the log 1"),
        (in_log(configuration_digest="d" * 64), "configuration digest: the manifest says dddd"),
        (in_log(code_versions=("2",)), "code versions: the manifest says 2, the log 1+abc"),
        (in_log(lines=9), "lines: the manifest says 9, the log 8"),
        (in_log(events=5), "events: the manifest says 5, the log 6"),
        (in_log(head="e" * 64), "head: the manifest says eeee"),
        (in_log(root="f" * 64), "root: the manifest says ffff"),
        (in_log(peaks=()), "peaks: the manifest says none, the log "),
        (in_log(recovered=1), "recovered: the manifest says 1, the log 0"),
        (in_log(last_us=1), "last us: the manifest says 1, the log 17"),
        (in_log(finished=False), "finished: the manifest says False, the log True"),
        (in_log(files=()), "file: the manifest says None, the log 2025-08-29.jsonl"),
        (in_file(0, lines=4), "2025-08-29.jsonl lines: the manifest says 4, the log 5"),
        (in_file(1, bytes=4), "2025-08-30.jsonl bytes: the manifest says 4, the log "),
        (in_file(0, head="a" * 64), "2025-08-29.jsonl head: the manifest says aaaa"),
        (in_file(0, packed=True), "2025-08-29.jsonl: the manifest says packed, and it is not"),
        (in_file(1, file="2025-08-31.jsonl"), "file: the manifest says 2025-08-31.jsonl"),
        (fewer_frames, "sources: the manifest says " + "0" * 64 + " × 1, the log"),
        (in_run(configuration_digest="d" * 64), "run 1 configuration digest: the manifest says d"),
        (in_run(first_line=2), "run 1 begins at line 2, expected 1"),
        (in_run(last_line=7), "last line of the last run: the manifest says 7, the log 8"),
        (in_run(last_line=None), "run 1 is finished and has no last line"),
        (after_the_end, "run 1 is finished, and another came after it"),
        (another_data, "no market file is recorded for the frames from source 0000"),
    ],
)
def test_the_first_difference_is_one_line(
    directory: Path, change: Callable[[Manifest], Manifest], said: str
) -> None:
    manifest = manifest_of(directory)
    assert check_manifest(manifest, directory).difference is None
    changed = change(manifest)
    assert changed != manifest
    difference = check_manifest(changed, directory).difference
    assert difference is not None
    assert difference.startswith(said)
    assert "\n" not in difference


def test_a_log_that_goes_on_after_its_last_run_is_a_difference(
    directory: Path, var_dir: Path
) -> None:
    with open_log(var_dir) as log:
        log.commit(signals("day1", 7, 3))
    checked = check_manifest(manifest_of(directory), directory)
    assert checked.lines_after == 3
    assert (
        checked.difference == "the last run is finished, and the log goes on for 3 lines after it"
    )


def test_every_field_survives_its_file(directory: Path) -> None:
    manifest = replace(manifest_of(directory), rebuilt="₹ why", data=(DataFile("a", "b", "c"),))
    write_manifest(directory, manifest)
    assert read_manifest(directory) == manifest
    assert manifest.processes[PROCESS.facts.key].key == PROCESS.facts.key


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"python": "CPython 3.12.0"}, "recorded with Python CPython 3.11.7, replayed with CPyth"),
        ({"libraries": {"numpy": "3.0"}}, "recorded with numpy 2.4.6, replayed with 3.0"),
        ({"libraries": {}}, "recorded with numpy 2.4.6, replayed with none"),
        ({"libc": "musl"}, "recorded with C library glibc 2.36, replayed with musl"),
        ({"cpu_features": ()}, "recorded with CPU features AVX2, replayed with "),
        ({"solvers": {"BLAS": {"threads": "2"}}}, "recorded with settings of BLAS threads=1, rep"),
        ({"variables": {}}, None),
        ({"hash_seed": "any"}, None),
    ],
)
def test_what_decides_bytes_and_changed_is_said(change: dict[str, Any], said: str | None) -> None:
    present: ProcessFacts = replace(PROCESS.facts, **change)
    found = process_differences(PROCESS.facts, present)
    assert [line.startswith(said or "") for line in found] == ([] if said is None else [True])
