"""The members of the exchange's daily report, and the trade date only their names tell."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from tests.trading.market.importers.exchange_files import FUTURES_REPORT, OPTIONS_REPORT
from tests.trading.market.importers.independent import at_ist
from tests.trading.market.importers.staging import stage
from trading.market.importers import ImportRefusedError, daily_report

if TYPE_CHECKING:
    from pathlib import Path


def test_options(tmp_path: Path) -> None:
    staged = stage(daily_report, OPTIONS_REPORT.write(tmp_path), tmp_path)
    traded, idle = staged.accepted("bhavcopy_options")
    assert traded["available_at"] == at_ist(date(2025, 7, 29), 9)
    assert (traded["trade_date"], traded["expiry"]) == (date(2025, 7, 28), date(2025, 7, 31))
    assert (traded["strike_paise"], traded["right"]) == (24_700_00, "CE")
    assert (traded["open_paise"], traded["low_paise"]) == (110_50, 80_05)
    # Open interest is units, volume contracts, whatever TRD_QTY says in units.
    assert (traded["open_interest"], traded["volume_contracts"]) == (75_000, 100)
    assert (traded["turnover_paise"], traded["trades"]) == (186_000_000_00, 90)
    assert (traded["settlement_paise"], traded["settles_index"]) == (None, False)
    assert (idle["open_paise"], idle["close_paise"], idle["volume_contracts"]) == (None, 101_00, 0)


def test_futures(tmp_path: Path) -> None:
    staged = stage(daily_report, FUTURES_REPORT.write(tmp_path), tmp_path)
    index, share = staged.accepted("bhavcopy_futures")
    assert (index["instrument"], share["instrument"]) == ("IDF", "STF")
    assert (index["close_paise"], index["turnover_paise"]) == (24_750_25, 185_626_875_00)


@pytest.mark.parametrize("name", ["report.csv", "op99992025.csv", "op2025.csv"])
def test_without_a_date_in_its_name_it_is_refused(tmp_path: Path, name: str) -> None:
    path = OPTIONS_REPORT.write(tmp_path).rename(tmp_path / name)
    with pytest.raises(ImportRefusedError, match="no trade date; expected a file named"):
        stage(daily_report, path, tmp_path)


def test_a_name_that_cannot_be_true_is_found_out_by_the_rows(tmp_path: Path) -> None:
    after = OPTIONS_REPORT.write(tmp_path).rename(tmp_path / "op01082025.csv")
    assert stage(daily_report, after, tmp_path).outcomes() == {"EXPIRED": 2}
    sunday = OPTIONS_REPORT.write(tmp_path).rename(tmp_path / "op27072025.csv")
    assert stage(daily_report, sunday, tmp_path).outcomes() == {"NOT_A_MARKET_DAY": 2}


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("OPTIDX", "OPTCUR", "BAD_INSTRUMENT"),
        ("NIFTY ", "      ", "BAD_UNDERLYING"),
        ("31/07/2025", "2025-07-31", "BAD_EXPIRY"),
        ("24700.00", "    0.00", "BAD_STRIKE"),
        (",CE ", ",FF ", "BAD_RIGHT"),
        ("90.15", "90.1x", "NOT_A_NUMBER"),
    ],
)
def test_a_bad_row_is_refused(tmp_path: Path, old: str, new: str, reason: str) -> None:
    header, row, other = OPTIONS_REPORT.text.splitlines()
    text = "\n".join([header, row.replace(old, new, 1), other]) + "\n"
    staged = stage(daily_report, OPTIONS_REPORT.write(tmp_path, text), tmp_path)
    assert staged.outcomes() == {reason: 1}
