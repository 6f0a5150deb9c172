"""A desk on which everything is in order, and ways to disturb it one thing at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from trading.execution.orders import Contract
from trading.risk.decision import GATES
from trading.risk.limits import Limits, desk_limits
from trading.risk.proposal import (
    FairValue,
    FutureEquivalent,
    OrderProposal,
    ProposedLeg,
    ProposedRisk,
    Terms,
)
from trading.risk.scenarios import no_greeks
from trading.risk.snapshot import InputAge, Regime, RiskShares, RiskSnapshot, Toxicity
from trading.strategies.base import Declaration

if TYPE_CHECKING:
    from datetime import date

    from trading.execution.orders import Side
    from trading.risk.verdicts import GateResult

CRORE_PAISE = 1_000_000_000
CAPITAL_PAISE = 5 * CRORE_PAISE
SECOND_US = 1_000_000
TODAY, NEXT_WEEK = "2026-02-26", "2026-03-02"

STRICT = Declaration(
    name="S7",
    holds_overnight=False,
    inputs=("chain", "spot"),
    needs_toxicity=True,
    regimes=frozenset({"TREND", "MEAN_REVERT"}),
    needs_fair_value=True,
)
EASY = Declaration(
    name="S4",
    holds_overnight=True,
    inputs=("chain",),
    needs_toxicity=False,
    regimes=None,
    needs_fair_value=False,
)


def limits_of(day: date, **figures: int) -> Limits:
    """The desk's limits of a day, with the rest of a session's."""
    desk = msgspec.structs.asdict(desk_limits(day).figures)
    rest = {
        "first_entry_ist_seconds": 33_600,
        "last_entry_ist_seconds": 54_600,
        "chain_age_us": 15 * SECOND_US,
        "resume_chains": 5,
        "regulatory_net_paise": 750 * CRORE_PAISE,
        "regulatory_gross_paise": 5_000 * CRORE_PAISE,
    }
    return msgspec.convert({**desk, **rest, **figures}, Limits)


def leg(right: Any = "CE", side: Side = "BUY", **changes: Any) -> ProposedLeg:
    """65 units of an option at 120.05, in every respect as it should be."""
    expiry = changes.pop("expiry", NEXT_WEEK)
    strike = changes.pop("strike_paise", 2_535_000)
    whole: dict[str, Any] = {
        "contract": Contract("NIFTY", expiry, strike, right),
        "side": side,
        "quantity": 65,
        "largest_order": 65,
        "terms": Terms(lot_size=65, freeze_quantity=1_800, tick_paise=5, strike_step_paise=5_000),
        "price_paise": 12_005,
        "reference_paise": 12_000,
        "fair": FairValue(12_000, 1_200),
    }
    return ProposedLeg(**{**whole, **changes})


def order(**changes: Any) -> OrderProposal:
    """One lot of a bought straddle of the strict strategy, inside every limit."""
    risk = changes.pop("risk", {})
    whole: dict[str, Any] = {
        "client": "day1.9",
        "signal": "day1.8",
        "strategy": STRICT,
        "underlying": "NIFTY",
        "lots": 1,
        "legs": (leg("CE"), leg("PE")),
        "risk": ProposedRisk(
            **{
                "largest_loss_paise": 1_560_000,
                "greeks": no_greeks(),
                "future_equivalent": FutureEquivalent(long_paise=CRORE_PAISE // 10),
                "margin_after_paise": {1: 0, 2: 0, 3: 0, 4: 0, 8: 0},
                **risk,
            }
        ),
    }
    return OrderProposal(**{**whole, **changes})


def snapshot(**changes: Any) -> RiskSnapshot:
    """A desk that has neither won nor lost, in a market that says everything."""
    whole: dict[str, Any] = {
        "now_us": 1_772_078_400 * SECOND_US,
        "now_ist_seconds": 36_000,
        "today": TODAY,
        "flags": (),
        "halted": False,
        "fresh_chains": None,
        "orders_taken": True,
        "inputs": {
            "chain": InputAge(0, 0, "FRESH"),
            "spot": InputAge(0, 0, "FRESH"),
        },
        "rung": "SURFACE",
        "recent": (),
        "vpin": Toxicity(500_000, 0),
        "regime": Regime("TREND", 9),
        "capital_paise": CAPITAL_PAISE,
        "day_profit_paise": 0,
        "equity_paise": CAPITAL_PAISE,
        "highest_equity_paise": CAPITAL_PAISE,
        "shares": RiskShares(),
        "greeks": no_greeks(),
        "future_equivalent": FutureEquivalent(),
        "messages_last_second": 0,
        "messages_last_minute": 0,
        "entries_today": 0,
        "working_value_paise": 0,
    }
    return RiskSnapshot(**{**whole, **changes})


def ask(number: int, proposal: OrderProposal, seen: RiskSnapshot, limits: Limits) -> GateResult:
    """One gate's answer, at the proposal's lots."""
    gate = GATES[number - 1][1]
    return gate(proposal, seen, limits, proposal.lots)
