"""Frames out of the store: what the engine is fed, day by day, in the order things became known."""

from __future__ import annotations

from datetime import date, time, timedelta
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trading.market.calendar import expires_at_us, instant_us
from trading.market.frames import FLAG_CLOCK, ExpiryBlock, FrameSource, MarketFrame
from trading.market.store import (
    CHAIN_SNAPSHOT_ORDER,
    CHAIN_SNAPSHOTS,
    UNDERLYINGS,
    Entry,
    MarketStore,
    connect,
    sql_text,
)
from trading.pricing.forward import PAIRS_WANTED, ParityForward, forward_of_nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb

    Integers = np.ndarray[tuple[int], np.dtype[np.int64]]

DEFAULT_EXPIRIES = 4
DEFAULT_STRIKES_EACH_SIDE = 30

_LEGS = tuple(
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
_UNUSABLE = np.iinfo(
    np.int64
).max  # the distance from the money of a strike without four good quotes


class _Day(NamedTuple):
    """One day's rows as columns: arrays to compute on, tuples (None for missing) to slice into
    blocks.
    """

    strikes: tuple[int, ...]
    strike_array: Integers
    difference: Integers  # twice (call mid − put mid), paise
    distance: Integers  # its size, or _UNUSABLE
    legs: tuple[tuple[Any, ...], ...]
    spot: tuple[int | None, ...]


def days_with_data(
    store: MarketStore,
    underlyings: Sequence[str] = UNDERLYINGS,
    from_date: date | None = None,
    to_date: date | None = None,
) -> tuple[date, ...]:
    """The IST dates, ascending, on which the store has snapshots of any of the underlyings."""
    days = {
        date.fromisoformat(day)
        for entry in _entries(store)
        for underlying in underlyings
        for day in entry.days.get(underlying, ())
    }
    return tuple(
        day
        for day in sorted(days)
        if (from_date is None or from_date <= day) and (to_date is None or day <= to_date)
    )


def frames(
    store: MarketStore,
    underlyings: Sequence[str],
    from_date: date,
    to_date: date,
    *,
    expiries: int = DEFAULT_EXPIRIES,
    strikes_each_side: int = DEFAULT_STRIKES_EACH_SIDE,
) -> Iterator[MarketFrame]:
    """The frames of some underlyings from one IST date to another (both included), by receipt,
    NIFTY before BANKNIFTY.

    A frame holds the nearest `expiries` that have not expired and have a parity forward, each with
    the strike nearest that forward and up to `strikes_each_side` on either side of it. Raises
    StoreError when a file of the store is missing or damaged.
    """
    for day in days_with_data(store, underlyings, from_date, to_date):
        yield from _day_frames(store, underlyings, day, expiries, strikes_each_side)


def _entries(store: MarketStore) -> list[Entry]:
    return [e for e in store.catalogue().entries if e.category == CHAIN_SNAPSHOTS]


def _day_frames(
    store: MarketStore,
    underlyings: Sequence[str],
    day: date,
    expiries: int,
    strikes_each_side: int,
) -> Iterator[MarketFrame]:
    entries = [
        entry
        for entry in _entries(store)
        if any(day.isoformat() in entry.days.get(name, ()) for name in underlyings)
    ]
    sources = {entry.source.digest: entry for entry in entries}
    with connect() as connection:
        rows = _read(connection, store, entries, underlyings, day)
    columns = _columns(rows)
    key = (rows["available_at"], rows["underlying"], rows["as_of"], rows["source_digest"])
    starts = _starts(key)
    expiry_starts = _starts((*key, rows["expiry"]))
    expiry_texts = np.datetime_as_string(rows["expiry"].astype("datetime64[D]"))
    expiry_list: list[str] = expiry_texts.tolist()
    available = rows["available_at"].tolist()
    stamps = [rows[name].tolist() for name in ("as_of", "exchange_stamp", "collection_stamp")]
    names = rows["underlying"].tolist()
    digests = rows["source_digest"].tolist()
    frame_sources = {digest: _frame_source(entry) for digest, entry in sources.items()}
    expiry_times: dict[str, int] = {}
    known_at = available[0] if available else 0
    bounds = expiry_starts.tolist()
    ends = np.append(expiry_starts[1:], len(available)).tolist()
    cursor = 0
    frame_ends = np.append(starts[1:], len(available)).tolist()
    for start, end in zip(starts.tolist(), frame_ends, strict=True):
        as_of = stamps[0][start]
        chain: list[ExpiryBlock] = []
        while cursor < len(bounds) and bounds[cursor] < end:
            low, high = bounds[cursor], ends[cursor]
            cursor += 1
            if len(chain) == expiries:
                continue
            expiry = expiry_list[low]
            if expiry not in expiry_times:
                expiry_times[expiry] = expires_at_us(
                    date.fromisoformat(expiry), known_at_us=known_at
                )
            if expiry_times[expiry] <= as_of:
                continue
            forward = _forward(columns, low, high)
            if forward.forward_paise is not None:
                low, high = _window(columns, low, high, forward.forward_paise, strikes_each_side)
                chain.append(_block(columns, low, high, expiry, expiry_times[expiry], forward))
        yield MarketFrame(
            underlying=names[start],
            as_of=as_of,
            available_at=available[start],
            exchange_stamp=stamps[1][start],
            collection_stamp=stamps[2][start],
            source=frame_sources[digests[start]],
            flags=(FLAG_CLOCK,) if as_of > available[start] else (),
            cadence_us=sources[digests[start]].cadence_us,
            spot_paise=columns.spot[start],
            future_paise=None,
            vix=None,
            chain=tuple(chain),
        )


def _frame_source(entry: Entry) -> FrameSource:
    source = entry.source
    return FrameSource(
        name=source.name,
        digest=source.digest,
        synthetic=source.synthetic,
        seed=source.seed,
        generator_version=source.generator_version,
        mode=source.mode,
    )


def _read(
    connection: duckdb.DuckDBPyConnection,
    store: MarketStore,
    entries: Sequence[Entry],
    underlyings: Sequence[str],
    day: date,
) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    files = ", ".join(f"'{sql_text(str(store.path_of(entry.accepted)))}'" for entry in entries)
    wanted = ", ".join(f"'{sql_text(name)}'" for name in underlyings)
    bounds = (instant_us(day, time(0)), instant_us(day + timedelta(days=1), time(0)))
    return connection.execute(
        f"""
        SELECT available_at, as_of, exchange_stamp, collection_stamp, underlying, source_digest, expiry, strike_paise, spot_paise,
          {", ".join(_LEGS)}
        FROM read_parquet([{files}])
        WHERE underlying IN ({wanted}) AND available_at >= $first AND available_at < $past
        ORDER BY {CHAIN_SNAPSHOT_ORDER}
        """,  # noqa: S608
        {"first": bounds[0], "past": bounds[1]},
    ).fetchnumpy()


def _columns(rows: dict[str, np.ndarray[Any, np.dtype[Any]]]) -> _Day:
    call_bid, call_ask, put_bid, put_ask = (
        np.ma.masked_array(rows[name])
        for name in ("call_bid_paise", "call_ask_paise", "put_bid_paise", "put_ask_paise")
    )
    difference = call_bid + call_ask - put_bid - put_ask
    unusable = (
        np.ma.getmaskarray(difference)
        | (call_bid > call_ask).filled(True)
        | (put_bid > put_ask).filled(True)
    )
    plain = np.where(unusable, 0, difference.filled(0)).astype(np.int64)
    strikes = np.asarray(rows["strike_paise"], dtype=np.int64)
    return _Day(
        strikes=tuple(strikes.tolist()),
        strike_array=strikes,
        difference=plain,
        distance=np.where(unusable, _UNUSABLE, np.abs(plain)),
        legs=tuple(_values(name, rows[name]) for name in _LEGS),
        spot=tuple(rows["spot_paise"].tolist()),
    )


def _values(name: str, column: np.ndarray[Any, np.dtype[Any]]) -> tuple[Any, ...]:
    """A column as a tuple, None for missing; open interest as an integer where it is one."""
    values = column.tolist()
    if name.endswith("_oi_contracts"):
        values = [int(v) if v is not None and v.is_integer() else v for v in values]
    return tuple(values)


def _starts(columns: Sequence[np.ndarray[Any, np.dtype[Any]]]) -> Integers:
    """The index of the first row of each run of rows equal in every column."""
    length = len(columns[0])
    changed = np.zeros(length, dtype=bool)
    changed[:1] = True
    for column in columns:
        changed[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(changed)


def _forward(day: _Day, low: int, high: int) -> ParityForward:
    """parity_forward over rows low..high; strikes ascend, so a stable sort breaks ties to the lower
    strike as it does.
    """
    distance = day.distance[low:high]
    nearest = np.argsort(distance, kind="stable")[:PAIRS_WANTED].tolist()
    return forward_of_nearest(
        [
            (day.strikes[low + i], int(day.difference[low + i]))
            for i in nearest
            if distance[i] != _UNUSABLE
        ]
    )


def _window(day: _Day, low: int, high: int, forward: int, each_side: int) -> tuple[int, int]:
    """The rows of the strike nearest the forward (the lower of two) and of `each_side` strikes on
    either side.
    """
    after = low + int(np.searchsorted(day.strike_array[low:high], forward))
    nearest = min(after, high - 1)
    if nearest > low and forward - day.strikes[nearest - 1] <= day.strikes[nearest] - forward:
        nearest -= 1
    if after == high:
        nearest = high - 1
    return max(low, nearest - each_side), min(high, nearest + each_side + 1)


def _block(
    day: _Day, low: int, high: int, expiry: str, expires_at: int, forward: ParityForward
) -> ExpiryBlock:
    return ExpiryBlock(
        expiry,
        expires_at,
        forward.forward_paise,
        forward.pairs,
        forward.spread_paise,
        day.strikes[low:high],
        *map(itemgetter(slice(low, high)), day.legs),
    )
