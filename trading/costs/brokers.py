"""Broker profiles: what a broker takes for an order, whether it takes GST on the investor
protection charge, and how sure it is that its contract notes round as ours do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trading.costs.rates import (
    BROKERAGE,
    BROKERAGE_CAP,
    EXERCISE,
    FUTURE,
    OPTION,
    ORDER,
    CostError,
    Rate,
    RateTable,
    rate_table,
)
from trading.market.figures import CONFIRMED, table

if TYPE_CHECKING:
    from datetime import date

CUSTOM = "CUSTOM"

_E9 = 10**9
_GIVEN = "given with the profile"


class Broker(NamedTuple):
    """A broker: its own rates, its GST rule and the status and source of how its notes round; with
    the `levies` that exchange and government take of what goes through it.
    """

    name: str
    gst_on_investor_protection: bool
    rates: RateTable
    levies: RateTable
    rounding_status: str
    rounding_source: str

    def brokerage(self, instrument: str, side: str, day: date) -> Rate:
        """What it takes of an order, or of an exercise (side EXERCISE). Raises CostError."""
        rate = self.rates.find(BROKERAGE, self.name, instrument, side, day)
        if rate is None:
            msg = f"no brokerage of {self.name} for {instrument} {side}"
            raise CostError(msg)
        return rate

    def cap(self, instrument: str, side: str, day: date) -> Rate | None:
        """The most it takes of one order where the brokerage is a share of it."""
        return self.rates.find(BROKERAGE_CAP, self.name, instrument, side, day)


def broker_names() -> tuple[str, ...]:
    """The brokers whose profiles are shipped."""
    return tuple(row["name"] for row in table("rates")["broker"])


def broker_named(name: str) -> Broker:
    """A shipped profile. Raises CostError for another name."""
    for row in table("rates")["broker"]:
        if row["name"] == name:
            status, source = _rounding(name)
            gst, rates = row["gst_on_investor_protection"], rate_table()
            return Broker(name, gst, rates, rates, status, source)
    msg = f"no broker {name!r}, expected one of " + ", ".join((*broker_names(), CUSTOM))
    raise CostError(msg)


def custom_broker(
    *,
    order_paise: int,
    exercise_order_paise: int,
    future_rate_e9: int,
    gst_on_investor_protection: bool,
) -> Broker:
    """A profile of one's own: paise for an executed order of options, paise for an exercised or
    assigned order, and for futures the lower of a share of the turnover (10^-9) and the paise of an
    order. Its rates hold on every day of the table. Raises CostError for a negative figure.
    """
    if min(order_paise, exercise_order_paise, future_rate_e9) < 0:
        msg = "a broker's rates are not negative"
        raise CostError(msg)
    shipped = rate_table()
    first = min(row.first for row in shipped.coverage)

    def rate(charge: str, instrument: str, side: str, base: str, rate_e9: int) -> Rate:
        return Rate(charge, CUSTOM, instrument, side, base, first, None, rate_e9, CONFIRMED, _GIVEN)

    rates = (
        rate(BROKERAGE, OPTION, "BOTH", ORDER, order_paise * _E9),
        rate(BROKERAGE, OPTION, EXERCISE, ORDER, exercise_order_paise * _E9),
        rate(BROKERAGE, FUTURE, "BOTH", "TURNOVER", future_rate_e9),
        rate(BROKERAGE_CAP, FUTURE, "BOTH", ORDER, order_paise * _E9),
    )
    status, source = _rounding(CUSTOM)
    table_of_broker = RateTable(rates, shipped.coverage)
    return Broker(CUSTOM, gst_on_investor_protection, table_of_broker, shipped, status, source)


def _rounding(broker: str) -> tuple[str, str]:
    (row,) = (row for row in table("rates")["rounding"] if row["broker"] == broker)
    return row["status"], row["source"]
