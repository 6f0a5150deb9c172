"""Chains of the exchange's old page every minute, without the spot (the election count of 23 May
2019); see trading.market.importers.dated_chains.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading.market.importers import dated_chains, reasons
from trading.market.importers.chains import Leg

if TYPE_CHECKING:
    import duckdb

    from trading.market.importers.head import FileHead, SourceFile

NAME = "chain_minutes_2019"
VERSION = 1
SOURCE_NAME = "nse-chain-minutes-2019"
CATEGORIES = ("chain_snapshots",)
TITLE = "Parquet of the exchange's old chain page without the spot"
CADENCE_US = 60_000_000
REFUSALS = dated_chains.REFUSALS
DROPS = reasons.REPETITIONS


def _leg(side: str) -> Leg:
    names = ("bid", "ask", "bidqty", "askqty", "ltp", "oi", "vol")
    return Leg(*(side + name for name in names))


PAGE = dated_chains.Columns("snapshot_ist", "strike", _leg("c_"), _leg("p_"), None)


def recognises(head: FileHead) -> bool:
    """Whether a Parquet file has the columns of these chains."""
    return head.kind == "parquet" and set(PAGE.names) <= set(head.columns)


def stage(connection: duckdb.DuckDBPyConnection, source: SourceFile) -> None:
    """Fill the staged table; see the importer protocol."""
    dated_chains.stage_chain(connection, source, PAGE)
