"""A paper broker that fills at the opposite quote of a later frame, never more than is quoted.

An order sees only frames after the instant it was submitted and no earlier than it is with the
exchange, so no decision trades on the quote it was made from. Orders of one frame share what it
quotes. Orders are valid for the day. The broker is plain data: what it does follows from its
configuration, the submitted orders and the frames, so a restart rebuilds it from the log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from trading.execution.broker import BrokerLimits, Holding, OpenOrder, Statement
from trading.execution.closing import modelled_price
from trading.execution.market_quotes import closing_price, opposite_quote
from trading.execution.order_checks import Refusal, refusal_by_band, refusal_on_arrival
from trading.execution.orders import FILLS, OPPOSITE, TERMINAL, Contract, Order, Side
from trading.execution.paper_model import (
    BrokerConfiguration,
    depth_left,
    fill_price,
    is_modelled,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trading.execution.broker import Moment, Report, SentOrder, TradingDay
    from trading.execution.closing import Closes
    from trading.market.frames import MarketFrame

BROKER = "paper"
GROSS, ON_NOTE = "GROSS", "CONTRACT_NOTE"  # why a fill names no charges
QUOTED, MODELLED = "QUOTED", "MODELLED"  # what a fill's price is: a quote, or one made worse


class WorkingOrder(msgspec.Struct):
    """An order in the paper book. Instants in µs UTC: when it came, when it is with the exchange,
    up to which frames cannot fill it, when its cancellation is with the exchange.
    """

    order: Order
    submitted_at: int
    arrives_at: int
    seen_at: int
    filled: int = 0
    reports: int = 0
    cancelled_at: int | None = None

    @property
    def remaining(self) -> int:
        """Units that are not filled."""
        return self.order.quantity - self.filled


class PaperBroker:
    """The book of working paper orders, and what was bought and sold through it.

    It names no charges of a fill: they are on the day's contract note, or nothing is taken off,
    where the session is `gross`.
    """

    def __init__(self, model: BrokerConfiguration, *, gross: bool) -> None:
        self._model = model
        self._charges_reason = GROSS if gross else ON_NOTE
        self._day: TradingDay | None = None
        self._working: dict[str, WorkingOrder] = {}
        self._known: set[str] = set()  # orders of the day
        self._units: dict[Contract, int] = {}
        self._taken: dict[tuple[Contract, Side], tuple[int, int]] = {}  # (at, units) of a quote

    @property
    def name(self) -> str:
        return BROKER

    @property
    def limits(self) -> BrokerLimits:
        return BrokerLimits(
            orders_per_second=self._model.orders_per_second,
            algo_id=self._model.algo_id,
            answer_us=1_000_000 * self._model.answer_seconds,
            keeps_book=False,
        )

    async def open_day(self, day: TradingDay) -> None:
        """Contracts that expired before the day are settled and gone."""
        self._day = day
        self._known = set(self._working)
        live = {each: units for each, units in self._units.items() if each.expiry >= day.date}
        self._units = live

    async def restore(self, sent: Sequence[SentOrder], holdings: Sequence[Holding]) -> None:
        self._units = {holding.contract: holding.units for holding in holdings}
        for each in sent:
            working = self._taken_in(each.order, at=each.submitted_at)
            if each.cancelled_at is not None:
                working.cancelled_at = each.cancelled_at + self._model.latency_us
            for at, report in each.reports:
                self._recall(working, report, at=at)

    async def submit(self, order: Order, *, at: int) -> list[Report]:
        """Take an order; it is acknowledged or refused once it is with the exchange."""
        working = self._taken_in(order, at=at)
        return self._arrived(working, at=at)

    async def cancel(self, order: str, *, at: int) -> list[Report]:
        working = self._working.get(order)
        if working is None:
            return []
        if working.cancelled_at is None:
            working.cancelled_at = at + self._model.latency_us
        return self._cancelled(working, at=at)

    async def reports(self, moment: Moment) -> list[Report]:
        """Orders and cancellations arrive, then frames fill the oldest order first; at the close
        what is left is filled at closing prices or expires.
        """
        reports: list[Report] = []
        for working in list(self._working.values()):
            reports += self._arrived(working, at=moment.at)
            reports += self._cancelled(working, at=moment.at)
        for frame in moment.frames:
            reports += self._met(frame)
        if moment.closes is not None:
            reports += self._close_day(moment.closes, at=moment.at)
        return reports

    async def look_up(self, order: str, *, at: int) -> list[Report] | None:
        """What is still to be said of an order; a paper broker repeats nothing."""
        if order not in self._known:
            return None
        working = self._working.get(order)
        if working is None:
            return []
        return self._arrived(working, at=at) or self._cancelled(working, at=at)

    async def statement(self, *, at: int) -> Statement:
        del at
        orders = (
            OpenOrder(each.order.order, each.order.contract, each.order.side, *_quantities(each))
            for each in self._working.values()
        )
        holdings = (Holding(each, units) for each, units in self._units.items() if units)
        return Statement(tuple(sorted(orders)), tuple(sorted(holdings)))

    # --- an order's way ---

    def _taken_in(self, order: Order, *, at: int) -> WorkingOrder:
        arrives_at = at + self._model.latency_us
        working = WorkingOrder(order, at, arrives_at, seen_at=max(at, arrives_at - 1))
        self._working[order.order] = working
        self._known.add(order.order)
        return working

    def _recall(self, working: WorkingOrder, report: Report, *, at: int) -> None:
        """Take up a report that the log has. A fill has seen its frame; what was only acknowledged
        at an instant may yet be filled by a frame of that instant.
        """
        working.reports += 1
        if report["status"] in FILLS:
            working.seen_at = max(working.seen_at, at)
            self._count(working, report["quantity"], at=at)
        if report["status"] in TERMINAL:
            del self._working[working.order.order]

    def _arrived(self, working: WorkingOrder, *, at: int) -> list[Report]:
        if working.reports or working.arrives_at > at:
            return []
        assert self._day is not None  # noqa: S101 - orders are of a day that was opened
        refusal = refusal_on_arrival(
            working.order,
            self._day,
            self._model,
            arrives_at=working.arrives_at,
            held=self._units,
        )
        if refusal is not None:
            return [self._refuse(working, refusal, at=at)]
        return [self._report(working, "ACKED", at=at)]

    def _cancelled(self, working: WorkingOrder, *, at: int) -> list[Report]:
        if working.cancelled_at is None or working.cancelled_at > at:
            return []
        if self._working.pop(working.order.order, None) is None:
            return []
        return [self._report(working, "CANCELLED", at=at, reason="cancelled on request")]

    def _refuse(self, working: WorkingOrder, refusal: Refusal, *, at: int) -> Report:
        del self._working[working.order.order]
        return self._report(
            working, "REJECTED", at=at, reason=refusal.reason, reason_code=refusal.code
        )

    # --- fills ---

    def _met(self, frame: MarketFrame) -> list[Report]:
        """What a frame does to the orders that see it, oldest first."""
        reports = []
        for working in list(self._working.values()):
            contract = working.order.contract
            if contract.underlying != frame.underlying or not self._sees(working, frame):
                continue
            refusal = None if working.filled else self._refusal(working.order, frame)
            if refusal is not None:
                reports.append(self._refuse(working, refusal, at=frame.available_at))
            else:
                reports += self._filled(working, frame)
        return reports

    def _sees(self, working: WorkingOrder, frame: MarketFrame) -> bool:
        """Whether a frame came after the last one an order saw, while its contract traded."""
        assert self._day is not None  # noqa: S101 - orders are of a day that was opened
        last = self._day.last_trade_us(working.order.contract.expiry)
        return working.seen_at < frame.available_at < last

    def _refusal(self, order: Order, frame: MarketFrame) -> Refusal | None:
        assert self._day is not None  # noqa: S101 - orders are of a day that was opened
        bid, ask = (opposite_quote(frame, order.contract, side)[0] for side in ("SELL", "BUY"))
        middle = None if bid is None or ask is None else (bid + ask) // 2
        reference = closing_price(frame, order.contract) or middle
        return refusal_by_band(order, reference, self._day.limits)

    def _filled(self, working: WorkingOrder, frame: MarketFrame) -> list[Report]:
        order, at = working.order, frame.available_at
        quote, quoted = opposite_quote(frame, order.contract, order.side)
        if quote is None:
            return []
        other = opposite_quote(frame, order.contract, OPPOSITE[order.side])[0]
        price = fill_price(order, quote, other, self._model)
        if price is None:
            return []
        taken_at, taken = self._taken.get((order.contract, order.side), (at, 0))
        left = depth_left(quoted, taken if taken_at == at else 0, self._model.depth_ppm)
        quantity = working.remaining if left is None else min(working.remaining, left)
        if not quantity:
            return []
        working.seen_at = at
        basis = MODELLED if is_modelled(self._model) else QUOTED
        return [self._fill(working, price, quantity, at=at, basis=basis)]

    def _close_day(self, closes: Closes, *, at: int) -> list[Report]:
        """Let every working order expire: orders are valid for the day. Where a day has `closes`
        they are filled first, as far as was traded.
        """
        reports = []
        for working in list(self._working.values()):
            close = closes.get(working.order.contract)
            if not working.reports:
                late = Refusal("MARKET_CLOSED", "the market closed before it came")
                reports.append(self._refuse(working, late, at=at))
                continue
            if close is not None and close.traded:
                price = modelled_price(close.price_paise, working.order.side)
                quantity = min(working.remaining, close.traded)
                if working.order.takes(price):
                    reports.append(self._fill(working, price, quantity, at=at, basis=MODELLED))
            if working.remaining:
                reason = "the contract did not trade" if closes and close is None else "end of day"
                reports.append(self._report(working, "EXPIRED", at=at, reason=reason))
        self._working.clear()
        return reports

    def _fill(
        self, working: WorkingOrder, price: int, quantity: int, *, at: int, basis: str
    ) -> Report:
        self._count(working, quantity, at=at)
        status = "PARTIALLY_FILLED" if working.remaining else "FILLED"
        if not working.remaining:
            del self._working[working.order.order]
        return self._report(
            working, status, at=at, quantity=quantity, price_paise=price, price_basis=basis
        )

    def _count(self, working: WorkingOrder, quantity: int, *, at: int) -> None:
        """Add a fill to its order, to what is held and to what was taken of its quote."""
        order = working.order
        working.filled += quantity
        units = self._units.get(order.contract, 0) + order.sign * quantity
        self._units[order.contract] = units
        taken_at, taken = self._taken.get((order.contract, order.side), (at, 0))
        before = taken if taken_at == at else 0
        self._taken[order.contract, order.side] = (at, before + quantity)

    def _report(self, working: WorkingOrder, status: str, *, at: int, **said: Any) -> Report:
        working.reports += 1
        order = working.order
        nothing = {"quantity": 0, "price_paise": None, "price_basis": None}
        return {
            "id": f"{BROKER}-{order.order}-{working.reports}",
            "order": order.order,
            "broker": BROKER,
            "broker_order": f"{BROKER}-{order.order}",
            "status": status,
            **nothing,
            "filled": working.filled,
            "expected_paise": order.expected_paise,
            "latency_us": at - working.submitted_at,
            "charges_paise": None,
            "charges_reason": self._charges_reason if status in FILLS else "NO_FILL",
            "reason": None,
            "reason_code": None,
            **said,
        }


def _quantities(working: WorkingOrder) -> tuple[int, int]:
    return working.order.quantity, working.filled
