"""Rows a feed gives during the day: snapshots, minute bars, prints, volatility index, status."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trading.market.synthetic import parameters as p
from trading.market.synthetic.dirt import SIDES, DirtyChain, dirty_prints, missing_bars
from trading.market.synthetic.order_flow import minute_lots
from trading.market.synthetic.process import YEAR_US, History
from trading.market.synthetic.streams import Stream
from trading.market.synthetic.tables import (
    Column,
    Columns,
    Truth,
    dates,
    nothing,
    rows_of,
    stacked,
    texts,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from trading.market.synthetic.arrays import Floats, Integers, Mask
    from trading.market.synthetic.chains import Chain
    from trading.market.synthetic.day_path import DayPath, Halt
    from trading.market.synthetic.listing import Listed
    from trading.market.synthetic.order_flow import OrderFlow
    from trading.market.synthetic.sessions import TradingDay

MINUTE_US = 60_000_000
_TICK = 5  # paise, of the index and its futures
_DEPTH_LOTS = {"NIFTY": 40.0, "BANKNIFTY": 14.0}
_FUTURE_UNITS = {"NIFTY": 14_000_000.0, "BANKNIFTY": 2_200_000.0}  # open interest, front month
_SECOND_MONTH = 0.12  # of the front month's volume
_HALF_SPREAD_PAISE = 10


def chain_rows(
    seed: int, day: date, name: str, chain: Chain, shown: DirtyChain, skew_us: Integers
) -> Columns:
    """The snapshots of one expiry, one row a strike that exists."""
    exists = shown.exists
    at, strike = np.nonzero(exists)
    instants = chain.instants
    count = len(at)
    as_of = instants.at_us[at]
    # The instants of an expiring chain are the first of the day's.
    received = (instants.at_us + p.RECEIPT_LAG_US + skew_us[: len(instants.at_us)])[at]
    rows: Columns = {
        "as_of": as_of,
        "available_at": received,
        "exchange_stamp": as_of,
        "collection_stamp": received,
        "underlying": texts(name, count),
        "expiry": dates(chain.listing.expiry, count),
        "strike_paise": chain.strikes[strike],
        "spot_paise": _on_tick(instants.published)[at],
    }
    lots = _quoted_lots(seed, day, name, chain)
    for side, label in enumerate(SIDES):
        bid, ask = shown.bid[side][exists], shown.ask[side][exists]
        sizes = lots[:, side][:, exists] * chain.listing.lot
        volume = chain.volume[side][exists]
        last = np.maximum(_TICK, np.rint(chain.fair[side][exists] / _TICK).astype(np.int64) * _TICK)
        rows |= {
            f"{label}_bid_paise": _or_nothing(bid, bid > 0),
            f"{label}_ask_paise": _or_nothing(ask, ask > 0),
            f"{label}_bid_quantity": _or_nothing(sizes[0], bid > 0),
            f"{label}_ask_quantity": _or_nothing(sizes[1], ask > 0),
            f"{label}_last_paise": _or_nothing(last, volume > 0),
            f"{label}_oi_contracts": _positive(shown.interest[side][exists]),
            f"{label}_volume_contracts": _or_nothing(volume, volume > 0),
        }
    return rows


def _quoted_lots(seed: int, day: date, name: str, chain: Chain) -> Integers:
    """Lots at bid and ask: (2, sides, instants, strikes)."""
    stream = Stream(seed, f"{name}/{chain.listing.expiry}/sizes", day)
    shape = (2, 2, *chain.score.shape)
    drawn = stream.uniforms(int(np.prod(shape))).reshape(shape)
    depth = _DEPTH_LOTS[name] * np.exp(-0.08 * np.square(chain.score))
    return 1 + (-np.log(drawn) * depth).astype(np.int64)


def spot_bars(
    past: History, row: int, name: str, path: DayPath, halt: Halt | None
) -> tuple[Columns, list[Truth]]:
    """Minute bars of the index and its bar of the day."""
    day = past.days[row]
    seconds = _on_tick(100.0 * path.published)
    bars = _bars(day, seconds, _on_tick(np.array([100.0 * path.opens]))[0], halt)
    count = len(bars["as_of"])
    rows: Columns = {
        "underlying": texts(name, count),
        **bars,
        "volume": nothing(count),
        "open_interest": nothing(count),
    }
    return _lossy(past, row, name, rows, f"{name}/spot")


def future_bars(
    past: History,
    row: int,
    name: str,
    path: DayPath,
    flow: OrderFlow,
    listing: Listed,
    number: int,
    halt: Halt | None,
) -> tuple[Columns, list[Truth]]:
    """Minute bars and the bar of the day of one future; `number` is 0 for the front month."""
    day = past.days[row]
    basis = _basis(day, listing)
    seconds = _on_tick(100.0 * path.seconds * basis)
    first = _on_tick(np.array([100.0 * path.opens * basis[0, 0]]))[0]
    bars = _bars(day, seconds, first, halt)
    share = _SECOND_MONTH**number
    lots = np.floor(share * _traded_lots(flow, day.minutes, halt)).astype(np.int64)
    kept = _open_minutes(day.minutes, halt)
    volume = np.append(lots[kept], lots.sum()) * listing.lot
    interest = _future_interest(past, row, name, listing, number)
    count = len(bars["as_of"])
    shares = np.append(np.flatnonzero(kept) + 1.0, day.minutes) / day.minutes
    rows: Columns = {
        "underlying": texts(name, count),
        "expiry": dates(listing.expiry, count),
        **bars,
        "volume": volume,
        "open_interest": np.floor(
            (interest[0] + (interest[1] - interest[0]) * shares) / listing.lot
        )
        * listing.lot,
    }
    return _lossy(past, row, name, rows, f"{name}/future/{number}", listing.expiry)


def print_rows(
    past: History,
    row: int,
    name: str,
    path: DayPath,
    flow: OrderFlow,
    listing: Listed,
    halt: Halt | None,
) -> tuple[Columns, list[Truth]]:
    """Trades of the front future: those of one second and side are one print."""
    day = past.days[row]
    second = flow.seconds.astype(np.int64)
    open_now = _open_minutes(day.minutes, halt)[second // 60]
    code = second[open_now] * 2 + flow.is_buy[open_now]
    each, start = np.unique(code, return_index=True)
    lots = np.add.reduceat(flow.lots[open_now], start) if len(each) else each
    at, is_buy = each // 2, each % 2 == 1
    fair = 100.0 * path.seconds.ravel()[at] * _basis(day, listing).ravel()[at]
    dirt = dirty_prints(past.seed, day.date, name, len(each), flawed=past.mode.flawed)
    price = _on_tick((fair + np.where(is_buy, 1, -1) * _HALF_SPREAD_PAISE) * dirt.factor)
    as_of = _second_ends(day)[at]
    instrument = f"{name} {listing.expiry} FUT"
    rows: Columns = {
        "as_of": as_of,
        "available_at": as_of + p.PRINT_LAG_US + dirt.delay_us,
        "instrument": texts(instrument, len(each)),
        "trade_id": np.arange(1, len(each) + 1),
        "price_paise": price,
        "quantity": (lots * listing.lot).astype(np.float64),
        "aggressor": np.where(is_buy, "BUY", "SELL").astype(object),
    }
    again = rows_of(rows, dirt.again)
    again["available_at"] = again["available_at"] + dirt.again_delay_us
    wrong = np.flatnonzero(dirt.factor != 1.0)
    late = np.flatnonzero(dirt.delay_us)
    truth = [
        Truth(kind, name, int(as_of[i]), int(as_of[i]), f"trade {i + 1}", listing.expiry)
        for kind, found in (
            ("WRONG_PRINT", wrong),
            ("LATE_PRINT", late),
            ("REPEATED_PRINT", dirt.again),
        )
        for i in found.tolist()
    ]
    return stacked([rows, again]), truth


def vix_rows(past: History, row: int, level: Floats, halt: Halt | None) -> Columns:
    """Minute bars of the volatility index and its bar of the day, from its value at each minute's
    end (the open first); rounded to the hundredth, as it is published.
    """
    day = past.days[row]
    shown = np.rint(level * 100.0) / 100.0
    kept = _open_minutes(day.minutes, halt)
    before, after = shown[:-1][kept], shown[1:][kept]
    ends = np.array(day.minute_ends(), dtype=np.int64)[kept]
    count = len(ends) + 1
    return {
        "as_of": np.append(ends, day.close_us),
        "available_at": np.append(ends, day.close_us) + p.RECEIPT_LAG_US,
        "interval": np.append(texts("1m", count - 1), texts("1d", 1)),
        "open": np.append(before, shown[0]),
        "high": np.append(np.maximum(before, after), max(before.max(), after.max())),
        "low": np.append(np.minimum(before, after), min(before.min(), after.min())),
        "close": np.append(after, shown[-1]),
        "previous_close": np.ma.masked_array(np.zeros(count), mask=True),
    }


def status_rows(past: History, row: int, halt: Halt) -> Columns:
    """The halt and its end, for each underlying."""
    ends = np.array([past.days[row].open_us, *past.days[row].minute_ends()], dtype=np.int64)
    as_of = np.repeat(ends[[halt.begins, halt.ends]], len(p.UNDERLYINGS))
    said = ("HALT", "RESUME")
    return {
        "as_of": as_of,
        "available_at": as_of + p.RECEIPT_LAG_US,
        "underlying": np.array(p.UNDERLYINGS * 2, dtype=object),
        "status": np.repeat(np.array(said, dtype=object), len(p.UNDERLYINGS)),
        "reason": texts("index circuit breaker, 10 %", 2 * len(p.UNDERLYINGS)),
    }


def truth_rows(day: TradingDay, truth: Sequence[Truth]) -> Columns:
    """What was done to the day's data; nobody knows it before the day is over."""
    count = len(truth)
    strikes = np.array([one.strike_paise or -1 for one in truth], dtype=np.int64)
    expiries = np.array([one.expiry or "NaT" for one in truth], dtype="datetime64[us]")
    return {
        "as_of": np.full(count, day.close_us),
        "available_at": np.full(count, day.close_us),
        "trade_date": dates(day.date, count),
        "number": np.arange(1, count + 1),
        "kind": np.array([one.kind for one in truth], dtype=object),
        "underlying": np.array([one.underlying or None for one in truth], dtype=object),
        "expiry": expiries,
        "strike_paise": _or_nothing(strikes, strikes > 0),
        "from_us": np.array([one.from_us for one in truth], dtype=np.int64),
        "until_us": np.array([one.until_us for one in truth], dtype=np.int64),
        "detail": np.array([one.detail for one in truth], dtype=object),
    }


def _bars(day: TradingDay, seconds: Integers, first: int, halt: Halt | None) -> Columns:
    """The minute bars of an ordinary session and, last, the bar of the day; none while halted."""
    kept = _open_minutes(day.minutes, halt)
    chosen = seconds[kept]
    opens = chosen[:, 0].copy()
    opens[0] = first
    ends = np.array(day.minute_ends(), dtype=np.int64)[kept]
    highs = np.maximum(chosen.max(axis=1), opens)
    lows = np.minimum(chosen.min(axis=1), opens)
    count = len(ends) + 1
    interval = np.full(count, MINUTE_US)
    interval[-1] = sum(stop - start for start, stop in day.intervals)
    as_of = np.append(ends, day.close_us)
    return {
        "as_of": as_of,
        "available_at": as_of + p.RECEIPT_LAG_US,
        "interval": np.append(texts("1m", count - 1), texts("1d", 1)),
        "interval_us": interval,
        "open_paise": np.append(opens, first),
        "high_paise": np.append(highs, highs.max()),
        "low_paise": np.append(lows, lows.min()),
        "close_paise": np.append(chosen[:, -1], chosen[-1, -1]),
    }


def _lossy(
    past: History,
    row: int,
    name: str,
    rows: Columns,
    stream: str,
    expiry: date | None = None,
) -> tuple[Columns, list[Truth]]:
    """Bars without those the feed lost; the bar of the day is never lost."""
    lost = missing_bars(past.seed, past.days[row].date, stream, len(rows["as_of"]))
    lost[-1] = False
    truth = [
        Truth("MISSING_BAR", name, at - MINUTE_US, at, "future" if expiry else "spot", expiry)
        for at in rows["as_of"][lost].tolist()
    ]
    return rows_of(rows, ~lost), truth


def _open_minutes(minutes: int, halt: Halt | None) -> Mask:
    """Which minutes trade."""
    kept = np.ones(minutes, dtype=bool)
    if halt is not None:
        kept[halt.begins : halt.ends] = False
    return kept


def _traded_lots(flow: OrderFlow, minutes: int, halt: Halt | None) -> Floats:
    return minute_lots(flow, minutes) * _open_minutes(minutes, halt)


def _future_interest(
    past: History, row: int, name: str, listing: Listed, number: int
) -> tuple[float, float]:
    """Units open at the last close and at this one; the front month empties in its last days."""
    found = []
    for on in (max(row - 1, 0), row):
        day = past.days[on].date
        left = (listing.expiry - day).days
        rolled = min(1.0, 0.25 + left / 8.0) if number == 0 else min(1.0, 0.15 + 6.0 / max(left, 6))
        noise = 0.03 * Stream(past.seed, f"{name}/future/interest", day).normals(2)[number]
        found.append(_FUTURE_UNITS[name] * rolled * float(np.exp(noise)))
    return found[0], found[1]


def _basis(day: TradingDay, listing: Listed) -> Floats:
    """A future's price over the index at each second's end, a row a minute."""
    years = (listing.expires_at_us - _second_ends(day)) / YEAR_US
    basis: Floats = np.exp(p.CARRY * np.maximum(years, 0.0)).reshape(-1, 60)
    return basis


def _second_ends(day: TradingDay) -> Integers:
    ends = np.array(day.minute_ends(), dtype=np.int64)
    before = np.arange(59, -1, -1) * 1_000_000
    seconds: Integers = (ends[:, None] - before[None, :]).ravel()
    return seconds


def _on_tick(paise: Floats) -> Integers:
    return np.rint(paise / _TICK).astype(np.int64) * _TICK


def _or_nothing(values: Integers, present: Mask) -> Column:
    return np.ma.masked_array(values, ~present)


def _positive(values: Integers) -> Column:
    return np.ma.masked_array(values, values <= 0)
