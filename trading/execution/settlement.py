"""What options are worth at the end of their last day: settled in cash at the closing value of
their index.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import date

    from trading.execution.orders import Contract


class SettlementPrice(NamedTuple):
    """The final settlement price of an underlying's options, paise: the table and row it was read
    from, the digest of that row's file, when it was published (µs UTC), whether it was generated.
    """

    price_paise: int
    source: str
    row: str
    digest: str
    published_at: int
    synthetic: bool


Settlements = dict[str, SettlementPrice]  # by underlying, of the options that expire on a day


def no_settlements(day: date) -> Settlements:
    """The settlement prices of a day for which none are on record."""
    del day
    return {}


def intrinsic_paise(contract: Contract, settlement_paise: int) -> int:
    """What a unit pays at a settlement price; 0 at the strike and out of the money."""
    above = settlement_paise - contract.strike_paise
    return max(above if contract.right == "CE" else -above, 0)
