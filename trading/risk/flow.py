"""Gates 16 to 20: the order itself, its price, and how many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading.risk.exposure import NO_CAPITAL, part
from trading.risk.verdicts import Gate, GateResult, at_most, judged, missing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trading.risk.limits import Limits
    from trading.risk.proposal import OrderProposal, ProposedLeg
    from trading.risk.snapshot import RiskSnapshot

MILLION = 1_000_000

ORDER_VALUE = Gate(16, "order value", "paise")
ORDER_LOTS = ORDER_VALUE._replace(unit="lots")
PRICE_COLLAR = Gate(17, "price collar", "paise", stops_reducing=True)
ORDER_RATE = Gate(18, "order rate", "messages", stops_reducing=True)
THROTTLE = Gate(19, "repeated execution throttle", "entries")
OPEN_ORDERS = Gate(20, "open-order exposure", "paise")


def order_value(order: OrderProposal, seen: RiskSnapshot, limits: Limits, lots: int) -> GateResult:
    """Gate 16: the premium that would change hands as a share of capital, and the lots. Basis:
    RTS 6 Art. 15(1)(b).
    """
    value = premium_paise(order, lots)
    if not seen.capital_paise or value is None:
        reason = "a price is not known" if seen.capital_paise else NO_CAPITAL
        return missing(ORDER_VALUE, reducing=order.reducing, limit=None, reason=reason)
    if lots > limits.order_lots:
        wrong = "more lots than one order may have"
        return at_most(ORDER_LOTS, lots, limits.order_lots, reducing=order.reducing, wrong=wrong)
    return at_most(
        ORDER_VALUE,
        value,
        part(seen.capital_paise, limits.premium_ppm),
        reducing=order.reducing,
        wrong="more premium than one order may have",
    )


def price_collar(order: OrderProposal, seen: RiskSnapshot, limits: Limits, lots: int) -> GateResult:
    """Gate 17: each price near the market's and the model's, and inside the exchange's own band.
    What reduces risk has twice the room of ours, not of the exchange's. Basis: RTS 6 Art. 15(1)(a),
    NSE's limit price protection since 31 Oct 2022.
    """
    del seen, lots
    worst: GateResult | None = None
    for leg in order.legs:
        result = _priced(leg, order, limits)
        if worst is None or _rank(result) < _rank(worst):
            worst = result
    return worst or judged(
        PRICE_COLLAR,
        reducing=order.reducing,
        value=None,
        limit=None,
        headroom=None,
        wrong=None,
        note="no price is asked for",
    )


def order_rate(order: OrderProposal, seen: RiskSnapshot, limits: Limits, lots: int) -> GateResult:
    """Gate 18: messages in a second and in a minute with this order's; some in each second are kept
    for what reduces risk. Basis: NSE 5 May 2025 (10 a second must be registered), RTS 6
    Art. 15(1)(d).
    """
    del lots
    second, minute = seen.messages_last_second, seen.messages_last_minute
    limit = limits.messages_per_second
    if order.reducing:
        limit += limits.reserved_messages_per_second
    if second is None or minute is None:
        reason = "how many messages went is not known"
        return missing(ORDER_RATE, reducing=order.reducing, limit=limit, reason=reason)
    value, what = second + order.messages, "a second"
    by_the_minute = minute + order.messages
    if not order.reducing and limits.messages_per_minute - by_the_minute < limit - value:
        value, limit, what = by_the_minute, limits.messages_per_minute, "a minute"
    wrong = f"more than {limit} messages in {what}"
    return at_most(ORDER_RATE, value, limit, reducing=order.reducing, wrong=wrong)


def throttle(order: OrderProposal, seen: RiskSnapshot, limits: Limits, lots: int) -> GateResult:
    """Gate 19: entries of a strategy since it was last switched on, in a day; at the limit it is
    off until a person switches it on. Basis: RTS 6 Art. 15(3).
    """
    del lots
    limit = limits.entries_per_day
    if seen.entries_today is None:
        reason = "the day's entries are not known"
        return missing(THROTTLE, reducing=order.reducing, limit=limit, reason=reason)
    wrong = f"{order.strategy.name} has entered {limit} times"
    return at_most(THROTTLE, seen.entries_today + 1, limit, reducing=order.reducing, wrong=wrong)


def open_orders(order: OrderProposal, seen: RiskSnapshot, limits: Limits, lots: int) -> GateResult:
    """Gate 20: the value of all working orders with this one. Basis: SEBI 2012, cumulative open
    order value.
    """
    value = premium_paise(order, lots)
    if not seen.capital_paise or seen.working_value_paise is None or value is None:
        reason = "the value of an order is not known" if seen.capital_paise else NO_CAPITAL
        return missing(OPEN_ORDERS, reducing=order.reducing, limit=None, reason=reason)
    return at_most(
        OPEN_ORDERS,
        seen.working_value_paise + value,
        part(seen.capital_paise, limits.open_order_ppm),
        reducing=order.reducing,
        wrong="the working orders would be worth too much",
    )


def premium_paise(order: OrderProposal, lots: int) -> int | None:
    """The premium of an order at some lots, paid and received alike; None where a price is not
    known.
    """
    total = 0
    for leg in order.legs:
        if leg.price_paise is None:
            return None
        total += leg.quantity * leg.price_paise
    return total * lots // order.lots if order.lots else 0


def _priced(leg: ProposedLeg, order: OrderProposal, limits: Limits) -> GateResult:
    label, price = leg.contract.label, leg.price_paise
    lacks = _lacks(leg, order)
    if price is None or lacks is not None:
        return missing(PRICE_COLLAR, reducing=order.reducing, limit=None, reason=lacks or "")
    rooms = [
        (allowed - abs(price - middle), abs(price - middle), allowed, what)
        for middle, allowed, what in _bands(leg, order, limits)
    ]
    room, distance, allowed, what = min(rooms)
    return judged(
        PRICE_COLLAR,
        reducing=order.reducing,
        value=distance,
        limit=allowed,
        headroom=room,
        wrong=f"{label} at {price} paise is too far from {what}" if room < 0 else None,
    )


def _lacks(leg: ProposedLeg, order: OrderProposal) -> str | None:
    """What is missing to judge a price, None when nothing is; for what reduces risk one thing to
    hold it against is enough.
    """
    label = leg.contract.label
    if leg.price_paise is None:
        return f"{label} has no price"
    if leg.reference_paise is None and not (order.reducing and leg.fair is not None):
        return f"{label} has no market price to be held against"
    if leg.fair is None and order.strategy.needs_fair_value and not order.reducing:
        return f"{label} has no fair value to be held against"
    return None


def _bands(
    leg: ProposedLeg, order: OrderProposal, limits: Limits
) -> Iterator[tuple[int, int, str]]:
    """The bands a price must lie in: (middle, allowed distance, what it is), paise."""
    factor = limits.reducing_collar_factor if order.reducing else 1
    tick = leg.terms.tick_paise if leg.terms else 0
    if leg.reference_paise is not None:
        middle = leg.reference_paise
        ours = factor * max(part(middle, limits.collar_ppm), limits.collar_ticks * tick)
        yield middle, ours, "the market"
        yield middle, price_protection_paise(middle, limits), "the exchange's band"
    if leg.fair is not None:
        middle = leg.fair.paise
        ours = factor * max(part(middle, limits.collar_ppm), limits.collar_ticks * tick)
        yield middle, ours, "fair value"
        points = factor * limits.collar_vol_points
        yield middle, max(points * leg.fair.vol_point_paise, tick), "fair value in vol points"


def price_protection_paise(reference_paise: int, limits: Limits) -> int:
    """How far from the reference the exchange takes a price at all, paise."""
    if reference_paise <= limits.band_reference_paise:
        return limits.band_low_paise
    return part(reference_paise, limits.band_ppm)


def _rank(result: GateResult) -> tuple[bool, int]:
    """Nearest to stopping first."""
    unknown = result.headroom is None
    return result.verdict != "block", -MILLION * MILLION if unknown else result.headroom or 0
