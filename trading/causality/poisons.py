"""Poisons: another future for a table. Every row available at the cut stays as it is; what becomes
available later is changed.

No single one is enough: one that keeps the multiset of the future does not show a leak through a
full-sample rank, and only a shorter or longer future shows parameters that depend on the length.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from trading.causality.tables import TIMES, Column, Table, joined

HUGE = 1e6
EXTRA_ROWS = 2000
REVISED_ROWS = 50
_INTEGER_LIMIT = 2**62

Change = Callable[[Table, int, np.random.Generator], Table | None]


class Poison(NamedTuple):
    """A way to change the future of a table; `change(table, cut_us, random)` is None where the
    table has nothing it could change.
    """

    name: str
    change: Change


def poisoned(table: Table, poison: Poison, cut_us: int, seed: int) -> Table | None:
    """A table with another future after a cut (µs UTC), a function of the seed alone; None where
    the poison does not apply.
    """
    random = np.random.Generator(np.random.Philox(seed))
    return poison.change(table, cut_us, random)


def _missing(table: Table, cut_us: int, random: np.random.Generator) -> Table | None:
    return _values_after(table, cut_us, _as_missing)


def _huge(table: Table, cut_us: int, random: np.random.Generator) -> Table | None:
    return _values_after(table, cut_us, lambda column: _garbage(column, random))


def _infinite(table: Table, cut_us: int, random: np.random.Generator) -> Table | None:
    def change(column: Column) -> Column:
        signs = np.where(np.arange(len(column)) % 2, -1.0, 1.0)
        return _cast(signs * np.inf, column)

    return _values_after(table, cut_us, change)


def _mirror(table: Table, cut_us: int, random: np.random.Generator) -> Table | None:
    """Every value on the other side of the last one known."""
    past, future = table.until(cut_us), table.after(cut_us)
    if not len(future) or not table.values:
        return None
    changed = {}
    for name in table.values:
        known = _floats(past[name] if len(past) else future[name])
        known = known[np.isfinite(known)]
        anchor = float(known[-1]) if len(known) else 0.0
        changed[name] = _cast(2 * anchor - _floats(future[name]), future[name])
    return joined(past, future.replace(changed))


def _reverse(table: Table, cut_us: int, random: np.random.Generator) -> Table | None:
    return _reordered(table, cut_us, lambda count: np.arange(count)[::-1])


def _shuffled(table: Table, cut_us: int, random: np.random.Generator) -> Table | None:
    return _reordered(table, cut_us, random.permutation)


def _dropped(table: Table, cut_us: int, random: np.random.Generator) -> Table | None:
    return table.until(cut_us) if len(table.after(cut_us)) else None


def _longer(table: Table, cut_us: int, random: np.random.Generator) -> Table | None:
    """As many rows again and more, in the rhythm of the table, the values wandering on."""
    if not len(table):
        return None
    gaps = np.diff(table.available_at)
    rhythm = max(1, int(np.median(gaps[gaps > 0]))) if np.any(gaps > 0) else 1
    steps = rhythm * np.arange(1, EXTRA_ROWS + 1)
    start = max(int(table.available_at[-1]), cut_us)
    rows = table.take(np.full(EXTRA_ROWS, len(table) - 1))
    wandering = 1.0 + np.cumsum(random.normal(0.0, 0.01, EXTRA_ROWS))
    changed = {name: _cast(_floats(rows[name]) * wandering, rows[name]) for name in table.values}
    lag = int(table["available_at"][-1] - table["as_of"][-1])
    times = {"available_at": start + steps, "as_of": start + steps - lag}
    return joined(table, rows.replace({**changed, **times}))


def _relabelled(table: Table, cut_us: int, random: np.random.Generator) -> Table | None:
    """Every label another one of its column."""
    past, future = table.until(cut_us), table.after(cut_us)
    if not len(future) or not table.labels:
        return None
    changed = {}
    for name in table.labels:
        known = sorted(set(table[name].tolist()), key=repr)
        following = dict(zip(known, [*known[1:], known[0]], strict=True))
        if len(known) == 1:
            following = {known[0]: _other(known[0])}
        column = future[name].copy()
        column[:] = [following[label] for label in future[name].tolist()]
        changed[name] = column
    return joined(past, future.replace(changed))


def _contracts(table: Table, cut_us: int, random: np.random.Generator) -> Table | None:
    """Rows about instruments that did not exist before, at values beyond all others."""
    if not len(table) or not table.contract:
        return None
    future = table.after(cut_us)
    rows = future if len(future) else table.take(np.arange(len(table))[-REVISED_ROWS:])
    keys = {}
    for name in table.contract:
        column = rows[name].copy()
        column[:] = [_other(value) for value in rows[name].tolist()]
        keys[name] = column
    values = {name: _garbage(rows[name], random) for name in table.values}
    at = np.maximum(rows.available_at, cut_us + 1)
    return joined(table, rows.replace({**keys, **values, "available_at": at}))


def _revised(table: Table, cut_us: int, random: np.random.Generator) -> Table | None:
    """Late revisions of rows that were known: the same `as_of`, other values, available later."""
    past = table.until(cut_us)
    if not len(past):
        return None
    rows = past.take(np.arange(len(past))[-REVISED_ROWS:])
    values = {name: _garbage(rows[name], random) for name in table.values}
    at = np.full(len(rows), cut_us + 1, dtype=np.int64)
    return joined(table, rows.replace({**values, "available_at": at}))


POISONS = (
    Poison("missing", _missing),
    Poison("huge", _huge),
    Poison("mirror", _mirror),
    Poison("reverse", _reverse),
    Poison("infinite", _infinite),
    Poison("dropped", _dropped),
    Poison("longer", _longer),
    Poison("shuffled", _shuffled),
    Poison("relabelled", _relabelled),
    Poison("contracts", _contracts),
    Poison("revised", _revised),
)


def _values_after(table: Table, cut_us: int, change: Callable[[Column], Column]) -> Table | None:
    past, future = table.until(cut_us), table.after(cut_us)
    if not len(future) or not table.values:
        return None
    changed = {name: change(future[name]) for name in table.values}
    return joined(past, future.replace(changed))


def _reordered(table: Table, cut_us: int, order: Callable[[int], Column]) -> Table | None:
    """The future's rows in another order, at the times there were."""
    past, future = table.until(cut_us), table.after(cut_us)
    if len(future) < 2:
        return None
    rows = order(len(future))
    moved = {name: column[rows] for name, column in future.columns.items() if name not in TIMES}
    return joined(past, future.replace(moved))


def _as_missing(column: Column) -> Column:
    if column.dtype == object:
        return np.full(len(column), None, dtype=object)
    return _cast(np.full(len(column), np.nan), column)


def _garbage(column: Column, random: np.random.Generator) -> Column:
    return _cast(HUGE * random.normal(0.0, 1.0, len(column)), column)


def _floats(column: Column) -> Column:
    if column.dtype == object:
        return np.array([np.nan if value is None else float(value) for value in column])
    return column.astype(np.float64)


def _cast(values: Column, like: Column) -> Column:
    """Numbers in the dtype of a column; what it cannot hold becomes the nearest it can."""
    if like.dtype.kind == "f":
        return values.astype(like.dtype)
    if like.dtype == object:
        column = np.empty(len(values), dtype=object)
        column[:] = [float(value) for value in values]
        return column
    whole = np.nan_to_num(
        values, nan=-_INTEGER_LIMIT, posinf=_INTEGER_LIMIT, neginf=-_INTEGER_LIMIT
    )
    if like.dtype == bool:
        flipped: Column = np.logical_not(like)
        return flipped
    held: Column = np.clip(np.rint(whole), -_INTEGER_LIMIT, _INTEGER_LIMIT).astype(like.dtype)
    return held


def _other(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int | float) else f"{value}?"
