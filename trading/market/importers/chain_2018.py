"""Chains of the exchange's old page every 15 to 30 minutes, with the spot (October 2018 to June
2019); see trading.market.importers.dated_chains.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading.market.importers import dated_chains, reasons
from trading.market.importers.chains import Leg

if TYPE_CHECKING:
    import duckdb

    from trading.market.importers.head import FileHead, SourceFile

NAME = "chain_2018"
VERSION = 1
SOURCE_NAME = "nse-chain-2018"
CATEGORIES = ("chain_snapshots",)
TITLE = "Parquet of the exchange's old chain page with the spot"
CADENCE_US = 900_000_000
REFUSALS = dated_chains.REFUSALS
DROPS = reasons.REPETITIONS


def _leg(side: str) -> Leg:
    names = ("BidPrice", "AskPrice", "BidQty", "AskQty", "LTP", "OI", "Volume")
    return Leg(*(side + name for name in names))


PAGE = dated_chains.Columns("snapshot_ist", "StrikePrice", _leg("Call"), _leg("Put"), "CurrentVal")


def recognises(head: FileHead) -> bool:
    """Whether a Parquet file has the columns of these chains."""
    return head.kind == "parquet" and set(PAGE.names) <= set(head.columns)


def stage(connection: duckdb.DuckDBPyConnection, source: SourceFile) -> None:
    """Fill the staged table; see the importer protocol."""
    dated_chains.stage_chain(connection, source, PAGE)
