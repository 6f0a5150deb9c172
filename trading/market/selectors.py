"""Reading the market store: what is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from trading.market.store import MarketStore

if TYPE_CHECKING:
    from pathlib import Path


class StoredSummary(msgspec.Struct, frozen=True):
    """One imported source: what it is called, what it covers, how much of it was taken."""

    category: str
    source: str
    name: str
    synthetic: bool
    seed: int | None
    days: dict[str, tuple[str, ...]]
    rows: int
    counts: dict[str, Any]
    file: str


class StoreStatus(msgspec.Struct, frozen=True):
    """The store's generation and its sources, in the order they were added."""

    root: str
    generation: int
    sources: tuple[StoredSummary, ...]


def market_status(*, root: Path) -> StoreStatus:
    """What the store under `root` holds; raises StoreError when a file of it is damaged."""
    store = MarketStore(root)
    catalogue = store.catalogue()
    summaries = []
    for entry in catalogue.entries:
        store.path_of(entry.accepted)
        if entry.rejected:
            store.path_of(entry.rejected)
        summaries.append(
            StoredSummary(
                category=entry.category,
                source=entry.source.name,
                name=entry.source.file,
                synthetic=entry.source.synthetic,
                seed=entry.source.seed,
                days=entry.days,
                rows=entry.accepted.rows,
                counts=entry.counts,
                file=entry.accepted.file,
            )
        )
    return StoreStatus(str(root), catalogue.generation, tuple(summaries))
