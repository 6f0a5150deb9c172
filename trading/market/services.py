"""Writing the market store: one call an action, keyword-only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import msgspec

from trading.market import store as market_store
from trading.market.importers import ImportRefusedError, chain_snapshots, detect, is_parquet
from trading.market.store import Entry, MarketStore, StoredFile, StoredSource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import ModuleType

IMPORTED = "imported"
GENERATED = "generated"
UNCHANGED = "unchanged"
WOULD_IMPORT = "would import"


class ImportOutcome(msgspec.Struct, frozen=True):
    """What an import did with one file: `status` is imported, generated, unchanged or would import;
    `counts` as in the catalogue.
    """

    path: str
    digest: str
    status: str
    counts: dict[str, Any]


class ImportReport(msgspec.Struct, frozen=True):
    """What one import did; `generation` is the catalogue's when it ended."""

    generation: int
    outcomes: tuple[ImportOutcome, ...]


def market_import(
    *,
    root: Path,
    paths: Sequence[Path],
    dry_run: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> ImportReport:
    """Import files, or the Parquet files of directories, as one generation of the store under
    `root`.

    Everything is read and checked before anything is listed: when one file is refused
    (ImportRefusedError), nothing is imported. A file imported before changes nothing. `progress` is
    told one line a step.
    """
    files = _files(paths, progress)
    store = MarketStore(root)
    with market_store.connect() as connection:
        importers = [(path, detect(connection, path)) for path in files]
        if dry_run:
            return _import(store, store.catalogue(), connection, importers, progress, dry_run=True)
        with store.exclusive() as catalogue:
            return _import(store, catalogue, connection, importers, progress, dry_run=False)


def _files(paths: Sequence[Path], progress: Callable[[str], None]) -> list[Path]:
    """The files to import, each once, in the order given; a directory stands for its Parquet files
    in the order of their names.
    """
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            msg = (
                f"{path}: no such file or directory; expected a Parquet file or a directory of them"
            )
            raise ImportRefusedError(msg)
        if not path.is_dir():
            files.append(path)
            continue
        found = []
        for member in sorted(path.iterdir()):
            if member.is_file() and not member.name.startswith("."):
                if is_parquet(member):
                    found.append(member)
                else:
                    progress(f"{member}: not a Parquet file, passed over")
        if not found:
            msg = f"{path}: no Parquet file in this directory; expected option-chain snapshots"
            raise ImportRefusedError(msg)
        files.extend(found)
    return list(dict.fromkeys(files))


def _import(
    store: MarketStore,
    catalogue: market_store.Catalogue,
    connection: duckdb.DuckDBPyConnection,
    importers: Sequence[tuple[Path, ModuleType]],
    progress: Callable[[str], None],
    *,
    dry_run: bool,
) -> ImportReport:
    outcomes: list[ImportOutcome] = []
    entries: list[Entry] = []
    for number, (path, importer) in enumerate(importers, start=1):
        step = f"[{number}/{len(importers)}] {path}"
        digest = market_store.file_digest(path)
        known = catalogue.find(digest, importer.NAME, importer.VERSION)
        known = known or next((e for e in entries if e.source.digest == digest), None)
        if known:
            progress(f"{step}: imported before, unchanged")
            outcomes.append(ImportOutcome(str(path), digest, UNCHANGED, known.counts))
            continue
        progress(f"{step}: reading")
        source = StoredSource(importer.SOURCE_NAME, path.name, digest, synthetic=False)
        counts = _stage(store, connection, path, importer, source, (*catalogue.entries, *entries))
        status = IMPORTED
        if not counts["accepted"]:
            progress(f"{step}: the store has every snapshot of it already, unchanged")
            status = UNCHANGED
        elif dry_run:
            status = WOULD_IMPORT
        else:
            entries.append(_write_import(store, connection, path, importer, source, counts))
        outcomes.append(ImportOutcome(str(path), digest, status, counts))
    if entries:
        catalogue = store.publish(catalogue, entries)
    return ImportReport(catalogue.generation, tuple(outcomes))


def _stage(
    store: MarketStore,
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    importer: ModuleType,
    source: StoredSource,
    present: Sequence[Entry],
) -> dict[str, Any]:
    """Read and judge a file against what is present; gives its counts."""
    try:
        importer.stage(connection, path, source.digest)
    except duckdb.Error as error:
        msg = f"{path}: cannot be read as {importer.NAME}: {str(error).splitlines()[0]}"
        raise ImportRefusedError(msg) from error
    days = _days(connection)
    refuse_mixed(present, source, days, str(path))
    earlier = [
        store.path_of(entry.accepted)
        for entry in present
        if _shares_day(entry, days)
        and (entry.source.digest, entry.importer) != (source.digest, importer.NAME)
    ]
    importer.compare_with_stored(connection, earlier)
    counts = _counts(connection, importer)
    _refuse_empty(counts, path)
    return counts


def _write_import(
    store: MarketStore,
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    importer: ModuleType,
    source: StoredSource,
    counts: dict[str, Any],
) -> Entry:
    rejected = None
    if counts["rejected"]:
        rejected = store.write_table(connection, importer.refused_rows(path), market_store.REJECTED)
    return _write_entry(
        store,
        connection,
        source=source,
        importer=importer.NAME,
        importer_version=importer.VERSION,
        cadence_us=importer.CADENCE_US,
        counts=counts,
        rejected=rejected,
    )


def _write_entry(
    store: MarketStore,
    connection: duckdb.DuckDBPyConnection,
    *,
    source: StoredSource,
    importer: str,
    importer_version: int,
    cadence_us: int,
    counts: dict[str, Any],
    rejected: StoredFile | None,
) -> Entry:
    """Write the accepted rows of the temporary table `staged` and describe them; the caller
    publishes the entry.
    """
    columns = ", ".join(market_store.CHAIN_SNAPSHOT_COLUMNS)
    order = market_store.CHAIN_SNAPSHOT_ORDER
    accepted = store.write_table(
        connection,
        f"SELECT {columns} FROM staged WHERE outcome IS NULL ORDER BY {order}",  # noqa: S608
        market_store.CHAIN_SNAPSHOTS,
    )
    ranges = connection.execute(
        """
        SELECT min(as_of), max(as_of), min(available_at), max(available_at)
        FROM staged WHERE outcome IS NULL
        """
    ).fetchall()[0]
    return Entry(
        category=market_store.CHAIN_SNAPSHOTS,
        accepted=accepted,
        rejected=rejected,
        source=source,
        importer=importer,
        importer_version=importer_version,
        cadence_us=cadence_us,
        ranges={"as_of": (ranges[0], ranges[1]), "available_at": (ranges[2], ranges[3])},
        days=_days(connection),
        counts=counts,
    )


def _days(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[str, ...]]:
    """The IST dates on which each underlying's acceptable rows were received."""
    local = f"make_timestamp(available_at + {chain_snapshots.IST_OFFSET_US})"
    rows = connection.execute(
        f"""
        SELECT underlying, CAST(CAST({local} AS DATE) AS VARCHAR) AS day
        FROM staged WHERE outcome IS NULL GROUP BY ALL ORDER BY ALL
        """  # noqa: S608 - a constant
    ).fetchall()
    days: dict[str, tuple[str, ...]] = {}
    for underlying, day in rows:
        days[underlying] = (*days.get(underlying, ()), day)
    return days


def _shares_day(entry: Entry, days: Mapping[str, tuple[str, ...]]) -> str | None:
    """The first `underlying on date` that both have, or None."""
    for underlying, dates in days.items():
        for day in dates:
            if day in entry.days.get(underlying, ()):
                return f"{underlying} on {day}"
    return None


def refuse_mixed(
    present: Sequence[Entry],
    source: StoredSource,
    days: Mapping[str, tuple[str, ...]],
    what: str,
) -> None:
    """One market a day: recorded and synthetic data, or two synthetic markets, are never mixed."""
    for entry in present:
        shared = _shares_day(entry, days)
        if shared and entry.source.family != source.family:
            msg = (
                f"{what}: the store already holds {shared} from {entry.source.file} "
                f"({entry.source.name}); "
                f"expected a day without data, or another VAR_DIR"
            )
            raise ImportRefusedError(msg)


def _counts(connection: duckdb.DuckDBPyConnection, importer: ModuleType) -> dict[str, Any]:
    by_outcome = dict(
        connection.execute(
            "SELECT coalesce(outcome, ''), count(*) FROM staged GROUP BY ALL ORDER BY ALL"
        ).fetchall()
    )
    snapshots = connection.execute(
        """
        SELECT underlying,
          count(DISTINCT available_at) AS received,
          count(DISTINCT as_of) AS stamps,
          count(DISTINCT (as_of, available_at)) FILTER (outcome IS NULL) AS accepted,
          count(DISTINCT (as_of, available_at)) FILTER (outcome = 'RESENT_SNAPSHOT') AS resent,
          count(DISTINCT (as_of, available_at))
            FILTER (outcome IS NULL AND as_of > available_at) AS clock
        FROM staged
        WHERE outcome IS DISTINCT FROM 'UNKNOWN_UNDERLYING'
          AND as_of IS NOT NULL AND available_at IS NOT NULL
        GROUP BY ALL ORDER BY underlying DESC
        """
    ).fetchall()
    return {
        "read": sum(by_outcome.values()),
        "accepted": by_outcome.get("", 0),
        "rejected": {name: by_outcome[name] for name in importer.REFUSALS if name in by_outcome},
        "dropped": {name: by_outcome[name] for name in importer.DROPS if name in by_outcome},
        "snapshots": {
            row[0]: dict(
                zip(("received", "stamps", "accepted", "resent", "clock"), row[1:], strict=True)
            )
            for row in snapshots
        },
    }


def _refuse_empty(counts: dict[str, Any], path: Path) -> None:
    if counts["accepted"] or counts["dropped"]:
        return
    if not counts["read"]:
        msg = f"{path}: no rows; expected option-chain snapshots"
    else:
        reasons = ", ".join(f"{name} {count}" for name, count in counts["rejected"].items())
        msg = f"{path}: none of its {counts['read']} rows can be accepted: {reasons}"
    raise ImportRefusedError(msg)
