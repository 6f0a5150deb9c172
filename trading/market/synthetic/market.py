"""A small synthetic option market, so that the whole loop runs where there is no recorded data.

One day of NIFTY and BANKNIFTY chains at one-minute cadence, a function of (seed, day) alone. What
it has: correlated index paths, an at-the-money volatility that wanders and reverts within the hour,
a term structure and a smile, Black-76 prices, quotes rounded outward to the tick, missing strikes
and one-sided quotes away from the money, and one gap a day longer than any sensible staleness
limit. What it does not have: news, jumps, impact, queues, a link from one day to the next. Days are
independent draws, and a profit made here means nothing.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trading.market import contracts
from trading.market.calendar import calendar
from trading.market.synthetic.streams import normals, uniforms
from trading.pricing.black import CALL, black_price, years_between

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

GENERATOR_VERSION = 1
MODE = "small"
SOURCE_NAME = "synthetic-market"
CADENCE_US = 60_000_000
RECEIPT_LAG_US = 2_000_000

_MINUTE_US = 60_000_000
_STRIKES_EACH_SIDE = 25
_CLEAN_STRIKES = 6  # so near the money nothing is ever missing
_GAP_MINUTES = 4  # frames left out, so five minutes pass between two
_GAP_FIRST, _GAP_LAST = 60, 120  # minutes after the open between which the gap begins
_TICK = 5  # paise
_CARRY = 0.06  # a year
_TRADING_MINUTES = 252 * 375
_HALF_LIFE_MINUTES = 20.0
_VOLATILITY_OF_LOG = 0.055  # stationary deviation of the logarithm of the at-the-money volatility
_LEVERAGE = -0.4
_INDEX_CORRELATION = 0.85
_LONG_VOLATILITY_RATIO = 1.15
_TERM_YEARS = 0.12
_SKEW, _CURVATURE = -0.05, 0.03
_NEVER = -1  # stands for a missing number until the columns are made


class _Index(NamedTuple):
    """What tells the two markets apart; the level in paise."""

    level: float
    volatility: float
    expiries: int
    depth: float  # quoted lots near the money


_INDICES = {
    "NIFTY": _Index(25_400_00.0, 0.115, 4, 40.0),
    "BANKNIFTY": _Index(60_500_00.0, 0.135, 3, 12.0),
}


class _Minute(NamedTuple):
    """One instant of an index: µs UTC, spot in paise, logarithm of volatility over its mean."""

    at_us: int
    number: int
    spot: float
    log_volatility: float


class _Contracts(NamedTuple):
    """One expiry of the day: its end, its strikes in paise, and the lot in units."""

    expiry: date
    expires_at: int
    strikes: list[int]
    lot: int


def parameters_digest(seed: int, day: date) -> str:
    """The digest that stands for a day's data: of everything the data is a function of."""
    parameters = {
        "generator": SOURCE_NAME,
        "generator_version": GENERATOR_VERSION,
        "mode": MODE,
        "seed": seed,
        "day": day.isoformat(),
    }
    return hashlib.sha256(json.dumps(parameters, sort_keys=True).encode()).hexdigest()


def day_columns(seed: int, day: date) -> Iterator[tuple[str, dict[str, Any]]]:
    """For each index its name and one day's rows as columns of the store (masked where missing).

    Raises CalendarError for a day that is not a market day or whose hours are not known.
    """
    shocks = _path_shocks(seed, day)
    for name, index in _INDICES.items():
        minutes = list(_path(seed, day, name, index, shocks))
        rows: dict[str, list[Any]] = {column: [] for column in _COLUMNS}
        for contract in _listed(day, name, index, minutes[0]):
            _quote(seed, day, name, index, contract, minutes, rows)
        yield name, _as_columns(rows)


_COLUMNS = (
    "as_of",
    "expiry",
    "strike_paise",
    "spot_paise",
    *(
        f"{side}_{field}"
        for side in ("call", "put")
        for field in (
            "bid_paise",
            "ask_paise",
            "bid_quantity",
            "ask_quantity",
            "last_paise",
            "oi_contracts",
            "volume_contracts",
        )
    ),
)


def _session_minutes(day: date) -> list[int]:
    """Each whole minute inside the day's trading intervals, their ends left out, µs UTC."""
    return [
        at
        for start, stop in calendar().session_hours(day).intervals
        for at in range(start + _MINUTE_US, stop, _MINUTE_US)
    ]


def _path_shocks(seed: int, day: date) -> list[float]:
    """The shocks both indices share."""
    return normals(seed, "common", day, len(_session_minutes(day)))


def _path(seed: int, day: date, name: str, index: _Index, common: list[float]) -> Iterator[_Minute]:
    """The day's instants, the scripted gap left out."""
    times = _session_minutes(day)
    own = normals(seed, f"{name}/return", day, len(times))
    wander = normals(seed, f"{name}/volatility", day, len(times) + 1)
    level = normals(seed, f"{name}/open", day, 1)[0]
    gap = _gap(seed, day, len(times))
    keep = 0.5 ** (1.0 / _HALF_LIFE_MINUTES)
    push = math.sqrt(1.0 - keep * keep) * _VOLATILITY_OF_LOG
    log_volatility = wander[-1] * _VOLATILITY_OF_LOG
    log_spot = math.log(index.level) + 0.01 * level
    apart = math.sqrt(1.0 - _INDEX_CORRELATION**2)
    unlevered = math.sqrt(1.0 - _LEVERAGE**2)
    for number, at in enumerate(times):
        shock = _INDEX_CORRELATION * common[number] + apart * own[number]
        deviation = index.volatility * math.exp(log_volatility) / math.sqrt(_TRADING_MINUTES)
        log_spot += deviation * shock
        pushed = _LEVERAGE * shock + unlevered * wander[number]
        log_volatility = keep * log_volatility + push * pushed
        if number not in gap:
            yield _Minute(at, number, math.exp(log_spot), log_volatility)


def _gap(seed: int, day: date, minutes: int) -> range:
    """The minutes without frames, the same for both indices."""
    if minutes <= _GAP_LAST + _GAP_MINUTES:
        return range(0)
    start = _GAP_FIRST + int(uniforms(seed, "gap", day, 1)[0] * (_GAP_LAST - _GAP_FIRST))
    return range(start, start + _GAP_MINUTES)


def _listed(day: date, name: str, index: _Index, first: _Minute) -> Iterator[_Contracts]:
    """The nearest expiries by the dated rules, with strikes around the day's first level."""
    known_at = first.at_us
    dates = contracts.expiries(name, day, calendar().last, known_at_us=known_at)
    step = contracts.strike_step(name).value
    for expiry in dates[: index.expiries]:
        expires_at = calendar().expires_at_us(expiry, known_at_us=known_at)
        forward = first.spot * math.exp(_CARRY * years_between(known_at, expires_at))
        centre = round(forward / step) * step
        offsets = range(-_STRIKES_EACH_SIDE, _STRIKES_EACH_SIDE + 1)
        yield _Contracts(
            expiry,
            expires_at,
            [centre + step * offset for offset in offsets],
            contracts.lot_size(name, expiry, day),
        )


def _quote(
    seed: int,
    day: date,
    name: str,
    index: _Index,
    contract: _Contracts,
    minutes: list[_Minute],
    rows: dict[str, list[Any]],
) -> None:
    """Append one expiry's rows for the whole day."""
    stream = f"{name}/{contract.expiry}"
    count = len(contract.strikes)
    interest = normals(seed, f"{stream}/interest", day, 2 * count)
    dirt = uniforms(seed, f"{stream}/dirt", day, len(minutes) * count)
    sizes = uniforms(seed, f"{stream}/sizes", day, len(minutes) * count * 4)
    draw = iter(zip(dirt, zip(*[iter(sizes)] * 4, strict=True), strict=True))
    for minute in minutes:
        if minute.at_us >= contract.expires_at:
            break
        years = years_between(minute.at_us, contract.expires_at)
        forward = minute.spot * math.exp(_CARRY * years)
        atm = _term_volatility(index.volatility, minute.log_volatility, years)
        deviation = atm * math.sqrt(years)
        for position, strike in enumerate(contract.strikes):
            dirtiness, size = next(draw)
            away = abs(position - _STRIKES_EACH_SIDE)
            missing = 0.0 if away <= _CLEAN_STRIKES else 0.002 * (away - _CLEAN_STRIKES)
            if dirtiness < missing:
                continue
            score = math.log(strike / forward) / deviation
            volatility = atm * _smile(score)
            call = black_price(forward, strike, years, volatility, CALL)
            values = (call, call - forward + strike)
            rows["as_of"].append(minute.at_us)
            rows["expiry"].append(contract.expiry)
            rows["strike_paise"].append(strike)
            rows["spot_paise"].append(round(minute.spot))
            one_sided = dirtiness < 2.5 * missing
            for side, value in enumerate(values):
                bulk = math.exp(-0.08 * score * score + 0.4 * interest[2 * position + side])
                _leg(
                    rows,
                    ("call", "put")[side],
                    value,
                    bulk,
                    index.depth * contract.lot,
                    contract.lot,
                    size[2 * side : 2 * side + 2],
                    minute.number,
                    one_sided=one_sided and (strike > forward) == (side == 0),
                )


def _term_volatility(mean: float, log_volatility: float, years: float) -> float:
    """At-the-money volatility of an expiry: the wander of the day fades out with time to expiry."""
    fade = -math.expm1(-years / _TERM_YEARS) / (years / _TERM_YEARS) if years > 0 else 1.0
    level = mean * (_LONG_VOLATILITY_RATIO + (1.0 - _LONG_VOLATILITY_RATIO) * fade)
    return level * math.exp(log_volatility * fade)


def _smile(score: float) -> float:
    """Volatility over the at-the-money one, by how many deviations the strike is away."""
    bounded = max(-4.0, min(4.0, score))
    return 1.0 + _SKEW * bounded + _CURVATURE * bounded * bounded


def _leg(
    rows: dict[str, list[Any]],
    side: str,
    value: float,
    bulk: float,
    depth: float,
    lot: int,
    size: tuple[float, ...],
    minute: int,
    *,
    one_sided: bool,
) -> None:
    """One option's columns; `value` and the half spread in paise, rounded outward to the tick."""
    half = 2.0 + 0.0004 * value
    bid = math.floor((value - half) / _TICK) * _TICK
    ask = math.ceil((value + half) / _TICK) * _TICK
    quoted = bid > 0 and not one_sided
    rows[f"{side}_bid_paise"].append(bid if quoted else _NEVER)
    rows[f"{side}_ask_paise"].append(ask)
    lots = [1 + int(depth * bulk * -math.log(u) / lot) for u in size]
    rows[f"{side}_bid_quantity"].append(lots[0] * lot if quoted else _NEVER)
    rows[f"{side}_ask_quantity"].append(lots[1] * lot)
    volume = int(900 * bulk * (minute + 1))
    open_interest = int(60_000 * bulk * (1 + 0.0004 * (minute // 3)))
    last = max(_TICK, round(value / _TICK) * _TICK)
    rows[f"{side}_last_paise"].append(last if volume else _NEVER)
    rows[f"{side}_oi_contracts"].append(open_interest or _NEVER)
    rows[f"{side}_volume_contracts"].append(volume or _NEVER)


def _as_columns(rows: dict[str, list[Any]]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name, values in rows.items():
        if name == "expiry":
            columns[name] = np.array(values, dtype="datetime64[us]")
        else:
            columns[name] = np.ma.masked_equal(np.array(values, dtype=np.int64), _NEVER)
    return columns
