"""The underlyings: regimes, volatility and returns of every minute since the first day.

A day's random numbers are its own; what carries over (regime, slow and fast volatility, premium,
skew, levels) is reached from FIRST_DAY by one cheap pass over all days before, so any process can
make any day alone and gets the same bits. Nothing of a day depends on a later one.

Logarithmic volatility is the regime's plus three Ornstein-Uhlenbeck factors: slow and fast ones
that move once a day and one that moves each minute, all pushed by the return shock (leverage). The
part that moves once a day has a ceiling, so that no few days decide what years look like. In a
rough market the fast and the minute factor are rough processes (trading.market.synthetic.rough).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trading.market.synthetic import parameters as p
from trading.market.synthetic import rough
from trading.market.synthetic.normal import inverse_normal
from trading.market.synthetic.streams import Stream, uniforms

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from trading.market.synthetic.arrays import Floats, Integers
    from trading.market.synthetic.modes import Mode
    from trading.market.synthetic.sessions import TradingDay

YEAR_US = 365 * 86_400 * 1_000_000
_DAY_DRAWS = 8
_MANY_DAYS = 500
_JUMP_RATIO = {"NIFTY": 1.0, "BANKNIFTY": 1.2}


class DailyState(NamedTuple):
    """What is true of each day from its open on: one value a day.

    `factors` are the parts of logarithmic volatility by name, slow and fast or slow and rough;
    `volatility` is their sum less what makes its exponential's square worth one. `premium` is a
    fraction of variance, `skew` the correlation of the surface. `steps` are a rough market's daily
    noise.
    """

    regime: Integers
    factors: dict[str, Floats]
    volatility: Floats
    premium: Floats
    skew: Floats
    steps: rough.Steps | None


class Paths(NamedTuple):
    """The logarithmic prices of one underlying: at each open, and at each minute's end (a row a
    day; the minutes beyond a day's session repeat its close).
    """

    opens: Floats
    closes: Floats


class History(NamedTuple):
    """Every day from the first on. Rows are days, columns minutes up to LONGEST_SESSION.

    `intraday` is the minute factor at each minute's start, `deviation` NIFTY's deviation of each
    minute (0 beyond the session), `shocks` the market's shock of each minute, `night_shocks` that
    of the night before each day, `steps` a rough market's noise of each minute.
    """

    seed: int
    mode: Mode
    days: tuple[TradingDay, ...]
    state: DailyState
    intraday: Floats
    deviation: Floats
    shocks: Floats
    night_shocks: Floats
    paths: dict[str, Paths]
    steps: rough.Steps | None


class _Draws(NamedTuple):
    daily: Floats  # normals, a row a day
    chances: Floats  # uniforms, a row a day
    shocks: dict[str, Floats]  # normals, a row a day
    wander: Floats  # normals, a row a day
    rests: Floats | None  # normals of a rough market, a row a day: the day's, then its minutes'


def persistence(half_life: float) -> float:
    """What remains of an Ornstein-Uhlenbeck factor after one step."""
    return float(0.5 ** (1.0 / half_life))


def u_shape(minutes: int) -> Floats:
    """The deviation of each minute of a session, relative to no particular level."""
    minute = np.arange(minutes) + 0.5
    shape: Floats = 0.62 + 1.9 * np.exp(-minute / 22.0) + 0.75 * np.exp(-(minutes - minute) / 35.0)
    return shape


FULL_SHAPE = float(np.cumsum(np.square(u_shape(p.FULL_SESSION)))[-1])
SLOW_KEPT = persistence(p.SLOW_HALF_LIFE_DAYS)
FAST_KEPT = persistence(p.FAST_HALF_LIFE_DAYS)
SLOW_PUSH = p.SLOW_DEVIATION * math.sqrt(1.0 - SLOW_KEPT**2)
FAST_PUSH = p.FAST_DEVIATION * math.sqrt(1.0 - FAST_KEPT**2)
# The slow and the fast factor share the leverage shock.
FACTOR_COVARIANCE = p.LEVERAGE**2 * SLOW_PUSH * FAST_PUSH / (1.0 - SLOW_KEPT * FAST_KEPT)
FACTOR_VARIANCE = p.SLOW_DEVIATION**2 + p.FAST_DEVIATION**2 + 2.0 * FACTOR_COVARIANCE
INTRADAY_KEPT = persistence(p.INTRADAY_HALF_LIFE_MINUTES)
BASE_DAY_VARIANCE = p.BASE_VOLATILITY**2 / p.YEAR_DAYS
_UNLEVERED = math.sqrt(1.0 - p.LEVERAGE**2)


def history(seed: int, mode: Mode, days: Sequence[TradingDay]) -> History:
    """The market of a seed over consecutive market days, the first of them its beginning."""
    draws = _draw(seed, mode, days)
    night_shocks = _night_shocks(draws)
    minutes = np.array([day.minutes for day in days])
    market_shocks = draws.shocks["NIFTY"]
    day_shocks = np.cumsum(market_shocks, axis=1)[:, -1] / np.sqrt(minutes)
    state = _daily_state(seed, days[0].date, mode, draws, night_shocks, day_shocks)
    steps = _minute_steps(draws)
    intraday = _intraday(draws) if steps is None else rough.MINUTE_SCALE * rough.levels(steps)
    deviation = _deviations(days, state, intraday - minute_convexity(mode))
    paths = {}
    for name in p.UNDERLYINGS:
        own = draws.shocks[name]
        shocks = own if name == "NIFTY" else _correlated(market_shocks, own)
        night = (
            night_shocks
            if name == "NIFTY"
            else _correlated(night_shocks, np.ascontiguousarray(draws.daily[:, 6]))
        )
        paths[name] = _paths(name, mode, days, state, draws, deviation, shocks, night)
    return History(
        seed,
        mode,
        tuple(days),
        state,
        intraday,
        deviation,
        market_shocks,
        night_shocks,
        paths,
        steps,
    )


def level_factor(state: DailyState) -> Floats:
    """The day's volatility over the base one, by its regime and its factors."""
    regime = np.asarray(p.REGIME_VOLATILITY)[state.regime]
    level: Floats = np.minimum(regime * np.exp(state.volatility), p.MOST_VOLATILITY)
    return level


def minute_convexity(mode: Mode) -> Floats:
    """What is taken off the minute factor at each minute's start, so that its exponential's square
    is worth one.
    """
    if mode.rough:
        own: Floats = rough.MINUTE_SCALE**2 * rough.variances(p.LONGEST_SESSION)
        return own
    return np.full(p.LONGEST_SESSION, p.INTRADAY_DEVIATION**2)


def rough_convexity(count: int) -> Floats:
    """What is taken off the slow and the rough factor on each of the first days, so that their
    exponential's square is worth one.
    """
    memory = rough.variances(p.ROUGH_DAYS_BEFORE + count)[p.ROUGH_DAYS_BEFORE :]
    own: Floats = p.SLOW_DEVIATION**2 + rough.DAY_SCALE**2 * memory
    return own + 2.0 * slow_rough_covariance(count)


def slow_rough_covariance(count: int) -> Floats:
    """The covariance of the slow and the rough factor that none, one, two … days make: they share
    the leverage shock.
    """
    slow = SLOW_PUSH * SLOW_KEPT ** np.arange(count - 1)
    shared = np.cumsum(slow * rough.DAY_SCALE * rough.weights(count - 1))
    return p.LEVERAGE**2 * np.append(0.0, shared)


def _draw(seed: int, mode: Mode, days: Sequence[TradingDay]) -> _Draws:
    count = len(days)
    daily, chances = np.full((2, count, _DAY_DRAWS), 0.5)
    minute = {name: np.full((count, p.LONGEST_SESSION), 0.5) for name in (*p.UNDERLYINGS, "wander")}
    for row, day in enumerate(days):
        daily[row] = uniforms(seed, "day", day.date, _DAY_DRAWS)
        chances[row] = uniforms(seed, "chances", day.date, _DAY_DRAWS)
        for name, values in minute.items():
            values[row, : day.minutes] = uniforms(seed, f"{name}/minutes", day.date, day.minutes)
    return _Draws(
        inverse_normal(daily),
        chances,
        {name: inverse_normal(minute[name]) for name in p.UNDERLYINGS},
        inverse_normal(minute["wander"]),
        _rests(seed, days) if mode.rough else None,
    )


def _rests(seed: int, days: Sequence[TradingDay]) -> Floats:
    found = np.full((len(days), 1 + p.LONGEST_SESSION), 0.5)
    for row, day in enumerate(days):
        found[row, : 1 + day.minutes] = uniforms(seed, "rough", day.date, 1 + day.minutes)
    return inverse_normal(found)


def _night_shocks(draws: _Draws) -> Floats:
    """Shocks of unit variance whose size is drawn from two, so that large gaps happen."""
    wide = draws.chances[:, 1] < p.WIDE_NIGHT_CHANCE
    return draws.daily[:, 2] * np.where(wide, p.WIDE_NIGHT_SCALE, _narrow_night())


def _narrow_night() -> float:
    wide = p.WIDE_NIGHT_CHANCE * p.WIDE_NIGHT_SCALE**2
    return math.sqrt((1.0 - wide) / (1.0 - p.WIDE_NIGHT_CHANCE))


def _correlated(market: Floats, own: Floats) -> Floats:
    return p.CORRELATION * market + math.sqrt(1.0 - p.CORRELATION**2) * own


def _daily_state(
    seed: int, first: date, mode: Mode, draws: _Draws, night: Floats, day: Floats
) -> DailyState:
    """Step the state from each day to the next."""
    count = len(day)
    market = math.sqrt(p.OVERNIGHT_SHARE) * night + math.sqrt(1.0 - p.OVERNIGHT_SHARE) * day
    regime = np.empty(count, dtype=np.int64)
    slow, fast, premium, skew = np.empty((4, count))
    transitions = np.cumsum(p.TRANSITIONS, axis=1).tolist()
    premium_kept = persistence(p.PREMIUM_HALF_LIFE_DAYS)
    skew_kept = persistence(p.SKEW_HALF_LIFE_DAYS)
    now = _beginning(seed, first)
    rows = zip(market.tolist(), draws.daily.tolist(), draws.chances.tolist(), strict=True)
    for row, (shock, own, chance) in enumerate(rows):
        regime[row] = now[0] = _next_regime(transitions[int(now[0])], chance[0])
        # The day's own premium and skew are new at its open; volatility follows the day before.
        now[3] = premium_kept * now[3] + math.sqrt(1 - premium_kept**2) * own[3]
        now[4] = skew_kept * now[4] + math.sqrt(1 - skew_kept**2) * own[4]
        slow[row], fast[row], premium[row], skew[row] = now[1:]
        now[1] = SLOW_KEPT * now[1] + SLOW_PUSH * (p.LEVERAGE * shock + _UNLEVERED * own[0])
        now[2] = FAST_KEPT * now[2] + FAST_PUSH * (p.LEVERAGE * shock + _UNLEVERED * own[1])
    in_stress = np.where(regime == p.STRESS, mode.premium_in_stress, 0.0)
    steps: rough.Steps | None = None
    factors, convexity = {"slow": slow, "fast": fast}, np.full(count, FACTOR_VARIANCE)
    if draws.rests is not None:
        moves = p.LEVERAGE * market + _UNLEVERED * draws.daily[:, 1]
        steps = rough.with_past(seed, first, moves, draws.rests[:, 0])
        remembered = rough.levels(steps)[p.ROUGH_DAYS_BEFORE :]
        factors = {"slow": slow, "rough": rough.DAY_SCALE * remembered}
        convexity = rough_convexity(count)
    return DailyState(
        regime,
        factors,
        np.add(*factors.values()) - convexity,
        np.maximum(mode.premium_mean + mode.premium_deviation * premium - in_stress, -0.8),
        np.clip(p.SKEW_MEAN + p.SKEW_DEVIATION * skew, *p.SKEW_LIMITS),
        steps,
    )


def _beginning(seed: int, first: date) -> list[float]:
    """The state before the first day, drawn from what it is in the long run: regime, slow and fast
    factor, premium, skew.
    """
    stream = Stream(seed, "beginning", first)
    shares = np.cumsum(_long_run_shares()).tolist()
    regime = _next_regime(shares, float(stream.uniforms(1)[0]))
    slow, fast, premium, skew = stream.normals(4).tolist()
    return [regime, p.SLOW_DEVIATION * slow, p.FAST_DEVIATION * fast, premium, skew]


def _long_run_shares() -> Floats:
    """How often each regime is, by many steps of its chain."""
    shares = np.full(len(p.REGIMES), 1.0 / len(p.REGIMES))
    for _ in range(_MANY_DAYS):
        shares = (shares[:, None] * np.asarray(p.TRANSITIONS)).sum(axis=0)
    return shares


def _next_regime(row: Sequence[float], chance: float) -> int:
    return sum(chance >= bound for bound in row[:-1])


def _minute_steps(draws: _Draws) -> rough.Steps | None:
    """The noise of each minute in a rough market."""
    if draws.rests is None:
        return None
    return rough.Steps(_pushes(draws), np.ascontiguousarray(draws.rests[:, 1:]))


def _pushes(draws: _Draws) -> Floats:
    """The noise of each minute's volatility, in part the return shock."""
    return p.LEVERAGE * draws.shocks["NIFTY"] + _UNLEVERED * draws.wander


def _intraday(draws: _Draws) -> Floats:
    """The minute factor at the start of each minute; each day begins anew."""
    pushed = p.INTRADAY_DEVIATION * math.sqrt(1.0 - INTRADAY_KEPT**2) * _pushes(draws)
    factor = np.empty_like(pushed)
    now = p.INTRADAY_DEVIATION * draws.daily[:, 5]
    for minute in range(p.LONGEST_SESSION):
        factor[:, minute] = now
        now = INTRADAY_KEPT * now + pushed[:, minute]
    return factor


def _deviations(days: Sequence[TradingDay], state: DailyState, within: Floats) -> Floats:
    """NIFTY's deviation of each minute, `within` the day's logarithmic one."""
    day_deviation = math.sqrt(BASE_DAY_VARIANCE * (1.0 - p.OVERNIGHT_SHARE) / FULL_SHAPE)
    deviation = np.exp(within)
    deviation *= (day_deviation * level_factor(state))[:, None]
    shapes = {day.minutes: _padded_shape(day.minutes) for day in days}
    for row, day in enumerate(days):
        deviation[row] *= shapes[day.minutes]
    return deviation


def _padded_shape(minutes: int) -> Floats:
    shape = np.zeros(p.LONGEST_SESSION)
    shape[:minutes] = u_shape(minutes)
    return shape


def _paths(
    name: str,
    mode: Mode,
    days: Sequence[TradingDay],
    state: DailyState,
    draws: _Draws,
    deviation: Floats,
    shocks: Floats,
    night_shocks: Floats,
) -> Paths:
    own_deviation = deviation * p.VOLATILITY_RATIO[name]
    night_deviation = (
        math.sqrt(BASE_DAY_VARIANCE * p.OVERNIGHT_SHARE)
        * p.VOLATILITY_RATIO[name]
        * level_factor(state)
    )
    memory = np.asarray(mode.minute_memory)[state.regime]
    returns = own_deviation * shocks
    if memory.any():
        for minute in range(1, p.LONGEST_SESSION):
            returns[:, minute] += memory * returns[:, minute - 1]
        returns[own_deviation == 0.0] = 0.0
    nights = night_deviation * night_shocks
    _add_jumps(name, days, draws, returns)
    _add_drift(name, mode, days, state, own_deviation, night_deviation, returns, nights)
    within = np.cumsum(returns, axis=1)
    nights[0] = math.log(p.FIRST_LEVEL[name])
    ends = np.cumsum(nights + within[:, -1])
    opens = ends - within[:, -1]
    return Paths(opens, opens[:, None] + within)


def _add_jumps(name: str, days: Sequence[TradingDay], draws: _Draws, returns: Floats) -> None:
    for row, day in enumerate(days):
        if draws.chances[row, 2] < p.JUMPS_A_DAY * day.minutes / p.FULL_SESSION:
            minute = int(draws.chances[row, 3] * day.minutes)
            size = p.JUMP_MEAN + p.JUMP_DEVIATION * draws.daily[row, 7]
            returns[row, minute] += _JUMP_RATIO[name] * size


def jump_variance(name: str) -> float:
    """The variance that jumps add to a full session, on average."""
    size = _JUMP_RATIO[name] ** 2 * (p.JUMP_MEAN**2 + p.JUMP_DEVIATION**2)
    return float(p.JUMPS_A_DAY * size)


def _add_drift(
    name: str,
    mode: Mode,
    days: Sequence[TradingDay],
    state: DailyState,
    deviation: Floats,
    night_deviation: Floats,
    returns: Floats,
    nights: Floats,
) -> None:
    minutes = np.array([day.minutes for day in days])
    inside = deviation > 0.0
    if mode.drift is not None:
        drift = np.asarray(mode.drift)[state.regime]
        nights += drift * p.OVERNIGHT_SHARE
        returns += np.where(inside, (drift * (1.0 - p.OVERNIGHT_SHARE) / minutes)[:, None], 0.0)
        return
    opens = np.array([day.open_us for day in days])
    closes = np.array([day.close_us for day in days])
    apart = np.append(0, opens[1:] - closes[:-1])
    # The logarithmic drift that makes the price a martingale at its carry.
    nights += p.CARRY * apart / YEAR_US - _night_convexity(night_deviation)
    size = _JUMP_RATIO[name]
    jump = math.expm1(size * p.JUMP_MEAN + 0.5 * (size * p.JUMP_DEVIATION) ** 2)
    steady = p.CARRY * 60e6 / YEAR_US - math.log1p(p.JUMPS_A_DAY * jump) / p.FULL_SESSION
    returns += np.where(inside, steady - 0.5 * np.square(deviation), 0.0)


def _night_convexity(deviation: Floats) -> Floats:
    wide = np.exp(0.5 * np.square(deviation * p.WIDE_NIGHT_SCALE))
    narrow = np.exp(0.5 * np.square(deviation * _narrow_night()))
    return np.log(p.WIDE_NIGHT_CHANCE * wide + (1.0 - p.WIDE_NIGHT_CHANCE) * narrow)
