"""Rows that Python holds as the temporary table `staged_<category>` that imports judge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trading.market.categories import own_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import duckdb

_JUDGED = {"outcome": "VARCHAR", "raw": "VARCHAR"}


def stage_rows(
    connection: duckdb.DuckDBPyConnection, category: str, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Fill a category's staging table anew, rows numbered from 1; what a row leaves out is null,
    its `outcome` and `raw` included.
    """
    types = own_columns(category) | _JUDGED
    texts = {name: _texts(row.get(name) for row in rows) for name in types}
    texts["source_row"] = _texts(range(1, len(rows) + 1))
    casts = ", ".join(f'CAST("{name}" AS {kind}) AS "{name}"' for name, kind in types.items())
    connection.register("rows_to_stage", texts)
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE staged_{category} AS
        SELECT {casts}, CAST(source_row AS BIGINT) AS source_row FROM rows_to_stage
        """  # noqa: S608 - names of ours
    )
    connection.unregister("rows_to_stage")


def _texts(values: Iterable[object]) -> np.ndarray[Any, np.dtype[np.object_]]:
    return np.array([None if value is None else str(value) for value in values], dtype=object)
