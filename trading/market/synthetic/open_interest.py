"""Open interest: lognormal by strike, humps at round strikes and at puts below the money, building
up as an expiry comes near and rolled down in its last days.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from trading.market.synthetic.streams import normals

if TYPE_CHECKING:
    from datetime import date

    from trading.market.synthetic.arrays import Floats, Integers
    from trading.market.synthetic.listing import Listed

_STRIKES = 2_500
_UNITS = {"NIFTY": 2_400_000.0, "BANKNIFTY": 600_000.0}  # at the money of the nearest expiry
_STRIKE_DEVIATION, _DAY_DEVIATION = 0.45, 0.12


@functools.lru_cache(maxsize=64)
def _strike_normals(seed: int, name: str, expiry: date) -> Floats:
    return normals(seed, f"{name}/{expiry}/interest", expiry, 2 * _STRIKES).reshape(2, -1)


def open_interest(
    seed: int, name: str, listing: Listed, day: date, strikes: Integers, step: int, level: float
) -> Floats:
    """The open interest of calls and puts at the end of a day, in contracts as of that day's lots.

    `level` is the underlying's, in the strikes' unit. Shape (2, strikes).
    """
    number = strikes // step % _STRIKES
    lasting = _strike_normals(seed, name, listing.expiry)[:, number]
    daily = normals(seed, f"{name}/{listing.expiry}/interest of the day", day, 2 * _STRIKES)
    noise = _STRIKE_DEVIATION * lasting + _DAY_DEVIATION * daily.reshape(2, -1)[:, number]
    away = np.log(strikes / level) / 0.02
    calls = np.exp(-0.5 * np.square((away - 0.8) / 1.3)) + 0.05 * np.exp(-np.abs(away) / 4.0)
    puts = np.exp(-0.5 * np.square((away + 1.1) / 1.5)) + 0.05 * np.exp(-np.abs(away) / 4.0)
    round_strike = 1.0 + 1.2 * (strikes % (10 * step) == 0) + 0.5 * (strikes % (2 * step) == 0)
    units = _UNITS[name] * _age_factor((listing.expiry - day).days, monthly=listing.monthly)
    lots: Floats = units * np.stack([calls, puts]) * round_strike * np.exp(noise) / listing.lot
    return np.floor(lots)


def _age_factor(days: int, *, monthly: bool) -> float:
    """How built up an expiry is so many days before its end."""
    built = float(np.exp(-days / (18.0 if monthly else 5.0)))
    rolled = {0: 0.45, 1: 0.7, 2: 0.9}.get(days, 1.0)
    return (1.6 if monthly else 1.0) * (0.04 + built) * rolled
