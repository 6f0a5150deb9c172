"""Scheduled events: budgets, policy decisions, elections (`tables/scheduled_events.toml`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trading.market.figures import known_from_us, table

if TYPE_CHECKING:
    from datetime import date


class ScheduledEvent(NamedTuple):
    """One event, with the day its date was published."""

    day: date
    event: str  # BUDGET, MONETARY_POLICY, ELECTION
    name: str
    published_on: date
    status: str
    source: str


def scheduled_events(
    first: date, last: date, *, known_at_us: int | None = None
) -> tuple[ScheduledEvent, ...]:
    """The events from one day to another, both included, ascending, whose date was public at an
    instant (µs UTC).
    """
    rows = (ScheduledEvent(**row) for row in table("scheduled_events")["event"])
    found = [
        event
        for event in rows
        if first <= event.day <= last
        and (known_at_us is None or known_from_us(event.published_on) <= known_at_us)
    ]
    return tuple(sorted(found))
