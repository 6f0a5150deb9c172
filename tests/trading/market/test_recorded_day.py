"""A recorded day's frames against a plain way of making them, one row and one trade at a time, and
against digests taken once: however fast they are made, they are the same to the byte.
"""

from __future__ import annotations

import hashlib
from datetime import date
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import duckdb
import msgspec
import pytest

from tests.market_rows import MINUTE_US, at, bar_rows, chain_rows, store_rows
from trading.market.calendar import expires_at_us, ist_date
from trading.market.feed import feed_items, frames
from trading.market.feeds.assembly import Assembly, Bar, ChainSnapshot, Print
from trading.market.feeds.day_sources import frame_source
from trading.market.feeds.live import around_forward, with_forward
from trading.market.frames import ExpiryBlock, MarketFrame
from trading.market.quality import Reading
from trading.market.services import market_import
from trading.market.store import Entry, MarketStore
from trading.market.synthetic.services import market_synthesise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BOTH = ("NIFTY", "BANKNIFTY")
SYNTHETIC_DAY = date(2026, 2, 26)
RECORDED_DAY = date(2025, 8, 29)
MADE_UP_DAY = date(2026, 2, 24)
EXPIRIES, EACH_SIDE = 2, 30
# Of the JSON of every item, as first taken; a change of what frames say changes them.
RECORDED_DIGEST = "ef6d8e12dbc5599b48c1ef6469a129b465a0659a1f1381b4a99e5d38575a97ce"
MADE_UP_DIGEST = "00c526ad4458b0bda5fe09d2b9f67943124eb37c3f910bbfad740721933c5e79"


# --- the plain way --------------------------------------------------------------------------------

Row = dict[str, Any]
Observation = tuple[int, int, str, "Callable[[Assembly], object]"]


def _rows(store: MarketStore, category: str, day: date) -> Iterator[tuple[Row, Entry]]:
    for entry in store.catalogue().entries:
        if entry.category == category:
            path = str(store.path_of(entry.accepted))
            with duckdb.connect() as connection:
                found = connection.execute("SELECT * FROM read_parquet($path)", {"path": path})
                names = [column[0] for column in found.description]
                for values in found.fetchall():
                    row = dict(zip(names, values, strict=True))
                    if ist_date(row["available_at"]) == day:
                        yield row, entry


def _block(expiry: date, rows: list[Row]) -> ExpiryBlock:
    legs: dict[str, Any] = {
        f"{side}_{shown}": tuple(_whole(row[f"{side}_{field}"]) for row in rows)
        for side in ("call", "put")
        for shown, field in (
            *((name, name) for name in ("bid_paise", "ask_paise", "bid_quantity")),
            *((name, name) for name in ("ask_quantity", "last_paise")),
            ("oi", "oi_contracts"),
            ("volume", "volume_contracts"),
        )
    }
    strikes = tuple(row["strike_paise"] for row in rows)
    unpriced = ExpiryBlock(
        expiry.isoformat(),
        expires_at_us(expiry),
        forward_paise=None,
        forward_pairs=0,
        forward_spread_paise=None,
        strike_paise=strikes,
        **legs,
    )
    return with_forward(unpriced)


def _whole(value: float | None) -> float | None:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _chains(store: MarketStore, day: date) -> Iterator[Observation]:
    rows = [(row, entry) for row, entry in _rows(store, "chain_snapshots", day)]

    def together(item: tuple[Row, Entry]) -> tuple[Any, ...]:
        row = item[0]
        return (row["available_at"], row["underlying"], row["as_of"], row["source_digest"])

    rows.sort(key=lambda item: (*together(item), item[0]["expiry"], item[0]["strike_paise"]))
    for _, group in groupby(rows, key=together):
        members = list(group)
        first, entry = members[0]
        blocks = [
            _block(expiry, [row for row, _ in of_expiry])
            for expiry, of_expiry in groupby(members, key=lambda item: item[0]["expiry"])
            if expires_at_us(expiry) > first["as_of"]
        ]
        shown = [block for block in blocks if block.forward_paise is not None][:EXPIRIES]
        snapshot = ChainSnapshot(
            first["as_of"],
            first["available_at"],
            first["exchange_stamp"],
            first["collection_stamp"],
            first["spot_paise"],
            frame_source(entry),
            entry.cadence_us or MINUTE_US,
            tuple(around_forward(block, EACH_SIDE) for block in shown),
        )
        yield (
            snapshot.available_at,
            2,
            first["underlying"],
            partial(Assembly.take_chain, snapshot=snapshot),
        )


def _levels(store: MarketStore, day: date) -> Iterator[Observation]:
    for category in ("spot_bars", "future_bars"):
        rows = [item for item in _rows(store, category, day) if item[0]["interval"] == "1m"]
        nearest: dict[str, date] = {}
        for row, _ in rows if category == "future_bars" else ():
            if row["expiry"] >= day:
                name = row["underlying"]
                nearest[name] = min(nearest.get(name, row["expiry"]), row["expiry"])
        for row, entry in sorted(rows, key=lambda item: item[0]["available_at"]):
            expiry = row.get("expiry")
            if expiry != nearest.get(row["underlying"]) or row["close_paise"] is None:
                continue
            bar = Bar(
                row["as_of"],
                row["available_at"],
                row["close_paise"],
                expiry.isoformat() if expiry else None,
                frame_source(entry),
                row["interval_us"],
            )
            yield (
                bar.available_at,
                1,
                row["underlying"],
                partial(Assembly.take_future if bar.expiry else Assembly.take_spot, bar=bar),
            )


def _others(store: MarketStore, day: date) -> Iterator[Observation]:
    for row, _ in _rows(store, "vix", day):
        if row["interval"] == "1m" and row["close"] is not None:
            stamps = (row["as_of"], row["available_at"], row["source_digest"])
            reading = Reading(row["close"], *stamps, MINUTE_US)
            for name in BOTH:
                yield (
                    reading.available_at,
                    0,
                    name,
                    partial(Assembly.take_vix, reading=reading),
                )
    trades = [row for row, _ in _rows(store, "prints", day)]
    trades.sort(key=itemgetter("available_at", "instrument", "as_of", "trade_id"))
    for row in trades:
        owner = next((name for name in BOTH if row["instrument"].startswith(name)), None)
        if owner is not None:
            trade = Print(
                row["as_of"],
                row["available_at"],
                row["instrument"],
                row["trade_id"],
                row["price_paise"],
                row["quantity"],
                row["aggressor"],
                row["source_digest"],
                MINUTE_US,
            )
            yield (
                trade.available_at,
                0,
                owner,
                partial(Assembly.take_prints, trades=[trade]),
            )
    for row, _ in _rows(store, "market_status", day):
        halted = row["status"] == "HALT"
        yield (
            row["available_at"],
            -1,
            row["underlying"],
            partial(_set_halted, halted=halted),
        )


def _set_halted(assembly: Assembly, *, halted: bool) -> None:
    assembly.halted = halted


def plain_frames(store: MarketStore, day: date) -> Iterator[MarketFrame]:
    """The frames of a day of one source a category, every row by itself."""
    observations = [*_chains(store, day), *_levels(store, day), *_others(store, day)]
    observations.sort(key=itemgetter(0, 1))
    assemblies = {name: Assembly(name) for name in BOTH}
    for at_us, group in groupby(observations, key=itemgetter(0)):
        for _, _, name, take in group:
            take(assemblies[name])
        for assembly in assemblies.values():
            if assembly.is_due:
                yield assembly.frame(at_us)


# --- days -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> MarketStore:
    root = tmp_path_factory.mktemp("var") / "market"
    market_synthesise(root=root, seed=7, from_date=SYNTHETIC_DAY, to_date=SYNTHETIC_DAY)
    return MarketStore(root)


@pytest.fixture(scope="module")
def recorded(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> MarketStore:
    folder = sample_data / "nse_chain_2025-08-29"
    if not folder.is_dir():
        pytest.skip(f"no recorded chain snapshots in {folder}")
    root = tmp_path_factory.mktemp("recorded") / "market"
    market_import(root=root, paths=[folder])
    return MarketStore(root)


@pytest.fixture
def made_up(tmp_path: Path) -> MarketStore:
    """Twenty minutes with a halt, trades sent twice, a late chain, parts of a contract."""
    minutes = [at(MADE_UP_DAY, "10:00") + MINUTE_US * number for number in range(20)]
    chains = [
        row
        for number, minute in enumerate(minutes)
        for name, forward in (("NIFTY", 25_000_00), ("BANKNIFTY", 51_000_00))
        for expiry in ("2026-03-02", "2026-03-10", "2026-03-30")
        for row in chain_rows(
            minute if number != 7 else minutes[3],
            available_at=minute + 1_500_000,
            underlying=name,
            forward=forward + 35 * number,
            expiry=expiry,
            strikes_each_side=35,
            spot=forward - 10_00,
            nudge=5 * number,
            changes={
                0: {"call_oi_contracts": 1200.5, "put_last_paise": None},
                3: {"call_bid_paise": None, "call_bid_quantity": None},
            },
        )
    ]
    store_rows(tmp_path, "chain_snapshots", chains)
    closes = {minute: 25_000_00 + 15 * number for number, minute in enumerate(minutes)}
    store_rows(tmp_path, "spot_bars", bar_rows(closes))
    later = {minute: close + 20_00 for minute, close in closes.items()}
    for expiry in (date(2026, 3, 30), date(2026, 4, 28)):
        store_rows(tmp_path, "future_bars", bar_rows(later, expiry=expiry), name=str(expiry))
    store_rows(
        tmp_path,
        "vix",
        [
            {"as_of": minute, "available_at": minute, "interval": "1m", "close": 13 + number / 10}
            for number, minute in enumerate(minutes)
        ],
    )
    trades = [
        {
            "as_of": minute + 1_000_000 * second,
            "available_at": minute + 1_000_000 * second + resent * 7_000_000,
            "instrument": instrument,
            "trade_id": None if second == 11 else number * 100 + second,
            "price_paise": 25_010_00 + 5 * second,
            "quantity": 65.0 * (1 + second),
            "aggressor": ("BUY", "SELL", None)[second % 3],
        }
        for number, minute in enumerate(minutes)
        for second in (1, 2, 11, 40)
        for instrument in ("NIFTY-FUT", "BANKNIFTY-FUT", "FINNIFTY-FUT")
        for resent in (0, 1)
        if not resent or second == 2
    ]
    store_rows(tmp_path, "prints", trades)
    store_rows(
        tmp_path,
        "market_status",
        [
            {"as_of": stamp, "available_at": stamp, "underlying": name, "status": status}
            for stamp, status in ((minutes[9] + 5, "HALT"), (minutes[12] + 5, "RESUME"))
            for name in BOTH
        ],
    )
    return MarketStore(tmp_path)


def _digest(store: MarketStore, day: date) -> str:
    digest = hashlib.sha256()
    for item in feed_items(store, BOTH, day, day, expiries=EXPIRIES, strikes_each_side=EACH_SIDE):
        digest.update(msgspec.json.encode(item))
    return digest.hexdigest()


def _compare(store: MarketStore, day: date) -> list[MarketFrame]:
    found = list(frames(store, BOTH, day, day, expiries=EXPIRIES, strikes_each_side=EACH_SIDE))
    plain = list(plain_frames(store, day))
    assert list(map(msgspec.json.encode, found)) == list(map(msgspec.json.encode, plain))
    return found


def test_a_generated_day_is_that_of_the_plain_way(synthetic: MarketStore) -> None:
    found = _compare(synthetic, SYNTHETIC_DAY)
    assert sum(len(block.as_of) for frame in found for block in frame.prints) > 1_000
    shown = [block for frame in found for block in frame.chain]
    assert any(None in block.call_bid_paise for block in shown)


def test_a_recorded_day_is_that_of_the_plain_way(recorded: MarketStore) -> None:
    assert len(_compare(recorded, RECORDED_DAY)) > 100


def test_a_made_up_day_is_that_of_the_plain_way(made_up: MarketStore) -> None:
    found = _compare(made_up, MADE_UP_DAY)
    assert {flag for frame in found for flag in frame.flags} == {"LATE", "REPEATED"}
    assert {frame.quality.chain.state.value for frame in found} >= {"FRESH", "HALTED"}
    assert any(1200.5 in block.call_oi for frame in found for block in frame.chain)


def test_a_recorded_days_items_are_those_first_taken(recorded: MarketStore) -> None:
    assert _digest(recorded, RECORDED_DAY) == RECORDED_DIGEST


def test_a_made_up_days_items_are_those_first_taken(made_up: MarketStore) -> None:
    assert _digest(made_up, MADE_UP_DAY) == MADE_UP_DIGEST
