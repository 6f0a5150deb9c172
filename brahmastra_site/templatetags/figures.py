"""How pages show figures and times: `journal.figures`, with `<time>` around times."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django import template
from django.utils.html import format_html

from journal import figures

if TYPE_CHECKING:
    from datetime import datetime

    from django.utils.safestring import SafeString

register = template.Library()

for function in (
    figures.rupees,
    figures.signed_rupees,
    figures.taken,
    figures.count,
    figures.significant,
    figures.measure,
    figures.places,
    figures.percent,
    figures.points,
    figures.millis,
    figures.comparison,
    figures.span,
    figures.after,
):
    register.filter(function.__name__, function)


def _time(us: int | None, pattern: str, *, digits: int | None = None) -> SafeString | str:
    if us is None:
        return figures.NO_DATA
    text = figures.ist_text(us, pattern)
    utc = figures.utc_text(us)
    return format_html(
        '<time datetime="{}" title="{} UTC">{}</time>',
        utc,
        utc.removesuffix("Z").replace("T", " "),
        text if digits is None else text[: digits - 6],
    )


@register.filter
def ist(us: int | None) -> SafeString | str:
    """Show a time of day in IST: 11:32:05."""
    return _time(us, "%H:%M:%S")


@register.filter
def ist_millis(us: int | None) -> SafeString | str:
    """Show a time of day in IST with milliseconds, cut and not rounded: 11:32:05.123."""
    return _time(us, "%H:%M:%S.%f", digits=3)


@register.filter
def ist_moment(us: int | None) -> SafeString | str:
    """Show date and time in IST: 2025-08-29 11:32:05."""
    return _time(us, "%Y-%m-%d %H:%M:%S")


@register.filter
def ist_stamp(us: int | None) -> SafeString | str:
    """Show date and time in IST with milliseconds, cut and not rounded: 2025-08-29 11:32:05.123."""
    return _time(us, "%Y-%m-%d %H:%M:%S.%f", digits=3)


@register.filter
def ist_date(us: int | None) -> SafeString | str:
    """Show the IST date."""
    return _time(us, "%Y-%m-%d")


@register.filter
def us(moment: datetime | None) -> int | None:
    """Return an aware time of the database as µs UTC, for the filters above."""
    return None if moment is None else (moment - figures.moment(0)) // timedelta(microseconds=1)


@register.filter
def plain(value: int | None) -> str:
    """Show a whole number for a machine (an id, an attribute): no grouping, nothing for nothing."""
    return "" if value is None else str(value)


@register.filter
def days(years: float) -> str:
    """Show years of 365 days as days."""
    return figures.places(365.0 * years, 2)


@register.filter
def outcome_class(paise: int | None) -> str:
    """Return the colour class of a profit or loss."""
    if not paise:
        return "muted"
    return "gain" if paise > 0 else "loss"
