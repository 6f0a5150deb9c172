"""What a day opens with: the calendar, lots, limits and rates in force as then known."""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from journal.facts import HALTS_FROM
from trading.costs.funding import DEFAULT_RATE_E9
from trading.costs.tariff import day_tariff
from trading.engine.configuration import Configuration, seconds_of_day
from trading.execution.broker import TradingDay
from trading.market.calendar import calendar, expires_at_us, instant_us, session_hours
from trading.market.circuit_breakers import INDEX, SENSEX
from trading.market.contracts import (
    ContractError,
    expiries,
    freeze_quantity,
    lot_figure,
    strike_step,
    tick,
)
from trading.market.position_limits import position_limits
from trading.risk.exposure import part
from trading.risk.limits import LimitsError, desk_limits, limits_from_data

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trading.engine.state import DayState
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
    halts_from: Mapping[str, int],
    state: dict[str, Any],
    state_digest: str,
) -> dict[str, Any]:
    """Return the data of a day.opened. `known_at_us` is when it opens: later announcements are not
    in it. `halts_from` are the previous closes that the day's feed counts market-wide halts from,
    paise by index, none where it tells none.

    Raises CalendarError for a day that is no market day.
    """
    return {
        "date": day.isoformat(),
        "configuration": configuration.to_data(),
        "configuration_digest": configuration.digest,
        "code_version": code_version,
        "calendar": _calendar(day, known_at_us) | _halts_from(halts_from),
        "contracts": _contracts(day, configuration.underlyings, known_at_us),
        **_limits(configuration, day, known_at_us),
        "rates": {
            "profile": configuration.costs.label,
            "tariff": tariff_of(configuration, day),
            "funding_rate_e9": None if configuration.costs.gross else DEFAULT_RATE_E9,
        },
        "history": [],
        "state": state,
        "state_digest": state_digest,
    }


def trading_day(day: DayState) -> TradingDay:
    """An open day as a broker needs it."""
    return TradingDay(
        date=day.date,
        open_us=day.open_us,
        close_us=day.close_us,
        expiring_close_us=day.expiring_close_us,
        lot_sizes=day.lot_sizes,
        freeze_quantity={name: terms.freeze_quantity for name, terms in day.terms.items()},
        strike_step_paise={name: terms.strike_step_paise for name, terms in day.terms.items()},
        limits=limits_from_data(day.limits, where=f"limits of {day.date}"),
    )


def tariff_of(configuration: Configuration, day: date) -> dict[str, Any] | None:
    """The rates of the day as its session records them; None where costs are GROSS. Raises
    CostError for a day that the tables do not answer for.
    """
    if configuration.costs.gross:
        return None
    return day_tariff(configuration.costs.broker(), configuration.underlyings, day)


def _calendar(day: date, known_at_us: int) -> dict[str, Any]:
    hours = session_hours(day, known_at_us=known_at_us)
    return {
        "midnight_us": instant_us(day, time(0)),
        "open_us": hours.open_us,
        "close_us": hours.close_us,
        "expiring_close_us": min(hours.close_us, expires_at_us(day, known_at_us=known_at_us)),
        "status": hours.status,
        "source": hours.source,
    }


def _halts_from(closes: Mapping[str, int]) -> dict[str, int | None]:
    """Return what halts are counted from; SENSEX is named where there is a close of it."""
    sensex = {HALTS_FROM[SENSEX]: closes[SENSEX]} if SENSEX in closes else {}
    return {HALTS_FROM[INDEX]: closes.get(INDEX), **sensex}


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
    terms = _terms(day, underlyings, known_at_us)
    return {"lot_sizes": lots, "lot_statuses": statuses, "terms": terms}


def _terms(day: date, underlyings: Sequence[str], known_at_us: int) -> list[dict[str, Any]]:
    """Return what orders must respect; an underlying the tables do not cover is left out."""
    found = []
    for underlying in underlyings:
        try:
            freeze = freeze_quantity(underlying, day, known_at_us=known_at_us)
        except ContractError:
            continue
        found.append(
            {
                "underlying": underlying,
                "freeze_quantity": freeze.value,
                "freeze_status": freeze.status,
                "tick_paise": tick(underlying).value,
                "strike_step_paise": strike_step(underlying).value,
            }
        )
    return found


def _limits(configuration: Configuration, day: date, known_at_us: int) -> dict[str, Any]:
    """Return the limits of the day: the desk's, the session's and our part of the exchange's."""
    gates, dated = configuration.gates, desk_limits(day)
    figures = {
        **msgspec.structs.asdict(dated.figures),
        "first_entry_ist_seconds": seconds_of_day(gates.first_entry),
        "last_entry_ist_seconds": seconds_of_day(gates.last_entry),
        "chain_age_us": gates.chain_age_seconds * 1_000_000,
        "resume_chains": gates.resume_chains,
        **_regulatory(day, known_at_us, dated.figures.regulatory_part_ppm),
    }
    limits = limits_from_data(figures, where=f"limits of {day}")
    return {
        "limits": msgspec.structs.asdict(limits),
        "limits_since": dated.since.isoformat(),
        "limits_digest": dated.digest,
    }


def _regulatory(day: date, known_at_us: int, part_ppm: int) -> dict[str, int]:
    """Return our part of a client's end-of-day limits, never above the intraday one. Before there
    were limits in future equivalents the one on notional is taken for both.

    Raises LimitsError for a day the exchange's table has no limit for.
    """
    limits = {
        each.measure: each.limit_paise
        for each in position_limits(day, known_at_us=known_at_us)
        if each.holder == "CLIENT"
    }
    notional = limits.get("NOTIONAL_END_OF_DAY")
    net = limits.get("NET_END_OF_DAY", notional)
    gross = limits.get("GROSS_END_OF_DAY", notional)
    if net is None or gross is None:
        raise LimitsError(f"no position limits for {day}")
    ours = part(net, part_ppm)
    return {
        "regulatory_net_paise": min(ours, limits.get("NET_INTRADAY", ours)),
        "regulatory_gross_paise": part(gross, part_ppm),
    }
