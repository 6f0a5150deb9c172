"""What a session knew at an instant: limits with their changes, charges, calendar and contracts,
from the day's opening and the changes after it. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from journal.facts import HALTS_FROM, halt_closes
from journal.figures import count, ist_text, rupees
from trading.market.figures import UNCONFIRMED
from trading.market.figures_in_force import rate_name, rate_text
from trading.risk.limits import FIXED, DeskLimits, Limits
from trading.risk_room.wording import limit_text, limit_title

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from trading.risk_room.switches import Change


class KnownFigure(NamedTuple):
    """One figure: its name, what it says, how sure that is (empty where it is the house's own),
    where it comes from, and the newest change of it in the session.
    """

    name: str
    value: str
    status: str
    source: str
    change: Change | None = None


class KnownGroup(NamedTuple):
    """The figures of one kind."""

    title: str
    figures: tuple[KnownFigure, ...]


def known_groups(day: dict[str, Any], changes: Sequence[Change]) -> tuple[KnownGroup, ...]:
    """The figures of a day's opening with the changes made by then, in the order of the log."""
    terms = {each["underlying"]: each for each in day["contracts"]["terms"]}
    groups = [
        KnownGroup("Limits", tuple(_limits(day, changes))),
        KnownGroup("Calendar", tuple(_calendar(day["calendar"]))),
        *(
            KnownGroup(name, tuple(_contracts(day, name, terms.get(name))))
            for name in day["configuration"]["underlyings"]
        ),
        KnownGroup("Charges", tuple(_charges(day["rates"]))),
    ]
    return tuple(group for group in groups if group.figures)


def unconfirmed(groups: Sequence[KnownGroup]) -> int:
    """How many figures nobody has confirmed."""
    return sum(figure.status == UNCONFIRMED for group in groups for figure in group.figures)


def _limits(day: dict[str, Any], changes: Sequence[Change]) -> Iterator[KnownFigure]:
    last = {change.data["what"]: change for change in changes if change.kind == "limits.changed"}
    for name in (name for name in Limits.__struct_fields__ if name in day["limits"]):
        figure = day["limits"][name]
        change = last.get(name)
        now = figure if change is None else change.data["after"]
        value = limit_text(name, now)
        if change is not None:
            value += f", opened with {limit_text(name, figure)}"
        yield KnownFigure(limit_title(name), value, "", _source_of_limit(name, day), change)


def _source_of_limit(name: str, day: dict[str, Any]) -> str:
    if name in DeskLimits.__struct_fields__:
        fixed = "; cannot be changed in a session" if name in FIXED else ""
        return f"the desk's limits from {day['limits_since']}{fixed}"
    if name.startswith("regulatory"):
        return "the exchange's position limits of the day, our part of them"
    return f"configuration {day['configuration']['name']}"


def _calendar(calendar: dict[str, Any]) -> Iterator[KnownFigure]:
    hours = f"{_clock(calendar['open_us'])}–{_clock(calendar['close_us'])} IST"
    yield KnownFigure("Hours", hours, calendar["status"], calendar["source"])
    yield KnownFigure("Market-wide halts", *_halts(calendar))


def _halts(calendar: dict[str, Any]) -> tuple[str, str, str]:
    """What market-wide halts are counted from: the closes, no status of their own, and whose."""
    closes = halt_closes(calendar)
    if not closes:
        return "not counted from the index", "", "the feed had no close of the day before"
    missing = "".join(f"; none of {index} is held" for index in HALTS_FROM if index not in closes)
    value = " and ".join(f"₹ {rupees(close)} of {index}" for index, close in closes.items())
    return f"counted from {value}", "", f"the closes of the day before{missing}"


def _contracts(
    day: dict[str, Any], underlying: str, terms: dict[str, Any] | None
) -> Iterator[KnownFigure]:
    lots = day["contracts"]["lot_sizes"].get(underlying, {})
    statuses = day["contracts"]["lot_statuses"].get(underlying, {})
    source = "contract tables as known when the day opened"
    for expiry, units in sorted(lots.items()):
        yield KnownFigure(f"Lot of {expiry}", f"{count(units)} units", statuses[expiry], source)
    if terms is None:
        return
    freeze = f"{count(terms['freeze_quantity'])} units"
    yield KnownFigure("Freeze quantity", freeze, terms["freeze_status"], source)
    yield KnownFigure("Tick", f"₹ {rupees(terms['tick_paise'])}", "", source)
    yield KnownFigure("Strike step", f"₹ {rupees(terms['strike_step_paise'])}", "", source)


def _charges(rates: dict[str, Any]) -> Iterator[KnownFigure]:
    tariff = rates["tariff"]
    if tariff is None:
        yield KnownFigure("Profile", f"{rates['profile']}: nothing is taken off", "", "")
        return
    yield KnownFigure(
        "Profile", rates["profile"], tariff["rounding_status"], tariff["rounding_source"]
    )
    for rate in (*tariff["own"], *tariff["levies"]):
        until = rate["last"] or "open"
        value = f"{rate_text(rate['base'], rate['rate_e9'])}, {rate['first']} to {until}"
        yield KnownFigure(rate_name(rate), value, rate["status"], rate["source"])


def _clock(at_us: int) -> str:
    return ist_text(at_us, "%H:%M")
