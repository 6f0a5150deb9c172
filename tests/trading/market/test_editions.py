"""The tables shipped with the program in the store: brought in once, replaced by a later edition,
their history kept.
"""

from __future__ import annotations

import multiprocessing
import random
import re
import time
from datetime import date
from datetime import time as clock
from typing import TYPE_CHECKING, Any

import pytest

from tests.trading.market.conftest import snapshot
from trading.market.calendar import instant_us
from trading.market.figures import table_path
from trading.market.importers import ImportRefusedError, reference_tables
from trading.market.intake import UNCHANGED
from trading.market.reference import TABLES
from trading.market.selectors import import_page, market_catalogue
from trading.market.services import market_import
from trading.market.store import MarketStore, file_digest
from trading.market.synthetic.services import market_synthesise
from trading.market.timeguard import TimeGuard

if TYPE_CHECKING:
    from pathlib import Path

    from tests.trading.market.conftest import WriteFile

# A table's rows and its edition change together: who changes one raises the edition in its file and
# writes its digest here.
EDITIONS = {
    "calendar": (1, "1703b4111f5006630198d6350bfc042e38b025aad423a940210c2f54ba9fa2ac"),
    "contracts": (1, "0721fad2625383d5c552b3676a191c42b1574949896dbef0d14d98f3024461d2"),
    "circuit_breakers": (1, "6478e184daf5846a24385b6cc4a8a02dfe7b81d86ebe88f2b5b65e1025e99c92"),
    "position_limits": (1, "15857396c11f77afcf55ee68dfbb2e48f75ca7fd29024195a83076eeaab1137a"),
    "rates": (1, "a04a32572b0ed5ecaca4548fba8d7f61526f0759e063ad17c1aadfa1d4d3ce6a"),
    "scheduled_events": (1, "5cfd0321e945da7d14cfc9221eeb98092005654f48417321a3bff74c236a1dd4"),
}
NOW_US = instant_us(date(2026, 11, 26), clock(9))
FRIDAY = date(2026, 2, 27)
KILLS = 8


def _edition(folder: Path, name: str, number: int, old: str = "", new: str = "") -> Path:
    """A later edition of a shipped table, with one text in it changed."""
    text = table_path(name).read_text(encoding="utf-8")
    if old:
        assert text.count(old) == 1
    path = folder / f"{name}-{number}.toml"
    changed = re.sub(r"(?m)^edition = \d+$", f"edition = {number}", text.replace(old, new))
    path.write_text(changed, encoding="utf-8")
    return path


def _events(root: Path, *, generation: int | None = None) -> dict[Any, Any]:
    """The scheduled events as known today, by their day: their names."""
    guard = TimeGuard(MarketStore(root), generation=generation)
    rows = guard.rows("scheduled_events", now_us=NOW_US, columns=["day", "event", "name"])
    if not rows:
        return {}
    return dict(zip(rows["day"].astype("datetime64[D]").tolist(), rows["name"], strict=True))


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_changed_has_another_edition(name: str, tmp_path: Path) -> None:
    text = table_path(name).read_text(encoding="utf-8")
    (number,) = re.findall(r"(?m)^edition = (\d+)$", text)
    assert (int(number), file_digest(table_path(name))) == EDITIONS[name], (
        f"{name}.toml changed: raise its edition and write both here"
    )


def test_the_shipped_tables_come_in_once_and_are_counted(tmp_path: Path) -> None:
    root = tmp_path / "market"
    report = market_import(root=root, with_shipped=True, now_us=NOW_US)
    assert report.generation == 1
    assert {outcome.status for outcome in report.outcomes} == {"imported"}
    bytes_before = (root / "catalogue.json").read_bytes()
    again = market_import(root=root, with_shipped=True, now_us=NOW_US + 1)
    assert {outcome.status for outcome in again.outcomes} == {UNCHANGED}
    assert (root / "catalogue.json").read_bytes() == bytes_before
    held = {c.name: c.rows for c in market_catalogue(root=root, now_us=NOW_US).held}
    counted: dict[str, int] = {}
    for outcome in report.outcomes:
        counted |= outcome.counts["categories"]
    assert held == counted
    assert set(held) == set(reference_tables.CATEGORIES)
    assert all(outcome.counts["rejected"] == {} for outcome in report.outcomes)


def test_a_first_import_and_a_first_synthetic_day_bring_them_in(
    tmp_path: Path, write_file: WriteFile
) -> None:
    chain = write_file("chain.parquet", snapshot())
    report = market_import(root=tmp_path / "one", paths=[chain], with_shipped=True)
    assert [outcome.status for outcome in report.outcomes] == ["imported"] * 7
    assert report.outcomes[0].path == str(chain)
    again = market_import(root=tmp_path / "one", paths=[chain], with_shipped=True)
    assert [(o.path, o.status) for o in again.outcomes] == [(str(chain), UNCHANGED)]

    made = {"root": tmp_path / "two", "seed": 3, "from_date": FRIDAY, "to_date": FRIDAY}
    first = market_synthesise(**made, cadence_minutes=60, expiries=1, with_shipped=True)
    assert first.generation == 1
    assert [outcome.status for outcome in first.outcomes] == ["generated"] + ["imported"] * 6
    second = market_synthesise(**made, cadence_minutes=60, expiries=1, with_shipped=True)
    assert [outcome.status for outcome in second.outcomes] == [UNCHANGED]
    assert second.generation == 1


def test_a_refused_file_leaves_no_table_either(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(ImportRefusedError):
        market_import(root=tmp_path / "market", paths=[path], with_shipped=True)
    assert MarketStore(tmp_path / "market").catalogue().generation == 0
    assert not [*(tmp_path / "market").rglob("*.parquet")]


def test_a_later_edition_replaces_what_is_current_and_history_stays(tmp_path: Path) -> None:
    root = tmp_path / "market"
    market_import(root=root, with_shipped=True, now_us=NOW_US)
    before = _events(root)
    day = date(2015, 2, 28)
    assert before[day] == "Union Budget 2015-16"
    later = _edition(tmp_path, "scheduled_events", 2, "Union Budget 2015-16", "The Union Budget")
    report = market_import(root=root, paths=[later], now_us=NOW_US)
    assert (report.generation, report.outcomes[0].status) == (2, "imported")
    assert report.outcomes[0].counts["rejected"] == {}
    assert _events(root) == {**before, day: "The Union Budget"}
    # As the first generation knew it, and the first generation only.
    assert _events(root, generation=1) == before
    assert _events(root, generation=2) == _events(root)
    assert _events(root, generation=0) == {}
    held = {c.name: c for c in market_catalogue(root=root, now_us=NOW_US).categories}
    assert held["scheduled_events"].rows == len(before)
    assert [source.file for source in held["scheduled_events"].sources] == [later.name]
    earlier = market_catalogue(root=root, now_us=NOW_US, generation=1).categories
    assert [
        source.file for c in earlier if c.name == "scheduled_events" for source in c.sources
    ] == ["scheduled_events.toml"]
    listed = {row.name: row for row in import_page(root=root).rows}
    assert (listed[later.name].edition, listed[later.name].superseded_in) == (2, None)
    assert listed["scheduled_events.toml"].superseded_in == 2
    assert listed["calendar.toml"].superseded_in is None


def test_a_row_that_a_later_edition_leaves_out_is_no_longer_current(tmp_path: Path) -> None:
    root = tmp_path / "market"
    market_import(root=root, with_shipped=True)
    text = table_path("scheduled_events").read_text(encoding="utf-8")
    first, *_, last = re.split(r"(?m)^(?=\[\[event\]\])", text)
    path = tmp_path / "short.toml"
    path.write_text(first.replace("edition = 1", "edition = 2") + last, encoding="utf-8")
    market_import(root=root, paths=[path])
    assert len(_events(root)) == 1
    assert len(_events(root, generation=1)) > 1


def test_an_earlier_edition_never_takes_the_place_of_a_later_one(tmp_path: Path) -> None:
    root = tmp_path / "market"
    later = _edition(tmp_path, "scheduled_events", 2, "Union Budget 2015-16", "The Union Budget")
    market_import(root=root, paths=[later])
    before = (root / "catalogue.json").read_bytes()
    with pytest.raises(ImportRefusedError, match="edition 1; the store holds edition 2 of it"):
        market_import(root=root, paths=[table_path("scheduled_events")])
    assert (root / "catalogue.json").read_bytes() == before
    # A program that ships an earlier edition brings in the others and leaves this one.
    report = market_import(root=root, with_shipped=True)
    told = {outcome.path: outcome.status for outcome in report.outcomes}
    assert told.pop(str(table_path("scheduled_events"))) == "refused"
    assert set(told.values()) == {"imported"}
    assert "The Union Budget" in _events(root).values()


def test_what_is_shipped_and_was_superseded_changes_nothing_when_it_is_met_again(
    tmp_path: Path,
) -> None:
    root = tmp_path / "market"
    market_import(root=root, with_shipped=True)
    later = _edition(tmp_path, "calendar", 2)
    market_import(root=root, paths=[later], with_shipped=True)
    before = (root / "catalogue.json").read_bytes()
    report = market_import(root=root, paths=[later], with_shipped=True)
    assert {outcome.status for outcome in report.outcomes} == {"unchanged"}
    assert (root / "catalogue.json").read_bytes() == before


def test_editions_of_one_folder_end_with_the_last(tmp_path: Path) -> None:
    folder = tmp_path / "editions"
    folder.mkdir()
    _edition(folder, "scheduled_events", 2, "Union Budget 2015-16", "Second")
    _edition(folder, "scheduled_events", 3, "Union Budget 2015-16", "Third")
    root = tmp_path / "market"
    report = market_import(root=root, paths=[folder])
    assert (report.generation, len(report.outcomes)) == (1, 2)
    assert _events(root)[date(2015, 2, 28)] == "Third"
    assert len(MarketStore(root).catalogue().imports) == 2


def test_a_table_without_an_edition_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "rates.toml"
    text = table_path("rates").read_text(encoding="utf-8")
    for said in ("", "edition = 0", 'edition = "2"', "edition = true"):
        path.write_text(re.sub(r"(?m)^edition = 1$", said, text), encoding="utf-8")
        with pytest.raises(ImportRefusedError, match="expected a whole number from 1 on") as error:
            market_import(root=tmp_path / "market", paths=[path])
        assert "\n" not in str(error.value)


def _bring_in(root: Path, paths: list[Path]) -> None:
    market_import(root=root, paths=paths, with_shipped=True)


@pytest.mark.slow
def test_a_killed_replacement_leaves_one_edition_or_the_other(tmp_path: Path) -> None:
    root = tmp_path / "market"
    market_import(root=root, with_shipped=True)
    later = [_edition(tmp_path, name, 2) for name in ("calendar", "contracts", "rates")]
    context = multiprocessing.get_context("fork")
    dice = random.Random(8)
    trial = tmp_path / "trial"
    _bring_in(trial, [])
    started = time.monotonic()
    process = context.Process(target=_bring_in, args=(trial, later))
    process.start()
    process.join()
    whole = time.monotonic() - started
    before = MarketStore(root).catalogue()
    interrupted = 0
    for _ in range(KILLS):
        process = context.Process(target=_bring_in, args=(root, later))
        process.start()
        time.sleep(dice.uniform(0, 1) * whole)
        process.kill()
        process.join()
        found = MarketStore(root).catalogue()
        for made in found.imports:
            for stored in made.stored:
                MarketStore(root).path_of(stored)
        if found.generation != before.generation:
            break
        assert found == before
        interrupted += 1
    assert interrupted
    _bring_in(root, later)
    catalogue = MarketStore(root).catalogue()
    assert (catalogue.generation, len(catalogue.imports), len(catalogue.current)) == (2, 9, 6)
    assert sorted(made.source.edition or 0 for made in catalogue.current) == [1, 1, 1, 2, 2, 2]
