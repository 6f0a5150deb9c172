"""Regulatory limits on positions in index options by date (`tables/position_limits.toml`)."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from trading.market.figures import is_known, table

CRORE_PAISE = 10_000_000 * 100


class PositionLimit(NamedTuple):
    """One limit: paise of future-equivalent (of notional in NOTIONAL_END_OF_DAY). With a share of
    open interest, per cent, the higher of the two holds.
    """

    holder: str  # CLIENT, TRADING_MEMBER
    measure: str
    limit_paise: int
    share_of_oi_percent: float | None
    status: str
    source: str


def position_limits(day: date, *, known_at_us: int | None = None) -> tuple[PositionLimit, ...]:
    """The limits in force on a day as known at an instant (µs UTC), in the order of the table."""
    return tuple(
        PositionLimit(
            row["holder"],
            row["measure"],
            row["limit_crore"] * CRORE_PAISE,
            row.get("share_of_oi_percent"),
            row["status"],
            row["source"],
        )
        for row in table("position_limits")["position_limit"]
        if row["from"] <= day <= row.get("to", date.max) and is_known(row, known_at_us)
    )
