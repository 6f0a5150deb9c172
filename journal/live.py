"""The live figures: what the newest session's durable log says now.

`Tail` reads the log and nothing else. The push process keeps the figures in Valkey, where a page
finds them when it is made; both are read without touching Postgres.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import orjson
import redis

from journal.events import BODY_VERSION
from journal.kill_file import read_kill_file
from journal.log.errors import LogError
from journal.log.head import read_head
from journal.log.lookup import last_kind
from journal.log.manifest import RunStatus
from journal.log.reader import Position, position_of, read_after, read_file
from journal.log.session import session_directory, session_names
from journal.processes import lives
from journal.spool import waiting_commands

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from journal.log.manifest import Manifest
    from journal.log.reader import LogLine

UNDERLYINGS = ("NIFTY", "BANKNIFTY")
FIGURES_KEY = "brahmastra:live"
FIGURES_EXPIRY_SECONDS = 3600
READ_SECONDS = 0.2  # how long a frame may read; a log is read faster than it is written
_LOOK_LINES = 256  # between two looks at the clock


@dataclass(frozen=True, slots=True)
class LiveCell:
    """An underlying's parity forward of the nearest expiry: paise; times µs UTC."""

    underlying: str
    forward_paise: int | None = None
    expiry: str | None = None
    seq: int | None = None
    as_of: int | None = None
    synthetic: bool = False

    @property
    def slug(self) -> str:
        return self.underlying.lower()


@dataclass(frozen=True, slots=True)
class LiveFigures:
    """What is pushed: the head of the newest session and the cells. `alarm` is empty or says why
    the log cannot be read any further."""

    session: str = ""
    line: int | None = None
    hash: str = ""
    seq: int | None = None
    ts: int | None = None
    finished: bool = False
    stopped: str = ""  # what the KILL file stops, in a word or two
    waiting: int = 0
    alarm: str = ""
    cells: tuple[LiveCell, ...] = field(default=tuple(LiveCell(name) for name in UNDERLYINGS))

    @property
    def as_of(self) -> int | None:
        """The newest market instant any cell shows."""
        return max((cell.as_of for cell in self.cells if cell.as_of is not None), default=None)

    @property
    def synthetic(self) -> bool:
        return any(cell.synthetic for cell in self.cells)

    def to_json(self) -> bytes:
        return orjson.dumps(asdict(self))

    @classmethod
    def from_json(cls, content: bytes) -> LiveFigures:
        fields = orjson.loads(content)
        fields["cells"] = tuple(LiveCell(**cell) for cell in fields["cells"])
        return cls(**fields)


class Tail:
    """Follows one session's log up to its durable head and keeps its figures."""

    def __init__(self, var_dir: Path, session: str) -> None:
        self._var_dir = var_dir
        self._directory = session_directory(var_dir, session)
        self._position: Position | None = None
        self._broken = False
        self.figures = LiveFigures(session=session)

    def advance(self) -> LiveFigures:
        """Read what became durable since the last call, for `READ_SECONDS` at most; return the
        figures.

        A log that contradicts its chain is read no further; `alarm` says where and why. A file that
        cannot be read now is tried again the next time.
        """
        if not self._broken:
            try:
                self._read()
                alarm = ""
            except LogError as error:
                self._broken, alarm = True, str(error)
            except OSError as error:
                alarm = str(error)
            self.figures = replace(self.figures, alarm=alarm)
        file = read_kill_file(self._var_dir)
        self.figures = replace(
            self.figures,
            stopped=file.words if file else "",
            waiting=len(waiting_commands(var_dir=self._var_dir, session=self.figures.session)),
        )
        return self.figures

    def _read(self) -> None:
        until = time.monotonic() + READ_SECONDS
        for number, line in enumerate(self._new_lines(), start=1):
            self.figures = _after_line(self.figures, line)
            self._position = position_of(line)
            if number % _LOOK_LINES == 0 and time.monotonic() >= until:
                return

    def _new_lines(self) -> Iterator[LogLine]:
        """Yield the new lines; the first time from the start of the newest day file."""
        head = read_head(self._directory)
        if head is None:
            return
        if self._position is None:
            yield from read_file(self._directory / head.file, limit=head.offset)
        else:
            yield from read_after(self._directory, self._position)


def newest_session(var_dir: Path) -> str | None:
    """Return the session whose head was published last, or None."""
    published: list[tuple[int, str]] = []
    for name in session_names(var_dir):
        try:
            published.append(((session_directory(var_dir, name) / "head").stat().st_mtime_ns, name))
        except FileNotFoundError:
            continue
    return max(published)[1] if published else None


def open_sessions(var_dir: Path) -> list[str]:
    """Return the sessions whose log does not end with `session.closed`."""
    return [
        name
        for name in session_names(var_dir)
        if last_kind(session_directory(var_dir, name)) != "session.closed"
    ]


def run_status(manifest: Manifest | None, directory: Path) -> RunStatus:
    """Return how a session's newest run stands: as its manifest says, unless it says running and
    its process is seen to be dead; without a manifest what the end of the log says.
    """
    status = RunStatus.UNRECORDED if manifest is None else manifest.status
    if manifest is not None and status == RunStatus.RUNNING:
        if lives(manifest.runs[-1].identity) is not False:
            return status
        status = RunStatus.CRASHED
    if status in {RunStatus.CRASHED, RunStatus.UNRECORDED}:
        closed = last_kind(directory) == "session.closed"
        return RunStatus.FINISHED if closed else status
    return status


def figures_from_store(url: str) -> LiveFigures | None:
    """Return the figures the push process published last; None when there are none to be had."""
    try:
        content = _client(url).get(FIGURES_KEY)
    except redis.RedisError:
        return None
    return LiveFigures.from_json(content) if content else None  # type: ignore[arg-type]


def _after_line(figures: LiveFigures, line: LogLine) -> LiveFigures:
    body = line.body
    changed: dict[str, Any] = {"line": line.line, "hash": line.hash}
    if body["seq"] is not None:
        changed |= {"seq": body["seq"], "ts": body["ts"]}
        changed["finished"] = body["kind"] == "session.closed"
    if body["kind"] == "market.frame" and body["v"] == BODY_VERSION:
        cell = _cell_from_frame(body)
        changed["cells"] = tuple(
            cell if old.underlying == cell.underlying else old for old in figures.cells
        )
    return replace(figures, **changed)


def _cell_from_frame(body: dict[str, Any]) -> LiveCell:
    data = body["data"]
    nearest = data["chain"][0] if data["chain"] else {}
    return LiveCell(
        underlying=data["underlying"],
        forward_paise=nearest.get("forward_paise"),
        expiry=nearest.get("expiry"),
        seq=body["seq"],
        as_of=data["as_of"],
        synthetic=data["source"]["synthetic"],
    )


_clients: dict[str, redis.Redis] = {}


def _client(url: str) -> redis.Redis:
    if url not in _clients:
        _clients[url] = redis.Redis.from_url(url, socket_timeout=0.5, socket_connect_timeout=0.5)
    return _clients[url]
