"""Keeping the portfolio's file at the last durable snapshot while a session runs.

A thread of its own replaces the file: no order waits for it. When snapshots come faster than the
disk takes them, the newest is written and those between are not. What fails here costs nothing but
the file: the log has all of it, and the next start makes the file again.
"""

from __future__ import annotations

from threading import Condition, Thread
from typing import TYPE_CHECKING, Self

from journal.log.errors import LogError
from journal.log.files import FILES, Files
from journal.log.portfolio_check import Standing, check_portfolio
from journal.log.portfolio_file import (
    PORTFOLIO_FILE,
    SNAPSHOT,
    logged_portfolio,
    write_portfolio,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from journal.log.writer import EncodedEvent, LogWriter


class PortfolioKeeper:
    """The file of the session whose log `log` writes.

    `clock` returns wall-clock µs UTC, `report` takes a line for people. Use it as a context inside
    the writer's and around all that commits: leaving it brings the file up to the durable end.
    """

    def __init__(
        self,
        log: LogWriter,
        *,
        clock: Callable[[], int],
        report: Callable[[str], None],
        files: Files = FILES,
    ) -> None:
        self._log = log
        self._clock = clock
        self._report = report
        self._files = files
        self._due_line: int | None = None  # the log's end with a snapshot that is not yet durable
        self._written_seq = 0
        self._failing = False
        self._wanted = self._closing = False
        self._changed = Condition()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Bring the file to where the log is, whatever a kill or a stranger left, and keep it."""
        try:
            self._repair()
        except (LogError, OSError) as error:
            self._report(f"the portfolio is not beside its log: {error}")
        self._thread = Thread(target=self._run, name="portfolio-keeper", daemon=True)
        self._thread.start()

    def committed(self, events: Sequence[EncodedEvent]) -> None:
        """Take notice of a commit, on the thread that made it: a snapshot is written once it is
        durable.
        """
        if any(event.kind == SNAPSHOT for event, _ in events):
            self._due_line = self._log.line
        if self._due_line is not None and self._due_line <= self._log.durable_line:
            self._due_line = None
            with self._changed:
                self._wanted = True
                self._changed.notify_all()

    # --- at the start ---

    def _repair(self) -> None:
        directory = self._log.directory
        for draft in directory.glob(f".{PORTFOLIO_FILE}.*"):  # of writers that were killed
            draft.unlink(missing_ok=True)
        check = check_portfolio(directory)
        if check.standing is Standing.OTHER:
            self._set_aside()
        if check.logged is not None and check.standing is not Standing.IDENTICAL:
            write_portfolio(directory, check.logged, files=self._files)
        if check.logged is not None:
            self._written_seq = check.logged.seq
        if not check.standing.holds:
            self._report(f"portfolio made anew from the log: {check.says}")

    def _set_aside(self) -> None:
        """Keep what is not of this log: where a log was lost it is all there is."""
        path = self._log.directory / PORTFOLIO_FILE
        self._files.rename(path, path.with_name(f"{path.name}.aside-{self._clock()}"))
        self._files.sync_directory(path.parent)

    # --- on its thread ---

    def _run(self) -> None:
        while self._is_wanted():
            self._write()

    def _is_wanted(self) -> bool:
        """Wait until there is something to write; False when there will be no more."""
        with self._changed:
            while not (self._wanted or self._closing):
                self._changed.wait()
            self._wanted = False
            return not self._closing

    def _write(self) -> None:
        """Write the last durable snapshot unless it is there; a failure is told once."""
        try:
            portfolio = logged_portfolio(self._log.directory)
            if portfolio is not None and portfolio.seq > self._written_seq:
                write_portfolio(self._log.directory, portfolio, files=self._files)
                self._written_seq = portfolio.seq
            self._failing = False
        except (LogError, OSError) as error:
            if not self._failing:
                self._report(f"the portfolio is not beside its log: {error}")
            self._failing = True

    # --- its life ---

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, and write the last that became durable; nothing when it never started."""
        if self._thread is None:
            return
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        self._write()
