"""How figures of limits are said, each in the unit its name ends in, and why a figure of a
portfolio is missing. Pure.
"""

from __future__ import annotations

from decimal import Decimal

from journal.figures import count, decimal_text, rupees, span

_PER_CENT = 10_000  # parts per million
_REASONS = {
    "NO_QUOTE": "a quote it would be closed at is missing",
    "NO_FORWARD": "no forward of an expiry is known",
    "NO_VOLATILITY": "no volatility gives a contract's price",
    "NO_INDEX": "no level of the index is known, or no volatility at the money",
    "NO_RULES": "no margin rules of the day are on record",
    "EXPIRED": "a contract has expired and is not settled",
}
_SUFFIXES = ("_ist_seconds", "_paise", "_ppm", "_us")


def limit_title(name: str) -> str:
    """Return the name of a limit in words, without its unit."""
    for suffix in _SUFFIXES:
        if name.endswith(suffix):
            return name.removesuffix(suffix).replace("_", " ")
    return name.replace("_", " ")


def limit_text(name: str, figure: int) -> str:
    """Return a limit's figure with its unit: a share in per cent, money in rupees, a span, a time
    of day.
    """
    if name.endswith("_ist_seconds"):
        return f"{figure // 3600:02d}:{figure // 60 % 60:02d} IST"
    if name.endswith("_paise"):
        return f"₹ {rupees(figure)}"
    if name.endswith("_ppm"):
        share = (Decimal(figure) / _PER_CENT).normalize()
        return f"{decimal_text(share, max(0, -int(share.as_tuple().exponent)))} %"
    return span(figure) if name.endswith("_us") else count(figure)


def reason_text(code: str) -> str:
    """Return why a figure of a portfolio is missing, in words after its code."""
    words = _REASONS.get(code)
    return f"{code}: {words}" if words else code
