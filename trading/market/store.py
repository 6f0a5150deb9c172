"""The market store: immutable Parquet files and the catalogue that lists them.

A file is written under a temporary name, flushed to disk, renamed to the SHA-256 of its bytes, and
only then listed; the catalogue is replaced in one rename under a file lock. So a reader sees a
generation or the one before it, never half of one, and two imports at once cannot lose each other.
Nothing is ever changed in place. Queries run in a DuckDB in memory, one thread, always ordered: the
same question has the same answer to the byte.

    <root>/catalogue.json                 the generation and its files
    <root>/<category>/<digest>.parquet    accepted rows
    <root>/rejected/<digest>.parquet      refused rows with their reasons, as they were
    <root>/lock
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb
import msgspec

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

CHAIN_SNAPSHOTS = "chain_snapshots"
REJECTED = "rejected"
UNDERLYINGS = ("NIFTY", "BANKNIFTY")  # in the order of frames of one instant
OTHERS = "*"  # every underlying but these, where days are listed


class StoreError(Exception):
    """The store cannot be read or written; the text is one line naming the file and what was
    expected.
    """


class StoredSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was imported. `digest` is that of the file's bytes, or of the parameters that generate
    the data.
    """

    name: str
    file: str
    digest: str
    synthetic: bool
    member: str = ""  # which file of a zip that holds several
    seed: int | None = None
    generator_version: int | None = None
    mode: str | None = None
    known_at_us: int | None = None  # what the user said of a file that does not say it itself
    edition: int | None = None  # of a table that comes in editions

    @property
    def label(self) -> str:
        """What a person calls it: the file, and which of a zip's."""
        return f"{self.file}/{self.member}" if self.member else self.file

    @property
    def generator(self) -> str | None:
        """What made synthetic rows, with its version; None for recorded data."""
        return f"{self.name} {self.generator_version}" if self.synthetic else None

    @property
    def identity(self) -> StoredSource:
        """What was imported, whatever the file was called."""
        return msgspec.structs.replace(self, file="")

    @property
    def family(self) -> tuple[str, int | None, int | None, str | None]:
        """Sources of one family may share a market day; two families on one day would mix two
        markets.
        """
        return (self.name, self.seed, self.generator_version, self.mode)


class StoredFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One Parquet file under the store's root."""

    file: str
    digest: str
    rows: int


class DayHeld(msgspec.Struct, frozen=True, array_like=True):
    """What a source gave of one IST date: its rows, those of them that stand for the whole day, and
    the quarters of an hour the others are of, in hexadecimal (trading.market.day_slots).
    """

    rows: int
    of_day: int
    slots: str


Held = dict[str, dict[str, DayHeld] | tuple[str, ...]]


class CategoryFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The accepted rows that one source gave of one category.

    `ranges` maps as_of and available_at to their first and last µs UTC; `held` each of UNDERLYINGS,
    and `*` for everything else, to the IST dates it has rows of and what it has of each (earlier
    builds listed the dates alone).
    """

    category: str
    accepted: StoredFile
    ranges: dict[str, tuple[int, int]]
    held: Held = msgspec.field(name="days")

    @property
    def days(self) -> dict[str, tuple[str, ...]]:
        """The IST dates of `held`."""
        return {whose: tuple(dates) for whose, dates in self.held.items()}


class Import(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One imported source in the catalogue: its accepted rows by category, its refused rows, and
    the count of everything that happened; `imported_at_us` is None where nobody said it.

    `counts` is `{read, accepted, rejected {reason: rows}, dropped {reason: rows}, categories
    {category: accepted rows}, snapshots {underlying: {received, stamps, accepted, resent,
    clock}}}`. `superseded_in` is the generation in which a later edition took its place: it is
    still listed, and no longer current.
    """

    source: StoredSource
    importer: str
    importer_version: int
    cadence_us: int | None
    files: tuple[CategoryFile, ...]
    rejected: StoredFile | None
    counts: dict[str, Any]
    generation: int = 0
    imported_at_us: int | None = None
    superseded_in: int | None = None

    @property
    def identity(self) -> tuple[StoredSource, str]:
        """What it was made of and by which importer: at most one of each is listed."""
        return (self.source.identity, self.importer)

    def is_of_table(self, importer: str, categories: Collection[str]) -> bool:
        """Whether it is an edition of the table of which an importer gives these categories."""
        return self.importer == importer and any(file.category in categories for file in self.files)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Each category of it."""
        return tuple(
            Entry(
                file.category,
                file.accepted,
                file.ranges,
                file.days,
                file.held,
                self.source,
                self.cadence_us,
                self.generation,
            )
            for file in self.files
        )

    @property
    def stored(self) -> tuple[StoredFile, ...]:
        """Every file it wrote."""
        accepted = tuple(file.accepted for file in self.files)
        return (*accepted, self.rejected) if self.rejected else accepted


class TurnedAway(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file (or one of those packed in it) of which nothing was taken: skipped because nobody
    knows it, or refused whole. `digest` is that of its bytes, empty where they could not be read.
    """

    file: str
    digest: str
    status: str
    reason: str
    member: str = ""
    generation: int = 0
    at_us: int | None = None

    @property
    def label(self) -> str:
        """What a person calls it: the file, and which of a zip's."""
        return f"{self.file}/{self.member}" if self.member else self.file

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What was turned away and why, whatever the file was called: listed once."""
        return (self.digest or self.file, self.member, self.status, self.reason)


class Entry(NamedTuple):
    """One category of one import."""

    category: str
    accepted: StoredFile
    ranges: dict[str, tuple[int, int]]
    days: dict[str, tuple[str, ...]]
    held: Held
    source: StoredSource
    cadence_us: int | None
    generation: int


class Catalogue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The imports of one generation, and the files it turned away, each in the order they were
    added.
    """

    generation: int = 0
    imports: tuple[Import, ...] = ()
    turned_away: tuple[TurnedAway, ...] = ()

    @property
    def current(self) -> tuple[Import, ...]:
        """The imports but for those a later edition took the place of."""
        return tuple(made for made in self.imports if made.superseded_in is None)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Each category of each current import, in that order."""
        return tuple(entry for made in self.current for entry in made.entries)

    def at(self, generation: int) -> Catalogue:
        """What this catalogue has of an earlier generation, with the editions current then. (What
        an importer's later version made anew is listed as it was made last.)
        """
        return Catalogue(
            min(generation, self.generation),
            tuple(
                made
                if made.superseded_in is None or made.superseded_in <= generation
                else msgspec.structs.replace(made, superseded_in=None)
                for made in self.imports
                if made.generation <= generation
            ),
            tuple(file for file in self.turned_away if file.generation <= generation),
        )

    def find(self, source: StoredSource, importer: str, importer_version: int) -> Import | None:
        """What this importer made of this source and is current, or None."""
        return _made_of(self.current, source, importer, importer_version)

    def find_superseded(
        self, source: StoredSource, importer: str, importer_version: int
    ) -> Import | None:
        """What this importer once made of this source and a later edition took the place of, or
        None.
        """
        superseded = [made for made in self.imports if made.superseded_in is not None]
        return _made_of(superseded, source, importer, importer_version)


class MarketStore:
    """The store under one directory (`VAR_DIR/market`), which the first write makes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._written: list[str] = []

    # --- reading ---

    def catalogue(self) -> Catalogue:
        """The current generation; an empty one when nothing has been imported. Raises StoreError
        when it cannot be read.
        """
        path = self.root / "catalogue.json"
        try:
            return msgspec.json.decode(path.read_bytes(), type=Catalogue)
        except FileNotFoundError:
            return Catalogue()
        except (OSError, msgspec.DecodeError) as error:
            msg = f"{path}: unreadable market catalogue: {error}"
            raise StoreError(msg) from error

    def stamp(self) -> tuple[int, ...]:
        """What tells one catalogue file from the next; the same while nobody replaced it."""
        try:
            found = (self.root / "catalogue.json").stat()
        except OSError:
            return ()
        return (found.st_ino, found.st_mtime_ns, found.st_size)

    def path_of(self, stored: StoredFile) -> Path:
        """The path of a stored file; raises StoreError when it is missing or its bytes are not the
        ones that were stored.
        """
        path = self.root / stored.file
        try:
            found = file_digest(path)
        except OSError as error:
            msg = f"{path}: listed in the market catalogue but unreadable: {error.strerror}"
            raise StoreError(msg) from error
        if found != stored.digest:
            msg = f"{path}: SHA-256 is {found}, the market catalogue expects {stored.digest}"
            raise StoreError(msg)
        return path

    # --- writing ---

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[Catalogue]:
        """Hold the store's lock; gives the catalogue as it is.

        Imports take it from their first look to their last rename. Files that the block wrote and
        did not list are removed at its end; what a killed writer left half-written is removed
        first.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # DuckDB writes a file under a name of its own first: tmp_, then ours.
            for leftover in (*self.root.glob("*/*.writing-*"), *self.root.glob(".writing-*")):
                leftover.unlink()
            self._written.clear()
            try:
                yield self.catalogue()
            finally:
                self._remove_unlisted()

    def _remove_unlisted(self) -> None:
        listed = {stored.file for made in self.catalogue().imports for stored in made.stored}
        for name in self._written:
            if name not in listed:
                (self.root / name).unlink(missing_ok=True)

    def write_table(
        self, connection: duckdb.DuckDBPyConnection, query: str, category: str
    ) -> StoredFile:
        """Write a query's rows, in its order, as one immutable file, inside `exclusive`; it is not
        listed until `publish`.
        """
        folder = self.root / category
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".writing-", suffix=".parquet", dir=folder)
        os.close(handle)
        temporary = Path(name)
        try:
            connection.execute(
                f"COPY ({query}) TO '{sql_text(name)}' (FORMAT parquet, COMPRESSION zstd)"
            )
            _flush(temporary)
            digest = file_digest(temporary)
            rows = _parquet_rows(connection, temporary)
            temporary.chmod(0o644)
            temporary.rename(folder / f"{digest}.parquet")
        except duckdb.Error as error:
            temporary.unlink(missing_ok=True)
            msg = f"{temporary}: cannot be written: {str(error).splitlines()[0]}"
            raise StoreError(msg) from error
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _flush(folder)
        stored = StoredFile(f"{category}/{digest}.parquet", digest, rows)
        self._written.append(stored.file)
        return stored

    def adopt(self, temporary: Path, category: str, digest: str, rows: int) -> StoredFile:
        """Take a file that was written beside the category's others, flushed, into the store,
        inside `exclusive`; it is not listed until `publish`.
        """
        folder = self.root / category
        temporary.chmod(0o644)
        temporary.rename(folder / f"{digest}.parquet")
        _flush(folder)
        stored = StoredFile(f"{category}/{digest}.parquet", digest, rows)
        self._written.append(stored.file)
        return stored

    def publish(
        self,
        catalogue: Catalogue,
        imports: Sequence[Import],
        *,
        turned_away: Sequence[TurnedAway] = (),
        now_us: int | None = None,
    ) -> Catalogue:
        """List new imports, and files turned away, as one generation, made at `now_us`; call it
        inside `exclusive`, with the catalogue that gave.

        An import takes the place of one its importer made of the same source in an earlier version.
        An edition of a table supersedes the one before it, which stays listed as history.
        """
        generation = catalogue.generation + 1
        new = [
            msgspec.structs.replace(made, generation=generation, imported_at_us=now_us)
            for made in imports
        ]
        listed = _with_superseded(catalogue.imports, new, generation)
        replaced = {made.identity for made in new}
        kept = [
            made
            for made in listed[: len(catalogue.imports)]
            if made.superseded_in is not None or made.identity not in replaced
        ]
        away = [
            msgspec.structs.replace(file, generation=generation, at_us=now_us)
            for file in turned_away
        ]
        following = Catalogue(
            generation,
            (*kept, *listed[len(catalogue.imports) :]),
            (*catalogue.turned_away, *away),
        )
        text = msgspec.json.format(msgspec.json.encode(following, order="sorted"), indent=1)
        handle, name = tempfile.mkstemp(prefix=".writing-", dir=self.root)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(text + b"\n")
                stream.flush()
                os.fsync(stream.fileno())
            temporary.chmod(0o644)
            temporary.rename(self.root / "catalogue.json")
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _flush(self.root)
        return following


def connect() -> duckdb.DuckDBPyConnection:
    """A DuckDB in memory that gives the same bytes for the same question: one thread, insertion
    order kept, nothing fetched.
    """
    return duckdb.connect(
        ":memory:",
        config={
            "threads": 1,
            "preserve_insertion_order": True,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )


def sql_text(value: str) -> str:
    """A text for use inside single quotes in SQL."""
    return value.replace("'", "''")


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _made_of(
    imports: Iterable[Import], source: StoredSource, importer: str, importer_version: int
) -> Import | None:
    wanted = (source.identity, importer)
    for made in imports:
        if made.identity == wanted and made.importer_version == importer_version:
            return made
    return None


def _with_superseded(
    before: Sequence[Import], new: Sequence[Import], generation: int
) -> list[Import]:
    """Imports and those after them, each edition that a later one succeeds marked so."""
    listed = [*before, *new]
    for number, made in enumerate(new, start=len(before)):
        if made.source.edition is None:
            continue
        categories = {file.category for file in made.files}
        for earlier, other in enumerate(listed[:number]):
            if other.superseded_in is None and other.is_of_table(made.importer, categories):
                listed[earlier] = msgspec.structs.replace(other, superseded_in=generation)
    return listed


def _parquet_rows(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    # All of the result: what is left of one keeps the connection from other work.
    rows = connection.execute(
        "SELECT num_rows FROM parquet_file_metadata($path)", {"path": str(path)}
    ).fetchall()
    return int(rows[0][0]) if rows else 0


def _flush(path: Path) -> None:
    """fsync a file or a directory."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
