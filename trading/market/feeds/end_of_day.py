"""Frames of the exchange's end-of-day record: one an underlying, at 09:00 IST of the next market
day, for days on which nothing showed the market while it was open.

They have closing prices where others have quotes, of contracts that traded; a bid or an ask is
never made up. What is decided on them is filled at that day's close, which `closes_of_day` gives.
"""

from __future__ import annotations

from datetime import date, time
from typing import TYPE_CHECKING, Any

import numpy as np

from trading.execution.closing import Close, Closes
from trading.execution.orders import Contract
from trading.market.calendar import calendar, instant_us, ist_date
from trading.market.feeds.assembly import Assembly, Bar
from trading.market.feeds.chains import LEGS, snapshots
from trading.market.feeds.rows import as_rows, by_underlying
from trading.market.frames import END_OF_DAY, FrameSource, MarketFrame
from trading.market.quality import CADENCES, Reading
from trading.market.timeguard import PUBLISHED, TimeGuard

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from trading.market.feeds.rows import Row
    from trading.market.store import Entry

OPTIONS, FUTURES = "bhavcopy_options", "bhavcopy_futures"
_DAYS_BACK_US = 10 * 86_400_000_000  # a daily VIX older than this is none

_OPTION_COLUMNS = (
    "underlying",
    "trade_date",
    "as_of",
    "available_at",
    "expiry",
    "strike_paise",
    "right",
    "close_paise",
    "underlying_paise",
    "open_interest",
    "volume_contracts",
    "lot_size",
    "source_digest",
)


def record_entries(guard: TimeGuard) -> list[Entry]:
    """The end-of-day records that are used: recorded ones where there are any, else generated."""
    entries = guard.entries(OPTIONS)
    recorded = [entry for entry in entries if not entry.source.synthetic]
    return recorded or entries


def end_of_day_days(guard: TimeGuard, underlyings: Sequence[str]) -> set[date]:
    """The IST dates on which a record of options became known."""
    where = {"underlying": tuple(underlyings)}
    return {ist_date(at) for at in guard.moments(OPTIONS, record_entries(guard), where=where)}


def end_of_day_frames(
    guard: TimeGuard,
    underlyings: Sequence[str],
    day: date,
    *,
    expiries: int,
    strikes_each_side: int,
) -> Iterator[MarketFrame]:
    """The frames of the records that became known on a day, in the order of the underlyings."""
    entries = record_entries(guard)
    sources = {entry.source.digest: _source(entry) for entry in entries}
    rows = _known_on(guard, day, OPTIONS, entries, _OPTION_COLUMNS, underlyings)
    futures = by_underlying(
        _known_on(
            guard,
            day,
            FUTURES,
            guard.entries(FUTURES),
            ("underlying", "expiry", "as_of", "available_at", "close_paise", "source_digest"),
            underlyings,
        )
    )
    found = by_underlying(rows)
    for name in underlyings:
        if name not in found:
            continue
        newest = max(row["trade_date"] for row in found[name])
        record = [row for row in found[name] if row["trade_date"] == newest]
        yield _frame(
            guard, name, record, futures.get(name, []), sources, expiries, strikes_each_side
        )


def closes_of_day(guard: TimeGuard, underlyings: Sequence[str], day: date) -> Closes:
    """What contracts closed at on a day and how much of them was traded, as published the morning
    after. For whoever plays the market, not for those who decide in it.
    """
    published = instant_us(calendar().next_market_day(day), PUBLISHED)
    rows = as_rows(
        guard.rows(
            OPTIONS,
            now_us=published,
            columns=(*_OPTION_COLUMNS,),
            where={"trade_date": day, "underlying": tuple(underlyings)},
        )
    )
    return {
        Contract(
            underlying=row["underlying"],
            expiry=row["expiry"].isoformat(),
            strike_paise=row["strike_paise"],
            right=row["right"],
        ): Close(row["close_paise"], row["volume_contracts"] * row["lot_size"])
        for row in rows
        if _traded(row) and row["lot_size"]
    }


def _known_on(
    guard: TimeGuard,
    day: date,
    category: str,
    entries: Sequence[Entry],
    columns: Sequence[str],
    underlyings: Sequence[str],
) -> list[Row]:
    first = instant_us(day, time(0))
    return as_rows(
        guard.window(
            category,
            from_us=first,
            past_us=first + 86_400_000_000,
            entries=entries,
            columns=columns,
            where={"underlying": tuple(underlyings)},
        )
    )


def _frame(
    guard: TimeGuard,
    name: str,
    record: list[Row],
    futures: list[Row],
    sources: dict[str, FrameSource],
    expiries: int,
    strikes_each_side: int,
) -> MarketFrame:
    at_us = max(row["available_at"] for row in record)
    cadence_us = _cadence_us(at_us)
    source = sources[record[0]["source_digest"]]
    assembly = Assembly(name)
    index = next((row for row in record if row["underlying_paise"]), None)
    if index is not None:
        assembly.take_spot(
            Bar(index["as_of"], at_us, index["underlying_paise"], None, source, cadence_us)
        )
    alive = [row for row in futures if row["expiry"] >= ist_date(at_us) and row["close_paise"]]
    if alive:
        nearest = min(alive, key=lambda row: row["expiry"])
        expiry = nearest["expiry"].isoformat()
        assembly.take_future(
            Bar(nearest["as_of"], at_us, nearest["close_paise"], expiry, source, cadence_us)
        )
    _take_vix(guard, assembly, at_us, cadence_us, synthetic=source.synthetic)
    ((_, snapshot),) = snapshots(
        _chain_columns(record, at_us),
        [source],
        [cadence_us],
        expiries,
        strikes_each_side,
        closes=True,
    )
    assembly.take_chain(snapshot)
    return assembly.frame(at_us)


def _take_vix(
    guard: TimeGuard, assembly: Assembly, at_us: int, cadence_us: int, *, synthetic: bool
) -> None:
    """The newest daily level of the volatility index known by then."""
    rows = as_rows(
        guard.rows(
            "vix",
            now_us=at_us,
            columns=("as_of", "available_at", "close", "source_digest"),
            where={"interval": "1d", "synthetic": synthetic},
            since_us=at_us - _DAYS_BACK_US,
        )
    )
    said = [row for row in rows if row["close"]]
    if said:
        row = max(said, key=lambda row: row["as_of"])
        reading = Reading(
            row["close"], row["as_of"], row["available_at"], row["source_digest"], cadence_us
        )
        assembly.take_vix(reading)


def _cadence_us(at_us: int) -> int:
    """The cadence a record declares, so that twice of it is two sessions: one may be missing."""
    days = calendar()
    before = days.previous_market_day(ist_date(at_us))
    earlier = days.session_hours(days.previous_market_day(before)).close_us
    return (at_us - earlier) // CADENCES


def _traded(row: Row) -> bool:
    """Whether a close is a price somebody paid that day; a carried one is not."""
    return bool(row["close_paise"] and row["volume_contracts"])


def _chain_columns(record: list[Row], at_us: int) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """A record's rows as the columns of one chain snapshot, call and put side by side."""
    pairs: dict[tuple[date, int], dict[str, Row]] = {}
    for row in record:
        pairs.setdefault((row["expiry"], row["strike_paise"]), {})[row["right"]] = row
    keys = sorted(pairs)
    columns: dict[str, np.ndarray[Any, np.dtype[Any]]] = {
        "available_at": np.full(len(keys), at_us),
        "as_of": np.full(len(keys), record[0]["as_of"]),
        "underlying_index": np.zeros(len(keys), dtype=np.int64),
        "source_index": np.zeros(len(keys), dtype=np.int64),
        "expiry": np.array([expiry for expiry, _ in keys], dtype="datetime64[us]"),
        "strike_paise": np.array([strike for _, strike in keys], dtype=np.int64),
    }
    for name in ("exchange_stamp", "collection_stamp", "spot_paise"):
        columns[name] = np.ma.masked_array(np.zeros(len(keys), dtype=np.int64), mask=True)
    legs = [(_leg(pairs[key].get("CE")), _leg(pairs[key].get("PE"))) for key in keys]
    for name in LEGS:
        side, field = name.split("_", 1)
        values = [leg[side == "put"].get(field) for leg in legs]
        kind = np.float64 if field == "oi_contracts" else np.int64
        columns[name] = np.ma.masked_array(
            [value or 0 for value in values], [value is None for value in values], dtype=kind
        )
    return columns


def _leg(row: Row | None) -> dict[str, float | None]:
    if row is None:
        return {}
    interest = row["open_interest"]
    return {
        "last_paise": row["close_paise"] if _traded(row) else None,
        "oi_contracts": interest / row["lot_size"] if interest and row["lot_size"] else None,
        "volume_contracts": row["volume_contracts"] or None,
    }


def _source(entry: Entry) -> FrameSource:
    source = entry.source
    return FrameSource(
        name=END_OF_DAY,
        digest=source.digest,
        synthetic=source.synthetic,
        seed=source.seed,
        generator_version=source.generator_version,
        mode=source.mode,
    )
