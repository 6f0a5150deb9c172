"""What a day opens with: the calendar, lots, limits and rates in force as then known."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import TYPE_CHECKING, Any

from trading.engine.configuration import Configuration, seconds_of_day
from trading.market.calendar import calendar, instant_us, session_hours
from trading.market.contracts import ContractError, expiries, lot_figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trading.market.feed import FeedItem

CONTRACTS_AHEAD = timedelta(days=200)  # the next monthlies and the quarterly after them
OPENS_BEFORE_US = 15 * 60_000_000  # a day opens this long before its market does


def opening_instant(day: date, feed: Sequence[FeedItem]) -> int:
    """Return when a day opens, µs UTC: before its market and before what its feed brings first."""
    hours = session_hours(day)
    first = feed[0].available_at if feed else hours.open_us
    return min(hours.open_us - OPENS_BEFORE_US, first)


def day_data(
    day: date,
    *,
    configuration: Configuration,
    code_version: str,
    known_at_us: int,
    state: dict[str, Any],
    state_digest: str,
) -> dict[str, Any]:
    """Return the data of a day.opened. `known_at_us` is when it opens: later announcements are not
    in it.

    Raises CalendarError for a day that is no market day.
    """
    return {
        "date": day.isoformat(),
        "configuration": configuration.to_data(),
        "configuration_digest": configuration.digest,
        "code_version": code_version,
        "calendar": _calendar(day, known_at_us),
        "contracts": _contracts(day, configuration.underlyings, known_at_us),
        "limits": _limits(configuration),
        "rates": {"profile": configuration.costs.profile},
        "history": [],
        "state": state,
        "state_digest": state_digest,
    }


def _calendar(day: date, known_at_us: int) -> dict[str, Any]:
    hours = session_hours(day, known_at_us=known_at_us)
    return {
        "midnight_us": instant_us(day, time(0)),
        "open_us": hours.open_us,
        "close_us": hours.close_us,
        "status": hours.status,
        "source": hours.source,
    }


def _contracts(day: date, underlyings: Sequence[str], known_at_us: int) -> dict[str, Any]:
    """Return lots by underlying and expiry, with the status of each figure, of the expiries ahead
    as then known; a contract without a known lot is left out. What the day's frames will show has
    no say in it: at the opening nobody has seen them.
    """
    lots: dict[str, dict[str, int]] = {}
    statuses: dict[str, dict[str, str]] = {}
    last = min(day + CONTRACTS_AHEAD, calendar().last)
    for underlying in underlyings:
        for expiry in expiries(underlying, day, last, known_at_us=known_at_us):
            try:
                figure = lot_figure(underlying, expiry, day, known_at_us=known_at_us)
            except ContractError:
                continue
            lots.setdefault(underlying, {})[expiry.isoformat()] = figure.value
            statuses.setdefault(underlying, {})[expiry.isoformat()] = figure.status
    return {"lot_sizes": lots, "lot_statuses": statuses}


def _limits(configuration: Configuration) -> dict[str, int]:
    gates = configuration.gates
    return {
        "first_entry_ist_seconds": seconds_of_day(gates.first_entry),
        "last_entry_ist_seconds": seconds_of_day(gates.last_entry),
        "chain_age_us": gates.chain_age_seconds * 1_000_000,
        "resume_chains": gates.resume_chains,
    }
