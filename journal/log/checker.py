"""What must hold from line to line across a session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from journal.events import BOOKKEEPING_KINDS, KINDS
from journal.log.canonical import recanonical_bytes
from journal.log.errors import CanonicalError, TamperedError
from journal.log.merkle import MerkleTree
from journal.log.session import day_date

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from journal.log.reader import LogLine


class LineChecker:
    """Takes the lines of a session in order and refuses the first that does not fit."""

    def __init__(self) -> None:
        self.line = 0
        self.seq: int | None = 0  # None until a range that starts later has seen its first
        self.ts = 0
        self.commit = 0
        self.session: str | None = None
        self.number: object = None
        self.tree: MerkleTree | None = MerkleTree()
        self._previous_file: dict[str, Any] | None = None

    def start_after(self, line: LogLine) -> None:
        """Take a line for granted; the tree over all before it is then not known."""
        self.line, self.commit, self.session = line.line, line.commit, line.body["session"]
        self.seq, self.tree = line.body["seq"], None
        self.ts = line.body["ts"] if self.seq is not None else 0
        self._previous_file = {"file": line.file, "hash": line.hash, "line": line.line}

    def check(self, path: Path, line: LogLine, *, first: bool) -> None:
        """Check a line whose chain holds; TamperedError says what does not."""
        for problem in self._problems(path, line, first=first):
            raise TamperedError(path=path, line=line.line, reason=problem, expected=line.hash)
        if self.tree is not None:
            self.tree.append(line.event)
        self.line, self.commit = line.line, line.commit
        self.session = line.body["session"]
        if first:
            self.number = line.body["data"].get("number")
        if line.body["seq"] is not None:
            self.seq, self.ts = line.body["seq"], line.body["ts"]

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
        if body["kind"] not in KINDS:
            yield f"unknown kind {body['kind']}"
        if body["kind"] in BOOKKEEPING_KINDS:
            if body["seq"] is not None:
                yield "a bookkeeping record has no seq"
            return
        if body["seq"] is None or (self.seq is not None and body["seq"] != self.seq + 1):
            yield f"seq {body['seq']} does not follow {self.seq}"
        elif any(not 0 < cause < body["seq"] for cause in body["cause"]):
            yield f"causes {body['cause']} are not all earlier events"
        if body["ts"] < self.ts:
            yield f"ts {body['ts']} goes back from {self.ts}"

    def _opening_problems(self, path: Path, body: dict[str, Any], *, first: bool) -> Iterator[str]:
        data = body["data"]
        if first != (body["kind"] == "log.opened"):
            yield "log.opened is the first line of a file and only there"
        elif first and not self._is_previous(data.get("previous")):
            yield f"names previous file {data.get('previous')}, found {self._previous_file}"
        elif first and data.get("date") != day_date(path):
            yield f"opens the day {data.get('date')}"
        elif first and self.number not in (None, data.get("number")):
            yield f"is session number {data.get('number')}, not {self.number}"

    def check_opening(self, path: Path, line: LogLine) -> None:
        """Check a file's first line alone: its number, what it opens and the file it names."""
        problems = self._opening_problems(path, line.body, first=True)
        wanted = self.line + 1
        if line.line != wanted:
            problems = iter([f"holds line number {line.line}, not {wanted}"])
        for problem in problems:
            raise TamperedError(path=path, line=line.line, reason=problem, expected=line.hash)
        self.session, self.number = line.body["session"], line.body["data"].get("number")

    def _is_previous(self, named: object) -> bool:
        """Tell whether a file names the one before it; without a tree its root is not compared."""
        before = self._previous_file
        if before is None or self.tree is not None or not isinstance(named, dict):
            return named == before
        return {name: named.get(name) for name in before} == before

    def finish_file(self, name: str, head: str) -> None:
        """Take note of a file's name and last hash: the next file must name them."""
        before: dict[str, Any] = {"file": name, "hash": head, "line": self.line}
        if self.tree is not None:
            peaks = [peak.hex() for peak in self.tree.peaks]
            before |= {"peaks": peaks, "root": self.tree.root().hex()}
        self._previous_file = before
