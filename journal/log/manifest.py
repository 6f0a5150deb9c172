"""The manifest of a session: what ran it, when and how each run ended, and how its log stood then.

It is evidence beside the log and never stands in for it: `log` repeats what the log says, and every
count, digest and hash in it can be compared with the log. A session is run, stopped and run again,
so there is one entry a run; what the processes were made of is kept once for those that agree.
"""

from __future__ import annotations

from enum import StrEnum
from hashlib import sha256
from itertools import chain, zip_longest
from typing import TYPE_CHECKING

import msgspec

from journal.log.errors import LogError
from journal.log.facts import FileFacts, LogFacts, LogTally
from journal.log.files import FILES, Files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MANIFEST_FORMAT = "brahmastra-manifest-1"
MANIFEST_FILE = "manifest.json"

Setting = str | int | float | bool | None


class ManifestError(LogError):
    """A manifest cannot be read or written; one line with the file and why."""


class RunStatus(StrEnum):
    """How a run stands."""

    RUNNING = "running"
    FINISHED = "finished"  # the log ends with session.closed
    STOPPED = "stopped"  # asked to stop; the session can be continued
    CRASHED = "crashed"  # its process was gone before it had said how it ended
    FAILED = "failed"  # an error ended it, which is in `error`
    UNRECORDED = "unrecorded"  # the log has its lines and no manifest told of it


# What a manifest that says so leaves open: lines of a run at work, or that a failed sync left in
# doubt. After any other ending the log has no line before the next run begins.
_OPEN = frozenset({RunStatus.RUNNING, RunStatus.FAILED})


class ProcessIdentity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which process it was, told from any later one of the same number: when it was started (clock
    ticks after the boot), in which boot, and in which namespace of process numbers.
    """

    pid: int
    started: str
    boot: str
    namespace: str


class ProcessFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What decides bytes besides code, configuration and data: interpreter, libraries, C library,
    processor, environment variables (null: not set) and the settings of each solver by its name.
    """

    python: str
    hash_seed: str
    libraries: dict[str, str]
    libc: str
    machine: str
    cpu_features: tuple[str, ...]
    variables: dict[str, str | None]
    solvers: dict[str, dict[str, Setting]] = {}

    @property
    def key(self) -> str:
        """The name under which a manifest keeps it."""
        return sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()[:16]


class Process(msgspec.Struct, frozen=True):
    """A process: which one, and what it is made of."""

    identity: ProcessIdentity
    facts: ProcessFacts


class DataFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of the market store with its SHA-256, and the digest of the source it was made from,
    which frames name.
    """

    file: str
    digest: str
    source: str


class Run(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One process at work on the session: lines `first_line` to `last_line` of the log are its own
    (none when the last is before the first). Times are wall clock µs UTC; `found` says who
    established the status. Null: still running, or not known.
    """

    status: RunStatus
    found: str
    started_us: int | None
    ended_us: int | None = None
    first_line: int
    last_line: int | None = None
    error: str | None = None
    code_version: str | None = None
    configuration_digest: str | None = None
    durability: str | None = None
    process: str | None = None
    identity: ProcessIdentity | None = None


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole record; `rebuilt` says why it had to be made from the log alone, when it had."""

    format: str = MANIFEST_FORMAT
    session: str
    number: int
    runs: tuple[Run, ...]
    processes: dict[str, ProcessFacts]
    data: tuple[DataFile, ...]
    log: LogFacts
    rebuilt: str | None = None

    @property
    def status(self) -> RunStatus:
        """How the newest run stands."""
        return self.runs[-1].status if self.runs else RunStatus.UNRECORDED


# --- the file ---------------------------------------------------------------------------------


def read_manifest(directory: Path) -> Manifest | None:
    """Return a session's manifest, None when there is none.

    Raises ManifestError when it cannot be read or is of another format.
    """
    path = directory / MANIFEST_FILE
    try:
        content = path.read_bytes()
        stated = msgspec.json.decode(content, type=_Stated).format
        if stated != MANIFEST_FORMAT:
            raise ManifestError(f"{path}: format {stated!r}, expected {MANIFEST_FORMAT!r}")
        return msgspec.json.decode(content, type=Manifest)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read ({error.strerror})") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ManifestError(f"{path}: not a manifest ({error})") from None


def write_manifest(directory: Path, manifest: Manifest, *, files: Files = FILES) -> None:
    """Replace a session's manifest atomically and durably; raises ManifestError when it cannot."""
    path = directory / MANIFEST_FILE
    content = msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
    try:
        files.replace(path, content)
    except OSError as error:
        raise ManifestError(f"{path}: cannot be written ({error.strerror})") from error


def set_aside(directory: Path, *, now_us: int, files: Files = FILES) -> Path:
    """Move a manifest that cannot be gone on with out of the way; return where it is now.

    Raises ManifestError when it cannot be moved.
    """
    path = directory / MANIFEST_FILE
    target = path.with_name(f"{path.name}.aside-{now_us}")
    try:
        files.rename(path, target)
        files.sync_directory(directory)
    except OSError as error:
        raise ManifestError(f"{path}: cannot be moved aside ({error.strerror})") from error
    return target


def clear_drafts(directory: Path) -> None:
    """Remove what writers that were killed left of a manifest; the caller holds the lock."""
    for draft in directory.glob(f".{MANIFEST_FILE}.*"):
        draft.unlink(missing_ok=True)


class _Stated(msgspec.Struct):
    """As much of a manifest of any format as says which format it is."""

    format: str


# --- against the log ----------------------------------------------------------------------------


class Checked(msgspec.Struct, frozen=True):
    """What comparing a manifest with its log found: the first difference in one line, None when
    there is none, and how many lines the log has after those the manifest tells of.
    """

    difference: str | None
    lines_after: int


def check_manifest(manifest: Manifest, directory: Path) -> Checked:
    """Compare everything a manifest repeats of the log with the log, which is read once.

    Raises TamperedError where the log contradicts its chain.
    """
    return check_with(manifest, LogTally(directory))


def check_with(manifest: Manifest, tally: LogTally) -> Checked:
    """Compare as `check_manifest` does with a tally that has not read past the lines the manifest
    tells of; it has read all of the log afterwards.
    """
    tally.read_on(manifest.log.lines)
    then, written = tally.facts(), tally.written
    tally.read_on()
    now = tally.facts()
    differences = chain(
        _log_differences(manifest, then, now),
        _after_differences(manifest, tally.written - then.lines),
        _run_differences(manifest, now, written=written),
        _data_differences(manifest),
    )
    return Checked(next(differences, None), now.lines - then.lines)


def _log_differences(manifest: Manifest, then: LogFacts, now: LogFacts) -> Iterator[str]:
    """Yield where `then`, the log after as many lines as the manifest tells of, is not what it
    says.
    """
    told = manifest.log
    if now.lines and now.session != manifest.session:
        yield _says("session", manifest.session, now.session)
    if now.lines and now.number != manifest.number:
        yield _says("session number", manifest.number, now.number)
    yield from _file_differences(told.files, then.files)
    for name in LogFacts.__struct_fields__:
        if name != "files" and getattr(told, name) != getattr(then, name):
            yield _says(name.replace("_", " "), _shown(told, name), _shown(then, name))


def _file_differences(told: tuple[FileFacts, ...], found: tuple[FileFacts, ...]) -> Iterator[str]:
    for there, here in zip_longest(told, found):
        if there is None or here is None or there.file != here.file:
            yield _says("file", there and there.file, here and here.file)
            return
        for name in ("lines", "bytes", "head"):
            if getattr(there, name) != getattr(here, name):
                yield _says(f"{here.file} {name}", getattr(there, name), getattr(here, name))
        if there.packed and not here.packed:  # packing a file later is nothing it contradicts
            yield f"{here.file}: the manifest says packed, and it is not"


def _after_differences(manifest: Manifest, after: int) -> Iterator[str]:
    if manifest.status not in _OPEN and after > 0:
        lines = "1 line" if after == 1 else f"{after} lines"
        yield f"the last run is {manifest.status}, and the log goes on for {lines} after it"


def _run_differences(manifest: Manifest, now: LogFacts, *, written: int) -> Iterator[str]:
    """The runs share out the lines of the log without a gap, and all had its configuration.
    `written` is the last line a run wrote: those of recoveries after it are the next run's.
    """
    line = 0
    for number, run in enumerate(manifest.runs, start=1):
        last = number == len(manifest.runs)
        if run.first_line != line + 1:
            yield f"run {number} begins at line {run.first_line}, expected {line + 1}"
        if not last and run.status in {RunStatus.RUNNING, RunStatus.FINISHED}:
            yield f"run {number} is {run.status}, and another came after it"
        if run.last_line is None and (not last or run.status != RunStatus.RUNNING):
            yield f"run {number} is {run.status} and has no last line"
        if now.configuration_digest and run.configuration_digest not in {
            None,
            now.configuration_digest,
        }:
            yield _says(
                f"run {number} configuration digest",
                run.configuration_digest,
                now.configuration_digest,
            )
        line = run.last_line if run.last_line is not None else line
    ended = manifest.runs and manifest.runs[-1].last_line is not None
    if ended and not written <= line <= manifest.log.lines:
        yield _says("last line of the last run", line, written)
    if manifest.status == RunStatus.FINISHED and not manifest.log.finished:
        yield "the last run is finished, and the log does not end with session.closed"


def _data_differences(manifest: Manifest) -> Iterator[str]:
    """Every source frames name is one of a recorded market file's, where files were recorded."""
    recorded = {file.source for file in manifest.data}
    for source in manifest.log.sources:
        if recorded and source.digest not in recorded and manifest.rebuilt is None:
            yield f"no market file is recorded for the frames from source {source.digest}"


def _shown(facts: LogFacts, name: str) -> object:
    value = getattr(facts, name)
    if name == "sources":
        return ", ".join(f"{source.digest} × {source.frames}" for source in value) or "none"
    return ", ".join(value) or "none" if isinstance(value, tuple) else value


def _says(what: str, told: object, found: object) -> str:
    return f"{what}: the manifest says {told}, the log {found}"


# --- against another process --------------------------------------------------------------------


def process_differences(recorded: ProcessFacts, present: ProcessFacts) -> list[str]:
    """Return in words what decided bytes when a session was recorded and is another thing now.

    Environment variables and hash seeds are left out: a replay sets its own.
    """
    pairs = [("Python", recorded.python, present.python)]
    pairs += [
        (name, recorded.libraries.get(name, "none"), present.libraries.get(name, "none"))
        for name in sorted({*recorded.libraries, *present.libraries})
    ]
    pairs += [
        ("C library", recorded.libc, present.libc),
        ("machine", recorded.machine, present.machine),
        ("CPU features", " ".join(recorded.cpu_features), " ".join(present.cpu_features)),
    ]
    pairs += [
        (f"settings of {name}", _settings(recorded, name), _settings(present, name))
        for name in sorted({*recorded.solvers, *present.solvers})
    ]
    return [
        f"recorded with {name} {there}, replayed with {here}"
        for name, there, here in pairs
        if there != here
    ]


def _settings(facts: ProcessFacts, solver: str) -> str:
    settings = facts.solvers.get(solver, {})
    return ", ".join(f"{name}={settings[name]}" for name in sorted(settings)) or "none"
