"""What every strategy answers: its conditions with their numbers, whether all hold, and what it
would trade.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from trading.execution.orders import Contract, Side

GUARD_BAND = 1e-9  # of a condition's scale: nearer to the threshold than this counts as not met


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a strategy says of itself before it may trade.

    `inputs` are those whose age and state gate 4 holds it to. Without `needs_toxicity` a VPIN that
    is not known stops nothing, one that is known and toxic does; `regimes` are the labels it trades
    in, None any; without `needs_fair_value` its prices are held to the market's alone.
    """

    name: str
    holds_overnight: bool
    inputs: tuple[str, ...]
    needs_toxicity: bool
    regimes: frozenset[str] | None
    needs_fair_value: bool


@dataclass(frozen=True, slots=True)
class Condition:
    """A threshold on one number; `direction` +1 wants value ≥ threshold, −1 value ≤ threshold;
    `scale` is what a unit of distance means.
    """

    name: str
    value: float | None
    threshold: float
    direction: Literal[1, -1]
    scale: float
    reason: str | None = None

    @property
    def headroom(self) -> float | None:
        """How far the value lies beyond the threshold on the good side; negative when it falls
        short.
        """
        return None if self.value is None else self.direction * (self.value - self.threshold)

    @property
    def met(self) -> bool:
        """Whether it holds, outside the guard band (exact counts have scale 0 and need no band)."""
        headroom = self.headroom
        if headroom is None:
            return False
        return headroom >= GUARD_BAND * self.scale

    def to_data(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "value": self.value,
            "threshold": self.threshold,
            "comparison": ">=" if self.direction > 0 else "<=",
            "direction": self.direction,
            "scale": self.scale,
            "headroom": self.headroom,
            "met": self.met,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class LegPlan:
    """One leg a strategy wants, before lots and lot size are applied."""

    contract: Contract
    side: Side

    def to_data(self) -> dict[str, Any]:
        contract = self.contract
        return {
            "contract": {
                "underlying": contract.underlying,
                "expiry": contract.expiry,
                "strike_paise": contract.strike_paise,
                "right": contract.right,
            },
            "side": self.side,
        }


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A strategy's answer on one frame."""

    conditions: tuple[Condition, ...]
    direction: Side | None
    structure: str
    legs: tuple[LegPlan, ...]

    @property
    def fired(self) -> bool:
        return all(condition.met for condition in self.conditions)

    @property
    def reason(self) -> str | None:
        """Why it did not fire: the first condition that does not hold."""
        for condition in self.conditions:
            if not condition.met:
                return condition.reason or f"{condition.name} not met"
        return None
