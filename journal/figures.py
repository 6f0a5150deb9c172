"""How figures and times are said: Indian grouping, a real minus, IST. Pure: text out of numbers."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal

IST = timezone(timedelta(hours=5, minutes=30), "IST")
MINUS = "−"
NO_DATA = "no data"


def grouped(digits: str) -> str:
    """Return a string of digits grouped the Indian way: 1234567 gives 12,34,567."""
    head, tail = digits[:-3], digits[-3:]
    parts: list[str] = []
    while head:
        parts.insert(0, head[-2:])
        head = head[:-2]
    return ",".join([*parts, tail])


def decimal_text(value: Decimal, places: int) -> str:
    """Return a number with so many places, Indian grouping and a real minus."""
    rounded = value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)
    whole, _, fraction = f"{abs(rounded):.{places}f}".partition(".")
    text = grouped(whole) + (f".{fraction}" if fraction else "")
    return f"{MINUS}{text}" if rounded < 0 else text


def rupees(paise: int | None) -> str:
    """Return paise as rupees: 123456750 gives 12,34,567.50."""
    return NO_DATA if paise is None else decimal_text(Decimal(paise) / 100, 2)


def signed_rupees(paise: int | None) -> str:
    """Return a profit or loss with arrow and sign: ▲ +1,250.00, ▼ −1,250.00."""
    if not paise:
        return rupees(paise)
    return f"▲ +{rupees(paise)}" if paise > 0 else f"▼ {rupees(paise)}"


def taken(paise: int | None) -> str:
    """Return what a step takes off a profit, with the sign it changes it by: 1250 gives −12.50."""
    return rupees(None if paise is None else -paise)


def count(value: int | None) -> str:
    """Return a whole number, grouped."""
    return NO_DATA if value is None else decimal_text(Decimal(value), 0)


def significant(value: object, digits: int = 6) -> str:
    """Return a number with so many significant digits and no trailing zeros; integers stay whole.

    Text passes through, truth is yes or no, nothing is "no data".
    """
    if value is None or value == "":
        return NO_DATA
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return decimal_text(Decimal(value), 0)
    if not isinstance(value, float):
        return str(value)
    number = Decimal(f"{value:.{digits}g}").normalize()
    return decimal_text(number, max(0, -int(number.as_tuple().exponent)))


def places(value: float | None, count: int = 2) -> str:
    """Return a number grouped, with so many places."""
    if value is None or not math.isfinite(value):
        return NO_DATA
    return decimal_text(Decimal(repr(float(value))), count)


def percent(share: float | None, count: int = 1) -> str:
    """Return a share as percent, without the sign."""
    return places(None if share is None else 100.0 * share, count)


def points(paise: float | None) -> str:
    """Return a level in paise as index points; it may have a fraction of a paisa."""
    return places(None if paise is None else paise / 100.0, 2)


def millis(seconds: float | None) -> str:
    """Return a length of time in milliseconds: whole ones, from ten on."""
    if seconds is None:
        return NO_DATA
    return places(1e3 * seconds, 0 if seconds >= 0.01 else 1)


def measure(value: object) -> str:
    """Return a number for a column of them: three places, one from a thousand on; counts whole."""
    if isinstance(value, float):
        return decimal_text(Decimal(repr(value)), 1 if abs(value) >= 1000 else 3)
    return significant(value)


def comparison(sign: object) -> str:
    """Return ≥ for >= and ≤ for <=; anything else as it is."""
    return {">=": "≥", "<=": "≤"}.get(str(sign), str(sign or ""))


def moment(us: int) -> datetime:
    """Return µs UTC as an aware datetime, exactly."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)


def utc_text(us: int) -> str:
    """Return µs UTC as ISO text ending in Z, with its microseconds."""
    return moment(us).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def ist_text(us: int | None, pattern: str = "%H:%M:%S") -> str:
    """Return µs UTC as IST text."""
    return NO_DATA if us is None else moment(us).astimezone(IST).strftime(pattern)


def span(us: int | None) -> str:
    """Return a length of time as a person would say it: 0.4 s, 12 s, 3 min, 2.1 h, 84 d."""
    if us is None:
        return NO_DATA
    sign = MINUS if us < 0 else ""
    seconds = abs(us) / 1_000_000
    for limit, divisor, places, unit in (
        (10, 1, 1, "s"),
        (100, 1, 0, "s"),
        (6_000, 60, 0, "min"),
        (172_800, 3_600, 1, "h"),
    ):
        if seconds < limit:
            return f"{sign}{seconds / divisor:.{places}f} {unit}"
    return f"{sign}{decimal_text(Decimal(round(seconds / 86_400)), 0)} d"


def after(us: int | None) -> str:
    """Return the time between two cards: +0.021 s, +30 min; nothing for the first."""
    if us is None:
        return ""
    if us == 0:
        return "+0 s"
    sign = MINUS if us < 0 else "+"
    if abs(us) < 60_000_000:
        return f"{sign}{Decimal(abs(us)) / 1_000_000:.3f} s"
    return f"{sign}{span(abs(us))}"
