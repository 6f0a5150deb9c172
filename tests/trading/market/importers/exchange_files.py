"""Small files of every form the exchange gives, with invented rows."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb

from trading.market.importers import (
    api_option_chain,
    chain_2018,
    chain_minutes_2019,
    contract_history,
    daily_report,
    expiry_calendar,
    holiday_master,
    index_close,
    index_futures,
    index_history,
    india_vix,
    legacy_bhavcopy,
    participant_oi,
    site_option_chain,
    span_ranges,
    udiff_bhavcopy,
    volatility_file,
)

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

KNOWN_AT_US = 1_770_445_800_000_000  # Saturday 7 Feb 2026, 12:00 IST; Friday's close is before it


class TextFile(NamedTuple):
    """A form of file: its importer, the name the exchange gives it, and a small one of it."""

    importer: ModuleType
    name: str
    text: str
    known_at_us: int | None = None
    vital: str = ""  # a name of the header it cannot do without; the last one if not said

    def write(self, folder: Path, text: str | None = None) -> Path:
        path = folder / self.name
        path.write_text(self.text if text is None else text, encoding="utf-8")
        return path


def _lines(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


def udiff_row(**changes: str) -> str:
    """A traded call of an invented series, on 5 Jan 2026."""
    values = dict.fromkeys(udiff_bhavcopy.COLUMNS, "")
    values |= {
        "TradDt": "2026-01-05",
        "BizDt": "2026-01-05",
        "Sgmt": "FO",
        "Src": "NSE",
        "FinInstrmTp": "IDO",
        "FinInstrmId": "41001",
        "TckrSymb": "NIFTY",
        "XpryDt": "2026-01-06",
        "FininstrmActlXpryDt": "2026-01-06",
        "StrkPric": "26100.00",
        "OptnTp": "CE",
        "FinInstrmNm": "NIFTY2610626100CE",
        "OpnPric": "101.05",
        "HghPric": "120.00",
        "LwPric": "88.10",
        "ClsPric": "95.55",
        "LastPric": "95.40",
        "PrvsClsgPric": "99.95",
        "UndrlygPric": "26111.15",
        "SttlmPric": "95.55",
        "OpnIntrst": "6500",
        "ChngInOpnIntrst": "-130",
        "TtlTradgVol": "21",
        "TtlTrfVal": "35767725.75",
        "TtlNbOfTxsExctd": "17",
        "SsnId": "F1",
        "NewBrdLotQty": "65",
    }
    values |= changes
    return ",".join(values.values())


def udiff_future(**changes: str) -> str:
    future = {
        "FinInstrmTp": "IDF",
        "FinInstrmId": "50010",
        "XpryDt": "2026-01-27",
        "FininstrmActlXpryDt": "2026-01-27",
        "StrkPric": "",
        "OptnTp": "",
        "FinInstrmNm": "NIFTY26JANFUT",
        "ClsPric": "26190.10",
        "SttlmPric": "26190.10",
    }
    return udiff_row(**(future | changes))


def udiff_text(*rows: str) -> str:
    return _lines(",".join(udiff_bhavcopy.COLUMNS), *rows)


UDIFF = TextFile(
    udiff_bhavcopy,
    "BhavCopy_NSE_FO_0_0_0_20260105_F_0000.csv",
    udiff_text(
        udiff_row(),
        udiff_future(),
        udiff_row(OptnTp="PE", FinInstrmNm="NIFTY2610626100PE", FinInstrmId="41002"),
    ),
)
LEGACY_HEADER = ",".join(legacy_bhavcopy.COLUMNS) + ","
LEGACY = TextFile(
    legacy_bhavcopy,
    "fo02JAN2024bhav.csv",
    _lines(
        LEGACY_HEADER,
        "FUTIDX,NIFTY,25-Jan-2024,0,XX,21800,21811.05,21650.5,21700,21700,120,130440.75,610050,"
        "-1500,02-JAN-2024,",
        "OPTIDX,NIFTY,04-Jan-2024,21700,CE,90.5,99,70,81.25,81.25,4000,43560.31,1250000,50,"
        "02-JAN-2024,",
        "OPTIDX,NIFTY,04-Jan-2024,21700,PE,0,0,0,75,77.1,0,0,0,0,02-JAN-2024,",
    ),
)
LEGACY_VARIANT = TextFile(
    legacy_bhavcopy,
    "fo03FEB2025bhav.csv",
    _lines(
        ",".join((*legacy_bhavcopy.COLUMNS, "EXPIRY_DT_FINAL")),
        "FUTIDX,NIFTY,27-Feb-2025,,,23500,23600,23400,23550.5,23550.5,10,176.63,750,75,03-Feb-2025,"
        "27-Feb-2025",
        "OPTIDX,NIFTY,2025-02-06,23500,CE,90.5,99,70,81.25,81.25,40,705.5,1250,50,2025-02-03,"
        "2025-02-06",
    ),
    vital="SETTLE_PR",
)
OPTIONS_REPORT = TextFile(
    daily_report,
    "op28072025.csv",
    _lines(
        "INSTRUMENT ,SYMBOL     ,EXP_DATE  ,STR_PRICE ,OPT_TYPE,OPEN_PRICE,HI_PRICE ,LO_PRICE ,"
        "CLOSE_PRICE,OPEN_INT*,TRD_QTY ,NO_OF_CONT,NO_OF_TRADE,NOTION_VAL ,PR_VAL",
        "OPTIDX     ,NIFTY      ,31/07/2025,  24700.00,CE      ,    110.50,   130.00,    80.05,"
        "     90.15,   75000,    7500,       100,         90,186000000.00,825000.00",
        "OPTIDX     ,NIFTY      ,31/07/2025,  24700.00,PE      ,      0.00,     0.00,     0.00,"
        "    101.00,    1500,       0,         0,          0,0.00,0.00",
    ),
    vital="STR_PRICE",
)
FUTURES_REPORT = TextFile(
    daily_report,
    "fo28072025.csv",
    _lines(
        "INSTRUMENT ,SYMBOL,EXP_DATE  ,OPEN_PRICE,HI_PRICE,LO_PRICE,CLOSE_PRICE,OPEN_INT*,TRD_VAL,"
        "TRD_QTY,NO_OF_CONT,NO_OF_TRADE",
        "FUTIDX     ,NIFTY ,28/08/2025,  24800.00,24900.50,24700.00,   24750.25,   150000,"
        "185626875.00,7500,100,80",
        "FUTSTK     ,ABCCO ,28/08/2025,  100.00,101.00,99.00,   100.50,   500,50250.00,500,1,1",
    ),
)
HISTORY_HEADER = (
    "Symbol  ,Date  ,Expiry  ,Option type  ,Strike Price  ,Open  ,High  ,Low  ,Close  ,LTP  ,"
    "Settle Price  ,No. of contracts  ,Turnover * in  ₹ Lakhs ,Premium Turnover ** in   ₹ Lakhs ,"
    "Open Int  ,Change in OI  ,Underlying Value  "
)
HISTORY = TextFile(
    contract_history,
    "OPTIDX_BANKNIFTY_CE_26-Jun-2025_TO_26-Jul-2025.csv",
    _lines(
        HISTORY_HEADER,
        'BANKNIFTY,25-Jul-2025,31-Jul-2025,CE,56500.00,"1,010.00",1100,700,"820.05",819,820.05,'
        '"1,200","24,010.50",300.10,"42,000",-350,56528.90',
        "BANKNIFTY,24-Jul-2025,31-Jul-2025,CE,56500.00,-,-,-,1000.5,-,990,-,-,-,42350,0,57066.05",
    ),
)
INDEX_CLOSE = TextFile(
    index_close,
    "ind_close_all_03032025.csv",
    _lines(
        ",".join(index_close.COLUMNS),
        "Nifty 50,03-03-2025,22190.5,22260.05,22004.7,22111.11,"
        "-5.4,-.02,1000,2500.25,19.5,3.3,1.45",
        "India VIX,03-03-2025,13.9,14.3,13.5525,13.7,-.2,-1.4,-,-,-,-,-",
        "Nifty 1D Rate Index,03-03-2025,-,-,-,2399.1,.39,.02,-,-,-,-,.41",
    ),
)
VIX = TextFile(
    india_vix,
    "hist_india_vix.csv",
    _lines(
        "Date ,Open ,High ,Low ,Close ,Prev. Close ,Change ,% Change ",
        "06-JAN-2026,9.5,10.25,9.4,10.1225,9.5,.62,6.55",
        "05-JAN-2026,9.25,9.75,9.1,9.5,9.25,.25,2.7",
    ),
)
INDEX_HISTORY = TextFile(
    index_history,
    "NIFTY 50-01-01-2026-to-31-01-2026.csv",
    "\ufeff"
    + _lines(
        "Date ,Open ,High ,Low ,Close ,Shares Traded ,Turnover (₹ Cr)",
        "06-JAN-2026,26100.25,26200,26000.4,26111.1,301000,30010.05",
        "05-JAN-2026,26000,26150.15,25990,26100,250000,25000.5",
    ),
)
INDEX_FUTURES = TextFile(
    index_futures,
    "bhav_index.csv",
    _lines(
        ",".join(index_futures.COLUMNS),
        "2012-07-06,NIFTY,26-Jul-2012,5330.25,1000,2665.13,500000,,49.99",
        "2026-01-05,NIFTY,2026-01-27,26190.1,1000,1702356500,650000,65,65.0",
    ),
)
SPAN = TextFile(
    span_ranges,
    "span_psr.csv",
    _lines(
        ",".join(span_ranges.COLUMNS),
        "2012-07-06,NIFTY,201207,5340.5,374.9,7.02,0.04",
        "2026-01-05,NIFTY,20260127,26190.1,2422.05,9.248,0.04",
    ),
)
VOLATILITY = TextFile(
    volatility_file,
    "volatility.csv",
    _lines(
        ",".join(volatility_file.COMPILED),
        "2026-01-05,NIFTY,26100,26050.5,26190.1,26140,0.0071,0.0074,0.0074,0.1414",
        "2026-01-05,BANKNIFTY,59100.4,59000,59300,59200,0.0081,0.0084,0.0084,0.1605",
    ),
)
FOVOLT = TextFile(
    volatility_file,
    "FOVOLT_05012026.csv",
    _lines(
        "Date, Symbol, Underlying Close Price (A), Underlying Previous Day Close Price (B),"
        " Underlying Log Returns (C) = LN(A/B), Previous Day Underlying Volatility (D),"
        " Current Day Underlying Daily Volatility (E) = Sqrt(0.995*D*D + 0.005*C*C),"
        " Underlying Annualised Volatility (F) = E*Sqrt(365), Futures Close Price (G),"
        " Futures Previous Day Close Price (H), Futures Log Returns (I) = LN(G/H),"
        " Previous Day Futures Volatility (J),"
        " Current Day Futures Daily Volatility (K) = Sqrt(0.995*J*J + 0.005*I*I),"
        " Futures Annualised Volatility (L) = K*Sqrt(365),"
        " Applicable Daily Volatility (M) = Max (E or K),"
        " Applicable Annualised Volatility (N) = Max (F or L)",
        "05-Jan-2026,NIFTY,26100.00,26050.50,-0.0019,0.0072,0.0071,0.1356,26190.10,26140.00,"
        "-0.0019,0.0075,0.0074,0.1414,0.0074,0.1414",
    ),
    vital="(H)",
)
PARTICIPANTS = TextFile(
    participant_oi,
    "participant_oi.csv",
    _lines(
        "date,client_type," + ",".join(participant_oi.COLUMNS),
        "2026-01-05,Client,10,20,30.0,5.5,1,2,3,4,5,6,7,8,54,47.5",
        "2026-01-05,TOTAL,10,10,30,30,4,4,4,4,5,5,5,5,58,58",
    ),
)
PARTICIPANTS_OF_A_DAY = TextFile(
    participant_oi,
    "fao_participant_oi_05012026.csv",
    _lines(
        '"Participant wise Open Interest (no. of contracts) in Equity Derivatives as on '
        'Jan 05, 2026",,,,,,,,,,,,,,',
        "Client Type,"
        + ",".join(participant_oi.COLUMNS).replace("Stock Short", "Stock Short\t", 1),
        "Client,10,20,30,5,1,2,3,4,5,6,7,8,54,47",
    ),
    vital="Future Index Long",
)
HOLIDAYS = TextFile(
    holiday_master,
    "holiday-master.json",
    json.dumps(
        {
            "CM": [{"tradingDate": "01-Jan-2026", "weekDay": "Thursday", "description": "Other"}],
            "FO": [
                {"tradingDate": "26-Jan-2026", "weekDay": "Monday", "description": "Republic Day"},
                {"tradingDate": "03-Mar-2026", "weekDay": "Tuesday", "description": "Holi"},
            ],
        }
    ),
)
CHAIN_HEADER = (
    ",OI,CHNG IN OI,VOLUME,IV,LTP,CHNG,BID QTY,BID,ASK,ASK QTY,STRIKE,BID QTY,BID,ASK,ASK QTY,CHNG,"
    "LTP,IV,VOLUME,CHNG IN OI,OI,"
)
SITE_CHAIN = TextFile(
    site_option_chain,
    "option-chain-ED-NIFTY-30-Mar-2026.csv",
    _lines(
        "CALLS,,PUTS",
        CHAIN_HEADER,
        ',"2,05,721",-,"1,234",9.5,"1,100.05",-3,"1,300","1,099.95","1,101.20",65,"25,000.00",130,'
        "20.10,20.95,195,0.30,20.55,7.45,1,1,1,",
        ',-,-,-,-,-,-,-,-,-,-,"26,000.00",-,0,-,-,-,-,-,-,-,-,',
    ),
    KNOWN_AT_US,
    vital="STRIKE",
)
SITE_CALLS = TextFile(
    site_option_chain,
    "Calls_30_Mar_2026_NIFTY_50_25700.csv",
    _lines(
        "OI,CHNG IN OI,VOLUME,IV,LTP,CHNG,BID QTY,BID,ASK,ASK QTY,STRIKE",
        '10,-,5,9.5,"1,100.05",-3,"1,300","1,099.95","1,101.20",65,"25,000.00"',
    ),
    KNOWN_AT_US,
)
SITE_PUTS = TextFile(
    site_option_chain,
    "Puts_30_Mar_2026_NIFTY_50_25700.csv",
    _lines(
        "STRIKE,BID QTY,BID PRICE,ASK PRICE,ASK QTY,CHNG,LTP,IV,VOLUME,CHNG IN OI,OI",
        '"25,000.00",130,20.1,20.95,195,0.3,20.55,7.45,1,1,7',
    ),
    KNOWN_AT_US,
)


def leg(kind: str, strike: float, **changes: Any) -> dict[str, Any]:
    """One leg as the exchange's API gives it."""
    return {
        "strikePrice": strike,
        "expiryDate": "30-Mar-2026",
        "underlying": "NIFTY",
        "identifier": f"OPTIDXNIFTY30-03-2026{kind}{strike:.2f}",
        "openInterest": 13.666666666666666,
        "changeinOpenInterest": 0,
        "pchangeinOpenInterest": 0,
        "totalTradedVolume": 21,
        "impliedVolatility": 9.5,
        "lastPrice": 1100.05,
        "change": 0,
        "pChange": 0,
        "totalBuyQuantity": 6500,
        "totalSellQuantity": 650,
        "bidQty": 130,
        "bidprice": 1099.95,
        "askQty": 65,
        "askPrice": 1101.2,
        "underlyingValue": 25700.15,
    } | changes


def api_text(data: list[dict[str, Any]], stamp: str | None = "06-Feb-2026 11:30:00") -> str:
    records = {
        "expiryDates": ["30-Mar-2026"],
        "data": data,
        "timestamp": stamp,
        "underlyingValue": 25700.15,
        "strikePrices": [25000, 26000],
    }
    return json.dumps({"records": records, "filtered": {"data": []}})


def datum(strike: float, **legs: dict[str, Any]) -> dict[str, Any]:
    return {"strikePrice": strike, "expiryDate": "30-Mar-2026", **legs}


API_JSON = TextFile(
    api_option_chain,
    "option-chain-indices.json",
    api_text(
        [
            datum(25000, CE=leg("CE", 25000), PE=leg("PE", 25000, bidprice=0, bidQty=0)),
            datum(26000, PE=leg("PE", 26000)),
        ]
    ),
)
API_LEGS = TextFile(
    api_option_chain,
    "NIFTY_2026-02-06.csv",
    _lines(
        "strikePrice,expiryDate,PE,CE",
        f'25000,30-Mar-2026,"{leg("PE", 25000)}","{leg("CE", 25000)}"',
        f'26000,30-Mar-2026,"{leg("PE", 26000)}",',
    ),
    KNOWN_AT_US,
)

TABLES = (
    UDIFF,
    LEGACY,
    LEGACY_VARIANT,
    OPTIONS_REPORT,
    FUTURES_REPORT,
    HISTORY,
    INDEX_CLOSE,
    VIX,
    INDEX_HISTORY,
    INDEX_FUTURES,
    SPAN,
    VOLATILITY,
    FOVOLT,
    PARTICIPANTS,
    PARTICIPANTS_OF_A_DAY,
    SITE_CHAIN,
    SITE_CALLS,
    SITE_PUTS,
    API_LEGS,
)
JSON_FILES = (HOLIDAYS, API_JSON)
TEXT_FILES = (*TABLES, *JSON_FILES)


# --- Parquet --------------------------------------------------------------------------------------

PARQUET_IMPORTERS = (chain_2018, chain_minutes_2019, expiry_calendar)


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Rows as a Parquet file: text that looks like a moment as a timestamp, numbers as doubles."""
    with duckdb.connect() as connection:
        selects = [
            "SELECT " + ", ".join(f'{_sql(value)} AS "{name}"' for name, value in row.items())
            for row in rows
        ]
        connection.execute(f"COPY ({' UNION ALL '.join(selects)}) TO '{path}' (FORMAT parquet)")
    return path


def _sql(value: Any) -> str:
    if value is None:
        return "CAST(NULL AS DOUBLE)"
    if isinstance(value, str):
        kind = "TIMESTAMP" if len(value) == 19 and value[10] == " " else "VARCHAR"
        return f"CAST('{value}' AS {kind})"
    return f"CAST({value} AS DOUBLE)"


def chain_2018_row(strike: float, at: str, lot: int = 75, **changes: Any) -> dict[str, Any]:
    """A strike of a snapshot of the old page with the spot; quantities in lots of `lot`."""
    sides = {
        "Call": {"BidPrice": 50.05, "AskPrice": 50.4, "BidQty": 2 * lot, "AskQty": lot},
        "Put": {"BidPrice": 40.1, "AskPrice": 40.55, "BidQty": 3 * lot, "AskQty": 5 * lot},
    }
    common = {"LTP": 45.0, "OI": 10.0 * lot, "Volume": 11}
    values: dict[str, Any] = {
        f"{side}{name}": value
        for side, fields in sides.items()
        for name, value in (fields | common).items()
    }
    return {**values, "StrikePrice": strike, "CurrentVal": 10800.15, "snapshot_ist": at} | changes


def chain_minutes_row(strike: float, at: str, lot: int = 75, **changes: Any) -> dict[str, Any]:
    """A strike of a snapshot of the old page without the spot."""
    values = {
        f"{side}_{name}": value
        for side in ("c", "p")
        for name, value in {
            "bid": 50.05,
            "ask": 50.4,
            "bidqty": 2 * lot,
            "askqty": lot,
            "ltp": 50.2,
            "oi": 10.0 * lot,
            "vol": 11,
        }.items()
    }
    return {**values, "strike": strike, "snapshot_ist": at} | changes


def expiry_row(expiry: str, by_rule: str, **changes: Any) -> dict[str, Any]:
    return {
        "symbol": "NIFTY",
        "actual_expiry_date": expiry,
        "original_scheduled_expiry": by_rule,
        "expiry_type": "weekly",
        "mapping_status": "proven",
        "market_lot": 50,
        "source_id": "NSE_FO_BHAVCOPY_" + expiry.replace("-", ""),
    } | changes


def gzipped(path: Path) -> Path:
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    return packed
