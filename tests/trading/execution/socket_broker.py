"""An adapter to the broker of `exchange_process.py`, and how to start that process."""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trading.execution.broker import (
    BrokerLimits,
    Holding,
    Moment,
    OpenOrder,
    Statement,
    UnknownOutcomeError,
    UnreachableError,
)
from trading.execution.orders import FILLS, Contract, Order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trading.execution.broker import Report, SentOrder, TradingDay

EXCHANGE = Path(__file__).with_name("exchange_process.py")


def start_exchange(directory: Path, *ways: str) -> tuple[subprocess.Popen[bytes], int]:
    """Start a broker's process; return it with its port."""
    port_file = directory / "exchange.port"
    port_file.unlink(missing_ok=True)
    process = subprocess.Popen([sys.executable, str(EXCHANGE), str(port_file), *ways])
    while not port_file.exists():
        assert process.poll() is None
        time.sleep(0.01)
    return process, int(port_file.read_text())


class SocketBroker:
    """A client of that process. Every request has a time-out."""

    def __init__(self, port: int, *, limits: BrokerLimits, timeout_seconds: float) -> None:
        self._port, self._limits, self._timeout = port, limits, timeout_seconds
        self._ids = itertools.count(1)
        self._orders: dict[str, tuple[Order, int]] = {}

    @property
    def name(self) -> str:
        return "socket"

    @property
    def limits(self) -> BrokerLimits:
        return self._limits

    async def open_day(self, day: TradingDay) -> None:
        del day

    async def restore(self, sent: Sequence[SentOrder], holdings: Sequence[Holding]) -> None:
        del holdings
        self._orders |= {each.order.order: (each.order, each.submitted_at) for each in sent}

    async def submit(self, order: Order, *, at: int) -> list[Report]:
        self._orders[order.order] = (order, at)
        asked = {
            "order": order.order,
            "contract": order.contract.label,
            "side": order.side,
            "quantity": order.quantity,
            "price_paise": order.limit_paise or order.expected_paise,
        }
        return self._reports(await self._told("submit", **asked), at=at)

    async def cancel(self, order: str, *, at: int) -> list[Report]:
        return self._reports(await self._told("cancel", order=order), at=at)

    async def reports(self, moment: Moment) -> list[Report]:
        try:
            return self._reports(await self._ask("news"), at=moment.at)
        except (TimeoutError, OSError):  # it says nothing now
            return []

    async def look_up(self, order: str, *, at: int) -> list[Report] | None:
        answer = await self._asked("order", order=order)
        return None if answer["news"] is None else self._reports(answer, at=at)

    async def statement(self, *, at: int) -> Statement:
        del at
        answer = await self._asked("statement")
        orders = (
            OpenOrder(
                each["order"],
                contract_of(each["contract"]),
                each["side"],
                each["quantity"],
                each["filled"],
            )
            for each in answer["orders"]
        )
        held = (
            Holding(contract_of(label), units)
            for label, units in answer["positions"].items()
            if units
        )
        return Statement(tuple(sorted(orders)), tuple(sorted(held)))

    async def _told(self, do: str, **asked: Any) -> dict[str, Any]:
        try:
            return await self._ask(do, **asked)
        except TimeoutError:
            raise UnknownOutcomeError(f"no answer within {self._timeout} s") from None

    async def _asked(self, do: str, **asked: Any) -> dict[str, Any]:
        try:
            return await self._ask(do, **asked)
        except (TimeoutError, OSError) as error:
            raise UnreachableError(str(error) or "no answer") from None

    async def _ask(self, do: str, **asked: Any) -> dict[str, Any]:
        """One connection a request: an answer that comes late is nobody's."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(json.dumps({"id": next(self._ids), "do": do, **asked}).encode() + b"\n")
            line = await asyncio.wait_for(reader.readline(), self._timeout)
        finally:
            writer.close()
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _reports(self, answer: dict[str, Any], *, at: int) -> list[Report]:
        return [self._report(each, at=at) for each in answer["news"]]

    def _report(self, news: dict[str, Any], *, at: int) -> Report:
        order, submitted_at = self._orders.get(news["order"], (None, at))
        fill = news["status"] in FILLS
        return {
            "id": news["id"],
            "order": news["order"],
            "broker": self.name,
            "broker_order": f"b-{news['order']}",
            "status": news["status"],
            "quantity": news.get("quantity", 0),
            "price_paise": news.get("price_paise"),
            "price_basis": "QUOTED" if fill else None,
            "filled": news["filled"],
            "expected_paise": None if order is None else order.expected_paise,
            "latency_us": at - submitted_at,
            "charges_paise": None,
            "charges_reason": "GROSS" if fill else "NO_FILL",
            "reason": news.get("reason"),
            "reason_code": news.get("reason_code"),
        }


def contract_of(label: str) -> Contract:
    underlying, expiry, strike, right = label.split()
    return Contract(underlying, expiry, round(100 * float(strike)), right)  # type: ignore[arg-type]
