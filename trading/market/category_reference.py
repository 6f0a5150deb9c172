"""docs/market.md: every category of the market store, written from the categories themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading.market.categories import CATEGORIES, COMMON_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trading.market.categories import Category

_COMMON = {
    "as_of": "when the row was true, µs UTC",
    "available_at": "when it could be known, µs UTC",
    "source_digest": "SHA-256 of the file it came from, or of what generated it; of rows out of a "
    "session's log the hash of the last line exported with them, to which the lines before it lead",
    "synthetic": "whether it was made up",
    "generator": "what made it up, with its version; null for recorded data",
    "seed": "of the generator",
    "mode": "of the generator",
}
# What the end of a column's name says of its unit.
_UNITS = {
    "_paise": "paise",
    "_contracts": "contracts",
    "_quantity": "units",
    "_us": "µs",
    "_percent": "percent",
    "_fraction": "fraction",
    "_e9": "parts in 10⁹",
    "_minutes": "minutes",
    "_at": "µs UTC",
    "_stamp": "µs UTC",
    "_volatility": "fraction",
}


def category_reference() -> str:
    """The whole page, in Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Categories of the market store"
    yield ""
    yield "Written by `make docs` from `trading/market/categories.py`; do not edit."
    yield ""
    yield (
        "Rows of one key and one `available_at` that give different values contradict each other "
        "and are refused. A null says nothing: a row that gives nothing new is dropped, one that "
        "gives what was missing is kept, completed with what was known, and read in its place "
        "(in tables with a status and a source a null is a statement like any value). A row of the "
        "same key at a later `available_at` is a revision, whole as it stands, and both are "
        "kept. Times are µs UTC, prices integer paise (hundredths of the quoted currency where a "
        "market is not Indian); a missing number is null, never zero."
    )
    yield ""
    yield "Every row also has:"
    yield ""
    yield "| column | type | what it is |"
    yield "|---|---|---|"
    for name, kind in COMMON_COLUMNS.items():
        yield f"| `{name}` | {kind} | {_COMMON[name]} |"
    for category in CATEGORIES:
        yield ""
        yield from _category(category)


def _category(category: Category) -> Iterator[str]:
    yield f"## {category.title} (`{category.name}`)"
    yield ""
    yield category.description
    yield ""
    yield f"Key: {', '.join(f'`{name}`' for name in category.key)}."
    yield ""
    yield "| column | type | unit |"
    yield "|---|---|---|"
    for name, kind in category.columns.items():
        yield f"| `{name}` | {kind} | {_unit(name)} |"


def _unit(name: str) -> str:
    stem = name.rstrip("0123456789").rstrip("_")
    for end, unit in _UNITS.items():
        if stem.endswith(end):
            return unit
    return ""
