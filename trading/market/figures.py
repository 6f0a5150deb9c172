"""Dated figures of the shipped tables: a value, how sure it is, where it comes from, and since when
it was known.

A row of a table may say `announced_on` and `withdrawn_on`. The hour of an announcement is rarely on
record, so it counts as known from the midnight (IST) that ends its day: never too early.
"""

from __future__ import annotations

import functools
import tomllib
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from trading.market.ist import instant_us

CONFIRMED = "CONFIRMED"  # two independent sources, or computed from the exchange's own files
SINGLE_SOURCE = "SINGLE_SOURCE"
INFERRED = "INFERRED"
UNCONFIRMED = "UNCONFIRMED"
STATUSES = (CONFIRMED, SINGLE_SOURCE, INFERRED, UNCONFIRMED)

_TABLES = Path(__file__).parent / "tables"
# A table that another package owns: what is charged stands beside what charges.
_ELSEWHERE = {"rates": Path(__file__).parents[1] / "costs" / "rates.toml"}


class Figure(NamedTuple):
    """A dated figure: its value, how sure it is (one of STATUSES), and where it comes from."""

    value: int
    status: str
    source: str


def table_path(name: str) -> Path:
    """The file of a shipped table."""
    return _ELSEWHERE.get(name, _TABLES / f"{name}.toml")


@functools.cache
def table(name: str) -> dict[str, Any]:
    """The shipped table of that name, as its TOML file says it."""
    return tomllib.loads(table_path(name).read_text(encoding="utf-8"))


def known_from_us(announced_on: date) -> int:
    """The instant from which what was announced on a day counts as known, µs UTC."""
    return instant_us(announced_on + timedelta(days=1), time(0))


def is_known(row: dict[str, Any], known_at_us: int | None) -> bool:
    """Whether a row was public and still stood at an instant; None asks with all that is known
    today. A row without `announced_on` was always known.
    """
    return _happened(row, "announced_on", known_at_us, unsaid=True) and not _happened(
        row, "withdrawn_on", known_at_us, unsaid=False
    )


def _happened(row: dict[str, Any], column: str, known_at_us: int | None, *, unsaid: bool) -> bool:
    day: date | None = row.get(column)
    if day is None:
        return unsaid
    return known_at_us is None or known_from_us(day) <= known_at_us
