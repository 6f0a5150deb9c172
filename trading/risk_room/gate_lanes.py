"""The twenty gates over a day: what each would have said to an entry, minute by minute. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from journal.figures import ist_text, span
from trading.why.decisions import gate_value

if TYPE_CHECKING:
    from collections.abc import Sequence

_SECOND_US = 1_000_000
_MINUTE_US = 60 * _SECOND_US
_WORST = ("pass", "waived_reducing", "half", "queued", "block")


@dataclass(frozen=True, slots=True)
class Span:
    """Minutes on end with one verdict that is not a pass: first minute of the day and how many."""

    verdict: str
    start: int
    minutes: int
    title: str


@dataclass(frozen=True, slots=True)
class Lane:
    """A gate: its last answer, the underlying it was about, and what it stopped over the day."""

    number: int
    name: str
    value: str
    limit: str
    headroom: str
    verdict: str
    reason: str
    underlying: str
    spans: tuple[Span, ...]
    stopped_minutes: int


@dataclass(frozen=True, slots=True)
class Minute:
    """The worst verdict of a gate at a minute's snapshot (µs UTC)."""

    number: int
    ts: int
    verdict: str


def lanes(
    standing: Sequence[dict[str, Any]], minutes: Sequence[Minute], *, open_us: int
) -> tuple[Lane, ...]:
    """One lane a gate: `standing` are the answers of the last snapshot, `minutes` those of all."""
    by_gate: dict[int, list[Minute]] = {}
    for minute in minutes:
        by_gate.setdefault(minute.number, []).append(minute)
    answers: dict[int, dict[str, Any]] = {}
    for gate in standing:
        other = answers.get(gate["number"])
        if other is None or _rank(gate["verdict"]) > _rank(other["verdict"]):
            answers[gate["number"]] = gate
    return tuple(
        _lane(answers[number], by_gate.get(number, []), open_us) for number in sorted(answers)
    )


def _lane(gate: dict[str, Any], minutes: Sequence[Minute], open_us: int) -> Lane:
    unit = str(gate["unit"] or "")
    return Lane(
        number=gate["number"],
        name=gate["name"],
        value=gate_value(gate["value"], unit),
        limit=gate_value(gate["limit"], unit),
        headroom=_headroom(gate["headroom"], unit),
        verdict=gate["verdict"],
        reason=gate["reason"] or "",
        underlying=gate["underlying"],
        spans=tuple(_spans(minutes, open_us)),
        stopped_minutes=sum(minute.verdict in {"block", "queued"} for minute in minutes),
    )


def _headroom(figure: int | None, unit: str) -> str:
    """How far inside the limit: of times of day a span, of a flag nothing."""
    if figure is None or unit == "flag":
        return ""
    return span(figure * _SECOND_US) if unit == "ist_seconds" else gate_value(figure, unit)


def _spans(minutes: Sequence[Minute], open_us: int) -> list[Span]:
    """Runs of one verdict, in minutes from the open; a minute without a snapshot ends a run."""
    found: list[tuple[str, int, int]] = []
    for minute in sorted(minutes, key=lambda each: each.ts):
        at = (minute.ts - open_us) // _MINUTE_US
        if found and found[-1][0] == minute.verdict and found[-1][1] + found[-1][2] == at:
            found[-1] = (minute.verdict, found[-1][1], found[-1][2] + 1)
        elif at >= 0:
            found.append((minute.verdict, at, 1))
    return [
        Span(verdict, start, count, _title(verdict, start, count, open_us))
        for verdict, start, count in found
        if verdict != "pass"
    ]


def _title(verdict: str, start: int, count: int, open_us: int) -> str:
    first, last = open_us + start * _MINUTE_US, open_us + (start + count) * _MINUTE_US
    return f"{verdict} {ist_text(first, '%H:%M')}–{ist_text(last, '%H:%M')} IST"


def _rank(verdict: str) -> int:
    return _WORST.index(verdict) if verdict in _WORST else len(_WORST)
