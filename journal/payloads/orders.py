"""Orders between the house and a broker. An order is one contract, one side."""

from __future__ import annotations

from operator import attrgetter
from typing import Literal

from journal.payloads.registry import payload_of
from journal.payloads.shapes import Contract, Count, Positive, Shape, Side, Text

Purpose = Literal["entry", "exit", "cancel"]
ReportStatus = Literal["ACKED", "PARTIALLY_FILLED", "FILLED", "REJECTED", "CANCELLED", "EXPIRED"]
FILLS = frozenset({"PARTIALLY_FILLED", "FILLED"})


@payload_of("order.intended", key=attrgetter("order"), key_text="`order`")
class OrderIntended(Shape, frozen=True):
    """An order is wanted; it leaves only after this is durable.

    order: id of the order, that of this event; with purpose `cancel` of the order to be cancelled.
    trade: id of the trade.
    strategy: name of the strategy.
    underlying: name of the index.
    purpose: `entry`, `exit` or `cancel`.
    leg: place of the leg in its trade, from 0.
    contract: the contract.
    side: `BUY` or `SELL`.
    quantity: units; with purpose `cancel` those still open.
    lot_size: units in a lot.
    limit_paise: limit price, paise; null at the market.
    expected_paise: the opposite quote when it was decided, paise; null when there was none.
    """

    order: Text
    trade: Text
    strategy: Text
    underlying: Text
    purpose: Purpose
    leg: Count
    contract: Contract
    side: Side
    quantity: Count
    lot_size: Positive
    limit_paise: Positive | None
    expected_paise: Positive | None


@payload_of("order.submitted", key=attrgetter("order"), key_text="`order`")
class OrderSubmitted(Shape, frozen=True):
    """The attempt to send an order, committed before it is sent. Without a report its outcome is
    unknown and it is asked after, never sent again; a cancellation is, while its order works.

    order: id of the order.
    trade: id of the trade.
    purpose: `entry`, `exit` or `cancel`.
    contract: the contract.
    side: `BUY` or `SELL`.
    quantity: units.
    limit_paise: limit price, paise; null at the market.
    attempt: which attempt, from 1; above it only of a cancellation.
    broker: name of the broker it goes to.
    algo_id: the exchange's tag of the algorithm, carried by every order.
    """

    order: Text
    trade: Text
    purpose: Purpose
    contract: Contract
    side: Side
    quantity: Count
    limit_paise: Positive | None
    attempt: Positive
    broker: Text
    algo_id: Text


@payload_of("broker.report", key=attrgetter("id"), key_text="`id`")
class BrokerReport(Shape, frozen=True):
    """What the broker said of an order.

    id: id of the report; the same id again is the same report.
    order: id of the order.
    broker: name of the broker.
    broker_order: the broker's own id of the order.
    status: `ACKED` taken, `PARTIALLY_FILLED` or `FILLED` by this report, `REJECTED`, `CANCELLED` on
        request, `EXPIRED` at the end of the day it was valid for.
    quantity: units filled by this report; 0 when it is no fill.
    price_paise: price of the fill, paise; null when it is no fill.
    price_basis: `QUOTED` when that is a quote of the market, `MODELLED` when it is a quote made
        worse by a modelled slippage, or a closing price by a modelled half-spread; null when it is
        no fill.
    filled: units of the order filled so far by the broker's own count, this report included.
    expected_paise: the opposite quote when the order was decided, paise; null when there was none.
    latency_us: event time from the order's submission to this report, µs.
    charges_paise: charges of this fill, paise; null with a reason.
    charges_reason: why there are none: `NO_FILL`, `CONTRACT_NOTE` where the day's note bills them,
        or `GROSS` while the session takes no costs off.
    reason: the broker's words; null when it gives none.
    reason_code: the broker's code of a rejection, such as `FREEZE_QUANTITY`; null when it gives
        none. Two are the house's own: `NOT_SENT` of what never left it, `NEVER_CAME_IN` of what the
        broker, asked after the time for an answer, does not know.
    """

    id: Text
    order: Text
    broker: Text
    broker_order: Text
    status: ReportStatus
    quantity: Count
    price_paise: Positive | None
    price_basis: Literal["QUOTED", "MODELLED"] | None
    filled: Count
    expected_paise: Positive | None
    latency_us: Count
    charges_paise: int | None
    charges_reason: Text | None
    reason: str | None
    reason_code: Text | None

    def __post_init__(self) -> None:
        """Refuse a fill without a quantity or price, and a figure that is missing unexplained."""
        fill = self.status in FILLS
        if fill != (self.price_paise is not None) or fill != (self.quantity > 0):
            raise ValueError("`quantity` is above 0, with `price_paise`, for a fill and only then")
        if fill != (self.price_basis is not None):
            raise ValueError("`price_basis` is there for a fill and only then")
        if self.filled < self.quantity:
            raise ValueError("`filled` counts the units of this report too")
        if (self.charges_paise is None) != (self.charges_reason is not None):
            raise ValueError("`charges_reason` is there when `charges_paise` is null, only then")


@payload_of("report.set_aside", key=attrgetter("order"), key_text="`order`")
class ReportSetAside(Shape, frozen=True):
    """A broker's report that the book does not take.

    report: id of the report.
    order: id of the order it names.
    broker: name of the broker.
    status: what it says of the order.
    quantity: units it says were filled.
    price_paise: at which price, paise; null when it is no fill.
    verdict: `DUPLICATE` came already, `UNKNOWN_ORDER` of an order that the book does not have,
        `OVERFILL` more than was ordered, `AFTER_END` of an order that is over.
    reason: why, in words.
    blocks: whether nothing is entered until book and broker have been reconciled.
    """

    report: Text
    order: Text
    broker: Text
    status: ReportStatus
    quantity: Count
    price_paise: Positive | None
    verdict: Literal["DUPLICATE", "UNKNOWN_ORDER", "OVERFILL", "AFTER_END"]
    reason: Text
    blocks: bool


Why = Literal["DAY_OPENED", "RESTART", "DOUBT", "ASKED"]
Verdict = Literal["AGREES", "NOT_AT_BROKER", "NOT_IN_BOOK", "DIFFERS", "ACCEPTED"]


class StatedOrder(Shape, frozen=True):
    """An order the broker works.

    order: id of the order.
    contract: the contract.
    side: `BUY` or `SELL`.
    quantity: units ordered.
    filled: units filled so far.
    """

    order: Text
    contract: Contract
    side: Side
    quantity: Positive
    filled: Count


class StatedHolding(Shape, frozen=True):
    """Units of a contract.

    contract: the contract.
    units: units, positive when bought; never 0.
    """

    contract: Contract
    units: int


@payload_of("broker.statement")
class BrokerStatement(Shape, frozen=True):
    """What the broker says it works and holds for us.

    broker: name of the broker.
    why: why it was asked: `DAY_OPENED`, `RESTART` after the session was interrupted, `DOUBT` an
        order without an answer or a report the book cannot take, `ASKED` by a person.
    detail: the same in words; null where the word says it.
    problem: why it could not be asked; null when it answered.
    orders: the orders it works.
    holdings: what it holds.
    """

    broker: Text
    why: Why
    detail: Text | None
    problem: Text | None
    orders: list[StatedOrder]
    holdings: list[StatedHolding]


class ReconciledOrder(Shape, frozen=True):
    """An order that works at the broker or by the book.

    order: id of the order.
    contract: the contract.
    side: `BUY` or `SELL`.
    broker_quantity: units ordered, as the broker has it; null when it does not work there.
    broker_filled: units filled, as the broker has it; null when it does not work there.
    book_quantity: units ordered by the book; null when it does not work there.
    book_filled: units filled by the book; null when it does not work there.
    verdict: `AGREES`, `NOT_AT_BROKER`, `NOT_IN_BOOK`, `DIFFERS`, or `ACCEPTED` by two people.
    """

    order: Text
    contract: Contract
    side: Side
    broker_quantity: Positive | None
    broker_filled: Count | None
    book_quantity: Positive | None
    book_filled: Count | None
    verdict: Verdict


class ReconciledPosition(Shape, frozen=True):
    """A contract that is held at the broker or by the book.

    contract: the contract.
    broker_units: units the broker holds, positive when bought.
    book_units: units the book holds, positive when bought.
    verdict: `AGREES`, `DIFFERS`, or `ACCEPTED` by two people.
    """

    contract: Contract
    broker_units: int
    book_units: int
    verdict: Verdict


@payload_of("book.reconciled")
class BookReconciled(Shape, frozen=True):
    """The book compared with what the broker says.

    broker: name of the broker.
    why: as in the `broker.statement` it answers.
    detail: as in the `broker.statement` it answers.
    problem: why nothing could be compared; null when it was.
    orders: each order that works at the broker or by the book.
    positions: each contract that is held at the broker or by the book.
    differences: how many of them differ and are not accepted.
    blocks: whether nothing is entered until a later comparison finds no difference or two people
        accept those found.
    """

    broker: Text
    why: Why
    detail: Text | None
    problem: Text | None
    orders: list[ReconciledOrder]
    positions: list[ReconciledPosition]
    differences: Count
    blocks: bool


@payload_of("reconciliation.accepted")
class ReconciliationAccepted(Shape, frozen=True):
    """Two people let differences between broker and book stand; entries are admitted again.

    reconciliation: id of the `book.reconciled` that found them.
    positions: by how many units the broker may differ from the book.
    orders: ids of the orders that may differ.
    actor: who asked for it.
    approver: who agreed.
    reason: why, in the words of who asked.
    """

    reconciliation: Text
    positions: list[StatedHolding]
    orders: list[Text]
    actor: Text
    approver: Text
    reason: str
