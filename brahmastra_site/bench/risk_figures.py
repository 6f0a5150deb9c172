"""Figures of the risk gates and of the portfolio."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec

from brahmastra_site.bench.figure import Figure
from brahmastra_site.bench.ground import seconds
from brahmastra_site.launcher.environment import REPOSITORY
from journal.events import Event
from trading.engine.configuration import configuration_from_toml
from trading.engine.portfolio import marks_now, portfolio_now
from trading.engine.state import EngineState, Quote, UnderlyingState
from trading.engine.step import Step
from trading.execution.orders import Contract
from trading.execution.positions import Leg, LegOrder, State, Trade
from trading.features.window import FloatWindow
from trading.risk.decision import GATES, decide
from trading.risk.limits import desk_limits, limits_from_data
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
from trading.risk.verdicts import Approved, GateResult
from trading.strategies.base import Declaration

if TYPE_CHECKING:
    from brahmastra_site.bench.ground import Ground
    from trading.risk.limits import Limits

_CAPITAL_PAISE = 5_000_000_000
_TIMES = 2_000
_OPEN_LEGS = 100
_MARKS = 20  # in a run short enough to be undisturbed now and then


def deciding(ground: Ground) -> Figure:
    """Ask all twenty gates about an iron condor; the floor builds twenty answers and no more."""
    del ground
    order, seen, limits = _condor(), _desk(), _limits()
    if not isinstance(decide(order, seen, limits), Approved):
        raise TypeError("the condor is not approved: the gates have not been asked in full")

    def ask() -> None:
        for _ in range(_TIMES):
            decide(order, seen, limits)

    def build() -> None:
        for _ in range(_TIMES):
            [
                GateResult(gate.number, gate.name, 1, 2, gate.unit, 1, "pass", None)
                for gate, _ in GATES
            ]

    ours, floor = seconds(ask) / _TIMES, seconds(build) / _TIMES
    return Figure(
        f"all gates on one order ({ours * 1e6:.0f} µs each)",
        1 / ours,
        "orders/s",
        "build 20 answers, bare",
        1 / floor,
    )


def marking(ground: Ground) -> Figure:
    """Mark 100 open legs and make the portfolio of them; the floor is a bare loop over as many
    prices and quantities.
    """
    del ground
    step = _holding()
    bare = [
        (leg.sign, leg.open_quantity, 4_005)
        for trade in step.state.trades.values()
        for leg in trade.legs
    ]
    if portfolio_now(step, marks_now(step)).equity_paise is None or len(bare) != _OPEN_LEGS:
        raise TypeError("not every leg is marked: the figure would be of less work")

    def mark() -> None:
        for _ in range(_MARKS):
            portfolio_now(step, marks_now(step))

    def loop() -> None:
        for _ in range(_MARKS):
            total = 0
            for sign, quantity, price in bare:
                total += sign * quantity * price

    ours, floor = seconds(mark, times=50) / _MARKS, seconds(loop, times=50) / _MARKS
    return Figure(
        f"mark of {_OPEN_LEGS} open legs ({ours * 1e6:.0f} µs each)",
        1 / ours,
        "marks/s",
        f"multiply and add {_OPEN_LEGS} prices, bare",
        1 / floor,
    )


def _holding() -> Step:
    """An engine's step that holds twenty-five condors of as many strikes, all quoted."""
    trades = [_held(number) for number in range(_OPEN_LEGS // 4)]
    quotes = {
        leg.contract.label: Quote(4_000, 4_010, at=0).after(None)
        for trade in trades
        for leg in trade.legs
    }
    state = EngineState(trades={trade.id: trade for trade in trades})
    state.underlyings["NIFTY"] = UnderlyingState(FloatWindow(1), quotes=quotes)
    tick = Event(session="bench", seq=1, ts=0, kind="clock.tick", data={}, cause=(), key=None)
    trial = configuration_from_toml((REPOSITORY / "trial.toml").read_text(), where="trial.toml")
    costs = msgspec.structs.replace(trial.costs, profile="ZERODHA")
    configuration = msgspec.structs.replace(trial, costs=costs)
    return Step(session="bench", state=state, configuration=configuration, event=tick)


def _held(number: int) -> Trade:
    strike = 2_400_000 + 5_000 * number
    wings = (
        (0, "PE", "BUY"),
        (20_000, "PE", "SELL"),
        (180_000, "CE", "SELL"),
        (200_000, "CE", "BUY"),
    )
    legs = [
        Leg(
            Contract("NIFTY", "2026-03-02", strike + away, right),  # type: ignore[arg-type]
            side,  # type: ignore[arg-type]
            quantity=130,
            lot_size=65,
            entries=[LegOrder(f"bench.{number}", 130, filled=130, over=True)],
            entry_quantity=130,
            entry_value_paise=130 * 4_020,
        )
        for away, right, side in wings
    ]
    return Trade(f"bench.{number}", "S7", "NIFTY", legs, State.HOLD)


def _limits() -> Limits:
    figures: dict[str, Any] = msgspec.structs.asdict(desk_limits(date(2026, 2, 26)).figures)
    session = {
        "first_entry_ist_seconds": 33_600,
        "last_entry_ist_seconds": 54_600,
        "chain_age_us": 15_000_000,
        "resume_chains": 5,
        "regulatory_net_paise": 7_500_000_000_00,
        "regulatory_gross_paise": 50_000_000_000_00,
    }
    return limits_from_data({**figures, **session}, where="bench")


def _condor() -> OrderProposal:
    strategy = Declaration("S7", False, ("chain", "spot"), True, frozenset({"TREND"}), True)  # noqa: FBT003
    terms = Terms(lot_size=65, freeze_quantity=1_800, tick_paise=5, strike_step_paise=5_000)
    wings = ((2_430_000, "PE", "BUY"), (2_450_000, "PE", "SELL"))
    body = ((2_610_000, "CE", "SELL"), (2_630_000, "CE", "BUY"))
    legs = tuple(
        ProposedLeg(
            contract=Contract("NIFTY", "2026-03-02", strike, right),  # type: ignore[arg-type]
            side=side,  # type: ignore[arg-type]
            quantity=130,
            largest_order=130,
            terms=terms,
            price_paise=4_005,
            reference_paise=4_000,
            fair=FairValue(4_000, 600),
        )
        for strike, right, side in (*wings, *body)
    )
    risk = ProposedRisk(
        largest_loss_paise=1_300_000,
        greeks=no_greeks(),
        future_equivalent=FutureEquivalent(10_000_000, 10_000_000),
        margin_after_paise={2: 50_000_000, 1: 25_000_000},
    )
    return OrderProposal("bench.9", "bench.8", strategy, "NIFTY", 2, legs, risk=risk)


def _desk() -> RiskSnapshot:
    return RiskSnapshot(
        now_us=1_772_078_400_000_000,
        now_ist_seconds=36_000,
        today="2026-02-26",
        flags=(),
        halted=False,
        fresh_chains=None,
        orders_taken=True,
        inputs={"chain": InputAge(0, 0, "FRESH"), "spot": InputAge(0, 0, "FRESH")},
        rung="SURFACE",
        recent=(),
        vpin=Toxicity(500_000, 0),
        regime=Regime("TREND", 9),
        capital_paise=_CAPITAL_PAISE,
        day_profit_paise=-1_000_000,
        equity_paise=_CAPITAL_PAISE,
        highest_equity_paise=_CAPITAL_PAISE,
        shares=RiskShares(strategies={"S7": 1_000_000}, underlyings={"NIFTY": 1_000_000}),
        greeks=no_greeks(),
        future_equivalent=FutureEquivalent(),
        messages_last_second=0,
        messages_last_minute=9,
        entries_today=3,
        working_value_paise=0,
    )
