"""A session whose broker holds something the book does not, run beside a test that holds it before
instants of its feed and acts meanwhile, as people do while a session runs.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from queue import Empty, Queue
from typing import TYPE_CHECKING, Any

import msgspec

from journal.log.reader import read_session
from journal.secrets import read_or_create_secret
from journal.services import mirror_catch_up
from tests.factories import forget_session, number_session
from tests.market_factory import DAYS, Rig
from tests.trading.engine.desk_bed import FIRES, configuration, firing, frame, look_at
from tests.trading.engine.test_reconciliation import LIMITS, Exchange
from tests.trading.execution.socket_broker import SocketBroker
from trading.engine.runner import Stopped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from pathlib import Path

    from journal.events import Event

STRAY, STRAY_UNITS = "NIFTY 2026-03-02 25300 CE", 65
# It fires in the fifth minute and in the eleventh.
FEED = [*firing(), *firing(first=6), *[frame(minute, FIRES) for minute in range(12, 20)]]
FIRST, SECOND = 5, 11
PATIENCE_SECONDS = 60
_numbers = itertools.count(498_000)


class Disputed:
    """A session, and where it is held. `name` is that of its log."""

    def __init__(self, var_dir: Path, exchange: Exchange, *, keeps_book: bool) -> None:
        self.exchange = exchange
        limits = msgspec.structs.replace(LIMITS, keeps_book=keeps_book)
        self.number = next(_numbers)
        self.name, self.var_dir = f"disputed-{self.number}", var_dir
        number_session(var_dir, self.name, self.number)
        self.rig = Rig(
            var_dir=var_dir,
            session=self.name,
            days=DAYS[:1],
            frames_of=lambda _: FEED,
            configuration=configuration(),
            stopping=self._look,
            broker_of=lambda _: SocketBroker(exchange.port, limits=limits, timeout_seconds=1),
            spool_key=read_or_create_secret(var_dir / "secrets" / "spool.key"),
        )
        self._looks, self._wanted, self._stop = 0, 1, False
        self._mirrored = False
        self._here, self._go = Queue[None](), Queue[None]()
        self._done: Future[Any] | None = None

    def _look(self) -> bool:
        """On the session's thread, before each instant."""
        self._looks += 1
        if self._looks >= self._wanted and not self._stop:
            self._here.put(None)
            self._go.get(timeout=PATIENCE_SECONDS)
        return self._stop

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run it on a thread of its own; it is stopped at the end if it still runs."""
        with ThreadPoolExecutor(1) as beside:
            self._done = beside.submit(self.rig.run)
            self._await_hold()
            try:
                yield
            finally:
                self._stop = True
                self._go.put(None)
        assert isinstance(self._done.exception(), Stopped | None), self._done.exception()

    def go_to(self, minute: int) -> None:
        """Let it run on, and hold it before a minute of its feed."""
        self._wanted = look_at(minute)
        self._go.put(None)
        self._await_hold()

    def _await_hold(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                self._here.get(timeout=0.1)
            except Empty:
                assert self._done is not None
                assert not self._done.done(), self._done.exception()
                assert time.monotonic() < deadline, "the session does not get there"
            else:
                break
        self._await_log()

    def _await_log(self) -> None:
        """Wait for the log's thread, which writes beside the session that is held."""
        assert self.rig.runner is not None
        decided, deadline = self.rig.runner.engine.next_seq - 1, time.monotonic() + PATIENCE_SECONDS
        while [line.body["seq"] for line in read_session(self.rig.directory)][-1] != decided:
            assert time.monotonic() < deadline, "the log does not get there"
            time.sleep(0.01)

    def events(self, kind: str) -> list[Event]:
        """Its durable events of a kind."""
        lines = read_session(self.rig.directory)
        return [line.to_event() for line in lines if line.body["kind"] == kind]

    def last(self, kind: str, count: int) -> dict[str, Any]:
        """The data of the last event of a kind, of which there are so many."""
        found = self.events(kind)
        assert len(found) == count
        return found[-1].data

    def mirror(self) -> None:
        """Have what is durable in the audit store."""
        self._mirrored = True
        mirror_catch_up(sessions=[self.name])

    def forget(self) -> None:
        """Take away its log, what was told to it and its rows in the audit store."""
        shutil.rmtree(self.rig.directory)
        shutil.rmtree(self.var_dir / "spool" / self.name, ignore_errors=True)
        if self._mirrored:
            forget_session(self.number)

    def open_reconciliation(self) -> str:
        """The public id of its last comparison."""
        return self.events("book.reconciled")[-1].public_id


@contextmanager
def disputed(
    var_dir: Path,
    exchange_dir: Path,
    *,
    way: str = "ok",
    stray: int = STRAY_UNITS,
    keeps_book: bool = True,
) -> Iterator[Disputed]:
    """The session, held before its first instant: its day is open and the broker, which treats
    orders in its `way` and holds so many stray units, was asked if it keeps its own book.
    """
    with ExitStack() as closing:
        exchange = Exchange(exchange_dir, way)
        closing.callback(exchange.stop)
        broker = SocketBroker(exchange.port, limits=LIMITS, timeout_seconds=PATIENCE_SECONDS)
        with ThreadPoolExecutor(1) as beside:  # a browser test has an event loop in this thread
            held = broker._ask("position", contract=STRAY, units=stray)
            beside.submit(asyncio.run, held).result()
        session = Disputed(var_dir, exchange, keeps_book=keeps_book)
        closing.callback(session.forget)
        closing.enter_context(session.running())
        yield session
