"""Fills of a day that shows no quotes: at its closing prices, worse by a modelled half-spread.

What was decided on yesterday's record, known this morning, is done at today's close. The
half-spread is a model and every such fill says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import date

    from trading.execution.orders import Contract, Side

TICK_PAISE = 5
HALF_SPREAD_PER_MILLE = 4  # of the price, and at least a tick


class Close(NamedTuple):
    """A contract's closing price in paise and the units that were traded in the day."""

    price_paise: int
    traded: int


Closes = dict["Contract", Close]


def no_closes(day: date) -> Closes:
    """The closes of a day that is traded on its own quotes."""
    del day
    return {}


def modelled_price(close_paise: int, side: Side) -> int:
    """What an order pays or gets at a close: worse by the half-spread, outward to the tick, and
    never less than a tick.
    """
    half = max(TICK_PAISE * 1000, HALF_SPREAD_PER_MILLE * close_paise)  # thousandths of a paisa
    scale = TICK_PAISE * 1000
    if side == "BUY":
        return TICK_PAISE * -(-(close_paise * 1000 + half) // scale)
    return max(TICK_PAISE, TICK_PAISE * ((close_paise * 1000 - half) // scale))
