"""A contract note as it is shown: rupees as decimal text, each line with its rate, the days the
rate is in force and its source.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

from trading.costs.amounts import (
    E9,
    half_up,
    percent_of,
    rupees_of_exact,
    rupees_of_paise,
)
from trading.costs.funding import funding_e18, funding_points_e18
from trading.costs.india import Charges, charges_of, points_e18
from trading.costs.notes import Order, contract_note
from trading.costs.rates import FUTURE, GST, ORDER, CostError
from trading.market.figures import UNCONFIRMED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date

    from trading.costs.brokers import Broker
    from trading.costs.india import Exercise, Fill, Line
    from trading.costs.notes import ContractNote, NoteItem

_POINT_DECIMALS = 6


class Funding(NamedTuple):
    """A margin (paise) blocked for calendar days at a yearly rate (10^-9)."""

    margin_paise: int
    days: int
    rate_e9: int


class Wish(NamedTuple):
    """What is asked for: the legs of one day's note under one broker. `executed_orders` says how
    many orders the trades were, when it was not one a leg.
    """

    day: date
    broker: Broker
    fills: tuple[Fill, ...]
    exercises: tuple[Exercise, ...] = ()
    executed_orders: int | None = None
    stress: int = 1
    funding: Funding | None = None


def statement(wish: Wish) -> dict[str, Any]:
    """The note of a day as plain data. Raises CostError."""
    orders = orders_of(wish.fills, wish.executed_orders)
    note = contract_note(wish.day, wish.broker, orders, wish.exercises)
    return {
        "date": wish.day.isoformat(),
        "broker": wish.broker.name,
        "gst_on_investor_protection": wish.broker.gst_on_investor_protection,
        "stress": wish.stress,
        "billed": _texts(note.billed.times(wish.stress), rupees_of_paise),
        "exact": _texts(note.exact.times(wish.stress), rupees_of_exact),
        "lines": [
            _line(number, line, wish.stress)
            for number, item in enumerate(note.items, 1)
            for line in item.lines
        ],
        "legs": [_leg(number, item, wish) for number, item in enumerate(note.items, 1)],
        "rounding": {
            "status": wish.broker.rounding_status,
            "source": wish.broker.rounding_source,
        },
        "warnings": list(_warnings(wish, note)),
    }


def orders_of(fills: tuple[Fill, ...], executed_orders: int | None = None) -> tuple[Order, ...]:
    """One order a leg; or a given number of orders spread over the options' legs, the first ones
    taking the remainder, while a future's leg is one order (over the futures' legs where there are
    no options). Raises CostError for fewer than the legs need.
    """
    if executed_orders is None:
        return tuple(Order((fill,)) for fill in fills)
    options = sum(fill.contract.instrument != FUTURE for fill in fills)
    futures = len(fills) - options
    shared = options or futures
    left = executed_orders - (futures if options else 0)
    least = 1 if options else futures
    if left < least or not fills:
        needed = least + (futures if options else 0) if fills else 0
        msg = f"{executed_orders} executed orders for {len(fills)} traded legs, expected " + (
            f"{needed} or more" if fills else "a traded leg"
        )
        raise CostError(msg)
    counts = iter(left // shared + (number < left % shared) for number in range(shared))
    return tuple(
        Order((fill,), 1 if options and fill.contract.instrument == FUTURE else next(counts))
        for fill in fills
    )


def _texts(charges: Charges, text: Callable[[int], str]) -> dict[str, str]:
    return {
        **{name: text(amount) for name, amount in asdict(charges).items()},
        "total": text(charges.total),
    }


def _line(number: int, line: Line, stress: int) -> dict[str, Any]:
    rate = line.rate
    return {
        "leg": number,
        "charge": line.charge,
        "levied_by": rate.levied_by,
        "instrument": rate.instrument,
        "side": rate.side,
        "of": rate.base,
        "base": _base_text(line),
        "rate": _rate_text(line),
        "rate_e9": rate.rate_e9,
        "from": rate.first.isoformat(),
        "to": rate.last.isoformat() if rate.last else None,
        "status": rate.status,
        "source": rate.source,
        "amount": rupees_of_exact(line.amount_e18 * stress),
    }


def _base_text(line: Line) -> str:
    if line.rate.base == ORDER:
        return str(line.base)
    return rupees_of_exact(line.base) if line.charge == GST else rupees_of_paise(line.base)


def _rate_text(line: Line) -> str:
    if line.rate.base == ORDER:
        return f"₹{rupees_of_paise(line.rate.rate_e9 // E9)} an order"
    return percent_of(line.rate.rate_e9)


def _leg(number: int, item: NoteItem, wish: Wish) -> dict[str, Any]:
    exact = charges_of(item.lines).times(wish.stress)
    told = {
        "leg": number,
        "contract": str(_contract(item)),
        "kind": "order" if isinstance(item.item, Order) else "exercise",
        "side": _side(item),
        "quantity": item.quantity,
        "exact": _texts(exact, rupees_of_exact),
        "points": _points_text(points_e18(exact, item.quantity)),
    }
    if wish.funding is not None:
        margin, days, rate_e9 = wish.funding
        told["funding"] = rupees_of_exact(funding_e18(margin, days, rate_e9))
        told["funding_points"] = _points_text(
            funding_points_e18(margin, days, item.quantity, rate_e9)
        )
    return told


def _contract(item: NoteItem) -> object:
    return item.item.fills[0].contract if isinstance(item.item, Order) else item.item.contract


def _side(item: NoteItem) -> str:
    return item.item.fills[0].side if isinstance(item.item, Order) else item.item.side


def _points_text(points: int) -> str:
    rounded = half_up(points, 10 ** (18 - _POINT_DECIMALS))
    whole, rest = divmod(rounded, 10**_POINT_DECIMALS)
    return f"{whole}.{rest:0{_POINT_DECIMALS}d}"


def _warnings(wish: Wish, note: ContractNote) -> Iterator[str]:
    if wish.broker.rounding_status == UNCONFIRMED:
        yield f"how {wish.broker.name} rounds a contract note is UNCONFIRMED"
    for exercise in wish.exercises:
        if wish.day != exercise.contract.expiry:
            yield f"{exercise.contract} is exercised at expiry; these are the rates of {wish.day}"
    unsure = {
        f"{line.charge} of {line.rate.levied_by} on {line.rate.side} is UNCONFIRMED"
        for item in note.items
        for line in item.lines
        if line.rate.status == UNCONFIRMED
    }
    yield from sorted(unsure)


def shown(told: dict[str, Any]) -> Iterator[str]:
    """A statement as lines of text for a terminal."""
    yield f"contract note of {told['date']}, {told['broker']}, cost stress ×{told['stress']}"
    for leg in told["legs"]:
        yield (
            f"{leg['leg']}. {leg['kind']} {leg['side']} {leg['quantity']} {leg['contract']}: "
            f"₹{leg['exact']['total']}, {leg['points']} points"
        )
        if "funding" in leg:
            yield f"   funding ₹{leg['funding']}, {leg['funding_points']} points"
        for line in told["lines"]:
            if line["leg"] == leg["leg"]:
                yield (
                    f"   {line['charge']} {line['rate']} of {line['of']} {line['base']}: "
                    f"₹{line['amount']} ({line['from']} to {line['to'] or 'open'}, "
                    f"{line['status']}: {line['source']})"
                )
    for name, billed in told["billed"].items():
        yield f"{name:<10} billed ₹{billed:>12}   exact ₹{told['exact'][name]}"
    for warning in told["warnings"]:
        yield f"note: {warning}"
