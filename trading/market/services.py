"""Writing the market store: one call an action, keyword-only."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from trading.market import agreement, importing
from trading.market import store as market_store
from trading.market.importers import ImportRefusedError, skipped
from trading.market.importers.column_map import read_map
from trading.market.importers.head import open_sources
from trading.market.importers.mapped import MappedImporter
from trading.market.importers.registry import importer_for
from trading.market.store import Catalogue, MarketStore, StoredSource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import duckdb

    from trading.market.importers.head import SourceFile
    from trading.market.importers.registry import Importer
    from trading.market.store import Entry, Import

IMPORTED = "imported"
GENERATED = "generated"
UNCHANGED = "unchanged"
WOULD_IMPORT = "would import"
SKIPPED = "skipped"
REFUSED = "refused"
_NOTHING: dict[str, Any] = {
    "read": 0,
    "accepted": 0,
    "rejected": {},
    "dropped": {},
    "categories": {},
    "snapshots": {},
}


class ImportOutcome(msgspec.Struct, frozen=True):
    """What an import did with one file: `status` is imported, generated, unchanged, would import,
    skipped or refused, the last two with a `reason`; `counts` as in the catalogue.
    """

    path: str
    digest: str
    status: str
    counts: dict[str, Any]
    importer: str = ""
    reason: str = ""


class ImportReport(msgspec.Struct, frozen=True):
    """What one import did; `generation` is the catalogue's when it ended."""

    generation: int
    outcomes: tuple[ImportOutcome, ...]


class _Found(msgspec.Struct, frozen=True):
    """A file to import; `named` by the user, or met in a directory."""

    path: Path
    named: bool


def market_import(
    *,
    root: Path,
    paths: Sequence[Path],
    dry_run: bool = False,
    known_at_us: int | None = None,
    column_map: Path | None = None,
    now_us: int | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> ImportReport:
    """Import files, and every file under directories, as one generation of the store under `root`.

    Everything is read and judged before anything is listed. When a file that was named cannot be
    imported (ImportRefusedError), nothing is; one met in a directory is skipped when no importer
    knows it, and refused with a reason when it is damaged or contradicts the store. A file imported
    before changes nothing. `known_at_us` says when files that do not say it themselves were known;
    `column_map` is a TOML map of columns, asked before every importer; `now_us` is written down as
    the time of the import.
    `progress` is told one line a file.
    """
    files = _files(paths)
    given = None if column_map is None else MappedImporter(read_map(column_map))
    store = MarketStore(root)
    with market_store.connect() as connection, tempfile.TemporaryDirectory() as scratch:
        work = _Importing(
            store, connection, Path(scratch), known_at_us, given, now_us=now_us, dry_run=dry_run
        )
        if dry_run:
            return work.run(store.catalogue(), files, progress)
        with store.exclusive() as catalogue:
            return work.run(catalogue, files, progress)


class _Importing:
    """One import: what is known and what it has made so far."""

    def __init__(
        self,
        store: MarketStore,
        connection: duckdb.DuckDBPyConnection,
        scratch: Path,
        known_at_us: int | None,
        given: Importer | None,
        *,
        now_us: int | None,
        dry_run: bool,
    ) -> None:
        self._store = store
        self._connection = connection
        self._scratch = scratch
        self._known_at_us = known_at_us
        self._given = given
        self._now_us = now_us
        self._dry_run = dry_run
        self._made: list[Import] = []
        self._outcomes: list[ImportOutcome] = []

    def run(
        self, catalogue: Catalogue, files: Sequence[_Found], progress: Callable[[str], None]
    ) -> ImportReport:
        for number, found in enumerate(files, start=1):
            for outcome in self._file(catalogue, found):
                words = outcome.status + (f", {outcome.reason}" if outcome.reason else "")
                progress(f"[{number}/{len(files)}] {outcome.path}: {words}")
                self._outcomes.append(outcome)
        if self._made and not self._dry_run:
            catalogue = self._store.publish(catalogue, self._made, now_us=self._now_us)
        return ImportReport(catalogue.generation, tuple(self._outcomes))

    def _file(self, catalogue: Catalogue, found: _Found) -> list[ImportOutcome]:
        """Take a file, all of it or nothing."""
        before = len(self._made)
        try:
            return [
                self._source(catalogue, found, source)
                for source in open_sources(
                    self._connection, found.path, self._scratch, known_at_us=self._known_at_us
                )
            ]
        except ImportRefusedError as error:
            if found.named:
                raise
            del self._made[before:]
            reason = str(error).removeprefix(f"{found.path}: ")
            return [ImportOutcome(str(found.path), "", REFUSED, _NOTHING, reason=reason)]

    def _source(self, catalogue: Catalogue, found: _Found, source: SourceFile) -> ImportOutcome:
        importer = importer_for(source.head, self._given)
        if importer is None:
            if found.named:
                raise ImportRefusedError(f"{source.label}: {_unknown(source)}")
            return ImportOutcome(
                source.label, source.digest, SKIPPED, _NOTHING, reason=_unknown(source)
            )
        stored = StoredSource(
            name=importer.SOURCE_NAME,
            file=source.path.name,
            digest=source.digest,
            synthetic=False,
            member=source.member,
            known_at_us=source.known_at_us,
        )
        listed = Catalogue(imports=(*catalogue.imports, *self._made))
        known = listed.find(stored, importer.NAME, importer.VERSION)
        if known is not None:
            return ImportOutcome(
                source.label, source.digest, UNCHANGED, known.counts, importer.NAME
            )
        status, counts = self._take(catalogue, importer, source, stored)
        return ImportOutcome(source.label, source.digest, status, counts, importer.NAME)

    def _take(
        self, catalogue: Catalogue, importer: Importer, source: SourceFile, stored: StoredSource
    ) -> tuple[str, dict[str, Any]]:
        """Stage and judge a source, and write it unless nothing of it is new."""
        present = [*catalogue.entries, *(e for made in self._made for e in made.entries)]
        # What an older importer made of the same source is about to be replaced.
        earlier = [e for e in present if e.source.identity != stored.identity]
        importing.stage_source(self._connection, importer, source)
        categories = importing.staged_categories(self._connection, importer)
        for category in categories:
            _judge(self._store, self._connection, importer, category, earlier, stored)
        counts = importing.counts_of(importer, importing.outcomes(self._connection, categories))
        counts["snapshots"] = _snapshots(self._connection, categories)
        _refuse_empty(counts, source, importer)
        if not counts["accepted"]:
            return UNCHANGED, counts
        if self._dry_run:
            return WOULD_IMPORT, counts
        made = importing.write_import(
            self._store,
            self._connection,
            source=stored,
            importer=importer.NAME,
            importer_version=importer.VERSION,
            cadence_us=importer.CADENCE_US,
            categories=categories,
            counts=counts,
            refusals=importer.REFUSALS,
        )
        self._made.append(made)
        return IMPORTED, counts


def _judge(
    store: MarketStore,
    connection: duckdb.DuckDBPyConnection,
    importer: Importer,
    category: str,
    present: Sequence[Entry],
    source: StoredSource,
) -> None:
    """Hold the staged rows of a category against each other and against the store."""
    importing.refuse_mixed(present, source, category, importing.days_of(connection, category))
    moments = importing.moments_of(connection, category)
    files = importing.stored_paths(store, present, source, category, moments)
    compare = getattr(importer, "compare_with_stored", None)
    if compare is not None:
        compare(connection, files)
    else:
        agreement.mark_repeated(connection, category)
        agreement.mark_stored(connection, category, files)
        if files and moments and source.known_at_us is not None:
            until = (moments[0], max(moments[1], source.known_at_us))
            files = importing.stored_paths(store, present, source, category, until)
            agreement.mark_restated(connection, category, files, source.known_at_us)
            agreement.mark_stored(connection, category, files)


def _unknown(source: SourceFile) -> str:
    head = source.head
    known = skipped.reason(head)
    if known is not None:
        return known
    if head.columns:
        seen = f"{head.kind} with columns {', '.join(head.columns[:8])}"
        seen += ", …" if len(head.columns) > 8 else ""
    else:
        seen = f"{head.kind} file"
    return f"no importer knows it ({seen}); expected what `market formats` lists"


def _files(paths: Sequence[Path]) -> list[_Found]:
    """The files to import, each once, in the order given; a directory stands for every file under
    it in the order of their paths, hidden ones apart.
    """
    files: dict[Path, _Found] = {}
    for path in paths:
        if not path.exists():
            msg = f"{path}: no such file or directory; expected market data"
            raise ImportRefusedError(msg)
        if not path.is_dir():
            files[path] = _Found(path, named=True)
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
            files.setdefault(member, _Found(member, named=False))
    return list(files.values())


def _snapshots(
    connection: duckdb.DuckDBPyConnection, categories: Sequence[str]
) -> dict[str, dict[str, int]]:
    """Of each underlying the chain snapshots received, different stamps, accepted, sent again, and
    stamped later than received.
    """
    if market_store.CHAIN_SNAPSHOTS not in categories:
        return {}
    rows = connection.execute(
        f"""
        SELECT underlying,
          count(DISTINCT available_at) AS received,
          count(DISTINCT as_of) AS stamps,
          count(DISTINCT (as_of, available_at)) FILTER (outcome IS NULL) AS accepted,
          count(DISTINCT (as_of, available_at)) FILTER (outcome = 'RESENT_SNAPSHOT') AS resent,
          count(DISTINCT (as_of, available_at))
            FILTER (outcome IS NULL AND as_of > available_at) AS clock
        FROM staged_{market_store.CHAIN_SNAPSHOTS}
        WHERE outcome IS DISTINCT FROM 'UNKNOWN_UNDERLYING'
          AND as_of IS NOT NULL AND available_at IS NOT NULL
        GROUP BY ALL ORDER BY underlying DESC
        """  # noqa: S608 - a constant
    ).fetchall()
    names = ("received", "stamps", "accepted", "resent", "clock")
    return {row[0]: dict(zip(names, row[1:], strict=True)) for row in rows}


def _refuse_empty(counts: dict[str, Any], source: SourceFile, importer: Importer) -> None:
    if counts["accepted"] or counts["dropped"]:
        return
    if not counts["read"]:
        msg = f"{source.label}: no rows; expected {importer.TITLE}"
    else:
        reasons = ", ".join(f"{name} {count}" for name, count in counts["rejected"].items())
        msg = f"{source.label}: none of its {counts['read']} rows can be accepted: {reasons}"
    raise ImportRefusedError(msg)
