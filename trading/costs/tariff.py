"""What a broker takes on one day, as a session's log records it: every rate in force with its
status and source, so that a decision about money can be made again from the log alone.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from trading.costs.brokers import Broker
from trading.costs.rates import GOVERNMENT, SEBI, Coverage, Rate, RateTable

if TYPE_CHECKING:
    from collections.abc import Iterable

_AUTHORITIES = (GOVERNMENT, SEBI)


def day_tariff(broker: Broker, underlyings: Iterable[str], day: date) -> dict[str, Any]:
    """The rates of a broker and of the levies in force on a day, as plain data. Raises CostError
    for a day or an underlying that the tables do not answer for.
    """
    levies = broker.levies
    exchanges: dict[str, list[str]] = {}
    for underlying in underlyings:
        exchange = levies.exchange_of(underlying)
        levies.check(exchange, underlying, day)
        exchanges.setdefault(exchange, []).append(underlying)
    return {
        "broker": broker.name,
        "gst_on_investor_protection": broker.gst_on_investor_protection,
        "rounding_status": broker.rounding_status,
        "rounding_source": broker.rounding_source,
        "exchanges": exchanges,
        "own": [
            _rate_data(rate) for rate in broker.rates.in_force(day) if rate.levied_by == broker.name
        ],
        "levies": [
            _rate_data(rate)
            for rate in levies.in_force(day)
            if rate.levied_by in {*_AUTHORITIES, *exchanges}
        ],
    }


def broker_of_tariff(data: dict[str, Any], day: date) -> Broker:
    """The broker a recorded tariff speaks of, which answers for its own day only."""
    coverage = [
        Coverage(exchange, tuple(underlyings), day, day)
        for exchange, underlyings in data["exchanges"].items()
    ]
    return Broker(
        data["broker"],
        data["gst_on_investor_protection"],
        RateTable(map(_rate_of_data, data["own"]), coverage),
        RateTable(map(_rate_of_data, data["levies"]), coverage),
        data["rounding_status"],
        data["rounding_source"],
    )


def _rate_data(rate: Rate) -> dict[str, Any]:
    return {
        "charge": rate.charge,
        "levied_by": rate.levied_by,
        "instrument": rate.instrument,
        "side": rate.side,
        "base": rate.base,
        "first": rate.first.isoformat(),
        "last": None if rate.last is None else rate.last.isoformat(),
        "rate_e9": rate.rate_e9,
        "status": rate.status,
        "source": rate.source,
    }


def _rate_of_data(data: dict[str, Any]) -> Rate:
    last = data["last"]
    return Rate(
        data["charge"],
        data["levied_by"],
        data["instrument"],
        data["side"],
        data["base"],
        date.fromisoformat(data["first"]),
        None if last is None else date.fromisoformat(last),
        data["rate_e9"],
        data["status"],
        data["source"],
    )
