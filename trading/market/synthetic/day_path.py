"""One day of one underlying, second by second: the process, the impact of its order flow, and what
is scripted for the day (a halt, a pinned expiry).

All of these leave the close where the process has it but for a pin, which the next night gives
back: so no day needs the order flow of the days before it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trading.market import contracts
from trading.market.synthetic import parameters as p
from trading.market.synthetic.order_flow import OrderFlow, minute_imbalance
from trading.market.synthetic.streams import Stream

if TYPE_CHECKING:
    from datetime import date

    from trading.market.synthetic.arrays import Floats
    from trading.market.synthetic.process import History

SCRIPTED_HALT = p.SCRIPTED_HALT_DAY
_HALT_FALL = 0.10
_FALL_MINUTES = 35
_HALT_EARLIEST, _HALT_SPREAD = 95, 60
_HALT_MINUTES, _AUCTION_MINUTES = 45, 15
_PIN_REACH, _PIN_STRENGTH, _PIN_CHANCE, _PIN_MINUTES = 0.003, 0.6, 0.5, 60
_BANK_FALL = 1.1
_PANIC = 3.0  # what a fall of the whole limit adds to the price of variance


class Halt(NamedTuple):
    """A halt of the whole market: it begins at the end of a minute and trading goes on at the end
    of another, both counted from the open.
    """

    begins: int
    ends: int


class Pin(NamedTuple):
    """An expiry whose close is drawn towards a strike: logarithmic strike and pull."""

    strike_paise: int
    pull: float


class DayPath(NamedTuple):
    """The price of one underlying in points: at the open, at each second's end (a row a minute).

    `published` is what the index shows of it: before a closing auction it stands still while
    futures and options move on. `panic` multiplies what variance costs, at each minute's end; its
    first value is the open's.
    """

    opens: float
    seconds: Floats
    published: Floats
    panic: Floats

    @property
    def minute_ends(self) -> Floats:
        """The price at the open and at the end of each minute."""
        return np.append(self.opens, self.seconds[:, -1])

    @property
    def published_ends(self) -> Floats:
        """The published index at the open and at the end of each minute."""
        return np.append(self.opens, self.published[:, -1])


def halt_of(history: History, row: int) -> Halt | None:
    """The halt of a day, None on nearly all."""
    day = history.days[row]
    if not history.mode.flawed or row == 0 or day.minutes < p.FULL_SESSION:
        return None
    chance, when = Stream(history.seed, "halt", day.date).uniforms(2).tolist()
    if day.date != SCRIPTED_HALT and chance >= p.HALTS_A_DAY:
        return None
    begins = _HALT_EARLIEST + int(when * _HALT_SPREAD)
    return Halt(begins, begins + _HALT_MINUTES + _AUCTION_MINUTES)


def pin_of(history: History, name: str, row: int, expiries: tuple[date, ...]) -> Pin | None:
    """The pin of an expiry day, None where there is none."""
    day = history.days[row]
    if not history.mode.flawed or day.date not in expiries:
        return None
    if Stream(history.seed, f"{name}/pin", day.date).uniforms(1)[0] >= _PIN_CHANCE:
        return None
    close = 100.0 * math.exp(history.paths[name].closes[row, -1])
    round_step = 2 * contracts.strike_step(name).value
    strike = round(close / round_step) * round_step
    distance = math.log(strike / close)
    return Pin(strike, _PIN_STRENGTH * distance) if abs(distance) <= _PIN_REACH else None


def day_path(
    history: History,
    name: str,
    row: int,
    flow: OrderFlow,
    halt: Halt | None,
    pin: Pin | None,
    quiet_minute: int,
) -> DayPath:
    """The path of one underlying on one day, whose index stands still from a minute on."""
    minutes = history.days[row].minutes
    paths = history.paths[name]
    deviation = history.deviation[row, :minutes] * p.VOLATILITY_RATIO[name]
    ends = np.append(paths.opens[row], paths.closes[row, :minutes])
    ends[1:] += np.cumsum(_impact(history, flow, deviation))
    panic = np.ones(minutes + 1)
    if halt is not None:
        fall = _fall(history, name, row, ends, halt)
        ends += fall
        panic += _PANIC * np.abs(fall) / _HALT_FALL
    elif pin is not None:
        start = max(minutes - _PIN_MINUTES, 0)
        ends[start:] += pin.pull * np.linspace(0.0, 1.0, minutes + 1 - start)
    seconds = _between(history, name, row, ends, deviation)
    if halt is not None:
        seconds[halt.begins : halt.ends] = seconds[halt.begins - 1, -1]
    prices = np.exp(seconds)
    published = prices.copy()
    published[quiet_minute:] = prices[quiet_minute - 1, -1]
    return DayPath(math.exp(ends[0]), prices, published, panic)


def _impact(history: History, flow: OrderFlow, deviation: Floats) -> Floats:
    """What each minute's order flow adds to its return; over the day it adds nothing."""
    pressed = history.mode.impact * deviation * minute_imbalance(flow, len(deviation))
    balance = np.cumsum(pressed)[-1] / np.cumsum(deviation)[-1]
    impact: Floats = pressed - deviation * balance
    return impact


def _fall(history: History, name: str, row: int, ends: Floats, halt: Halt) -> Floats:
    """A fall to the limit and back by the close, added to logarithmic prices."""
    nifty = history.paths["NIFTY"]
    limit = nifty.closes[row - 1, -1] + math.log(1.0 - _HALT_FALL)
    depth = limit - nifty.closes[row, halt.begins - 1]
    depth *= 1.0 if name == "NIFTY" else _BANK_FALL
    minute = np.arange(len(ends))
    down = np.clip((minute - (halt.begins - _FALL_MINUTES)) / _FALL_MINUTES, 0.0, 1.0)
    back = np.clip((minute - halt.ends) / (len(ends) - 1 - halt.ends), 0.0, 1.0)
    fall: Floats = depth * down * np.sqrt(down) * np.square(1.0 - back)
    return fall


def _between(history: History, name: str, row: int, ends: Floats, deviation: Floats) -> Floats:
    """Logarithmic prices at each second's end: Brownian bridges between the minutes' ends."""
    minutes = len(deviation)
    stream = Stream(history.seed, f"{name}/seconds", history.days[row].date)
    walk = np.cumsum(stream.normals(60 * minutes).reshape(minutes, 60), axis=1)
    share = np.arange(1, 61) / 60.0
    bridge = (walk - walk[:, -1:] * share) * (deviation[:, None] / math.sqrt(60.0))
    seconds = ends[:-1, None] + (ends[1:] - ends[:-1])[:, None] * share + bridge
    seconds[:, -1] = ends[1:]
    return seconds
