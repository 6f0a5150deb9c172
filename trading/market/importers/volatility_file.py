"""The exchange's daily volatility of each underlying: its own file of one day (FOVOLT, sixteen
columns known by their place, for their names are sentences), or many days compiled into nine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trading.market.importers import reasons
from trading.market.importers.tabular import (
    Numbers,
    cell,
    is_broken,
    load_csv,
    parse,
    stage_category,
)
from trading.market.importers.text import cleaned, day, price, real

if TYPE_CHECKING:
    import duckdb

    from trading.market.importers.head import FileHead, SourceFile

NAME = "volatility_file"
VERSION = 1
SOURCE_NAME = "nse-volatility"
CATEGORIES = ("volatility",)
TITLE = "the exchange's volatility file"
CADENCE_US = None
REFUSALS = (
    reasons.BROKEN_ROW,
    reasons.BAD_DATE,
    reasons.BAD_UNDERLYING,
    *reasons.NUMBERS,
    *reasons.PUBLICATION,
    *reasons.CONFLICTS,
)
DROPS = reasons.REPETITIONS

COMPILED = (
    "date",
    "symbol",
    "spot_close",
    "spot_prev",
    "fut_close",
    "fut_prev",
    "sigma_underlying",
    "sigma_futures",
    "sigma_applicable",
    "ann_applicable",
)


class _Form(NamedTuple):
    """Columns by place; those of the store map to their names in it."""

    columns: tuple[str, ...]
    prices: dict[str, str]
    reals: dict[str, str]


_COMPILED_FORM = _Form(
    COMPILED,
    {
        "close_paise": "spot_close",
        "previous_close_paise": "spot_prev",
        "future_close_paise": "fut_close",
        "future_previous_close_paise": "fut_prev",
    },
    {
        "volatility_day": "sigma_underlying",
        "future_volatility_day": "sigma_futures",
        "applicable_volatility_day": "sigma_applicable",
        "applicable_volatility_year": "ann_applicable",
    },
)
_EXCHANGE_COLUMNS = ("date", "symbol", *"ABCDEFGHIJKLMN")  # as its own names letter them
_EXCHANGE_FORM = _Form(
    _EXCHANGE_COLUMNS,
    {
        "close_paise": "A",
        "previous_close_paise": "B",
        "future_close_paise": "G",
        "future_previous_close_paise": "H",
    },
    {
        "log_return": "C",
        "previous_volatility_day": "D",
        "volatility_day": "E",
        "volatility_year": "F",
        "future_volatility_day": "K",
        "future_volatility_year": "L",
        "applicable_volatility_day": "M",
        "applicable_volatility_year": "N",
    },
)


def recognises(head: FileHead) -> bool:
    """Whether the header is that of the exchange's file or of the compiled one."""
    return head.columns == COMPILED or _is_exchange_form(head.columns)


def stage(connection: duckdb.DuckDBPyConnection, source: SourceFile) -> None:
    """Fill the staged table; see the importer protocol."""
    form = _EXCHANGE_FORM if _is_exchange_form(source.head.columns) else _COMPILED_FORM
    load_csv(connection, source, form.columns, clean=cleaned)
    trade_date = day(cell("date"), "%Y-%m-%d", "%d-%b-%Y", "%d-%b-%y")
    signed = [cell(column) for name, column in form.reals.items() if name == "log_return"]
    parse(
        connection,
        form.columns,
        {
            "trade_date": trade_date,
            "underlying": f"nullif({cell('symbol')}, '')",
            **{name: price(cell(column)) for name, column in form.prices.items()},
            **{name: real(cell(column)) for name, column in form.reals.items()},
        },
        reasons=[
            (is_broken(form.columns), reasons.BROKEN_ROW),
            ("trade_date IS NULL", reasons.BAD_DATE),
            ("underlying IS NULL", reasons.BAD_UNDERLYING),
        ],
        numbers=Numbers(
            paise=[cell(column) for column in form.prices.values()],
            real=[cell(column) for name, column in form.reals.items() if name != "log_return"],
            signed_real=signed,
        ),
        trade_date=trade_date,
    )
    stage_category(connection, "volatility")


def _is_exchange_form(columns: tuple[str, ...]) -> bool:
    return (
        len(columns) == len(_EXCHANGE_COLUMNS)
        and columns[:2] == ("Date", "Symbol")
        and all(
            f"({letter})" in name for letter, name in zip("ABCDEFGH", columns[2:10], strict=True)
        )
    )
