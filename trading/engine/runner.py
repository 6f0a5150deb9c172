"""Running a session: feed → engine → log → broker, the only place where the engine meets the world.

Write-ahead: an input and what was derived from it are one batch on the bus, and the tap takes it
into the log while the engine goes on; an order leaves only after the commit that holds its intent
has returned, and its attempt is committed before it is sent. The clock, the paths, the sleep and
the broker are arguments.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import date
from itertools import groupby
from typing import TYPE_CHECKING, Any

from journal.events import Event
from journal.kill_file import read_kill_file
from journal.log.errors import LogError, WalOverflowError
from journal.log.packing import pack_closed_days
from journal.log.portfolio_keeper import PortfolioKeeper
from journal.log.run_record import RunRecord
from journal.log.session import allocate_session_number, session_directory
from journal.log.tap import EventBus, WalTap
from journal.log.writer import LogWriter
from journal.spool import (
    SpoolError,
    read_command,
    settle_command,
    waiting_commands,
)
from trading.engine.engine import Engine
from trading.engine.inputs import FeedInput, day_inputs
from trading.engine.kill_switch import is_stopped, reach
from trading.engine.live import LiveDay
from trading.engine.opening import (
    OPENS_BEFORE_US,
    day_data,
    opening_instant,
    tariff_of,
    trading_day,
)
from trading.engine.outbox import Outbox
from trading.engine.reconciliation import DAY_OPENED, DOUBT, RESTART, statement_data
from trading.engine.resume import Resumption, resume
from trading.engine.settlement import expiring_underlyings, settlement_data, unsettled_expiries
from trading.execution.broker import Moment, UnreachableError
from trading.market.calendar import session_hours
from trading.market.feeds.live import LiveAssembly
from trading.market.feeds.live_halts import DayHeard, live_halts

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from trading.engine.inputs import FeedKey
    from trading.engine.plan import Plan, World
    from trading.execution.closing import Closes
    from trading.market.calendar import SessionHours
    from trading.market.feeds.live import LiveFeed

POLL_SECONDS = 0.05


class SessionError(LogError):
    """A session cannot be run as asked."""


class Stopped(Exception):  # noqa: N818 - asked for, not an error
    """The runner was asked to stop; the session can be continued."""


class SessionRunner:
    """One session from where its log ends to its end."""

    def __init__(self, plan: Plan, world: World) -> None:
        self.plan = plan
        self.world = world
        self.engine = Engine(plan.session)
        self._broker = world.broker_of(plan.configuration)
        self._outbox = Outbox(
            self._broker,
            give=self._step,
            commit=self._commit,
            now=lambda: self.engine.state.ts,
            progress=world.progress,
        )
        self._packing: asyncio.Task[list[Path]] | None = None
        self._pace: tuple[int, int] | None = None  # (event time, wall clock) of the last change

    def run(self) -> Engine:
        """Run to the end, in an event loop of its own; return the engine as it ended.

        Raises SessionError for a finished session or another configuration, LogError when the log
        cannot be written or continued, Stopped when asked to stop.
        """
        return asyncio.run(self._run())

    async def _run(self) -> Engine:
        session = self.plan.session
        self._directory = session_directory(self.world.var_dir, session)
        number = allocate_session_number(self.world.var_dir, session)
        with (
            LogWriter(
                self._directory,
                session=session,
                number=number,
                clock=self.world.clock,
                durability=self.plan.durability,
            ) as self._log,
            PortfolioKeeper(
                self._log, clock=self.world.clock, report=self.world.progress
            ) as keeper,
            self._run_record() as record,
        ):
            resumption = resume(self._directory, session)
            keeper.start()  # also of a session that is finished: it may have been killed at its end
            self._refuse_other(resumption)
            record.start(
                configuration_digest=self.plan.configuration.digest,
                code_version=self.plan.code_version,
                data=self.plan.data,
            )
            try:
                async with WalTap(self._log, committed=keeper.committed) as self._tap:
                    self._bus = EventBus()
                    self._bus.subscribe(self._tap.take)
                    self._bus.subscribe(self._outbox.note)
                    await self._run_from(resumption, number)
            finally:
                await self._packed()
        return self.engine

    def _run_record(self) -> RunRecord:
        return RunRecord(
            self._log,
            clock=self.world.clock,
            report=self.world.progress,
            process=self.world.process,
            stops=(Stopped, KeyboardInterrupt, asyncio.CancelledError),
        )

    async def _run_from(self, resumption: Resumption, number: int) -> None:
        await self._continue(resumption)
        if self.engine.state.next_seq == 1:
            await self._open_session(number)
        if not self.engine.state.ended:
            for day in self._days():
                await self._run_day(day, resumption)
            if self.plan.ends:
                await self._step("session.ended", self.engine.state.ts, {"reason": "feed ended"})

    def _days(self) -> list[date]:
        """The days of the plan, after the one that was left open."""
        opened = self.engine.state.day
        left = [] if opened is None or opened.closed else [date.fromisoformat(opened.date)]
        return sorted({*left, *self.plan.days})

    # --- where the log left off ---

    def _refuse_other(self, resumption: Resumption) -> None:
        session, opening = self.plan.session, resumption.first_opening
        if resumption.finished:
            raise SessionError(f"session {session} is finished; choose another name")
        if opening and opening["configuration_digest"] != self.plan.configuration.digest:
            raise SessionError(
                f"session {session} was started with configuration "
                f"{opening['configuration_digest'][:12]}, "
                f"not {self.plan.configuration.digest[:12]}; "
                "continue it with its own or choose another name"
            )

    async def _continue(self, resumption: Resumption) -> None:
        """Take over the engine, write what a torn batch still owed, and settle orders between
        intent and answer.
        """
        self.engine = resumption.engine
        self._halts = resumption.halts
        if self.engine.state.next_seq > 1:
            self.world.progress(f"continuing after seq {self.engine.state.next_seq - 1}")
        if resumption.owed:
            self._bus.publish(resumption.owed)
        if self.engine.state.day is not None:
            await self._broker.open_day(trading_day(self.engine.state.day))
        await self._broker.restore(resumption.sent(), resumption.holdings)
        await self._outbox.take_up(resumption)
        day = self.engine.state.day
        if self._broker.limits.keeps_book and day is not None and not day.closed:
            await self._reconcile(RESTART)
        else:
            await self._reconcile_if_due()

    # --- one day ---

    async def _open_session(self, number: int) -> None:
        first = self.plan.days[0]
        ts = await self._opening(first)
        if self._log.date is None:
            await self._rotate(first.isoformat())
        await self._step(
            "session.opened",
            ts,
            {
                "configuration": self.plan.configuration.to_data(),
                "configuration_digest": self.plan.configuration.digest,
                "code_version": self.plan.code_version,
                "number": number,
            },
        )

    async def _run_day(self, day: date, resumption: Resumption) -> None:
        opened = self.engine.state.day
        iso = day.isoformat()
        if opened is not None and (iso < opened.date or (iso == opened.date and opened.closed)):
            return
        after = None
        if opened is not None and iso == opened.date:
            after = resumption.last_feed_key
        else:
            await self._open_day(day)
        await self._settle_late()
        hours = session_hours(day)
        live = self.plan.live
        instants = self._live(live, hours) if live else self._recorded(hours, after)
        async with aclosing(instants):
            async for group in instants:
                await self._take_commands()
                if group:
                    closing = group[0].ts >= hours.close_us
                    closes = self.plan.closes_of(day) if closing else None
                    await self._run_instant(group, closes=closes)
        self.world.progress(f"{iso} closed at seq {self.engine.state.next_seq - 1}")

    async def _recorded(
        self, hours: SessionHours, after: FeedKey | None
    ) -> AsyncGenerator[list[FeedInput], None]:
        """The inputs of a stored day, instant by instant, each when its time has come."""
        feed = self.plan.frames_of(hours.day)
        inputs = day_inputs(feed, open_us=hours.open_us, close_us=hours.close_us)
        remaining = (item for item in inputs if after is None or item.sort_key > after)
        for ts, group in groupby(remaining, key=lambda item: item.ts):
            await self._wait_until(ts)
            yield list(group)

    async def _live(
        self, feed: LiveFeed, hours: SessionHours
    ) -> AsyncGenerator[list[FeedInput], None]:
        """The inputs of a live day as they come."""
        underlyings, shown = self.plan.configuration.underlyings, self.plan.configuration.feed
        state = self.engine.state
        halted = [name for name, seen in state.underlyings.items() if seen.halted]
        halts = live_halts(hours, underlyings, self._halts, halted=halted, from_us=state.ts)
        assembly = LiveAssembly(
            feed,
            underlyings,
            expiries=shown.expiries,
            strikes_each_side=shown.strikes_each_side,
            from_us=max(hours.open_us, self.world.clock(), state.ts),
            halted=halted,
            halts=halts,
        )
        day = LiveDay(
            feed,
            assembly,
            hours,
            clock=self.world.clock,
            after_us=state.ts,
            refused=self.world.progress,
        )
        async with aclosing(day.instants()) as instants:
            async for group in instants:
                if self.world.stopping():
                    raise Stopped
                yield group

    async def _opening(self, day: date) -> int:
        """When a day opens, µs UTC; a live one is waited for."""
        if self.plan.live is None:
            return opening_instant(day, self.plan.frames_of(day))
        opens = session_hours(day).open_us - OPENS_BEFORE_US
        if self.world.clock() < opens:
            self.world.progress(f"{day}: waiting for the market to open")
        while (now := self.world.clock()) < opens:
            if self.world.stopping():
                raise Stopped
            await self.world.sleep(POLL_SECONDS)
        return now

    async def _open_day(self, day: date) -> None:
        iso = day.isoformat()
        ts = max(await self._opening(day), self.engine.state.ts)
        if self._log.date != iso:
            await self._rotate(iso)
        self._halts = DayHeard(self.plan.halts_from(day))
        data = day_data(
            day,
            configuration=self.plan.configuration,
            code_version=self.plan.code_version,
            known_at_us=ts,
            halts_from=self._halts.previous_closes,
            state=self.engine.dump(),
            state_digest=self.engine.digest(),
        )
        brings = "live" if self.plan.live else f"{len(self.plan.frames_of(day))} frames"
        self.world.progress(f"{iso} opens, {brings}")
        await self._step("day.opened", ts, data, key=iso)
        assert self.engine.state.day is not None  # noqa: S101 - it has just been opened
        await self._broker.open_day(trading_day(self.engine.state.day))
        if self._broker.limits.keeps_book:
            await self._reconcile(DAY_OPENED)

    async def _run_instant(self, group: list[FeedInput], *, closes: Closes | None) -> None:
        """Take everything of one instant: what the broker says first, then the feed's inputs.
        `closes` are there at the day's close.
        """
        if closes is not None:
            await self._outbox.send(paced=False)  # orders are valid for the day
        frames = [item.frame for item in group if item.frame is not None]
        await self._outbox.hear(Moment(group[0].ts, frames, closes))
        await self._reconcile_if_due()
        if closes is not None:
            await self._settle(group[0].ts)
        for item in group:
            await self._step(item.kind, item.ts, item.data, key=item.key)

    async def _settle(self, ts: int) -> None:
        """Give the engine the settlement prices of what it holds that expires today. What was
        settled before an interruption is no longer held, so nothing is given twice.
        """
        day = self.engine.state.day
        if day is not None and not day.closed:
            await self._settle_expiry(day.date, ts)

    async def _settle_late(self) -> None:
        """Give the engine the settlement prices of what expired before today unsettled, where there
        are any by now.
        """
        state = self.engine.state
        if state.day is not None and not state.day.closed:
            for expiry in unsettled_expiries(state.trades.values(), state.day.date):
                await self._settle_expiry(expiry, state.ts)

    async def _settle_expiry(self, expiry: str, ts: int) -> None:
        due = expiring_underlyings(self.engine.state.trades.values(), expiry)
        prices = self.plan.settlements_of(date.fromisoformat(expiry)) if due else {}
        for underlying in due:
            if underlying in prices:
                price, tariff = prices[underlying], self._tariff_of(expiry)
                data = settlement_data(underlying, expiry, price, tariff=tariff)
                await self._step("settlement.published", ts, data, key=underlying)

    def _tariff_of(self, expiry: str) -> dict[str, Any] | None:
        """The rates of an expiry of before today; today's are known to the engine."""
        day = self.engine.state.day
        if day is None or day.date == expiry:
            return None
        return tariff_of(self.plan.configuration, date.fromisoformat(expiry))

    # --- input → commit → orders ---

    async def _step(
        self,
        kind: str,
        ts: int,
        data: dict[str, Any],
        *,
        key: str | None = None,
        cause: tuple[int, ...] = (),
    ) -> Event:
        """Give one input to the engine, publish it with what it derived, then let its orders go."""
        await self._make_room()
        event = Event(
            session=self.plan.session,
            seq=self.engine.next_seq,
            ts=ts,
            kind=kind,
            data=data,
            cause=cause,
            key=key,
        )
        self._bus.publish([event, *self.engine.on(event)])
        if kind not in {"order.submitted", "broker.report"}:
            await self._outbox.send()
        return event

    # --- the book against the broker's ---

    async def _reconcile_if_due(self) -> None:
        """Compare book and broker where the engine wants it, or where an order's answer did not
        come from a broker that keeps its own book.
        """
        due, unsettled = self.engine.state.reconciliation.due, self._outbox.take_unsettled()
        if due is not None:
            await self._reconcile(due.why, due.detail, cause=(due.seq,))
        elif unsettled is not None and self._broker.limits.keeps_book:
            await self._reconcile(DOUBT, unsettled)

    async def _reconcile(
        self, why: str, detail: str | None = None, *, cause: tuple[int, ...] = ()
    ) -> None:
        """Ask the broker what it works and holds, and let the engine compare. What a broker with a
        book of its own has to say of working orders is heard first.
        """
        state, statement, problem = self.engine.state, None, None
        if self._broker.limits.keeps_book:
            working = [name for name, order in state.orders.items() if not order.over]
            await self._outbox.ask_after_all(working)
        try:
            statement = await self._broker.statement(at=state.ts)
        except UnreachableError as error:
            problem = str(error) or "no answer"
            self.world.progress(f"{self._broker.name} cannot be asked: {problem}")
        data = statement_data(
            statement, broker=self._broker.name, why=why, detail=detail, problem=problem
        )
        await self._step("broker.statement", state.ts, data, cause=cause)

    async def _commit(self) -> None:
        await self._tap.commit()

    # --- the log ---

    async def _make_room(self) -> None:
        """Have room in the queue to the log before the engine moves on.

        A feed that can wait waits. One that cannot goes into safe mode once there is room: nothing
        new is opened, what is open may be closed, and the log says why.
        """
        try:
            self._tap.require_room()
        except WalOverflowError as overflow:
            await self._tap.room()
            if self._is_safe_mode_due():
                await self._fall_safe(str(overflow))
                await self._tap.room()

    def _is_safe_mode_due(self) -> bool:
        """Tell whether the feed cannot wait and something could still be opened: outside an open
        day nothing can, and no command is taken.
        """
        state = self.engine.state
        is_open = state.day is not None and not state.day.closed
        cannot_wait = self.plan.speed is not None or self.plan.live is not None
        return cannot_wait and is_open and state.kill is None

    async def _fall_safe(self, reason: str) -> None:
        await self._command(
            {
                "id": f"SAFE-{self.engine.next_seq}",
                "command": "kill",
                "arguments": {},
                "actor": "runner",
                "address": "local",
                "reason": f"safe mode: {reason}",
                "issued_at": self.world.clock(),
            }
        )

    async def _rotate(self, date: str) -> None:
        """Open a day's file, and pack the closed ones while the day goes on."""
        await self._tap.commit()
        self._log.open_day(date)
        await self._packed()
        if self.plan.pack:
            self._packing = asyncio.create_task(
                asyncio.to_thread(pack_closed_days, self._directory)
            )

    async def _packed(self) -> None:
        """Wait until closed days are packed; one that cannot be stays plain, and loses nothing."""
        if self._packing is None:
            return
        try:
            await self._packing
        except (OSError, LogError) as error:
            self.world.progress(f"not packed: {error}")
        self._packing = None

    # --- people ---

    async def _take_commands(self) -> None:
        """Log and obey what waits in the spool, and the KILL file; each exactly once."""
        for path in waiting_commands(var_dir=self.world.var_dir, session=self.plan.session):
            try:
                command = read_command(path, key=self.world.spool_key)
            except SpoolError as error:
                settle_command(path, refused=str(error))
                self.world.progress(f"refused: {error}")
                continue
            if command.id not in self.engine.state.command_ids:
                await self._command(
                    {
                        "id": command.id,
                        "command": command.command,
                        "arguments": command.arguments,
                        "actor": command.actor,
                        "address": command.address,
                        "reason": command.reason,
                        "issued_at": command.issued_at,
                    }
                )
            await self._tap.commit()
            settle_command(path)
        await self._obey_kill_file()

    async def _obey_kill_file(self) -> None:
        """Set each stop of the file that does not stand. The file wins over whoever re-armed beside
        it, so each time the command has an id of its own.
        """
        file = read_kill_file(self.world.var_dir)
        strategies = self.plan.configuration.strategies.names
        if file is None:
            return
        for stop in file.stops:
            if is_stopped(self.engine.state, reach(stop.strategy, strategies), hold=stop.hold):
                continue
            scope = {} if stop.strategy is None else {"strategy": stop.strategy}
            await self._command(
                {
                    "id": f"KILL-{file.written_at_ns}-{self.engine.next_seq}",
                    "command": "kill",
                    "arguments": scope | ({"hold": True} if stop.hold else {}),
                    "actor": "KILL file",
                    "address": "local",
                    "reason": stop.reason or "the KILL file exists",
                    "issued_at": file.written_at_ns // 1000,
                }
            )

    async def _command(self, data: dict[str, Any]) -> None:
        self.world.progress(f"{data['command']} by {data['actor']}: {data['reason']}")
        await self._step("operator.command", self.engine.state.ts, data, key=data["id"])
        if data["command"] == "reconcile":
            await self._reconcile_if_due()

    # --- pace ---

    async def _wait_until(self, ts: int) -> None:
        """Wait until the wall clock reaches an input's time at the plan's speed, obeying commands
        meanwhile.
        """
        if self.world.stopping():
            raise Stopped
        if self.plan.speed is None:
            return
        now = self.world.clock()
        if self._pace is None:
            self._pace = (ts, now)
        from_ts, from_clock = self._pace
        due = from_clock + (ts - from_ts) / self.plan.speed
        while (now := self.world.clock()) < due:
            await self.world.sleep(min(POLL_SECONDS, (due - now) / 1e6))
            await self._take_commands()
            if self.world.stopping():
                raise Stopped
