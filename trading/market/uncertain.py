"""The figures of the shipped tables that nobody has confirmed."""

from __future__ import annotations

from datetime import date, time
from typing import TYPE_CHECKING, Any, NamedTuple

from trading.market.figures import UNCONFIRMED, table
from trading.market.reference import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# What stands beside a figure and is not part of its value.
_BESIDE = {"status", "source", "announced_on", "announced_status", "announced_source", "from"}


class UncertainFigure(NamedTuple):
    """One figure that is not confirmed: where it stands, what it says, since when it holds (None:
    always), and what stands beside it.
    """

    table: str
    figure: str
    value: str
    since: date | None
    status: str
    source: str


def uncertain_figures(statuses: Iterable[str] = (UNCONFIRMED,)) -> tuple[UncertainFigure, ...]:
    """Every figure of the shipped tables whose status is one of those asked for, a table after the
    other; a day of announcement has a status of its own and is listed by itself.
    """
    wanted = frozenset(statuses)
    return tuple(
        figure
        for name in TABLES
        for part, rows in table(name).items()
        for row in _flat(rows)
        for figure in _figures(name, part, row)
        if figure.status in wanted
    )


def _flat(rows: Any) -> Iterator[dict[str, Any]]:
    """The rows of one part of a table; a year's list of holidays comes apart into its days."""
    for row in rows if isinstance(rows, list) else ():
        days = row.get("days")
        if days is None:
            yield row
        else:
            yield {key: value for key, value in row.items() if key != "days"}


def _figures(name: str, part: str, row: dict[str, Any]) -> Iterator[UncertainFigure]:
    since = row.get("from", row.get("expiry_from", row.get("date", row.get("day"))))
    value = ", ".join(f"{key} {_text(said)}" for key, said in row.items() if key not in _BESIDE)
    if "status" in row:
        yield UncertainFigure(name, part, value, since, row["status"], row["source"])
    if "announced_status" in row:
        source = str(row.get("announced_source", row["source"]))
        said = f"announced on {row['announced_on']}: {value}"
        status = row["announced_status"]
        yield UncertainFigure(name, f"{part} announcement", said, since, status, source)


def _text(value: object) -> str:
    if isinstance(value, list):
        return "-".join(_text(part) for part in value) or "none"
    return value.isoformat() if isinstance(value, date | time) else str(value)
