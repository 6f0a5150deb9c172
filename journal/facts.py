"""The data of an event as lines a person reads: every member by its path, in its unit. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from journal.figures import NO_DATA, count, ist_text, rupees, significant, span

if TYPE_CHECKING:
    from collections.abc import Iterator

FACT_LIMIT = 120  # lines; an event with more is cut and says so
LISTED = 8  # entries of an array that are spelled out
# The previous closes that halts are counted from, by index, as a day's calendar names them.
HALTS_FROM = {"NIFTY": "halts_from_paise", "SENSEX": "halts_from_sensex_paise"}


@dataclass(frozen=True, slots=True)
class Fact:
    """One member: its path within the data, its text, whether it is a figure."""

    name: str
    text: str
    figure: bool = False


def halt_closes(calendar: dict[str, Any]) -> dict[str, int]:
    """Return the previous closes that market-wide halts are counted from, paise by index; of a
    day's calendar, in its `day.opened`.
    """
    closes = {index: calendar.get(field) for index, field in HALTS_FROM.items()}
    return {index: close for index, close in closes.items() if close is not None}


def facts(data: dict[str, Any]) -> tuple[list[Fact], bool]:
    """Return the members of an event's data, and whether there were more than are told."""
    told: list[Fact] = []
    for fact in _members(data, ""):
        if len(told) == FACT_LIMIT:
            return told, True
        told.append(fact)
    return told, False


def said(name: str, value: Any) -> str:
    """Say a value by the unit its name ends in: paise, microseconds, an instant."""
    if value is None:
        return NO_DATA
    if type(value) is int:
        if name.endswith("_paise"):
            return f"₹{rupees(value)}"
        if name.endswith(("age_us", "cadence_us", "latency_us")):
            return span(value)
        if name.endswith(("_us", "_at", "_stamp")) or name == "as_of":
            return _instant(value)
    return significant(value)


def _instant(us: int) -> str:
    try:
        return f"{ist_text(us, '%Y-%m-%d %H:%M:%S')} IST"
    except OverflowError:  # no instant any calendar knows
        return count(us)


def is_synthetic(data: dict[str, Any]) -> bool:
    """Return whether an event carries data that was generated rather than recorded."""
    source = data.get("source")
    if isinstance(source, dict):
        return bool(source.get("synthetic"))
    return bool(data.get("synthetic"))


def _members(value: Any, path: str) -> Iterator[Fact]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _members(member, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        yield from _entries(value, path)
    else:
        name = path.rpartition(".")[2].partition("[")[0]
        yield Fact(path, said(name, value), figure=type(value) in {int, float})


def _entries(values: list[Any], path: str) -> Iterator[Fact]:
    """Tell an array of objects one by one, an array of plain values on one line."""
    if any(isinstance(value, dict | list) for value in values):
        for index, value in enumerate(values):
            yield from _entry(value, f"{path}[{index}]")
        return
    name = path.rpartition(".")[2]
    shown = ", ".join(said(name, value) for value in values[:LISTED])
    more = f" … {count(len(values))} in all" if len(values) > LISTED else ""
    yield Fact(path, f"{shown}{more}" if values else "none")


def _entry(value: Any, path: str) -> Iterator[Fact]:
    """Tell an object of plain values on one line, its name first; anything else by its members."""
    if not isinstance(value, dict) or any(isinstance(v, dict | list) for v in value.values()):
        yield from _members(value, path)
        return
    names = sorted(value, key=lambda name: (name != "name", name))
    yield Fact(path, " · ".join(f"{name} {said(name, value[name])}" for name in names))
