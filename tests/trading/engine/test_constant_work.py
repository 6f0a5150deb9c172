"""What an event costs does not depend on how many orders went before it.

Work is counted, not timed: the bytecodes that run. Two desks see the same frames at the same
instants; one has traded in all of them, the other in the last quarter only. What they then do for
the same further events may differ by nothing that grows with the past.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from journal.events import Event
from tests.market_factory import DAYS, MINUTE_US, chain_frame, factory_configuration
from tests.trading.engine.desk_bed import CALM, FIRES
from trading.engine.configuration import configuration_from_data
from trading.engine.engine import Engine
from trading.engine.opening import day_data, trading_day
from trading.engine.outbox import Outbox
from trading.engine.plan import paper_broker
from trading.execution.broker import Moment
from trading.market.calendar import session_hours

if TYPE_CHECKING:
    from types import FrameType


TRADES = 80
CYCLE_US = 200_000_000
WINDOW = 250  # figures a breaker remembers at most
# What may differ: whether a bounded window has just been cut.
SLACK = 0.002
# A desk that may trade all day, whatever it loses.
FREE = {"entries_per_day": 10**6, "losses_in_a_row": 10**6, "slippage_floor_paise": 10**6}


class Desk:
    """The engine, the outbox and the paper broker without a log between them."""

    def __init__(self) -> None:
        data = factory_configuration(
            costs={"profile": "ZERODHA"}, lookback_snapshots=5, hold_minutes=1
        ).to_data()
        data["gates"]["last_entry"] = "15:00"
        self.configuration = configuration_from_data(data, where="test")
        self.engine, self.work = Engine("day1"), Counter[str]()
        self.counting = False
        self.broker = paper_broker(self.configuration)
        self.outbox = Outbox(
            self.broker,
            give=self.give,
            commit=self.commit,
            now=lambda: self.engine.state.ts,
            progress=print,
        )

    async def open(self) -> None:
        hours = session_hours(DAYS[0])
        now = hours.open_us - MINUTE_US
        opening = {
            "configuration": self.configuration.to_data(),
            "configuration_digest": self.configuration.digest,
            "code_version": "test",
        }
        await self.give("session.opened", now, opening | {"number": 1})
        day = day_data(
            DAYS[0],
            configuration=self.configuration,
            code_version="test",
            known_at_us=now,
            halts_from={},
            state=self.engine.dump(),
            state_digest=self.engine.digest(),
        )
        await self.give("day.opened", now, day)
        assert self.engine.state.day is not None
        await self.broker.open_day(trading_day(self.engine.state.day))
        risk = self.engine.state.risk
        risk.limit_changes = dict(FREE)
        # Bounded memories are full from the start: a desk fills them within a day.
        risk.slippage_paise, risk.changes_paise = [0] * WINDOW, [0] * WINDOW

    async def commit(self) -> None:
        """Nothing is kept, so nothing is waited for."""

    async def give(
        self,
        kind: str,
        ts: int,
        data: dict[str, Any],
        *,
        key: str | None = None,
        cause: tuple[int, ...] = (),
    ) -> Event:
        event = Event(
            session="day1",
            seq=self.engine.next_seq,
            ts=ts,
            kind=kind,
            data=data,
            cause=cause,
            key=key,
        )
        with Bytecodes(on=self.counting) as counted:
            derived = self.engine.on(event)
        self.work[kind] += counted.count
        self.outbox.note(derived)
        if kind not in {"order.submitted", "broker.report"}:
            await self.outbox.send()
        return event

    async def cycle(self, number: int) -> None:
        """A trade from its signal to the archive."""
        start = session_hours(DAYS[0]).open_us + 10 * MINUTE_US + number * CYCLE_US
        for place, level in enumerate((*CALM, FIRES, 0.13, 0.13, 0.13, 0.13, 0.13)):
            frame = chain_frame("NIFTY", start + place * 18_000_000, level)
            await self.outbox.hear(Moment(frame.available_at, [frame]))
            if place % 3 == 0:
                await self.give("clock.tick", frame.available_at, {})
            await self.give("market.frame", frame.available_at, frame.to_data())


class Bytecodes:
    """Counts the bytecodes that run in this thread while it is open, when it is told to."""

    def __init__(self, *, on: bool) -> None:
        self.on, self.count = on, 0

    def __enter__(self) -> Bytecodes:
        if self.on:
            sys.settrace(self._enter)
        return self

    def __exit__(self, *_: object) -> None:
        if self.on:
            sys.settrace(None)

    def _enter(self, frame: FrameType, _event: str, _argument: object) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return self._count

    def _count(self, _frame: FrameType, event: str, _argument: object) -> Any:
        self.count += event == "opcode"
        return self._count


async def worked(traded: int) -> Desk:
    """A desk after `TRADES` cycles, in the last `traded` of which it was allowed to trade, and the
    work of one more cycle.
    """
    desk = Desk()
    await desk.open()
    for number in range(TRADES):
        desk.engine.state.risk.disabled = {} if number >= TRADES - traded else {"S4": "waits"}
        await desk.cycle(number)
    desk.counting = True
    await desk.cycle(TRADES)
    return desk


@pytest.fixture(scope="module")
def desks() -> tuple[Desk, Desk]:
    return asyncio.run(worked(TRADES // 4)), asyncio.run(worked(TRADES))


def test_four_times_the_past_orders_are_no_more_work(desks: tuple[Desk, Desk]) -> None:
    few, many = desks
    # Two legs in, two legs out.
    assert few.engine.state.counts["order.intended"] == 4 * (TRADES // 4 + 1)
    assert many.engine.state.counts["order.intended"] == 4 * (TRADES + 1)
    worked_on = {kind for kind, work in few.work.items() if work}
    assert worked_on == {"market.frame", "clock.tick", "order.submitted", "broker.report"}
    for kind in sorted(worked_on):
        assert abs(many.work[kind] - few.work[kind]) <= SLACK * few.work[kind], kind


def test_four_times_the_past_orders_are_no_more_memory(desks: tuple[Desk, Desk]) -> None:
    """But for the day's orders themselves: a late report of one is told from a stranger's by its
    id, which is looked up and never walked to.
    """
    dumps = [desk.engine.dump() for desk in desks]
    assert [len(dump.pop("orders")) for dump in dumps] == [4 * (TRADES // 4 + 1), 4 * (TRADES + 1)]
    assert leaves(dumps[0]) == leaves(dumps[1])


def leaves(value: Any) -> int:
    if isinstance(value, dict):
        return sum(map(leaves, value.values()))
    if isinstance(value, list):
        return sum(map(leaves, value))
    return 1


def test_the_count_sees_work_that_grows() -> None:
    """A sum over a list that is four times as long is four times the work."""
    counts = []
    for size in (100, 400):
        with Bytecodes(on=True) as counted:
            sum(number for number in range(size))
        counts.append(counted.count)
    assert counts[1] > 3 * counts[0]
