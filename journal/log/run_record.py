"""Keeping a session's manifest while a run is at work: begun before its first commit, ended with
it, and what an earlier run could not say any more said for it.

Whoever holds the log's writer holds the session's exclusive lock, so an earlier run that is still
called running is certainly dead. A manifest that cannot be written when a run begins refuses the
run; at its end that is only reported: the log is whole, and the next start repairs the manifest.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Self

import msgspec

from journal.log.errors import LogError, LogPoisonedError
from journal.log.facts import FactsError, LogFacts, LogTally
from journal.log.files import FILES, Files
from journal.log.manifest import (
    Manifest,
    ManifestError,
    Run,
    RunStatus,
    check_with,
    clear_drafts,
    read_manifest,
    set_aside,
    write_manifest,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from journal.log.manifest import DataFile, Process
    from journal.log.writer import LogWriter

FOUND_BY_ITSELF = "its own process"
FOUND_BY_LOCK = "the next start, which was given the lock it held"
FOUND_IN_LOG = "the log alone"


class RunRecord:
    """A run's part in the manifest of the session whose log `log` writes.

    `clock` returns wall clock µs UTC, `report` takes a line for people, `stops` are the exceptions
    that mean it was asked to stop.
    """

    def __init__(
        self,
        log: LogWriter,
        *,
        clock: Callable[[], int],
        report: Callable[[str], None],
        process: Process | None,
        stops: tuple[type[BaseException], ...],
        files: Files = FILES,
    ) -> None:
        self._log = log
        self._clock = clock
        self._report = report
        self._process = process
        self._stops = stops
        self._files = files
        self._tally = LogTally(log.directory)
        self._manifest = Manifest(
            session=log.session,
            number=log.number,
            runs=(),
            processes={},
            data=(),
            log=LogFacts(),
        )
        self._started = False

    def __enter__(self) -> Self:
        """Settle what earlier runs left open; raises ManifestError when that cannot be written."""
        try:
            clear_drafts(self._log.directory)
        except OSError as error:
            raise ManifestError(f"{self._log.directory}: {error.strerror}") from error
        found = self._earlier()
        self._manifest = self._settled(found)
        if found != self._manifest and self._manifest.runs:
            write_manifest(self._log.directory, self._manifest, files=self._files)
        return self

    def start(
        self,
        *,
        configuration_digest: str,
        code_version: str,
        data: Sequence[DataFile] = (),
    ) -> None:
        """Write that a run begins; raises ManifestError when it cannot be written."""
        process = self._process
        run = Run(
            status=RunStatus.RUNNING,
            found=FOUND_BY_ITSELF,
            started_us=self._clock(),
            first_line=self._next_line(),
            code_version=code_version,
            configuration_digest=configuration_digest,
            durability=self._log.durability.value,
            process=process.facts.key if process else None,
            identity=process.identity if process else None,
        )
        before = self._manifest
        known = {process.facts.key: process.facts} if process else {}
        files = {(file.file, file.source): file for file in (*before.data, *data)}
        self._manifest = msgspec.structs.replace(
            before,
            runs=(*before.runs, run),
            processes=before.processes | known,
            data=tuple(files[name] for name in sorted(files)),
        )
        write_manifest(self._log.directory, self._manifest, files=self._files)
        self._started = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write how the run ended, by what its log says and by the error that ended it."""
        if not self._started:
            return
        try:
            with suppress(LogPoisonedError):  # then the durable lines are all there is to tell of
                self._log.sync()
            self._tally.read_on()
            self._end(error)
        except (LogError, OSError) as problem:
            self._report(f"the manifest does not say how this run ended: {problem}")

    # --- what was before ---

    def _earlier(self) -> Manifest | None:
        """Return the manifest as it was found, after reading the log; None when there is none that
        can be gone on with, which then is moved aside.
        """
        directory = self._log.directory
        try:
            found = read_manifest(directory)
            problem = self._problem_of(found) if found is not None else None
        except (ManifestError, FactsError) as error:
            found, problem = None, str(error)
        if problem is not None:
            kept = set_aside(directory, now_us=self._clock(), files=self._files)
            self._report(f"manifest made anew from the log: {problem}; the old one is {kept.name}")
            self._manifest = msgspec.structs.replace(self._manifest, rebuilt=problem)
            self._tally = LogTally(directory)
            found = None
        self._tally.read_on()
        return found

    def _problem_of(self, found: Manifest) -> str | None:
        """Return what keeps a manifest from being gone on with. The lines it tells of are known by
        the hash of the last of them and not read again: a start takes no longer as a log grows.
        """
        self._tally = LogTally(self._log.directory, found.log)
        problem = check_with(found, self._tally).difference
        if problem is None and self._tally.lines != self._log.line:
            return f"lines: the manifest leads to {self._tally.lines}, the log has {self._log.line}"
        return problem

    def _settled(self, found: Manifest | None) -> Manifest:
        """Return the manifest with every earlier run ended and the log as it stands."""
        runs = found.runs if found else self._unrecorded()
        if runs and found:
            runs = (*runs[:-1], self._ended_run(runs[-1]))
        facts = self._tally.facts()
        rebuilt = self._manifest.rebuilt or ("it was missing" if runs and not found else None)
        return msgspec.structs.replace(
            found or msgspec.structs.replace(self._manifest, rebuilt=rebuilt), runs=runs, log=facts
        )

    def _unrecorded(self) -> tuple[Run, ...]:
        """Return one run for all that the log holds, without knowing whose it was."""
        lines = self._tally.written
        if not lines:
            return ()
        finished = self._tally.facts().finished
        status = RunStatus.FINISHED if finished else RunStatus.UNRECORDED
        run = Run(
            status=status,
            found=FOUND_IN_LOG,
            started_us=None,
            ended_us=self._tally.last_us,
            first_line=1,
            last_line=lines,
        )
        return (run,)

    def _ended_run(self, run: Run) -> Run:
        """Return the last run as the log shows it ended: a dead one crashed (or had finished), and
        lines that a failed sync had left in doubt are its own after all.
        """
        last_line = max(run.first_line - 1, self._tally.written)
        if run.status == RunStatus.FAILED:
            return msgspec.structs.replace(run, last_line=last_line)
        if run.status != RunStatus.RUNNING:
            return run
        wrote = last_line >= run.first_line
        return msgspec.structs.replace(
            run,
            status=RunStatus.FINISHED if self._tally.facts().finished else RunStatus.CRASHED,
            found=FOUND_BY_LOCK,
            ended_us=self._tally.last_us if wrote else run.started_us,
            last_line=last_line,
        )

    def _next_line(self) -> int:
        runs = self._manifest.runs
        return (runs[-1].last_line or 0) + 1 if runs else 1

    # --- the end ---

    def _end(self, error: BaseException | None) -> None:
        facts = self._tally.facts()
        asked = error is None or isinstance(error, self._stops)
        if facts.finished:
            status = RunStatus.FINISHED
        else:
            status = RunStatus.STOPPED if asked else RunStatus.FAILED
        run = msgspec.structs.replace(
            self._manifest.runs[-1],
            status=status,
            ended_us=self._clock(),
            last_line=facts.lines,
            error=None if asked else _one_line(error),
        )
        self._manifest = msgspec.structs.replace(
            self._manifest, runs=(*self._manifest.runs[:-1], run), log=facts
        )
        write_manifest(self._log.directory, self._manifest, files=self._files)


def _one_line(error: BaseException | None) -> str:
    text = str(error).strip().partition("\n")[0]
    name = type(error).__name__
    return text if isinstance(error, LogError) and text else f"{name}: {text}".removesuffix(": ")
