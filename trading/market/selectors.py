"""Reading the market store: what is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from trading.market.categories import CATEGORIES, Category
from trading.market.importers.registry import IMPORTERS
from trading.market.store import Entry, MarketStore

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


class HeldSource(msgspec.Struct, frozen=True):
    """A source's rows of one category: `name` says who publishes it, `file` where it
    was read.
    """

    name: str
    file: str
    digest: str
    synthetic: bool
    rows: int


class HeldCategory(msgspec.Struct, frozen=True):
    """What the store holds of one category; ranges are the first and last µs UTC, None when it
    holds nothing.
    """

    name: str
    title: str
    description: str
    rows: int
    as_of: tuple[int, int] | None
    available_at: tuple[int, int] | None
    sources: tuple[HeldSource, ...]

    @property
    def synthetic(self) -> bool:
        """Whether any of it was made up."""
        return any(source.synthetic for source in self.sources)


class MarketCatalogue(msgspec.Struct, frozen=True):
    """Every category, in the order of docs/market.md, with what is held of it."""

    root: str
    generation: int
    categories: tuple[HeldCategory, ...]


def market_catalogue(*, root: Path) -> MarketCatalogue:
    """What the store under `root` holds of each category, by its catalogue alone; raises StoreError
    when that is unreadable.
    """
    catalogue = MarketStore(root).catalogue()
    by_category: dict[str, list[Entry]] = {}
    for entry in catalogue.entries:
        by_category.setdefault(entry.category, []).append(entry)
    held = tuple(_held(category, by_category.get(category.name, [])) for category in CATEGORIES)
    return MarketCatalogue(str(root), catalogue.generation, held)


def _held(category: Category, entries: list[Entry]) -> HeldCategory:
    return HeldCategory(
        name=category.name,
        title=category.title,
        description=category.description,
        rows=sum(entry.accepted.rows for entry in entries),
        as_of=_range(entries, "as_of"),
        available_at=_range(entries, "available_at"),
        sources=tuple(
            HeldSource(
                name=entry.source.name,
                file=_file_of(entry),
                digest=entry.source.digest,
                synthetic=entry.source.synthetic,
                rows=entry.accepted.rows,
            )
            for entry in entries
        ),
    )


def _file_of(entry: Entry) -> str:
    source = entry.source
    return f"{source.file}/{source.member}" if source.member else source.file


def _range(entries: list[Entry], stamp: str) -> tuple[int, int] | None:
    ranges = [entry.ranges[stamp] for entry in entries]
    if not ranges:
        return None
    return min(first for first, _ in ranges), max(last for _, last in ranges)


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
