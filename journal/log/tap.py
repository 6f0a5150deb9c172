"""The bus that carries events, and the tap that takes them from it into the log.

A producer publishes and goes on; the tap's own thread takes what has gathered, however much that
is, in one write and one sync. Nothing is ever dropped: when the queue is full the producer is told
so, and what must not happen before something is durable waits for `commit`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from threading import Condition, Thread
from typing import TYPE_CHECKING

from journal.log.errors import LogError, WalOverflowError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from journal.events import Event
    from journal.log.writer import EncodedEvent, LogWriter

CAPACITY_EVENTS = 8192
COMMIT_EVENTS = 1024  # at most so many in one write, whole batches; a larger batch goes alone


class EventBus:
    """Carries batches of events to whoever subscribed, in the order of subscription."""

    def __init__(self) -> None:
        self._subscribers: list[Callable[[Sequence[Event]], None]] = []

    def subscribe(self, subscriber: Callable[[Sequence[Event]], None]) -> None:
        """Have `subscriber` called with every batch published from now on."""
        self._subscribers.append(subscriber)

    def publish(self, batch: Sequence[Event]) -> None:
        """Hand a batch to every subscriber; what one of them raises goes to the producer, and those
        after it do not get the batch.
        """
        for subscriber in self._subscribers:
            subscriber(batch)


class WalTap:
    """Takes batches into a log through a bounded queue and a thread that commits what has gathered.

    One event loop, one producer. While the tap is open the writer is the thread's, except between
    `commit` and the next `take`. `committed` is told of each commit, on that thread and before
    those who wait for it; it must be quick and may not raise. Use the tap as an asynchronous
    context: leaving it makes durable what was taken.
    """

    def __init__(
        self,
        writer: LogWriter,
        *,
        capacity: int = CAPACITY_EVENTS,
        committed: Callable[[Sequence[EncodedEvent]], None] | None = None,
    ) -> None:
        self._writer = writer
        self._capacity = capacity
        self._tell = committed
        self._queue: deque[list[EncodedEvent]] = deque()
        self._queued = 0  # events in the queue
        self._taken = self._committed = 0  # batches
        self._waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self._failure: LogError | None = None
        self._closing = False
        self._changed = Condition()
        self._thread = Thread(target=self._run, name="wal-tap", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    # --- the producer's side ----------------------------------------------------------------------

    def take(self, batch: Sequence[Event]) -> None:
        """Queue a batch, whole or not at all; this is what subscribes to the bus.

        Raises WalOverflowError when the queue is full, CanonicalError for an event that cannot be
        written, and after a failed write the error of that write.
        """
        self.require_room()
        encoded = self._writer.encode(batch)
        with self._changed:
            self._queue.append(encoded)
            self._queued += len(encoded)
            self._taken += 1
            self._changed.notify_all()

    def require_room(self) -> None:
        """Raise WalOverflowError when the next batch would not be taken."""
        self._raise_failure()
        if self._queued >= self._capacity:
            raise WalOverflowError(
                f"{self._writer.directory}: {self._queued} events wait for the log, "
                f"expected fewer than {self._capacity}"
            )

    async def room(self) -> None:
        """Wait until a batch would be taken."""
        await self._until(lambda: self._queued < self._capacity)

    async def commit(self) -> None:
        """Wait until every batch taken so far is committed, durable as the writer's durability
        says: the barrier that orders wait on. Raises the error of a failed write.
        """
        taken = self._taken
        await self._until(lambda: self._committed >= taken)

    async def _until(self, holds: Callable[[], bool]) -> None:
        self._raise_failure()
        loop = asyncio.get_running_loop()
        with self._changed:
            if holds():
                return
            done: asyncio.Future[None] = loop.create_future()
            self._waiting.append((holds, done))
        await done
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    # --- the thread's side ------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            gathered = self._gathered()
            if gathered is None:
                return
            failure: LogError | None = None
            events = [event for batch in gathered for event in batch]
            try:
                self._writer.append(events)
            except LogError as error:
                failure = error
            except Exception as error:  # noqa: BLE001 - whoever waits must be told, whatever it is
                failure = LogError(f"{self._writer.directory}: the log's thread failed: {error!r}")
            if failure is None and self._tell is not None:
                self._tell(events)
            self._settle(gathered, failure)
            if failure is not None:
                return

    def _gathered(self) -> list[list[EncodedEvent]] | None:
        """Wait for batches and return those that go into one commit; None when there will be no
        more.
        """
        with self._changed:
            while not self._queue:
                if self._closing:
                    return None
                self._changed.wait()
            gathered = [self._queue.popleft()]
            size = len(gathered[0])
            while self._queue and size + len(self._queue[0]) <= COMMIT_EVENTS:
                gathered.append(self._queue.popleft())
                size += len(gathered[-1])
            return gathered

    def _settle(self, gathered: list[list[EncodedEvent]], failure: LogError | None) -> None:
        with self._changed:
            if failure is None:
                self._committed += len(gathered)
                self._queued -= sum(map(len, gathered))
            self._failure = failure
            ready = [entry for entry in self._waiting if failure is not None or entry[0]()]
            self._waiting = [entry for entry in self._waiting if entry not in ready]
        if ready and self._loop is not None:
            self._loop.call_soon_threadsafe(_wake, [done for _, done in ready])

    # --- its life ---------------------------------------------------------------------------------

    async def __aenter__(self) -> WalTap:
        self._loop = asyncio.get_running_loop()
        self._thread.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Commit what was taken and stop; of two errors the first is raised."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        await asyncio.to_thread(self._thread.join)
        if error is None:
            self._raise_failure()


def _wake(waiting: list[asyncio.Future[None]]) -> None:
    for done in waiting:
        if not done.done():
            done.set_result(None)
