"""Making a synthetic market and putting it into the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trading.market.calendar import calendar
from trading.market.importers import ImportRefusedError
from trading.market.importing import refuse_mixed
from trading.market.intake import GENERATED, UNCHANGED, ImportOutcome
from trading.market.services import ImportReport, shipped_imports
from trading.market.store import (
    CHAIN_SNAPSHOTS,
    UNDERLYINGS,
    CategoryFile,
    Import,
    MarketStore,
    StoredSource,
)
from trading.market.synthetic import parameters as p
from trading.market.synthetic.market import MarketPlan, parameters_digest
from trading.market.synthetic.modes import REALISTIC, mode_of
from trading.market.synthetic.writing import WrittenDay, write_days

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date
    from pathlib import Path

    from trading.market.store import Catalogue
    from trading.market.synthetic.modes import Mode

_REALISTIC = mode_of(REALISTIC)
_MOST_EXPIRIES = 8
_MOST_CADENCE = 60


def market_synthesise(
    *,
    root: Path,
    seed: int,
    from_date: date,
    to_date: date,
    mode: Mode = _REALISTIC,
    cadence_minutes: int = 1,
    expiries: int = p.DEFAULT_EXPIRIES,
    processes: int = 1,
    with_shipped: bool = False,
    now_us: int | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> ImportReport:
    """Generate the synthetic market of every market day from one date to another, both included.

    One generation of the store, a file for each category of each day; a day generated before in the
    same way changes nothing. `with_shipped` brings in the tables shipped with the program as well;
    `now_us` is written down as the time it was made. Raises ImportRefusedError for a range without
    market days or before the market's first, a seed that is not an unsigned 64-bit number, a
    cadence (minutes between snapshots) or number of expiries out of range, and a day that holds
    other data; CalendarError outside the calendar.
    """
    plan = MarketPlan(seed, mode, cadence_minutes, expiries)
    _check(plan, from_date)
    days = list(calendar().market_days(from_date, to_date))
    if not days:
        msg = f"no market day from {from_date} to {to_date}; expected a range that holds one"
        raise ImportRefusedError(msg)
    for day in days:
        calendar().session_hours(day)
    store = MarketStore(root)
    with store.exclusive() as catalogue:
        known = {day: _known(catalogue, plan, day) for day in days}
        wanted = [day for day, made in known.items() if made is None]
        for day in wanted:
            _refuse_other(catalogue, plan, day)
        new = _make(store, plan, wanted, processes, progress)
        tables, shipped = shipped_imports(store, catalogue) if with_shipped else ([], [])
        if new or tables:
            catalogue = store.publish(catalogue, [*tables, *new.values()], now_us=now_us)
    outcomes = []
    for day in days:
        before = known[day]
        status = GENERATED if before is None else UNCHANGED
        counts = (before or new[day]).counts
        outcomes.append(ImportOutcome(str(day), parameters_digest(plan, day), status, counts))
    return ImportReport(catalogue.generation, (*outcomes, *shipped))


def _check(plan: MarketPlan, from_date: date) -> None:
    for name, value, low, high in (
        ("seed", plan.seed, 0, (1 << 64) - 1),
        ("cadence", plan.cadence_minutes, 1, _MOST_CADENCE),
        ("number of expiries", plan.expiries, 1, _MOST_EXPIRIES),
    ):
        if not low <= value <= high:
            msg = f"{name} {value} is out of range, expected {low} to {high}"
            raise ImportRefusedError(msg)
    if from_date < p.FIRST_DAY:
        msg = f"{from_date} is before the synthetic market begins, expected {p.FIRST_DAY} or later"
        raise ImportRefusedError(msg)


def _known(catalogue: Catalogue, plan: MarketPlan, day: date) -> Import | None:
    return catalogue.find(_source(plan, day), p.SOURCE_NAME, p.GENERATOR_VERSION)


def _refuse_other(catalogue: Catalogue, plan: MarketPlan, day: date) -> None:
    """One market a day: not another source's, and not this one's at another cadence."""
    source = _source(plan, day)
    refuse_mixed(catalogue.entries, source, CHAIN_SNAPSHOTS, _days(day))
    for entry in catalogue.entries:
        if entry.category != CHAIN_SNAPSHOTS:
            continue  # what sessions made of this market is no part of it
        if entry.source.family == source.family and entry.days == _days(day):
            msg = (
                f"{source.file}: the store already holds it made with another cadence or number of "
                f"expiries; expected the same again, or another VAR_DIR"
            )
            raise ImportRefusedError(msg)


def _days(day: date) -> dict[str, tuple[str, ...]]:
    return dict.fromkeys(UNDERLYINGS, (day.isoformat(),))


def _source(plan: MarketPlan, day: date) -> StoredSource:
    return StoredSource(
        name=p.SOURCE_NAME,
        file=f"seed {plan.seed}, {day}",
        digest=parameters_digest(plan, day),
        synthetic=True,
        seed=plan.seed,
        generator_version=p.GENERATOR_VERSION,
        mode=plan.mode.text,
    )


def _make(
    store: MarketStore,
    plan: MarketPlan,
    days: Sequence[date],
    processes: int,
    progress: Callable[[str], None],
) -> dict[date, Import]:
    made: dict[date, Import] = {}
    if days:
        for written in write_days(store.root, plan, days, processes):
            made[written.day] = _import(store, plan, written)
            progress(f"[{len(made)}/{len(days)}] {written.day}: generated, seed {plan.seed}")
    return made


def _import(store: MarketStore, plan: MarketPlan, written: WrittenDay) -> Import:
    return Import(
        source=_source(plan, written.day),
        importer=p.SOURCE_NAME,
        importer_version=p.GENERATOR_VERSION,
        cadence_us=plan.cadence_minutes * 60_000_000,
        files=tuple(
            CategoryFile(
                category=table.category,
                accepted=store.adopt(table.path, table.category, table.digest, table.rows),
                ranges={"as_of": table.as_of, "available_at": table.available_at},
                held=table.held,
            )
            for table in written.tables
        ),
        rejected=None,
        counts=_counts(written),
    )


def _counts(written: WrittenDay) -> dict[str, Any]:
    rows = sum(table.rows for table in written.tables)
    return {
        "read": rows,
        "accepted": rows,
        "rejected": {},
        "dropped": {},
        "categories": {table.category: table.rows for table in written.tables},
        "snapshots": {
            underlying: {
                "received": received,
                "stamps": received,
                "accepted": received,
                "resent": 0,
                "clock": early,
            }
            for underlying, (received, early) in written.snapshots.items()
        },
    }
