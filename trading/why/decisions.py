"""Signals and gates, told as cards; what would have had to be different."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from journal.figures import MINUS, NO_DATA, comparison, count, rupees, significant, span
from journal.sentences import contract_text
from trading.why.cards import Cell, Column, Table, Telling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from journal.selectors import StoredEvent


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


def was_admitted(data: dict[str, Any]) -> bool:
    """Return whether a gate decision let the order through."""
    return data.get("decided_by") is None


def tell_signal(event: StoredEvent) -> tuple[Telling, ...]:
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
    said = Telling(
        stage="CONDITIONS",
        headline=f"{met} of {len(conditions)} met",
        table=Table(columns, rows) if rows else None,
    )
    strategy = f"{data.get('strategy')} {data.get('underlying')}"
    if data.get("fired"):
        signal = Telling(
            stage="SIGNAL",
            headline=f"{strategy} fired: {data.get('direction') or 'no direction'}",
            table=_structure(data.get("structure")),
            tone="good",
        )
        return said, signal
    reason = f": {data['reason']}" if data.get("reason") else ""
    return said, Telling(
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


def tell_gates(event: StoredEvent) -> tuple[Telling, ...]:
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
        return (Telling(headline=f"{action} admitted{size}", table=table, tone="good"),)
    blocker = gate_title(decider) if decider else f"gate {data.get('decided_by')}"
    reason = (decider or {}).get("reason")
    not_line = f"blocked by {blocker}" + (f": {reason}" if reason else "")
    return (
        Telling(
            headline=f"{action} refused, blocked by {blocker}",
            table=table,
            tone="stop",
            why_not=(not_line,),
        ),
    )
