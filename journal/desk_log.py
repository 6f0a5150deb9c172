"""The writer of the log `_desk`: takes records from the spool, each into the log exactly once.

A batch is committed before any of its files is moved, and all of them are moved before the next
batch. So what a kill leaves behind is at most one batch that is in the log and still in the spool;
it is found there by the ids in the last day that has events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from journal.desk import desk_spool, read_record, waiting_records
from journal.figures import ist_text
from journal.log.errors import LogError, PayloadError
from journal.log.head import read_head
from journal.log.reader import read_file
from journal.log.session import (
    DESK_NUMBER,
    DESK_SESSION,
    day_files,
    day_name,
    session_directory,
)
from journal.log.writer import LogWriter
from journal.spool import SpoolError, settle_command

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from pathlib import Path

    from journal.events import Event

BATCH_RECORDS = 256
LOOK_SECONDS = 0.1
RETRY_SECONDS = 1.0


class DeskLog:
    """Holds the log `_desk` open for as long as this lives.

    `clock` returns wall-clock µs UTC, whose IST date names the day's file. Raises LogError when the
    log cannot be opened (another mirror has it, a damaged log), and from `take` when it cannot be
    written: then it must be closed and opened again.
    """

    def __init__(self, var_dir: Path, *, key: str, clock: Callable[[], int]) -> None:
        self._var_dir, self._key, self._clock = var_dir, key, clock
        self._directory = session_directory(var_dir, DESK_SESSION)
        self._writer = LogWriter(
            self._directory, session=DESK_SESSION, number=DESK_NUMBER, clock=clock
        )
        try:
            self._seq, self._ts, self._logged = self._last_day()
        except BaseException:
            self._writer.close()
            raise

    def _last_day(self) -> tuple[int, int, set[str]]:
        """Return seq and ts of the last event, and the ids of the last day that has events."""
        head = read_head(self._directory)
        for path in reversed(day_files(self._directory)):
            limit = head.offset if head is not None and head.file == day_name(path) else None
            ids: set[str] = set()
            seq, ts = 0, 0
            for line in read_file(path, limit=limit):
                if line.body["seq"] is not None:
                    seq, ts = line.body["seq"], line.body["ts"]
                    ids.add(line.body["key"])
            if ids:
                return seq, ts, ids
        return 0, 0, set()

    def take(self) -> int:
        """Log the records that wait, at most a batch; return how many files were settled.

        A record that is not what it must be is refused with its reason beside it.
        """
        batch: list[Event] = []
        files: list[Path] = []
        settled = 0
        for path in waiting_records(self._var_dir)[:BATCH_RECORDS]:
            try:
                event = self._event(path, after=len(batch))
            except (SpoolError, PayloadError) as error:
                settle_command(path, refused=str(error))
                settled += 1
                continue
            files.append(path)
            if event is not None:
                batch.append(event)
        if batch:
            self._commit(batch)
        for path in files:
            settle_command(path)
        return settled + len(files)

    def _event(self, path: Path, *, after: int) -> Event | None:
        """Return the event of a waiting file; None when it is in the log already."""
        record = read_record(path, key=self._key)
        done = desk_spool(self._var_dir) / "done" / path.name
        if record.id in self._logged or done.exists():
            return None
        ts = max(self._ts, self._clock())
        return record.event(seq=self._seq + after + 1, ts=ts)

    def _commit(self, batch: list[Event]) -> None:
        date = ist_text(self._clock(), "%Y-%m-%d")
        if self._writer.date is None or date > self._writer.date:
            self._writer.open_day(date)
            self._logged.clear()
        self._writer.commit(batch)
        self._seq, self._ts = batch[-1].seq or 0, batch[-1].ts
        self._logged.update(event.key for event in batch if event.key is not None)

    def close(self) -> None:
        """Let go of the log."""
        self._writer.close()


def keep_desk_log(
    var_dir: Path,
    *,
    key: str,
    clock: Callable[[], int],
    stop: threading.Event,
    report: Callable[[str], None],
) -> None:
    """Take records as they come until `stop`; what waits when it is set is taken first.

    The log is opened when the first record waits. When it cannot be opened or written that is said
    once, the records wait, and it is tried again.
    """
    log: DeskLog | None = None
    away = False
    while True:
        ending = stop.is_set()
        try:
            if log is None and waiting_records(var_dir):
                log = DeskLog(var_dir, key=key, clock=clock)
            while log is not None and log.take():
                if away:
                    report("the desk's log is written again")
                    away = False
            pause = LOOK_SECONDS
        except (LogError, OSError) as error:
            if not away:
                report(f"the desk's log is not written, its records wait: {error}")
                away = True
            if log is not None:
                log.close()
                log = None
            pause = RETRY_SECONDS
        if ending:
            break
        stop.wait(pause)
    if log is not None:
        log.close()
