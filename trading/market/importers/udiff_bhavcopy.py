"""The exchange's F&O bhavcopy in the UDiFF form (from 8 July 2024): one row a contract, unsorted.

Open interest is units, volume contracts. A price of 0.00 is a missing one; a volume or an open
interest of 0 is nought. The settlement price of an expiry day is the index (or the share) itself.
The exchange's token is used again after an expiry, so it is no key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading.market.importers import reasons
from trading.market.importers.tabular import (
    Numbers,
    cell,
    is_broken,
    load_csv,
    parse,
    stage_category,
)
from trading.market.importers.text import iso_day, literals, paise, price, whole

if TYPE_CHECKING:
    import duckdb

    from trading.market.importers.head import FileHead, SourceFile

NAME = "udiff_bhavcopy"
VERSION = 1
SOURCE_NAME = "nse-udiff-bhavcopy"
CATEGORIES = ("bhavcopy_options", "bhavcopy_futures", "contract_master")
TITLE = "the exchange's F&O bhavcopy in the UDiFF form"
CADENCE_US = None
REFUSALS = (
    reasons.BROKEN_ROW,
    reasons.OTHER_EXCHANGE,
    reasons.BAD_DATE,
    reasons.BAD_INSTRUMENT,
    reasons.BAD_UNDERLYING,
    reasons.BAD_EXPIRY,
    reasons.EXPIRED,
    reasons.BAD_STRIKE,
    reasons.BAD_RIGHT,
    *reasons.NUMBERS,
    *reasons.PUBLICATION,
    *reasons.CONFLICTS,
)
DROPS = reasons.REPETITIONS

COLUMNS = (
    "TradDt",
    "BizDt",
    "Sgmt",
    "Src",
    "FinInstrmTp",
    "FinInstrmId",
    "ISIN",
    "TckrSymb",
    "SctySrs",
    "XpryDt",
    "FininstrmActlXpryDt",
    "StrkPric",
    "OptnTp",
    "FinInstrmNm",
    "OpnPric",
    "HghPric",
    "LwPric",
    "ClsPric",
    "LastPric",
    "PrvsClsgPric",
    "UndrlygPric",
    "SttlmPric",
    "OpnIntrst",
    "ChngInOpnIntrst",
    "TtlTradgVol",
    "TtlTrfVal",
    "TtlNbOfTxsExctd",
    "SsnId",
    "NewBrdLotQty",
    "Rmks",
    "Rsvd1",
    "Rsvd2",
    "Rsvd3",
    "Rsvd4",
)
_OPTIONS = ("IDO", "STO")
_FUTURES = ("IDF", "STF")
_PRICES = {
    "open_paise": "OpnPric",
    "high_paise": "HghPric",
    "low_paise": "LwPric",
    "close_paise": "ClsPric",
    "last_paise": "LastPric",
    "previous_close_paise": "PrvsClsgPric",
    "underlying_paise": "UndrlygPric",
    "settlement_paise": "SttlmPric",
    "strike_paise": "StrkPric",
}
_WHOLE = {
    "open_interest": "OpnIntrst",
    "volume_contracts": "TtlTradgVol",
    "trades": "TtlNbOfTxsExctd",
    "lot_size": "NewBrdLotQty",
    "exchange_token": "FinInstrmId",
}


def recognises(head: FileHead) -> bool:
    """Whether the header is that of the UDiFF form."""
    return head.columns == COLUMNS


def stage(connection: duckdb.DuckDBPyConnection, source: SourceFile) -> None:
    """Fill the staged tables; see the importer protocol."""
    load_csv(connection, source, COLUMNS)
    parse(
        connection,
        COLUMNS,
        _values(),
        reasons=_reasons(),
        numbers=Numbers(
            paise=[cell(name) for name in (*_PRICES.values(), "TtlTrfVal")],
            whole=[cell(name) for name in _WHOLE.values()],
            signed_whole=[cell("ChngInOpnIntrst")],
        ),
        trade_date=iso_day(cell("TradDt")),
    )
    is_future = f"coalesce(instrument IN ({literals(_FUTURES)}), false)"
    stage_category(connection, "bhavcopy_options", where=f"NOT {is_future}")
    stage_category(connection, "bhavcopy_futures", where=is_future)
    stage_category(connection, "contract_master", {"venue": "'NSE'"}, where="outcome IS NULL")


def _values() -> dict[str, str]:
    return {
        "trade_date": iso_day(cell("TradDt")),
        "instrument": cell("FinInstrmTp"),
        "underlying": f"nullif({cell('TckrSymb')}, '')",
        "expiry": iso_day(cell("XpryDt")),
        "right": f"nullif({cell('OptnTp')}, '')",
        "symbol": f"nullif({cell('FinInstrmNm')}, '')",
        **{name: price(cell(column)) for name, column in _PRICES.items()},
        **{name: whole(cell(column)) for name, column in _WHOLE.items()},
        "open_interest_change": whole(cell("ChngInOpnIntrst")),
        "turnover_paise": paise(cell("TtlTrfVal")),
        "settles_index": "trade_date = expiry AND settlement_paise IS NOT NULL",
    }


def _reasons() -> list[tuple[str, str]]:
    is_option = f"instrument IN ({literals(_OPTIONS)})"
    return [
        (is_broken(COLUMNS), reasons.BROKEN_ROW),
        (f"{cell('Src')} <> 'NSE'", reasons.OTHER_EXCHANGE),
        (f"trade_date IS NULL OR {cell('BizDt')} <> {cell('TradDt')}", reasons.BAD_DATE),
        (
            f"{cell('Sgmt')} <> 'FO' OR instrument NOT IN ({literals((*_OPTIONS, *_FUTURES))})",
            reasons.BAD_INSTRUMENT,
        ),
        ("underlying IS NULL OR symbol IS NULL", reasons.BAD_UNDERLYING),
        (
            f"expiry IS NULL OR {cell('FininstrmActlXpryDt')} <> {cell('XpryDt')}",
            reasons.BAD_EXPIRY,
        ),
        ("expiry < trade_date", reasons.EXPIRED),
        (f"({is_option}) = (strike_paise IS NULL)", reasons.BAD_STRIKE),
        (f"({is_option}) <> coalesce(\"right\" IN ('CE', 'PE'), false)", reasons.BAD_RIGHT),
    ]
