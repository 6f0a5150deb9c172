"""Bhavcopies in the exchange's UDiFF layout, made up: every column and kind of row of the real
files, packed as they are, half of the contracts without a trade, the same bytes each time.
"""

from __future__ import annotations

import gzip
from datetime import date, timedelta
from itertools import chain, islice
from typing import TYPE_CHECKING

from trading.market.calendar import calendar
from trading.market.contracts import expiries, lot_size
from trading.market.importers.udiff_bhavcopy import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIRST_DAY = date(2026, 1, 1)
MARKET_ROWS = 45_000
INDEX_ROWS = 4_000
_AHEAD = timedelta(days=89)
_INDICES = {"NIFTY": (26_150, 50), "BANKNIFTY": (59_700, 100)}  # level and strike step, points
_STRIKES_EACH_SIDE = 160
_SHARES, _SHARE_LEVEL, _SHARE_STEP, _SHARE_LOT = 210, 1_200, 20, 500
_SHARE_STRIKES_EACH_SIDE = 17


def write_market_day(path: Path) -> None:
    """Write a day of the whole market, MARKET_ROWS rows."""
    shares = chain.from_iterable(_share_rows(number) for number in range(_SHARES))
    _write(path, islice(chain(_index_rows(FIRST_DAY), shares), MARKET_ROWS), MARKET_ROWS)


def write_index_days(folder: Path, days: int) -> None:
    """Write a file of INDEX_ROWS rows of the indices for each of so many market days."""
    last = FIRST_DAY + timedelta(days=2 * days)
    for day in islice(calendar().market_days(FIRST_DAY, last), days):
        path = folder / f"BhavCopy_NSE_FO_0_0_0_{day:%Y%m%d}_F_0000.csv.gz"
        _write(path, islice(_index_rows(day), INDEX_ROWS), INDEX_ROWS)


def _write(path: Path, rows: Iterator[dict[str, object]], expected: int) -> None:
    lines = [",".join(COLUMNS)]
    lines += [",".join(str(row.get(column, "")) for column in COLUMNS) for row in rows]
    if len(lines) != expected + 1:
        raise RuntimeError(f"{path.name}: {len(lines) - 1} rows made, expected {expected}")
    path.write_bytes(gzip.compress("\n".join((*lines, "")).encode(), mtime=0))


def _index_rows(day: date) -> Iterator[dict[str, object]]:
    for name, (level, step) in _INDICES.items():
        for expiry in expiries(name, day, day + _AHEAD):
            lot = lot_size(name, expiry, day)
            yield _row(day, name, "IDF", expiry, level, lot)
            for offset in range(-_STRIKES_EACH_SIDE, _STRIKES_EACH_SIDE + 1):
                strike = round(level / step) * step + offset * step
                for right in ("CE", "PE"):
                    yield _row(day, name, "IDO", expiry, level, lot, strike, right)


def _share_rows(number: int) -> Iterator[dict[str, object]]:
    name = f"SHARE{number:03}"
    for expiry in expiries("BANKNIFTY", FIRST_DAY, FIRST_DAY + _AHEAD):
        yield _row(FIRST_DAY, name, "STF", expiry, _SHARE_LEVEL, _SHARE_LOT)
        for offset in range(-_SHARE_STRIKES_EACH_SIDE, _SHARE_STRIKES_EACH_SIDE + 1):
            strike = _SHARE_LEVEL + offset * _SHARE_STEP
            for right in ("CE", "PE"):
                yield _row(FIRST_DAY, name, "STO", expiry, _SHARE_LEVEL, _SHARE_LOT, strike, right)


def _row(
    day: date,
    name: str,
    kind: str,
    expiry: date,
    level: int,
    lot: int,
    strike: int | None = None,
    right: str = "",
) -> dict[str, object]:
    """One contract's day: an option is worth what it would pay and something for the time left."""
    if strike is None:
        price, suffix = float(level), "FUT"
    else:
        pays = max(0, level - strike) if right == "CE" else max(0, strike - level)
        price, suffix = pays + level / (20 + abs(level - strike) / 10), f"{strike}{right}"
    traded = strike is None or (strike // 10 + expiry.day) % 2 == 0
    volume = 20 + (strike or 0) % 97 if traded else 0
    prices = (price, price * 1.1, price * 0.9) if traded else (0.0, 0.0, 0.0)
    return {
        "TradDt": day,
        "BizDt": day,
        "Sgmt": "FO",
        "Src": "NSE",
        "FinInstrmTp": kind,
        "FinInstrmId": 40_000 + (strike or 0) % 9_973,
        "TckrSymb": name,
        "XpryDt": expiry,
        "FininstrmActlXpryDt": expiry,
        "StrkPric": "" if strike is None else f"{strike:.2f}",
        "OptnTp": right,
        "FinInstrmNm": f"{name}{expiry:%y%m%d}{suffix}",
        **dict(zip(("OpnPric", "HghPric", "LwPric"), map(_to_the_tick, prices), strict=True)),
        "ClsPric": _to_the_tick(price),
        "LastPric": _to_the_tick(prices[0]),
        "PrvsClsgPric": _to_the_tick(price * 1.02),
        "UndrlygPric": f"{level:.2f}",
        "SttlmPric": _to_the_tick(price),
        "OpnIntrst": lot * (volume * 3),
        "ChngInOpnIntrst": lot * (volume % 7 - 3),
        "TtlTradgVol": volume,
        "TtlTrfVal": f"{price * volume * lot:.2f}",
        "TtlNbOfTxsExctd": volume // 2,
        "SsnId": "F1",
        "NewBrdLotQty": lot,
    }


def _to_the_tick(rupees: float) -> str:
    return f"{round(rupees * 20) / 20:.2f}"
