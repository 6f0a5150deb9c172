"""The dated rules of the SPAN-like margin (`margin.toml`), each with its status and source."""

from __future__ import annotations

import functools
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from trading.market.figures import Figure

if TYPE_CHECKING:
    from datetime import date

_FILE = Path(__file__).with_name("margin.toml")
_E9 = 1e9


class MarginError(ValueError):
    """What cannot be margined; the text names it and what was expected."""


class MarginRules(NamedTuple):
    """The rules in force on a day, each a figure in 10^-9; None where a rule did not exist yet."""

    price_scan_floor: Figure
    price_scan_floor_far: Figure
    volatility_scan_share: Figure
    volatility_scan_floor: Figure
    calendar_spread_charge: Figure
    exposure: Figure
    expiry_day_short_option: Figure | None
    expiring_apart: Figure | None


@functools.cache
def margin_rules(day: date) -> MarginRules:
    """The rules of a day. Raises MarginError outside the table."""
    span = _table()["range"]
    if not span["from"] <= day <= span["to"]:
        msg = f"no margin rules for {day}; the table covers {span['from']} to {span['to']}"
        raise MarginError(msg)
    found = {
        row["name"]: Figure(row["rate_e9"], row["status"], row["source"])
        for row in _table()["rule"]
        if row["from"] <= day and ("to" not in row or day <= row["to"])
    }
    return MarginRules(**{name: found.get(name) for name in MarginRules._fields})  # type: ignore[arg-type]


def fraction(figure: Figure | None) -> float:
    """A rule's figure as a fraction; 0 where there is no such rule."""
    return 0.0 if figure is None else figure.value / _E9


@functools.cache
def _table() -> dict[str, Any]:
    return tomllib.loads(_FILE.read_text(encoding="utf-8"))
