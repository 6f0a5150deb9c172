"""An order as the gates see it before anything is sent: what is wanted, and what it would add to
the book. Plain values; who proposes them works them out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from trading.execution.orders import Contract, Side
from trading.strategies.base import Declaration


class Terms(msgspec.Struct, frozen=True):
    """What the contract master says of a contract: units in a lot, the exchange's largest order in
    units, price and strike steps in paise.
    """

    lot_size: int
    freeze_quantity: int
    tick_paise: int
    strike_step_paise: int


class FairValue(msgspec.Struct, frozen=True):
    """What a model holds a contract worth, paise a unit, and what a vol point is worth in it."""

    paise: int
    vol_point_paise: int


class ProposedLeg(msgspec.Struct, frozen=True):
    """One contract of an order, at the proposal's lots.

    `quantity` in units; `orders` the orders it is sent as, the largest of `largest_order` units.
    `price_paise` is the limit or, at the market, the opposite quote; `reference_paise` what the
    exchange takes its price band round (the last trades, failing these the mid). None is unknown.
    """

    contract: Contract
    side: Side
    quantity: int
    largest_order: int
    terms: Terms | None
    price_paise: int | None
    limit_paise: int | None = None  # None at the market
    reference_paise: int | None = None
    fair: FairValue | None = None
    orders: int = 1


class Greeks(msgspec.Struct, frozen=True):
    """Sensitivities in paise of profit: of a move of +1 % by delta, what gamma adds to that for the
    next 1 %, of +1 vol point, of a day gone by; and the profit in each scenario of
    `trading.risk.scenarios`.
    """

    delta_paise: int
    gamma_paise: int
    vega_paise: int
    theta_paise: int
    scenarios_paise: tuple[int, ...]

    def to_data(self) -> dict[str, Any]:
        """The figures as events carry them."""
        return {**msgspec.structs.asdict(self), "scenarios_paise": list(self.scenarios_paise)}

    def plus(self, other: Greeks, times: int = 1) -> Greeks:
        """This and another, counted some times."""
        return Greeks(
            self.delta_paise + times * other.delta_paise,
            self.gamma_paise + times * other.gamma_paise,
            self.vega_paise + times * other.vega_paise,
            self.theta_paise + times * other.theta_paise,
            tuple(
                mine + times * theirs
                for mine, theirs in zip(self.scenarios_paise, other.scenarios_paise, strict=True)
            ),
        )


class FutureEquivalent(msgspec.Struct, frozen=True):
    """Position × delta × price in an underlying, paise: the long and the short side, both ≥ 0."""

    long_paise: int = 0
    short_paise: int = 0

    def plus(self, other: FutureEquivalent, times: int = 1) -> FutureEquivalent:
        """This and another, counted some times."""
        return FutureEquivalent(
            self.long_paise + times * other.long_paise, self.short_paise + times * other.short_paise
        )


class ProposedRisk(msgspec.Struct, frozen=True):
    """What one lot would add: its largest loss, its greeks and future equivalents; and the margin
    of the whole book with the order in it, by lots. None is unknown.
    """

    largest_loss_paise: int | None = None
    greeks: Greeks | None = None
    future_equivalent: FutureEquivalent | None = None
    margin_after_paise: Mapping[int, int] | None = None


class OrderProposal(msgspec.Struct, frozen=True):
    """An order before the gates. `client` is its id, never used twice; `signal` names what asked
    for it. A reducing one makes every leg smaller and adds none.
    """

    client: str
    signal: str
    strategy: Declaration
    underlying: str
    lots: int
    legs: tuple[ProposedLeg, ...]
    reducing: bool = False
    risk: ProposedRisk = ProposedRisk()

    @property
    def fingerprint(self) -> str:
        """What two orders share that say the same: strategy, signal, contracts and sides."""
        legs = sorted(f"{leg.side} {leg.contract.label}" for leg in self.legs)
        return " | ".join((self.strategy.name, self.signal, *legs))

    @property
    def messages(self) -> int:
        """How many orders it is sent as."""
        return sum(leg.orders for leg in self.legs)
