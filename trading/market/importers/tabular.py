"""From the rows of a file to the staged rows of categories, in SQL, in three steps all importers
of tables share: `cells` (the file's fields as text), `parsed` (typed values, the first reason
against each row) and `staged_<category>`.
"""

from __future__ import annotations

import csv
import glob
from typing import TYPE_CHECKING, NamedTuple

import duckdb

from trading.market.categories import own_columns
from trading.market.importers import ImportRefusedError
from trading.market.importers.daily import publish
from trading.market.importers.reasons import (
    NEGATIVE,
    NOT_A_NUMBER,
    NOT_A_PAISA,
    NOT_WHOLE,
    TOO_LARGE,
)
from trading.market.importers.text import (
    any_of,
    is_negative,
    is_number,
    is_paise,
    is_signed_whole,
    is_whole,
    literal,
    quoted,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from trading.market.importers.head import SourceFile


class Numbers(NamedTuple):
    """SQL of the texts of a row that must be numbers of each kind, or missing."""

    paise: Sequence[str] = ()
    whole: Sequence[str] = ()
    signed_whole: Sequence[str] = ()
    real: Sequence[str] = ()  # not negative
    signed_real: Sequence[str] = ()


def cell(name: str) -> str:
    """SQL of a field of the file, a VARCHAR."""
    return quoted("@" + name)


def load_csv(
    connection: duckdb.DuckDBPyConnection,
    source: SourceFile,
    names: Sequence[str],
    *,
    header_rows: int = 1,
    encoding: str = "utf-8",
    clean: Callable[[str], str] | None = None,
) -> None:
    """Fill the temporary table `cells` from a CSV: a column `@name` for each name by position, and
    `source_row`, the row's number in the file with the header's counted.

    A cell that is not there is null, an empty one is empty; `@` holds what stands beyond the last
    name. `clean` is put around each cell. Raises ImportRefusedError for what cannot be read as
    text.
    """
    columns = ", ".join(f"{literal('@' + name)}: 'VARCHAR'" for name in (*names, ""))
    cells = "*" if clean is None else _cleaned_cells(names, clean)
    try:
        connection.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE cells AS
            SELECT row_number() OVER () AS source_row, {cells}
            FROM read_csv({literal(glob.escape(str(source.plain)))}, columns = {{{columns}}},
              auto_detect = false, delim = ',', quote = '"', escape = '"', header = false,
              nullstr = '\x01', null_padding = true, strict_mode = false,
              encoding = '{encoding}', parallel = false)
            QUALIFY source_row > {header_rows}
            """  # noqa: S608
        )
    except duckdb.Error as error:
        raise unreadable(source, error) from error


def load_parquet(
    connection: duckdb.DuckDBPyConnection, source: SourceFile, names: Sequence[str]
) -> None:
    """Fill the temporary table `cells` from the named columns of a Parquet file, each as text."""
    columns = ", ".join(f"CAST({quoted(name)} AS VARCHAR) AS {cell(name)}" for name in names)
    path = literal(glob.escape(str(source.plain)))
    try:
        connection.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE cells AS
            SELECT 1 + file_row_number AS source_row, {columns}
            FROM read_parquet({path}, file_row_number = true)
            """  # noqa: S608
        )
    except duckdb.Error as error:
        raise unreadable(source, error) from error


def header_names(line: str) -> tuple[str, ...]:
    """The names of a header's line, stripped; one without a name is called by its position."""
    fields = next(csv.reader([line.lstrip("\ufeff")]))
    names = (" ".join(field.split()) for field in fields)
    return tuple(name or f"column {number}" for number, name in enumerate(names, start=1))


def unreadable(source: SourceFile, error: Exception) -> ImportRefusedError:
    """The refusal of a file that DuckDB cannot read, with the telling line of its message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = next((line for line in lines if "unicode" in line.lower()), lines[0])
    return ImportRefusedError(f"{source.path}: cannot be read ({telling})")


def is_broken(names: Sequence[str]) -> str:
    """Whether a row of a CSV's `cells` has another number of fields than the header."""
    return f"({cell(names[-1])} IS NULL OR {cell('')} IS NOT NULL)"


def parse(
    connection: duckdb.DuckDBPyConnection,
    names: Sequence[str],
    values: Mapping[str, str],
    *,
    reasons: Sequence[tuple[str, str]],
    numbers: Numbers,
    trade_date: str | None = None,
    join: str = "",
) -> None:
    """Fill the temporary table `parsed` from `cells`: the values by name, `source_row`, `outcome`
    and `raw`.

    `reasons` are pairs of SQL condition and reason in order of precedence, and may use the names of
    values and the columns of a `join`; then the numbers are looked at. With the SQL of a trade date
    every row gets the `as_of` and `available_at` of a daily publication, or is refused because the
    calendar cannot tell them.
    """
    refusal = "NULL"
    if trade_date is not None:
        publish(connection, f"SELECT DISTINCT {trade_date} FROM cells")  # noqa: S608
        join = f"LEFT JOIN publication ON published_day = {trade_date} {join}"
        values = {**values, "as_of": "closes_us", "available_at": "published_us"}
        refusal = "refusal"
    columns = ",\n".join(f"{sql} AS {quoted(name)}" for name, sql in values.items())
    fields = ", ".join(f"{literal(name)}, {cell(name)}" for name in names)
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE parsed AS
        SELECT source_row, {columns},
          {_first_reason(reasons, numbers, refusal)} AS outcome,
          CASE WHEN outcome IS NOT NULL THEN CAST(json_object({fields}) AS VARCHAR) END AS raw
        FROM cells {join}
        """  # noqa: S608
    )


def stage_category(
    connection: duckdb.DuckDBPyConnection,
    category: str,
    values: Mapping[str, str] | None = None,
    *,
    where: str = "true",
    rows: str = "parsed",
) -> None:
    """Fill `staged_<category>` from the temporary table `rows`. A column of the category is the SQL
    of `values`, else the column of that name, else null.
    """
    held = {str(row[0]) for row in connection.execute(f"DESCRIBE {rows}").fetchall()}
    given = values or {}

    def value(name: str) -> str:
        return given.get(name, quoted(name) if name in held else "NULL")

    columns = ",\n".join(
        f"CAST({value(name)} AS {kind}) AS {quoted(name)}"
        for name, kind in own_columns(category).items()
    )
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE staged_{category} AS
        SELECT {columns}, CAST(source_row AS BIGINT) AS source_row, outcome, raw
        FROM {rows} WHERE {where}
        """  # noqa: S608
    )


def _cleaned_cells(names: Sequence[str], clean: Callable[[str], str]) -> str:
    """Every cell cleaned, one that is not there still null."""
    cells = ", ".join(
        f"CASE WHEN {cell(name)} IS NOT NULL THEN {clean(cell(name))} END AS {cell(name)}"
        for name in names
    )
    return f"{cells}, {cell('')}"


def _first_reason(reasons: Sequence[tuple[str, str]], numbers: Numbers, otherwise: str) -> str:
    branches = [
        f"WHEN coalesce({condition}, false) THEN '{reason}'" for condition, reason in reasons
    ]
    return f"CASE {' '.join(branches)} {_number_reason(numbers)} ELSE {otherwise} END"


def _number_reason(numbers: Numbers) -> str:
    """Branches of a CASE: whether anything is wrong is cheap to see, what it is need not be."""
    signed = (*numbers.signed_whole, *numbers.signed_real)
    unsigned = (*numbers.paise, *numbers.whole, *numbers.real)
    wrong = any_of(
        (
            *(f"NOT {is_paise(text)}" for text in numbers.paise),
            *(f"NOT {is_whole(text)}" for text in numbers.whole),
            *(f"NOT {is_signed_whole(text)}" for text in numbers.signed_whole),
            *(f"NOT {is_number(text)} OR {is_negative(text)}" for text in numbers.real),
            *(f"NOT {is_number(text)}" for text in numbers.signed_real),
        )
    )
    wholes = (*numbers.whole, *numbers.signed_whole)
    return f"""
        WHEN {wrong} THEN CASE
          WHEN {any_of(f"NOT {is_number(text)}" for text in (*unsigned, *signed))}
            THEN '{NOT_A_NUMBER}'
          WHEN {any_of(is_negative(text) for text in unsigned)} THEN '{NEGATIVE}'
          WHEN {any_of(_too_large(text) for text in (*unsigned, *signed))} THEN '{TOO_LARGE}'
          WHEN {any_of(f"NOT {is_signed_whole(text)}" for text in wholes)} THEN '{NOT_WHOLE}'
          ELSE '{NOT_A_PAISA}'
        END
    """


def _too_large(text: str) -> str:
    return f"abs(TRY_CAST({text} AS DOUBLE)) >= 1e15"
