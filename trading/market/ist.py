"""Indian Standard Time: the wall clock of the exchange, and instants in µs UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone

IST = timezone(timedelta(hours=5, minutes=30), "IST")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def instant_us(day: date, at: time) -> int:
    """The µs UTC of an IST wall-clock time."""
    return (datetime.combine(day, at, IST) - _EPOCH) // _MICROSECOND


def ist_date(at_us: int) -> date:
    """The IST date of an instant in µs UTC."""
    return (_EPOCH + at_us * _MICROSECOND).astimezone(IST).date()
