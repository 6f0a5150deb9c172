"""Gates 1 to 8: whether an order may be thought of now, at all and by whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading.risk.verdicts import Gate, GateResult, judged, missing

if TYPE_CHECKING:
    from trading.risk.limits import Limits
    from trading.risk.proposal import OrderProposal, ProposedLeg
    from trading.risk.snapshot import InputAge, RiskSnapshot

KILL_SWITCH = Gate(1, "kill switch", "flag")
SESSION_WINDOW = Gate(2, "session window", "ist_seconds")
MARKET_HALT = Gate(3, "market halt", "flag", stops_reducing=True)
SETTLING = MARKET_HALT._replace(unit="chains", stops_reducing=False)
DATA_STALENESS = Gate(4, "data staleness", "us")
INSTRUMENT = Gate(5, "instrument validity", "units", stops_reducing=True)
DUPLICATE = Gate(6, "duplicate", "us", stops_reducing=True)
TOXICITY = Gate(7, "VPIN toxicity", "ppm")
REGIME = Gate(8, "regime", "bars")


def kill_switch(order: OrderProposal, seen: RiskSnapshot, limits: Limits, lots: int) -> GateResult:
    """Gate 1: nothing new while the kill switch, a breaker or the strategy's own is set. Basis:
    RTS 6 Art. 12.
    """
    del limits, lots
    if seen.flags is None:
        return missing(
            KILL_SWITCH, reducing=order.reducing, limit=0, reason="the switches are not known"
        )
    is_set = int(bool(seen.flags))
    return judged(
        KILL_SWITCH,
        reducing=order.reducing,
        value=is_set,
        limit=0,
        headroom=-is_set,
        wrong="; ".join(seen.flags) or None,
    )


def session_window(
    order: OrderProposal, seen: RiskSnapshot, limits: Limits, lots: int
) -> GateResult:
    """Gate 2: entries only between the first and the last entry time (IST), and nothing is sold on
    its expiry day after a time of its own.
    """
    del lots
    now, first, last = (
        seen.now_ist_seconds,
        limits.first_entry_ist_seconds,
        limits.last_entry_ist_seconds,
    )
    reason = f"after the last entry {_clock(last)}"
    if _sells_what_expires(order, seen) and limits.last_expiry_sale_ist_seconds < last:
        last = limits.last_expiry_sale_ist_seconds
        reason = f"after {_clock(last)} nothing is sold that expires today"
    early = now < first
    if early:
        reason = f"before the first entry {_clock(first)}"
    return judged(
        SESSION_WINDOW,
        reducing=order.reducing,
        value=now,
        limit=first if early else last,
        headroom=now - first if early else last - now,
        wrong=reason if early or now > last else None,
    )


def market_halt(order: OrderProposal, seen: RiskSnapshot, limits: Limits, lots: int) -> GateResult:
    """Gate 3: no entries while the market is halted or closed, nor before a few fresh chains after
    a halt; what reduces risk waits for the halt's end and no longer.
    """
    del lots
    if seen.halted is None or seen.orders_taken is None:
        reason = "whether the market trades is not known"
        return missing(MARKET_HALT, reducing=order.reducing, limit=0, reason=reason)
    if not seen.halted and seen.orders_taken and seen.fresh_chains is not None:
        fresh, wanted = seen.fresh_chains, limits.resume_chains
        return judged(
            SETTLING,
            reducing=order.reducing,
            value=fresh,
            limit=wanted,
            headroom=fresh - wanted,
            wrong=f"{fresh} of {wanted} fresh chains since trading went on"
            if fresh < wanted
            else None,
        )
    wrong = None
    if seen.halted:
        wrong = "the market is halted" + (f": {seen.halt_reason}" if seen.halt_reason else "")
    elif not seen.orders_taken:
        wrong = "the market takes no orders now"
    value = int(wrong is not None)
    if wrong is not None and order.reducing:
        return GateResult(
            MARKET_HALT.number, MARKET_HALT.name, value, 0, "flag", -value, "queued", wrong
        )
    return judged(
        MARKET_HALT, reducing=order.reducing, value=value, limit=0, headroom=-value, wrong=wrong
    )


def data_staleness(
    order: OrderProposal, seen: RiskSnapshot, limits: Limits, lots: int
) -> GateResult:
    """Gate 4: every input the strategy declares was received recently enough, by the limit or twice
    its feed's cadence, and is fit to decide on. It tells of the worst one; headroom is null where
    age is not what counts. Basis: SEBI 2012.
    """
    del lots
    worst: GateResult | None = None
    for name in order.strategy.inputs:
        result = _fresh(name, order, seen, limits)
        if worst is None or _is_worse(result, worst):
            worst = result
    if worst is None:
        worst = judged(
            DATA_STALENESS,
            reducing=order.reducing,
            value=None,
            limit=None,
            headroom=None,
            wrong=None,
            note=f"{order.strategy.name} declares no input",
        )
    return worst


def instrument_validity(
    order: OrderProposal, seen: RiskSnapshot, limits: Limits, lots: int
) -> GateResult:
    """Gate 5: contracts of the master that still live, whole lots, prices and strikes on their
    steps, no order above the freeze quantity. Basis: RTS 6 Art. 15(1)(c).
    """
    del limits, lots
    worst: GateResult | None = None
    for leg in order.legs:
        result = _valid(leg, order, seen)
        if worst is None or _is_worse(result, worst):
            worst = result
    return worst or _nothing_asked(INSTRUMENT, order)


def duplicate(order: OrderProposal, seen: RiskSnapshot, limits: Limits, lots: int) -> GateResult:
    """Gate 6: no client id again, nor the same strategy, legs, sides and signal within a while.
    Basis: SEC 15c3-5(c)(1)(ii), "duplicative".
    """
    del lots
    window = limits.duplicate_window_us
    if seen.recent is None:
        reason = "the orders before it are not known"
        return missing(DUPLICATE, reducing=order.reducing, limit=window, reason=reason)
    said = order.fingerprint
    ages = [
        seen.now_us - each.at_us
        for each in seen.recent
        if each.fingerprint == said or each.client == order.client
    ]
    if any(each.client == order.client for each in seen.recent):
        wrong: str | None = f"order {order.client} was sent already"
    else:
        repeated = bool(ages) and min(ages) < window
        wrong = f"the same order went {_seconds(min(ages))} ago" if repeated else None
    age = min(ages, default=None)
    return judged(
        DUPLICATE,
        reducing=order.reducing,
        value=age,
        limit=window,
        headroom=None if age is None else age - window,
        wrong=wrong,
    )


def toxicity(order: OrderProposal, seen: RiskSnapshot, limits: Limits, lots: int) -> GateResult:
    """Gate 7: no entry while the percentile of VPIN is at the limit or above. It carries no proven
    power of its own (Andersen and Bondarenko), so a strategy may declare it does without.
    """
    del lots
    limit = limits.toxic_percentile_ppm
    stale = seen.vpin is not None and seen.vpin.age_us > limits.toxicity_age_us
    if seen.vpin is None or stale:
        what = "VPIN is not known" if seen.vpin is None else "VPIN is too old"
        if order.strategy.needs_toxicity:
            return missing(TOXICITY, reducing=order.reducing, limit=limit, reason=what)
        note = f"{what}; {order.strategy.name} declares it does without"
        return judged(
            TOXICITY,
            reducing=order.reducing,
            value=None,
            limit=limit,
            headroom=None,
            wrong=None,
            note=note,
        )
    value = seen.vpin.percentile_ppm
    return judged(
        TOXICITY,
        reducing=order.reducing,
        value=value,
        limit=limit,
        headroom=limit - value,
        wrong="flow is toxic" if value >= limit else None,
    )


def regime(order: OrderProposal, seen: RiskSnapshot, limits: Limits, lots: int) -> GateResult:
    """Gate 8: a regime the strategy trades in, that has stood for a while."""
    del lots
    allowed, limit = order.strategy.regimes, limits.regime_dwell_bars
    if allowed is None:
        return judged(
            REGIME,
            reducing=order.reducing,
            value=None if seen.regime is None else seen.regime.dwell_bars,
            limit=limit,
            headroom=None,
            wrong=None,
            note=f"{order.strategy.name} declares that it trades in any regime",
        )
    if seen.regime is None:
        reason = "the regime is not known"
        return missing(REGIME, reducing=order.reducing, limit=limit, reason=reason)
    label, dwell = seen.regime.label, seen.regime.dwell_bars
    wrong = None
    if label not in allowed:
        wrong = f"{order.strategy.name} does not trade in {label}"
    elif dwell < limit:
        wrong = f"{label} has stood for {dwell} of {limit} bars"
    return judged(
        REGIME,
        reducing=order.reducing,
        value=dwell,
        limit=limit,
        headroom=dwell - limit if label in allowed else None,
        wrong=wrong,
    )


def _sells_what_expires(order: OrderProposal, seen: RiskSnapshot) -> bool:
    return any(leg.side == "SELL" and leg.contract.expiry == seen.today for leg in order.legs)


def _fresh(name: str, order: OrderProposal, seen: RiskSnapshot, limits: Limits) -> GateResult:
    known = seen.inputs.get(name)
    limit = max(limits.age_us(name), known.limit_us if known else 0)
    age = known.age_us if known else None
    wrong = _too_old(name, age, limit)
    measured = age is not None and (wrong is not None or _unfit(name, known, seen) is None)
    wrong = wrong or _unfit(name, known, seen)
    return judged(
        DATA_STALENESS,
        reducing=order.reducing,
        value=age,
        limit=limit,
        headroom=limit - age if measured and age is not None else None,
        wrong=wrong,
    )


def _too_old(name: str, age: int | None, limit: int) -> str | None:
    if age is None:
        return f"no {name} received yet"
    if age > limit:
        return f"{name} is {age / 1e6:.0f} s old, limit {limit / 1e6:.0f} s"
    return None


def _unfit(name: str, known: InputAge | None, seen: RiskSnapshot) -> str | None:
    """Why nothing may be entered on an input of any age, None when it may."""
    if known is not None and known.state != "FRESH":
        return f"{name} is {known.state}: {known.reason}"
    if name != "chain":
        return None
    if seen.rung == "SURFACE_STALE":
        return "the surface is stale: too few strikes are quoted now"
    if seen.rung in {None, "NONE"}:
        return "too few strikes are quoted"
    return None


def _valid(leg: ProposedLeg, order: OrderProposal, seen: RiskSnapshot) -> GateResult:
    label, terms = leg.contract.label, leg.terms
    if terms is None or terms.lot_size <= 0:
        reason = f"{label} is not in the contract master"
        return missing(
            INSTRUMENT,
            reducing=order.reducing,
            limit=None,
            reason=reason,
            value=leg.largest_order,
        )
    largest = terms.freeze_quantity // terms.lot_size * terms.lot_size
    wrong = None
    if leg.contract.expiry < seen.today:
        wrong = f"{label} has expired"
    elif leg.quantity <= 0 or (leg.quantity % terms.lot_size and not order.reducing):
        wrong = f"{label}: {leg.quantity} units are no whole lots of {terms.lot_size}"
    elif leg.contract.strike_paise % terms.strike_step_paise:
        wrong = f"{label}: no strike of the exchange's steps of {terms.strike_step_paise} paise"
    elif leg.limit_paise is not None and leg.limit_paise % terms.tick_paise:
        wrong = f"{label}: {leg.limit_paise} paise is no multiple of the tick {terms.tick_paise}"
    elif leg.largest_order > largest:
        wrong = f"{label}: {leg.largest_order} units in one order, the exchange takes {largest}"
    return judged(
        INSTRUMENT,
        reducing=order.reducing,
        value=leg.largest_order,
        limit=largest,
        headroom=largest - leg.largest_order,
        wrong=wrong,
    )


def _nothing_asked(gate: Gate, order: OrderProposal) -> GateResult:
    return judged(
        gate,
        reducing=order.reducing,
        value=None,
        limit=None,
        headroom=None,
        wrong=None,
        note="no contract is asked for",
    )


def _is_worse(one: GateResult, other: GateResult) -> bool:
    """Whether an answer is nearer to stopping than another."""
    if (one.verdict == "block") != (other.verdict == "block"):
        return one.verdict == "block"
    if one.headroom is None or other.headroom is None:
        return one.headroom is None and other.headroom is not None
    return one.headroom < other.headroom


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d} IST"


def _seconds(microseconds: int) -> str:
    return f"{microseconds / 1e6:.3f} s"
