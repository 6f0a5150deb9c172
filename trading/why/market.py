"""What the market showed and what was computed of it, told as cards."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from journal.facts import said
from journal.figures import NO_DATA, count, decimal_text, rupees, significant, span
from journal.sentences import sentence
from trading.why.cards import Cell, Column, Table, Telling, facts_table

if TYPE_CHECKING:
    from journal.selectors import StoredEvent

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


def tell_frame(event: StoredEvent) -> tuple[Telling, ...]:
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
    return (Telling(headline=", ".join(told), table=facts_table(facts, opened=False)),)


def tell_surface(event: StoredEvent) -> tuple[Telling, ...]:
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
        Telling(
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


def tell_features(event: StoredEvent) -> tuple[Telling, ...]:
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
    return (Telling(headline=headline, table=Table(columns, rows) if rows else None),)


def _feature_text(name: str, value: Any) -> str:
    if name in _PERCENT_FEATURES and isinstance(value, float):
        return f"{decimal_text(Decimal(repr(value)) * 100, 3)} %"
    return said(name, value)
