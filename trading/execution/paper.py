"""A paper broker that fills at the opposite quote of a later frame, never more than is quoted.

An order sees only frames after the instant it was submitted, so no decision trades on the quote it
was made from. Orders are valid for the day. The broker is plain data: what it does follows from the
submitted orders and the frames, so a restart rebuilds it from the log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from trading.execution.closing import modelled_price
from trading.execution.orders import FILLS, TERMINAL, Order

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trading.execution.closing import Closes
    from trading.execution.orders import Contract
    from trading.market.frames import MarketFrame

BROKER = "paper"
GROSS, ON_NOTE = "GROSS", "CONTRACT_NOTE"  # why a fill names no charges
QUOTED, MODELLED = "QUOTED", "MODELLED"  # what a fill's price is: a quote, or a close made worse


class WorkingOrder(msgspec.Struct):
    """An order in the paper book; `submitted_at` and `seen_at` are instants (µs UTC): when it came,
    and up to which frames cannot fill it.
    """

    order: Order
    remaining: int
    submitted_at: int
    seen_at: int
    reports: int = 0


class PaperBroker:
    """The book of working paper orders. Methods return `broker.report` data in the order they
    happen; `at` is the instant they happen at, µs UTC.

    It names no charges of a fill: they are on the day's contract note, or nothing is taken off,
    where the session is `gross`.
    """

    def __init__(self, *, gross: bool) -> None:
        self._charges_reason = GROSS if gross else ON_NOTE
        self._working: dict[str, WorkingOrder] = {}

    def submit(self, order: Order, *, at: int) -> list[dict[str, Any]]:
        """Take an order at an instant; acknowledges it."""
        working = WorkingOrder(order=order, remaining=order.quantity, submitted_at=at, seen_at=at)
        self._working[order.order] = working
        return [self._report(working, "ACKED", at=at)]

    def cancel(self, order: str, *, at: int) -> list[dict[str, Any]]:
        """Cancel what is left of an order; nothing when it no longer works."""
        working = self._working.pop(order, None)
        if working is None:
            return []
        return [self._report(working, "CANCELLED", at=at, reason="cancelled on request")]

    def close_day(self, *, at: int, closes: Closes | None = None) -> list[dict[str, Any]]:
        """Let every working order expire: orders are valid for the day. Where a day has `closes`
        they are filled first, as far as was traded.
        """
        reports = []
        for working in list(self._working.values()):
            close = (closes or {}).get(working.order.contract)
            if close is not None and close.traded:
                price = modelled_price(close.price_paise, working.order.side)
                reports.append(self._fill(working, price, close.traded, at=at, basis=MODELLED))
            if working.remaining:
                reason = "the contract did not trade" if closes and close is None else "end of day"
                reports.append(self._report(working, "EXPIRED", at=at, reason=reason))
        self._working.clear()
        return reports

    def match(self, frame: MarketFrame) -> list[dict[str, Any]]:
        """Fill what the frame's quotes allow, oldest order first."""
        reports = []
        for working in list(self._working.values()):
            contract = working.order.contract
            if contract.underlying != frame.underlying or working.seen_at >= frame.available_at:
                continue
            price, quoted = opposite_quote(frame, contract, working.order.side)
            if price is None:
                continue
            working.seen_at = frame.available_at
            reports.append(self._fill(working, price, quoted, at=frame.available_at))
        return reports

    def _fill(
        self,
        working: WorkingOrder,
        price: int,
        quoted: int | None,
        *,
        at: int,
        basis: str = QUOTED,
    ) -> dict[str, Any]:
        quantity = working.remaining if quoted is None else min(working.remaining, quoted)
        working.remaining -= quantity
        status = "PARTIALLY_FILLED" if working.remaining else "FILLED"
        if not working.remaining:
            del self._working[working.order.order]
        return self._report(
            working, status, at=at, quantity=quantity, price_paise=price, basis=basis
        )

    def restore(
        self, orders: Iterable[tuple[Order, int, list[tuple[int, dict[str, Any]]]]]
    ) -> None:
        """Rebuild the book from a log: (order, submitted at, its reports as (ts, data)) in order of
        submission.
        """
        for order, at, reports in orders:
            working = WorkingOrder(
                order=order, remaining=order.quantity, submitted_at=at, seen_at=at
            )
            working.reports = len(reports)
            over = False
            for ts, report in reports:
                working.remaining -= report["quantity"]
                working.seen_at = max(working.seen_at, ts)
                over = over or report["status"] in TERMINAL
            if not over:
                self._working[order.order] = working

    def _report(
        self,
        working: WorkingOrder,
        status: str,
        *,
        at: int,
        quantity: int = 0,
        price_paise: int | None = None,
        basis: str | None = None,
        reason: str | None = None,
    ) -> dict[str, Any]:
        working.reports += 1
        order = working.order
        return {
            "id": f"{BROKER}-{order.order}-{working.reports}",
            "order": order.order,
            "broker": BROKER,
            "broker_order": f"{BROKER}-{order.order}",
            "status": status,
            "quantity": quantity,
            "price_paise": price_paise,
            "price_basis": basis,
            "expected_paise": order.expected_paise,
            "latency_us": at - working.submitted_at,
            "charges_paise": None,
            "charges_reason": self._charges_reason if status in FILLS else "NO_FILL",
            "reason": reason,
        }


def closing_price(frame: MarketFrame, contract: Contract) -> int | None:
    """Return a contract's close in an end-of-day frame, paise; None when it did not trade."""
    for block in frame.chain:
        if block.expiry == contract.expiry and contract.strike_paise in block.strike_paise:
            side = "call" if contract.right == "CE" else "put"
            index = block.strike_paise.index(contract.strike_paise)
            price: int | None = getattr(block, f"{side}_last_paise")[index]
            return price
    return None


def opposite_quote(
    frame: MarketFrame, contract: Contract, side: str
) -> tuple[int | None, int | None]:
    """Return (price in paise, quoted quantity) a taker meets: the ask to buy, the bid to sell;
    (None, …) when there is none.
    """
    for block in frame.chain:
        if block.expiry != contract.expiry:
            continue
        try:
            index = block.strike_paise.index(contract.strike_paise)
        except ValueError:
            return None, None
        right = "call" if contract.right == "CE" else "put"
        quote = "ask" if side == "BUY" else "bid"
        price = getattr(block, f"{right}_{quote}_paise")[index]
        return price, getattr(block, f"{right}_{quote}_quantity")[index]
    return None, None
