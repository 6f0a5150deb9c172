"""Every order of a session from its intent to its end, from its log alone.

An order is followed by its id through `order.intended`, `order.submitted` and `broker.report`.
What contradicts the rest (a fill after the last one, a report of an unknown order, more than was
ordered) is an anomaly: it is kept with its reason beside the order, and never raised or dropped.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from journal.log.errors import PayloadError
from journal.log.reader import read_session
from journal.payloads import check
from journal.payloads.orders import FILLS, BrokerReport, OrderIntended, OrderSubmitted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from journal.events import Event

KEPT_ORDERS = 50_000  # about 3 kB each
KINDS = frozenset({"order.intended", "order.submitted", "broker.report"})


class OrderState(StrEnum):
    """Where an order stands."""

    INTENDED = "INTENDED"
    SUBMITTED = "SUBMITTED"
    ACKED = "ACKED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"

    @property
    def is_over(self) -> bool:
        """Whether nothing more can happen to an order in this state."""
        return self in ENDS


ENDS = frozenset({OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED, OrderState.EXPIRED})
_BEFORE_A_FILL = frozenset({OrderState.ACKED, OrderState.PARTIALLY_FILLED})
# From which states a report may lead to its status.
_FROM: dict[OrderState, frozenset[OrderState]] = {
    OrderState.ACKED: frozenset({OrderState.SUBMITTED}),
    OrderState.PARTIALLY_FILLED: _BEFORE_A_FILL,
    OrderState.FILLED: _BEFORE_A_FILL,
    OrderState.REJECTED: frozenset({OrderState.SUBMITTED, OrderState.ACKED}),
    OrderState.CANCELLED: _BEFORE_A_FILL,
    OrderState.EXPIRED: _BEFORE_A_FILL,
}


@dataclass(frozen=True, slots=True)
class Fill:
    """One fill.

    `ts` is µs UTC, `quantity` units, `latency_us` from the submission to this report.
    `slippage_paise` is what a unit cost more than expected: positive is worse than the quote the
    order was decided on (bought dearer, sold cheaper), None where there was no quote.
    """

    seq: int
    ts: int
    quantity: int
    price_paise: int
    expected_paise: int | None
    slippage_paise: int | None
    latency_us: int
    charges_paise: int | None
    charges_reason: str | None

    @property
    def slippage_value_paise(self) -> int | None:
        """Slippage of the whole fill, paise."""
        return None if self.slippage_paise is None else self.slippage_paise * self.quantity


@dataclass(frozen=True, slots=True)
class ReportStep:
    """One report as it came: its seq, when (µs UTC), and what it said."""

    seq: int
    ts: int
    report: BrokerReport


@dataclass(frozen=True, slots=True)
class Anomaly:
    """An event that contradicts what is known of its order, with its reason.

    `order` is empty where the event names none; `event` is the event itself.
    """

    order: str
    reason: str
    event: Event


@dataclass(slots=True)
class OrderRecord:
    """One order and all that happened to it; times µs UTC, seqs of its events.

    `intent` is what was asked; `reports` holds every report once, also those that contradict the
    rest; `fills` every fill that was reported, so `filled` may be more than was ordered.
    """

    intent: OrderIntended
    intended_seq: int
    intended_at: int
    state: OrderState = OrderState.INTENDED
    submitted_seq: int | None = None
    submitted_at: int | None = None
    broker: str | None = None
    cancel_intended_seq: int | None = None
    cancel_submitted_seq: int | None = None
    ended_at: int | None = None
    reason: str | None = None
    reports: list[ReportStep] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)

    @property
    def order(self) -> str:
        return self.intent.order

    @property
    def filled(self) -> int:
        """Units filled."""
        return sum(fill.quantity for fill in self.fills)

    @property
    def value_paise(self) -> int:
        """Sum of quantity × price of the fills, paise."""
        return sum(fill.quantity * fill.price_paise for fill in self.fills)

    @property
    def average_paise(self) -> int | None:
        """Average price to the nearest paisa, half up; None before a fill."""
        filled = self.filled
        return (2 * self.value_paise + filled) // (2 * filled) if filled else None

    @property
    def slippage_value_paise(self) -> int | None:
        """What all fills cost more than expected, paise; None before a fill or without a quote."""
        values = [fill.slippage_value_paise for fill in self.fills]
        known = [value for value in values if value is not None]
        return sum(known) if known and len(known) == len(values) else None

    @property
    def charges_paise(self) -> int | None:
        """Charges of all fills, paise; None where one of them has none."""
        values = [fill.charges_paise for fill in self.fills]
        known = [value for value in values if value is not None]
        return sum(known) if known and len(known) == len(values) else None


class ExecutionJournal:
    """The orders of one session, in the order they were intended.

    Feed it a session's events in order, all at once or as they become durable; other kinds are
    passed over. It keeps every order that is not over, and of those that are the last ones up to
    `capacity` orders altogether; `left_off` counts those that had to go (a later report of one of
    them is one of an unknown order). `anomalies` keeps as many, `anomaly_count` counts all.
    """

    def __init__(self, events: Iterable[Event] = (), *, capacity: int = KEPT_ORDERS) -> None:
        self.capacity = capacity
        self.left_off = 0
        self.anomalies: deque[Anomaly] = deque(maxlen=capacity)
        self.anomaly_count = 0
        self._orders: dict[str, OrderRecord] = {}
        for event in events:
            self.feed(event)

    @classmethod
    def of_session(cls, directory: Path) -> ExecutionJournal:
        """Return the journal of a log's durable events; raises TamperedError as reading does."""
        return cls(line.to_event() for line in read_session(directory))

    def feed(self, event: Event) -> None:
        """Take the next event."""
        if event.kind not in KINDS:
            return
        try:
            payload = check(event)
        except PayloadError as error:
            self._odd(event, _order_named(event), error.problem)
            return
        assert event.seq is not None  # noqa: S101 - check has refused its absence
        if isinstance(payload, OrderIntended):
            self._intended(event, event.seq, payload)
        elif isinstance(payload, OrderSubmitted):
            self._submitted(event, event.seq, payload)
        elif isinstance(payload, BrokerReport):
            self._reported(event, event.seq, payload)

    def by_order(self, order: str) -> OrderRecord | None:
        """Return an order by its id; None when there is none, or no longer."""
        return self._orders.get(order)

    def orders(
        self, *, trade: str | None = None, state: OrderState | None = None
    ) -> Iterator[OrderRecord]:
        """Yield the orders that are as asked, oldest first; None asks for any."""
        for record in self._orders.values():
            if (trade is None or record.intent.trade == trade) and (
                state is None or record.state == state
            ):
                yield record

    def anomalies_by_order(self) -> dict[str, list[Anomaly]]:
        """Return the anomalies kept, in the order they came, by the order they name."""
        found: dict[str, list[Anomaly]] = {}
        for anomaly in self.anomalies:
            found.setdefault(anomaly.order, []).append(anomaly)
        return found

    def states(self) -> Counter[OrderState]:
        """Return the number of orders kept in each state."""
        return Counter(record.state for record in self._orders.values())

    def __len__(self) -> int:
        return len(self._orders)

    # --- what happens to an order ---

    def _intended(self, event: Event, seq: int, intent: OrderIntended) -> None:
        known = self._orders.get(intent.order)
        if intent.purpose == "cancel":
            self._cancel_intended(event, seq, intent.order, known)
        elif known is not None:
            self._odd(event, intent.order, f"intended already at seq {known.intended_seq}")
        else:
            self._orders[intent.order] = OrderRecord(intent, seq, event.ts)
            self._make_room()

    def _cancel_intended(
        self, event: Event, seq: int, order: str, known: OrderRecord | None
    ) -> None:
        if known is None:
            self._odd(event, order, "cancels an order that is not known")
        elif known.state.is_over:
            self._odd(event, order, f"cancels an order that is {known.state}")
        else:
            known.cancel_intended_seq = seq

    def _submitted(self, event: Event, seq: int, attempt: OrderSubmitted) -> None:
        known = self._orders.get(attempt.order)
        if known is None:
            self._odd(event, attempt.order, "submits an order that is not known")
        elif attempt.purpose == "cancel":
            known.cancel_submitted_seq = seq
        elif known.submitted_seq is not None:
            self._odd(event, attempt.order, f"submitted already at seq {known.submitted_seq}")
        else:
            known.submitted_seq, known.submitted_at = seq, event.ts
            known.broker = attempt.broker
            if known.state is OrderState.INTENDED:
                known.state = OrderState.SUBMITTED
            else:
                self._odd(event, attempt.order, f"submits an order that is {known.state}")

    def _reported(self, event: Event, seq: int, report: BrokerReport) -> None:
        known = self._orders.get(report.order)
        if known is None:
            self._odd(event, report.order, f"{report.status} of an order that is not known")
            return
        if any(step.report.id == report.id for step in known.reports):
            self._odd(event, report.order, f"report {report.id} came already")
            return
        for problem in _contradictions(known, report):
            self._odd(event, report.order, problem)
        known.reports.append(ReportStep(seq, event.ts, report))
        if report.status in FILLS:
            known.fills.append(_fill(known.intent.side, seq, event.ts, report))
        _advance(known, report, event.ts)

    def _odd(self, event: Event, order: str, reason: str) -> None:
        self.anomaly_count += 1
        self.anomalies.append(Anomaly(order, reason, event))

    def _make_room(self) -> None:
        if len(self._orders) <= self.capacity:
            return
        oldest = next((name for name, known in self._orders.items() if known.state.is_over), None)
        if oldest is not None:
            del self._orders[oldest]
            self.left_off += 1


def _order_named(event: Event) -> str:
    """Return the order an event names that does not fit its payload; empty when it names none."""
    order = event.data.get("order") if isinstance(event.data, dict) else None
    return order if isinstance(order, str) else ""


def _advance(known: OrderRecord, report: BrokerReport, ts: int) -> None:
    """Follow a report to the state it leads to; an order that is over stays as it ended, and one
    that has fills does not go back to acknowledged.
    """
    status = OrderState(report.status)
    if known.state.is_over or (status is OrderState.ACKED and known.fills):
        return
    known.state = status
    known.reason = report.reason
    if status.is_over:
        known.ended_at = ts


def _contradictions(known: OrderRecord, report: BrokerReport) -> Iterator[str]:
    """Say what in a report is not possible for its order as it stands."""
    status = OrderState(report.status)
    if known.state not in _FROM[status]:
        yield f"{status} of an order that is {known.state}"
    if status.value not in FILLS:
        return
    filled, ordered = known.filled + report.quantity, known.intent.quantity
    if filled > ordered:
        yield f"{filled} filled of {ordered} ordered"
    elif status is OrderState.FILLED and filled < ordered:
        yield f"FILLED with {filled} of {ordered}"
    elif status is OrderState.PARTIALLY_FILLED and filled == ordered:
        yield f"PARTIALLY_FILLED with all {ordered}"


def _fill(side: str, seq: int, ts: int, report: BrokerReport) -> Fill:
    assert report.price_paise is not None  # noqa: S101 - the payload of a fill has a price
    expected, slippage = report.expected_paise, None
    if expected is not None:
        sign = 1 if side == "BUY" else -1
        slippage = sign * (report.price_paise - expected)
    return Fill(
        seq=seq,
        ts=ts,
        quantity=report.quantity,
        price_paise=report.price_paise,
        expected_paise=expected,
        slippage_paise=slippage,
        latency_us=report.latency_us,
        charges_paise=report.charges_paise,
        charges_reason=report.charges_reason,
    )
