"""One sentence an event, for a list of them. Pure: a kind and its data in, text out.

A kind the house does not know, or data that lacks a member, is told as far as it goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from journal.facts import halt_closes, said
from journal.figures import NO_DATA, comparison, count, ist_text, signed_rupees, significant, span

if TYPE_CHECKING:
    from collections.abc import Callable

Data = dict[str, Any]
SENTENCE_LIMIT = 160  # characters
HASH_SHOWN = 8


def sentence(kind: str, data: Data) -> str:
    """Return what an event says in one sentence, cut to a line's length."""
    try:
        text = _TELLERS.get(kind, _anything)(data)
    except (AttributeError, KeyError, TypeError, ValueError, ArithmeticError):
        text = _anything(data)  # not the shape its kind has today
    return text if len(text) <= SENTENCE_LIMIT else f"{text[: SENTENCE_LIMIT - 1].rstrip()}…"


def contract_text(contract: Data | None) -> str:
    """Return `NIFTY 2025-09-02 24500 CE`."""
    if not contract:
        return NO_DATA
    strike = contract.get("strike_paise")
    strike_text = NO_DATA if strike is None else f"{strike / 100:g}"
    return (
        f"{contract.get('underlying')} {contract.get('expiry')} {strike_text} "
        f"{contract.get('right')}"
    )


def _because(data: Data) -> str:
    return f": {data['reason']}" if data.get("reason") else ""


def _short(digest: object) -> str:
    return f"{str(digest or '')[:HASH_SHOWN]}…" if digest else NO_DATA


def _number(data: Data, name: str) -> str:
    value = data.get(name)
    return count(value) if isinstance(value, int) else str(value)


def _log_opened(data: Data) -> str:
    before = data.get("previous")
    if not isinstance(before, dict):
        return f"file of {data.get('date')}, the first of the session"
    return f"file of {data.get('date')}, after {before.get('file')} line {_number(before, 'line')}"


def _log_recovered(data: Data) -> str:
    torn = f"{_number(data, 'bytes')} torn bytes of {data.get('file')}"
    return f"{torn} moved aside to {data.get('moved_to')}{_because(data)}"


def _session_opened(data: Data) -> str:
    named = (data.get("configuration") or {}).get("name") or NO_DATA
    digest = _short(data.get("configuration_digest"))
    return f"session begins: configuration {named} {digest}, code {data.get('code_version')}"


def _day_opened(data: Data) -> str:
    calendar = data.get("calendar") or {}
    hours = "–".join(
        ist_text(calendar.get(name), "%H:%M") for name in ("open_us", "close_us") if calendar
    )
    told = f"day begins: market {hours or NO_DATA} IST, {_halts(calendar)}"
    return f"{told}, state {_short(data.get('state_digest'))}"


def _halts(calendar: Data) -> str:
    closes = [
        f"{said('close_paise', close)} of {index}" for index, close in halt_closes(calendar).items()
    ]
    if not closes:
        return "market-wide halts not told by its feed"
    return f"market-wide halts counted from {' and '.join(closes)}"


def _frame(data: Data) -> str:
    chain = data.get("chain") or []
    told = [f"{len(chain)} {'expiry' if len(chain) == 1 else 'expiries'}"]
    if chain:
        forward = said("forward_paise", chain[0].get("forward_paise"))
        told.append(f"forward {forward} of {chain[0].get('expiry')}")
    as_of, available = data.get("as_of"), data.get("available_at")
    if isinstance(as_of, int) and isinstance(available, int):
        told.append(f"{span(available - as_of)} old on arrival")
    if data.get("flags"):
        told.append(f"flags {' '.join(map(str, data['flags']))}")
    return ", ".join(told)


def _market_status(data: Data) -> str:
    return f"{data.get('status')}{_because(data)}"


def _tick(_: Data) -> str:
    return "time went on"


def _command(data: Data) -> str:
    return f"{data.get('command')}, asked by {data.get('actor')}{_because(data)}"


def _order(data: Data) -> str:
    return f"{data.get('side')} {_number(data, 'quantity')} {contract_text(data.get('contract'))}"


def _submitted(data: Data) -> str:
    return f"{_order(data)} to {data.get('broker')}, attempt {_number(data, 'attempt')}"


def _intended(data: Data) -> str:
    expected = said("expected_paise", data.get("expected_paise"))
    return f"{data.get('purpose')}: {_order(data)}, expected {expected}"


def _report(data: Data) -> str:
    told = f"{data.get('status')}"
    if data.get("quantity"):
        told += f" {_number(data, 'quantity')}"
    if data.get("price_paise") is not None:
        modelled = " (MODELLED)" if data.get("price_basis") == "MODELLED" else ""
        told += f" at {said('price_paise', data['price_paise'])}{modelled}"
        told += f", expected {said('expected_paise', data.get('expected_paise'))}"
    return f"{told}{_because(data)}"


def _features(data: Data) -> str:
    values = data.get("values") or {}
    known = sum(value is not None for value in values.values())
    told = f"{known} of {len(values)} known"
    chain = (data.get("quality") or {}).get("chain") or {}
    return f"{told}, chain {str(chain['state']).lower()}" if chain.get("state") else told


def _surface(data: Data) -> str:
    expiries = data.get("expiries") or []
    if data.get("refusal"):
        reasons = dict.fromkeys(str(each["refusal"]) for each in expiries if each.get("refusal"))
        return f"no surface: {data['refusal']}" + (f" ({', '.join(reasons)})" if reasons else "")
    fitted = sum(each.get("refusal") is None for each in expiries)
    quotes = data.get("quotes") or {}
    told = f"{fitted} of {len(expiries)} expiries, η {significant(data.get('eta'))}"
    told += f", {_number(quotes, 'inside')} of {_number(quotes, 'count')} quotes inside"
    told += f", error {significant(quotes.get('p95_error'), 3)} spreads (p95)"
    violations = (data.get("arbitrage") or {}).get("violations")
    found = "no arbitrage" if violations == 0 else f"arbitrage at {violations} places"
    return f"{told}, {found}, {_short(data.get('digest'))}"


def _signal(data: Data) -> str:
    if data.get("fired"):
        return f"fired: {data.get('direction') or 'no direction'}"
    missed = next((c for c in data.get("conditions") or [] if not c.get("met")), None)
    if missed is None:
        return f"did not fire{_because(data)}"
    wanted = f"{comparison(missed.get('comparison'))} {significant(missed.get('threshold'))}"
    return f"did not fire: {missed.get('name')} {significant(missed.get('value'))}, needed {wanted}"


def _gates(data: Data) -> str:
    action = data.get("action") or NO_DATA
    decided_by = data.get("decided_by")
    if decided_by is None:
        lots = data.get("lots")
        size = "" if lots is None else f", {count(lots)} lot{'' if lots == 1 else 's'}"
        return f"{action} admitted{size}"
    gate: Data = next((g for g in data.get("gates") or [] if g.get("number") == decided_by), {})
    return f"{action} blocked by gate {decided_by} {gate.get('name', '')}".rstrip() + _because(gate)


def _set_aside(data: Data) -> str:
    told = f"{data.get('status')} set aside, {data.get('verdict')}{_because(data)}"
    return f"{told}; nothing is entered" if data.get("blocks") else told


def _statement(data: Data) -> str:
    if data.get("problem"):
        return f"{data.get('broker')} could not be asked: {data['problem']}"
    orders, held = len(data.get("orders") or []), len(data.get("holdings") or [])
    told = f"{data.get('broker')} works {orders} order{'' if orders == 1 else 's'}"
    return f"{told} and holds {held} contract{'' if held == 1 else 's'}"


def _reconciled(data: Data) -> str:
    told = f"book and {data.get('broker')} compared ({data.get('why')})"
    if data.get("problem"):
        told += f": not possible, {data['problem']}"
    else:
        number = data.get("differences")
        told += f": {number or 'no'} difference{'' if number == 1 else 's'}"
    return f"{told}; nothing is entered" if data.get("blocks") else told


def _accepted(data: Data) -> str:
    told = f"differences of {data.get('reconciliation')} accepted by {data.get('actor')}"
    return f"{told}, approved by {data.get('approver')}{_because(data)}"


def _position(data: Data) -> str:
    before, now = data.get("before"), data.get("state")
    told = f"{now}" if before in (None, now) else f"{before} → {now}"
    told += f"{_because(data)}, {signed_rupees(data.get('gross_paise'))} gross"
    net = data.get("net_paise")
    return told if net is None else f"{told}, {signed_rupees(net)} net"


def _settlement(data: Data) -> str:
    price = said("price_paise", data.get("price_paise"))
    synthetic = ", SYNTHETIC" if data.get("synthetic") else ""
    told = f"{data.get('underlying')} options of {data.get('expiry')} settle at {price}"
    return f"{told}: {data.get('row')}{synthetic}"


def _settled(data: Data) -> str:
    outcomes = [str(leg.get("outcome")).lower() for leg in data.get("legs") or []]
    told = [f"{outcomes.count(each)} {each}" for each in dict.fromkeys(outcomes)]
    price = said("price_paise", data.get("price_paise"))
    return f"{', '.join(told)} at {price}, {signed_rupees(data.get('cash_paise'))} in cash"


def _unsettled(data: Data) -> str:
    held = len(data.get("contracts") or [])
    why = {"NO_PRICE": "no settlement price is known", "ORDER_WORKS": "an order still works"}
    told = f"{held} contract{'' if held == 1 else 's'} of {data.get('expiry')} not settled"
    return f"{told}: {why.get(str(data.get('reason')), data.get('reason'))}"


def _portfolio(data: Data) -> str:
    held = len(data.get("positions") or [])
    unrealised = signed_rupees(data.get("unrealised_paise"))
    told = f"realised {signed_rupees(data.get('realised_paise'))}, unrealised {unrealised}"
    told += f", {held} position{'' if held == 1 else 's'}"
    return f"{told}, STOPPED" if data.get("killed") else told


def _request(data: Data) -> str:
    told = f"{data.get('what')} {data.get('state')}, asked by {data.get('actor')}"
    told += f", approved by {data['approver']}" if data.get("approver") else ""
    return f"{told}{_because(data)}"


def _changed(data: Data) -> str:
    told = f"{data.get('what')}: {data.get('before')} → {data.get('after')}"
    if not data.get("actor"):
        return told
    told += f" by {data['actor']}"
    told += f", approved by {data['approver']}" if data.get("approver") else ""
    return f"{told}{_because(data)}"


def _day_closed(data: Data) -> str:
    derived = sum(data.get("counts", {}).values())
    return f"day ends: {count(derived)} events derived, state {_short(data.get('state_digest'))}"


def _session_ended(data: Data) -> str:
    return f"input ends{_because(data)}"


def _session_closed(data: Data) -> str:
    derived = sum(data.get("counts", {}).values())
    realised = signed_rupees(data.get("realised_paise"))
    return f"session ends: {count(derived)} events derived, realised {realised}"


def _anything(data: Data) -> str:
    plain = ((name, value) for name, value in data.items() if not isinstance(value, dict | list))
    return ", ".join(f"{name} {said(name, value)}" for name, value in plain)


_TELLERS: dict[str, Callable[[Data], str]] = {
    "log.opened": _log_opened,
    "log.recovered": _log_recovered,
    "session.opened": _session_opened,
    "day.opened": _day_opened,
    "market.frame": _frame,
    "market.status": _market_status,
    "clock.tick": _tick,
    "operator.command": _command,
    "order.submitted": _submitted,
    "broker.report": _report,
    "broker.statement": _statement,
    "report.set_aside": _set_aside,
    "book.reconciled": _reconciled,
    "reconciliation.accepted": _accepted,
    "session.ended": _session_ended,
    "surface.fitted": _surface,
    "features.computed": _features,
    "signal.emitted": _signal,
    "gate.decided": _gates,
    "order.intended": _intended,
    "position.changed": _position,
    "settlement.published": _settlement,
    "position.settled": _settled,
    "position.unsettled": _unsettled,
    "limits.changed": _changed,
    "breaker.changed": _changed,
    "request.changed": _request,
    "strategy.disabled": _changed,
    "portfolio.snapshot": _portfolio,
    "day.closed": _day_closed,
    "session.closed": _session_closed,
}
