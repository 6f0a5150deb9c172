"""Rows of a category as columns, and the truth as it is collected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

Column = np.ndarray[Any, np.dtype[Any]]
Columns = dict[str, Column]


class Truth(NamedTuple):
    """One thing the generator did; times in µs UTC, what does not apply None."""

    kind: str
    underlying: str
    from_us: int
    until_us: int
    detail: str
    expiry: date | None = None
    strike_paise: int | None = None


def stacked(tables: Sequence[Columns]) -> Columns:
    """Tables of the same columns, one under another."""
    return {name: _joined([table[name] for table in tables]) for name in tables[0]}


def _joined(parts: Sequence[Column]) -> Column:
    whole = np.concatenate([np.ma.getdata(part) for part in parts])
    if not any(isinstance(part, np.ma.MaskedArray) for part in parts):
        return whole
    mask = np.concatenate([np.ma.getmaskarray(part) for part in parts])
    return np.ma.masked_array(whole, mask=mask)


def rows_of(table: Columns, chosen: Column) -> Columns:
    """Some rows of a table, chosen by a mask."""
    return {name: column[chosen] for name, column in table.items()}


def texts(text: str, count: int) -> Column:
    """A column of one text."""
    return np.full(count, text, dtype=object)


def dates(day: date, count: int) -> Column:
    """A column of one date."""
    return np.full(count, np.datetime64(day, "us"))


def nothing(count: int) -> Column:
    """A column of missing integers."""
    return np.ma.masked_array(np.zeros(count, dtype=np.int64), mask=True)
