"""What a gate answers, and what all of them together decide.

Only an `Approved` can be made into orders, and none can be made of answers that refuse.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import msgspec

Verdict = Literal["pass", "half", "block", "queued", "waived_reducing"]
STOPPING: frozenset[Verdict] = frozenset({"block", "queued"})


class Gate(NamedTuple):
    """Which gate answers: its number, its name, the unit of its figures, and whether it stops
    orders that only reduce risk too.
    """

    number: int
    name: str
    unit: str
    stops_reducing: bool = False


class GateResult(msgspec.Struct, frozen=True):
    """One gate's answer. `headroom` is how far inside the limit the value lies (negative outside),
    in `unit`; None, with a reason, where there is nothing to compare.
    """

    number: int
    name: str
    value: int | None
    limit: int | None
    unit: str
    headroom: int | None
    verdict: Verdict
    reason: str | None

    def to_data(self) -> dict[str, Any]:
        """The answer as events carry it."""
        return msgspec.structs.asdict(self)


class Approved(msgspec.Struct, frozen=True):
    """All gates let it through, at `lots`. Raises ValueError when made of answers that did not."""

    lots: int
    results: tuple[GateResult, ...]

    def __post_init__(self) -> None:
        """Refuse what was not approved: nothing that asks for an Approved can be fooled."""
        stopped = next((each for each in self.results if each.verdict in STOPPING), None)
        if stopped is not None:
            msg = f"gate {stopped.number} {stopped.name} did not let it through: {stopped.reason}"
            raise ValueError(msg)
        if self.lots < 1:
            msg = f"approved lots are {self.lots}, expected 1 or more"
            raise ValueError(msg)


class Refused(msgspec.Struct, frozen=True):
    """At least one gate stopped it; the first one decides, for good (block) or until trading goes
    on (queued).
    """

    decided_by: int
    verdict: Literal["block", "queued"]
    results: tuple[GateResult, ...]


def judged(
    gate: Gate,
    *,
    reducing: bool,
    value: int | None,
    limit: int | None,
    headroom: int | None,
    wrong: str | None,
    note: str | None = None,
) -> GateResult:
    """The answer of a gate that found something wrong (a reason) or nothing (None); `note` is the
    reason of a pass that needs one.
    """
    verdict: Verdict = "pass" if wrong is None else "block"
    if reducing and not gate.stops_reducing:
        verdict = "waived_reducing"
    reason = note if wrong is None else wrong
    return GateResult(gate.number, gate.name, value, limit, gate.unit, headroom, verdict, reason)


def missing(
    gate: Gate, *, reducing: bool, limit: int | None, reason: str, value: int | None = None
) -> GateResult:
    """The answer where an input is missing: an entry fails closed; what reduces risk is let go, by
    whatever gate.
    """
    verdict: Verdict = "waived_reducing" if reducing else "block"
    return GateResult(gate.number, gate.name, value, limit, gate.unit, None, verdict, reason)


def at_most(gate: Gate, value: int, limit: int, *, reducing: bool, wrong: str) -> GateResult:
    """Pass while the value is not above the limit; `wrong` is the reason when it is."""
    headroom = limit - value
    return judged(
        gate,
        reducing=reducing,
        value=value,
        limit=limit,
        headroom=headroom,
        wrong=wrong if headroom < 0 else None,
    )


def graded(
    gate: Gate,
    value: int,
    half: int,
    block: int,
    *,
    reducing: bool,
    wrong: str,
    reached: bool = True,
) -> GateResult:
    """Pass below the half limit, halve from there, block from the block limit on. What reaches a
    limit is outside it, unless `reached` is off: then only what lies above.
    """
    beyond = value if reached else value - 1
    verdict: Verdict = "block" if beyond >= block else "half" if beyond >= half else "pass"
    limit = block if verdict == "block" else half
    reason = None if verdict == "pass" else wrong
    if reducing:
        verdict = "waived_reducing"
    return GateResult(
        gate.number, gate.name, value, limit, gate.unit, limit - value, verdict, reason
    )
