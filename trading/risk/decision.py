"""The twenty gates in their fixed order: all are asked, also after one has refused; the first that
stops decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from trading.risk.admission import (
    DATA_STALENESS,
    DUPLICATE,
    INSTRUMENT,
    KILL_SWITCH,
    MARKET_HALT,
    REGIME,
    SESSION_WINDOW,
    TOXICITY,
    data_staleness,
    duplicate,
    instrument_validity,
    kill_switch,
    market_halt,
    regime,
    session_window,
    toxicity,
)
from trading.risk.exposure import (
    CONCENTRATION,
    DAY_LOSS,
    GREEKS,
    MARGIN,
    PEAK_LOSS,
    REGULATORY,
    TRADE_LOSS,
    concentration,
    day_loss,
    greeks,
    margin,
    peak_loss,
    regulatory,
    trade_loss,
)
from trading.risk.flow import (
    OPEN_ORDERS,
    ORDER_RATE,
    ORDER_VALUE,
    PRICE_COLLAR,
    THROTTLE,
    open_orders,
    order_rate,
    order_value,
    price_collar,
    throttle,
)
from trading.risk.verdicts import Approved, Gate, GateResult, Refused, missing

if TYPE_CHECKING:
    from collections.abc import Callable

    from trading.risk.limits import Limits
    from trading.risk.proposal import OrderProposal
    from trading.risk.snapshot import RiskSnapshot

    Ask = Callable[[OrderProposal, RiskSnapshot, Limits, int], GateResult]

FAILED = "the gate failed"

GATES: tuple[tuple[Gate, Ask], ...] = (
    (KILL_SWITCH, kill_switch),
    (SESSION_WINDOW, session_window),
    (MARKET_HALT, market_halt),
    (DATA_STALENESS, data_staleness),
    (INSTRUMENT, instrument_validity),
    (DUPLICATE, duplicate),
    (TOXICITY, toxicity),
    (REGIME, regime),
    (DAY_LOSS, day_loss),
    (PEAK_LOSS, peak_loss),
    (TRADE_LOSS, trade_loss),
    (CONCENTRATION, concentration),
    (GREEKS, greeks),
    (MARGIN, margin),
    (REGULATORY, regulatory),
    (ORDER_VALUE, order_value),
    (PRICE_COLLAR, price_collar),
    (ORDER_RATE, order_rate),
    (THROTTLE, throttle),
    (OPEN_ORDERS, open_orders),
)


def evaluate(
    order: OrderProposal,
    seen: RiskSnapshot,
    limits: Limits,
    gates: tuple[tuple[Gate, Ask], ...] = GATES,
) -> tuple[int, tuple[GateResult, ...]]:
    """Ask every gate; return the lots that are left and the answers. A gate that halves does so for
    those after it, and blocks where half of the lots is none.
    """
    lots = order.lots
    results: list[GateResult] = []
    for gate, ask in gates:
        result = _asked(gate, ask, order, seen, limits, lots)
        if result.verdict == "half":
            if lots == 1:
                reason = f"{result.reason}; half of one lot is none"
                result = msgspec.structs.replace(result, verdict="block", reason=reason)
            else:
                lots //= 2
        results.append(result)
    return lots, tuple(results)


def decide(
    order: OrderProposal,
    seen: RiskSnapshot,
    limits: Limits,
    gates: tuple[tuple[Gate, Ask], ...] = GATES,
) -> Approved | Refused:
    """What the gates make of an order of one lot or more."""
    lots, results = evaluate(order, seen, limits, gates)
    for result in results:
        if result.verdict in ("block", "queued"):
            return Refused(result.number, result.verdict, results)
    return Approved(lots, results)


def failures(results: tuple[GateResult, ...]) -> tuple[GateResult, ...]:
    """The answers of gates that could not answer."""
    return tuple(each for each in results if (each.reason or "").startswith(FAILED))


def _asked(
    gate: Gate,
    ask: Ask,
    order: OrderProposal,
    seen: RiskSnapshot,
    limits: Limits,
    lots: int,
) -> GateResult:
    """A gate's answer. One that raises has not answered: an entry fails closed, a kill goes on."""
    try:
        return ask(order, seen, limits, lots)
    except Exception as error:  # noqa: BLE001 - whatever it is, nothing is opened on it
        reason = f"{FAILED}: {type(error).__name__}: {error}"
        return missing(gate, reducing=order.reducing, limit=None, reason=reason)
