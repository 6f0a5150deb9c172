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
from trading.engine.inputs import FeedKey, feed_key
from trading.engine.orders import order_of_intent
from trading.execution.orders import TERMINAL

if TYPE_CHECKING:
    from pathlib import Path

    from trading.execution.orders import Order


class ResumeError(LogError):
    """A session cannot be continued: the engine no longer derives what its log holds."""


@dataclass(slots=True)
class Submission:
    """An order attempt of the day.

    The intent, when it was submitted (µs UTC) and what came back.
    """

    intent: Event
    submitted: Event | None = None
    reports: list[Event] = field(default_factory=list)

    @property
    def cancels(self) -> bool:
        return bool(self.intent.data["purpose"] == "cancel")


@dataclass(slots=True)
class Resumption:
    """Where a session stands: its engine, what a torn batch still owes, the day's orders, the last
    input of the feed.
    """

    engine: Engine
    owed: list[Event]
    submissions: list[Submission]
    last_feed_key: FeedKey | None
    first_opening: dict[str, Any] | None
    finished: bool

    def book(self) -> list[tuple[Order, int, list[tuple[int, dict[str, Any]]]]]:
        """Return the orders the broker has answered, as `PaperBroker.restore` takes them."""
        return [
            (order_of_intent(s.intent), s.submitted.ts, [(r.ts, r.data) for r in s.reports])
            for s in self.submissions
            if s.submitted is not None and s.reports and not s.cancels
        ]

    def unanswered(self) -> list[Submission]:
        """Return the attempts that have no report."""
        return [s for s in self.submissions if s.submitted is not None and not s.reports]

    def unsubmitted(self) -> list[Event]:
        """Return the intents that never left."""
        return [s.intent for s in self.submissions if s.submitted is None]


def resume(directory: Path, session: str) -> Resumption:
    """Run the log's last day through a fresh engine, checking each derived event byte for byte.

    Raises ResumeError naming the seq when they differ, TamperedError when the log does not verify.
    """
    events = _events_since_last_opening(directory)
    engine = Engine(session)
    owed: deque[Event] = deque()
    last_feed_key: FeedKey | None = None
    for event in events:
        if event.kind in INPUT_KINDS:
            if owed:
                raise ResumeError(
                    f"{directory}: seq {event.seq} is an input, expected {owed[0].kind}"
                )
            owed.extend(engine.on(event))
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
        last_feed_key=last_feed_key,
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
            for submission in by_order[event.data["order"]]:
                if submission.submitted is not None and _answers(event, submission):
                    submission.reports.append(event)
    return list(by_intent.values())


def _answers(report: Event, submission: Submission) -> bool:
    """Whether a report belongs to an attempt: a cancel is answered by the end of its order."""
    return not submission.cancels or report.data["status"] in TERMINAL
