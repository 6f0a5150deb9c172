"""Live objects: a feature fed one row at a time, against the same in one batch, across a restart,
and started late.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from trading.causality.answers import (
    Answer,
    Difference,
    answer_of,
    first_difference,
    largest_deviation,
    one_by_one,
)

if TYPE_CHECKING:
    from trading.causality.harness import Function
    from trading.causality.tables import Table, Tables

Row = Mapping[str, Any]


class Stream(Protocol):
    """A live feature: it answers each row as it comes (None: nothing to say), and its whole memory
    is in its dump, a JSON value.
    """

    def on(self, row: Row) -> Any: ...

    def dump(self) -> Any: ...


class Restored(Protocol):
    """Makes a live feature from a dump, bit-equal to the one that was dumped."""

    def __call__(self, dump: Any) -> Stream: ...


class Deviation(NamedTuple):
    """How far two runs are apart: the first difference of bits, and the largest of numbers."""

    difference: Difference | None
    largest: float


def fed(stream: Stream, table: Table, *, first: int = 0) -> Answer:
    """What a live feature answers to the rows of a table from one on, fed one at a time in the
    order they became available.
    """
    answers: dict[int, Any] = {}
    names = list(table.columns)
    columns = [table.columns[name].tolist() for name in names]
    for row in list(zip(*columns, strict=True))[first:]:
        values = dict(zip(names, row, strict=True))
        answer = stream.on(values)
        if answer is not None:
            answers[values["available_at"]] = answer
    return answer_of(answers)


def as_function(make: Callable[[], Stream], name: str) -> Function:
    """A live feature as a function of tables that feeds it one of them: so every poison applies."""

    def function(tables: Tables) -> Answer:
        return fed(make(), tables[name])

    return function


def streaming_difference(
    batch: Function, stream: Stream, tables: Tables, name: str
) -> Difference | None:
    """Where a live feature fed row by row differs from the batch function; None where every bit
    agrees. The batch may keep its numbers in arrays: values are compared, not dtypes.
    """
    return first_difference(one_by_one(answer_of(batch(tables))), fed(stream, tables[name]))


def restart_difference(
    make: Callable[[], Stream], restore: Restored, table: Table, stops: Sequence[int]
) -> Difference | None:
    """Where a run that is dumped, written as JSON and restored after each of these numbers of rows
    differs from one that was never stopped; None where every bit agrees.
    """
    unbroken = fed(make(), table)
    stream, parts, begin = make(), [], 0
    for stop in [*sorted(stops), len(table)]:
        part = table.take(np.arange(begin, stop))
        parts.append(fed(stream, part))
        stream, begin = restore(json.loads(json.dumps(stream.dump()))), stop
    return first_difference(unbroken, _joined(parts))


def late_start(
    make: Callable[[], Stream], table: Table, *, skipped: int, warm_up: int
) -> Deviation:
    """How far a run that missed the first rows is from a whole one, from `warm_up` rows after its
    start on. A window must be equal; a decaying average within its tolerance.
    """
    settled = int(table.available_at[min(skipped + warm_up, len(table) - 1)])
    whole = fed(make(), table).since(settled)
    late = fed(make(), table, first=skipped).since(settled)
    return Deviation(first_difference(whole, late), largest_deviation(whole, late))


def _joined(parts: Sequence[Answer]) -> Answer:
    values: dict[int, Any] = {}
    for part in parts:
        for row, at in enumerate(part.at.tolist()):
            values[at] = {name: column[row] for name, column in part.columns.items()}
    return answer_of(values)
