"""What importers of option chains share: the columns of a leg, when a chain was true, and the lot
its quantities are made of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trading.market.calendar import calendar
from trading.market.importers.tabular import Numbers, cell
from trading.market.importers.text import price, real, whole
from trading.market.ist import ist_date

if TYPE_CHECKING:
    from collections.abc import Iterable

    import duckdb


class Leg(NamedTuple):
    """The names of a file's columns for one side of a strike. Quantities are units, volume is
    contracts, open interest whichever the file has.
    """

    bid: str
    ask: str
    bid_quantity: str
    ask_quantity: str
    last: str
    open_interest: str
    volume: str


def leg_values(side: str, leg: Leg, *, units_of_a_contract: str = "1") -> dict[str, str]:
    """SQL of the store's columns of a side, `call` or `put`; zeros are missing. Open interest is
    divided by the SQL of what one contract is of it.
    """
    return {
        f"{side}_bid_paise": price(cell(leg.bid)),
        f"{side}_ask_paise": price(cell(leg.ask)),
        f"{side}_bid_quantity": f"nullif({whole(cell(leg.bid_quantity))}, 0)",
        f"{side}_ask_quantity": f"nullif({whole(cell(leg.ask_quantity))}, 0)",
        f"{side}_last_paise": price(cell(leg.last)),
        f"{side}_oi_contracts": (
            f"nullif({real(cell(leg.open_interest))}, 0) / ({units_of_a_contract})"
        ),
        f"{side}_volume_contracts": f"nullif({whole(cell(leg.volume))}, 0)",
    }


def leg_numbers(legs: Iterable[Leg], *prices: str) -> Numbers:
    """What must be a number in the legs, and the columns of other prices."""
    found = tuple(legs)
    return Numbers(
        paise=[
            *(cell(name) for leg in found for name in (leg.bid, leg.ask, leg.last)),
            *(cell(name) for name in prices),
        ],
        whole=[
            cell(name) for leg in found for name in (leg.bid_quantity, leg.ask_quantity, leg.volume)
        ],
        real=[cell(leg.open_interest) for leg in found],
    )


def last_trading_us(at_us: int) -> int:
    """The last instant up to a moment at which the market was open, µs UTC: what is shown then was
    true then. Raises CalendarError outside the calendar.
    """
    days = calendar()
    day = ist_date(at_us)
    if days.is_market_day(day):
        hours = days.session_hours(day)
        if hours.open_us <= at_us:
            return min(at_us, hours.close_us)
    return days.session_hours(days.previous_market_day(day)).close_us


def share_of_whole_lots(
    connection: duckdb.DuckDBPyConnection, legs: Iterable[Leg], lot: str, source: str = "cells"
) -> float | None:
    """The share of quoted quantities that are of whole lots, the lot given as SQL; None without
    quantities.
    """
    quantities = [
        whole(cell(name)) for leg in legs for name in (leg.bid_quantity, leg.ask_quantity)
    ]
    parts = " UNION ALL ".join(
        f"SELECT {quantity} AS quantity, {lot} AS lot FROM {source}"  # noqa: S608
        for quantity in quantities
    )
    row = connection.execute(
        f"SELECT avg(CAST(quantity % lot = 0 AS INTEGER)) FROM ({parts}) WHERE quantity > 0"  # noqa: S608
    ).fetchone()
    return None if row is None or row[0] is None else float(row[0])
