"""What there is to replay: a session's day files, read once with the chain checked, up to a fixed
end.

The end is pinned so that every way of a replay, also one started again later, has the same record
before it while the session's writer goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from journal.events import BOOKKEEPING_KINDS, INPUT_KINDS
from journal.log.errors import LogError, TamperedError
from journal.log.head import Head, read_head
from journal.log.reader import LogLine, read_file
from journal.log.session import day_date, day_files, day_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

BEAT_LINES = 2000  # lines between two signs of life
_BODY, _LOG = b'{"body":', b',"log":{'


class ReplayError(LogError):
    """A replay cannot be done as asked; one line that says why."""


@dataclass(slots=True)
class DayRecording:
    """A day file up to where it is replayed: `first_line` and `last_line` are numbers across the
    session, `end` the byte offset after the last line, `hash` that line's.
    """

    path: Path
    first_line: int
    last_line: int = 0
    end: int = 0
    hash: str = ""
    events: int = 0
    derived: int = 0
    previous: dict[str, Any] | None = None  # what its log.opened says of the file before

    @property
    def date(self) -> str:
        """The IST date of the file."""
        return day_date(self.path)


@dataclass(slots=True)
class Recording:
    """The days to replay and what is recorded in them; `digest` is the SHA-256 over the canonical
    bytes of every derived body, in order.
    """

    session: str
    days: list[DayRecording]
    finished: bool = False
    digest: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    code_versions: list[str] = field(default_factory=list)

    @property
    def events(self) -> int:
        return sum(day.events for day in self.days)

    @property
    def derived(self) -> int:
        return sum(day.derived for day in self.days)


def read_recording(
    directory: Path,
    *,
    days: Sequence[str] = (),
    end: Head | None = None,
    beat: Callable[[], None] = lambda: None,
) -> Recording:
    """Read the day files of a session (all, or those of some IST dates) up to `end`, by default its
    durable head.

    `beat` is called every so often. Raises ReplayError when there is nothing to replay,
    TamperedError when the log contradicts its chain or its head.
    """
    end = end or read_head(directory)
    paths = _chosen(_files_to(directory, end), days, directory)
    recording = Recording(session="", days=[])
    digest = sha256()
    for path in paths:
        limit = end.offset if end is not None and end.file == day_name(path) else None
        day = DayRecording(path=path, first_line=_first_line(path))
        for line in day_lines(day, limit=limit):
            if line.line % BEAT_LINES == 0:
                beat()
            _take(recording, day, line)
            if is_derived(line):
                digest.update(line.body_bytes)
        _check_end(day, end)
        _check_link(recording.days[-1] if recording.days else None, day)
        recording.days.append(day)
    recording.digest = digest.hexdigest()
    if not recording.events:
        raise ReplayError(f"{directory}: no event is recorded there yet")
    return recording


def day_lines(day: DayRecording, *, limit: int | None) -> Iterator[LogLine]:
    """Yield a day file's lines up to a byte offset, each checked as `read_file` does, and its body
    where canonical bytes have it.
    """
    for line in read_file(day.path, first_line=day.first_line, limit=limit):
        if not line.event.startswith(_BODY) or _LOG not in line.event:
            reason = "bytes are not RFC 8785 canonical"
            raise TamperedError(path=day.path, line=line.line, reason=reason, expected=line.hash)
        yield line


def is_input(line: LogLine) -> bool:
    """Whether a line holds what came from outside."""
    return line.body["kind"] in INPUT_KINDS


def is_derived(line: LogLine) -> bool:
    """Whether a line holds what the engine made of it."""
    return line.body["kind"] not in INPUT_KINDS | BOOKKEEPING_KINDS


def _files_to(directory: Path, end: Head | None) -> list[Path]:
    paths = day_files(directory)
    if end is None:
        return paths
    if end.file not in {day_name(path) for path in paths}:
        raise TamperedError(
            path=directory / end.file,
            line=end.line,
            reason="the durable head lies in a file that is gone",
            expected=end.hash,
        )
    return [path for path in paths if day_name(path) <= end.file]


def _chosen(paths: list[Path], days: Sequence[str], directory: Path) -> list[Path]:
    known = [day_date(path) for path in paths]
    if not known:
        raise ReplayError(f"{directory}: no log here, expected files named YYYY-MM-DD.jsonl")
    for day in days:
        if day not in known:
            raise ReplayError(
                f"{directory}: no day {day}; expected {known[0]}"
                + (f" to {known[-1]} ({len(known)} days)" if len(known) > 1 else "")
            )
    return [path for path in paths if not days or day_date(path) in days]


def _first_line(path: Path) -> int:
    first = next(read_file(path), None)
    if first is None:
        raise TamperedError(path=path, line=1, reason="empty file", expected="log.opened")
    return first.line


def _take(recording: Recording, day: DayRecording, line: LogLine) -> None:
    body = line.body
    recording.session = recording.session or body["session"]
    day.last_line, day.end, day.hash = line.line, line.offset + line.length, line.hash
    kind = body["kind"]
    if kind == "log.opened":
        previous = body["data"].get("previous")
        day.previous = previous if isinstance(previous, dict) else None
    if kind in BOOKKEEPING_KINDS:
        return
    day.events += 1
    day.derived += is_derived(line)
    recording.counts[kind] = recording.counts.get(kind, 0) + 1
    recording.finished = kind == "session.closed"
    if kind in {"session.opened", "day.opened"}:
        version = str(body["data"].get("code_version"))
        if version not in recording.code_versions:
            recording.code_versions.append(version)


def _check_end(day: DayRecording, end: Head | None) -> None:
    if end is None or end.file != day_name(day.path):
        return
    if (day.end, day.hash) != (end.offset, end.hash):
        raise TamperedError(
            path=day.path,
            line=day.last_line,
            reason=f"the log does not reach its durable head (line {end.line}) as it was",
            expected=end.hash,
            found=day.hash,
        )


def _check_link(before: DayRecording | None, day: DayRecording) -> None:
    """A file names the one before it; checked where both are replayed."""
    if before is None or day.previous is None or day.previous.get("file") != day_name(before.path):
        return
    if day.previous.get("hash") != before.hash:
        raise TamperedError(
            path=day.path,
            line=day.first_line,
            reason=f"does not continue {day_name(before.path)}",
            expected=before.hash,
            found=str(day.previous.get("hash")),
        )
