"""Reading the market store: what is in it, by the catalogue alone but for the rows refused."""

from __future__ import annotations

import functools
from collections import Counter
from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec

from trading.market.categories import BY_NAME, CATEGORIES, Category
from trading.market.coverage import (
    INTRADAY,
    DayCoverage,
    Gap,
    Level,
    Line,
    day_coverage,
    days_behind,
    expected_through,
    gaps,
    level_of,
    lines_of,
    market_days,
    missing_days,
)
from trading.market.importers.registry import IMPORTERS
from trading.market.rejections import RejectedRow, rejected_count, rejected_rows
from trading.market.store import OTHERS, Entry, MarketStore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from trading.market.store import Catalogue, Import

PAGE_ROWS = 50
_LONGEST_MONTH = 31
LONGEST_RANGE_DAYS = 731  # two years: what a page of days shows at once


class StoredSummary(msgspec.Struct, frozen=True):
    """One imported source: what it is called, what made it, what it covers, how much of it was
    taken; `days` and `files` by category.
    """

    source: str
    name: str
    digest: str
    importer: str
    importer_version: int
    generation: int
    imported_at_us: int | None
    synthetic: bool
    seed: int | None
    generator: str | None
    mode: str | None
    days: dict[str, dict[str, tuple[str, ...]]]
    counts: dict[str, Any]
    files: dict[str, str]
    edition: int | None
    superseded_in: int | None

    @property
    def rejected(self) -> int:
        """How many of its rows were refused."""
        return sum(self.counts["rejected"].values())

    @property
    def dropped(self) -> int:
        """How many of its rows said nothing new."""
        return sum(self.counts["dropped"].values())


class StoreStatus(msgspec.Struct, frozen=True):
    """The store's generation and its sources, in the order they were added."""

    root: str
    generation: int
    sources: tuple[StoredSummary, ...]


class Format(msgspec.Struct, frozen=True):
    """What can be imported: its importer, in words, and the categories it gives rows of."""

    name: str
    title: str
    categories: tuple[str, ...]


class HeldSource(msgspec.Struct, frozen=True):
    """A source's rows of one category: `name` says who publishes it, `file` where it
    was read.
    """

    name: str
    file: str
    digest: str
    synthetic: bool
    rows: int


class HeldCategory(msgspec.Struct, frozen=True):
    """What the store holds of one category; ranges are the first and last µs UTC, None when it
    holds nothing; `age_us` is that of the newest row, None for a table of dated figures.

    `lines` are the keys of its lines on the page of coverage. `behind` counts the market days that
    should be there by now and came after the newest held, `missing` those between the first and the
    last held that lack in one of its lines or another; both are None where the calendar does not
    say what to expect.
    """

    name: str
    title: str
    description: str
    rows: int
    as_of: tuple[int, int] | None
    available_at: tuple[int, int] | None
    age_us: int | None
    imported_at_us: int | None
    first_day: date | None
    last_day: date | None
    behind: int | None
    missing: int | None
    lines: tuple[str, ...]
    sources: tuple[HeldSource, ...]

    @property
    def synthetic(self) -> bool:
        """Whether any of it was made up."""
        return any(source.synthetic for source in self.sources)

    @property
    def synthetic_only(self) -> bool:
        """Whether all of it was made up."""
        return all(source.synthetic for source in self.sources)

    @property
    def source_names(self) -> tuple[str, ...]:
        """Who published it, each once."""
        return tuple(dict.fromkeys(source.name for source in self.sources))


class TurnedAwayFile(msgspec.Struct, frozen=True):
    """A file of which nothing was taken, and why; `taken_in` is the generation of an import that
    took it since.
    """

    file: str
    digest: str
    status: str
    reason: str
    generation: int
    at_us: int | None
    taken_in: int | None


class MarketCatalogue(msgspec.Struct, frozen=True):
    """Every category, in the order of docs/market.md, with what is held of it."""

    root: str
    generation: int
    categories: tuple[HeldCategory, ...]
    turned_away: tuple[TurnedAwayFile, ...]

    @property
    def held(self) -> tuple[HeldCategory, ...]:
        """The categories there is something of."""
        return tuple(category for category in self.categories if category.rows)

    @property
    def synthetic(self) -> bool:
        """Whether anything held was made up."""
        return any(category.synthetic for category in self.categories)

    @property
    def empty(self) -> tuple[HeldCategory, ...]:
        """The categories there is nothing of."""
        return tuple(category for category in self.categories if not category.rows)


def market_catalogue(*, root: Path, now_us: int, generation: int | None = None) -> MarketCatalogue:
    """What the store under `root` holds of each category, or held in an earlier generation, by its
    catalogue alone; raises StoreError when that is unreadable.
    """
    catalogue, held_lines = _lines(root)
    if generation is not None:
        catalogue = catalogue.at(generation)
        held_lines = lines_of(catalogue.entries)
    by_category: dict[str, list[Entry]] = {}
    for entry in catalogue.entries:
        by_category.setdefault(entry.category, []).append(entry)
    lines: dict[str, list[Line]] = {}
    for line in held_lines:
        lines.setdefault(line.category, []).append(line)
    imported = {made.generation: made.imported_at_us for made in catalogue.imports}
    held = tuple(
        _held(
            category,
            by_category.get(category.name, []),
            lines.get(category.name, []),
            imported,
            now_us,
        )
        for category in CATEGORIES
    )
    return MarketCatalogue(str(root), catalogue.generation, held, _turned_away(catalogue))


def _turned_away(catalogue: Catalogue) -> tuple[TurnedAwayFile, ...]:
    """The files turned away, the newest first."""
    taken = {(made.source.digest, made.source.member): made for made in catalogue.imports}
    return tuple(
        TurnedAwayFile(
            file=file.label,
            digest=file.digest,
            status=file.status,
            reason=file.reason,
            generation=file.generation,
            at_us=file.at_us,
            taken_in=since.generation if since and since.generation > file.generation else None,
        )
        for file in reversed(catalogue.turned_away)
        for since in (taken.get((file.digest, file.member)),)
    )


def _held(
    category: Category,
    entries: list[Entry],
    lines: list[Line],
    imported: dict[int, int | None],
    now_us: int,
) -> HeldCategory:
    judged = [line for line in lines if line.judged]
    newest = max(judged, key=lambda line: line.last, default=None)
    return HeldCategory(
        name=category.name,
        title=category.title,
        description=category.description,
        rows=sum(entry.accepted.rows for entry in entries),
        as_of=_range(entries, "as_of"),
        available_at=_range(entries, "available_at"),
        age_us=now_us - max(entry.ranges["as_of"][1] for entry in entries) if lines else None,
        imported_at_us=imported[max(entry.generation for entry in entries)] if entries else None,
        first_day=min((line.first for line in lines), default=None),
        last_day=max((line.last for line in lines), default=None),
        behind=days_behind(newest, now_us) if newest else None,
        missing=len(set().union(*map(missing_days, judged))) if judged else None,
        lines=tuple(line.key for line in lines),
        sources=tuple(
            HeldSource(
                name=entry.source.name,
                file=entry.source.label,
                digest=entry.source.digest,
                synthetic=entry.source.synthetic,
                rows=entry.accepted.rows,
            )
            for entry in entries
        ),
    )


def _range(entries: list[Entry], stamp: str) -> tuple[int, int] | None:
    ranges = [entry.ranges[stamp] for entry in entries]
    if not ranges:
        return None
    return min(first for first, _ in ranges), max(last for _, last in ranges)


def _lines(root: Path) -> tuple[Catalogue, tuple[Line, ...]]:
    """The catalogue and its lines, put together once for as long as it is the same file."""
    return _lines_at(root, MarketStore(root).stamp())


@functools.lru_cache(maxsize=1)
def _lines_at(
    root: Path,
    _stamp: tuple[int, ...],  # what the cache knows it by
) -> tuple[Catalogue, tuple[Line, ...]]:
    catalogue = MarketStore(root).catalogue()
    return catalogue, lines_of(catalogue.entries)


def market_formats() -> tuple[Format, ...]:
    """Everything that can be imported, in the order importers are asked."""
    return tuple(Format(i.NAME, i.TITLE, i.CATEGORIES) for i in IMPORTERS)


# --- coverage -------------------------------------------------------------------------------------


class YearCoverage(msgspec.Struct, frozen=True):
    """The days of one year held in a line, of the market days there should be by now; those are
    None where the line is not judged.
    """

    year: int
    held: int
    expected: int | None
    partial: int

    @property
    def level(self) -> Level | None:
        """Whether all, some or none of the year is held; None where nobody says what to expect."""
        if self.expected is None:
            return None
        if not self.held:
            return Level.NONE
        whole = self.held == self.expected and not self.partial
        return Level.FULL if whole else Level.PARTIAL


class LineSummary(msgspec.Struct, frozen=True):
    """What is held of one line, year by year; None before its first year and after its last."""

    key: str
    category: str
    title: str
    underlying: str
    resolution: str
    judged: bool
    first: date
    last: date
    behind: int | None
    missing: int
    synthetic: bool
    years: tuple[YearCoverage | None, ...]

    @property
    def of(self) -> str:
        """Whose rows these are, in a word."""
        if self.underlying != OTHERS:
            return self.underlying
        return "others" if "underlying" in BY_NAME[self.category].columns else "all"


class LineCoverage(msgspec.Struct, frozen=True):
    """One line between two dates, market day by market day; `elsewhere` are days held that are no
    market days, `cut` whether the range asked for was longer than LONGEST_RANGE_DAYS.
    """

    line: LineSummary
    first: date
    last: date
    cut: bool
    days: tuple[DayCoverage, ...]
    gaps: tuple[Gap, ...]
    elsewhere: tuple[date, ...]

    @property
    def held(self) -> int:
        """How many of the market days are held, in whole or in part."""
        return sum(day.level is not Level.NONE for day in self.days)

    @property
    def partial(self) -> tuple[DayCoverage, ...]:
        """The days of which only a part is held."""
        return tuple(day for day in self.days if day.level is Level.PARTIAL)

    @property
    def days_of_month(self) -> range:
        """The dates a month can have."""
        return range(1, _LONGEST_MONTH + 1)

    @property
    def months(self) -> tuple[tuple[date, tuple[DayCoverage | None, ...]], ...]:
        """The market days by month, each in the place of its date; None where there is none."""
        found: dict[date, list[DayCoverage | None]] = {}
        for one in self.days:
            month = found.setdefault(one.day.replace(day=1), [None] * _LONGEST_MONTH)
            month[one.day.day - 1] = one
        return tuple((month, tuple(days)) for month, days in found.items())


class CoveragePage(msgspec.Struct, frozen=True):
    """Every line there is, by year, the newest first, and the one chosen."""

    generation: int
    years: tuple[int, ...]
    lines: tuple[LineSummary, ...]
    chosen: LineCoverage | None


def coverage_page(
    *,
    root: Path,
    now_us: int,
    line: str = "",
    first: date | None = None,
    last: date | None = None,
) -> CoveragePage:
    """How many days of each year each line holds and, where the key of one is given, its days
    between two dates, by default the last year it has anything of. Of a range longer than
    LONGEST_RANGE_DAYS the end is shown. Raises StoreError for an unreadable catalogue.
    """
    catalogue, lines = _lines(root)
    years = tuple(sorted({day.year for each in lines for day in each.days}, reverse=True))
    summaries = tuple(_summary(each, years, now_us) for each in lines)
    chosen = next(
        (
            _chosen(each, summary, first, last, now_us)
            for each, summary in zip(lines, summaries, strict=True)
            if summary.key == line
        ),
        None,
    )
    return CoveragePage(catalogue.generation, years, summaries, chosen)


def _chosen(
    line: Line, summary: LineSummary, first: date | None, last: date | None, now_us: int
) -> LineCoverage:
    last = last or (date(first.year, 12, 31) if first else line.last)
    asked = first or date(last.year, 1, 1)
    first = max(asked, date.fromordinal(max(1, last.toordinal() - LONGEST_RANGE_DAYS + 1)))
    through = expected_through(line.resolution, now_us) or line.last
    days = market_days(first, min(last, max(through, line.last)))
    open_days = set(days)
    return LineCoverage(
        line=summary,
        first=first,
        last=last,
        cut=first != asked,
        days=tuple(day_coverage(line, day) for day in days),
        gaps=gaps(line, first, last),
        elsewhere=tuple(day for day in line.days if first <= day <= last and day not in open_days),
    )


def _summary(line: Line, years: Sequence[int], now_us: int) -> LineSummary:
    return LineSummary(
        key=line.key,
        category=line.category,
        title=BY_NAME[line.category].title,
        underlying=line.underlying,
        resolution=line.resolution,
        judged=line.judged,
        first=line.first,
        last=line.last,
        behind=days_behind(line, now_us),
        missing=len(missing_days(line)),
        synthetic=line.synthetic,
        years=_years(line, years, now_us),
    )


def _years(line: Line, years: Sequence[int], now_us: int) -> tuple[YearCoverage | None, ...]:
    expected: Counter[int] = Counter()
    held = Counter(day.year for day in line.days)
    partial: Counter[int] = Counter()
    if line.judged:
        through = max(line.last, expected_through(line.resolution, now_us) or line.last)
        open_days = market_days(line.first, through)
        expected.update(day.year for day in open_days)
        held = Counter(day.year for day in line.days.keys() & set(open_days))
    if line.resolution == INTRADAY:
        levels = ((day, level_of(line, day)) for day in line.days)
        partial = Counter(day.year for day, level in levels if level is Level.PARTIAL)
    return tuple(
        YearCoverage(year, held[year], expected[year] if line.judged else None, partial[year])
        if line.first.year <= year <= line.last.year
        else None
        for year in years
    )


# --- imports and what they refused ----------------------------------------------------------------


class ImportPage(msgspec.Struct, frozen=True):
    """A page of what was imported, newest first: `skip` before it, `total` in all."""

    generation: int
    rows: tuple[StoredSummary, ...]
    skip: int
    total: int
    names: tuple[str, ...]


class TurnedAwayPage(msgspec.Struct, frozen=True):
    """A page of files turned away, newest first: `skip` before it, `total` in all, and how many
    rows of other files were refused.
    """

    generation: int
    rows: tuple[TurnedAwayFile, ...]
    skip: int
    total: int
    refused_rows: int

    @property
    def turned_away(self) -> int:
        """How many files were turned away."""
        return self.total


class RejectedPage(msgspec.Struct, frozen=True):
    """A page of refused rows, newest import first: `skip` before it, `total` that match, of every
    reason and every file how many there are, and how many files were turned away whole.
    """

    generation: int
    rows: tuple[RejectedRow, ...]
    skip: int
    total: int
    reasons: dict[str, int]
    files: tuple[tuple[str, str, int], ...]
    turned_away: int

    @property
    def refused_rows(self) -> int:
        """How many rows of all files were refused."""
        return sum(rows for _, _, rows in self.files)


def import_page(*, root: Path, name: str = "", skip: int = 0) -> ImportPage:
    """What was imported, of one publisher or (empty text) of all."""
    catalogue = MarketStore(root).catalogue()
    names = tuple(sorted({made.source.name for made in catalogue.imports}))
    found = [made for made in reversed(catalogue.imports) if name in {"", made.source.name}]
    rows = tuple(_stored(made) for made in found[skip : skip + PAGE_ROWS])
    return ImportPage(catalogue.generation, rows, skip, len(found), names)


def rejected_page(*, root: Path, reason: str = "", digest: str = "", skip: int = 0) -> RejectedPage:
    """Refused rows, for one reason or any, of one file (the digest of its bytes) or all. Raises
    StoreError when a file of the store is damaged.
    """
    store = MarketStore(root)
    catalogue = store.catalogue()
    refused = [made for made in reversed(catalogue.imports) if made.rejected is not None]
    chosen = [made for made in refused if digest in {"", made.source.digest}]
    reasons: dict[str, int] = {}
    for made in chosen:
        for name, count in made.counts["rejected"].items():
            reasons[name] = reasons.get(name, 0) + count
    return RejectedPage(
        generation=catalogue.generation,
        rows=rejected_rows(store, chosen, reason=reason, skip=skip, limit=PAGE_ROWS),
        skip=skip,
        total=sum(rejected_count(made, reason) for made in chosen),
        reasons=dict(sorted(reasons.items(), key=lambda item: -item[1])),
        files=tuple(
            (made.source.label, made.source.digest, rejected_count(made, "")) for made in refused
        ),
        turned_away=len(catalogue.turned_away),
    )


def turned_away_page(*, root: Path, skip: int = 0) -> TurnedAwayPage:
    """Files that were skipped or refused whole, with their reasons."""
    catalogue = MarketStore(root).catalogue()
    files = _turned_away(catalogue)
    return TurnedAwayPage(
        generation=catalogue.generation,
        rows=files[skip : skip + PAGE_ROWS],
        skip=skip,
        total=len(files),
        refused_rows=sum(rejected_count(made, "") for made in catalogue.imports),
    )


def market_status(*, root: Path) -> StoreStatus:
    """What the store under `root` holds; raises StoreError when a file of it is damaged."""
    store = MarketStore(root)
    catalogue = store.catalogue()
    for made in catalogue.imports:
        for stored in made.stored:
            store.path_of(stored)
    summaries = tuple(_stored(made) for made in catalogue.imports)
    return StoreStatus(str(root), catalogue.generation, summaries)


def _stored(made: Import) -> StoredSummary:
    source = made.source
    return StoredSummary(
        source=source.name,
        name=source.label,
        digest=source.digest,
        importer=made.importer,
        importer_version=made.importer_version,
        generation=made.generation,
        imported_at_us=made.imported_at_us,
        synthetic=source.synthetic,
        seed=source.seed,
        generator=source.generator,
        mode=source.mode,
        days={file.category: file.days for file in made.files},
        counts=made.counts,
        files={file.category: file.accepted.file for file in made.files},
        edition=source.edition,
        superseded_in=made.superseded_in,
    )
