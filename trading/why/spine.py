"""The spine: every event that belongs to a decision, in the order it happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from journal.facts import is_synthetic
from journal.figures import ist_text
from journal.sentences import contract_text
from trading.why.cards import Card, Spine, Telling, facts_table
from trading.why.decisions import tell_gates, tell_signal, was_admitted
from trading.why.market import tell_features, tell_frame, tell_surface
from trading.why.orders import tell_order, tell_position, tell_report, tell_submitted

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


def _tell(event: StoredEvent) -> tuple[Telling, ...]:
    teller = _TELLERS.get(event.kind)
    return teller(event) if teller else (_tell_anything(event),)


def _tell_anything(event: StoredEvent) -> Telling:
    plain = {
        name: value for name, value in event.data.items() if not isinstance(value, dict | list)
    }
    return Telling(headline=event.key or "", table=facts_table(plain) if plain else None)


def _tell_command(event: StoredEvent) -> tuple[Telling, ...]:
    data = event.data
    headline = f"{data.get('command')} by {data.get('actor')}: {data.get('reason')}"
    return (Telling(headline=headline, tone="stop"),)


def _tell_tick(event: StoredEvent) -> tuple[Telling, ...]:
    return (Telling(headline=f"the clock reached {ist_text(event.ts)} IST"),)


_TELLERS: dict[str, Callable[[StoredEvent], tuple[Telling, ...]]] = {
    "market.frame": tell_frame,
    "surface.fitted": tell_surface,
    "features.computed": tell_features,
    "signal.emitted": tell_signal,
    "gate.decided": tell_gates,
    "order.intended": tell_order,
    "order.submitted": tell_submitted,
    "broker.report": tell_report,
    "position.changed": tell_position,
    "operator.command": _tell_command,
    "clock.tick": _tell_tick,
}
