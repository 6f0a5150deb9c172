"""The single writer of a session's log:

One lock, one batch, one write, one fdatasync, then the head is published.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from journal.events import Event
from journal.log.chain import GENESIS, chained_hash, event_bytes, line_bytes
from journal.log.errors import LogError, LogLockedError, LogPoisonedError, TamperedError
from journal.log.head import Head, publish_head
from journal.log.merkle import MerkleTree
from journal.log.reader import LogLine, read_file
from journal.log.recovery import TornTail, recover
from journal.log.session import day_files, sync_directory
from journal.payloads import check_all

if TYPE_CHECKING:
    from pathlib import Path

Clock = Callable[[], int]
WRITER_FORMAT = "brahmastra-log-1"


class LogWriter:
    """Appends committed batches to `directory/YYYY-MM-DD.jsonl`.

    `clock` returns wall-clock µs UTC (the `rec` of each line). Opening recovers a torn tail. After
    any failed write or sync the writer is poisoned: the kernel may have dropped the pages and a
    second fsync would lie.
    """

    def __init__(self, directory: Path, *, session: str, number: int, clock: Clock) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.session = session
        self.number = number
        self._clock = clock
        self._lock = _lock_or_refuse(directory / "lock")
        self._descriptor = -1
        self._poisoned = False
        self.torn: TornTail | None = None
        try:
            self.torn = recover(directory, now_us=clock())
            self._load_end()
        except BaseException:
            os.close(self._lock)
            raise

    # --- state of the chain -----------------------------------------------------------------------

    def _load_end(self) -> None:
        self.line = 0
        self._offset = 0
        self._previous = GENESIS
        self._tree = MerkleTree()
        self._file: Path | None = None
        files = day_files(self.directory)
        for path in files:
            last: LogLine | None = None
            for last in read_file(path, first_line=self.line + 1):
                self._tree.append(last.event)
                self.line = last.line
            if last is not None:
                self._file = path
                self._previous = bytes.fromhex(last.hash)
                self._offset = last.offset + last.length
            elif path == files[-1]:
                path.unlink()  # a day that was being opened when the last writer died
            else:
                raise TamperedError(
                    path=path, line=self.line + 1, reason="empty file", expected="log.opened"
                )
        if self._file is not None:
            self._descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            # Lines that were durable but not yet acknowledged when the last writer died are part of
            # the log now.
            os.fsync(self._descriptor)
            self._publish()
        if self.torn is not None and self._file is not None:
            self._append_bookkeeping("log.recovered", asdict(self.torn))

    @property
    def date(self) -> str | None:
        """The IST date of the open day file, None before the first."""
        return self._file.stem if self._file is not None else None

    # --- writing ----------------------------------------------------------------------------------

    def open_day(self, date: str) -> None:
        """Rotate to the file of an IST date (ISO text); its first line names the file before."""
        if self._file is not None and date <= self._file.stem:
            raise LogError(f"{self.directory}: day {date} does not follow {self._file.stem}")
        if self._poisoned:
            raise LogPoisonedError(f"{self._file}: an earlier write failed; restart to recover")
        opened = {
            "date": date,
            "number": self.number,
            "previous": self._link(),
            "writer": WRITER_FORMAT,
        }
        self._start_file(self.directory / f"{date}.jsonl")
        self._append_bookkeeping("log.opened", opened)
        if self.torn is not None and opened["previous"] is None:
            self._append_bookkeeping("log.recovered", asdict(self.torn))

    def _link(self) -> dict[str, object] | None:
        """Return what the next file's first record says of this one."""
        if self._file is None:
            return None
        return {
            "file": self._file.name,
            "hash": self._previous.hex(),
            "line": self.line,
            "root": self._tree.root().hex(),
        }

    def _start_file(self, path: Path) -> None:
        """Go on in a new file, whose name is durable before anything in it is acknowledged."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            descriptor = os.open(path, flags, 0o644)
            if self._descriptor >= 0:
                os.close(self._descriptor)
            self._descriptor = descriptor
            sync_directory(self.directory)
        except OSError as error:
            self._poisoned = True
            raise LogPoisonedError(f"{path}: {error.strerror}; nothing more is accepted") from error
        self._file, self._offset, self._previous = path, 0, GENESIS

    def commit(self, events: Sequence[Event]) -> int:
        """Append a batch and make it durable; return the number of its last line.

        Raises PayloadError for an event that may not be written, before anything is, and
        LogPoisonedError after any I/O error, now or before; nothing of a failed batch is
        acknowledged.
        """
        check_all(events)
        return self._commit_bodies([event.body_bytes() for event in events])

    def _commit_bodies(self, bodies: Sequence[bytes]) -> int:
        if self._poisoned:
            raise LogPoisonedError(f"{self._file}: an earlier write failed; restart to recover")
        if self._file is None:
            raise LogError(f"{self.directory}: no day is open")
        if not bodies:
            return self.line
        chunks, previous, line = self._chain(bodies)
        try:
            _write_all(self._descriptor, b"".join(chunks))
            os.fdatasync(self._descriptor)
            self.line, self._previous = line, previous
            self._offset += sum(map(len, chunks))
            self._publish()
        except OSError as error:
            self._poisoned = True
            raise LogPoisonedError(
                f"{self._file}: {error.strerror}; nothing more is accepted"
            ) from error
        return self.line

    def _chain(self, bodies: Sequence[bytes]) -> tuple[list[bytes], bytes, int]:
        chunks: list[bytes] = []
        previous, line, commit, rec = self._previous, self.line, self.line + 1, self._clock()
        for body in bodies:
            line += 1
            event = event_bytes(body=body, line=line, commit=commit, rec=rec)
            digest = chained_hash(previous, event)
            chunks.append(line_bytes(event=event, digest=digest, previous=previous))
            self._tree.append(event)
            previous = digest
        return chunks, previous, line

    def _append_bookkeeping(self, kind: str, data: dict[str, object]) -> None:
        event = Event(session=self.session, seq=None, ts=self._clock(), kind=kind, data=data)
        self.commit([event])

    def _publish(self) -> None:
        assert self._file is not None  # noqa: S101 - callers have just written to it
        head = Head(
            file=self._file.name, offset=self._offset, line=self.line, hash=self._previous.hex()
        )
        publish_head(self.directory, head)

    def close(self) -> None:
        """Release the file and the lock."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> LogWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _lock_or_refuse(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(descriptor, 64, 0).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise LogLockedError(
            f"{path.parent}: session is being written by process {owner}"
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
