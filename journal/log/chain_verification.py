"""Verifying the chain of a session alone, by slices of bytes, several days at a time."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING

from journal.log.chain import GENESIS, event_end, split_line
from journal.log.checker import LineChecker
from journal.log.day_file import day_size
from journal.log.errors import LogError, TamperedError
from journal.log.head import read_head
from journal.log.index import lines_backwards
from journal.log.reader import read_file
from journal.log.recovery import scan
from journal.log.session import PACKED, day_files, day_name
from journal.log.verification import (
    FileVerdict,
    Verification,
    check_head,
    is_unfinished,
    torn_pieces,
)

if TYPE_CHECKING:
    from pathlib import Path

    from journal.log.head import Head
    from journal.log.reader import LogLine


@dataclass(frozen=True, slots=True)
class _FileChain:
    """What following the chain of one day file came to."""

    path: Path
    verdict: FileVerdict
    first: LogLine | None
    last_line: int
    failure: TamperedError | None


def verify_chain(directory: Path, *, workers: int = 1) -> Verification:
    """Verify the chain of every day file by slicing and hashing, and that each names the one
    before; nothing is parsed but the first and the last line of each.

    Day files stand alone, so `workers` processes take one each. Raises TamperedError as
    `verify_session` does.
    """
    head, paths = read_head(directory), day_files(directory)
    if not paths:
        raise LogError(f"{directory}: no log here, expected files named YYYY-MM-DD.jsonl")
    if workers > 1 and len(paths) > 1:
        with ProcessPoolExecutor(workers, mp_context=get_context("fork")) as pool:
            chains = list(pool.map(_follow, paths))
    else:
        chains = [_follow(path) for path in paths]
    return _linked(directory, head, chains)


def _linked(directory: Path, head: Head | None, chains: list[_FileChain]) -> Verification:
    """Put together what following each file's chain came to; each must name the one before."""
    found, checker = Verification(head=GENESIS.hex()), LineChecker()
    checker.tree = None
    for chain in chains:
        if chain.failure is not None:
            end = chain.verdict.bytes
            if chain is not chains[-1] or not is_unfinished(chain.path, end, head, chain.failure):
                raise chain.failure
            found.unfinished = day_size(chain.path) - end
        if chain.first is not None:
            checker.check_opening(chain.path, chain.first)
            checker.line = chain.last_line
            checker.finish_file(chain.verdict.file, chain.verdict.head)
            found.files.append(chain.verdict)
            found.lines += chain.verdict.lines
            found.head = chain.verdict.head
    check_head(directory, head)
    found.session, found.line = checker.session or "", checker.line
    found.torn = torn_pieces(directory)
    return found


def _follow(path: Path) -> _FileChain:
    size, last_line, failure = scan(path)
    verdict = FileVerdict(day_name(path), 0, size, GENESIS.hex(), path.name.endswith(PACKED))
    if size == 0:
        empty = TamperedError(path=path, line=1, reason="empty file", expected="log.opened")
        return _FileChain(path, verdict, None, 0, failure or empty)
    first = next(read_file(path))
    verdict.lines = last_line - first.line + 1
    raw = next(lines_backwards(path, size))
    end = event_end(raw)
    verdict.head = split_line(raw)[1]
    if failure is None and (end is None or end.line != last_line):
        failure = TamperedError(
            path=path,
            line=last_line,
            reason=f"holds line number {end.line if end else 'none'}",
            expected=f"line number {last_line}",
        )
    return _FileChain(path, verdict, first, last_line, failure)
