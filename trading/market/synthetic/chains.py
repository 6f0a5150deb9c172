"""Option chains of one underlying and expiry over a day: fair prices on the surface, quotes rounded
outward around them.

Prices are undiscounted Black-76 on the forward, as the engine's are. Every bid is at or
below the fair price and every ask at or above it, so no trade at quotes is an arbitrage.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trading.market import contracts
from trading.market.synthetic import parameters as p
from trading.market.synthetic.normal import normal_density, normal_distribution
from trading.market.synthetic.process import YEAR_US
from trading.market.synthetic.streams import Stream
from trading.market.synthetic.surface import Smile, total_variance

if TYPE_CHECKING:
    from datetime import date

    from trading.market.synthetic.arrays import Floats, Integers
    from trading.market.synthetic.listing import Listed

_DAY_CONTRACTS = {"NIFTY": 900_000.0, "BANKNIFTY": 150_000.0}  # at the money, nearest expiry
_VOLUME_BY_RANK = (1.0, 0.12, 0.05, 0.02)
_TYPICAL_DEVIATION, _MOST_GAMMA = 0.012, 4.0
_STRESSED = 2.0


class Instants(NamedTuple):
    """The instants of the snapshots of a day: minutes since the open, µs UTC, the price and the
    published index in paise, the expiry's at-the-money variance, and the day's trading so far.
    """

    minute: Integers
    at_us: Integers
    spot: Floats
    published: Floats
    theta: Floats
    traded: Floats
    stressed: bool


class Chain(NamedTuple):
    """A chain before it is written: arrays of instants by strikes, by sides where there are two.
    Fair prices in paise, a missing quote -1. `day_interest` is the open interest at the last close
    and at this one, sides by strikes.
    """

    listing: Listed
    instants: Instants
    strikes: Integers
    forward: Floats
    fair: Floats
    score: Floats
    bid: Integers
    ask: Integers
    interest: Integers
    volume: Integers
    day_interest: tuple[Floats, Floats]


def fair_prices(
    forward: Floats, strikes: Integers, theta: Floats, smile: Smile
) -> tuple[Floats, Floats, Floats]:
    """Calls and puts (sides first), the density at d1, and log-moneyness in deviations."""
    money = forward[:, None]
    strike = strikes[None, :].astype(np.float64)
    moneyness = np.log(strike / money)
    deviation = np.sqrt(total_variance(moneyness, theta[:, None], smile))
    d1 = -moneyness / deviation + 0.5 * deviation
    above = np.where(strike >= money, 1.0, -1.0)  # the side out of the money: a call above
    outside = above * (
        money * normal_distribution(above * d1)
        - strike * normal_distribution(above * (d1 - deviation))
    )
    outside = np.maximum(outside, 0.0)
    inside = outside + np.abs(money - strike)
    calls = np.where(above > 0, outside, inside)
    puts = np.where(above > 0, inside, outside)
    return np.stack([calls, puts]), normal_density(d1), moneyness / deviation


def make_chain(
    seed: int,
    day: date,
    name: str,
    listing: Listed,
    instants: Instants,
    smile: Smile,
    strikes: Integers,
    interest: tuple[Floats, Floats],
) -> Chain:
    """The chain of one expiry; `interest` is what is open at the last close and at this one."""
    years = (listing.expires_at_us - instants.at_us) / YEAR_US
    forward = instants.spot * np.exp(p.CARRY * years)
    fair, density, score = fair_prices(forward, strikes, instants.theta, smile)
    tick = contracts.tick(name).value
    stress = _STRESSED if instants.stressed else 1.0
    vega = forward[:, None] * density * np.sqrt(years)[:, None]
    half = np.maximum(tick, 0.004 * fair + (0.0015 * stress) * vega[None])
    bid = np.floor((fair - half) / tick).astype(np.int64) * tick
    ask = np.ceil((fair + half) / tick).astype(np.int64) * tick
    return Chain(
        listing,
        instants,
        strikes,
        forward,
        fair,
        score,
        np.where(bid > 0, bid, -1),
        ask,
        _interest(instants, interest),
        _volume(seed, day, name, listing, instants, density, score),
        interest,
    )


def _interest(instants: Instants, interest: tuple[Floats, Floats]) -> Integers:
    """From the last close's to this one's, published every three minutes."""
    before, after = interest
    share = (instants.minute // 3 * 3) / max(float(instants.minute[-1]), 1.0)
    moved = before[:, None, :] + (after - before)[:, None, :] * share[None, :, None]
    return np.floor(moved).astype(np.int64)


def _volume(
    seed: int,
    day: date,
    name: str,
    listing: Listed,
    instants: Instants,
    density: Floats,
    score: Floats,
) -> Integers:
    """Contracts traded since the open: as trading goes on, in proportion to gamma."""
    rank = min(listing.rank, len(_VOLUME_BY_RANK) - 1)
    contracts_a_day = _DAY_CONTRACTS[name] * _VOLUME_BY_RANK[rank]
    deviation = np.sqrt(instants.theta)[:, None]
    gamma = np.minimum(density * _TYPICAL_DEVIATION / deviation, _MOST_GAMMA)
    done = np.diff(instants.traded, prepend=0.0)[:, None]
    lopsided = np.stack([np.where(score > 0, 1.3, 0.5), np.where(score < 0, 1.3, 0.5)])
    stream = Stream(seed, f"{name}/{listing.expiry}/volume", day)
    liked = np.exp(0.3 * stream.normals(2 * score.shape[1]).reshape(2, 1, -1))
    traded: Floats = contracts_a_day * gamma[None] * done[None] * lopsided * liked
    return np.floor(np.cumsum(traded, axis=1)).astype(np.int64)
