"""`python -m tests.trading.engine.session_at_exchange VAR_DIR PORT KILL_LOOK POINT`: a session that
trades at the broker of that port, and kills itself with SIGKILL at a point. KILL_LOOK is the look
(see `desk_bed`) before which somebody presses the kill switch, 0: nobody does.

    -                                 nowhere: it runs to its end
    written:KIND:WORD:NUMBER:WHEN     in the write of the NUMBERth event of a kind that is of that
                                      purpose or status; WHEN is `before` any of it, `torn` half of
                                      it on disk, or `unsynced` with all of it written
    submit:NUMBER:WHEN                the NUMBERth order, `before` or `after` the broker had it
    cancel:NUMBER:WHEN                likewise a cancellation
    news:NUMBER:after                 the NUMBERth news of fills were heard and nothing is written
"""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import trading.engine.runner as runner_module
from journal.log.files import Files
from journal.log.writer import LogWriter
from tests.trading.engine.desk_bed import FIRES, Desk, firing, frame, tell
from tests.trading.engine.test_reconciliation import LIMITS
from tests.trading.execution.socket_broker import SocketBroker
from trading.execution.orders import FILLS

if TYPE_CHECKING:
    from trading.execution.broker import Moment, Report
    from trading.execution.orders import Order

FEED = [*firing(), *[frame(minute, FIRES) for minute in range(6, 30)]]


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DyingFiles(Files):
    """Real files until an event is written."""

    def __init__(self, kind: str, word: str, number: str, when: str) -> None:
        self.kind, self.word, self.left, self.when = kind, word, int(number), when
        self.dies_at_sync = False

    def write_all(self, descriptor: int, data: bytes) -> None:
        """A batch; in the middle of the event's own line where it is torn."""
        at = 0
        for line in data.splitlines(keepends=True):
            self.left -= self._is_it(line)
            if not self.left and not self.dies_at_sync:
                self._meet(descriptor, data, at + len(line) // 2)
            at += len(line)
        super().write_all(descriptor, data)

    def sync(self, descriptor: int) -> None:
        if self.dies_at_sync:
            die()
        super().sync(descriptor)

    def _meet(self, descriptor: int, data: bytes, middle: int) -> None:
        if self.when == "torn":
            super().write_all(descriptor, data[:middle])
        if self.when != "unsynced":
            die()
        self.dies_at_sync = True

    def _is_it(self, line: bytes) -> bool:
        try:
            body = json.loads(line)["event"]["body"]
        except (ValueError, KeyError, TypeError):
            return False  # a file beside the log
        data = body["data"]
        return body["kind"] == self.kind and self.word in {data.get("purpose"), data.get("status")}


class DyingBroker(SocketBroker):
    """The adapter, until something was sent or heard."""

    def __init__(self, port: int, what: str, number: str, when: str) -> None:
        super().__init__(port, limits=LIMITS, timeout_seconds=10)
        self.what, self.left, self.when = what, int(number), when

    async def submit(self, order: Order, *, at: int) -> list[Report]:
        self._meet("submit", "before")
        reports = await super().submit(order, at=at)
        self._meet("submit", "after")
        return reports

    async def cancel(self, order: str, *, at: int) -> list[Report]:
        self._meet("cancel", "before")
        reports = await super().cancel(order, at=at)
        self._meet("cancel", "after")
        return reports

    async def reports(self, moment: Moment) -> list[Report]:
        reports = await super().reports(moment)
        if any(report["status"] in FILLS for report in reports):
            self._meet("news", "after")
        return reports

    def _meet(self, what: str, when: str) -> None:
        if (what, when) == (self.what, self.when):
            self.left -= 1
            if not self.left:
                die()


def main(var_dir: str, port: str, kill_look: str, point: str) -> None:
    """Run, or continue, the session to its end."""
    told = {int(kill_look): [tell(1, "kill")]} if int(kill_look) else {}
    desk = Desk(Path(var_dir), FEED, told)
    what, *rest = point.split(":")
    if what == "written":
        files = DyingFiles(*rest)
        runner_module.LogWriter = functools.partial(LogWriter, files=files)  # type: ignore[misc,assignment]
    how = (what, *rest) if what in {"submit", "cancel", "news"} else ("-", "0", "-")
    desk.rig.broker_of = lambda _: DyingBroker(int(port), *how)
    desk.rig.run()


if __name__ == "__main__":
    main(*sys.argv[1:5])
