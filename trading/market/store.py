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
from typing import TYPE_CHECKING, Any

import duckdb
import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CHAIN_SNAPSHOTS = "chain_snapshots"
REJECTED = "rejected"
UNDERLYINGS = ("NIFTY", "BANKNIFTY")  # in the order of frames of one instant

# One row a strike of a snapshot. Times are µs UTC, prices integer paise, quoted quantities units,
# open interest and volume contracts as the exchange publishes them (open interest is a fraction
# after a change of lot); zero never stands for missing.
CHAIN_SNAPSHOT_COLUMNS = {
    "as_of": "BIGINT",
    "available_at": "BIGINT",
    "exchange_stamp": "BIGINT",
    "collection_stamp": "BIGINT",
    "underlying": "VARCHAR",
    "expiry": "DATE",
    "strike_paise": "BIGINT",
    **{
        f"{side}_{field}": kind
        for side in ("call", "put")
        for field, kind in {
            "bid_paise": "BIGINT",
            "ask_paise": "BIGINT",
            "bid_quantity": "BIGINT",
            "ask_quantity": "BIGINT",
            "last_paise": "BIGINT",
            "oi_contracts": "DOUBLE",
            "volume_contracts": "BIGINT",
        }.items()
    },
    "spot_paise": "BIGINT",
    "source_digest": "VARCHAR",
}
# Descending, because NIFTY comes before BANKNIFTY.
CHAIN_SNAPSHOT_ORDER = "available_at, underlying DESC, as_of, expiry, strike_paise"


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
    seed: int | None = None
    generator_version: int | None = None
    mode: str | None = None

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


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One imported source in the catalogue: its accepted rows, its refused rows, and the count of
    everything that happened.

    `ranges` maps as_of and available_at to their first and last µs UTC, `days` each underlying to
    its IST market dates. `counts` is `{read, accepted, rejected {reason: rows}, dropped {reason:
    rows}, snapshots {underlying: {received, stamps, accepted, resent, clock}}}`.
    """

    category: str
    accepted: StoredFile
    rejected: StoredFile | None
    source: StoredSource
    importer: str
    importer_version: int
    cadence_us: int
    ranges: dict[str, tuple[int, int]]
    days: dict[str, tuple[str, ...]]
    counts: dict[str, Any]
    generation: int = 0


class Catalogue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The files of one generation, in the order they were added."""

    generation: int = 0
    entries: tuple[Entry, ...] = ()

    def find(self, source_digest: str, importer: str, importer_version: int) -> Entry | None:
        """The entry this importer made of this source, or None."""
        wanted = (source_digest, importer, importer_version)
        for entry in self.entries:
            if (entry.source.digest, entry.importer, entry.importer_version) == wanted:
                return entry
        return None


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

        Imports take it from their first look to their last rename. When the block fails, the files
        it wrote are removed again; what a killed writer left half-written is removed first.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for leftover in (*self.root.glob("*/.writing-*"), *self.root.glob(".writing-*")):
                leftover.unlink()
            self._written.clear()
            try:
                yield self.catalogue()
            except BaseException:
                self._remove_unlisted()
                raise

    def _remove_unlisted(self) -> None:
        listed = {
            stored.file
            for entry in self.catalogue().entries
            for stored in (entry.accepted, entry.rejected)
            if stored
        }
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

    def publish(self, catalogue: Catalogue, entries: Sequence[Entry]) -> Catalogue:
        """List new entries as one generation; call it inside `exclusive`, with the catalogue that
        gave.

        An entry takes the place of one its importer made of the same source in an earlier version.
        """
        generation = catalogue.generation + 1
        new = [msgspec.structs.replace(entry, generation=generation) for entry in entries]
        replaced = {(entry.source.digest, entry.importer) for entry in new}
        kept = [e for e in catalogue.entries if (e.source.digest, e.importer) not in replaced]
        following = Catalogue(generation, (*kept, *new))
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


def _parquet_rows(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    row = connection.execute(
        "SELECT num_rows FROM parquet_file_metadata($path)", {"path": str(path)}
    ).fetchone()
    return int(row[0]) if row else 0


def _flush(path: Path) -> None:
    """fsync a file or a directory."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
