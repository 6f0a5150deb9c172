"""Final settlement prices out of the store: the record of the expiry day, else the index's own
figures, and never a guess.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from tests.market_rows import at, record_rows, store_rows
from trading.market.feed import settlements
from trading.market.store import MarketStore

if TYPE_CHECKING:
    from pathlib import Path

    from trading.execution.settlement import Settlements

EXPIRES, NEXT = date(2026, 3, 10), date(2026, 3, 11)
NAMES = ("NIFTY", "BANKNIFTY")


def found(root: Path) -> Settlements:
    return settlements(MarketStore(root), NAMES, EXPIRES)


def index_row(close_paise: int, name: str = "Nifty 50") -> dict[str, Any]:
    return {
        "as_of": at(EXPIRES, "15:30"),
        "available_at": at(NEXT, "09:00"),
        "trade_date": EXPIRES,
        "index": name,
        "close_paise": close_paise,
    }


def test_the_record_of_the_expiry_day_says_it(tmp_path: Path) -> None:
    rows = record_rows(EXPIRES, known=NEXT, settlement_paise=2_498_015)
    digest = store_rows(tmp_path, "bhavcopy_options", rows)
    (name, price), *rest = found(tmp_path).items()
    assert (name, rest) == ("NIFTY", [])
    assert (price.price_paise, price.source) == (2_498_015, "bhavcopy_options")
    assert (price.digest, price.synthetic) == (digest, False)
    assert price.published_at == at(NEXT, "09:00")
    assert "NIFTY options of 2026-03-10, settlement_paise at 24500 CE" in price.row


def test_failing_a_record_the_figures_of_the_index_say_it(tmp_path: Path) -> None:
    store_rows(tmp_path, "index_closes", [index_row(5_500_050, "Nifty Bank")])
    price = found(tmp_path)["BANKNIFTY"]
    assert (price.price_paise, price.source) == (5_500_050, "index_closes")
    assert price.row == "index_closes: Nifty Bank on 2026-03-10"


def test_rows_that_contradict_one_another_are_no_price(tmp_path: Path) -> None:
    rows = record_rows(EXPIRES, known=NEXT, settlement_paise=2_498_015)
    rows[3]["settlement_paise"] = 2_498_020
    store_rows(tmp_path, "bhavcopy_options", rows)
    store_rows(tmp_path, "index_closes", [index_row(2_498_015)])
    assert found(tmp_path) == {}


def test_a_day_s_closing_prices_are_not_taken_for_it(tmp_path: Path) -> None:
    rows = record_rows(EXPIRES, known=NEXT, expiry=date(2026, 3, 17))
    store_rows(tmp_path, "bhavcopy_options", rows)
    assert found(tmp_path) == {}


def test_a_recorded_price_comes_before_a_generated_one(tmp_path: Path) -> None:
    made = record_rows(EXPIRES, known=NEXT, settlement_paise=1)
    elsewhere = record_rows(EXPIRES, known=NEXT, forward=25_500_00, settlement_paise=1)
    for name, rows in (("made", made), ("made elsewhere", elsewhere)):
        store_rows(tmp_path, "bhavcopy_options", rows, name=name, synthetic=True)
    assert found(tmp_path)["NIFTY"].synthetic
    rows = record_rows(EXPIRES, known=NEXT, settlement_paise=2_498_015)
    store_rows(tmp_path, "bhavcopy_options", rows)
    assert found(tmp_path)["NIFTY"].price_paise == 2_498_015
