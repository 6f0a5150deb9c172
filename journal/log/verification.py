"""Verifying a session's log: everything that can be said about each line, of all or a range."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from journal.log.chain import GENESIS
from journal.log.checker import LineChecker
from journal.log.day_file import day_size
from journal.log.errors import LogError, TamperedError
from journal.log.head import read_head
from journal.log.lookup import line_at
from journal.log.reader import (
    hash_before,
    head_position,
    position_of,
    read_file,
    read_file_after,
)
from journal.log.recovery import later_batch_follows, scan
from journal.log.session import PACKED, day_files, day_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from journal.log.head import Head
    from journal.log.reader import LogLine, Position

PROGRESS_LINES = 1000


@dataclass(slots=True)
class FileVerdict:
    """What was verified of one day file; `bytes` are those of the log, unpacked."""

    file: str
    lines: int
    bytes: int
    head: str
    packed: bool = False


@dataclass(slots=True)
class Verification:
    """What was verified; it exists only when every check passed.

    `first_line` and `line` are the first and last line seen, `lines` and `events` how many. `root`
    is that of the tree over all lines, empty when the range does not start with the first.
    """

    session: str = ""
    first_line: int = 1
    line: int = 0
    lines: int = 0
    events: int = 0
    root: str = ""
    head: str = ""
    unfinished: int = 0  # bytes after the durable head that are no whole batch yet
    torn: list[str] = field(default_factory=list)
    # What this version cannot take apart, with the number of such lines: a newer version may have
    # written them, and the chain holds.
    unknown: dict[str, int] = field(default_factory=dict)
    files: list[FileVerdict] = field(default_factory=list)


def verify_session(directory: Path) -> Verification:
    """Verify every line of a session: chain, canonical bytes, numbering, causes, links between
    files, durable head.

    Raises TamperedError naming file, line and expected hash at the first thing that does not hold.
    What a writer at work or a crash left unfinished after the durable head is no tampering; its
    size is in `unfinished`.
    """
    return verify_range(directory)


def verify_range(
    directory: Path,
    *,
    first_line: int | None = None,
    last_line: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Verification:
    """Verify the lines of a session from `first_line` to `last_line` (None: all) as
    `verify_session` does; the first must continue the line before it.

    `progress` gets (lines done, lines to do) every so often; what it raises ends the verification.
    Raises TamperedError, and LogError when there are no such lines.
    """
    head = read_head(directory)  # before the lines: a writer may be at work
    if not day_files(directory):
        raise LogError(f"{directory}: no log here, expected files named YYYY-MM-DD.jsonl")
    first = first_line or 1
    end = head.line if head is not None else 0
    if (first_line or last_line) and not 1 <= first <= (last_line or end) <= end:
        raise LogError(
            f"{directory}: lines {first} to {last_line or end}: expected a range within 1 to {end}"
        )
    work = _Work(directory, head, last_line, progress)
    work.start_at(first)
    work.run()
    return work.result()


class _Work:
    """One verification: where it is, and what it found so far."""

    def __init__(
        self,
        directory: Path,
        head: Head | None,
        last_line: int | None,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self._directory = directory
        self._head = head
        self._last_line = last_line
        self._progress = progress
        self._checker = LineChecker()
        self._start: Position | None = None
        self._found = Verification()

    def start_at(self, first_line: int) -> None:
        """Begin with a line; what must hold of it follows from the one before."""
        self._found.first_line = first_line
        if first_line == 1:
            return
        before = line_at(self._directory, first_line - 1)
        if before is None:
            raise LogError(f"{self._directory}: no line {first_line - 1} to start after")
        self._start = position_of(before)
        self._checker.start_after(before)

    def run(self) -> None:
        paths = day_files(self._directory)
        for path in paths:
            if self._start is not None and day_name(path) < self._start.file:
                continue
            verdict = FileVerdict(
                file=day_name(path),
                lines=0,
                bytes=0,
                head=GENESIS.hex(),
                packed=path.name.endswith(PACKED),
            )
            try:
                self._verify_file(path, verdict)
            except TamperedError as failure:
                end = self._end_of(verdict)
                if path != paths[-1] or not is_unfinished(path, end, self._head, failure):
                    raise
                self._found.unfinished = day_size(path) - end
            if verdict.lines:
                self._checker.finish_file(verdict.file, verdict.head)
                self._found.files.append(verdict)
            if self._checker.line == self._last_line:
                return
        check_head(self._directory, self._head)

    def _lines(self, path: Path) -> Iterator[LogLine]:
        if self._start is not None and day_name(path) == self._start.file:
            return read_file_after(path, self._start)
        return read_file(path, first_line=self._checker.line + 1)

    def _verify_file(self, path: Path, verdict: FileVerdict) -> None:
        """Check a file's lines; `verdict` counts those that hold, also when one does not."""
        for line in self._lines(path):
            self._checker.check(path, line, first=line.offset == 0)
            verdict.lines += 1
            verdict.bytes += line.length
            verdict.head = line.hash
            self._found.lines += 1
            self._found.events += line.body["seq"] is not None
            if self._found.lines % PROGRESS_LINES == 0:
                self._say()
            if line.line == self._last_line:
                return
        is_started_here = self._start is not None and day_name(path) == self._start.file
        if verdict.lines == 0 and not is_started_here:
            raise TamperedError(
                path=path, line=self._checker.line + 1, reason="empty file", expected="log.opened"
            )

    def _say(self) -> None:
        if self._progress is not None:
            end = self._head.line if self._head is not None else self._checker.line
            total = max(self._last_line or end, self._checker.line) - self._found.first_line + 1
            self._progress(self._found.lines, total)

    def _end_of(self, verdict: FileVerdict) -> int:
        """Return the byte of its file up to which lines hold."""
        started = self._start is not None and self._start.file == verdict.file
        return verdict.bytes + (self._start.offset if started and self._start else 0)

    def result(self) -> Verification:
        self._say()
        found, checker = self._found, self._checker
        found.session, found.line = checker.session or "", checker.line
        found.root = checker.tree.root().hex() if checker.tree is not None else ""
        found.head = found.files[-1].head if found.files else GENESIS.hex()
        found.unknown = checker.unknown
        found.torn = torn_pieces(self._directory)
        return found


def is_unfinished(path: Path, end: int, head: Head | None, failure: TamperedError) -> bool:
    """Tell whether what is wrong in the last file after byte `end` is a batch that was never
    acknowledged, as recovery would.
    """
    if head is None or (day_name(path), end) < (head.file, head.offset):
        return False
    if path.name.endswith(PACKED):  # nobody writes to it any more
        return False
    good_end, _, _ = scan(path)
    chain_broke_here = good_end == end
    return chain_broke_here and not later_batch_follows(path, good_end, failure.line)


def check_head(directory: Path, head: Head | None) -> None:
    """Refuse a published head that is not the hash of the line it names."""
    if head is None:
        return
    found = hash_before(directory, head_position(head))
    if found != head.hash:
        raise TamperedError(
            path=directory / head.file,
            line=head.line,
            reason="the published head is not the hash of the line it names",
            expected=head.hash,
            found=found or "no line that ends there",
        )


def torn_pieces(directory: Path) -> list[str]:
    """Return the names of what recoveries moved aside."""
    return sorted(entry.name for entry in directory.glob("*.torn-*"))
