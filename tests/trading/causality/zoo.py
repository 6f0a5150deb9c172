"""A zoo of functions over made-up tables: leaky ones, each in its own way, and clean ones."""

from __future__ import annotations

import math
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from trading.causality.answers import Answer
from trading.causality.cuts import Session, find_cuts
from trading.causality.tables import Column, Table, Tables
from trading.market.calendar import session_hours
from trading.market.ist import ist_date

if TYPE_CHECKING:
    from collections.abc import Callable

DAYS = (date(2026, 2, 25), date(2026, 2, 26), date(2026, 2, 27))
BAR_US = 300_000_000
BARS = 75
HALTED = range(30, 39)  # bars of the second day that never came
UNQUOTED = range(40, 53)  # bars of the first day without a close
WINDOW = 10
DAY_US = 86_400_000_000


def _open_us(day: date) -> int:
    return session_hours(day).open_us


def sessions() -> tuple[Session, ...]:
    """The three sessions; contracts expire on the last."""
    return tuple(
        Session(session_hours(day).open_us, session_hours(day).close_us, day == DAYS[-1])
        for day in DAYS
    )


def make_tables(seed: int = 11) -> dict[str, Table]:
    """Bars with a gap of rows and a gap of values, open interest of the day before, notices of
    closures, listings of contracts, and charges.
    """
    random = np.random.default_rng(seed)
    ends = [
        _open_us(day) + (bar + 1) * BAR_US
        for number, day in enumerate(DAYS)
        for bar in range(BARS)
        if not (number == 1 and bar in HALTED)
    ]
    at = np.array(ends, dtype=np.int64)
    close = 25_000.0 + np.cumsum(random.normal(0, 12, len(at)))
    close[list(UNQUOTED)] = np.nan
    bars = Table(
        {
            "as_of": at,
            "available_at": at,
            "close": close,
            "volume": random.integers(1_000, 90_000, len(at)).astype(np.float64),
            "trades": random.integers(10, 900, len(at)),
            "regime": random.integers(0, 4, len(at)),
        },
        labels=("regime",),
    )
    closes = np.array([session_hours(day).close_us for day in DAYS], dtype=np.int64)
    interest = Table(
        {
            "as_of": np.concatenate([[closes[0] - DAY_US], closes]),
            "available_at": np.concatenate(
                [[_open_us(day) - 900_000_000 for day in DAYS], [closes[-1] + DAY_US]]
            ).astype(np.int64),
            "open_interest": random.integers(10**5, 10**6, 4),
        }
    )
    announced = np.array(
        [_open_us(DAYS[0]) - DAY_US, _open_us(DAYS[1]) + 20 * BAR_US], dtype=np.int64
    )
    notices = Table(
        {
            "as_of": announced,
            "available_at": announced,
            "closed_day": np.array([20_515, 20_516], dtype=np.int64),
        }
    )
    listed = at[:: len(at) // 12]
    listings = Table(
        {
            "as_of": listed,
            "available_at": listed,
            "expiry": 20_520 + 7 * (np.arange(len(listed)) // 4),
            "strike": 25_000 + 50 * (np.arange(len(listed)) % 4),
            "volume": random.integers(100, 10_000, len(listed)),
        },
        contract=("expiry", "strike"),
    )
    rates = Table(
        {
            "as_of": np.array([at[0], at[100], at[180]]),
            "available_at": np.array([at[0] - DAY_US, at[90], at[170]]),
            "rate": np.array([0.001, 0.0015, 0.002]),
        }
    )
    return {
        "bars": bars,
        "interest": interest,
        "notices": notices,
        "listings": listings,
        "rates": rates,
    }


CUTS = find_cuts(
    make_tables()["bars"],
    warm_up=WINDOW,
    sessions=sessions(),
    halts=[(_open_us(DAYS[1]) + 30 * BAR_US, _open_us(DAYS[1]) + 39 * BAR_US)],
    seed=5,
)


def _answer(tables: Tables, value: Column) -> Answer:
    return Answer(tables["bars"].available_at, {"value": value})


def _filled(close: Column) -> Column:
    """The last close known at each bar."""
    rows = np.maximum.accumulate(np.where(np.isnan(close), 0, np.arange(len(close))))
    return close[rows]


def _trailing(values: Column, window: int) -> Column:
    """The mean of the last `window` values, from the first full window on."""
    found = np.full(len(values), np.nan)
    if len(values) >= window:
        found[window - 1 :] = np.mean(sliding_window_view(values, window), axis=-1)
    return found


# --- leaky ----------------------------------------------------------------------------------------


def full_sample_z(tables: Tables) -> Answer:
    volume = tables["bars"]["volume"]
    return _answer(tables, (volume - volume.mean()) / volume.std())


def full_sample_rank(tables: Tables) -> Answer:
    volume = tables["bars"]["volume"]
    rank = np.searchsorted(np.sort(volume), volume).astype(np.float64)
    return _answer(tables, rank / len(volume))


def full_sample_maximum(tables: Tables) -> Answer:
    volume = tables["bars"]["volume"]
    return _answer(tables, volume / volume.max())


def full_sample_quantile(tables: Tables) -> Answer:
    volume = tables["bars"]["volume"]
    return _answer(tables, (volume > np.quantile(volume, 0.9)).astype(np.float64))


def regression_on_everything(tables: Tables) -> Answer:
    close = _filled(tables["bars"]["close"])
    time = np.arange(len(close), dtype=np.float64)
    slope = float(np.cov(time, close)[0, 1] / np.var(time))
    return _answer(tables, close - slope * time)


def centred_mean(tables: Tables) -> Answer:
    close = _filled(tables["bars"]["close"])
    padded = np.concatenate([close[:2], close, close[-2:]])
    return _answer(tables, np.mean(sliding_window_view(padded, 5), axis=-1))


def next_return(tables: Tables) -> Answer:
    close = _filled(tables["bars"]["close"])
    return _answer(tables, np.append(np.diff(close), 0.0))


def filled_from_behind(tables: Tables) -> Answer:
    close = tables["bars"]["close"]
    return _answer(tables, _filled(close[::-1])[::-1])


def interpolated(tables: Tables) -> Answer:
    bars = tables["bars"]
    good = ~np.isnan(bars["close"])
    if not good.any():
        return _answer(tables, np.zeros(len(bars)))
    return _answer(tables, np.interp(bars["as_of"], bars["as_of"][good], bars["close"][good]))


def session_normalised(tables: Tables) -> Answer:
    """Each close over the last close of its own day."""
    bars = tables["bars"]
    close = _filled(bars["close"])
    days = np.array([ist_date(at).toordinal() for at in bars["as_of"].tolist()])
    last = {day: close[days == day][-1] for day in sorted(set(days.tolist()))}
    return _answer(tables, close / np.array([last[day] for day in days.tolist()]))


def smoothed_both_ways(tables: Tables) -> Answer:
    close = _filled(tables["bars"]["close"])
    forwards = _decayed(close)
    return _answer(tables, _decayed(forwards[::-1])[::-1])


def _decayed(values: Column) -> Column:
    found, level = np.empty(len(values)), float(values[0])
    for row, value in enumerate(values.tolist()):
        level += 0.1 * (value - level)
        found[row] = level
    return found


def window_by_length(tables: Tables) -> Answer:
    """A trailing mean whose window is a share of the whole sample."""
    volume = tables["bars"]["volume"]
    return _answer(tables, _trailing(volume, max(2, len(volume) // 12)))


def last_bars_held_back(tables: Tables) -> Answer:
    """Clean numbers, but the last five instants are left out as unfinished."""
    bars = tables["bars"]
    return Answer(bars.available_at[:-5], {"value": _trailing(bars["volume"], WINDOW)[:-5]})


def interest_of_the_same_day(tables: Tables) -> Answer:
    """Open interest joined on the day it is about, though it comes out the next morning."""
    bars, interest = tables["bars"], tables["interest"]
    days = interest["as_of"] // DAY_US
    found = np.full(len(bars), np.nan)
    for row, at in enumerate(bars["as_of"].tolist()):
        same = np.flatnonzero(days == at // DAY_US)
        if same.size:
            found[row] = interest["open_interest"][same[-1]]
    return _answer(tables, found)


def latest_revision(tables: Tables) -> Answer:
    """The last row of each instant, also where it was revised long after."""
    bars = tables["bars"]
    last = dict(zip(bars["as_of"].tolist(), bars["volume"].tolist(), strict=True))
    first, index = np.unique(bars["as_of"], return_index=True)
    values = np.array([last[at] for at in first.tolist()])
    known = bars["as_of"][index] >= bars.available_at[index]
    return Answer(first[known], {"value": values[known]})


def calendar_of_today(tables: Tables) -> Answer:
    """Market days to the end of the month, by every closure ever announced."""
    bars, closed = tables["bars"], set(tables["notices"]["closed_day"].tolist())
    days = [int(at // DAY_US) for at in bars["as_of"].tolist()]
    left = [sum(day not in closed for day in range(now + 1, 20_520)) for now in days]
    return _answer(tables, np.array(left, dtype=np.float64))


def busiest_strike_ever(tables: Tables) -> Answer:
    """The strike that trades most, over all that will be listed."""
    listings = tables["listings"]
    if not len(listings):
        return _answer(tables, np.full(len(tables["bars"]), np.nan))
    busiest = listings["strike"][int(np.argmax(listings["volume"]))]
    return _answer(tables, np.full(len(tables["bars"]), float(busiest)))


def farthest_expiry(tables: Tables) -> Answer:
    """Counts expiries that are not listed yet."""
    listed = len(set(tables["listings"]["expiry"].tolist()))
    return _answer(tables, np.full(len(tables["bars"]), float(listed)))


def regime_share(tables: Tables) -> Answer:
    """How common each bar's regime is in the whole sample."""
    regime = tables["bars"]["regime"]
    values, counts = np.unique(regime, return_counts=True)
    share = dict(zip(values.tolist(), (counts / len(regime)).tolist(), strict=True))
    return _answer(tables, np.array([share[label] for label in regime.tolist()]))


def rate_of_today(tables: Tables) -> Answer:
    """Every bar charged at the latest rate there is."""
    bars, rates = tables["bars"], tables["rates"]
    rate = float(rates["rate"][-1]) if len(rates) else math.nan
    return _answer(tables, bars["volume"] * rate)


def type_of_everything(tables: Tables) -> Answer:
    """Whole numbers where no volume is missing anywhere, else floats."""
    volume = tables["bars"]["volume"]
    if np.isnan(volume).any():
        return _answer(tables, volume)
    return _answer(tables, np.clip(volume, -(2.0**62), 2.0**62).astype(np.int64))


_REMEMBERED: dict[int, float] = {}


def remembered_mean(tables: Tables) -> Answer:
    """The mean of the whole sample, kept by the instant it was first asked for."""
    bars = tables["bars"]
    mean = float(bars["volume"].mean())
    return _answer(
        tables, np.array([_REMEMBERED.setdefault(at, mean) for at in bars["as_of"].tolist()])
    )


def forget() -> None:
    _REMEMBERED.clear()


LEAKY: tuple[Callable[[Tables], Answer], ...] = (
    full_sample_z,
    full_sample_rank,
    full_sample_maximum,
    full_sample_quantile,
    regression_on_everything,
    centred_mean,
    next_return,
    filled_from_behind,
    interpolated,
    session_normalised,
    smoothed_both_ways,
    window_by_length,
    last_bars_held_back,
    interest_of_the_same_day,
    latest_revision,
    calendar_of_today,
    busiest_strike_ever,
    farthest_expiry,
    regime_share,
    rate_of_today,
    type_of_everything,
    remembered_mean,
)


# --- clean ----------------------------------------------------------------------------------------


def trailing_mean(tables: Tables) -> Answer:
    return _answer(tables, _trailing(tables["bars"]["volume"], WINDOW))


def decaying_mean(tables: Tables) -> Answer:
    return _answer(tables, _decayed(tables["bars"]["volume"]))


def rank_so_far(tables: Tables) -> Answer:
    volume = tables["bars"]["volume"]
    below = volume[np.newaxis, :] < volume[:, np.newaxis]
    rank = np.tril(below).sum(axis=1) / np.arange(1, len(volume) + 1)
    return _answer(tables, rank)


def filled_forwards(tables: Tables) -> Answer:
    return _answer(tables, _filled(tables["bars"]["close"]))


def regime_run(tables: Tables) -> Answer:
    """For how many bars the regime has been what it is; None before there are ten."""
    regime = tables["bars"]["regime"].tolist()
    found: list[int | None] = []
    run = 0
    for row, label in enumerate(regime):
        run = run + 1 if row and regime[row - 1] == label else 1
        found.append(run if row >= WINDOW else None)
    column = np.empty(len(found), dtype=object)
    column[:] = found
    return _answer(tables, column)


def interest_as_known(tables: Tables) -> Answer:
    """The last open interest published by each bar."""
    bars, interest = tables["bars"], tables["interest"]
    rows = np.searchsorted(interest.available_at, bars.available_at, side="right") - 1
    found = np.full(len(bars), np.nan)
    found[rows >= 0] = interest["open_interest"][rows[rows >= 0]]
    return _answer(tables, found)


def calendar_as_known(tables: Tables) -> Answer:
    """Market days to the end of the month, by the closures announced by each bar."""
    bars, notices = tables["bars"], tables["notices"]
    left = np.maximum(20_520 - bars.available_at // DAY_US - 1, 0)
    for closed_day in sorted(set(notices["closed_day"].tolist())):
        known = notices.available_at[notices["closed_day"] == closed_day][0]
        ahead = (closed_day > bars.available_at // DAY_US) & (closed_day < 20_520)
        left -= ahead & (known <= bars.available_at)
    return _answer(tables, left.astype(np.float64))


def expiries_listed_so_far(tables: Tables) -> Answer:
    bars, listings = tables["bars"], tables["listings"]
    _, first = np.unique(listings["expiry"], return_index=True)
    begun = np.sort(listings.available_at[first])
    return _answer(tables, np.searchsorted(begun, bars.available_at, side="right"))


CLEAN: tuple[Callable[[Tables], Answer], ...] = (
    trailing_mean,
    decaying_mean,
    rank_so_far,
    filled_forwards,
    regime_run,
    interest_as_known,
    calendar_as_known,
    expiries_listed_so_far,
)
