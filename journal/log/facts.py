"""What a log says of itself: its files with their heads, where its frames came from, its root."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from journal.events import BOOKKEEPING_KINDS
from journal.log.errors import LogError
from journal.log.merkle import MerkleTree
from journal.log.reader import Position, hash_before, position_of, read_after
from journal.log.session import PACKED

if TYPE_CHECKING:
    from pathlib import Path

    from journal.log.reader import LogLine


class FactsError(LogError):
    """What was counted of a log is not what the log is; one line that says where."""


class FileFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A day file: its lines, their bytes before packing, the hash of the last of them, and whether
    it was packed when this was written.
    """

    file: str
    lines: int
    bytes: int
    head: str
    packed: bool


class SourceFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A source of market frames by its digest, with the number of frames that came from it. Seed,
    generator version and mode are null for recorded data.
    """

    digest: str
    name: str
    synthetic: bool
    seed: int | None
    generator_version: int | None
    mode: str | None
    frames: int


class LogFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A session's log up to one of its lines. `session` and `head` are empty and `number` null
    while it has no line. `peaks` are those of the tree of `root`; `recovered` counts the lines at
    the end that say only what a writer recovered, `last_us` is when the line before them was
    written (wall clock µs UTC).
    """

    session: str = ""
    number: int | None = None
    configuration_digest: str | None = None
    code_versions: tuple[str, ...] = ()
    sources: tuple[SourceFacts, ...] = ()
    files: tuple[FileFacts, ...] = ()
    lines: int = 0
    events: int = 0
    head: str = ""
    root: str = MerkleTree().root().hex()
    peaks: tuple[str, ...] = ()
    recovered: int = 0
    last_us: int = 0
    finished: bool = False


class LogTally:
    """Counts a session's durable lines as they are read, each checked against the chain; the memory
    it needs does not grow with them.
    """

    def __init__(self, directory: Path, facts: LogFacts | None = None) -> None:
        """Begin before the first line, or go on after the lines that `facts` tell of.

        Raises FactsError when the log has no such line there, or the facts are not one log's.
        """
        self._directory = directory
        facts = facts or LogFacts()
        self._position = _position_after(directory, facts)
        self._tree = _tree_of(facts)
        self._session = facts.session
        self._number = facts.number
        self._configuration_digest = facts.configuration_digest
        self._code_versions = list(facts.code_versions)
        self._sources = {source.digest: source for source in facts.sources}
        self._files = {file.file: file for file in facts.files}
        self._events = facts.events
        self._finished = facts.finished
        self.lines = facts.lines
        self.recovered = facts.recovered
        self.last_us = facts.last_us

    @property
    def written(self) -> int:
        """The last line that is more than what a writer adds when it recovers a torn end."""
        return self.lines - self.recovered

    def read_on(self, to_line: int | None = None) -> None:
        """Take the lines that became durable since, up to `to_line` when it is given.

        Raises TamperedError where they contradict the chain.
        """
        wanted = None if to_line is None else to_line - self.lines
        if wanted is not None and wanted <= 0:
            return
        for line in read_after(self._directory, self._position, max_lines=wanted):
            self._take(line)

    def facts(self) -> LogFacts:
        """Return what was counted so far."""
        files = tuple(
            msgspec.structs.replace(file, packed=is_packed(self._directory, file.file))
            for file in self._files.values()
        )
        return LogFacts(
            session=self._session,
            number=self._number,
            configuration_digest=self._configuration_digest,
            code_versions=tuple(self._code_versions),
            sources=tuple(sorted(self._sources.values(), key=lambda source: source.digest)),
            files=files,
            lines=self.lines,
            events=self._events,
            head=files[-1].head if files else "",
            root=self._tree.root().hex(),
            peaks=tuple(peak.hex() for peak in self._tree.peaks),
            recovered=self.recovered,
            last_us=self.last_us,
            finished=self._finished,
        )

    def _take(self, line: LogLine) -> None:
        self._position = position_of(line)
        self._tree.append(line.event)
        self.lines = line.line
        body = line.body
        self._session = body["session"]
        self._count_in_file(line)
        if body["kind"] == "log.recovered":
            self.recovered += 1
        else:
            self.recovered, self.last_us = 0, line.rec
        if body["kind"] == "log.opened":
            self._number = _integer(body["data"].get("number"))
        if body["kind"] not in BOOKKEEPING_KINDS:
            self._events += 1
            self._take_event(body["kind"], body["data"])

    def _count_in_file(self, line: LogLine) -> None:
        name = line.file
        before = self._files.get(name)
        self._files[name] = FileFacts(
            file=name,
            lines=(before.lines if before else 0) + 1,
            bytes=(before.bytes if before else 0) + line.length,
            head=line.hash,
            packed=False,
        )

    def _take_event(self, kind: str, data: dict[str, Any]) -> None:
        self._finished = kind == "session.closed"
        if kind == "market.frame":
            self._count_frame(data.get("source"))
        if kind == "session.opened":
            self._configuration_digest = _text(data.get("configuration_digest"))
        if kind in {"session.opened", "day.opened"}:
            version = _text(data.get("code_version"))
            if version is not None and version not in self._code_versions:
                self._code_versions.append(version)

    def _count_frame(self, source: Any) -> None:
        if not isinstance(source, dict) or not isinstance(source.get("digest"), str):
            return
        known = self._sources.get(source["digest"])
        self._sources[source["digest"]] = SourceFacts(
            digest=source["digest"],
            name=str(source.get("name")),
            synthetic=source.get("synthetic") is True,
            seed=_integer(source.get("seed")),
            generator_version=_integer(source.get("generator_version")),
            mode=_text(source.get("mode")),
            frames=(known.frames if known else 0) + 1,
        )


def facts_of_log(directory: Path) -> LogFacts:
    """Return the facts of a session's whole durable log; raises TamperedError where it contradicts
    its chain.
    """
    tally = LogTally(directory)
    tally.read_on()
    return tally.facts()


def is_packed(directory: Path, file: str) -> bool:
    """Whether a day file lies there compressed alone."""
    return not (directory / file).exists() and (directory / f"{file}{PACKED}").exists()


def _position_after(directory: Path, facts: LogFacts) -> Position | None:
    """Return where the log stands after the lines that facts tell of.

    The hash there says that all lines before are those that were counted: it follows from each of
    them.
    """
    if not facts.files:
        return None
    last = facts.files[-1]
    position = Position(file=last.file, offset=last.bytes, line=facts.lines, hash=facts.head)
    found = hash_before(directory, position)
    if found != facts.head:
        there = found or "has no line that ends there"
        raise FactsError(f"head: the manifest says {facts.head}, the log {there}")
    return position


def _tree_of(facts: LogFacts) -> MerkleTree:
    try:
        tree = MerkleTree(facts.lines, [bytes.fromhex(peak) for peak in facts.peaks])
    except ValueError as error:
        raise FactsError(f"peaks: {error}") from None
    if tree.root().hex() != facts.root:
        raise FactsError(f"root: the manifest says {facts.root}, its peaks {tree.root().hex()}")
    return tree


def _integer(value: Any) -> int | None:
    return value if type(value) is int else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
