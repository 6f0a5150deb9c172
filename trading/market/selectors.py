"""Reading the market store: what is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from trading.market.importers.registry import IMPORTERS
from trading.market.store import MarketStore

if TYPE_CHECKING:
    from pathlib import Path


class StoredSummary(msgspec.Struct, frozen=True):
    """One imported source: what it is called, what it covers, how much of it was taken; `days` and
    `files` by category.
    """

    source: str
    name: str
    synthetic: bool
    seed: int | None
    days: dict[str, dict[str, tuple[str, ...]]]
    counts: dict[str, Any]
    files: dict[str, str]


class StoreStatus(msgspec.Struct, frozen=True):
    """The store's generation and its sources, in the order they were added."""

    root: str
    generation: int
    sources: tuple[StoredSummary, ...]


class Format(msgspec.Struct, frozen=True):
    """What can be imported: its importer, in words, and the categories it gives rows of."""

    name: str
    title: str
    categories: tuple[str, ...]


def market_formats() -> tuple[Format, ...]:
    """Everything that can be imported, in the order importers are asked."""
    return tuple(Format(i.NAME, i.TITLE, i.CATEGORIES) for i in IMPORTERS)


def market_status(*, root: Path) -> StoreStatus:
    """What the store under `root` holds; raises StoreError when a file of it is damaged."""
    store = MarketStore(root)
    catalogue = store.catalogue()
    summaries = []
    for made in catalogue.imports:
        for stored in made.stored:
            store.path_of(stored)
        source = made.source
        summaries.append(
            StoredSummary(
                source=source.name,
                name=f"{source.file}/{source.member}" if source.member else source.file,
                synthetic=source.synthetic,
                seed=source.seed,
                days={file.category: file.days for file in made.files},
                counts=made.counts,
                files={file.category: file.accepted.file for file in made.files},
            )
        )
    return StoreStatus(str(root), catalogue.generation, tuple(summaries))
