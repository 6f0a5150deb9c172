"""Which contracts of a day are made, by the dated rules as known that morning."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trading.market import contracts
from trading.market.calendar import calendar
from trading.market.synthetic import parameters as p
from trading.market.synthetic.arrays import Integers

if TYPE_CHECKING:
    from datetime import date

    from trading.market.synthetic.arrays import Integers

_HORIZON_DAYS = 190


class Listed(NamedTuple):
    """One expiry of a day: when it stops trading (µs UTC), its lot in units, its place by date and
    whether it is a monthly.
    """

    expiry: date
    expires_at_us: int
    lot: int
    rank: int
    monthly: bool


def listed(name: str, day: date, known_at_us: int) -> tuple[Listed, ...]:
    """Every regular expiry of the coming months, ascending."""
    last = min(day + timedelta(days=_HORIZON_DAYS), calendar().last)
    dates = contracts.expiry_dates(name, day, last, known_at_us=known_at_us)
    return tuple(
        Listed(
            found.day,
            calendar().expires_at_us(found.day, known_at_us=known_at_us),
            contracts.lot_size(name, found.day, day, known_at_us=known_at_us),
            rank,
            found.cycle == "monthly",
        )
        for rank, found in enumerate(dates)
    )


def chain_expiries(all_listed: tuple[Listed, ...], count: int) -> tuple[Listed, ...]:
    """The two nearest expiries and the nearest monthlies beyond them."""
    nearest = all_listed[:2]
    monthlies = tuple(one for one in all_listed[2:] if one.monthly)
    return (*nearest, *monthlies)[:count]


def strikes(name: str, listing: Listed, day: date, level_paise: float) -> Integers:
    """The strikes of an expiry around a level, paise, ascending.

    All one step apart when it is near; of a far one the outer third four steps apart, on multiples
    of those, so that tomorrow's strikes are today's.
    """
    step = contracts.strike_step(name).value
    centre = round(level_paise / step) * step
    if (listing.expiry - day).days <= p.FAR_EXPIRY_DAYS:
        each = np.arange(-p.STRIKES_EACH_SIDE, p.STRIKES_EACH_SIDE + 1)
        return centre + step * each
    close = centre + step * np.arange(-p.CLOSE_STRIKES, p.CLOSE_STRIKES + 1)
    outer = np.arange(p.STRIKES_EACH_SIDE - p.CLOSE_STRIKES)
    wide = 4 * step
    below = -(-int(close[0]) // wide) * wide - wide * (outer[::-1] + 1)
    above = int(close[-1]) // wide * wide + wide * (outer + 1)
    return np.concatenate([below, close, above])
