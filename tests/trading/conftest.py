"""A day of the synthetic market, made once."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from tests.market_rows import at
from trading.market.synthetic.services import market_synthesise

if TYPE_CHECKING:
    from pathlib import Path

DAY = date(2026, 2, 26)
NOON = at(DAY, "12:00")


@pytest.fixture(scope="session")
def synthetic_var(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `VAR_DIR` whose market holds 2026-02-26, a snapshot each quarter of an hour."""
    var_dir = tmp_path_factory.mktemp("surfaces")
    market_synthesise(
        root=var_dir / "market", seed=7, from_date=DAY, to_date=DAY, cadence_minutes=15
    )
    return var_dir
