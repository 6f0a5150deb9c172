"""Input tables of a function under trial: columns of one length, each row with the instant it was
true (`as_of`) and the instant it could be known (`available_at`), µs UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Column = np.ndarray[Any, np.dtype[Any]]
TIMES = ("as_of", "available_at")


class TableError(ValueError):
    """A table that breaks its own rules; the text names the column and what was expected."""


@dataclass(frozen=True)
class Table:
    """Rows ascending in `available_at`. `labels` names the columns that hold categories, `contract`
    those that say which instrument a row is about; every other column holds values.
    """

    columns: Mapping[str, Column]
    labels: tuple[str, ...] = ()
    contract: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in (*TIMES, *self.labels, *self.contract):
            if name not in self.columns:
                msg = f"no column {name}, expected one of {', '.join(self.columns)}"
                raise TableError(msg)
        for name, column in self.columns.items():
            if column.shape != (len(self),):
                msg = f"column {name} has the shape {column.shape}, expected ({len(self)},)"
                raise TableError(msg)
        for name in TIMES:
            if self.columns[name].dtype != np.int64:
                msg = f"column {name} is {self.columns[name].dtype}, expected int64"
                raise TableError(msg)
        if np.any(np.diff(self.available_at) < 0):
            msg = "rows are not ascending in available_at"
            raise TableError(msg)

    def __len__(self) -> int:
        return len(self.columns["available_at"])

    def __getitem__(self, name: str) -> Column:
        return self.columns[name]

    @property
    def available_at(self) -> Column:
        """When each row could be known, µs UTC."""
        return self.columns["available_at"]

    @property
    def values(self) -> tuple[str, ...]:
        """The columns that are neither times nor labels nor contract."""
        apart = {*TIMES, *self.labels, *self.contract}
        return tuple(name for name in self.columns if name not in apart)

    def take(self, rows: Column) -> Table:
        """The rows of an index or a mask."""
        return self.replace({name: column[rows] for name, column in self.columns.items()})

    def replace(self, columns: Mapping[str, Column]) -> Table:
        """A table with these columns in place of the ones of the same name."""
        return Table({**self.columns, **columns}, self.labels, self.contract)

    def until(self, cut_us: int) -> Table:
        """The rows available at an instant."""
        return self.take(self.available_at <= cut_us)

    def after(self, cut_us: int) -> Table:
        """The rows that become available later."""
        return self.take(self.available_at > cut_us)


Tables = Mapping[str, Table]


def joined(*tables: Table) -> Table:
    """The rows of several tables of one shape in the order they become available; of rows of one
    instant those of the earlier table first.
    """
    first = tables[0]
    columns = {
        name: np.concatenate([table.columns[name] for table in tables]) for name in first.columns
    }
    order = np.argsort(columns["available_at"], kind="stable")
    ordered = {name: column[order] for name, column in columns.items()}
    return Table(ordered, first.labels, first.contract)
