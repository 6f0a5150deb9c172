"""A session in memory: the engine, its outbox and the paper broker, fed as the runner feeds them,
with no log, spool or wall clock between them.
"""

from __future__ import annotations

import asyncio
from itertools import groupby
from typing import TYPE_CHECKING, Any

from journal.events import Event
from trading.engine.engine import Engine
from trading.engine.inputs import day_inputs
from trading.engine.opening import day_data, opening_instant, trading_day
from trading.engine.outbox import Outbox
from trading.engine.plan import paper_broker
from trading.engine.settlement import expiring_underlyings, settlement_data
from trading.execution.broker import Moment
from trading.execution.settlement import Settlements, no_settlements
from trading.market.calendar import session_hours

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from trading.engine.configuration import Configuration
    from trading.engine.inputs import FeedInput
    from trading.market.frames import MarketFrame

MINUTE_US = 60_000_000


class MemorySession:
    """Runs days of frames to the session's end; `events` are those a log of it would hold.

    The clock ticks every `tick_minutes` from the open, and at the close; a recorded day's ticks
    every minute.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        session: str = "day1",
        tick_minutes: int = 1,
        settlements_of: Callable[[date], Settlements] = no_settlements,
    ) -> None:
        self.configuration, self.session = configuration, session
        self.engine, self.events = Engine(session), list[Event]()
        self._tick_us, self._settlements_of = tick_minutes * MINUTE_US, settlements_of
        self._broker = paper_broker(configuration)
        self._outbox = Outbox(
            self._broker,
            give=self._give,
            commit=self._commit,
            now=lambda: self.engine.state.ts,
            progress=lambda _: None,
        )

    def run(self, days: Sequence[date], frames_of: Callable[[date], Sequence[MarketFrame]]) -> None:
        """Run the days, which ascend, and end the session."""
        asyncio.run(self._run(days, frames_of))

    async def _run(
        self, days: Sequence[date], frames_of: Callable[[date], Sequence[MarketFrame]]
    ) -> None:
        for day in days:
            frames = frames_of(day)
            await self._open_day(day, frames)
            hours = session_hours(day)
            inputs = [
                item
                for item in day_inputs(frames, open_us=hours.open_us, close_us=hours.close_us)
                if item.frame is not None
                or item.ts == hours.close_us
                or (item.ts - hours.open_us) % self._tick_us == 0
            ]
            for ts, group in groupby(inputs, key=lambda item: item.ts):
                await self._run_instant(day, ts, list(group), closes=ts >= hours.close_us)
        await self._give("session.ended", self.engine.state.ts, {"reason": "feed ended"})

    async def _open_day(self, day: date, frames: Sequence[MarketFrame]) -> None:
        ts = max(opening_instant(day, frames), self.engine.state.ts)
        told = {
            "configuration": self.configuration.to_data(),
            "configuration_digest": self.configuration.digest,
            "code_version": "test",
        }
        if self.engine.next_seq == 1:
            await self._give("session.opened", ts, told | {"number": 1})
        data = day_data(
            day,
            configuration=self.configuration,
            code_version="test",
            known_at_us=ts,
            halts_from={},
            state=self.engine.dump(),
            state_digest=self.engine.digest(),
        )
        await self._give("day.opened", ts, data, key=day.isoformat())
        assert self.engine.state.day is not None
        await self._broker.open_day(trading_day(self.engine.state.day))

    async def _run_instant(
        self, day: date, ts: int, group: Sequence[FeedInput], *, closes: bool
    ) -> None:
        if closes:
            await self._outbox.send(paced=False)
        frames = [item.frame for item in group if item.frame is not None]
        await self._outbox.hear(Moment(ts, frames, {} if closes else None))
        if closes:
            await self._settle(day, ts)
        for item in group:
            await self._give(item.kind, ts, item.data, key=item.key)

    async def _settle(self, day: date, ts: int) -> None:
        due = expiring_underlyings(self.engine.state.trades.values(), day.isoformat())
        prices = self._settlements_of(day) if due else {}
        for name in due:
            if name in prices:
                data = settlement_data(name, day.isoformat(), prices[name], tariff=None)
                await self._give("settlement.published", ts, data, key=name)

    async def _commit(self) -> None:
        """Nothing is kept, so nothing is waited for."""

    async def _give(
        self,
        kind: str,
        ts: int,
        data: dict[str, Any],
        *,
        key: str | None = None,
        cause: tuple[int, ...] = (),
    ) -> Event:
        event = Event(
            session=self.session,
            seq=self.engine.next_seq,
            ts=ts,
            kind=kind,
            data=data,
            cause=cause,
            key=key,
        )
        derived = self.engine.on(event)
        self.events += [event, *derived]
        self._outbox.note(derived)
        if kind not in {"order.submitted", "broker.report"}:
            await self._outbox.send()
        return event
