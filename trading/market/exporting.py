"""The fits of a session, out of its log into the store: one import a day file.

A log is only ever added to, so an event that was exported is the same for good: it is known by its
session, its seq and the hash of its line. The digest of an import is the hash of the last line
exported with it: all of the day file before that line leads to it, the line itself shows it, and it
stays the same when the day is packed (docs/decisions/exported-surfaces.md).
"""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from journal.log.reader import read_session
from trading.market import importing
from trading.market.agreement import ALREADY_STORED
from trading.market.fitted_rows import FITTED, REFUSALS, fits_of_day, rows_of
from trading.market.importers import ImportRefusedError
from trading.market.intake import EXPORTED, REFUSED, UNCHANGED, WOULD_EXPORT, ImportOutcome
from trading.market.staging import stage_rows
from trading.market.store import StoredSource
from trading.market.timeguard import TimeGuard

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from trading.market.fitted_rows import Fitted, Row
    from trading.market.intake import Progress
    from trading.market.store import Catalogue, Import, MarketStore

NAME = "session_log"
VERSION = 1
_FITS, _SURFACES = "fits", "surfaces"
_CATEGORIES = (_FITS, _SURFACES)
_EVER_US = 2**63 - 1


class Export:
    """One export of the log in `directory`, which is that of `session`; what it made so far."""

    def __init__(
        self,
        store: MarketStore,
        connection: duckdb.DuckDBPyConnection,
        directory: Path,
        *,
        session: str,
        dry_run: bool = False,
    ) -> None:
        self._store = store
        self._connection = connection
        self._directory = directory
        self._session = session
        self._dry_run = dry_run
        self._stored: dict[int, str] = {}  # of this session: the hash of each event by its seq
        self.made: list[Import] = []

    def take(self, catalogue: Catalogue, progress: Progress) -> list[ImportOutcome]:
        """What came of each day that has fits, and in `made` what is to be listed.

        Raises ImportRefusedError for a log without fits that can be taken, one that is not the log
        the session's fits were exported from before, and a day that holds another market;
        TamperedError where the log does not hold.
        """
        self._stored = self._hashes_stored()
        outcomes: list[ImportOutcome] = []
        met: set[int] = set()
        days = groupby(read_session(self._directory), key=attrgetter("file"))
        for number, (file, lines) in enumerate(days, start=1):
            progress.reads(number, Path(file))
            for fits in _by_market(fits_of_day(lines)):
                self._refuse_other_hashes(fits)
                met.update(fitted.seq for fitted in fits)
                outcomes.append(self._day(catalogue, file, fits))
                progress.tells(number, outcomes[-1])
        self._refuse_none(outcomes)
        self._refuse_missing(met)
        return outcomes

    def _hashes_stored(self) -> dict[int, str]:
        found = TimeGuard(self._store).rows(
            _FITS,
            now_us=_EVER_US,
            columns=("seq", "event_hash"),
            where={"session": self._session},
        )
        if not found:
            return {}
        return dict(zip(found["seq"].tolist(), found["event_hash"].tolist(), strict=True))

    def _day(self, catalogue: Catalogue, file: str, fits: Sequence[Fitted]) -> ImportOutcome:
        """Stage and judge the fits of one day and market, and write those that are new."""
        source = self._source(file, fits)
        self._stage(fits, source)
        for category in _CATEGORIES:
            days = importing.days_of(self._connection, category)
            importing.refuse_mixed(catalogue.entries, source, category, days)
        outcomes = importing.outcomes(self._connection, _CATEGORIES)
        counts = importing.counts_of(outcomes, refusals=REFUSALS, drops=())
        counts["snapshots"] = {}
        status, reason = self._status(counts["accepted"], counts["dropped"]), ""
        if status == REFUSED:
            reason = f"none of its {counts['read']} fits can be taken: {', '.join(REFUSALS)}"
        elif status == EXPORTED:
            self.made.append(
                importing.write_import(
                    self._store,
                    self._connection,
                    source=source,
                    importer=NAME,
                    importer_version=VERSION,
                    cadence_us=None,
                    categories=_CATEGORIES,
                    counts=counts,
                    refusals=REFUSALS,
                )
            )
        return ImportOutcome(source.label, source.digest, status, counts, NAME, reason)

    def _status(self, accepted: int, dropped: dict[str, int]) -> str:
        if accepted:
            return WOULD_EXPORT if self._dry_run else EXPORTED
        return UNCHANGED if dropped else REFUSED

    def _source(self, file: str, fits: Sequence[Fitted]) -> StoredSource:
        """What is exported: the market the frames are of, up to the last line that is new."""
        new = [fitted for fitted in fits if self._is_new(fitted)]
        market = fits[0].snapshot.source
        return StoredSource(
            name=market.name,
            file=f"session {self._session}",
            member=file,
            digest=(new or fits)[-1].line.hash,
            synthetic=market.synthetic,
            seed=market.seed,
            generator_version=market.generator_version,
            mode=market.mode,
        )

    def _is_new(self, fitted: Fitted) -> bool:
        return fitted.payload is not None and fitted.seq not in self._stored

    def _stage(self, fits: Sequence[Fitted], source: StoredSource) -> None:
        staged: dict[str, list[Row]] = {category: [] for category in _CATEGORIES}
        for fitted in fits:
            for category, rows in zip(_CATEGORIES, rows_of(fitted), strict=True):
                if fitted.seq in self._stored:
                    # Counted and no more: surfaces are large.
                    staged[category] += [{"outcome": ALREADY_STORED}] * len(rows)
                else:
                    staged[category] += rows
        try:
            for category, rows in staged.items():
                stage_rows(self._connection, category, rows)
        except duckdb.Error as error:
            said = str(error).splitlines()[0]
            msg = f"{source.label}: fits that are none of this program's: {said}"
            raise ImportRefusedError(msg) from error

    def _refuse_other_hashes(self, fits: Iterable[Fitted]) -> None:
        for fitted in fits:
            stored = self._stored.get(fitted.seq, fitted.line.hash)
            if stored != fitted.line.hash:
                raise self._other_log(fitted.seq, f"whose hash was {stored}", fitted.line.hash)

    def _refuse_missing(self, met: set[int]) -> None:
        """A log that goes further than an exported fit has it."""
        last = max(met)
        missing = [seq for seq in sorted(self._stored) if seq < last and seq not in met]
        if missing:
            raise self._other_log(missing[0], f"a {FITTED}", "something else")

    def _other_log(self, seq: int, was: str, found: str) -> ImportRefusedError:
        return ImportRefusedError(
            f"session {self._session}: fits were exported before from another log of this name, "
            f"with an event {seq} {was}; found {found}, expected the same log, grown or not"
        )

    def _refuse_none(self, outcomes: Sequence[ImportOutcome]) -> None:
        if not outcomes:
            msg = f"session {self._session}: no {FITTED} in its log; expected a session told to fit"
            raise ImportRefusedError(f"{msg} surfaces ([surface] in its configuration)")
        if all(outcome.status == REFUSED for outcome in outcomes):
            raise ImportRefusedError(f"{outcomes[0].path}: {outcomes[0].reason}")


def _by_market(fits: Iterable[Fitted]) -> list[list[Fitted]]:
    """The fits of a day by the market their frames are of, each in order."""
    found: dict[object, list[Fitted]] = {}
    for fitted in fits:
        source = fitted.snapshot.source
        market = (source.name, source.synthetic, source.seed, source.generator_version, source.mode)
        found.setdefault(market, []).append(fitted)
    return list(found.values())
