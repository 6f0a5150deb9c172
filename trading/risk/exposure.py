"""Gates 9 to 15: how much the desk has lost and how much it would have at stake.

Shares of capital are compared in paise or in ppm, rounded against the order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading.risk.scenarios import LIMITED_SCENARIOS
from trading.risk.verdicts import Gate, GateResult, at_most, graded, missing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trading.risk.limits import Limits
    from trading.risk.proposal import OrderProposal
    from trading.risk.snapshot import RiskSnapshot

MILLION = 1_000_000

DAY_LOSS = Gate(9, "daily drawdown", "ppm")
PEAK_LOSS = Gate(10, "peak drawdown", "ppm")
TRADE_LOSS = Gate(11, "max loss per trade", "paise")
CONCENTRATION = Gate(12, "concentration", "paise")
GREEKS = Gate(13, "greeks", "paise")
MARGIN = Gate(14, "margin", "ppm")
REGULATORY = Gate(15, "regulatory position", "paise")

NO_CAPITAL = "the desk's capital is not known"


def day_loss(order: OrderProposal, seen: RiskSnapshot, limits: Limits, lots: int) -> GateResult:
    """Gate 9: what today lost, realised and not, as a share of capital: half size, then no entries.
    Basis: SEC 15c3-5, capital threshold.
    """
    del lots
    if not seen.capital_paise or seen.day_profit_paise is None:
        reason = "today's profit is not known" if seen.capital_paise else NO_CAPITAL
        limit = limits.day_loss_half_ppm
        return missing(DAY_LOSS, reducing=order.reducing, limit=limit, reason=reason)
    lost = share_ppm(-seen.day_profit_paise, seen.capital_paise)
    return graded(
        DAY_LOSS,
        lost,
        limits.day_loss_half_ppm,
        limits.day_loss_block_ppm,
        reducing=order.reducing,
        wrong=f"{percent(lost)} of capital lost today",
    )


def peak_loss(order: OrderProposal, seen: RiskSnapshot, limits: Limits, lots: int) -> GateResult:
    """Gate 10: how far equity lies below its highest: half size, then a stop for review."""
    del lots
    limit = limits.peak_loss_half_ppm
    equity, highest = seen.equity_paise, seen.highest_equity_paise
    if equity is None or highest is None or highest <= 0:
        reason = "equity is not known" if equity is None else "the highest equity is not known"
        return missing(PEAK_LOSS, reducing=order.reducing, limit=limit, reason=reason)
    lost = share_ppm(highest - equity, highest)
    return graded(
        PEAK_LOSS,
        lost,
        limit,
        limits.peak_loss_stop_ppm,
        reducing=order.reducing,
        wrong=f"equity is {percent(lost)} below its highest",
    )


def trade_loss(order: OrderProposal, seen: RiskSnapshot, limits: Limits, lots: int) -> GateResult:
    """Gate 11: the largest loss of the structure, at the lots that are left."""
    each = order.risk.largest_loss_paise
    if not seen.capital_paise or each is None:
        reason = "the largest loss is not known" if seen.capital_paise else NO_CAPITAL
        return missing(TRADE_LOSS, reducing=order.reducing, limit=None, reason=reason)
    limit = part(seen.capital_paise, limits.trade_loss_ppm)
    return at_most(
        TRADE_LOSS,
        each * lots,
        limit,
        reducing=order.reducing,
        wrong="the structure can lose more than one trade may",
    )


def concentration(
    order: OrderProposal, seen: RiskSnapshot, limits: Limits, lots: int
) -> GateResult:
    """Gate 12: the largest losses of the book with the order, by strategy, expiry, strike,
    underlying and what expires today, each as a share of the risk budget. It tells of the share
    with the least room. Basis: SEBI's position limits.
    """
    each = order.risk.largest_loss_paise
    if not seen.capital_paise or seen.shares is None or each is None:
        reason = "the risk of the book or of the order is not known"
        reason = reason if seen.capital_paise else NO_CAPITAL
        return missing(CONCENTRATION, reducing=order.reducing, limit=None, reason=reason)
    budget = part(seen.capital_paise, limits.risk_budget_ppm)
    found = [
        (part(budget, share) - at_stake, at_stake, what)
        for what, at_stake, share in _stakes(order, seen, limits, each * lots)
    ]
    room, at_stake, what = min(found)
    return at_most(
        CONCENTRATION,
        at_stake,
        room + at_stake,
        reducing=order.reducing,
        wrong=f"too much at stake in {what}",
    )


def greeks(order: OrderProposal, seen: RiskSnapshot, limits: Limits, lots: int) -> GateResult:
    """Gate 13: the book with the order: the loss of a move of 1 % by delta, of a vol point by vega,
    and the worst of the scenarios up to ±4 % and ±5 vol points. It tells of the one with the least
    room.
    """
    held, added = seen.greeks, order.risk.greeks
    if not seen.capital_paise or held is None or added is None:
        reason = "the greeks of the book or of the order are not known"
        reason = reason if seen.capital_paise else NO_CAPITAL
        return missing(GREEKS, reducing=order.reducing, limit=None, reason=reason)
    after = held.plus(added, lots)
    worst = max(0, *(-after.scenarios_paise[number] for number in LIMITED_SCENARIOS))
    found = (
        (abs(after.delta_paise), limits.delta_move_ppm, "a move of 1 % by delta"),
        (abs(after.vega_paise), limits.vega_point_ppm, "a vol point by vega"),
        (worst, limits.scenario_loss_ppm, "the worst scenario"),
    )
    room, value, what = min(
        (part(seen.capital_paise, share) - value, value, what) for value, share, what in found
    )
    return at_most(
        GREEKS,
        value,
        room + value,
        reducing=order.reducing,
        wrong=f"too much would be lost in {what}",
    )


def margin(order: OrderProposal, seen: RiskSnapshot, limits: Limits, lots: int) -> GateResult:
    """Gate 14: the SPAN-like margin of the book with the order as a share of capital: half size
    above the soft limit, none above the hard one.
    """
    soft, hard = limits.margin_soft_ppm, limits.margin_hard_ppm
    after = (order.risk.margin_after_paise or {}).get(lots)
    if not seen.capital_paise or after is None:
        reason = "the margin is not known" if seen.capital_paise else NO_CAPITAL
        return missing(MARGIN, reducing=order.reducing, limit=soft, reason=reason)
    used = share_ppm(after, seen.capital_paise)
    return graded(
        MARGIN,
        used,
        soft,
        hard,
        reducing=order.reducing,
        wrong=f"the SPAN-like margin would be {percent(used)} of capital",
        reached=False,
    )


def regulatory(order: OrderProposal, seen: RiskSnapshot, limits: Limits, lots: int) -> GateResult:
    """Gate 15: future equivalents of the underlying with the order, net and each side, within our
    part of the exchange's limits of the day. Basis: SEBI 29 May 2025 and 1 Sep 2025.
    """
    held, added = seen.future_equivalent, order.risk.future_equivalent
    net_limit, gross_limit = limits.regulatory_net_paise, limits.regulatory_gross_paise
    if held is None or added is None:
        reason = "the future equivalents of the book or of the order are not known"
        return missing(REGULATORY, reducing=order.reducing, limit=net_limit, reason=reason)
    after = held.plus(added, lots)
    net = abs(after.long_paise - after.short_paise)
    side = max(after.long_paise, after.short_paise)
    what, value, limit = "net", net, net_limit
    if gross_limit - side < net_limit - net:
        what, value, limit = "gross", side, gross_limit
    return at_most(
        REGULATORY,
        value,
        limit,
        reducing=order.reducing,
        wrong=f"the {what} position would be above our part of the exchange's limit",
    )


def part(paise: int, share: int) -> int:
    """A share (ppm) of an amount, rounded down."""
    return paise * share // MILLION


def share_ppm(paise: int, whole_paise: int) -> int:
    """What part of an amount another is, in ppm, rounded up; negative for less than nothing."""
    return -(-paise * MILLION // whole_paise)


def percent(share: int) -> str:
    """A share as text."""
    return f"{share / 10_000:.2f} %"


def _stakes(
    order: OrderProposal, seen: RiskSnapshot, limits: Limits, adds: int
) -> Iterator[tuple[str, int, int]]:
    """What would be at stake: (in words, paise, the share of the budget it may take)."""
    shares = seen.shares
    assert shares is not None  # noqa: S101 - the caller has asked
    strategy, underlying = order.strategy.name, order.underlying
    contracts = [leg.contract for leg in order.legs]
    yield (
        strategy,
        shares.strategies.get(strategy, 0) + adds,
        limits.strategy_share_ppm,
    )
    yield (
        underlying,
        shares.underlyings.get(underlying, 0) + adds,
        limits.underlying_share_ppm,
    )
    for expiry in sorted({contract.expiry for contract in contracts}):
        yield f"expiry {expiry}", shares.expiries.get(expiry, 0) + adds, limits.expiry_share_ppm
    for strike in sorted({strike_key(c.underlying, c.strike_paise) for c in contracts}):
        yield f"strike {strike}", shares.strikes.get(strike, 0) + adds, limits.strike_share_ppm
    expiring = adds if any(contract.expiry == seen.today for contract in contracts) else 0
    yield "what expires today", shares.expiring_paise + expiring, limits.expiring_share_ppm


def strike_key(underlying: str, strike_paise: int) -> str:
    """How `RiskShares` names a strike."""
    return f"{underlying} {strike_paise}"
