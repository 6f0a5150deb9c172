"""Every dated figure that holds on a day, in words, with how sure it is and where it comes from."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from journal.figures import count, decimal_text, ist_text, rupees
from trading.market.calendar import CalendarError, calendar
from trading.market.contracts import (
    ContractError,
    Expiry,
    Figure,
    expiry_dates,
    freeze_quantity,
    lot_figure,
    strike_step,
    tick,
    underlyings,
)
from trading.market.figures import UNCONFIRMED, is_known, table
from trading.market.position_limits import position_limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_EXPIRIES_SHOWN = 5
_AHEAD = timedelta(days=60)  # holds as many of them, weekly or monthly
_TO_PERCENT = Decimal(10) ** -7  # of a rate in parts of 10^9
_TO_PAISE = 10**9
_ORDER = "ORDER"


class ShownFigure(NamedTuple):
    """One figure: what it is of, what it says, how sure that is (one of STATUSES, empty where
    nothing is on record) and its source.
    """

    name: str
    value: str
    status: str
    source: str


class FigureGroup(NamedTuple):
    """The figures of one kind."""

    title: str
    figures: tuple[ShownFigure, ...]


class FiguresInForce(NamedTuple):
    """Every figure that holds on a day, as known at an instant (µs UTC; None: as known today)."""

    day: date
    known_at_us: int | None
    groups: tuple[FigureGroup, ...]

    @property
    def unconfirmed(self) -> int:
        """How many of them nobody has confirmed."""
        return sum(
            figure.status == UNCONFIRMED for group in self.groups for figure in group.figures
        )


def figures_in_force(day: date, *, known_at_us: int | None = None) -> FiguresInForce:
    """The session of a day and the terms of contracts, limits and charges on it. Raises
    CalendarError outside the calendar.
    """
    groups = [FigureGroup("Session", tuple(_session(day, known_at_us)))]
    groups += [
        FigureGroup(underlying, tuple(_contracts(underlying, day, known_at_us)))
        for underlying in underlyings()
    ]
    groups += [
        FigureGroup("Futures", tuple(_future_ticks(day, known_at_us))),
        FigureGroup("Circuit breakers", tuple(_circuit_breakers(day, known_at_us))),
        FigureGroup("Position limits", tuple(_position_limits(day, known_at_us))),
        FigureGroup("Charges", tuple(_rates(day))),
    ]
    return FiguresInForce(day, known_at_us, tuple(group for group in groups if group.figures))


# --- session --------------------------------------------------------------------------------------


def _session(day: date, known_at_us: int | None) -> Iterator[ShownFigure]:
    days, about = calendar(), calendar().about(day, known_at_us=known_at_us)
    if not days.is_market_day(day, known_at_us=known_at_us):
        why = about.name or day.strftime("%A")
        yield ShownFigure("Market day", f"no: {why}", about.status, about.source)
        return
    name = f"yes: {about.name}" if about.name else "yes"
    yield ShownFigure("Market day", name, about.status, about.source)
    try:
        hours = days.session_hours(day, known_at_us=known_at_us)
    except CalendarError as error:
        yield ShownFigure("Hours IST", f"not on record: {error}", UNCONFIRMED, about.source)
        return
    spans = ", ".join(f"{_clock(opens)}–{_clock(closes)}" for opens, closes in hours.intervals)
    yield ShownFigure("Hours IST", spans, hours.status, hours.source)
    if about.name:
        return  # what follows is said of ordinary sessions
    closes_us = days.expires_at_us(day, known_at_us=known_at_us)
    yield ShownFigure("Expiring contracts stop", _clock(closes_us), hours.status, hours.source)
    for row in _newest(table("calendar")["cash"], day, known_at_us):
        until = f"{row['continuous_until']:%H:%M}"
        yield ShownFigure("Spot index trades until", until, row["status"], row["source"])
    for instrument in ("FUTURE", "SPOT"):
        phases = days.preopen(day, instrument, known_at_us=known_at_us)
        if phases is not None:
            entry = f"orders {_clock(phases.entry_from_us)}–{_clock(phases.entry_until_us)}"
            matched = f"matched until {_clock(phases.matching_until_us)}"
            yield ShownFigure(
                f"Pre-open, {instrument}", f"{entry}, {matched}", phases.status, phases.source
            )


def _clock(at_us: int) -> str:
    return ist_text(at_us, "%H:%M")


# --- contracts ------------------------------------------------------------------------------------


def _contracts(underlying: str, day: date, known_at_us: int | None) -> Iterator[ShownFigure]:
    last = min(day + _AHEAD, calendar().last)
    coming = expiry_dates(underlying, day, last, known_at_us=known_at_us)[:_EXPIRIES_SHOWN]
    for expiry in coming:
        yield ShownFigure(f"Expiry {expiry.day}", _moved(expiry), expiry.status, expiry.source)
        yield _shown(
            f"Lot of {expiry.day}",
            lambda on=expiry.day: lot_figure(underlying, on, day, known_at_us=known_at_us),  # type: ignore[misc]
            _units,
        )
    yield _shown("Strike step", lambda: strike_step(underlying), rupees)
    yield _shown("Tick of options", lambda: tick(underlying), rupees)
    yield _shown(
        "Freeze quantity",
        lambda: freeze_quantity(underlying, day, known_at_us=known_at_us),
        _units,
    )


def _moved(expiry: Expiry) -> str:
    if expiry.by_rule == expiry.day:
        return expiry.cycle
    return f"{expiry.cycle}, moved by a holiday from {expiry.by_rule}"


def _shown(name: str, ask: Callable[[], Figure], words: Callable[[int], str]) -> ShownFigure:
    try:
        figure = ask()
    except ContractError as error:
        return ShownFigure(name, f"not on record: {error}", "", "")
    return ShownFigure(name, words(figure.value), figure.status, figure.source)


def _units(quantity: int) -> str:
    return f"{count(quantity)} units"


def _future_ticks(day: date, known_at_us: int | None) -> Iterator[ShownFigure]:
    rows = [row for row in table("contracts")["tick"] if row["instrument"] == "FUTURE"]
    for row in _newest(rows, day, known_at_us):
        name = f"Tick above {rupees(row['above_paise'])}" if row["above_paise"] else "Tick"
        yield ShownFigure(name, rupees(row["paise"]), row["status"], row["source"])


# --- halts, limits, charges -----------------------------------------------------------------------


def _newest(rows: list[dict[str, Any]], day: date, known_at_us: int | None) -> list[dict[str, Any]]:
    """The rows of the last date that had come by a day: they replace those before together."""
    begun = [row for row in rows if row["from"] <= day and is_known(row, known_at_us)]
    newest = max((row["from"] for row in begun), default=None)
    return [row for row in begun if row["from"] == newest]


def _circuit_breakers(day: date, known_at_us: int | None) -> Iterator[ShownFigure]:
    rows = table("circuit_breakers")["circuit_breaker"]
    for row in _newest(rows, day, known_at_us):
        name = f"{row['move_percent']} %, {row['after']:%H:%M}–{row['before']:%H:%M}"
        if row.get("rest_of_day", False):
            value = "halt for the rest of the day"
        elif row["halt_minutes"]:
            value = f"halt {row['halt_minutes']} min, auction {row['auction_minutes']} min"
        else:
            value = "no halt"
        yield ShownFigure(name, value, row["status"], row["source"])


def _position_limits(day: date, known_at_us: int | None) -> Iterator[ShownFigure]:
    for limit in position_limits(day, known_at_us=known_at_us):
        value = f"₹ {rupees(limit.limit_paise)}"
        if limit.share_of_oi_percent is not None:
            value += f", or {limit.share_of_oi_percent:g} % of open interest if higher"
        name = f"{_words(limit.holder)}, {_words(limit.measure)}"
        yield ShownFigure(name, value, limit.status, limit.source)


def _rates(day: date) -> Iterator[ShownFigure]:
    for row in table("rates")["rate"]:
        if row["from"] <= day <= row.get("to", date.max):
            value = rate_text(row["base"], row["rate_e9"])
            yield ShownFigure(rate_name(row), value, row["status"], row["source"])


def rate_name(row: Mapping[str, Any]) -> str:
    """What a rate is of: charge, who levies it, instrument and side, in words."""
    parts = (
        _words(row["charge"]),
        row["levied_by"],
        _words(row["instrument"]),
        _words(row["side"]),
    )
    return ", ".join(parts)


def rate_text(base: str, rate_e9: int) -> str:
    """What a rate says: rupees an order, or a percentage of its base."""
    if base == _ORDER:
        return f"₹ {rupees(rate_e9 // _TO_PAISE)} an order"
    percent = (rate_e9 * _TO_PERCENT).normalize()
    places = max(0, -int(percent.as_tuple().exponent))
    return f"{decimal_text(percent, places)} % of {_words(base)}"


def _words(constant: str) -> str:
    return constant.replace("_", " ").lower()
