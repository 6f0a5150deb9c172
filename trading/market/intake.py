"""Files taken in, one after the other: found, known or not, read and judged, written and described.

Nothing is listed here: what was made is published by whoever asked for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from trading.market import agreement, importing
from trading.market import store as market_store
from trading.market.importers import ImportRefusedError, skipped
from trading.market.importers.head import open_sources
from trading.market.importers.registry import importer_for
from trading.market.store import Catalogue, StoredSource, TurnedAway

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import duckdb

    from trading.market.importers.head import SourceFile
    from trading.market.importers.registry import Importer
    from trading.market.store import Entry, Import, MarketStore

IMPORTED = "imported"
GENERATED = "generated"
EXPORTED = "exported"
UNCHANGED = "unchanged"
WOULD_IMPORT = "would import"
WOULD_EXPORT = "would export"
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
    """What an import did with one file: `status` is imported, generated, exported, unchanged, would
    import, would export, skipped or refused, the last two with a `reason`; `counts` as in the
    catalogue.
    """

    path: str
    digest: str
    status: str
    counts: dict[str, Any]
    importer: str = ""
    reason: str = ""


class FoundFile(msgspec.Struct, frozen=True):
    """A file to import; `named` by the user, or met in a directory or shipped with the program."""

    path: Path
    named: bool
    known_at_us: int | None = None  # what the user said of it


class Progress(Protocol):
    """Is told how far an import is."""

    def begins(self, files: int) -> None:
        """How many files there are."""

    def reads(self, number: int, path: Path) -> None:
        """Which file is read now, counted from 1."""

    def tells(self, number: int, outcome: ImportOutcome) -> None:
        """What came of a file, or of one of those packed in it."""

    def ends(self, done: int) -> None:
        """That nothing follows, and how many files are done: fewer where a named one failed."""


class Unheard:
    """A progress that nobody looks at."""

    def begins(self, files: int) -> None: ...
    def reads(self, number: int, path: Path) -> None: ...
    def tells(self, number: int, outcome: ImportOutcome) -> None: ...
    def ends(self, done: int) -> None: ...


UNHEARD = Unheard()


class Intake:
    """One import: what is known and what it has made so far."""

    def __init__(
        self,
        store: MarketStore,
        connection: duckdb.DuckDBPyConnection,
        scratch: Path,
        *,
        given: Importer | None = None,
        dry_run: bool = False,
    ) -> None:
        self._store = store
        self._connection = connection
        self._scratch = scratch
        self._given = given
        self._dry_run = dry_run
        self.made: list[Import] = []
        self.turned_away: list[TurnedAway] = []

    def take(
        self,
        catalogue: Catalogue,
        files: Sequence[FoundFile],
        progress: Progress = UNHEARD,
    ) -> list[ImportOutcome]:
        """What came of each file, and in `made` and `turned_away` what is to be listed.

        Raises ImportRefusedError when a file that was named cannot be imported.
        """
        outcomes: list[ImportOutcome] = []
        progress.begins(len(files))
        done = 0
        try:
            for number, found in enumerate(files, start=1):
                progress.reads(number, found.path)
                for outcome in self._file(catalogue, found):
                    progress.tells(number, outcome)
                    outcomes.append(outcome)
                done = number
        finally:
            progress.ends(done)
        return outcomes

    def _file(self, catalogue: Catalogue, found: FoundFile) -> list[ImportOutcome]:
        """Take a file, all of it or nothing."""
        before, away_before = len(self.made), len(self.turned_away)
        try:
            return [
                self._source(catalogue, found, source)
                for source in open_sources(
                    self._connection, found.path, self._scratch, known_at_us=found.known_at_us
                )
            ]
        except ImportRefusedError as error:
            if found.named:
                raise
            del self.made[before:]
            del self.turned_away[away_before:]
            reason = self._without_places(str(error).removeprefix(f"{found.path}: "), found.path)
            digest = _digest_or_none(found.path)
            self._turn_away(catalogue, TurnedAway(found.path.name, digest, REFUSED, reason))
            return [ImportOutcome(str(found.path), digest, REFUSED, _NOTHING, reason=reason)]

    def _source(self, catalogue: Catalogue, found: FoundFile, source: SourceFile) -> ImportOutcome:
        importer = importer_for(source.head, self._given)
        if importer is None:
            if found.named:
                raise ImportRefusedError(f"{source.label}: {_unknown(source)}")
            reason = _unknown(source)
            self._turn_away(
                catalogue,
                TurnedAway(source.path.name, source.digest, SKIPPED, reason, source.member),
            )
            return ImportOutcome(source.label, source.digest, SKIPPED, _NOTHING, reason=reason)
        stored = _stored_source(importer, source)
        listed = Catalogue(imports=(*catalogue.imports, *self.made))
        known = listed.find(stored, importer.NAME, importer.VERSION)
        if known is None and not found.named:
            # A program that ships what the store has moved on from has nothing new to say.
            known = listed.find_superseded(stored, importer.NAME, importer.VERSION)
        if known is not None:
            return ImportOutcome(
                source.label, source.digest, UNCHANGED, known.counts, importer.NAME
            )
        status, counts = self._stage(catalogue, importer, source, stored)
        return ImportOutcome(source.label, source.digest, status, counts, importer.NAME)

    def _without_places(self, reason: str, path: Path) -> str:
        """A reason without where the file lies or was unpacked: the same wherever it is met."""
        return reason.replace(f"{path.parent}/", "").replace(f"{self._scratch}/", "")

    def _turn_away(self, catalogue: Catalogue, file: TurnedAway) -> None:
        """Remember a file, unless it was turned away for this reason before."""
        listed = (*catalogue.turned_away, *self.turned_away)
        if file.identity not in {other.identity for other in listed}:
            self.turned_away.append(file)

    def _stage(
        self, catalogue: Catalogue, importer: Importer, source: SourceFile, stored: StoredSource
    ) -> tuple[str, dict[str, Any]]:
        """Stage and judge a source, and write it unless nothing of it is new."""
        importing.stage_source(self._connection, importer, source)
        categories = importing.staged_categories(self._connection, importer)
        beside = _beside([*catalogue.current, *self.made], importer, source, stored, categories)
        for category in categories:
            _judge(self._store, self._connection, importer, category, beside, stored)
        counts = importing.counts_of(
            importing.outcomes(self._connection, categories),
            refusals=importer.REFUSALS,
            drops=importer.DROPS,
        )
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
        self.made.append(made)
        return IMPORTED, counts


def _digest_or_none(path: Path) -> str:
    """The digest of a file's bytes; the empty text where they cannot be read."""
    try:
        return market_store.file_digest(path)
    except OSError:
        return ""


def _stored_source(importer: Importer, source: SourceFile) -> StoredSource:
    edition = getattr(importer, "edition", None)
    return StoredSource(
        name=importer.SOURCE_NAME,
        file=source.path.name,
        digest=source.digest,
        synthetic=False,
        member=source.member,
        known_at_us=source.known_at_us,
        edition=None if edition is None else edition(source),
    )


def _beside(
    listed: Sequence[Import],
    importer: Importer,
    source: SourceFile,
    stored: StoredSource,
    categories: Collection[str],
) -> list[Entry]:
    """The entries that stay current beside a source: not what an older importer made of it, nor an
    earlier edition. Raises ImportRefusedError where a later edition is held.
    """
    entries: list[Entry] = []
    for made in listed:
        held = made.source.edition
        if made.source.identity == stored.identity:
            continue
        if stored.edition is None or not made.is_of_table(importer.NAME, categories):
            entries += made.entries
        elif held is not None and held > stored.edition:
            msg = f"{source.label}: edition {stored.edition}; the store holds edition {held} of it"
            raise ImportRefusedError(msg)
    return entries


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
