"""An independent reading of files, by the csv module and decimals, to check importers against."""

from __future__ import annotations

import csv
import gzip
import io
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

IST = timezone(timedelta(hours=5, minutes=30))


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV, plain or gzipped, names and values stripped."""
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    rows = csv.reader(io.StringIO(data.decode("utf-8-sig")))
    names = [name.strip() for name in next(rows)]
    return [dict(zip(names, (value.strip() for value in row), strict=True)) for row in rows]


def paise(text: str) -> int | None:
    """Exact paise of a price; nothing, a dash and zero are no price."""
    bare = text.replace(",", "")
    if bare in ("", "-"):
        return None
    value = Decimal(bare) * 100
    assert value == int(value)
    return int(value) or None


def at_ist(day: date, hour: int, minute: int = 0) -> int:
    """µs UTC of an IST time."""
    moment = datetime.combine(day, time(hour, minute), IST)
    return int(moment.timestamp()) * 1_000_000


def ist_day(text: str) -> date:
    """A day written `05-JAN-2026`."""
    return datetime.strptime(text, "%d-%b-%Y").replace(tzinfo=IST).date()
