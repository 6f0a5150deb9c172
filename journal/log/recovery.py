"""Opening a log that a crash may have left with a torn end.

The rule: at the first bad line of the last file, refuse when a later line parses with a `commit`
greater than the bad line's number (a later batch was begun, so this line had been durable) or when
the bad line lies below the published durable head; otherwise the rest is a torn batch that was
never acknowledged, and is moved aside. Nothing is ever skipped.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import orjson

from journal.log.chain import split_line
from journal.log.errors import TamperedError
from journal.log.head import Head, read_head
from journal.log.reader import read_file
from journal.log.session import day_files, sync_directory

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class TornTail:
    """What was moved out of a log:

    The file it was in, where it is now, its size, digest and why.
    """

    file: str
    moved_to: str
    bytes: int
    sha256: str
    reason: str


def recover(directory: Path, *, now_us: int) -> TornTail | None:
    """Make the last file end with its last good line; return what was moved aside, None when
    nothing was.

    Raises TamperedError when what is wrong cannot be a torn batch.
    """
    files = day_files(directory)
    if not files:
        return None
    head = read_head(directory)
    _refuse_missing_files(directory, files, head)
    last = files[-1]
    good_end, good_line, failure = scan(last)
    if head is not None and head.file == last.name and good_end < head.offset:
        raise failure or TamperedError(
            path=last,
            line=good_line + 1,
            reason=f"file ends at byte {good_end}, below the durable head at byte {head.offset}",
            expected=head.hash,
        )
    if failure is None:
        return None
    if later_batch_follows(last, good_end, failure.line):
        raise failure
    return _move_aside(last, good_end, reason=failure.reason, now_us=now_us)


def scan(path: Path) -> tuple[int, int, TamperedError | None]:
    """Return (bytes and last line number of a file's unbroken chain, what breaks it)."""
    end, number = 0, 0
    try:
        for line in read_file(path):
            end, number = line.offset + line.length, line.line
    except TamperedError as error:
        return end, number, error
    return end, number, None


def _refuse_missing_files(directory: Path, files: list[Path], head: Head | None) -> None:
    if head is not None and head.file not in {path.name for path in files}:
        raise TamperedError(
            path=directory / head.file,
            line=head.line,
            reason="the durable head lies in a file that is gone",
            expected=head.hash,
        )


def later_batch_follows(path: Path, good_end: int, bad_line: int) -> bool:
    """Tell whether a line after the first bad one belongs to a batch begun after it."""
    with path.open("rb") as file:
        file.seek(good_end)
        tail = file.read()
    commits = (_commit_of(raw) for raw in tail.splitlines(keepends=True)[1:])
    return any(commit is not None and commit > bad_line for commit in commits)


def _commit_of(raw: bytes) -> int | None:
    try:
        event, _, _ = split_line(raw)
        commit = orjson.loads(event)["log"]["commit"]
    except (ValueError, KeyError, TypeError):
        return None
    return commit if isinstance(commit, int) else None


def _move_aside(path: Path, good_end: int, *, reason: str, now_us: int) -> TornTail:
    with path.open("rb") as file:
        file.seek(good_end)
        tail = file.read()
    target = path.with_name(f"{path.name}.torn-{now_us}")
    with target.open("xb") as file:
        file.write(tail)
        file.flush()
        os.fsync(file.fileno())
    sync_directory(path.parent)
    with path.open("r+b") as file:
        file.truncate(good_end)
        file.flush()
        os.fsync(file.fileno())
    return TornTail(
        file=path.name,
        moved_to=target.name,
        bytes=len(tail),
        sha256=sha256(tail).hexdigest(),
        reason=reason,
    )
