"""The parts of the log that the journal's pages stand on until the log itself has them."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

from journal.log.errors import LogError
from journal.log.head import read_head
from journal.log.reader import LogLine, read_after, read_file
from journal.log.session import day_files
from journal.log.verification import Verification, verify_session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PROGRESS_LINES = 200


def day_name(path: Path) -> str:
    return path.name.removesuffix(".gz")


def open_day_file(path: Path) -> IO[bytes]:
    return path.open("rb")


def line_at(directory: Path, line_number: int) -> LogLine | None:
    for line in read_after(directory, None):
        if line.line == line_number:
            return line
    return None


def verify_range(
    directory: Path,
    *,
    first_line: int | None = None,
    last_line: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    stopping: Callable[[], bool] | None = None,
) -> Verification:
    files = day_files(directory)
    if not files:
        raise LogError(f"{directory}: no log here, expected files named YYYY-MM-DD.jsonl")
    head = read_head(directory)
    last = last_line or (head.line if head else 0)
    first = first_line or 1
    total = last - first + 1
    result = Verification(session=directory.name)
    number = 0
    for path in files:
        for line in read_file(path, first_line=number + 1):
            number = line.line
            if not first <= number <= last:
                continue
            result.lines += 1
            result.events += line.body["seq"] is not None
            result.head = line.hash
            if progress is not None and result.lines % PROGRESS_LINES == 0:
                progress(result.lines, total)
            if stopping is not None and stopping():
                return result
    if first_line is None and last_line is None:
        return verify_session(directory)
    return result
