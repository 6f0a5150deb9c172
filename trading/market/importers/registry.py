"""Every importer, in the order they are asked whether they know a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from trading.market.importers import (
    api_option_chain,
    binance_stream,
    chain_2018,
    chain_minutes_2019,
    chain_snapshots,
    contract_history,
    daily_report,
    dhan_series,
    expiry_calendar,
    holiday_master,
    index_close,
    index_futures,
    index_history,
    india_vix,
    kite_ticks,
    legacy_bhavcopy,
    mapped,
    participant_oi,
    reference_tables,
    site_option_chain,
    span_ranges,
    udiff_bhavcopy,
    volatility_file,
)

if TYPE_CHECKING:
    import duckdb

    from trading.market.importers.head import FileHead, SourceFile


class Importer(Protocol):
    """What an importer's module holds; see trading.market.importers."""

    @property
    def NAME(self) -> str: ...  # noqa: N802 - a module's constant
    @property
    def VERSION(self) -> int: ...  # noqa: N802 - a module's constant
    @property
    def SOURCE_NAME(self) -> str: ...  # noqa: N802 - a module's constant
    @property
    def TITLE(self) -> str: ...  # noqa: N802 - a module's constant
    @property
    def CATEGORIES(self) -> tuple[str, ...]: ...  # noqa: N802 - a module's constant
    @property
    def CADENCE_US(self) -> int | None: ...  # noqa: N802 - a module's constant
    @property
    def REFUSALS(self) -> tuple[str, ...]: ...  # noqa: N802 - a module's constant
    @property
    def DROPS(self) -> tuple[str, ...]: ...  # noqa: N802 - a module's constant

    def recognises(self, head: FileHead) -> bool: ...
    def stage(self, connection: duckdb.DuckDBPyConnection, source: SourceFile) -> None: ...


IMPORTERS: tuple[Importer, ...] = (
    api_option_chain,
    binance_stream,
    chain_2018,
    chain_minutes_2019,
    chain_snapshots,
    contract_history,
    daily_report,
    dhan_series,
    expiry_calendar,
    holiday_master,
    index_close,
    index_futures,
    index_history,
    india_vix,
    kite_ticks,
    legacy_bhavcopy,
    participant_oi,
    reference_tables,
    site_option_chain,
    span_ranges,
    udiff_bhavcopy,
    volatility_file,
    *mapped.built_in(),
)


def importer_for(head: FileHead, given: Importer | None = None) -> Importer | None:
    """The importer of a file that begins so, the `given` one before all others; None when nobody
    knows it.
    """
    asked = (given, *IMPORTERS) if given is not None else IMPORTERS
    return next((importer for importer in asked if importer.recognises(head)), None)
