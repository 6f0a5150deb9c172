"""What making a synthetic market costs."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from brahmastra_site.bench.figure import Figure
from brahmastra_site.bench.ground import seconds
from trading.market.store import MarketStore, connect, sql_text
from trading.market.synthetic.services import market_synthesise

if TYPE_CHECKING:
    from brahmastra_site.bench.ground import Ground

_FIRST, _LAST, _CADENCE_MINUTES = date(2026, 2, 16), date(2026, 2, 27), 5


def making_a_market(ground: Ground) -> Figure:
    """Make two weeks of minute bars with chains every five minutes, two processes; the floor has
    DuckDB write the same rows, read before, to Parquet files of the same kind.
    """
    with TemporaryDirectory(dir=ground.var_dir) as name:
        roots = [Path(name) / str(number) for number in range(2)]
        unused = iter(roots)

        def make() -> None:
            market_synthesise(
                root=next(unused),
                seed=1,
                from_date=_FIRST,
                to_date=_LAST,
                cadence_minutes=_CADENCE_MINUTES,
                processes=2,
            )

        ours = seconds(make, times=2)
        store = MarketStore(roots[0])
        entries = store.catalogue().entries
        rows = sum(entry.accepted.rows for entry in entries)
        with connect() as connection:
            for number, entry in enumerate(entries):
                path = sql_text(str(store.path_of(entry.accepted)))
                connection.execute(
                    f"CREATE TABLE rows_{number} AS SELECT * FROM read_parquet('{path}')"  # noqa: S608
                )

            def write_bare() -> None:
                for number in range(len(entries)):
                    file = sql_text(f"{name}/{number}.parquet")
                    connection.execute(
                        f"COPY rows_{number} TO '{file}' (FORMAT parquet, COMPRESSION zstd)"
                    )

            floor = seconds(write_bare)
    beside = "DuckDB writes the same rows, bare"
    return Figure("make a synthetic market", rows / ours, "rows/s", beside, rows / floor)
