"""Position limits and scheduled events, as known."""

from __future__ import annotations

from datetime import date, time

from trading.market.calendar import instant_us
from trading.market.position_limits import CRORE_PAISE, position_limits
from trading.market.scheduled_events import scheduled_events


def test_limits_change_with_their_circulars() -> None:
    def limits(day: date, known: date | None = None) -> dict[tuple[str, str], int]:
        known_at_us = None if known is None else instant_us(known, time(12))
        return {
            (limit.holder, limit.measure): limit.limit_paise // CRORE_PAISE
            for limit in position_limits(day, known_at_us=known_at_us)
        }

    assert limits(date(2019, 5, 23)) == {
        ("CLIENT", "NOTIONAL_END_OF_DAY"): 500,
        ("TRADING_MEMBER", "NOTIONAL_END_OF_DAY"): 500,
    }
    assert limits(date(2025, 10, 1)) == {
        ("CLIENT", "NET_END_OF_DAY"): 1500,
        ("CLIENT", "GROSS_END_OF_DAY"): 10_000,
        ("CLIENT", "NET_INTRADAY"): 5_000,
        ("CLIENT", "GROSS_INTRADAY"): 10_000,
        ("TRADING_MEMBER", "NOTIONAL_END_OF_DAY"): 7_500,
    }
    assert ("CLIENT", "NET_INTRADAY") not in limits(date(2025, 10, 1), date(2025, 8, 29))


def test_an_event_is_not_known_before_its_date_is_published() -> None:
    span = (date(2026, 1, 20), date(2026, 2, 10))
    everything = scheduled_events(*span)
    assert [(event.day, event.event) for event in everything] == [
        (date(2026, 2, 1), "BUDGET"),
        (date(2026, 2, 6), "MONETARY_POLICY"),
    ]
    early = instant_us(date(2026, 1, 12), time(12))
    assert [e.event for e in scheduled_events(*span, known_at_us=early)] == ["MONETARY_POLICY"]
    (count,) = scheduled_events(date(2019, 5, 23), date(2019, 5, 23))
    assert count.event == "ELECTION"
    for event in scheduled_events(date(2012, 1, 1), date(2026, 12, 31)):
        assert event.published_on < event.day
        assert event.source
