"""Rebuilding a running session from its log after a stop of any kind."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from journal.events import BOOKKEEPING_KINDS, INPUT_KINDS, Event
from journal.log.errors import LogError
from journal.log.reader import first_opening, read_file
from journal.log.session import day_files
from trading.engine.engine import Engine
from trading.engine.halts_heard import halts_heard
from trading.engine.inputs import FeedKey, feed_key
from trading.engine.orders import NOT_SENT, order_of_intent
from trading.engine.reconciliation import book_holdings
from trading.execution.broker import Holding, SentOrder
from trading.execution.orders import TERMINAL

if TYPE_CHECKING:
    from pathlib import Path

    from trading.market.feeds.live_halts import DayHeard


class ResumeError(LogError):
    """A session cannot be continued: the engine no longer derives what its log holds."""


@dataclass(slots=True)
class Submission:
    """An order attempt of the day: the intent, its submission (of a cancellation the last) and what
    came back. One that was `withdrawn` never leaves.
    """

    intent: Event
    submitted: Event | None = None
    reports: list[Event] = field(default_factory=list)
    withdrawn: bool = False

    @property
    def cancels(self) -> bool:
        return bool(self.intent.data["purpose"] == "cancel")


@dataclass(slots=True)
class Resumption:
    """Where a session stands: its engine, what a torn batch still owes, the day's orders, what was
    held as it opened, the last input of the feed, what was heard of the day's halts.
    """

    engine: Engine
    owed: list[Event]
    submissions: list[Submission]
    holdings: list[Holding]
    last_feed_key: FeedKey | None
    halts: DayHeard
    first_opening: dict[str, Any] | None
    finished: bool

    def sent(self) -> list[SentOrder]:
        """Return what left the house since the day opened, as `Broker.restore` takes it."""
        cancelled_at: dict[str, int] = {}
        for each in self.submissions:
            if each.cancels and each.submitted is not None:
                cancelled_at.setdefault(each.intent.data["order"], each.submitted.ts)
        return [
            SentOrder(
                order_of_intent(each.intent),
                each.submitted.ts,
                cancelled_at.get(each.intent.data["order"]),
                [(report.ts, report.data) for report in each.reports],
            )
            for each in self.submissions
            if each.submitted is not None and not each.cancels
        ]

    def unsubmitted(self) -> list[Event]:
        """Return the intents that never left."""
        return [s.intent for s in self.submissions if s.submitted is None and not s.withdrawn]


def resume(directory: Path, session: str) -> Resumption:
    """Run the log's last day through a fresh engine, checking each derived event byte for byte.

    Raises ResumeError naming the seq when they differ, TamperedError when the log does not verify.
    """
    events = _events_since_last_opening(directory)
    engine = Engine(session)
    owed: deque[Event] = deque()
    last_feed_key: FeedKey | None = None
    holdings: list[Holding] = []
    for event in events:
        if event.kind in INPUT_KINDS:
            if owed:
                raise ResumeError(
                    f"{directory}: seq {event.seq} is an input, expected {owed[0].kind}"
                )
            owed.extend(engine.on(event))
            if event.kind == "day.opened":
                holdings = book_holdings(engine.state.trades.values())
            last_feed_key = feed_key(event.kind, event.ts, event.key) or last_feed_key
        elif not owed or owed.popleft().body_bytes() != event.body_bytes():
            raise ResumeError(
                f"{directory}: seq {event.seq} {event.kind} is not what this engine derives; "
                "the code or the machine changed since it was written"
            )
    opening = first_opening(directory)
    return Resumption(
        engine=engine,
        owed=list(owed),
        submissions=_submissions([*events, *owed]),
        holdings=holdings,
        last_feed_key=last_feed_key,
        halts=halts_heard(events),
        first_opening=opening,
        finished=any(event.kind == "session.closed" for event in events),
    )


def _events_since_last_opening(directory: Path) -> list[Event]:
    """Return the events from the last day.opened on (from session.opened when no day has
    opened).
    """
    events: list[Event] = []
    for path in reversed(day_files(directory)):
        events = [line.to_event() for line in read_file(path)] + events
        days = [i for i, event in enumerate(events) if event.kind == "day.opened"]
        if days:
            events = events[days[-1] :]
            break
    return [event for event in events if event.kind not in BOOKKEEPING_KINDS]


def _submissions(events: list[Event]) -> list[Submission]:
    by_intent: dict[int | None, Submission] = {}
    by_order: dict[str, list[Submission]] = {}
    for event in events:
        if event.kind == "order.intended":
            submission = Submission(intent=event)
            by_intent[event.seq] = submission
            by_order.setdefault(event.data["order"], []).append(submission)
        elif event.kind == "order.submitted":
            by_intent[event.cause[0]].submitted = event
        elif event.kind == "broker.report":
            for submission in by_order.get(event.data["order"], []):
                if submission.submitted is None:
                    submission.withdrawn = event.data["reason_code"] == NOT_SENT
                elif _answers(event, submission):
                    submission.reports.append(event)
    return list(by_intent.values())


def _answers(report: Event, submission: Submission) -> bool:
    """Whether a report belongs to an attempt: a cancel is answered by the end of its order."""
    return not submission.cancels or report.data["status"] in TERMINAL
