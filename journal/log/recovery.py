"""Opening a log that a crash may have left with a torn end.

The rule: at the first bad line of the last file, refuse when a later line parses with a `commit`
greater than the bad line's number (a later batch was begun, so this line had been durable) or when
the bad line lies below the published durable head; otherwise the rest is a torn batch that was
never acknowledged, and is moved aside. Nothing is ever skipped. Only the last day is read: the
first line of a day file carries all that is needed of the days before.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import orjson

from journal.log.chain import event_end, event_of, follow_chain, split_line
from journal.log.day_file import open_day_file
from journal.log.errors import TamperedError
from journal.log.files import FILES, Files
from journal.log.head import Head, read_head
from journal.log.index import split_lines
from journal.log.merkle import MerkleTree
from journal.log.reader import last_hash, parse_line, read_file
from journal.log.session import PACKED, day_files, day_name

if TYPE_CHECKING:
    from pathlib import Path

    from journal.log.reader import LogLine


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


@dataclass(frozen=True, slots=True)
class LogEnd:
    """Where a log ends: its last file, the bytes of it that hold, number and hash of its last
    line, and the tree over all lines.
    """

    path: Path
    offset: int
    line: int
    hash: bytes
    tree: MerkleTree


def recover(
    directory: Path, *, now_us: int, files: Files = FILES
) -> tuple[LogEnd | None, TornTail | None]:
    """Make the last file end with its last good line; return where the log ends (None: it is
    empty) and what was moved aside (None: nothing was).

    Raises TamperedError when what is wrong cannot be a torn batch.
    """
    torn = None
    paths = day_files(directory)
    if paths:
        head = read_head(directory)
        _refuse_missing_files(directory, paths, head)
        torn = _recovered_tail(paths[-1], head, now_us=now_us, files=files)
        if paths[-1].stat().st_size == 0:  # a day that was being opened when its writer died
            files.remove(paths.pop())
    return _end_of(paths[-1]) if paths else None, torn


def _recovered_tail(last: Path, head: Head | None, *, now_us: int, files: Files) -> TornTail | None:
    good_end, good_line, failure = scan(last)
    if head is not None and head.file == day_name(last) and good_end < head.offset:
        raise failure or TamperedError(
            path=last,
            line=good_line + 1,
            reason=f"file ends at byte {good_end}, below the durable head at byte {head.offset}",
            expected=head.hash,
        )
    if failure is None:
        return None
    if last.name.endswith(PACKED) or later_batch_follows(last, good_end, failure.line):
        raise failure
    return _move_aside(last, good_end, reason=failure.reason, now_us=now_us, files=files)


def scan(path: Path) -> tuple[int, int, TamperedError | None]:
    """Return (bytes and last line number of a file's unbroken chain, what breaks it)."""
    with open_day_file(path) as file:
        run = follow_chain(file)
    first = next(read_file(path), None) if run.lines else None
    last_line = first.line + run.lines - 1 if first is not None else 0
    if run.broken is None:
        return run.size, last_line, None
    return run.size, last_line, _what_breaks(path, run.size, run.broken, last_line + 1, run.hash)


def _what_breaks(
    path: Path, offset: int, raw: bytes, number: int, previous: bytes
) -> TamperedError:
    try:
        parse_line(path, offset=offset, raw=raw, number=number, previous=previous.hex())
    except TamperedError as error:
        return error
    raise AssertionError(f"{path} line {number} breaks the chain and parses")


def _refuse_missing_files(directory: Path, paths: list[Path], head: Head | None) -> None:
    if head is not None and head.file not in {day_name(path) for path in paths}:
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
    commits = (_commit_of(raw) for raw in split_lines(tail)[1:])
    return any(commit is not None and commit > bad_line for commit in commits)


def _commit_of(raw: bytes) -> int | None:
    try:
        event, _, _ = split_line(raw)
        commit = orjson.loads(event)["log"]["commit"]
    except (ValueError, KeyError, TypeError):
        return None
    return commit if isinstance(commit, int) else None


def _move_aside(path: Path, good_end: int, *, reason: str, now_us: int, files: Files) -> TornTail:
    with path.open("rb") as file:
        file.seek(good_end)
        tail = file.read()
    target = path.with_name(f"{path.name}.torn-{now_us}")
    files.replace(target, tail)
    descriptor = files.open_append(path)
    try:
        files.truncate(descriptor, good_end)
        files.sync(descriptor)
    finally:
        files.close(descriptor)
    return TornTail(
        file=path.name,
        moved_to=target.name,
        bytes=len(tail),
        sha256=sha256(tail).hexdigest(),
        reason=reason,
    )


def _end_of(path: Path) -> LogEnd:
    """Return where the log ends, its last file's chain being whole; the file before must be the one
    that it names.
    """
    first = next(read_file(path), None)
    if first is None:
        raise TamperedError(path=path, line=1, reason="empty file", expected="log.opened")
    tree, offset, raw = _tree_before(path, first), 0, b""
    with open_day_file(path) as file:
        for raw in file:
            tree.append(event_of(raw))
            offset += len(raw)
    end = event_end(raw)
    if end is None or end.line != tree.size:
        raise TamperedError(
            path=path,
            line=tree.size,
            reason=f"holds line number {end.line if end else 'none'}",
            expected=f"line number {tree.size}",
        )
    digest = bytes.fromhex(split_line(raw)[1])
    return LogEnd(path=path, offset=offset, line=end.line, hash=digest, tree=tree)


def _tree_before(path: Path, first: LogLine) -> MerkleTree:
    """Return the tree over the days before a file, from the peaks its first line carries."""
    named = first.body["data"].get("previous")
    earlier = [day_name(other) for other in day_files(path.parent) if other.name < path.name]
    if named is None and not earlier:
        return MerkleTree()
    try:
        tree = MerkleTree(named["line"], [bytes.fromhex(peak) for peak in named["peaks"]])
        file, digest, root = named["file"], named["hash"], named["root"]
    except (KeyError, TypeError, ValueError):
        raise TamperedError(
            path=path, line=first.line, reason="names no file before it", expected=first.hash
        ) from None
    found = last_hash(path.with_name(file)) if earlier[-1:] == [file] else None
    if found != digest or tree.root().hex() != root or tree.size != first.line - 1:
        raise TamperedError(
            path=path,
            line=first.line,
            reason=f"does not continue {file}",
            expected=digest,
            found=found or "no such line",
        )
    return tree
