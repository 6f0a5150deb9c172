"""What a spine is made of: cards, and their tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from journal.facts import said

if TYPE_CHECKING:
    from journal.selectors import StoredEvent


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a card's table; `kind` is `word`, `figure` or `wide`."""

    name: str
    kind: str = "word"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: its text, its column's kind and the colour of what it says."""

    text: str
    kind: str = "word"
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """What a card holds, ready to be shown."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    open: bool = True


@dataclass(frozen=True, slots=True)
class Card:
    """One link of the spine.

    `since_us` is the time since the card above (None for the first); `tone` is empty, `good`,
    `stop` or `asked`.
    """

    stage: str
    event: StoredEvent
    headline: str
    since_us: int | None = None
    tone: str = ""
    asked: bool = False
    last: bool = True  # of the cards this event gives
    synthetic: bool = False
    gross: bool = False
    table: Table | None = None
    why_not: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Spine:
    """The answer to one "why?"."""

    asked: StoredEvent
    title: str
    cards: tuple[Card, ...]
    synthetic: bool
    others: tuple[StoredEvent, ...]
    cut: bool


@dataclass(frozen=True, slots=True)
class Telling:
    """What an event's kind says about it."""

    headline: str
    table: Table | None = None
    tone: str = ""
    stage: str = ""
    gross: bool = False
    why_not: tuple[str, ...] = ()


def facts_table(values: dict[str, Any], *, opened: bool = True) -> Table:
    rows = tuple(
        (Cell(name), Cell(said(name, value), "figure" if _is_number(value) else "wide"))
        for name, value in values.items()
    )
    return Table(columns=(), rows=rows, open=opened)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
