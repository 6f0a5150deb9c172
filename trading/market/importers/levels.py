"""Which index a file of levels is of, when it does not say or says something impossible.

Told from the yearly lows and highs of each index (`tables/index_levels.toml`). A name in the file
is believed as long as the levels allow it; without one, or against it, exactly one index must fit
every year of the file. Nothing is guessed: else the user has to say it (a column map with the
underlying as a value).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trading.market.figures import table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import duckdb

_HUNDREDTHS = 100


class Identified(NamedTuple):
    """What a file is of, None when nobody can say, and a remark on how that was told."""

    underlying: str | None
    remark: str


def identify(ranges: Mapping[int, tuple[int, int]], stated: str | None) -> Identified:
    """The index whose levels hold a file's lowest and highest price (paise) of every year."""
    known = _known()
    if stated in known and _fits(known[stated], ranges):
        return Identified(stated, f"{stated} as the file says; its levels agree")
    fitting = [name for name, years in known.items() if _fits(years, ranges)]
    said = f"the file says {stated}, " if stated else "the file names no underlying, "
    if len(fitting) == 1:
        return Identified(fitting[0], f"{said}its levels are those of {fitting[0]} alone")
    among = f"fit {' and '.join(fitting)}" if fitting else "fit no index on record"
    return Identified(None, f"{said}its levels {among}: name it in a column map (--map)")


def ranges_of(connection: duckdb.DuckDBPyConnection) -> dict[int, tuple[int, int]]:
    """The lowest and highest `level` of the parsed rows not refused yet, paise, by IST year."""
    found = connection.execute(
        """
        SELECT year(make_timestamp(as_of + 19800000000)), min(level), max(level)
        FROM parsed WHERE outcome IS NULL AND level IS NOT NULL GROUP BY 1 ORDER BY 1
        """
    ).fetchall()
    return {int(year): (int(low), int(high)) for year, low, high in found}


def _fits(years: Mapping[int, tuple[int, int]], ranges: Mapping[int, tuple[int, int]]) -> bool:
    return bool(ranges) and all(
        year in years
        and years[year][0] * _HUNDREDTHS <= low
        and high <= years[year][1] * _HUNDREDTHS
        for year, (low, high) in ranges.items()
    )


def _known() -> dict[str, dict[int, tuple[int, int]]]:
    return {
        name: {int(year): (low, high) for year, (low, high) in years.items()}
        for name, years in table("index_levels").items()
        if isinstance(years, dict)
    }


def names(values: Iterable[str | None]) -> str | None:
    """The one name of a column, or None when it is empty or there are several."""
    found = {value for value in values if value}
    return found.pop() if len(found) == 1 else None
