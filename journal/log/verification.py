"""Verifying a session's log:

The chain by slices of bytes, or everything that can be said about each line.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from journal.events import BOOKKEEPING_KINDS, KINDS
from journal.log.canonical import canonical_bytes
from journal.log.chain import GENESIS
from journal.log.errors import LogError, TamperedError
from journal.log.head import read_head
from journal.log.merkle import MerkleTree
from journal.log.reader import LogLine, read_file
from journal.log.session import day_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(slots=True)
class FileVerdict:
    """What was verified of one day file."""

    file: str
    lines: int
    bytes: int
    head: str


@dataclass(slots=True)
class Verification:
    """What was verified of a session; it exists only when every check passed."""

    session: str = ""
    lines: int = 0
    events: int = 0
    root: str = ""
    head: str = ""
    torn: list[str] = field(default_factory=list)
    files: list[FileVerdict] = field(default_factory=list)


def verify_session(directory: Path) -> Verification:
    """Verify every line of a session: chain, canonical bytes, numbering, kinds, causes, links
    between files, durable head.

    Raises TamperedError naming file, line and expected hash at the first thing that does not hold.
    """
    paths = day_files(directory)
    if not paths:
        raise LogError(f"{directory}: no log here, expected files named YYYY-MM-DD.jsonl")
    checker = _Checker()
    result = Verification()
    for path in paths:
        verdict = FileVerdict(file=path.name, lines=0, bytes=0, head=GENESIS.hex())
        for line in read_file(path, first_line=checker.line + 1):
            checker.check(path, line, first=verdict.lines == 0)
            verdict.lines += 1
            verdict.bytes += line.length
            verdict.head = line.hash
        if verdict.lines == 0:
            raise TamperedError(
                path=path, line=checker.line + 1, reason="empty file", expected="log.opened"
            )
        checker.finish_file(verdict)
        result.files.append(verdict)
    _check_head(directory, result.files, checker.line)
    result.session = checker.session or ""
    result.lines, result.events = checker.line, checker.seq
    result.root, result.head = checker.tree.root().hex(), result.files[-1].head
    result.torn = sorted(entry.name for entry in directory.glob("*.torn-*"))
    return result


def _check_head(directory: Path, files: list[FileVerdict], line: int) -> None:
    head = read_head(directory)
    if head is None:
        return
    last = files[-1]
    path = directory / last.file
    if head.file > last.file or (head.file == last.file and head.offset > last.bytes):
        raise TamperedError(
            path=directory / head.file,
            line=line + 1,
            reason=f"log ends before its durable head (line {head.line})",
            expected=head.hash,
        )
    if head.file == last.file and head.offset == last.bytes and head.hash != last.head:
        raise TamperedError(
            path=path,
            line=line,
            reason="published head differs",
            expected=head.hash,
            found=last.head,
        )


class _Checker:
    """What must hold from line to line across a session."""

    def __init__(self) -> None:
        self.line = 0
        self.seq = 0
        self.ts = 0
        self.commit = 0
        self.session: str | None = None
        self.tree = MerkleTree()
        self._previous_file: dict[str, Any] | None = None

    def check(self, path: Path, line: LogLine, *, first: bool) -> None:
        for problem in self._problems(line, first=first):
            raise TamperedError(path=path, line=line.line, reason=problem, expected=line.hash)
        self.tree.append(line.event)
        self.line, self.commit = line.line, line.commit
        self.session = line.body["session"]
        if line.body["seq"] is not None:
            self.seq, self.ts = line.body["seq"], line.body["ts"]

    def _problems(self, line: LogLine, *, first: bool) -> Iterator[str]:
        if canonical_bytes(line.parsed) != line.event:
            yield "bytes are not RFC 8785 canonical"
        if set(line.parsed) != {"body", "log"} or set(line.parsed["log"]) != {
            "commit",
            "line",
            "rec",
        }:
            yield "an event has exactly body and log {commit, line, rec}"
        if line.commit not in (self.commit, line.line):
            yield f"commit {line.commit} is neither this line nor the running batch {self.commit}"
        yield from self._body_problems(line.body)
        yield from self._opening_problems(line.body, first=first)

    def _body_problems(self, body: dict[str, Any]) -> Iterator[str]:
        if set(body) != {"cause", "data", "key", "kind", "seq", "session", "ts", "v"}:
            yield f"body has the fields {', '.join(sorted(body))}"
            return
        if self.session is not None and body["session"] != self.session:
            yield f"belongs to session {body['session']}, not {self.session}"
        if body["kind"] not in KINDS:
            yield f"unknown kind {body['kind']}"
        if body["kind"] in BOOKKEEPING_KINDS:
            if body["seq"] is not None:
                yield "a bookkeeping record has no seq"
            return
        if body["seq"] != self.seq + 1:
            yield f"seq {body['seq']} does not follow {self.seq}"
        if body["ts"] < self.ts:
            yield f"ts {body['ts']} goes back from {self.ts}"
        if any(not 0 < cause < self.seq + 1 for cause in body["cause"]):
            yield f"causes {body['cause']} are not all earlier events"

    def _opening_problems(self, body: dict[str, Any], *, first: bool) -> Iterator[str]:
        if first != (body["kind"] == "log.opened"):
            yield "log.opened is the first line of a file and only there"
        elif first and body["data"]["previous"] != self._previous_file:
            yield f"names previous file {body['data']['previous']}, found {self._previous_file}"

    def finish_file(self, verdict: FileVerdict) -> None:
        self._previous_file = {
            "file": verdict.file,
            "hash": verdict.head,
            "line": self.line,
            "root": self.tree.root().hex(),
        }
