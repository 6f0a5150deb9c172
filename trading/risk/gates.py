"""Risk gates: pure functions of what is known, in a fixed order, all evaluated and logged, also
after the first refusal.

Numbers are those of the house's twenty gates; this configuration evaluates four of them. Orders
that only reduce risk are evaluated everywhere but not stopped here, so a kill can always flatten:
they log `waived_reducing`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

Verdict = Literal["pass", "block", "waived_reducing"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits in force, seconds since IST midnight and µs."""

    first_entry_ist_seconds: int
    last_entry_ist_seconds: int
    chain_age_us: int
    resume_chains: int  # fresh chains after a halt before anything is entered


@dataclass(frozen=True, slots=True)
class GateInputs:
    """What the gates see of one proposed action; states and rungs are those of
    `trading.market.quality`.
    """

    now_ist_seconds: int
    killed: bool
    kill_reason: str | None
    halted: bool
    fresh_chains: int | None  # since trading went on; None when nothing has to be waited for
    chain_age_us: int | None  # since the chain was received; None when there never was one
    chain_limit_us: int  # what its feed's cadence allows
    chain_state: str
    chain_reason: str | None
    rung: str
    reducing: bool


@dataclass(frozen=True, slots=True)
class GateResult:
    """One gate's answer; `headroom` is how far inside the limit the value lies (negative outside),
    in `unit`.
    """

    number: int
    name: str
    value: int | None
    limit: int
    unit: str
    headroom: int | None
    verdict: Verdict
    reason: str | None

    def to_data(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "name": self.name,
            "value": self.value,
            "limit": self.limit,
            "unit": self.unit,
            "headroom": self.headroom,
            "verdict": self.verdict,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Approved:
    """All gates let it through. Only this can be made into orders."""

    lots: int
    results: tuple[GateResult, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """At least one gate blocked; the first one decides."""

    decided_by: int
    results: tuple[GateResult, ...]


def decide(inputs: GateInputs, limits: Limits, *, lots: int) -> Approved | Refused:
    """Evaluate every gate in order; the first block decides."""
    results = tuple(gate(inputs, limits) for gate in GATES)
    for result in results:
        if result.verdict == "block":
            return Refused(decided_by=result.number, results=results)
    return Approved(lots=lots, results=results)


def kill_switch(inputs: GateInputs, limits: Limits) -> GateResult:
    """Gate 1: nothing new while the kill switch is set. Basis: RTS 6 Art. 12."""
    del limits
    return GateResult(
        number=1,
        name="kill switch",
        value=int(inputs.killed),
        limit=0,
        unit="flag",
        headroom=-int(inputs.killed),
        verdict=_verdict(blocked=inputs.killed, inputs=inputs),
        reason=inputs.kill_reason if inputs.killed else None,
    )


def session_window(inputs: GateInputs, limits: Limits) -> GateResult:
    """Gate 2: entries only between the first and the last entry time (IST)."""
    now, first, last = (
        inputs.now_ist_seconds,
        limits.first_entry_ist_seconds,
        limits.last_entry_ist_seconds,
    )
    early = now < first
    blocked = early or now > last
    reason = None
    if blocked:
        reason = (
            f"before the first entry {_clock(first)}"
            if early
            else f"after the last entry {_clock(last)}"
        )
    return GateResult(
        number=2,
        name="session window",
        value=now,
        limit=first if early else last,
        unit="ist_seconds",
        headroom=now - first if early else last - now,
        verdict=_verdict(blocked=blocked, inputs=inputs),
        reason=reason,
    )


def market_halt(inputs: GateInputs, limits: Limits) -> GateResult:
    """Gate 3: no entries while the market is halted, nor before a few fresh chains after it."""
    if not inputs.halted and inputs.fresh_chains is not None:
        return _settling(inputs, limits, inputs.fresh_chains)
    return GateResult(
        number=3,
        name="market halt",
        value=int(inputs.halted),
        limit=0,
        unit="flag",
        headroom=-int(inputs.halted),
        verdict=_verdict(blocked=inputs.halted, inputs=inputs),
        reason="the market is halted" if inputs.halted else None,
    )


def _settling(inputs: GateInputs, limits: Limits, fresh: int) -> GateResult:
    blocked = fresh < limits.resume_chains
    reason = f"{fresh} of {limits.resume_chains} fresh chains since trading went on"
    return GateResult(
        number=3,
        name="market halt",
        value=fresh,
        limit=limits.resume_chains,
        unit="chains",
        headroom=fresh - limits.resume_chains,
        verdict=_verdict(blocked=blocked, inputs=inputs),
        reason=reason if blocked else None,
    )


def data_staleness(inputs: GateInputs, limits: Limits) -> GateResult:
    """Gate 4: the chain was received recently enough, by the limit or twice its feed's cadence, and
    is fit to decide on; a chain never seen blocks. Headroom is null where age is not what counts.
    """
    age = inputs.chain_age_us
    limit = max(limits.chain_age_us, inputs.chain_limit_us)
    reason = _too_old(age, limit)
    measured = age is not None and (reason is not None or _unfit(inputs) is None)
    reason = reason or _unfit(inputs)
    return GateResult(
        number=4,
        name="data staleness",
        value=age,
        limit=limit,
        unit="us",
        headroom=limit - age if measured and age is not None else None,
        verdict=_verdict(blocked=reason is not None, inputs=inputs),
        reason=reason,
    )


def _too_old(age: int | None, limit: int) -> str | None:
    if age is None:
        return "no chain received yet"
    if age > limit:
        return f"chain is {age / 1e6:.0f} s old, limit {limit / 1e6:.0f} s"
    return None


def _unfit(inputs: GateInputs) -> str | None:
    """Why nothing may be entered on a chain of any age, None when it may."""
    if inputs.chain_state != "FRESH":
        return f"chain is {inputs.chain_state}: {inputs.chain_reason}"
    if inputs.rung == "SURFACE_STALE":
        return "the surface is stale: too few strikes are quoted now"
    if inputs.rung == "NONE":
        return "too few strikes are quoted"
    return None


GATES: tuple[Callable[[GateInputs, Limits], GateResult], ...] = (
    kill_switch,
    session_window,
    market_halt,
    data_staleness,
)


def _verdict(*, blocked: bool, inputs: GateInputs) -> Verdict:
    if inputs.reducing:
        return "waived_reducing"
    return "block" if blocked else "pass"


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d} IST"
