"""The rows of one synthetic day, category by category: a function of (seed, mode, cadence, day).

Every row is in the store's columns but for those the store adds itself. docs/synthetic.md is the
model card: what this market has, what it has not, and what was measured on it.
"""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trading.market import contracts
from trading.market.calendar import calendar
from trading.market.synthetic import end_of_day, feeds
from trading.market.synthetic import parameters as p
from trading.market.synthetic.chains import Chain, Instants, make_chain
from trading.market.synthetic.day_path import DayPath, Halt, Pin, day_path, halt_of, pin_of
from trading.market.synthetic.dirt import clock_skew, dirty_chain, gap
from trading.market.synthetic.expectation import expected_variance
from trading.market.synthetic.listing import Listed, chain_expiries, listed, strikes
from trading.market.synthetic.open_interest import open_interest
from trading.market.synthetic.order_flow import OrderFlow, minute_lots, order_flow
from trading.market.synthetic.process import History, history
from trading.market.synthetic.sessions import coming_minutes, trading_days
from trading.market.synthetic.streams import Stream
from trading.market.synthetic.surface import Smile, arbitrage_free_smile, theta_of
from trading.market.synthetic.tables import Columns, Truth, stacked

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from trading.market.synthetic.arrays import Floats, Integers
    from trading.market.synthetic.modes import Mode
    from trading.market.synthetic.sessions import TradingDay

GENERATOR_VERSION = p.GENERATOR_VERSION
SOURCE_NAME = p.SOURCE_NAME

_VIX_DAYS = 30
_BREATH_HALF_LIFE_MINUTES = 15.0


class MarketPlan(NamedTuple):
    """What a synthetic market is a function of, the day apart; the cadence in minutes."""

    seed: int
    mode: Mode
    cadence_minutes: int
    expiries: int


def parameters_digest(plan: MarketPlan, day: date) -> str:
    """The digest that stands for a day's data: of everything the data is a function of."""
    parameters = {
        "generator": SOURCE_NAME,
        "generator_version": GENERATOR_VERSION,
        "mode": plan.mode.text,
        "seed": plan.seed,
        "cadence_minutes": plan.cadence_minutes,
        "expiries": plan.expiries,
        "day": day.isoformat(),
    }
    return hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()


def market_history(plan: MarketPlan, last: date) -> History:
    """The state of every day up to the last one wanted. Raises CalendarError."""
    return history(plan.seed, plan.mode, trading_days(last))


class _Underlying(NamedTuple):
    name: str
    listed: tuple[Listed, ...]
    flow: OrderFlow
    path: DayPath
    pin: Pin | None
    chains: tuple[Chain, ...]


def day_tables(plan: MarketPlan, past: History, day: date) -> dict[str, Columns]:
    """The rows of a day by category, each category's in no particular order. Raises ValueError for
    a day the history does not have.
    """
    row = [one.date for one in past.days].index(day)
    halt = halt_of(past, row)
    minutes = _snapshot_minutes(plan, past, row, halt)
    underlyings = [_underlying(plan, past, row, name, halt, minutes) for name in p.UNDERLYINGS]
    tables: dict[str, list[Columns]] = {}
    truth = _day_truth(past, row, underlyings, halt, plan, minutes)
    for one in underlyings:
        shown, found = _shown_chains(past, row, one, minutes)
        tables.setdefault("chain_snapshots", []).extend(shown)
        truth += found
        _add_feeds(tables, truth, past, row, one, halt)
    vix = _vix(past, row, minutes=np.arange(past.days[row].minutes + 1))
    tables["vix"] = [feeds.vix_rows(past, row, vix * np.sqrt(underlyings[0].path.panic), halt)]
    if halt is not None:
        tables["market_status"] = [feeds.status_rows(past, row, halt)]
    tables["synthetic_truth"] = [feeds.truth_rows(past.days[row], truth)]
    return {name: stacked(parts) for name, parts in tables.items()}


def chain_snapshots(plan: MarketPlan, past: History, day: date, name: str) -> Columns:
    """What day_tables gives of one underlying's chains, made alone."""
    row = [one.date for one in past.days].index(day)
    halt = halt_of(past, row)
    minutes = _snapshot_minutes(plan, past, row, halt)
    one = _underlying(plan, past, row, name, halt, minutes)
    parts, _ = _shown_chains(past, row, one, minutes)
    return stacked(parts)


def _shown_chains(
    past: History, row: int, one: _Underlying, minutes: Integers
) -> tuple[list[Columns], list[Truth]]:
    """The snapshots of an underlying's chains as the feed shows them, and what is wrong."""
    day = past.days[row].date
    skew = clock_skew(past.seed, day, minutes)
    tick = contracts.tick(one.name).value
    parts: list[Columns] = []
    truth: list[Truth] = []
    for chain in one.chains:
        shown, found = dirty_chain(past.seed, day, one.name, chain, tick, flawed=past.mode.flawed)
        truth += found
        parts.append(feeds.chain_rows(past.seed, day, one.name, chain, shown, skew))
    return parts, truth


def _snapshot_minutes(plan: MarketPlan, past: History, row: int, halt: Halt | None) -> Integers:
    """The minutes, counted from the open, at whose ends there are snapshots."""
    day = past.days[row]
    gone = set(gap(past.seed, day.date, day.minutes))
    if halt is not None:
        gone |= set(range(halt.begins + 1, halt.ends))
    kept = [
        m for m in range(plan.cadence_minutes, day.minutes, plan.cadence_minutes) if m not in gone
    ]
    return np.array(kept, dtype=np.int64)


def _underlying(
    plan: MarketPlan,
    past: History,
    row: int,
    name: str,
    halt: Halt | None,
    minutes: Integers,
) -> _Underlying:
    day = past.days[row]
    all_listed = listed(name, day.date, day.open_us)
    flow = order_flow(past, name, row)
    pin = pin_of(past, name, row, tuple(one.expiry for one in all_listed))
    path = day_path(past, name, row, flow, halt, pin, _quiet_minute(day))
    chosen = chain_expiries(all_listed, plan.expiries)
    chains = tuple(_chains(past, row, name, chosen, flow, path, minutes))
    return _Underlying(name, all_listed, flow, path, pin, chains)


def _quiet_minute(day: TradingDay) -> int:
    quiet_us = calendar().spot_quiet_from_us(day.date, known_at_us=day.open_us)
    return sum(end <= quiet_us for end in day.minute_ends())


def _chains(
    past: History,
    row: int,
    name: str,
    chosen: Sequence[Listed],
    flow: OrderFlow,
    path: DayPath,
    minutes: Integers,
) -> list[Chain]:
    day = past.days[row]
    smile = day_smile(past, row)
    at = np.array([day.open_us, *day.minute_ends()], dtype=np.int64)[minutes]
    variance = _priced_variance(past, row, name, chosen[-1].expiry, minutes, path.panic[minutes])
    traded = _traded(flow, day.minutes)[minutes]
    chains = []
    for listing in chosen:
        alive = at < listing.expires_at_us
        if not alive.any():
            continue
        instants = Instants(
            minute=minutes[alive],
            at_us=at[alive],
            spot=100.0 * path.minute_ends[minutes][alive],
            published=100.0 * path.published_ends[minutes][alive],
            theta=theta_of(np.maximum(variance[listing.expiry][alive], 1e-9), smile),
            traded=traded[alive],
            stressed=bool(past.state.regime[row] == p.STRESS),
        )
        levels = 100.0 * np.exp(past.paths[name].opens[row])
        each = strikes(name, listing, day.date, float(levels))
        interest = _interest(past, row, name, listing, each)
        chains.append(
            make_chain(past.seed, day.date, name, listing, instants, smile, each, interest)
        )
    return chains


def day_smile(past: History, row: int) -> Smile:
    """The shape of the day's surface, the same for all expiries and all day."""
    return arbitrage_free_smile(float(past.state.skew[row]), past.mode.smile)


def _priced_variance(
    past: History, row: int, name: str, last: date, minutes: Integers, panic: Floats
) -> dict[date, Floats]:
    """What variance to the end of each day up to the last expiry costs at each snapshot."""
    day = past.days[row]
    coming = coming_minutes(day.date, last, day.open_us)
    fair = expected_variance(past, name, row, minutes, [length for _, length in coming])
    cost = fair * (_premium(past, row, minutes) * panic)[:, None]
    return {
        found: cost[:, column] for column, found in enumerate([day.date, *(d for d, _ in coming)])
    }


def _premium(past: History, row: int, minutes: Integers) -> Floats:
    """One plus the premium; within a day it breathes around the day's own."""
    breathing = past.mode.premium_breath
    if not breathing:
        return np.full(len(minutes), 1.0 + past.mode.premium_mean)
    kept = 0.5 ** (1.0 / _BREATH_HALF_LIFE_MINUTES)
    breath = Stream(past.seed, "premium/breath", past.days[row].date).normals(p.LONGEST_SESSION + 1)
    walk = np.empty(len(breath))
    now = 0.0
    for number, shock in enumerate(breath.tolist()):
        now = kept * now + np.sqrt(1.0 - kept * kept) * shock
        walk[number] = now
    whole: Floats = (1.0 + past.state.premium[row]) * np.exp(breathing * walk[minutes])
    return whole


def _traded(flow: OrderFlow, minutes: int) -> Floats:
    """The lots traded by the end of each minute over an ordinary day's, 0 at the open."""
    ordinary = p.EVENTS_A_DAY["NIFTY"] * p.LOTS_AN_EVENT["NIFTY"]
    return np.append(0.0, np.cumsum(minute_lots(flow, minutes))) / ordinary


def _interest(
    past: History, row: int, name: str, listing: Listed, each: Integers
) -> tuple[Floats, Floats]:
    """The open interest of an expiry's strikes at the last close and at this one."""
    step = contracts.strike_step(name).value
    closes = past.paths[name].closes[:, -1]
    found = []
    for on in (max(row - 1, 0), row):
        level = 100.0 * float(np.exp(closes[max(on - 1, 0)]))
        found.append(open_interest(past.seed, name, listing, past.days[on].date, each, step, level))
    return found[0], found[1]


def _vix(past: History, row: int, *, minutes: Integers) -> Floats:
    """The price of thirty days' variance as a volatility in percent a year, at each minute."""
    day = past.days[row]
    until = day.date + timedelta(days=_VIX_DAYS)
    coming = coming_minutes(day.date, until, day.open_us)
    fair = expected_variance(past, "NIFTY", row, minutes, [length for _, length in coming])[:, -1]
    return 100.0 * np.sqrt(fair * _premium(past, row, minutes) * 365.0 / _VIX_DAYS)


def _day_truth(
    past: History,
    row: int,
    underlyings: Sequence[_Underlying],
    halt: Halt | None,
    plan: MarketPlan,
    minutes: Integers,
) -> list[Truth]:
    day = past.days[row]
    span = day.open_us, day.close_us
    state = past.state
    told = {
        "regime": p.REGIMES[int(state.regime[row])],
        **{name: round(float(factor[row]), 6) for name, factor in state.factors.items()},
        "premium": round(float(state.premium[row]), 6),
        "skew": round(float(state.skew[row]), 6),
    }
    truth = [Truth("STATE", "", *span, json.dumps(told, sort_keys=True))]
    ends = [day.open_us, *day.minute_ends()]
    gone = gap(past.seed, day.date, day.minutes)
    if gone:
        truth.append(Truth("FEED_GAP", "", ends[gone[0]], ends[gone[-1]], ""))
    skew = clock_skew(past.seed, day.date, minutes)
    if skew.any():
        off = np.flatnonzero(skew)
        first, last = (ends[int(minutes[position])] for position in (off[0], off[-1]))
        truth.append(Truth("CLOCK_SKEW", "", first, last, f"{int(skew[off[0]])} us"))
    if halt is not None:
        truth.append(Truth("HALT", "", ends[halt.begins], ends[halt.ends], "index circuit, 10%"))
    truth += [
        Truth(
            "PIN",
            one.name,
            ends[-61],
            ends[-1],
            f"pull {one.pin.pull:.6f}",
            day.date,
            one.pin.strike_paise,
        )
        for one in underlyings
        if one.pin is not None and halt is None
    ]
    return truth


def _add_feeds(
    tables: dict[str, list[Columns]],
    truth: list[Truth],
    past: History,
    row: int,
    one: _Underlying,
    halt: Halt | None,
) -> None:
    spot, lost = feeds.spot_bars(past, row, one.name, one.path, halt)
    tables.setdefault("spot_bars", []).append(spot)
    truth += lost
    futures = [listing for listing in one.listed if listing.monthly][:2]
    for number, listing in enumerate(futures):
        bars, lost = feeds.future_bars(
            past, row, one.name, one.path, one.flow, listing, number, halt
        )
        tables.setdefault("future_bars", []).append(bars)
        truth += lost
        rows = end_of_day.future_rows(past, row, one.name, bars, listing, one.path)
        tables.setdefault("bhavcopy_futures", []).append(rows)
    prints, wrong = feeds.print_rows(past, row, one.name, one.path, one.flow, futures[0], halt)
    tables.setdefault("prints", []).append(prints)
    truth += wrong
    for chain in one.chains:
        rows = end_of_day.option_rows(past, row, one.name, chain, one.path)
        tables.setdefault("bhavcopy_options", []).append(rows)
    tables.setdefault("index_closes", []).append(
        end_of_day.index_rows(past, row, one.name, one.path)
    )
