"""Columns of the store as rows of plain values."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trading.market.timeguard import Columns

Row = dict[str, Any]


def as_rows(columns: Columns) -> list[Row]:
    """Columns as rows, None for missing, dates as dates."""
    lists = as_lists(columns)
    return [dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)]


def as_lists(columns: Columns) -> dict[str, list[Any]]:
    """Columns as lists of plain values, None for missing, dates as dates."""
    return {name: _plain(column) for name, column in columns.items()}


def by_underlying(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Rows by what they are of, in their order."""
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["underlying"]].append(row)
    return found


def _plain(column: np.ndarray[Any, np.dtype[Any]]) -> list[Any]:
    if np.issubdtype(column.dtype, np.datetime64):
        column = column.astype("datetime64[D]")
    return list(np.ma.masked_array(column).tolist())
