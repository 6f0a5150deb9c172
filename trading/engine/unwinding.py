"""Entries that do not become whole: what still works of them is cancelled, what was filled leaves.

A structure of which one leg is filled further than another is not what the gates let in. It is
given up when an order of it ends short, or when it has been uneven for the desk's `leg_seconds`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading.engine.intents import intend_cancel
from trading.execution.positions import State

if TYPE_CHECKING:
    from trading.engine.step import Step
    from trading.execution.positions import Trade

SECOND_US = 1_000_000
LEG_FAILED, LEG_LATE, ENTRY_ABANDONED = "LEG_FAILED", "LEG_LATE", "ENTRY_ABANDONED"


def watch_evenness(step: Step, trade: Trade) -> None:
    """Remember since when the legs of a trade have been filled unevenly."""
    if not trade.uneven:
        trade.uneven_since = None
    elif trade.uneven_since is None:
        trade.uneven_since = step.ts


def give_up_broken(step: Step, trade: Trade) -> None:
    """Give a structure up that cannot be whole in time: cancel, once, what works of its entry."""
    if trade.given_up is not None or trade.state not in {None, State.OPEN}:
        return
    trade.given_up = _failure(step, trade)
    if trade.given_up is None:
        return
    for leg in trade.legs:
        for order in leg.entries:
            if not order.over and not order.cancelled:
                intend_cancel(step, trade, leg, order, cause=(trade.position_seq, step.seq))


def _failure(step: Step, trade: Trade) -> str | None:
    if len(trade.legs) == 1:
        return None
    if any(order.fell_short for leg in trade.legs for order in leg.entries):
        return LEG_FAILED
    if trade.uneven_since is None or step.underlying(trade.underlying).halted:
        return None
    waited_us = step.ts - trade.uneven_since
    return LEG_LATE if waited_us >= step.configuration.desk.leg_seconds * SECOND_US else None
