"""Final settlement prices of a day's expiring options, as the exchange published them.

The settlement column of the end-of-day record on the expiry day is the closing value of the index;
failing a record, the official daily figures of the index say the same. Rows that contradict one
another are no price. Recorded rows come before generated ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trading.execution.settlement import SettlementPrice, Settlements
from trading.market.calendar import calendar, instant_us
from trading.market.feeds.rows import Row, as_rows
from trading.market.timeguard import PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from trading.market.timeguard import TimeGuard

RECORD, INDEX = "bhavcopy_options", "index_closes"
_INDEX_NAMES = {"NIFTY": "Nifty 50", "BANKNIFTY": "Nifty Bank"}
_COLUMNS = ("available_at", "source_digest", "synthetic")


def settlements_of_day(guard: TimeGuard, underlyings: Sequence[str], day: date) -> Settlements:
    """The settlement prices of what expires on a day, as published the morning after. For whoever
    plays the market, not for those who decide in it.
    """
    found = {name: _of_underlying(guard, name, day) for name in underlyings}
    return {name: price for name, price in found.items() if price is not None}


def _of_underlying(guard: TimeGuard, underlying: str, day: date) -> SettlementPrice | None:
    """The price of the end-of-day record; where that says nothing, the close of the index."""
    where = {"trade_date": day, "expiry": day, "underlying": underlying, "settles_index": True}
    columns = ("strike_paise", "right", "settlement_paise")
    rows = _published(guard, RECORD, day, columns, where)
    if rows:
        return _agreed(rows, "settlement_paise", RECORD, f"{underlying} options of {day}")
    name = _INDEX_NAMES.get(underlying, "")
    rows = _published(guard, INDEX, day, ("close_paise",), {"trade_date": day, "index": name})
    return _agreed(rows, "close_paise", INDEX, f"{name} on {day}")


def _published(
    guard: TimeGuard, category: str, day: date, columns: Sequence[str], where: dict[str, Any]
) -> list[Row]:
    now_us = instant_us(calendar().next_market_day(day), PUBLISHED)
    rows = as_rows(guard.rows(category, now_us=now_us, columns=(*_COLUMNS, *columns), where=where))
    return [row for row in rows if not row["synthetic"]] or rows


def _agreed(rows: list[Row], column: str, category: str, what: str) -> SettlementPrice | None:
    """The one price that all rows give; None without a row, and where they differ."""
    priced = [row for row in rows if row[column]]
    if len({row[column] for row in priced}) != 1:
        return None
    first = priced[0]
    strike = first.get("strike_paise")
    of = "" if strike is None else f", {column} at {strike / 100:g} {first['right']}"
    return SettlementPrice(
        price_paise=first[column],
        source=category,
        row=f"{category}: {what}{of}",
        digest=first["source_digest"],
        published_at=first["available_at"],
        synthetic=bool(first["synthetic"]),
    )
