"""The contract-wise history of the exchange's site."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from tests.trading.market.importers.exchange_files import HISTORY, HISTORY_HEADER
from tests.trading.market.importers.independent import at_ist
from tests.trading.market.importers.staging import stage
from trading.market.importers import contract_history

if TYPE_CHECKING:
    from pathlib import Path


def test_days_of_an_option(tmp_path: Path) -> None:
    staged = stage(contract_history, HISTORY.write(tmp_path), tmp_path)
    traded, idle = staged.accepted("bhavcopy_options")
    assert traded["as_of"] == at_ist(date(2025, 7, 25), 15, 30)
    assert traded["available_at"] == at_ist(date(2025, 7, 28), 9)
    assert (traded["strike_paise"], traded["open_paise"]) == (56_500_00, 1_010_00)
    assert (traded["volume_contracts"], traded["open_interest"]) == (1_200, 42_000)
    assert (traded["open_interest_change"], traded["underlying_paise"]) == (-350, 56_528_90)
    assert traded["turnover_paise"] == 24_010_50 * 100_000
    assert (traded["lot_size"], traded["exchange_token"]) == (None, None)
    assert [idle[name] for name in ("open_paise", "last_paise", "volume_contracts")] == [None] * 3
    assert idle["settlement_paise"] == 990_00


def test_a_future_has_dashes_for_strike_and_type(tmp_path: Path) -> None:
    row = "NIFTY,25-Jul-2025,31-Jul-2025,-,-,1,1,1,1,1,1,1,1,-,75,0,24837.00"
    path = HISTORY.write(tmp_path, f"{HISTORY_HEADER}\n{row}\n")
    (future,) = stage(contract_history, path, tmp_path).accepted("bhavcopy_futures")
    assert (future["underlying"], future["open_interest"]) == ("NIFTY", 75)


def test_the_settlement_of_an_expiry_day_is_the_index(tmp_path: Path) -> None:
    row = "NIFTY,31-Jul-2025,31-Jul-2025,CE,24700,1,1,1,68.3,1,24768.35,1,1,1,75,0,24768.35"
    path = HISTORY.write(tmp_path, f"{HISTORY_HEADER}\n{row}\n")
    (option,) = stage(contract_history, path, tmp_path).accepted("bhavcopy_options")
    assert option["settles_index"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("NIFTY,25/07/2025,31-Jul-2025,CE,24700,1,1,1,1,1,1,1,1,1,75,0,1", "BAD_DATE"),
        ("-,25-Jul-2025,31-Jul-2025,CE,24700,1,1,1,1,1,1,1,1,1,75,0,1", "BAD_UNDERLYING"),
        ("NIFTY,25-Jul-2025,July,CE,24700,1,1,1,1,1,1,1,1,1,75,0,1", "BAD_EXPIRY"),
        ("NIFTY,25-Jul-2025,24-Jul-2025,CE,24700,1,1,1,1,1,1,1,1,1,75,0,1", "EXPIRED"),
        ("NIFTY,25-Jul-2025,31-Jul-2025,CE,-,1,1,1,1,1,1,1,1,1,75,0,1", "BAD_STRIKE"),
        ("NIFTY,25-Jul-2025,31-Jul-2025,XY,24700,1,1,1,1,1,1,1,1,1,75,0,1", "BAD_RIGHT"),
        ("NIFTY,25-Jul-2025,31-Jul-2025,CE,24700,1,1,1,1,1,1,1.5,1,1,75,0,1", "NOT_WHOLE"),
    ],
)
def test_a_bad_row_is_refused(tmp_path: Path, row: str, reason: str) -> None:
    path = HISTORY.write(tmp_path, f"{HISTORY_HEADER}\n{row}\n")
    assert stage(contract_history, path, tmp_path).outcomes() == {reason: 1}
