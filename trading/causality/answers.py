"""What a function under trial answers, and whether two answers are the same to the bit.

The same means: the same instants, the same columns, the same dtypes, None in the same places, and
equal bits in every number; only the payload of a NaN does not count.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from trading.causality.tables import Column


@dataclass(frozen=True)
class Answer:
    """Values by time: `at` are instants in µs UTC, ascending; the columns go with them."""

    at: Column
    columns: Mapping[str, Column]

    def until(self, cut_us: int) -> Answer:
        """The part that belongs to instants up to a cut."""
        seen = self.at <= cut_us
        return Answer(self.at[seen], {name: column[seen] for name, column in self.columns.items()})

    def since(self, start_us: int) -> Answer:
        """The part that belongs to instants from a start on."""
        seen = self.at >= start_us
        return Answer(self.at[seen], {name: column[seen] for name, column in self.columns.items()})


class Difference(NamedTuple):
    """The first place two answers differ: the column (`index` for the instants, `columns` for their
    names, `dtype NAME` for a type), the instant where there is one, and both sides as text.
    """

    column: str
    at_us: int | None
    before: str
    after: str


def answer_of(values: Answer | Mapping[int, Any]) -> Answer:
    """An answer as it is, or one of values by instant (each a value or a mapping of several)."""
    if isinstance(values, Answer):
        return values
    instants = sorted(values)
    rows = [
        dict(values[at]) if isinstance(values[at], Mapping) else {"value": values[at]}
        for at in instants
    ]
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: _objects([row.get(name) for row in rows]) for name in names}
    return Answer(np.array(instants, dtype=np.int64), columns)


def one_by_one(answer: Answer) -> Answer:
    """An answer with its values as Python's own, whatever arrays they were in."""
    columns = {name: _objects(column.tolist()) for name, column in answer.columns.items()}
    return Answer(answer.at, columns)


def words(column: Column) -> Column:
    """A column as comparable words: the bits of numbers with one NaN for all, anything else as
    bytes that tell types apart.
    """
    if column.dtype == np.float64:
        bits = column.view(np.uint64).copy()
        bits[np.isnan(column)] = np.uint64(0x7FF8000000000000)
        return bits
    if column.dtype.kind in "iubM":
        return column
    if column.dtype.kind == "f":
        return words(column.astype(np.float64))
    return _objects([_token(value) for value in column.tolist()])


def first_difference(before: Answer, after: Answer) -> Difference | None:
    """The first place where two answers are not the same to the bit; None where they are."""
    if list(before.columns) != list(after.columns):
        names = (", ".join(before.columns), ", ".join(after.columns))
        return Difference("columns", None, *names)
    for name, column in before.columns.items():
        other = after.columns[name]
        if column.dtype != other.dtype:
            return Difference(f"dtype {name}", None, str(column.dtype), str(other.dtype))
    if not np.array_equal(before.at, after.at):
        return _index_difference(before.at, after.at)
    for name, column in before.columns.items():
        unequal = np.flatnonzero(words(column) != words(after.columns[name]))
        if unequal.size:
            row = int(unequal[0])
            values = (repr(column[row]), repr(after.columns[name][row]))
            return Difference(name, int(before.at[row]), *values)
    return None


def largest_deviation(before: Answer, after: Answer) -> float:
    """The largest absolute difference of two answers over the same instants and columns; infinite
    where the instants, the columns or the places of missing values differ.
    """
    if list(before.columns) != list(after.columns) or not np.array_equal(before.at, after.at):
        return float("inf")
    largest = 0.0
    for name, column in before.columns.items():
        mine, theirs = _numbers(column), _numbers(after.columns[name])
        if not np.array_equal(np.isnan(mine), np.isnan(theirs)):
            return float("inf")
        apart = np.abs(mine - theirs)[~np.isnan(mine)]
        largest = max(largest, float(apart.max(initial=0.0)))
    return largest


def _index_difference(before: Column, after: Column) -> Difference:
    shared = min(len(before), len(after))
    unequal = np.flatnonzero(before[:shared] != after[:shared])
    row = int(unequal[0]) if unequal.size else shared
    sides = [str(side[row]) if row < len(side) else "nothing" for side in (before, after)]
    at = before[row] if row < len(before) else after[row]
    return Difference("index", int(at), *sides)


def _numbers(column: Column) -> Column:
    if column.dtype == object:
        return np.array([np.nan if value is None else float(value) for value in column])
    return column.astype(np.float64)


def _objects(values: list[Any]) -> Column:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _token(value: Any) -> bytes:
    if isinstance(value, float):
        return b"float " + (b"nan" if value != value else struct.pack("<d", value))
    return f"{type(value).__name__} {value!r}".encode()
