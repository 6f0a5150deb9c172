"""From a frame to a verdict: features, the signal before the gates, the gates."""

from __future__ import annotations

from typing import Literal

from journal.payloads.registry import payload_of
from journal.payloads.shapes import (
    Contract,
    Count,
    InputState,
    Number,
    Positive,
    Shape,
    Side,
    Text,
)


class ChainQuality(Shape, frozen=True):
    """How good the chain was that features were computed from.

    state: its state in the frame.
    reason: why it is not `FRESH`; null when it is.
    age_us: time since it was true, µs; null when there is none.
    limit_us: age beyond which it is `STALE`, µs; null when there is none.
    as_of: the exchange's stamp, µs UTC; null when there is none.
    available_at: when it was received, µs UTC; null when there is none.
    flags: flags of the frame.
    rung: where the degrade ladder stands: `SURFACE` a whole surface, `SURFACE_STALE` one a few
        minutes old (shown, nothing is entered on it), `ATM_ONLY` the strikes at the money alone,
        `NONE` nothing to decide on.
    strikes_below: strikes below the forward of the nearest expiry with a usable price of the put;
        null when the frame brings no chain.
    strikes_above: strikes above it with one of the call likewise.
    """

    state: InputState
    reason: Text | None
    age_us: Count | None
    limit_us: Count | None
    as_of: int | None
    available_at: int | None
    flags: list[str]
    rung: Literal["SURFACE", "SURFACE_STALE", "ATM_ONLY", "NONE"]
    strikes_below: Count | None
    strikes_above: Count | None


class SourceQuality(Shape, frozen=True):
    """How good another input of the frame was.

    state: its state in the frame.
    age_us: time since it was true, µs; null when there is none.
    reason: why it is not `FRESH`; null when it is.
    """

    state: InputState
    age_us: Count | None
    reason: Text | None


class FeatureQuality(Shape, frozen=True):
    """The quality of each source of the features.

    chain: the option chain.
    spot: the index.
    future: the nearest future.
    vix: the volatility index.
    prints: trades of the underlying's future.
    """

    chain: ChainQuality
    spot: SourceQuality
    future: SourceQuality
    vix: SourceQuality
    prints: SourceQuality


@payload_of("features.computed", key=lambda features: features.underlying, key_text="`underlying`")
class FeaturesComputed(Shape, frozen=True):
    """What was computed of a frame.

    underlying: name of the index.
    values: each feature by name, in the unit its name ends in: `atm_iv`, `mean` and `deviation` are
        fractions a year, `z_score` standard deviations, `observations` a count, `expiry` an ISO
        date; null when it could not be had. `surface_atm_iv`, the surface's volatility at the money
        of `expiry`, is there when a surface was fitted to this frame. Empty when the frame brings
        no chain.
    reasons: for each feature that is null, why.
    quality: how good its sources were.
    synthetic: whether the frame was generated rather than recorded.
    """

    underlying: Text
    values: dict[str, int | float | str | None]
    reasons: dict[str, Text]
    quality: FeatureQuality
    synthetic: bool


class Condition(Shape, frozen=True):
    """A threshold on one number.

    name: name of the number.
    value: the number; null with a reason when it could not be had.
    threshold: what it is compared with.
    comparison: `>=` or `<=`, as wanted.
    direction: 1 when more is wanted, −1 when less is.
    scale: what a unit of distance means; 0 for an exact count.
    headroom: how far the value lies on the good side, negative when it falls short.
    met: whether it holds.
    reason: why it does not; null when there is nothing to say.
    """

    name: Text
    value: float | None
    threshold: Number
    comparison: Literal[">=", "<="]
    direction: Literal[1, -1]
    scale: Number
    headroom: float | None
    met: bool
    reason: str | None


class PlannedLeg(Shape, frozen=True):
    """One leg a strategy wants, before lots.

    contract: the contract.
    side: `BUY` or `SELL`.
    """

    contract: Contract
    side: Side


class Structure(Shape, frozen=True):
    """What a signal would trade.

    name: name of the structure, such as `ATM_STRADDLE`.
    legs: its legs.
    """

    name: Text
    legs: list[PlannedLeg]


@payload_of(
    "signal.emitted",
    key=lambda signal: f"{signal.strategy}:{signal.underlying}",
    key_text="`strategy:underlying`",
)
class SignalEmitted(Shape, frozen=True):
    """A strategy's answer on a frame before any gate saw it, also when it did not fire.

    strategy: name of the strategy.
    underlying: name of the index.
    fired: whether every condition is met.
    direction: `SELL` or `BUY`; null when there is none.
    conditions: every condition, in the order the strategy asks them.
    reason: why it did not fire; null when it did.
    structure: what it would trade; null when it did not fire.
    synthetic: whether the frame was generated rather than recorded.
    """

    strategy: Text
    underlying: Text
    fired: bool
    direction: Side | None
    conditions: list[Condition]
    reason: str | None
    structure: Structure | None
    synthetic: bool


class Gate(Shape, frozen=True):
    """One gate's answer.

    number: number of the gate in the house's list.
    name: name of the gate.
    value: what was compared, in `unit`; null when it is not known.
    limit: what it was compared with, in `unit`; null when it is not known.
    unit: `flag` (0 or 1), `ist_seconds` (after 00:00 IST), `us` (µs), `paise`, `ppm` (parts per
        million), `units`, `lots`, `chains`, `bars`, `messages` or `entries`.
    headroom: how far inside the limit, in `unit`; negative outside, null when not known.
    verdict: `pass`; `half`, which halves the lots for the gates after it; `block`; `queued` until
        trading goes on; `waived_reducing` for an order that only reduces risk.
    reason: why it did not simply pass; null when it did.
    """

    number: Positive
    name: Text
    value: int | None
    limit: int | None
    unit: Text
    headroom: int | None
    verdict: Literal["pass", "half", "block", "queued", "waived_reducing"]
    reason: str | None


@payload_of(
    "gate.decided",
    key=lambda decision: f"{decision.strategy}:{decision.underlying}",
    key_text="`strategy:underlying`",
)
class GateDecided(Shape, frozen=True):
    """What the gates said to a fired signal or to an exit; all are evaluated, the first block
    decides.

    strategy: name of the strategy.
    underlying: name of the index.
    action: `entry` or `exit`.
    trade: id of the trade it admits or leaves; null when an entry was refused.
    reason: why the exit was proposed; null for an entry.
    verdict: `pass`, `block`, or `queued` for an exit that waits until trading goes on.
    decided_by: number of the gate that stopped it; null when none did.
    lots: lots let through, after halving; 0 when stopped.
    gates: every gate's answer, in their order.
    """

    strategy: Text
    underlying: Text
    action: Literal["entry", "exit"]
    trade: str | None
    reason: str | None
    verdict: Literal["pass", "block", "queued"]
    decided_by: Positive | None
    lots: Count
    gates: list[Gate]
