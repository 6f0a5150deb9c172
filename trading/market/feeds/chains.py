"""Chain rows of a day, as columns, made into snapshots: which expiries and strikes a frame shows,
and each expiry's parity forward. A day is converted at once; a single snapshot costs some slices.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import date
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trading.market.calendar import expires_at_us
from trading.market.feeds.assembly import ChainSnapshot
from trading.market.frames import ExpiryBlock, FrameSource
from trading.pricing.forward import PAIRS_WANTED, ParityForward, forward_of_nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Integers = np.ndarray[tuple[int], np.dtype[np.int64]]
    Columns = dict[str, np.ndarray[Any, np.dtype[Any]]]

LEGS = tuple(
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
)
# What the parity forward is made of: call bid and ask, put bid and ask.
_QUOTES = ("call_bid_paise", "call_ask_paise", "put_bid_paise", "put_ask_paise")
_CLOSES = ("call_last_paise", "call_last_paise", "put_last_paise", "put_last_paise")
# The distance from the money of a strike without four good quotes.
_UNUSABLE = np.iinfo(np.int64).max
_ORDER = (
    "available_at",
    "underlying_index",
    "as_of",
    "source_index",
    "expiry",
    "strike_paise",
)
_HEADS = (
    "underlying_index",
    "source_index",
    "as_of",
    "available_at",
    "exchange_stamp",
    "collection_stamp",
    "spot_paise",
)


class _Parity(NamedTuple):
    """A day's rows as the forward needs them, in paise."""

    strike: Integers
    difference: Integers  # twice (call mid − put mid)
    distance: Integers  # its size, or _UNUSABLE


class _Window(NamedTuple):
    """The rows of one expiry that a frame shows, and its forward."""

    low: int
    high: int
    expiry: str
    expires_at: int
    forward: ParityForward


def ordered(columns: Columns) -> Columns:
    """Rows by receipt, underlying, stamp, source, expiry and strike: the files have them so mostly,
    and looking costs less than sorting.
    """
    keys = [columns[name] for name in _ORDER]
    undecided = np.ones(max(0, len(keys[0]) - 1), dtype=bool)
    for key in keys:
        if np.any(undecided & (key[1:] < key[:-1])):
            order = np.lexsort(keys[::-1])
            return {name: column[order] for name, column in columns.items()}
        undecided &= key[1:] == key[:-1]
    return columns


def snapshots(
    columns: Columns,
    sources: Sequence[FrameSource],
    cadences: Sequence[int],
    expiries: int | None,
    strikes_each_side: int | None,
    *,
    closes: bool = False,
) -> Iterator[tuple[int, ChainSnapshot]]:
    """The snapshots in a day's rows with the position of their underlying, in the rows' order.

    A snapshot holds the nearest `expiries` that have not expired and have a parity forward, each
    with the strike nearest that forward and up to `strikes_each_side` on either side of it. With
    None for these it holds every expiry that has not expired, also without a forward, or every
    strike. With `closes` the forward is made of closing prices, where there are no quotes.
    """
    frame_keys = [
        columns[name] for name in ("available_at", "as_of", "underlying_index", "source_index")
    ]
    starts = _starts(frame_keys)
    parity = _parity(columns, _CLOSES if closes else _QUOTES)
    windows = _windows(columns, parity, frame_keys, starts, expiries, strikes_each_side)
    legs = _shown_legs(columns, windows)
    heads = [np.ma.masked_array(columns[name])[starts].tolist() for name in _HEADS]
    shown = 0
    for shows, name, source, as_of, received, exchange, collected, spot in zip(
        windows, *heads, strict=True
    ):
        chain = []
        for window in shows:
            past = shown + window.high - window.low
            cut = itemgetter(slice(shown, past))
            chain.append(
                ExpiryBlock(window.expiry, window.expires_at, *window.forward, *map(cut, legs))
            )
            shown = past
        yield (
            name,
            ChainSnapshot(
                as_of,
                received,
                exchange,
                collected,
                spot,
                sources[source],
                cadences[source],
                tuple(chain),
            ),
        )


def _windows(
    columns: Columns,
    parity: _Parity,
    frame_keys: Sequence[np.ndarray[Any, np.dtype[Any]]],
    starts: Integers,
    expiries: int | None,
    strikes_each_side: int | None,
) -> list[list[_Window]]:
    """For each frame the expiries it shows, ascending, and which of their strikes."""
    length = len(parity.strike)
    block_starts = _starts([*frame_keys, columns["expiry"]])
    block_expiries = np.datetime_as_string(
        columns["expiry"][block_starts].astype("datetime64[D]")
    ).tolist()
    blocks = zip(
        block_starts.tolist(),
        np.append(block_starts[1:], length).tolist(),
        block_expiries,
        strict=True,
    )
    known_at = int(columns["available_at"][0]) if length else None
    expiry_times = {
        expiry: expires_at_us(date.fromisoformat(expiry), known_at_us=known_at)
        for expiry in sorted(set(block_expiries))
    }
    frame_of_block = (np.searchsorted(starts, block_starts, side="right") - 1).tolist()
    frame_times = columns["as_of"][starts].tolist()
    strikes = parity.strike.tolist()
    windows: list[list[_Window]] = [[] for _ in frame_times]
    for frame, (low, high, expiry) in zip(frame_of_block, blocks, strict=True):
        if len(windows[frame]) == expiries or expiry_times[expiry] <= frame_times[frame]:
            continue
        forward = _forward(parity, low, high)
        if forward.forward_paise is None and expiries is not None:
            continue
        first, past = low, high
        if forward.forward_paise is not None and strikes_each_side is not None:
            first, past = _around(strikes, low, high, forward.forward_paise, strikes_each_side)
        windows[frame].append(_Window(first, past, expiry, expiry_times[expiry], forward))
    return windows


def _parity(columns: Columns, prices: Sequence[str]) -> _Parity:
    quotes = [np.ma.masked_array(columns[name], dtype=np.int64) for name in prices]
    missing = np.zeros(len(columns["expiry"]), dtype=bool)
    for quote in quotes:
        missing |= np.ma.getmaskarray(quote)
    call_bid, call_ask, put_bid, put_ask = (quote.filled(0) for quote in quotes)
    unusable = missing | (call_bid > call_ask) | (put_bid > put_ask)
    difference = call_bid + call_ask - put_bid - put_ask
    return _Parity(
        strike=np.asarray(columns["strike_paise"], dtype=np.int64),
        difference=difference,
        distance=np.where(unusable, _UNUSABLE, np.abs(difference)),
    )


def _forward(parity: _Parity, low: int, high: int) -> ParityForward:
    """What parity_forward gives for rows low..high.

    Strikes ascend, so a stable sort breaks ties to the lower strike, as it does.
    """
    distance = parity.distance[low:high]
    order = np.argsort(distance, kind="stable")[:PAIRS_WANTED]
    nearest = order[distance[order] != _UNUSABLE] + low
    return forward_of_nearest(
        list(zip(parity.strike[nearest].tolist(), parity.difference[nearest].tolist(), strict=True))
    )


def _around(
    strikes: Sequence[int], low: int, high: int, forward: int, each_side: int
) -> tuple[int, int]:
    """The rows, of low..high, of the strike nearest the forward (of two the lower) and `each_side`
    either side. Strikes ascend.
    """
    nearest = bisect_left(strikes, forward, low, high)
    if nearest == high or (
        nearest > low and forward - strikes[nearest - 1] <= strikes[nearest] - forward
    ):
        nearest -= 1
    return max(low, nearest - each_side), min(high, nearest + each_side + 1)


def _shown_legs(columns: Columns, windows: Sequence[Sequence[_Window]]) -> list[tuple[Any, ...]]:
    """Strikes and legs of the rows the frames show, in order, as tuples with None for missing.

    Taken for the whole day at once: slicing a tuple costs little, converting an array does not.
    """
    spans = [np.arange(w.low, w.high) for shows in windows for w in shows]
    rows = np.concatenate(spans) if spans else np.zeros(0, dtype=np.int64)
    return [_values(name, columns[name][rows]) for name in ("strike_paise", *LEGS)]


def _values(name: str, column: np.ndarray[Any, np.dtype[Any]]) -> tuple[Any, ...]:
    """A column as a tuple, None for missing; open interest as an integer where it is one."""
    filled = np.ma.filled(column, 0)
    if name.endswith("_oi_contracts"):
        values: list[Any] = filled.astype(np.int64).tolist()
        for fractional in np.flatnonzero(filled != np.floor(filled)).tolist():
            values[fractional] = float(filled[fractional])
    else:
        values = filled.tolist()
    for missing in np.flatnonzero(np.ma.getmaskarray(column)).tolist():
        values[missing] = None
    return tuple(values)


def _starts(columns: Sequence[np.ndarray[Any, np.dtype[Any]]]) -> Integers:
    """The index of the first row of each run of rows equal in every column."""
    changed = np.zeros(len(columns[0]), dtype=bool)
    changed[:1] = True
    for column in columns:
        changed[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(changed)
