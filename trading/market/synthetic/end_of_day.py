"""Rows published after the close, as the exchange does: each contract's day and the index's.

Open interest is what the market's is; prices of options are the fair ones at the snapshots, on the
tick. Known at 09:00 IST of the next market day.
"""

from __future__ import annotations

from datetime import time
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trading.market.calendar import calendar, instant_us
from trading.market.synthetic.tables import Columns, dates, nothing, stacked, texts

if TYPE_CHECKING:
    from trading.market.synthetic.arrays import Integers
    from trading.market.synthetic.chains import Chain
    from trading.market.synthetic.day_path import DayPath
    from trading.market.synthetic.listing import Listed
    from trading.market.synthetic.process import History
    from trading.market.synthetic.sessions import TradingDay

_TICK = 5
_PUBLISHED = time(9, 0)
_INDEX_NAMES = {"NIFTY": "Nifty 50", "BANKNIFTY": "Nifty Bank"}
_LAST_HALF_HOUR = 30
_LOTS_A_TRADE = 2


def published_us(day: TradingDay) -> int:
    """When a day's publications are known, µs UTC. Raises CalendarError at the calendar's end."""
    following = calendar().next_market_day(day.date, known_at_us=day.close_us)
    return instant_us(following, _PUBLISHED)


class _Day(NamedTuple):
    """What a contract did: open, high, low and close in paise, contracts traded, units open and
    their change.
    """

    prices: tuple[Integers, Integers, Integers, Integers]
    volume: Integers
    interest: Integers
    interest_change: Integers


def option_rows(past: History, row: int, name: str, chain: Chain, path: DayPath) -> Columns:
    """One row a contract of a chain."""
    prices = np.maximum(np.rint(chain.fair / _TICK).astype(np.int64) * _TICK, _TICK)
    before, after = (np.floor(interest).astype(np.int64) for interest in chain.day_interest)
    sides = []
    for side, right in enumerate(("CE", "PE")):
        each = prices[side]
        contract = {
            "strike_paise": chain.strikes,
            "right": texts(right, len(chain.strikes)),
            "instrument": texts("IDO", len(chain.strikes)),
        }
        day = _Day(
            (each[0], each.max(axis=0), each.min(axis=0), each[-1]),
            chain.volume[side][-1],
            after[side] * chain.listing.lot,
            (after[side] - before[side]) * chain.listing.lot,
        )
        sides.append(_rows(past.days[row], name, chain.listing, contract, day, path))
    return stacked(sides)


def future_rows(
    past: History, row: int, name: str, bars: Columns, listing: Listed, path: DayPath
) -> Columns:
    """The row of one future, from its bars, of which the last is the day's."""
    prices = tuple(bars[f"{what}_paise"][-1:] for what in ("open", "high", "low", "close"))
    interest = bars["open_interest"].astype(np.int64)
    day = _Day(
        (prices[0], prices[1], prices[2], prices[3]),
        bars["volume"][-1:] // listing.lot,
        interest[-1:],
        interest[-1:] - interest[:1],
    )
    contract = {"instrument": texts("IDF", 1)}
    return _rows(past.days[row], name, listing, contract, day, path)


def _rows(
    day: TradingDay,
    name: str,
    listing: Listed,
    contract: Columns,
    found: _Day,
    path: DayPath,
) -> Columns:
    opened, high, low, closes = found.prices
    count = len(closes)
    traded = found.volume > 0
    expires = listing.expiry == day.date
    settled = np.full(count, index_close(path))
    rows: Columns = {
        "as_of": np.full(count, day.close_us),
        "available_at": np.full(count, published_us(day)),
        "trade_date": dates(day.date, count),
        "underlying": texts(name, count),
        "expiry": dates(listing.expiry, count),
        **contract,
    }
    for label, values in (("open", opened), ("high", high), ("low", low), ("last", closes)):
        rows[f"{label}_paise"] = np.ma.masked_array(values, ~traded)
    return rows | {
        "close_paise": closes,
        "underlying_paise": settled,
        "settlement_paise": settled if expires else closes,
        "settles_index": np.full(count, expires),
        "open_interest": found.interest,
        "open_interest_change": found.interest_change,
        "volume_contracts": found.volume,
        "turnover_paise": found.volume * listing.lot * closes,
        "trades": -(-found.volume // _LOTS_A_TRADE),
        "lot_size": np.full(count, listing.lot),
    }


def index_rows(past: History, row: int, name: str, path: DayPath) -> Columns:
    """The official figures of the index."""
    day = past.days[row]
    seconds = np.rint(100.0 * path.published / _TICK) * _TICK
    opening = int(round(100.0 * path.opens / _TICK) * _TICK)
    return {
        "as_of": np.array([day.close_us]),
        "available_at": np.array([published_us(day)]),
        "trade_date": dates(day.date, 1),
        "index": texts(_INDEX_NAMES[name], 1),
        "open_paise": np.array([opening]),
        "high_paise": np.array([max(int(seconds.max()), opening)]),
        "low_paise": np.array([min(int(seconds.min()), opening)]),
        "close_paise": np.array([index_close(path)]),
        "volume": nothing(1),
        "turnover_paise": nothing(1),
    }


def index_close(path: DayPath) -> int:
    """The official close in paise: the average of the last half hour."""
    last = path.published[-_LAST_HALF_HOUR:].ravel()
    return round(100.0 * float(np.cumsum(last)[-1]) / len(last) / _TICK) * _TICK
