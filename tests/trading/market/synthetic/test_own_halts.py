"""A market whose own path falls beyond a circuit breaker: its feed tells the halts, by the dated
table, though nothing was scripted. No market of the generator's own figures was seen to fall so far
(`test_stylised_facts.py`), so this one is three times as volatile.
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
from trading.market.synthetic import expectation, order_flow, process
from trading.market.synthetic.services import market_synthesise

if TYPE_CHECKING:
    from pathlib import Path

BEFORE, DAY = date(2026, 2, 19), date(2026, 2, 20)
SEED = 2  # which falls by more than 10 % on that day when it is so volatile
BOTH = ("NIFTY", "BANKNIFTY")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MarketStore:
    wild = 0.45**2 / 252  # a day's variance, in place of 0.138² / 252
    for module in (process, expectation, order_flow):
        monkeypatch.setattr(module, "BASE_DAY_VARIANCE", wild)
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
