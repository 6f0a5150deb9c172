"""S4: at-the-money implied volatility far from its recent mean is sold when high and bought when
low.

The trial form: a straddle at the strike nearest the parity forward of the nearest expiry, held for
a fixed time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading.execution.orders import Contract, Side
from trading.strategies.base import Condition, Declaration, Evaluation, LegPlan

if TYPE_CHECKING:
    from trading.features.implied import AtmImplied

NAME = "S4"
STRUCTURE = "ATM_STRADDLE"
NO_INTRADAY = "NO_INTRADAY"
# The trial form reads quotes of the chain alone: no print feed, no regime, no surface.
DECLARATION = Declaration(
    name=NAME,
    holds_overnight=True,
    inputs=("chain",),
    needs_toxicity=False,
    regimes=None,
    needs_fair_value=False,
)


def evaluate(
    underlying: str,
    implied: AtmImplied,
    *,
    entry_z: float,
    lookback_snapshots: int,
    open_trades: int,
    lot_size: int | None,
    lacks_the_day: bool = False,
) -> Evaluation:
    """Return S4's conditions on a frame's feature; all numbers are the logged, rounded ones.

    `lacks_the_day` says that the frame is the record of an earlier day and the hold is too short
    for it.
    """
    z_score = implied.z_score
    conditions = (
        *([_no_intraday()] if lacks_the_day else []),
        Condition(
            name="observations",
            value=implied.observations,
            threshold=lookback_snapshots,
            direction=1,
            scale=0,
            reason=implied.z_score_reason,
        ),
        Condition(
            name="abs_z_score",
            value=None if z_score is None else abs(z_score),
            threshold=entry_z,
            direction=1,
            scale=1.0,
            reason=implied.z_score_reason,
        ),
        Condition(
            name="open_trades",
            value=open_trades,
            threshold=0,
            direction=-1,
            scale=0,
            reason="a trade is open already" if open_trades else None,
        ),
        Condition(
            name="lot_size",
            value=lot_size,
            threshold=1,
            direction=1,
            scale=0,
            reason=None if lot_size else "the contract's lot size is not known",
        ),
    )
    direction: Side | None = None
    if z_score is not None:
        direction = "SELL" if z_score > 0 else "BUY"
    return Evaluation(
        conditions=conditions,
        direction=direction,
        structure=STRUCTURE,
        legs=_straddle(underlying, implied, direction),
    )


def _no_intraday() -> Condition:
    """What an intraday strategy answers where there is no market to look at during the day."""
    return Condition(
        name="intraday_data", value=0, threshold=1, direction=1, scale=0, reason=NO_INTRADAY
    )


def _straddle(underlying: str, implied: AtmImplied, direction: Side | None) -> tuple[LegPlan, ...]:
    if direction is None or implied.expiry is None or implied.strike_paise is None:
        return ()
    return tuple(
        LegPlan(
            contract=Contract(
                underlying=underlying,
                expiry=implied.expiry,
                strike_paise=implied.strike_paise,
                right=right,
            ),
            side=direction,
        )
        for right in ("CE", "PE")
    )
