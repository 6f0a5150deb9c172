"""Verifying a session's log:

The chain by slices of bytes, or everything that can be said about each line.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from journal.events import BOOKKEEPING_KINDS
from journal.log.canonical import recanonical_bytes
from journal.log.chain import GENESIS
from journal.log.errors import CanonicalError, LogError, TamperedError
from journal.log.head import read_head
from journal.log.merkle import MerkleTree
from journal.log.reader import LogLine, hash_before, head_position, read_file
from journal.log.recovery import later_batch_follows, scan
from journal.log.session import day_files
from journal.payloads import unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from journal.log.head import Head

NOTED = 100  # different things that are not known; what comes after them is counted together


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
    unfinished: int = 0  # bytes after the durable head that are no whole batch yet
    torn: list[str] = field(default_factory=list)
    files: list[FileVerdict] = field(default_factory=list)
    # What this version cannot take apart, with the number of such lines: a newer version may have
    # written them, and the chain holds.
    unknown: dict[str, int] = field(default_factory=dict)


def verify_session(directory: Path) -> Verification:
    """Verify every line of a session: chain, canonical bytes, numbering, causes, links between
    files, durable head.

    Raises TamperedError naming file, line and expected hash at the first thing that does not hold.
    What a writer at work or a crash left unfinished after the durable head is no tampering; its
    size is in `unfinished`.
    """
    head = read_head(directory)  # before the lines: a writer may be at work
    files = day_files(directory)
    if not files:
        raise LogError(f"{directory}: no log here, expected files named YYYY-MM-DD.jsonl")
    checker = _Checker()
    result = Verification()
    for path in files:
        verdict = FileVerdict(file=path.name, lines=0, bytes=0, head=GENESIS.hex())
        try:
            _verify_file(path, checker, verdict)
        except TamperedError as failure:
            if path != files[-1] or not _is_unfinished(path, verdict, head, failure):
                raise
            result.unfinished = path.stat().st_size - verdict.bytes
        if verdict.lines:
            checker.finish_file(verdict)
            result.files.append(verdict)
    _check_head(directory, head)
    result.session = checker.session or ""
    result.lines, result.events = checker.line, checker.seq
    result.unknown = checker.unknown
    result.root = checker.tree.root().hex()
    result.head = result.files[-1].head if result.files else GENESIS.hex()
    result.torn = sorted(entry.name for entry in directory.glob("*.torn-*"))
    return result


def _verify_file(path: Path, checker: _Checker, verdict: FileVerdict) -> None:
    """Check a file's lines; `verdict` counts those that hold, also when one does not."""
    for line in read_file(path, first_line=checker.line + 1):
        checker.check(path, line, first=verdict.lines == 0)
        verdict.lines += 1
        verdict.bytes += line.length
        verdict.head = line.hash
    if verdict.lines == 0:
        raise TamperedError(
            path=path, line=checker.line + 1, reason="empty file", expected="log.opened"
        )


def _is_unfinished(
    path: Path, verdict: FileVerdict, head: Head | None, failure: TamperedError
) -> bool:
    """Tell whether what is wrong is a batch that was never acknowledged, as recovery would."""
    if head is None or (path.name, verdict.bytes) < (head.file, head.offset):
        return False
    good_end, _, _ = scan(path)
    chain_broke_here = good_end == verdict.bytes
    return chain_broke_here and not later_batch_follows(path, good_end, failure.line)


def _check_head(directory: Path, head: Head | None) -> None:
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


class _Checker:
    """What must hold from line to line across a session."""

    def __init__(self) -> None:
        self.line = 0
        self.seq = 0
        self.ts = 0
        self.commit = 0
        self.session: str | None = None
        self.number: object = None
        self.tree = MerkleTree()
        self.unknown: dict[str, int] = {}
        self._previous_file: dict[str, Any] | None = None

    def check(self, path: Path, line: LogLine, *, first: bool) -> None:
        for problem in self._problems(path, line, first=first):
            raise TamperedError(path=path, line=line.line, reason=problem, expected=line.hash)
        self.tree.append(line.event)
        self._note(unreadable(line.to_event()))
        self.line, self.commit = line.line, line.commit
        self.session = line.body["session"]
        if first:
            self.number = line.body["data"].get("number")
        if line.body["seq"] is not None:
            self.seq, self.ts = line.body["seq"], line.body["ts"]

    def _note(self, unknown: str | None) -> None:
        if unknown is None:
            return
        if unknown not in self.unknown and len(self.unknown) >= NOTED:
            unknown = "others"
        self.unknown[unknown] = self.unknown.get(unknown, 0) + 1

    def _problems(self, path: Path, line: LogLine, *, first: bool) -> Iterator[str]:
        try:
            if recanonical_bytes(line.parsed) != line.event:
                yield "bytes are not RFC 8785 canonical"
        except CanonicalError as error:
            yield str(error)
        if line.commit not in (self.commit, line.line):
            yield f"commit {line.commit} is neither this line nor the running batch {self.commit}"
        yield from self._body_problems(line.body)
        yield from self._opening_problems(path, line.body, first=first)

    def _body_problems(self, body: dict[str, Any]) -> Iterator[str]:
        if self.session is not None and body["session"] != self.session:
            yield f"belongs to session {body['session']}, not {self.session}"
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

    def _opening_problems(self, path: Path, body: dict[str, Any], *, first: bool) -> Iterator[str]:
        data = body["data"]
        if first != (body["kind"] == "log.opened"):
            yield "log.opened is the first line of a file and only there"
        elif first and data.get("previous") != self._previous_file:
            yield f"names previous file {data.get('previous')}, found {self._previous_file}"
        elif first and data.get("date") != path.stem:
            yield f"opens the day {data.get('date')}"
        elif first and self.number not in (None, data.get("number")):
            yield f"is session number {data.get('number')}, not {self.number}"

    def finish_file(self, verdict: FileVerdict) -> None:
        self._previous_file = {
            "file": verdict.file,
            "hash": verdict.head,
            "line": self.line,
            "root": self.tree.root().hex(),
        }
