"""The option chain as the exchange's site lets it be downloaded (CSV): one row a strike, calls left
and puts right under names that come twice, so columns go by their place; or one side alone.

Quoted quantities are units, open interest and volume contracts; a dash is a missing value. It says
no time, no underlying and no expiry. The time must be given (`--known-at`): the file was known
then, and was true at the last moment before it at which the market was open. Underlying and expiry
stand in the file's name; they are believed only if the calendar has that expiry and the quantities
are of whole lots of that contract.
"""

from __future__ import annotations

import csv
import re
from datetime import date, datetime
from typing import TYPE_CHECKING

from trading.market.calendar import CalendarError
from trading.market.contracts import ContractError, expiries, lot_size
from trading.market.importers import ImportRefusedError, reasons
from trading.market.importers.chains import (
    Leg,
    last_trading_us,
    leg_numbers,
    leg_values,
    share_of_whole_lots,
)
from trading.market.importers.tabular import cell, is_broken, load_csv, parse, stage_category
from trading.market.importers.text import cleaned, literal, price
from trading.market.ist import ist_date

if TYPE_CHECKING:
    import duckdb

    from trading.market.importers.head import FileHead, SourceFile

NAME = "site_option_chain"
VERSION = 1
SOURCE_NAME = "nse-site-option-chain"
CATEGORIES = ("chain_snapshots",)
TITLE = "an option chain downloaded from the exchange's site"
CADENCE_US = 60_000_000
REFUSALS = (reasons.BROKEN_ROW, reasons.BAD_STRIKE, *reasons.NUMBERS, *reasons.CONFLICTS)
DROPS = reasons.REPETITIONS

_CALLS = (
    "OI",
    "CHNG IN OI",
    "VOLUME",
    "IV",
    "LTP",
    "CHNG",
    "BID QTY",
    "BID",
    "ASK",
    "ASK QTY",
    "STRIKE",
)
_PUTS = (
    "STRIKE",
    "BID QTY",
    "BID",
    "ASK",
    "ASK QTY",
    "CHNG",
    "LTP",
    "IV",
    "VOLUME",
    "CHNG IN OI",
    "OI",
)
# Other spellings of a name: of 2022, and of the page before 2020.
_SPELLINGS = {
    "BID PRICE": "BID",
    "ASK PRICE": "ASK",
    "STRIKE PRICE": "STRIKE",
    "NET CHNG": "CHNG",
    "CHART": "",
}


def _named(side: str, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name if name == "STRIKE" else f"{side} {name}" for name in names)


# The header's names as they are, to names that come once.
_FORMS = {
    _CALLS: _named("CALL", _CALLS),
    _PUTS: _named("PUT", _PUTS),
    ("", *_CALLS, *_PUTS[1:], ""): (
        "left",
        *_named("CALL", _CALLS),
        *_named("PUT", _PUTS[1:]),
        "right",
    ),
}
_UNDERLYING = re.compile(r"(?<![A-Z])(BANKNIFTY|FINNIFTY|MIDCPNIFTY|NIFTYNXT50|NIFTY)(?![A-Z])")
_EXPIRY = re.compile(r"(?<!\d)(\d{1,2})[-_ ]?([A-Za-z]{3})[-_ ]?(\d{4})(?!\d)")


def recognises(head: FileHead) -> bool:
    """Whether one of the first lines is the header of a chain, or of one of its sides."""
    return _header(head) is not None


def stage(connection: duckdb.DuckDBPyConnection, source: SourceFile) -> None:
    """Fill the staged table; see the importer protocol. Raises ImportRefusedError without a time,
    and for a name that tells no contract or another than the rows.
    """
    if source.known_at_us is None:
        msg = f"{source.path}: says no time; give the time it was downloaded with --known-at"
        raise ImportRefusedError(msg)
    header = _header(source.head)
    names, rows = header if header is not None else ((), 0)
    underlying, expiry = _contract(source)
    as_of = _as_of(source, source.known_at_us)
    _check_expiry(source, underlying, expiry, as_of)
    load_csv(
        connection,
        source,
        names,
        header_rows=rows,
        encoding="utf-8" if source.head.encoding.startswith("utf-8") else "latin-1",
        clean=cleaned,
    )
    legs = {side: _leg(side.upper()) for side in ("call", "put") if f"{side.upper()} OI" in names}
    _check_lots(connection, source, legs, underlying, expiry, as_of)
    parse(
        connection,
        names,
        {
            "as_of": str(as_of),
            "available_at": str(source.known_at_us),
            "collection_stamp": str(source.known_at_us),
            "underlying": literal(underlying),
            "expiry": f"DATE '{expiry}'",
            "strike_paise": price(cell("STRIKE")),
            **{n: sql for side, leg in legs.items() for n, sql in leg_values(side, leg).items()},
        },
        reasons=[
            (is_broken(names), reasons.BROKEN_ROW),
            ("strike_paise IS NULL", reasons.BAD_STRIKE),
        ],
        numbers=leg_numbers(legs.values(), "STRIKE"),
    )
    stage_category(connection, "chain_snapshots")


def _header(head: FileHead) -> tuple[tuple[str, ...], int] | None:
    """The names of the columns by place, and the number of rows up to the header."""
    reader = csv.reader(line.lstrip("\ufeff") + "\n" for line in head.lines)
    try:
        for number, fields in enumerate(reader, start=1):
            spelt = (" ".join(field.split()).upper() for field in fields)
            names = _FORMS.get(tuple(_SPELLINGS.get(name, name) for name in spelt))
            if names is not None:
                return names, number
    except csv.Error:
        return None
    return None


def _leg(side: str) -> Leg:
    names = ("BID", "ASK", "BID QTY", "ASK QTY", "LTP", "OI", "VOLUME")
    return Leg(*(f"{side} {name}" for name in names))


def _contract(source: SourceFile) -> tuple[str, date]:
    underlying = _UNDERLYING.search(source.name)
    expiry = _EXPIRY.search(source.name)
    try:
        if underlying is not None and expiry is not None:
            day = datetime.strptime("-".join(expiry.groups()), "%d-%b-%Y")  # noqa: DTZ007 - a date
            return underlying[1], day.date()
    except ValueError:
        pass
    msg = (
        f"{source.path}: no column says underlying and expiry; expected a file named as the site "
        "does, option-chain-ED-NIFTY-DD-MMM-YYYY.csv"
    )
    raise ImportRefusedError(msg)


def _as_of(source: SourceFile, known_at_us: int) -> int:
    try:
        return last_trading_us(known_at_us)
    except CalendarError as error:
        msg = f"{source.path}: no session before the time of --known-at: {error}"
        raise ImportRefusedError(msg) from error


def _check_expiry(source: SourceFile, underlying: str, expiry: date, as_of: int) -> None:
    try:
        regular = expiries(underlying, expiry, expiry, known_at_us=source.known_at_us)
    except (CalendarError, ContractError):
        return  # not on record; the lots must do
    if expiry not in regular or expiry < ist_date(as_of):
        msg = f"{source.path}: its name says {expiry}, no expiry of {underlying} still to come"
        raise ImportRefusedError(msg)


def _check_lots(
    connection: duckdb.DuckDBPyConnection,
    source: SourceFile,
    legs: dict[str, Leg],
    underlying: str,
    expiry: date,
    as_of: int,
) -> None:
    try:
        lot = lot_size(underlying, expiry, ist_date(as_of), known_at_us=source.known_at_us)
    except ContractError:
        return
    share = share_of_whole_lots(connection, legs.values(), str(lot))
    if share is not None and share < 1:
        msg = (
            f"{source.path}: its name says {underlying} {expiry}, but its quantities are not of "
            f"whole lots of {lot}"
        )
        raise ImportRefusedError(msg)
