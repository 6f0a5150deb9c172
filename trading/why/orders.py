"""Orders, what a broker said of them and the positions they made, told as cards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from journal.figures import count, rupees, signed_rupees
from journal.sentences import contract_text
from trading.why.cards import Cell, Column, Table, Telling, facts_table

if TYPE_CHECKING:
    from journal.selectors import StoredEvent


def tell_order(event: StoredEvent) -> tuple[Telling, ...]:
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
    return (Telling(headline=headline, table=facts_table(facts, opened=False)),)


def tell_submitted(event: StoredEvent) -> tuple[Telling, ...]:
    data = event.data
    limit = data.get("limit_paise")
    price = "at the market" if limit is None else f"limit ₹{rupees(limit)}"
    headline = (
        f"to {data.get('broker', 'the broker')}, attempt {data.get('attempt')}: "
        f"{data.get('side')} {count(data.get('quantity'))} "
        f"{contract_text(data.get('contract'))} {price}"
    )
    return (Telling(headline=headline),)


def tell_report(event: StoredEvent) -> tuple[Telling, ...]:
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
    table = facts_table(facts, opened=False) if facts else None
    return (Telling(headline=headline, table=table, tone=tones.get(status, "")),)


def tell_position(event: StoredEvent) -> tuple[Telling, ...]:
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
        Telling(
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
