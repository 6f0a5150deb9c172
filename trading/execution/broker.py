"""What the house asks of a broker, whether it is paper or real.

A broker takes orders, says what becomes of them in reports (the data of `broker.report`), and can
be asked what it holds and works for us. All it says may come late, twice or never, but the same
report has the same id however often and whichever way it is said. An answer that did not come in
time is an unknown outcome, asked after; an order is never sent again. Instants are event time, µs
UTC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec

from trading.execution.orders import Contract, Side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trading.execution.closing import Closes
    from trading.execution.orders import Order
    from trading.market.frames import MarketFrame
    from trading.risk.limits import Limits

Report = dict[str, Any]


class UnknownOutcomeError(Exception):
    """A broker was told something and did not answer in time: it may have been done or not."""


class UnreachableError(Exception):
    """A broker could not be asked; nothing was sent."""


class BrokerLimits(msgspec.Struct, frozen=True):
    """What a broker declares of itself.

    orders_per_second: messages it takes in any second, cancellations among them.
    algo_id: the exchange's tag of our algorithm, that every order carries.
    answer_us: how long an answer may take before the outcome is called unknown.
    keeps_book: whether its book outlives our process. One that is made of our own log again after
        a restart agrees with it and shows nothing.
    """

    orders_per_second: int
    algo_id: str
    answer_us: int
    keeps_book: bool


class OpenOrder(msgspec.Struct, frozen=True, order=True):
    """An order the broker works; quantities in units."""

    order: str
    contract: Contract
    side: Side
    quantity: int
    filled: int


class Holding(msgspec.Struct, frozen=True, order=True):
    """Units of a contract, positive when bought; never 0."""

    contract: Contract
    units: int


class Statement(NamedTuple):
    """What a broker says it works and holds for us, both in ascending order."""

    orders: tuple[OpenOrder, ...]
    holdings: tuple[Holding, ...]


class SentOrder(NamedTuple):
    """An order of the day as the log has it: when it was submitted, when its cancellation was (None
    when it was not), and its reports with their instants.
    """

    order: Order
    submitted_at: int
    cancelled_at: int | None
    reports: Sequence[tuple[int, Report]]


class TradingDay(NamedTuple):
    """A day as a broker needs it: its hours and when contracts that expire on it stop trading (µs
    UTC), lots by underlying and expiry, the largest order and the distance of strikes by
    underlying, and the limits in force at its opening.
    """

    date: str
    open_us: int
    close_us: int
    expiring_close_us: int
    lot_sizes: dict[str, dict[str, int]]
    freeze_quantity: dict[str, int]
    strike_step_paise: dict[str, int]
    limits: Limits

    def last_trade_us(self, expiry: str) -> int:
        """When contracts of an expiry (ISO date) stop trading on the day, µs UTC."""
        return self.expiring_close_us if expiry == self.date else self.close_us


class Moment(NamedTuple):
    """An instant of the market, before anyone has decided on it: the frames that came, and at the
    day's close its closing prices (None at any other).
    """

    at: int
    frames: Sequence[MarketFrame] = ()
    closes: Closes | None = None


class Broker(Protocol):
    """A broker. What it returns is in the order it happened."""

    @property
    def name(self) -> str:
        """Its name in the log."""

    @property
    def limits(self) -> BrokerLimits:
        """What it declares of itself."""

    async def open_day(self, day: TradingDay) -> None:
        """A day begins, or is taken up again: log in, fetch the day's contracts. Raises
        UnreachableError.
        """

    async def restore(self, sent: Sequence[SentOrder], holdings: Sequence[Holding]) -> None:
        """Take up a day that was interrupted: what was sent since it opened, oldest first, and what
        was held at its opening. One that keeps its own book has nothing to do.
        """

    async def submit(self, order: Order, *, at: int) -> list[Report]:
        """Send an order; what is said of it at once, which may be nothing yet.

        Raises UnknownOutcomeError when no answer came in time. An order that certainly did not
        leave is answered by a REJECTED of the adapter's own, with the code NOT_SENT.
        """

    async def cancel(self, order: str, *, at: int) -> list[Report]:
        """Ask for the cancellation of what is left of an order; as `submit`. An order that no
        longer works is not cancelled, and that is no error.
        """

    async def reports(self, moment: Moment) -> list[Report]:
        """What became known since it was last asked, up to an instant of the market."""

    async def look_up(self, order: str, *, at: int) -> list[Report] | None:
        """All the broker has to say of an order that was sent, also what it said before; None when
        it does not know the order. Raises UnreachableError.
        """

    async def statement(self, *, at: int) -> Statement:
        """What it works and holds for us. Raises UnreachableError."""
