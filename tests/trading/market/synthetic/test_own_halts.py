"""A market whose own path falls beyond a circuit breaker: its feed tells the halt, by the dated
table, though nothing was scripted. One day in about a million falls so far; this is one.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from trading.market.calendar import session_hours
from trading.market.circuit_breakers import halts
from trading.market.feed import feed_items, halts_counted_from
from trading.market.frames import MarketFrame, MarketStatus
from trading.market.store import MarketStore
from trading.market.synthetic.services import market_synthesise

if TYPE_CHECKING:
    from pathlib import Path

SEED, BEFORE, DAY = 1031, date(2022, 10, 4), date(2022, 10, 6)
BOTH = ("NIFTY", "BANKNIFTY")


@pytest.fixture
def store(tmp_path: Path) -> MarketStore:
    market_synthesise(
        root=tmp_path, seed=SEED, from_date=BEFORE, to_date=DAY, cadence_minutes=5, expiries=1
    )
    return MarketStore(tmp_path)


def rows(store: MarketStore, category: str, what: str, where: str) -> list[tuple[Any, ...]]:
    files = [
        str(store.root / entry.accepted.file)
        for entry in store.catalogue().entries
        if entry.category == category
    ]
    query = f"SELECT {what} FROM read_parquet(?) WHERE {where} ORDER BY ALL"  # noqa: S608
    with duckdb.connect() as connection:
        return connection.execute(query, [files]).fetchall() if files else []


def test_a_fall_of_its_own_is_told_by_the_feed_as_the_table_says(store: MarketStore) -> None:
    assert rows(store, "market_status", "*", "true") == []  # nothing was scripted
    closed = f"trade_date = '{BEFORE}' AND \"index\" = 'Nifty 50'"
    ((close_paise,),) = rows(store, "index_closes", "close_paise", closed)
    assert halts_counted_from(store, BOTH, DAY) == {"NIFTY": close_paise}
    of_day = f"underlying = 'NIFTY' AND interval = '1m' AND as_of >= {session_hours(DAY).open_us}"
    bars = rows(store, "spot_bars", "as_of, close_paise, available_at", of_day)
    received = {as_of: available_at for as_of, _, available_at in bars}
    expected = halts(close_paise, [(as_of, paise) for as_of, paise, _ in bars])
    assert [halt.move_percent for halt in expected] == [10]

    items = list(feed_items(store, BOTH, DAY, DAY))
    told = [item for item in items if isinstance(item, MarketStatus) and item.status != "GAP"]
    by_table = [
        (status, at_us)
        for halt in expected
        for status, at_us in (
            ("HALT", received[halt.begins_us]),
            ("RESUME", halt.reopens_us),
        )
    ]
    for name in BOTH:
        assert [(s.status, s.available_at) for s in told if s.underlying == name] == by_table
    # What the generator goes on to say meanwhile is marked as not to be traded on.
    (_, begins), (_, ends), *_ = by_table
    frozen = [f for f in items if isinstance(f, MarketFrame) and begins <= f.available_at < ends]
    assert len(frozen) > 10
    assert {str(frame.quality.chain.state) for frame in frozen if frame.chain} == {"HALTED"}
