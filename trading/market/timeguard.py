"""The door to history: given an instant, what was known at it.

A row is seen from its `available_at` on. Of several rows of one key the one known last is the one
that counts, so a correction is seen from the moment it came and not before; of several rows of one
moment it is the one that says most (trading.market.agreement). A generated row never stands in for
a recorded one, whenever it came. What the exchange publishes about a day (rows with a `trade_date`)
is seen from 09:00 IST of the next market day, even where a source claims to have had it earlier.

Nothing else reads the store's rows: neither strategies nor pages nor the feeds open its files
themselves (`tests/trading/market/test_one_door.py`).
"""

from __future__ import annotations

from datetime import date, time, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from trading.market.agreement import silence
from trading.market.calendar import CalendarError, calendar, instant_us, ist_date
from trading.market.categories import BY_NAME, columns_of
from trading.market.store import Entry, MarketStore, connect, sql_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from duckdb import DuckDBPyConnection

    Columns = dict[str, np.ndarray[Any, np.dtype[Any]]]

PUBLISHED = time(9)  # IST of the next market day: when a day's record is out


class TimeGuardError(ValueError):
    """A question about history that names no category or column of the store."""


class TimeGuard:
    """Reads one generation of a store: the one that was current when the guard was made, or an
    earlier one, with the editions of tables that were current in it.
    """

    def __init__(self, store: MarketStore, *, generation: int | None = None) -> None:
        self._store = store
        catalogue = store.catalogue()
        self._entries = (catalogue if generation is None else catalogue.at(generation)).entries
        self._paths: dict[str, Path] = {}

    def entries(self, category: str) -> list[Entry]:
        """The catalogue's entries of a category, in the order they were added."""
        return [entry for entry in self._entries if entry.category == category]

    def rows(
        self,
        category: str,
        *,
        now_us: int,
        columns: Sequence[str] | None = None,
        where: Mapping[str, Any] | None = None,
        since_us: int | None = None,
    ) -> Columns:
        """The rows of a category as known at `now_us`: the newest revision of each key, a recorded
        one where there is any, ordered by key.

        `columns` (all by default) are those to give; `where` holds columns to values they must
        equal, or be among when the value is a tuple; `since_us` leaves out what was true before.
        Raises TimeGuardError for a category or column there is none of, StoreError when a file is
        missing or damaged.
        """
        keys = ", ".join(f'"{name}"' for name in BY_NAME[_known(category)].key)
        conditions = ["available_at <= $now"]
        values: dict[str, Any] = {"now": now_us}
        if "trade_date" in BY_NAME[category].columns:
            conditions.append("trade_date <= $through")
            values["through"] = published_through(now_us)
        if since_us is not None:
            conditions.append("as_of >= $since")
            values["since"] = since_us
        tail = (
            f"QUALIFY row_number() OVER (PARTITION BY {keys} "
            f"ORDER BY synthetic, available_at DESC, {silence(category)}, source_digest) = 1 "
            f"ORDER BY {keys}"
        )
        entries = [e for e in self.entries(category) if _first_known(e) <= now_us]
        return self._ask(category, entries, columns, where, conditions, values, tail)

    def window(
        self,
        category: str,
        *,
        from_us: int,
        past_us: int,
        entries: Sequence[Entry],
        columns: Sequence[str],
        where: Mapping[str, Any] | None = None,
        in_order: bool = True,
    ) -> Columns:
        """What became known from one instant until just before another, in the order it did: the
        stream a feed is made of, revisions and repetitions included.

        `columns` may be SQL expressions of columns; without `in_order` the rows come as the files
        have them.
        """
        conditions = ["available_at >= $from", "available_at < $past"]
        values = {"from": from_us, "past": past_us}
        wanted = [e for e in entries if _first_known(e) < past_us and _last_known(e) >= from_us]
        keys = ", ".join(f'"{name}"' for name in BY_NAME[_known(category)].key)
        order = f"ORDER BY available_at, {keys}, {silence(category)} DESC, source_digest"
        tail = order if in_order else ""
        return self._ask(category, wanted, columns, where, conditions, values, tail)

    def moments(
        self, category: str, entries: Sequence[Entry], *, where: Mapping[str, Any] | None = None
    ) -> list[int]:
        """The instants (µs UTC) at which rows became known, ascending."""
        columns = self._ask(
            category, entries, ["DISTINCT available_at AS available_at"], where, ["true"], {}, ""
        )
        return sorted(columns["available_at"].tolist()) if columns else []

    def _ask(
        self,
        category: str,
        entries: Sequence[Entry],
        columns: Sequence[str] | None,
        where: Mapping[str, Any] | None,
        conditions: Sequence[str],
        values: dict[str, Any],
        tail: str,
    ) -> Columns:
        known = columns_of(_known(category))
        own = BY_NAME[category].columns
        shown = list(columns or ("as_of", "available_at", "source_digest", *own))
        if not entries:
            return {}
        tests = list(conditions)
        for number, (name, value) in enumerate((where or {}).items()):
            if name not in known:
                msg = f"{category} has no column {name!r}, expected one of {', '.join(known)}"
                raise TimeGuardError(msg)
            among = list(value) if isinstance(value, tuple) else [value]
            tests.append(f'"{name}" IN (SELECT unnest($w{number}))')
            values[f"w{number}"] = among
        files = ", ".join(f"'{sql_text(str(self.path_of(entry)))}'" for entry in entries)
        query = (
            f"SELECT {', '.join(_quoted(name) for name in shown)} "  # noqa: S608 - own names, quoted
            f"FROM read_parquet([{files}], union_by_name = true) "
            f"WHERE {' AND '.join(tests)} {tail}"
        )
        return self._connection.execute(query, values).fetchnumpy()

    @cached_property
    def _connection(self) -> DuckDBPyConnection:
        """One for all that is asked: to open one costs more than most answers."""
        return connect()

    def path_of(self, entry: Entry) -> Path:
        """The file of an entry, its bytes checked once."""
        digest = entry.accepted.digest
        if digest not in self._paths:
            self._paths[digest] = self._store.path_of(entry.accepted)
        return self._paths[digest]


def published_through(now_us: int) -> date:
    """The last trade date whose end-of-day record is out at an instant.

    Outside the calendar every day counts as a market day, so that nothing is out too early.
    """
    day = ist_date(now_us)
    if now_us < instant_us(day, PUBLISHED):
        day -= timedelta(days=1)
    try:
        while not calendar().is_market_day(day, known_at_us=now_us):
            day -= timedelta(days=1)
        return calendar().previous_market_day(day, known_at_us=now_us)
    except CalendarError:
        return day - timedelta(days=1)


def _known(category: str) -> str:
    if category not in BY_NAME:
        msg = f"the store has no category {category!r}, expected one of {', '.join(BY_NAME)}"
        raise TimeGuardError(msg)
    return category


def _quoted(column: str) -> str:
    return f'"{column}"' if column.isidentifier() else column


def _first_known(entry: Entry) -> int:
    return entry.ranges["available_at"][0]


def _last_known(entry: Entry) -> int:
    return entry.ranges["available_at"][1]
