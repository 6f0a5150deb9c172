"""The single writer of a session's log:

One lock, one batch, one write, one fdatasync, then the head is published.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from enum import Enum
from typing import TYPE_CHECKING

from journal.events import Event
from journal.log.chain import GENESIS, chained_hash, event_bytes, line_bytes
from journal.log.errors import LogError, LogLockedError, LogPoisonedError
from journal.log.files import FILES, Files
from journal.log.head import Head, publish_head
from journal.log.index import (
    NO_TIME,
    Entry,
    IndexWriter,
    index_path,
    last_event_before,
    last_event_in,
    mended_index,
)
from journal.log.merkle import MerkleTree
from journal.log.recovery import LogEnd, TornTail, recover
from journal.log.session import PACKED, day_date, day_name
from journal.payloads import check_all

if TYPE_CHECKING:
    from pathlib import Path

Clock = Callable[[], int]
EncodedEvent = tuple[Event, bytes]  # with the canonical bytes of its body
WRITER_FORMAT = "brahmastra-log-1"
BALLAST_BYTES = 4 * 2**20  # freed when the disk is full, so that the next start can write
INTERVAL_US = 1_000_000


class Durability(Enum):
    """When what is committed is made durable. The head is published then and not before, so mirror
    and pages show nothing that a power cut could take back.
    """

    COMMIT = "commit"  # before `commit` returns; whatever sends orders has this
    INTERVAL = "interval"  # once a second, at the end of a day and at the close
    DAY = "day"  # at the end of a day and at the close


class LogWriter:
    """Appends committed batches to `directory/YYYY-MM-DD.jsonl`.

    `clock` returns wall-clock µs UTC (the `rec` of each line). Opening recovers a torn tail. After
    any failed write or sync the writer is poisoned: the kernel may have dropped the pages and a
    second fsync would lie.
    """

    def __init__(
        self,
        directory: Path,
        *,
        session: str,
        number: int,
        clock: Clock,
        durability: Durability = Durability.COMMIT,
        files: Files = FILES,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.session = session
        self.number = number
        self.durability = durability
        self._clock = clock
        self._files = files
        self._lock = _lock_or_refuse(directory / "lock")
        self._descriptor = -1
        self._index: IndexWriter | None = None
        self._poisoned = False
        self.torn: TornTail | None = None
        self._unrecorded: TornTail | None = None
        try:
            end, self.torn = recover(directory, now_us=clock(), files=files)
            self._unrecorded = self.torn
            self._take_up(end)
        except BaseException:
            self.close()
            raise

    # --- where the log left off -------------------------------------------------------------------

    def _take_up(self, end: LogEnd | None) -> None:
        self.line = self.durable_line = 0
        self._offset, self._previous, self._tree = 0, GENESIS, MerkleTree()
        self._seq, self._ts = 0, NO_TIME
        self._file: Path | None = None
        self._synced_us = self._clock()
        if end is not None:
            self._file, self._offset, self.line = end.path, end.offset, end.line
            self._previous, self._tree = end.hash, end.tree
            self._seq, self._ts = last_event_in(end.path) or last_event_before(end.path)
            if not end.path.name.endswith(PACKED):
                self._reopen(end.path)
        self._keep_ballast()
        if self._descriptor >= 0:
            self._record_torn()

    def _reopen(self, path: Path) -> None:
        """Go on in the last file. Lines that were durable but not yet acknowledged when the last
        writer died are part of the log now.
        """
        self._descriptor = self._files.open_append(path)
        self._files.sync(self._descriptor)
        last = mended_index(path, end=self._offset, files=self._files)
        self._index = IndexWriter(path, files=self._files)
        self._index.continue_after(last)
        self._publish()

    @property
    def date(self) -> str | None:
        """The IST date of the open day file, None before the first."""
        return day_date(self._file) if self._file is not None else None

    # --- writing ----------------------------------------------------------------------------------

    def open_day(self, date: str) -> None:
        """Rotate to the file of an IST date (ISO text); its first line names the file before.

        Everything before it is durable when this returns, and so is the new file's name.
        """
        if self._file is not None and date <= day_date(self._file):
            raise LogError(f"{self.directory}: day {date} does not follow {day_date(self._file)}")
        self.sync()
        opened = {
            "date": date,
            "number": self.number,
            "previous": self._link(),
            "writer": WRITER_FORMAT,
        }
        with self._poisoning(self.directory / f"{date}.jsonl"):
            self._start_file(self.directory / f"{date}.jsonl")
        self._append_bookkeeping("log.opened", opened)
        self._record_torn()

    def _link(self) -> dict[str, object] | None:
        """Return what the next file's first record says of this one and of all before it."""
        if self._file is None:
            return None
        return {
            "file": day_name(self._file),
            "hash": self._previous.hex(),
            "line": self.line,
            "peaks": [peak.hex() for peak in self._tree.peaks],
            "root": self._tree.root().hex(),
        }

    def _start_file(self, path: Path) -> None:
        """Go on in a new file, whose name is durable before anything in it is acknowledged."""
        descriptor = self._files.create(path)
        if self._descriptor >= 0:
            self._files.close(self._descriptor)
        self._descriptor = descriptor
        self._files.sync_directory(self.directory)
        if self._index is not None:
            self._index.close()
        self._files.remove(index_path(path))
        self._index = IndexWriter(path, files=self._files)
        self._file, self._offset, self._previous = path, 0, GENESIS

    def commit(self, events: Sequence[Event]) -> int:
        """Append a batch, and make it durable as `durability` says; return the number of its last
        line.

        Raises PayloadError or CanonicalError for an event that may not be written, and nothing of
        its batch is; LogPoisonedError after any I/O error, now or before, and nothing of a failed
        batch is acknowledged.
        """
        return self.append(self.encode(events))

    def encode(self, events: Sequence[Event]) -> list[EncodedEvent]:
        """Return a batch as `append` takes it; PayloadError or CanonicalError for an event that may
        not be written.

        What is done to an event's data afterwards changes nothing.
        """
        check_all(events)
        return [(event, event.body_bytes()) for event in events]

    def append(self, bodies: Sequence[EncodedEvent]) -> int:
        """Append a batch of encoded events as `commit` does."""
        self._refuse_poisoned()
        if self._descriptor < 0:
            raise LogError(f"{self.directory}: no day is open")
        if not bodies:
            return self.line
        with self._poisoning(self._file):
            chunk = self._chain(bodies)
            self._files.write_all(self._descriptor, chunk)
            self._offset += len(chunk)
            if self._is_sync_due():
                self._make_durable()
        return self.line

    def _chain(self, bodies: Sequence[EncodedEvent]) -> bytes:
        """Return the lines of a batch, the state of the chain moved on to its end."""
        lines: list[bytes] = []
        offset, commit, rec = self._offset, self.line + 1, self._clock()
        for event, body in bodies:
            self.line += 1
            if self._index is not None and self._index.is_due(offset):
                self._index.note(Entry(offset, self.line, self._seq, self._ts))
            chained = event_bytes(body=body, line=self.line, commit=commit, rec=rec)
            digest = chained_hash(self._previous, chained)
            lines.append(line_bytes(event=chained, digest=digest, previous=self._previous))
            self._tree.append(chained)
            self._previous = digest
            offset += len(lines[-1])
            if event.seq is not None:
                self._seq, self._ts = event.seq, event.ts
        return b"".join(lines)

    def sync(self) -> None:
        """Make everything committed durable and publish the head; LogPoisonedError as `commit`."""
        self._refuse_poisoned()
        if self._descriptor >= 0 and self.durable_line < self.line:
            with self._poisoning(self._file):
                self._make_durable()

    def _is_sync_due(self) -> bool:
        if self.durability is Durability.INTERVAL:
            return self._clock() - self._synced_us >= INTERVAL_US
        return self.durability is Durability.COMMIT

    def _make_durable(self) -> None:
        self._files.sync(self._descriptor)
        self._synced_us = self._clock()
        self._publish()
        if self._index is not None:
            self._index.flush()

    def _append_bookkeeping(self, kind: str, data: dict[str, object]) -> None:
        event = Event(session=self.session, seq=None, ts=self._clock(), kind=kind, data=data)
        self.append(self.encode([event]))
        self.sync()

    def _record_torn(self) -> None:
        """Log what recovery moved aside, as soon as there is a file to log it in."""
        torn, self._unrecorded = self._unrecorded, None
        if torn is not None:
            self._append_bookkeeping("log.recovered", asdict(torn))

    def _publish(self) -> None:
        assert self._file is not None  # noqa: S101 - callers have just written to it
        head = Head(
            file=day_name(self._file),
            offset=self._offset,
            line=self.line,
            hash=self._previous.hex(),
        )
        publish_head(self.directory, head, files=self._files)
        self.durable_line = self.line

    # --- when the disk fails ----------------------------------------------------------------------

    def _refuse_poisoned(self) -> None:
        if self._poisoned:
            raise LogPoisonedError(f"{self._file}: an earlier write failed; restart to recover")

    @contextmanager
    def _poisoning(self, path: Path | None) -> Iterator[None]:
        """Accept nothing more after an OSError inside; on a full disk give back the room that was
        kept for the restart.
        """
        try:
            yield
        except OSError as error:
            self._poisoned = True
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                (self.directory / "ballast").unlink(missing_ok=True)
            raise LogPoisonedError(f"{path}: {error.strerror}; nothing more is accepted") from error

    def _keep_ballast(self) -> None:
        """Keep room on the disk for the start after it was full; none where there is little."""
        path = self.directory / "ballast"
        if path.exists() or shutil.disk_usage(self.directory).free < 4 * BALLAST_BYTES:
            return
        try:
            descriptor = self._files.create(path)
            try:
                self._files.reserve(descriptor, BALLAST_BYTES)
            finally:
                self._files.close(descriptor)
        except OSError:
            path.unlink(missing_ok=True)

    # --- the end ----------------------------------------------------------------------------------

    def close(self) -> None:
        """Make durable what is not yet, and release files and lock; a second close does nothing.

        Raises LogPoisonedError when that last sync fails; files and lock are released all the same.
        """
        try:
            if self._lock >= 0 and not self._poisoned and self._descriptor >= 0:
                self.sync()
                (self.directory / "ballast").unlink(missing_ok=True)
        finally:
            self._release()

    def _release(self) -> None:
        if self._index is not None:
            self._index.close()
            self._index = None
        if self._descriptor >= 0:
            self._files.close(self._descriptor)
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
