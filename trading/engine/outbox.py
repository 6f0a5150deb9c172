"""Orders on their way out, and what the broker says on its way in.

An intent is submitted once, after the commit that holds it; its attempt is committed before it is
sent. No more leave in a second of event time than the broker takes. What is not answered in time
has an unknown outcome: the broker is asked after it, and no order is ever sent again. What a broker
with a book of its own says then settles it: an order that it does not know never came in and has
ended; a cancellation whose order still works is sent again.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from trading.engine.orders import (
    NOT_SENT,
    loss_data,
    order_of_intent,
    submission_data,
    withdrawal_data,
)
from trading.execution.broker import Moment, UnknownOutcomeError, UnreachableError
from trading.execution.orders import TERMINAL

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from journal.events import Event
    from trading.engine.resume import Resumption, Submission
    from trading.execution.broker import Broker, Report

SECOND_US = 1_000_000


class Give(Protocol):
    """Gives the engine one input, and publishes it with what was derived."""

    async def __call__(
        self,
        kind: str,
        ts: int,
        data: dict[str, Any],
        *,
        key: str | None = None,
        cause: tuple[int, ...] = (),
    ) -> Event: ...


class _Awaited(NamedTuple):
    """What an answer is awaited to: an order, or its cancellation."""

    order: str
    cancels: bool


class Outbox:
    """The orders of a session between the engine and its broker.

    `give` takes an input to the engine, `commit` waits until all of it is durable, `now` is event
    time in µs UTC, `progress` takes a line for people.
    """

    def __init__(
        self,
        broker: Broker,
        *,
        give: Give,
        commit: Callable[[], Awaitable[None]],
        now: Callable[[], int],
        progress: Callable[[str], None],
    ) -> None:
        self._broker, self._give, self._commit = broker, give, commit
        self._now, self._progress = now, progress
        self._intents: deque[Event] = deque()
        self._submitted: dict[str, tuple[Event, Event]] = {}  # by order: its intent and attempt
        self._cancels: dict[str, tuple[Event, int]] = {}  # by order: its last one, and attempts
        self._told: set[str] = set()  # orders the broker has said something of
        self._awaited: dict[_Awaited, int] = {}  # since when
        self._sent_at: deque[int] = deque()  # of the last second
        self._heard: set[str] = set()  # ids of reports
        self._unsettled: str | None = None  # an order of unknown outcome, until it is reconciled

    def note(self, batch: Sequence[Event]) -> None:
        """Take up the intents among what was derived."""
        self._intents.extend(event for event in batch if event.kind == "order.intended")

    async def take_up(self, resumption: Resumption) -> None:
        """Go on where a log left off: ask after what was sent and not answered, then send what
        never left.
        """
        self._intents.clear()
        for each in resumption.submissions:
            if each.submitted is not None:
                self._remember(each, each.submitted)
        for awaited in list(self._awaited):
            await self._ask_after(awaited)
        self._intents.extend(resumption.unsubmitted())
        await self.send()

    async def send(self, *, paced: bool = True) -> None:
        """Submit what is intended, in order, as far as the broker takes it now; answers may intend
        more. What is cancelled before it left never leaves.
        """
        await self._withdraw()
        while self._intents and (not paced or self._room()):
            intent = self._next()
            await self._commit()
            data = submission_data(
                intent,
                broker=self._broker.name,
                algo_id=self._broker.limits.algo_id,
                attempt=self._attempt(intent),
            )
            submitted = await self._give(
                "order.submitted",
                self._now(),
                data,
                key=intent.data["order"],
                cause=(intent.seq or 0,),
            )
            await self._let_out(intent, submitted)
            await self._withdraw()

    async def hear(self, moment: Moment) -> None:
        """Give the engine what the broker says up to an instant, and ask after what it owes."""
        await self._take(await self._broker.reports(moment), moment.at)
        overdue = moment.at - self._broker.limits.answer_us
        for awaited, since in list(self._awaited.items()):
            if since <= overdue and awaited in self._awaited:
                await self._ask_after(awaited, overdue=True)

    async def ask_after_all(self, orders: Iterable[str]) -> None:
        """Have the broker say all it has to say of orders, so that the book knows what it does."""
        for order in orders:
            await self._ask_after(_Awaited(order, cancels=False))

    def take_unsettled(self) -> str | None:
        """The order whose answer did not come in time, in words, once its outcome is heard of or
        was asked after; None when there is none. Each is given once.
        """
        order = self._unsettled
        if order is None or any(each.order == order for each in self._awaited):
            return None
        self._unsettled = None
        return f"{order}: no answer came in time"

    # --- out ---

    async def _withdraw(self) -> None:
        """End the orders that wait with their own cancellation, or several, behind them."""
        for intent in [each for each in self._intents if not _cancels(each)]:
            order = intent.data["order"]
            both = [each for each in self._intents if each.data["order"] == order]
            if len(both) > 1:
                self._intents = deque(each for each in self._intents if each not in both)
                await self._give(
                    "broker.report",
                    self._now(),
                    withdrawal_data(intent, broker=self._broker.name),
                    key=f"{NOT_SENT}-{intent.data['order']}",
                    cause=tuple(each.seq or 0 for each in both),
                )

    def _attempt(self, intent: Event) -> int:
        """Which attempt an intent is at now; of an order it is always the first."""
        if not _cancels(intent):
            return 1
        last, attempts = self._cancels.get(intent.data["order"], (intent, 0))
        attempt = attempts + 1 if last.seq == intent.seq else 1
        self._cancels[intent.data["order"]] = (intent, attempt)
        return attempt

    def _room(self) -> bool:
        """Whether the broker takes one more now."""
        since = self._now() - SECOND_US
        while self._sent_at and self._sent_at[0] <= since:
            self._sent_at.popleft()
        return len(self._sent_at) < self._broker.limits.orders_per_second

    def _next(self) -> Event:
        """The intent that goes first: the oldest, but what reduces risk before what adds to it when
        not all can go now.
        """
        room = self._broker.limits.orders_per_second - len(self._sent_at)
        chosen = self._intents[0]
        if len(self._intents) > room:
            reducing = (each for each in self._intents if each.data["purpose"] != "entry")
            chosen = next(reducing, chosen)
        self._intents.remove(chosen)
        return chosen

    async def _let_out(self, intent: Event, submitted: Event) -> None:
        """Let an order out of the house, its attempt being durable, and log the answer."""
        await self._commit()
        order, cancels = order_of_intent(intent), _cancels(intent)
        self._sent_at.append(submitted.ts)
        self._awaited[_Awaited(order.order, cancels)] = submitted.ts
        if not cancels:
            self._submitted[order.order] = (intent, submitted)
        try:
            if cancels:
                reports = await self._broker.cancel(order.order, at=submitted.ts)
            else:
                reports = await self._broker.submit(order, at=submitted.ts)
        except UnknownOutcomeError as error:
            self._progress(f"{order.order}: outcome unknown ({error})")
            self._unsettled = order.order
            return
        await self._take(reports, submitted.ts, cause=submitted.seq, send=False)

    # --- in ---

    async def _take(
        self, reports: Iterable[Report], ts: int, *, cause: int | None = None, send: bool = True
    ) -> None:
        """Log what the broker says; what the engine then intends is sent at once, except from
        inside of `send`, which goes on by itself.
        """
        for report in reports:
            order = report["order"]
            caused = cause or self._attempt_seq(order)
            await self._give(
                "broker.report",
                ts,
                report,
                key=report["id"],
                cause=() if caused is None else (caused,),
            )
            self._answered(report)
            if send:
                await self.send()

    def _attempt_seq(self, order: str) -> int | None:
        sent = self._submitted.get(order)
        return None if sent is None else sent[1].seq

    def _answered(self, report: Report) -> None:
        self._heard.add(report["id"])
        self._told.add(report["order"])
        self._awaited.pop(_Awaited(report["order"], cancels=False), None)
        if report["status"] in TERMINAL:
            self._awaited.pop(_Awaited(report["order"], cancels=True), None)

    async def _ask_after(self, awaited: _Awaited, *, overdue: bool = False) -> None:
        """Ask the broker what became of an order whose answer did not come, `overdue`: in time."""
        now = self._now()
        try:
            reports = await self._broker.look_up(awaited.order, at=now)
        except UnreachableError as error:
            self._progress(f"{awaited.order}: the broker cannot be asked ({error})")
            self._awaited[awaited] = now
            return
        if reports is None:
            self._progress(f"{awaited.order}: {self._broker.name} does not know it")
            await self._not_known(awaited, now, overdue=overdue)
            return
        self._awaited.pop(awaited, None)
        await self._take([each for each in reports if each["id"] not in self._heard], now)
        if awaited.cancels and self._broker.limits.keeps_book:
            await self._cancel_again(awaited.order, reports)

    async def _not_known(self, awaited: _Awaited, now: int, *, overdue: bool) -> None:
        """End an order that never came in. One that may yet come is waited for; one the broker has
        spoken of stays as it is, for people to look at.
        """
        never_told = self._broker.limits.keeps_book and awaited.order not in self._told
        if not never_told:
            self._awaited.pop(awaited, None)
        elif overdue and not awaited.cancels:
            intent, submitted = self._submitted[awaited.order]
            self._unsettled = awaited.order
            broker, latency_us = self._broker.name, now - submitted.ts
            await self._take([loss_data(intent, broker=broker, latency_us=latency_us)], now)

    async def _cancel_again(self, order: str, reports: Iterable[Report]) -> None:
        """Send a cancellation again that did not come in: its order still works."""
        if not any(each["status"] in TERMINAL for each in reports):
            self._intents.append(self._cancels[order][0])
            await self.send()

    def _remember(self, each: Submission, submitted: Event) -> None:
        """Take up a submission of the log."""
        order = each.intent.data["order"]
        self._sent_at.append(submitted.ts)
        if each.cancels:
            self._cancels[order] = (each.intent, submitted.data["attempt"])
        else:
            self._submitted[order] = (each.intent, submitted)
        if not each.reports:
            self._awaited[_Awaited(order, each.cancels)] = submitted.ts
        else:
            self._told.add(order)
        self._heard.update(report.data["id"] for report in each.reports)


def _cancels(intent: Event) -> bool:
    return bool(intent.data["purpose"] == "cancel")
