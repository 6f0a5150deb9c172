"""What a fill, an order and an exercise cost in India: exact, unrounded lines.

Pure functions of what was done, the day and the broker. Prices are paise a unit, quantities units;
each line is the exact product of its base and its rate, so lines add up in any order. Nobody is
billed these figures to the last decimal: see trading.costs.notes for how a day is rounded.

Raises CostError for what the dated tables do not answer for.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, NamedTuple

from trading.costs.amounts import E9, PAISE_IN_RUPEE, half_up
from trading.costs.rates import (
    BROKERAGE,
    BUY,
    EXCHANGE,
    EXERCISE,
    FUTURE,
    GOVERNMENT,
    GST,
    HOLDER,
    INVESTOR_PROTECTION,
    OPTION,
    ORDER,
    SEBI,
    SELL,
    STAMP,
    STT,
    CostError,
    Rate,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date

    from trading.costs.brokers import Broker

_CALL = "CE"
_PUT = "PE"
_STRESSES = (1, 2, 3)


class Contract(NamedTuple):
    """An index option (`strike_paise` and `right`, CE or PE) or future (both None)."""

    exchange: str
    underlying: str
    expiry: date
    strike_paise: int | None = None
    right: str | None = None

    @property
    def instrument(self) -> str:
        """OPTION or FUTURE, as the rates name it."""
        return FUTURE if self.right is None else OPTION

    def __str__(self) -> str:
        if self.strike_paise is None:
            return f"{self.underlying} {self.expiry} FUT"
        rupees, paise = divmod(self.strike_paise, 100)
        strike = f"{rupees}.{paise:02d}" if paise else f"{rupees}"
        return f"{self.underlying} {self.expiry} {strike} {self.right}"


class Fill(NamedTuple):
    """A trade: BUY or SELL, units, paise a unit."""

    contract: Contract
    side: str
    quantity: int
    price_paise: int

    @property
    def value_paise(self) -> int:
        """The premium of an option, the turnover of a future."""
        return self.quantity * self.price_paise


class Exercise(NamedTuple):
    """An option at its expiry: BUY for who holds it, SELL for who wrote it; settled at the closing
    value of the index, paise. `orders` is how many orders it makes: above the freeze quantity it is
    several.
    """

    contract: Contract
    side: str
    quantity: int
    settlement_paise: int
    orders: int = 1

    @property
    def intrinsic_paise(self) -> int:
        """What it pays, paise; 0 out of the money and at the strike."""
        strike = self.contract.strike_paise or 0
        away = self.settlement_paise - strike
        return self.quantity * max(away if self.contract.right == _CALL else -away, 0)


class Line(NamedTuple):
    """One charge: the rate, what it is taken of (paise, orders, or for GST 10^-18 paise) and the
    exact amount.
    """

    rate: Rate
    base: int
    amount_e18: int

    @property
    def charge(self) -> str:
        """What it is called, a cap of the brokerage being brokerage."""
        return BROKERAGE if self.rate.charge.startswith(BROKERAGE) else self.rate.charge


@dataclass(frozen=True, slots=True)
class Charges:
    """Charges by line, all in one unit: 10^-18 paise where exact, paise where billed. `exchange`
    has the investor protection charge in it, as the bill does.
    """

    brokerage: int = 0
    stt: int = 0
    exchange: int = 0
    sebi: int = 0
    stamp: int = 0
    gst: int = 0

    @property
    def total(self) -> int:
        """The sum of the lines."""
        return sum(getattr(self, field.name) for field in fields(self))

    def times(self, stress: int) -> Charges:
        """The same a number of times, the cost stress of 1, 2 or 3. Raises CostError for others."""
        if stress not in _STRESSES:
            msg = f"cost stress {stress!r}, expected 1, 2 or 3"
            raise CostError(msg)
        return Charges(*(getattr(self, field.name) * stress for field in fields(self)))


_FIELDS = {
    BROKERAGE: "brokerage",
    STT: "stt",
    EXCHANGE: "exchange",
    INVESTOR_PROTECTION: "exchange",
    SEBI: "sebi",
    STAMP: "stamp",
    GST: "gst",
}


def charges_of(lines: Iterable[Line]) -> Charges:
    """Exact charges (10^-18 paise) of any lines."""
    sums = dict.fromkeys(_FIELDS.values(), 0)
    for line in lines:
        sums[_FIELDS[line.charge]] += line.amount_e18
    return Charges(**sums)


def fill_lines(fill: Fill, day: date, broker: Broker) -> tuple[Line, ...]:
    """Everything a fill costs but the brokerage, which is of the order, with the GST on it."""
    _check_fill(fill, day, broker)
    lines = tuple(_trade_lines(fill, day, broker))
    return (*lines, *_gst_lines(lines, fill.contract.instrument, day, broker))


def order_lines(
    fills: tuple[Fill, ...], day: date, broker: Broker, *, executed_orders: int = 1
) -> tuple[Line, ...]:
    """Everything an order costs: brokerage once however many fills it had. `executed_orders` is for
    fills that came of several orders of one contract, or, 0, of an order counted elsewhere.
    """
    if not fills:
        msg = "an order without a fill costs nothing and is no order of a contract note"
        raise CostError(msg)
    for fill in fills:
        _check_fill(fill, day, broker)
    if any(fill[:2] != fills[0][:2] for fill in fills):
        msg = "the fills of one order are of one contract and one side"
        raise CostError(msg)
    if executed_orders < 0:
        msg = f"{executed_orders} executed orders, expected 0 or more"
        raise CostError(msg)
    brokerage = _order_brokerage(fills, day, broker, executed_orders)
    instrument = fills[0].contract.instrument
    taxed = _gst_lines(brokerage, instrument, day, broker)
    return (*brokerage, *taxed, *(line for fill in fills for line in fill_lines(fill, day, broker)))


def exercise_lines(exercise: Exercise, day: date, broker: Broker) -> tuple[Line, ...]:
    """Everything an exercise or an assignment costs on the day it is billed, at its expiry or
    later; nothing at the strike and out of the money.
    """
    _check_exercise(exercise, day, broker)
    if exercise.intrinsic_paise == 0:
        return ()
    rate = broker.brokerage(OPTION, EXERCISE, day)
    brokerage = _line(rate, exercise.orders)
    lines = (brokerage, *_exercise_levies(exercise, day, broker))
    return (*lines, *_gst_lines(lines, OPTION, day, broker))


def points_e18(charges: Charges, quantity: int) -> int:
    """Exact charges in index points a unit, 10^-18 of a point rounded half-up."""
    return half_up(charges.total, PAISE_IN_RUPEE * quantity)


def _trade_lines(fill: Fill, day: date, broker: Broker) -> Iterator[Line]:
    contract = fill.contract
    for charge, levied_by in (
        (STT, GOVERNMENT),
        (EXCHANGE, contract.exchange),
        (INVESTOR_PROTECTION, contract.exchange),
        (SEBI, SEBI),
        (STAMP, GOVERNMENT),
    ):
        rate = broker.levies.find(charge, levied_by, contract.instrument, fill.side, day)
        if rate is not None:
            yield _line(rate, fill.value_paise)


def _exercise_levies(exercise: Exercise, day: date, broker: Broker) -> Iterator[Line]:
    for charge, levied_by, side in (
        (STT, GOVERNMENT, HOLDER),
        (EXCHANGE, exercise.contract.exchange, EXERCISE),
        (SEBI, SEBI, EXERCISE),
        (STAMP, GOVERNMENT, EXERCISE),
    ):
        if side == HOLDER and exercise.side == SELL:
            continue  # the writer paid the tax when the option was sold
        rate = broker.levies.find(charge, levied_by, OPTION, side, day)
        if rate is not None:
            yield _line(rate, exercise.intrinsic_paise)


def _order_brokerage(
    fills: tuple[Fill, ...], day: date, broker: Broker, executed_orders: int
) -> tuple[Line, ...]:
    first = fills[0]
    rate = broker.brokerage(first.contract.instrument, first.side, day)
    if rate.base == ORDER:
        return (_line(rate, executed_orders),) if executed_orders else ()
    share = _line(rate, sum(fill.value_paise for fill in fills))
    cap = broker.cap(first.contract.instrument, first.side, day)
    if cap is None:
        return (share,)
    most = _line(cap, executed_orders)
    return (min(share, most, key=lambda line: line.amount_e18),)


def _gst_lines(
    lines: tuple[Line, ...], instrument: str, day: date, broker: Broker
) -> tuple[Line, ...]:
    taxed = {BROKERAGE, EXCHANGE, SEBI}
    if broker.gst_on_investor_protection:
        taxed.add(INVESTOR_PROTECTION)
    base_e18 = sum(line.amount_e18 for line in lines if line.charge in taxed)
    rate = broker.levies.find(GST, GOVERNMENT, instrument, BUY, day)
    if base_e18 == 0 or rate is None:
        return ()
    return (Line(rate, base_e18, rate.rate_e9 * base_e18 // E9),)


def _line(rate: Rate, base: int) -> Line:
    return Line(rate, base, rate.rate_e9 * base * E9)


def _check_fill(fill: Fill, day: date, broker: Broker) -> None:
    broker.levies.check(fill.contract.exchange, fill.contract.underlying, day)
    _check_contract(fill.contract, fill.side, fill.quantity)
    if day > fill.contract.expiry:
        msg = f"{fill.contract}: it has expired by {day}"
        raise CostError(msg)
    if fill.price_paise <= 0:
        msg = f"{fill.contract}: price {fill.price_paise} paise, expected more than 0"
        raise CostError(msg)


def _check_exercise(exercise: Exercise, day: date, broker: Broker) -> None:
    broker.levies.check(exercise.contract.exchange, exercise.contract.underlying, day)
    _check_contract(exercise.contract, exercise.side, exercise.quantity)
    if exercise.contract.instrument == FUTURE:
        msg = f"{exercise.contract}: a future is not exercised"
        raise CostError(msg)
    if exercise.settlement_paise <= 0 or exercise.orders < 1:
        msg = (
            f"{exercise.contract}: settled at {exercise.settlement_paise} paise in "
            f"{exercise.orders} orders, expected both above 0"
        )
        raise CostError(msg)


def _check_contract(contract: Contract, side: str, quantity: int) -> None:
    if (contract.strike_paise, contract.right) != (None, None):
        strike = contract.strike_paise
        if contract.right not in {_CALL, _PUT} or strike is None or strike <= 0:
            msg = f"strike {strike} paise and right {contract.right}: no option and no future"
            raise CostError(msg)
    if side not in {BUY, SELL}:
        msg = f"{contract}: side {side!r}, expected BUY or SELL"
        raise CostError(msg)
    if quantity <= 0:
        msg = f"{contract}: quantity {quantity}, expected more than 0"
        raise CostError(msg)
