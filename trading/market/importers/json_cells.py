"""JSON answers of brokers into the temporary table `cells`, every number as the text it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from trading.market.importers import ImportRefusedError
from trading.market.importers.column_map import PATH
from trading.market.importers.tabular import cell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import duckdb

    from trading.market.importers.head import FileHead, SourceFile

_Shape: TypeAlias = "Callable[[Any, Sequence[str]], list[dict[str, Any]] | None]"


def json_text(head: FileHead) -> str:
    """The beginning of a JSON file, as far as its head goes."""
    return "\n".join(head.lines)


def read_json(source: SourceFile) -> Any:
    """A JSON file with its numbers as texts; raises ImportRefusedError with one line for a damaged
    one.
    """
    try:
        text = Path(source.plain).read_text(encoding=source.head.encoding or "utf-8")
        return json.loads(text.lstrip("\ufeff"), parse_float=str, parse_int=str)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        msg = f"{source.path}: damaged JSON file ({error})"
        raise ImportRefusedError(msg) from error


def load_json(
    connection: duckdb.DuckDBPyConnection,
    source: SourceFile,
    kind: str,
    names: Sequence[str],
    paths: Sequence[str] = (),
) -> Any:
    """Fill `cells` of a file of `candles` (rows of values by position), `columns` (a list of values
    for each name), `objects` (a list of objects) or `keyed` (an object of objects, its keys the
    first name), at the paths of keys or wherever the first of that shape is; gives the whole.

    A name may be a path within an object (`market_data.ltp`).
    """
    whole = read_json(source)
    records: list[dict[str, Any]] = []
    for path in paths or ("",):
        found = _SHAPES[kind](_at(whole, path), names)
        if found is None:
            msg = f"{source.path}: no {kind} {path or 'anywhere'} in this JSON file"
            raise ImportRefusedError(f"{msg}; expected {', '.join(names)}")
        records.extend({**record, PATH: path} for record in found)
    load_records(connection, records, (*names, PATH))
    return whole


def value_at(whole: Any, path: str) -> str | None:
    """The text at a path of keys, None where there is none."""
    return text_of(_at(whole, path))


def load_records(
    connection: duckdb.DuckDBPyConnection,
    records: Sequence[dict[str, Any]],
    names: Iterable[str],
) -> None:
    """Fill `cells` with records, numbered from 1."""
    texts = {cell(name)[1:-1]: _texts(_value(record, name) for record in records) for name in names}
    numbers = np.arange(1, len(records) + 1, dtype=np.int64)
    if not records:
        columns = ", ".join(f"{cell(name)} VARCHAR" for name in names)
        connection.execute(f"CREATE OR REPLACE TEMP TABLE cells (source_row BIGINT, {columns})")
        return
    connection.register("json_records", {"source_row": numbers, **texts})
    columns = ", ".join(f"CAST({cell(name)} AS VARCHAR) AS {cell(name)}" for name in names)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE cells AS SELECT source_row, {columns} FROM json_records"  # noqa: S608
    )
    connection.unregister("json_records")


def text_of(value: Any) -> str | None:
    """A JSON value as the text of a cell, null where there is none."""
    if value is None:
        return None
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else json.dumps(value)


def _texts(values: Iterable[Any]) -> np.ndarray[Any, np.dtype[np.object_]]:
    return np.array([text_of(value) for value in values], dtype=object)


def _at(found: Any, path: str) -> Any:
    for key in path.split(".") if path else ():
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _value(record: dict[str, Any], name: str) -> Any:
    return record[name] if name in record else _at(record, name)


def _candles(found: Any, names: Sequence[str]) -> list[dict[str, Any]] | None:
    if isinstance(found, dict) and isinstance(found.get("candles"), list):
        rows = (row if isinstance(row, list) else [] for row in found["candles"])
        return [dict(zip(names, row, strict=False)) for row in rows]
    return _first_within(found, names, _candles)


def _columns(found: Any, names: Sequence[str]) -> list[dict[str, Any]] | None:
    if isinstance(found, dict) and all(isinstance(found.get(name), list) for name in names[:5]):
        held = {name: found.get(name) or [] for name in names}
        return [
            {name: values[at] if at < len(values) else None for name, values in held.items()}
            for at in range(max(len(values) for values in held.values()))
        ]
    return _first_within(found, names, _columns)


def _objects(found: Any, names: Sequence[str]) -> list[dict[str, Any]] | None:
    if isinstance(found, list):
        if found and all(isinstance(item, dict) for item in found) and names[0] in found[0]:
            return found
        return None
    return _first_within(found, names, _objects)


def _keyed(found: Any, names: Sequence[str]) -> list[dict[str, Any]] | None:
    if not isinstance(found, dict):
        return None
    return [{names[0]: key, **item} for key, item in found.items() if isinstance(item, dict)]


def _first_within(found: Any, names: Sequence[str], look: _Shape) -> list[dict[str, Any]] | None:
    values = found.values() if isinstance(found, dict) else ()
    return next((inner for value in values if (inner := look(value, names)) is not None), None)


_SHAPES: dict[str, _Shape] = {
    "candles": _candles,
    "columns": _columns,
    "objects": _objects,
    "keyed": _keyed,
}
