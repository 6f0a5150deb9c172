"""The file `VAR_DIR/KILL`: it stops trading when no server, no key and no page is at hand.

Each line that says something is one stop: `strategy=NAME` and `hold=yes` at its beginning narrow
it, the rest is the reason. An empty file stops everything, and so does a line whose beginning
cannot be read: `touch KILL` is enough, and a slip of the hand stops more, never less.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from pathlib import Path

_READ_BYTES = 65_536  # more than people write; a file of any size must not hold a session up


@dataclass(frozen=True, slots=True)
class Stop:
    """What is stopped: one strategy (None: everything); whether what it holds stays; why."""

    strategy: str | None
    hold: bool
    reason: str

    def covers(self, other: Stop) -> bool:
        """Whether the other one asks for nothing beyond this."""
        wide = self.strategy is None or self.strategy == other.strategy
        return wide and (other.hold or not self.hold)


@dataclass(frozen=True, slots=True)
class KillFile:
    """The file as it stands: when it was last written (ns UTC, 0 when that is not known), and what
    it stops, at least one thing.
    """

    written_at_ns: int
    stops: tuple[Stop, ...]

    @property
    def words(self) -> str:
        """What stands on every page: STOPPED, with the strategies where it is not everything."""
        names = sorted({stop.strategy or "" for stop in self.stops})
        return "STOPPED" if "" in names else f"{' '.join(names)} STOPPED"


def kill_file(var_dir: Path) -> Path:
    """Return the path of the file whose existence stops trading."""
    return var_dir / "KILL"


def read_kill_file(var_dir: Path) -> KillFile | None:
    """Return what the file stops, None when there is none; one that cannot be read stops
    everything.
    """
    try:
        with kill_file(var_dir).open("rb") as file:
            written_at_ns = os.fstat(file.fileno()).st_mtime_ns
            text = file.read(_READ_BYTES).decode(errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        return KillFile(0, (Stop(None, hold=False, reason=f"KILL: {error.strerror}"),))
    stops = tuple(_stop_of_line(line) for line in text.splitlines() if line.strip())
    return KillFile(written_at_ns, stops or (Stop(None, hold=False, reason=""),))


def remove_kill_file(var_dir: Path) -> KillFile | None:
    """Remove the file; return what it said, None when there was none. Raises OSError."""
    standing = read_kill_file(var_dir)
    kill_file(var_dir).unlink(missing_ok=True)
    if standing is not None:
        _sync(var_dir)
    return standing


def add_stop(var_dir: Path, *, stop: Stop, actor: str) -> None:
    """Put a stop into the file; one that is covered by what it says already changes nothing, so
    that it keeps saying who stopped trading first. Raises OSError.
    """
    path = kill_file(var_dir)
    line = _line_of(stop, actor)
    while True:
        standing = read_kill_file(var_dir)
        if standing is not None:
            if not any(each.covers(stop) for each in standing.stops):
                _append(path, line)
            return
        if _create(path, line):
            return


def _line_of(stop: Stop, actor: str) -> bytes:
    """A line that is read back as the same stop: what the actor or the reason say comes after `by`,
    where it narrows nothing.
    """
    scope = [f"strategy={stop.strategy}"] if stop.strategy else []
    scope += ["hold=yes"] if stop.hold else []
    return (" ".join([*scope, "by", *f"{actor}: {stop.reason}".split()]) + "\n").encode()


def _create(path: Path, line: bytes) -> bool:
    """Make the file, whole from its first instant; return False when somebody else was quicker."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".KILL.{uuid4()}")
    try:
        draft.write_bytes(line)
        _sync(draft)
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink(missing_ok=True)
    _sync(path.parent)
    return True


def _append(path: Path, line: bytes) -> None:
    """Add a line in one write, on a line of its own whoever wrote the last one."""
    with path.open("ab", buffering=0) as file:
        file.write(b"\n" + line)
        os.fsync(file.fileno())


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _stop_of_line(line: str) -> Stop:
    words, strategy, hold = line.split(), None, False
    while words and words[0].startswith(("strategy=", "hold=")):
        name, _, value = words.pop(0).partition("=")
        if name == "strategy" and value and strategy is None:
            strategy = value
        elif name == "hold" and value == "yes":
            hold = True
        else:
            return Stop(None, hold=False, reason=line.strip())
    return Stop(strategy, hold, " ".join(words))
