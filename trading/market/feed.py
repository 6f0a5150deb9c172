"""Frames out of the store: what the engine is fed, day by day, in the order things became known."""

from __future__ import annotations

from datetime import date, time, timedelta
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from journal.log.manifest import DataFile
from trading.market.calendar import expires_at_us, instant_us
from trading.market.frames import FLAG_CLOCK, ExpiryBlock, FrameSource, MarketFrame
from trading.market.store import (
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
    from pathlib import Path

    Integers = np.ndarray[tuple[int], np.dtype[np.int64]]
    Columns = dict[str, np.ndarray[Any, np.dtype[Any]]]

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
    the strike nearest that forward and up to `strikes_each_side` on either side of it. All days are
    read from the generation that was current at the first. Raises StoreError when a file of the
    store is missing or damaged.
    """
    entries = _entries(store)
    paths: dict[str, Path] = {}
    for day in days_with_data(store, underlyings, from_date, to_date):
        of_day = [
            entry
            for entry in entries
            if any(day.isoformat() in entry.days.get(name, ()) for name in underlyings)
        ]
        for entry in of_day:
            if entry.accepted.digest not in paths:
                paths[entry.accepted.digest] = store.path_of(entry.accepted)
        files = [paths[entry.accepted.digest] for entry in of_day]
        columns = _read(files, of_day, underlyings, day)
        yield from _day_frames(columns, of_day, underlyings, expiries, strikes_each_side)


def files_of_days(
    store: MarketStore, underlyings: Sequence[str], days: Sequence[date]
) -> tuple[DataFile, ...]:
    """The files of the store that `frames` reads for some days; their digests are those that
    `frames` holds them to.
    """
    wanted = {day.isoformat() for day in days}
    return tuple(
        DataFile(entry.accepted.file, entry.accepted.digest, entry.source.digest)
        for entry in _entries(store)
        if any(not wanted.isdisjoint(entry.days.get(name, ())) for name in underlyings)
    )


def _entries(store: MarketStore) -> list[Entry]:
    return [e for e in store.catalogue().entries if e.category == CHAIN_SNAPSHOTS]


def _read(
    files: Sequence[Path], entries: Sequence[Entry], underlyings: Sequence[str], day: date
) -> Columns:
    """A day's rows in order, as columns; underlying and source as positions in the sequences."""
    paths = ", ".join(f"'{sql_text(str(path))}'" for path in files)
    names = ", ".join(f"'{sql_text(name)}'" for name in underlyings)
    digests = ", ".join(f"'{entry.source.digest}'" for entry in entries)
    query = f"""
        SELECT available_at, as_of, exchange_stamp, collection_stamp,
          expiry, strike_paise, spot_paise,
          list_position([{names}], underlying) - 1 AS underlying_index,
          list_position([{digests}], source_digest) - 1 AS source_index,
          {", ".join(_LEGS)}
        FROM read_parquet([{paths}])
        WHERE underlying IN ({names}) AND available_at >= $first AND available_at < $past
        ORDER BY available_at, underlying DESC, as_of, expiry, strike_paise
    """  # noqa: S608 - names, digests and paths are the store's own, quoted
    span = {
        "first": instant_us(day, time(0)),
        "past": instant_us(day + timedelta(days=1), time(0)),
    }
    with connect() as connection:
        return connection.execute(query, span).fetchnumpy()


def _day_frames(
    columns: Columns,
    entries: Sequence[Entry],
    underlyings: Sequence[str],
    expiries: int,
    strikes_each_side: int,
) -> Iterator[MarketFrame]:
    frame_keys = [
        columns[name] for name in ("available_at", "as_of", "underlying_index", "source_index")
    ]
    starts = _starts(frame_keys)
    windows = _windows(columns, frame_keys, starts, expiries, strikes_each_side)
    legs = _shown_legs(columns, windows)
    sources = [_frame_source(entry) for entry in entries]
    heads = [
        np.ma.masked_array(columns[name])[starts].tolist()
        for name in (
            "underlying_index",
            "source_index",
            "as_of",
            "available_at",
            "exchange_stamp",
            "collection_stamp",
            "spot_paise",
        )
    ]
    shown = 0
    for shows, name, source, as_of, available_at, exchange, collection, spot in zip(
        windows, *heads, strict=True
    ):
        chain = []
        for window in shows:
            past = shown + window.high - window.low
            forward = window.forward
            cut = itemgetter(slice(shown, past))
            chain.append(ExpiryBlock(window.expiry, window.expires_at, *forward, *map(cut, legs)))
            shown = past
        yield MarketFrame(
            underlying=underlyings[name],
            as_of=as_of,
            available_at=available_at,
            exchange_stamp=exchange,
            collection_stamp=collection,
            source=sources[source],
            flags=(FLAG_CLOCK,) if as_of > available_at else (),
            cadence_us=entries[source].cadence_us,
            spot_paise=spot,
            future_paise=None,
            vix=None,
            chain=tuple(chain),
        )


def _windows(
    columns: Columns,
    frame_keys: Sequence[np.ndarray[Any, np.dtype[Any]]],
    starts: Integers,
    expiries: int,
    strikes_each_side: int,
) -> list[list[_Window]]:
    """For each frame the expiries it shows, ascending, and which of their strikes."""
    parity = _parity(columns)
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
    windows: list[list[_Window]] = [[] for _ in frame_times]
    for frame, (low, high, expiry) in zip(frame_of_block, blocks, strict=True):
        if len(windows[frame]) == expiries or expiry_times[expiry] <= frame_times[frame]:
            continue
        forward = _forward(parity, low, high)
        if forward.forward_paise is not None:
            first, past = _around(parity.strike[low:high], forward.forward_paise, strikes_each_side)
            windows[frame].append(
                _Window(low + first, low + past, expiry, expiry_times[expiry], forward)
            )
    return windows


def _parity(columns: Columns) -> _Parity:
    quotes = [
        np.ma.masked_array(columns[name], dtype=np.int64)
        for name in ("call_bid_paise", "call_ask_paise", "put_bid_paise", "put_ask_paise")
    ]
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


def _around(strikes: Integers, forward: int, each_side: int) -> tuple[int, int]:
    """The span of the strike nearest the forward (of two the lower) and `each_side` either side."""
    nearest = int(np.argmin(np.abs(strikes - forward)))
    return max(0, nearest - each_side), min(len(strikes), nearest + each_side + 1)


def _shown_legs(columns: Columns, windows: Sequence[Sequence[_Window]]) -> list[tuple[Any, ...]]:
    """Strikes and legs of the rows the frames show, in order, as tuples with None for missing.

    Taken for the whole day at once: slicing a tuple costs little, converting an array does not.
    """
    spans = [np.arange(w.low, w.high) for shows in windows for w in shows]
    rows = np.concatenate(spans) if spans else np.zeros(0, dtype=np.int64)
    return [_values(name, columns[name][rows]) for name in ("strike_paise", *_LEGS)]


def _values(name: str, column: np.ndarray[Any, np.dtype[Any]]) -> tuple[Any, ...]:
    """A column as a tuple, None for missing; open interest as an integer where it is one."""
    if not name.endswith("_oi_contracts"):
        return tuple(column.tolist())
    if np.all(column == np.floor(column)):
        return tuple(column.astype(np.int64).tolist())
    return tuple(int(v) if v is not None and v.is_integer() else v for v in column.tolist())


def _starts(columns: Sequence[np.ndarray[Any, np.dtype[Any]]]) -> Integers:
    """The index of the first row of each run of rows equal in every column."""
    changed = np.zeros(len(columns[0]), dtype=bool)
    changed[:1] = True
    for column in columns:
        changed[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(changed)


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
