"""The rows that imports refused, as they were, with their reasons. Nobody trades on them: they are
read here, page by page, to be looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trading.market.store import connect

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trading.market.store import Import, MarketStore


class RejectedRow(NamedTuple):
    """One refused row: where it stood (`row` counts from 1, without the header), why, and what it
    said.
    """

    file: str
    digest: str
    category: str
    row: int
    reason: str
    raw: str


def rejected_count(made: Import, reason: str) -> int:
    """How many rows of an import were refused, for one reason or (empty text) for any."""
    counts: dict[str, int] = made.counts["rejected"]
    return counts.get(reason, 0) if reason else sum(counts.values())


def rejected_rows(
    store: MarketStore, imports: Iterable[Import], *, reason: str, skip: int, limit: int
) -> tuple[RejectedRow, ...]:
    """At most `limit` refused rows of imports, in their order and that of their files, after the
    first `skip`. Only the files that hold them are opened. Raises StoreError for a damaged one.
    """
    rows: list[RejectedRow] = []
    for made in imports:
        count = rejected_count(made, reason)
        if skip >= count:
            skip -= count
        elif len(rows) < limit:
            rows += _rows_of(store, made, reason, skip, limit - len(rows))
            skip = 0
    return tuple(rows)


def _rows_of(
    store: MarketStore, made: Import, reason: str, skip: int, limit: int
) -> list[RejectedRow]:
    if made.rejected is None:
        return []
    path = store.path_of(made.rejected)
    with connect() as connection:
        found = connection.execute(
            "SELECT category, source_row, reason, raw FROM read_parquet($path) "
            "WHERE $reason = '' OR reason = $reason LIMIT $limit OFFSET $skip",
            {"path": str(path), "reason": reason, "limit": limit, "skip": skip},
        ).fetchall()
    source = made.source
    return [
        RejectedRow(source.label, source.digest, category, row, why, raw)
        for category, row, why, raw in found
    ]
