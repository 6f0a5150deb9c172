"""Why: the events a decision came from and led to, told as a spine of cards from top to bottom.

Pure: stored events in, text out. What belongs to the spine was found by walking `cause` alone
(`journal.selectors.walk_get`); this module only says it in words.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from journal.facts import is_synthetic, said
from journal.figures import (
    MINUS,
    NO_DATA,
    comparison,
    count,
    decimal_text,
    ist_text,
    rupees,
    signed_rupees,
    significant,
    span,
)
from journal.sentences import contract_text, sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from journal.selectors import StoredEvent

STAGES = {
    "session.opened": "SESSION",
    "day.opened": "DAY",
    "market.frame": "DATA",
    "market.status": "MARKET",
    "clock.tick": "CLOCK",
    "operator.command": "COMMAND",
    "surface.fitted": "SURFACE",
    "model.fitted": "MODEL",
    "features.computed": "FEATURES",
    "gate.decided": "GATES",
    "order.intended": "ORDER",
    "order.submitted": "SUBMITTED",
    "broker.report": "REPORT",
    "report.set_aside": "SET ASIDE",
    "broker.statement": "STATEMENT",
    "book.reconciled": "RECONCILED",
    "reconciliation.accepted": "ACCEPTED",
    "position.changed": "POSITION",
    "settlement.published": "SETTLEMENT",
    "position.settled": "SETTLED",
    "position.unsettled": "UNSETTLED",
    "portfolio.snapshot": "PORTFOLIO",
    "limits.changed": "LIMITS",
    "breaker.changed": "BREAKER",
    "request.changed": "REQUEST",
    "strategy.disabled": "DISABLED",
    "day.closed": "DAY CLOSED",
    "session.closed": "CLOSED",
    "session.ended": "ENDED",
}


# What a reader looks for first; names not listed follow in the order of the alphabet.
_FEATURE_ORDER = {
    name: place
    for place, name in enumerate(
        (
            "z_score",
            "atm_iv",
            "surface_atm_iv",
            "mean",
            "deviation",
            "observations",
            "forward_paise",
            "strike_paise",
        )
    )
}
_PERCENT_FEATURES = frozenset({"atm_iv", "surface_atm_iv", "mean", "deviation"})


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a card's table; `kind` is `word`, `figure` or `wide`."""

    name: str
    kind: str = "word"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: its text, its column's kind and the colour of what it says."""

    text: str
    kind: str = "word"
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """What a card holds, ready to be shown."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    open: bool = True


@dataclass(frozen=True, slots=True)
class Card:
    """One link of the spine.

    `since_us` is the time since the card above (None for the first); `tone` is empty, `good`,
    `stop` or `asked`.
    """

    stage: str
    event: StoredEvent
    headline: str
    since_us: int | None = None
    tone: str = ""
    asked: bool = False
    last: bool = True  # of the cards this event gives
    synthetic: bool = False
    gross: bool = False
    table: Table | None = None
    why_not: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Spine:
    """The answer to one "why?"."""

    asked: StoredEvent
    title: str
    cards: tuple[Card, ...]
    synthetic: bool
    others: tuple[StoredEvent, ...]
    cut: bool


@dataclass(frozen=True, slots=True)
class _Telling:
    """What an event's kind says about it."""

    headline: str
    table: Table | None = None
    tone: str = ""
    stage: str = ""
    gross: bool = False
    why_not: tuple[str, ...] = ()


def spine_from_events(
    asked: StoredEvent, events: Sequence[StoredEvent], *, cut: bool = False
) -> Spine:
    """Tell the events around one event, in the order they happened.

    Standing facts that a decision also read (day, portfolio, limits) are listed apart unless one
    of them is what was asked about, so that the spine stays one line of thought.
    """
    standing = {"session.opened", "day.opened", "portfolio.snapshot", "limits.changed"}
    line = [event for event in events if event.kind not in standing or event.seq == asked.seq]
    others = tuple(event for event in events if event not in line)
    cards: list[Card] = []
    before: int | None = None
    for event in line:
        tellings = _tell(event)
        for telling in tellings:
            cards.append(
                Card(
                    stage=telling.stage or STAGES.get(event.kind, event.kind.upper()),
                    event=event,
                    headline=telling.headline,
                    since_us=None if before is None else event.ts - before,
                    tone=telling.tone,
                    asked=event.seq == asked.seq,
                    last=telling is tellings[-1],
                    synthetic=is_synthetic(event.data),
                    gross=telling.gross,
                    table=telling.table,
                    why_not=telling.why_not,
                )
            )
            before = event.ts
    synthetic = any(card.synthetic for card in cards)
    return Spine(
        asked=asked,
        title=_title(asked),
        cards=tuple(cards),
        synthetic=synthetic,
        others=others,
        cut=cut,
    )


def binding_condition(conditions: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the condition that stopped a signal, or of one that fired the nearest to stopping it.

    That is the first not met, as the strategy asks them; else the least headroom for its scale.
    Exact counts (scale 0) have no nearness.
    """
    for condition in conditions:
        if not condition.get("met"):
            return condition
    near = [condition for condition in conditions if condition.get("scale")]
    if not near:
        return conditions[0] if conditions else None
    return min(near, key=lambda condition: float(condition["headroom"]) / condition["scale"])


def smallest_change(data: dict[str, Any]) -> tuple[str, ...]:
    """Say what would have had to be different for a signal that did not fire, one line a condition.

    It says nothing about the gates that would have come after: they were not asked.
    """
    unmet = [condition for condition in data.get("conditions", []) if not condition.get("met")]
    if not unmet:
        return (data.get("reason") or "No condition was missed; the strategy gives no reason.",)
    lines = []
    for condition in unmet:
        name, value = condition.get("name", "?"), condition.get("value")
        wanted = (
            f"{comparison(condition.get('comparison'))} {significant(condition.get('threshold'))}"
        )
        if value is None:
            lines.append(f"{name}: {NO_DATA}, so {name} {wanted} could not be judged")
            continue
        short = condition.get("headroom")
        missing = "" if short is None else f", short by {significant(abs(short))}"
        lines.append(f"{name} {wanted} was needed, it was {significant(value)}{missing}")
    return tuple(lines)


def gate_title(gate: dict[str, Any]) -> str:
    """Return `gate 2 session window`."""
    return f"gate {gate.get('number')} {gate.get('name', '')}".strip()


def deciding_gate(data: dict[str, Any]) -> dict[str, Any] | None:
    """Return the gate that refused, when one did."""
    decided_by = data.get("decided_by")
    for gate in data.get("gates", []):
        if decided_by is not None and gate.get("number") == decided_by:
            return gate  # type: ignore[no-any-return]
    return None


def _title(event: StoredEvent) -> str:
    data = event.data
    if event.kind == "signal.emitted":
        verb = "fired" if data.get("fired") else "did not fire"
        return f"Why {data.get('strategy')} {data.get('underlying')} {verb}"
    if event.kind == "gate.decided":
        return f"Why {data.get('strategy')} {data.get('underlying')} was {_verdict(data)}"
    if event.kind == "position.changed":
        return f"Why the position is {data.get('state')}"
    if event.kind.startswith("order."):
        return f"Why this order: {contract_text(data.get('contract'))}"
    return f"Around {event.kind}"


def _verdict(data: dict[str, Any]) -> str:
    return "admitted" if was_admitted(data) else "refused"


def was_admitted(data: dict[str, Any]) -> bool:
    """Return whether a gate decision let the order through."""
    return data.get("decided_by") is None


def _tell(event: StoredEvent) -> tuple[_Telling, ...]:
    teller = _TELLERS.get(event.kind)
    return teller(event) if teller else (_tell_anything(event),)


def _tell_anything(event: StoredEvent) -> _Telling:
    plain = {
        name: value for name, value in event.data.items() if not isinstance(value, dict | list)
    }
    return _Telling(headline=event.key or "", table=_facts(plain) if plain else None)


def _facts(values: dict[str, Any], *, opened: bool = True) -> Table:
    rows = tuple(
        (Cell(name), Cell(said(name, value), "figure" if _is_number(value) else "wide"))
        for name, value in values.items()
    )
    return Table(columns=(), rows=rows, open=opened)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _tell_frame(event: StoredEvent) -> tuple[_Telling, ...]:
    data = event.data
    as_of, available = data.get("as_of"), data.get("available_at")
    source = data.get("source") or {}
    facts: dict[str, Any] = {
        "as_of": as_of,
        "available_at": available,
        "spot_paise": data.get("spot_paise"),
        "source": f"{source.get('name', NO_DATA)} {str(source.get('digest') or '')[:12]}".strip(),
    }
    if source.get("synthetic"):
        facts["generator"] = f"seed {source.get('seed')}, {source.get('generator_version')}"
    if data.get("flags"):
        facts["flags"] = " ".join(data["flags"])
    chain = data.get("chain")
    expiries = len(chain) if isinstance(chain, list) else data.get("expiries")
    if isinstance(chain, list) and chain:
        facts["forward_paise"] = chain[0].get("forward_paise")
        facts["forward of"] = str(chain[0].get("expiry"))
    expiry_count = len(expiries) if isinstance(expiries, list) else expiries
    told = [f"chain {data.get('underlying')}"]
    if expiry_count is not None:
        told.append(f"{expiry_count} {'expiry' if expiry_count == 1 else 'expiries'}")
    if as_of is not None and available is not None:
        told.append(f"age {span(available - as_of)} when it arrived")
    return (_Telling(headline=", ".join(told), table=_facts(facts, opened=False)),)


def _tell_surface(event: StoredEvent) -> tuple[_Telling, ...]:
    data = event.data
    rows = tuple(_surface_row(expiry) for expiry in data.get("expiries") or [])
    columns = (
        Column("expiry"),
        Column("forward", "figure"),
        Column("quotes", "figure"),
        Column("inside", "figure"),
        Column("error p95", "figure"),
        Column("volatility", "figure"),
        Column("", "wide"),
    )
    return (
        _Telling(
            headline=sentence(event.kind, data),
            table=Table(columns, rows, open=bool(data.get("refusal"))) if rows else None,
            tone="stop" if data.get("refusal") else "",
        ),
    )


def _surface_row(expiry: dict[str, Any]) -> tuple[Cell, ...]:
    """An expiry: its forward, its quotes and how they are met, or why it is not on the surface."""
    quotes = expiry.get("quotes") or {}
    forward = (expiry.get("forward") or {}).get("forward_paise")
    volatility = expiry.get("at_the_money_volatility")
    return (
        Cell(str(expiry.get("expiry"))),
        Cell(NO_DATA if forward is None else f"₹{rupees(round(forward))}", "figure"),
        Cell(count(quotes.get("count")), "figure"),
        Cell(count(quotes.get("inside")), "figure"),
        Cell(significant(quotes.get("p95_error"), 3), "figure"),
        Cell(_feature_text("atm_iv", volatility), "figure"),
        Cell(str(expiry.get("refusal") or ""), "wide", "warn"),
    )


def _tell_features(event: StoredEvent) -> tuple[_Telling, ...]:
    values = event.data.get("values") or {}
    reasons = event.data.get("reasons") or {}
    names = sorted(values, key=lambda name: (_FEATURE_ORDER.get(name, len(_FEATURE_ORDER)), name))
    rows = tuple(
        (
            Cell(name.removesuffix("_paise")),
            Cell(_feature_text(name, values[name]), "figure"),
            Cell(str(reasons.get(name, "")), "wide", "warn"),
        )
        for name in names
    )
    known = sum(value is not None for value in values.values())
    chain = (event.data.get("quality") or {}).get("chain") or {}
    headline = f"{known} of {len(values)} known"
    if chain.get("state"):
        headline += f", chain {str(chain['state']).lower()}"
    if chain.get("age_us"):
        headline += f", age {span(chain['age_us'])}"
    columns = (Column("feature"), Column("value", "figure"), Column("", "wide"))
    return (_Telling(headline=headline, table=Table(columns, rows) if rows else None),)


def _feature_text(name: str, value: Any) -> str:
    if name in _PERCENT_FEATURES and isinstance(value, float):
        return f"{decimal_text(Decimal(repr(value)) * 100, 3)} %"
    return said(name, value)


def _tell_signal(event: StoredEvent) -> tuple[_Telling, ...]:
    data = event.data
    conditions = data.get("conditions") or []
    met = sum(bool(condition.get("met")) for condition in conditions)
    rows = tuple(
        (
            Cell(str(condition.get("name"))),
            Cell(significant(condition.get("value")), "figure"),
            Cell(
                f"{comparison(condition.get('comparison'))} "
                f"{significant(condition.get('threshold'))}",
                "figure",
            ),
            Cell(_signed(condition.get("headroom")), "figure"),
            Cell(
                "✓ met" if condition.get("met") else "✗ not met",
                "word",
                "good" if condition.get("met") else "warn",
            ),
        )
        for condition in conditions
    )
    columns = (
        Column("condition"),
        Column("value", "figure"),
        Column("needed", "figure"),
        Column("headroom", "figure"),
        Column("verdict"),
    )
    said = _Telling(
        stage="CONDITIONS",
        headline=f"{met} of {len(conditions)} met",
        table=Table(columns, rows) if rows else None,
    )
    strategy = f"{data.get('strategy')} {data.get('underlying')}"
    if data.get("fired"):
        signal = _Telling(
            stage="SIGNAL",
            headline=f"{strategy} fired: {data.get('direction') or 'no direction'}",
            table=_structure(data.get("structure")),
            tone="good",
        )
        return said, signal
    reason = f": {data['reason']}" if data.get("reason") else ""
    return said, _Telling(
        stage="SIGNAL",
        headline=f"{strategy} did not fire{reason}",
        why_not=smallest_change(data),
    )


def _structure(structure: Any) -> Table | None:
    if not isinstance(structure, dict):
        return None
    rows = tuple(
        (Cell(str(leg.get("side"))), Cell(contract_text(leg.get("contract"))))
        for leg in structure.get("legs") or []
    )
    columns = (
        Column("side"),
        Column(str(structure.get("name") or "leg").lower().replace("_", " ")),
    )
    return Table(columns, rows) if rows else None


def _signed(value: float | None) -> str:
    if value is None:
        return NO_DATA
    text = significant(value)
    return text if text.startswith(MINUS) or value == 0 else f"+{text}"


def gate_value(value: object, unit: str) -> str:
    """Say a gate's figure in its unit; one that is not known is no data."""
    if value is None:
        return NO_DATA
    if isinstance(value, int):
        if unit == "us":
            return span(value)
        if unit == "ist_seconds":
            return f"{value // 3600:02d}:{value // 60 % 60:02d}:{value % 60:02d} IST"
        if unit == "flag":
            return "set" if value else "clear"
        if unit == "paise":
            return f"₹{rupees(value)}"
    return f"{significant(value)} {unit}".strip()


def _tell_gates(event: StoredEvent) -> tuple[_Telling, ...]:
    data = event.data
    gates = data.get("gates") or []
    decider = deciding_gate(data)
    rows = tuple(
        (
            Cell(str(gate.get("number")), "figure"),
            Cell(str(gate.get("name"))),
            Cell(gate_value(gate.get("value"), str(gate.get("unit") or "")), "figure"),
            Cell(gate_value(gate.get("limit"), str(gate.get("unit") or "")), "figure"),
            Cell(
                ("◀ " if gate is decider else "")
                + str(gate.get("verdict") or "").lower().replace("_", ", ")
                + (f": {gate['reason']}" if gate.get("reason") else ""),
                "wide",
                "refused" if gate is decider else "",
            ),
        )
        for gate in gates
    )
    columns = (
        Column("#", "figure"),
        Column("gate"),
        Column("value", "figure"),
        Column("limit", "figure"),
        Column("verdict", "wide"),
    )
    action = data.get("action") or "entry"
    if data.get("reason"):
        action += f" ({str(data['reason']).lower().replace('_', ' ')})"
    table = Table(columns, rows) if rows else None
    if was_admitted(data):
        lots = data.get("lots")
        size = "" if lots is None else f", {count(lots)} lot{'' if lots == 1 else 's'}"
        return (_Telling(headline=f"{action} admitted{size}", table=table, tone="good"),)
    blocker = gate_title(decider) if decider else f"gate {data.get('decided_by')}"
    reason = (decider or {}).get("reason")
    not_line = f"blocked by {blocker}" + (f": {reason}" if reason else "")
    return (
        _Telling(
            headline=f"{action} refused, blocked by {blocker}",
            table=table,
            tone="stop",
            why_not=(not_line,),
        ),
    )


def _tell_order(event: StoredEvent) -> tuple[_Telling, ...]:
    data = event.data
    headline = (
        f"{data.get('purpose', '')} {data.get('side')} {count(data.get('quantity'))} "
        f"{contract_text(data.get('contract'))}"
    ).strip()
    facts: dict[str, Any] = {
        name: data.get(name)
        for name in ("leg", "lot_size", "limit_paise", "expected_paise")
        if name in data
    }
    return (_Telling(headline=headline, table=_facts(facts, opened=False)),)


def _tell_submitted(event: StoredEvent) -> tuple[_Telling, ...]:
    data = event.data
    limit = data.get("limit_paise")
    price = "at the market" if limit is None else f"limit ₹{rupees(limit)}"
    headline = (
        f"to {data.get('broker', 'the broker')}, attempt {data.get('attempt')}: "
        f"{data.get('side')} {count(data.get('quantity'))} "
        f"{contract_text(data.get('contract'))} {price}"
    )
    return (_Telling(headline=headline),)


def _tell_report(event: StoredEvent) -> tuple[_Telling, ...]:
    data = event.data
    status = str(data.get("status", ""))
    headline = status.lower().replace("_", " ")
    if data.get("quantity") and data.get("price_paise") is not None:
        headline += f" {count(data['quantity'])} at ₹{rupees(data['price_paise'])}"
    if data.get("expected_paise") is not None:
        headline += f", expected ₹{rupees(data['expected_paise'])}"
    if data.get("reason"):
        headline += f": {data['reason']}"
    if data.get("price_basis") == "MODELLED":
        headline += ", MODELLED from the day's close"
    facts: dict[str, Any] = {
        name: data[name] for name in ("latency_us", "charges_paise") if name in data
    }
    if data.get("charges_reason"):
        facts["charges_reason"] = data["charges_reason"]
    tones = {"FILLED": "good", "REJECTED": "stop", "CANCELLED": "stop", "EXPIRED": "stop"}
    table = _facts(facts, opened=False) if facts else None
    return (_Telling(headline=headline, table=table, tone=tones.get(status, "")),)


def _tell_position(event: StoredEvent) -> tuple[_Telling, ...]:
    data = event.data
    state, gross = data.get("state"), data.get("gross_paise")
    before = f"{data['before']} → " if data.get("before") else ""
    headline = f"{before}{state}"
    if data.get("reason"):
        headline += f": {data['reason']}"
    done = state == "ARCHIVE"
    if done:
        net = data.get("net_paise")
        headline += f", {signed_rupees(gross)}"
        headline += "" if net is None else f" gross, {signed_rupees(net)} net"
    rows = tuple(
        (
            Cell(f"{leg.get('side')} {contract_text(leg.get('contract'))}"),
            Cell(f"{count(leg.get('filled'))} of {count(leg.get('quantity'))}", "figure"),
            Cell(rupees(leg.get("entry_paise")), "figure"),
            Cell(rupees(leg.get("exit_paise")), "figure"),
        )
        for leg in data.get("legs") or []
    )
    columns = (
        Column("leg"),
        Column("filled", "figure"),
        Column("entry ₹", "figure"),
        Column("exit ₹", "figure"),
    )
    return (
        _Telling(
            stage="OUTCOME" if done else "POSITION",
            headline=headline,
            table=Table(columns, rows, open=done) if rows else None,
            gross=is_gross(data),
            tone="good" if done else "",
        ),
    )


def is_gross(data: dict[str, Any]) -> bool:
    """Return whether a profit is before costs."""
    costs = data.get("costs")
    return costs is None or costs == "GROSS" or (isinstance(costs, dict) and not costs)


def _tell_command(event: StoredEvent) -> tuple[_Telling, ...]:
    data = event.data
    headline = f"{data.get('command')} by {data.get('actor')}: {data.get('reason')}"
    return (_Telling(headline=headline, tone="stop"),)


def _tell_tick(event: StoredEvent) -> tuple[_Telling, ...]:
    return (_Telling(headline=f"the clock reached {ist_text(event.ts)} IST"),)


_TELLERS: dict[str, Callable[[StoredEvent], tuple[_Telling, ...]]] = {
    "market.frame": _tell_frame,
    "surface.fitted": _tell_surface,
    "features.computed": _tell_features,
    "signal.emitted": _tell_signal,
    "gate.decided": _tell_gates,
    "order.intended": _tell_order,
    "order.submitted": _tell_submitted,
    "broker.report": _tell_report,
    "position.changed": _tell_position,
    "operator.command": _tell_command,
    "clock.tick": _tell_tick,
}
