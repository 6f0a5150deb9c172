"""Writing the market store: one call an action, keyword-only."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from journal.log.session import day_files
from journal.log.verification import verify_session
from trading.market import store as market_store
from trading.market.exporting import Export
from trading.market.importers import ImportRefusedError, reference_tables
from trading.market.importers.column_map import read_map
from trading.market.importers.mapped import MappedImporter
from trading.market.intake import UNCHANGED, UNHEARD, FoundFile, ImportOutcome, Intake
from trading.market.store import MarketStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trading.market.intake import Progress
    from trading.market.store import Catalogue, Import


class ImportReport(msgspec.Struct, frozen=True):
    """What one import did; `generation` is the catalogue's when it ended."""

    generation: int
    outcomes: tuple[ImportOutcome, ...]


def market_import(
    *,
    root: Path,
    paths: Sequence[Path] = (),
    with_shipped: bool = False,
    dry_run: bool = False,
    known_at_us: int | None = None,
    column_map: Path | None = None,
    now_us: int | None = None,
    progress: Progress = UNHEARD,
) -> ImportReport:
    """Import files, and every file under directories, as one generation of the store under `root`.

    Everything is read and judged before anything is listed. When a file that was named cannot be
    imported (ImportRefusedError), nothing is; one met in a directory is skipped when no importer
    knows it, and refused with a reason when it is damaged or contradicts the store, and either way
    listed as turned away. A file imported or turned away before changes nothing. `with_shipped`
    brings in the tables shipped with the program first, where the store has none or another edition
    of them. `known_at_us` says when files that do not say it themselves were known; `column_map` is
    a TOML map of columns, asked before every importer; `now_us` is written down as the time of the
    import; `progress` is told how far it is.
    """
    files = _files(paths, known_at_us)
    given = None if column_map is None else MappedImporter(read_map(column_map))
    store = MarketStore(root)

    def take(intake: Intake, catalogue: Catalogue) -> list[ImportOutcome]:
        if not files:
            return intake.take(catalogue, _shipped_files() if with_shipped else [], progress)
        shipped = _changed(intake.take(catalogue, _shipped_files())) if with_shipped else []
        return [*intake.take(catalogue, files, progress), *shipped]

    with market_store.connect() as connection, tempfile.TemporaryDirectory() as scratch:
        intake = Intake(store, connection, Path(scratch), given=given, dry_run=dry_run)
        if dry_run:
            catalogue = store.catalogue()
            return ImportReport(catalogue.generation, tuple(take(intake, catalogue)))
        with store.exclusive() as catalogue:
            outcomes = take(intake, catalogue)
            if intake.made or intake.turned_away:
                catalogue = store.publish(
                    catalogue, intake.made, turned_away=intake.turned_away, now_us=now_us
                )
        return ImportReport(catalogue.generation, tuple(outcomes))


def market_export(
    *,
    root: Path,
    directory: Path,
    dry_run: bool = False,
    now_us: int | None = None,
    progress: Progress = UNHEARD,
) -> ImportReport:
    """Export the fits and surfaces of the log in `directory` as one generation of the store under
    `root`, after every line of it is verified.

    What was exported before is not again, so that a session which has grown adds what is new and
    any other changes nothing. Raises LogError for a log that does not hold, ImportRefusedError for
    one without fits, another log of a session that was exported before, and days that hold another
    market.
    """
    store, files = MarketStore(root), day_files(directory)
    progress.begins(len(files))
    done = 0
    try:
        progress.reads(1, directory)
        verified = verify_session(directory)
        with market_store.connect() as connection:
            export = Export(store, connection, directory, session=verified.session, dry_run=dry_run)
            if dry_run:
                catalogue = store.catalogue()
                outcomes = export.take(catalogue, progress)
            else:
                with store.exclusive() as catalogue:
                    outcomes = export.take(catalogue, progress)
                    if export.made:
                        catalogue = store.publish(catalogue, export.made, now_us=now_us)
        done = len(files)
    finally:
        progress.ends(done)
    return ImportReport(catalogue.generation, tuple(outcomes))


def shipped_imports(
    store: MarketStore, catalogue: Catalogue
) -> tuple[list[Import], list[ImportOutcome]]:
    """The tables shipped with the program, written for the caller to publish, and what to tell of
    them; nothing where the store has them in this edition. Call it inside `exclusive`, with the
    catalogue that gave.
    """
    with market_store.connect() as connection, tempfile.TemporaryDirectory() as scratch:
        intake = Intake(store, connection, Path(scratch))
        outcomes = intake.take(catalogue, _shipped_files())
        return intake.made, _changed(outcomes)


def _shipped_files() -> list[FoundFile]:
    return [FoundFile(path, named=False) for path in reference_tables.shipped()]


def _changed(outcomes: Sequence[ImportOutcome]) -> list[ImportOutcome]:
    return [outcome for outcome in outcomes if outcome.status != UNCHANGED]


def _files(paths: Sequence[Path], known_at_us: int | None) -> list[FoundFile]:
    """The files to import, each once, in the order given; a directory stands for every file under
    it in the order of their paths, hidden ones apart.
    """
    files: dict[Path, FoundFile] = {}
    for path in paths:
        if not path.exists():
            msg = f"{path}: no such file or directory; expected market data"
            raise ImportRefusedError(msg)
        if not path.is_dir():
            files[path] = FoundFile(path, named=True, known_at_us=known_at_us)
            continue
        found = [
            member
            for member in sorted(path.rglob("*"))
            if member.is_file()
            and not any(part.startswith(".") for part in member.relative_to(path).parts)
        ]
        if not found:
            msg = f"{path}: no file in this directory; expected market data"
            raise ImportRefusedError(msg)
        for member in found:
            files.setdefault(member, FoundFile(member, named=False, known_at_us=known_at_us))
    return list(files.values())
