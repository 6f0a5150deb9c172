"""Fits and surfaces out of real sessions' logs: every event once, as its log says it, seen from the
moment it was decided, in one generation or not at all.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
from datetime import date
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from journal.log.errors import TamperedError
from journal.log.head import Head, publish_head
from journal.log.packing import pack_closed_days
from journal.log.reader import read_session
from tests.market_factory import DAYS, MINUTE_US, Rig, chain_frame, factory_configuration
from tests.market_rows import at, chain_rows, store_rows
from tests.replay.forge import forge, forge_event
from trading.engine.configuration import SurfaceConfiguration
from trading.engine.runner import Stopped
from trading.market.calendar import session_hours
from trading.market.categories import BY_NAME
from trading.market.feed import feed_items
from trading.market.importers import ImportRefusedError
from trading.market.rejections import rejected_rows
from trading.market.selectors import coverage_page, market_catalogue, market_status
from trading.market.services import market_export
from trading.market.store import UNDERLYINGS, MarketStore
from trading.market.synthetic.services import market_synthesise
from trading.market.timeguard import TimeGuard
from trading.pricing.surface import Surface

if TYPE_CHECKING:
    from collections.abc import Callable

    from trading.market.frames import MarketFrame
    from trading.market.services import ImportReport

    Body = dict[str, Any]
    Row = dict[str, Any]

EVER = 2**62
SYNTHETIC_DAY = date(2026, 2, 26)
ORIGIN = ("source_digest", "synthetic", "generator", "seed", "mode")


def configuration(every_minutes: int = 0) -> Any:
    return msgspec.structs.replace(
        factory_configuration(lookback_snapshots=5),
        surface=SurfaceConfiguration(every_minutes=every_minutes, profile="fast"),
    )


def whole_chains(day: date) -> list[MarketFrame]:
    """Four whole chains of each underlying, one after the other, each at another volatility; the
    third of NIFTY has next to nothing traded, so that its fit is refused.
    """
    start = session_hours(day).open_us
    level = count(1)
    frames = []
    for minute in (1, 2, 3, 4):
        for name in UNDERLYINGS:
            at_us = start + minute * MINUTE_US
            frame = chain_frame(name, at_us, 0.11 + 0.003 * next(level), each_side=10)
            frames.append(_untraded(frame) if (minute, name) == (3, "NIFTY") else frame)
    return frames


def _untraded(frame: MarketFrame) -> MarketFrame:
    (block,) = frame.chain
    traded = (3, *(None for _ in block.strike_paise[1:]))
    return msgspec.structs.replace(
        frame, chain=(msgspec.structs.replace(block, call_volume=traded, put_volume=traded),)
    )


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of a session of two days with eight fits each, one of them refused."""
    rig = Rig(
        var_dir=tmp_path_factory.mktemp("factory"),
        days=DAYS,
        frames_of=whole_chains,
        configuration=configuration(),
    )
    rig.run()
    return rig.directory


@pytest.fixture(scope="module")
def synthetic(synthetic_var: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log of a session on the synthetic market, fitting each hour."""
    store = MarketStore(synthetic_var / "market")
    rig = Rig(
        var_dir=tmp_path_factory.mktemp("synthetic"),
        session="made-up",
        days=(SYNTHETIC_DAY,),
        frames_of=lambda day: list(feed_items(store, UNDERLYINGS, day, day)),
        configuration=configuration(every_minutes=60),
    )
    rig.run()
    return rig.directory


def export(root: Path, log: Path, **more: Any) -> ImportReport:
    return market_export(root=root, directory=log, **more)


def bodies(log: Path, kind: str) -> list[Body]:
    return [line.body for line in read_session(log) if line.body["kind"] == kind]


def rows(root: Path, category: str, now_us: int = EVER, **where: Any) -> list[Row]:
    """The rows of a category, with those of ORIGIN, that are known at an instant."""
    guard = TimeGuard(MarketStore(root))
    entries = guard.entries(category)
    if not entries:
        return []
    names = ("as_of", "available_at", *ORIGIN, *BY_NAME[category].columns)
    found = guard.rows(category, now_us=now_us, columns=names, where=where)
    columns = {name: found[name].tolist() for name in names} if found else {}
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]


def identities(root: Path) -> list[tuple[str, int, str]]:
    """Every row of `fits` in every file, one after the other, by what it is of."""
    guard = TimeGuard(MarketStore(root))
    found = guard.window(
        "fits",
        from_us=0,
        past_us=EVER,
        entries=guard.entries("fits"),
        columns=("session", "seq", "expiry::VARCHAR AS expiry"),
    )
    return sorted(
        zip(*(found[name].tolist() for name in ("session", "seq", "expiry")), strict=True)
    )


def prefix(log: Path, target: Path, lines: int) -> Path:
    """The log as it was when its first lines were durable and no more."""
    target.mkdir(exist_ok=True)
    kept = list(read_session(log))[:lines]
    for file in {line.file for line in kept}:
        content = b"".join(line.raw for line in kept if line.file == file)
        (target / file).write_bytes(content)
    last = kept[-1]
    publish_head(target, Head(last.file, last.offset + last.length, last.line, last.hash))
    return target


def copied(log: Path, target: Path) -> Path:
    return shutil.copytree(log, target)


# --- what a row says ------------------------------------------------------------------------------


def test_a_surface_read_from_the_store_has_the_variances_of_the_event(
    tmp_path: Path, synthetic: Path
) -> None:
    export(tmp_path / "market", synthetic)
    events = {body["seq"]: body for body in bodies(synthetic, "surface.fitted")}
    kept = rows(tmp_path / "market", "surfaces")
    assert len(kept) == len(events) >= 12
    strikes = np.linspace(0.9, 1.1, 21)
    for row in kept:
        told = events[row["seq"]]["data"]
        read, logged = (
            Surface.from_data(json.loads(row["surface"])),
            Surface.from_data(told["surface"]),
        )
        assert read.variances == logged.variances == tuple(told["surface"]["variances"])
        assert read.digest == row["digest"] == told["digest"]
        assert row["expiries"] == len(read.expiries) >= 2
        for years in (*read.years, 0.5 * (read.years[0] + read.years[1])):
            assert np.array_equal(read.at(years).call(strikes), logged.at(years).call(strikes))


def test_a_row_is_of_its_frame_and_known_with_its_event(tmp_path: Path, synthetic: Path) -> None:
    export(tmp_path / "market", synthetic)
    frames = {body["seq"]: body["data"] for body in bodies(synthetic, "market.frame")}
    lines = {line.body["seq"]: line for line in read_session(synthetic)}
    kept = [*rows(tmp_path / "market", "surfaces"), *rows(tmp_path / "market", "fits")]
    for row in kept:
        line = lines[row["seq"]]
        (frame,) = line.body["cause"]
        assert row["session"] == "made-up"
        assert row["as_of"] == frames[frame]["as_of"]
        assert row["available_at"] == line.body["ts"] == frames[frame]["available_at"]
        assert row["event_hash"] == line.hash
        assert row["underlying"] == line.body["key"]
    assert any(row["as_of"] != row["available_at"] for row in kept)


def test_origin_is_that_of_the_market_and_the_last_line_exported(
    tmp_path: Path, synthetic_var: Path, synthetic: Path
) -> None:
    export(tmp_path / "market", synthetic)
    of_chains = TimeGuard(MarketStore(synthetic_var / "market")).rows(
        "chain_snapshots", now_us=EVER, columns=("synthetic", "generator", "seed", "mode")
    )
    origin = {name: column[0] for name, column in of_chains.items()}
    assert origin["synthetic"]
    assert origin["seed"] == 7
    last = [line for line in read_session(synthetic) if line.body["kind"] == "surface.fitted"][-1]
    for row in (*rows(tmp_path / "market", "surfaces"), *rows(tmp_path / "market", "fits")):
        assert {name: row[name] for name in origin} == origin
        assert row["source_digest"] == last.hash
    (made,) = MarketStore(tmp_path / "market").catalogue().imports
    assert made.source.label == f"session made-up/{SYNTHETIC_DAY}.jsonl"
    assert made.source.digest == last.hash


def test_fits_have_a_row_an_expiry_with_the_figures_of_the_event(tmp_path: Path, log: Path) -> None:
    export(tmp_path / "market", log)
    kept = rows(tmp_path / "market", "fits")
    events = bodies(log, "surface.fitted")
    assert [row["seq"] for row in kept] == [body["seq"] for body in events]  # one expiry each
    for row, body in zip(kept, events, strict=True):
        data = body["data"]
        (expiry,) = data["expiries"]
        assert row["model"] == "SURFACE"
        assert str(row["expiry"])[:10] == expiry["expiry"]
        assert row["years"] == expiry["years"]
        assert json.loads(row["omitted"]) == expiry["omitted"]
        assert (row["profile"], row["method"]) == ("fast", "qp")
        assert (row["iterations"], row["halvings"]) == (data["iterations"], data["halvings"])
        if row["refusal"] is None:
            assert row["rung"] == "FIRST"
            assert row["solver_status"] == data["solver_status"]
            assert row["eta"] == data["eta"]
            assert row["quotes"] == data["quotes"]["count"]
            assert row["quotes_inside"] == data["quotes"]["inside"]
            assert row["quotes_tolerated"] == data["quotes"]["tolerated"]
            assert row["median_error"] == data["quotes"]["median_error"]
            assert row["p95_error"] == data["quotes"]["p95_error"]
            assert row["largest_error"] == data["quotes"]["largest_error"]
            assert row["at_the_money_volatility"] == expiry["at_the_money_volatility"]
            forward = expiry["forward"]
            assert row["forward_paise"] == forward["forward_paise"]
            assert row["forward_error_paise"] == forward["error_paise"]
            assert row["forward_residual_paise"] == forward["residual_paise"]
            assert row["forward_pairs"] == forward["pairs_used"]
            assert row["discount"] == forward["discount"]


def test_a_refused_fit_is_among_fits_with_its_refusal_and_no_surface(
    tmp_path: Path, log: Path
) -> None:
    export(tmp_path / "market", log)
    refused = [row for row in rows(tmp_path / "market", "fits") if row["refusal"]]
    assert [row["refusal"] for row in refused] == ["TOO_FEW_QUOTES"] * 2  # one each day
    for row in refused:
        assert row["underlying"] == "NIFTY"
        assert row["quotes"] is row["rung"] is row["eta"] is row["median_error"] is None
        assert row["at_the_money_volatility"] is None
        assert json.loads(row["omitted"]) == {}
    surfaces = rows(tmp_path / "market", "surfaces")
    assert len(surfaces) == 2 * 7
    assert not {row["seq"] for row in refused} & {row["seq"] for row in surfaces}


def test_the_time_guard_shows_a_fit_from_its_event_on(tmp_path: Path, log: Path) -> None:
    export(tmp_path / "market", log)
    root = tmp_path / "market"
    moments = sorted({body["ts"] for body in bodies(log, "surface.fitted")})
    assert len(moments) == 8
    for seen, moment in enumerate(moments):
        assert len(rows(root, "fits", moment - 1)) == 2 * seen
        assert len(rows(root, "fits", moment)) == 2 * (seen + 1)
        known = rows(root, "surfaces", moment)
        assert all(row["available_at"] <= moment for row in known)
    assert rows(root, "surfaces", moments[0] - 1) == []
    nifty = rows(root, "surfaces", moments[0], underlying="NIFTY", session="day1")
    assert len(nifty) == 1


# --- again, and grown -----------------------------------------------------------------------------


def test_the_same_again_changes_nothing(tmp_path: Path, log: Path) -> None:
    root = tmp_path / "market"
    first = export(root, log)
    assert (first.generation, [o.status for o in first.outcomes]) == (1, ["exported"] * 2)
    assert [o.counts["categories"] for o in first.outcomes] == [{"fits": 8, "surfaces": 7}] * 2
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    again = export(root, log)
    assert (again.generation, [o.status for o in again.outcomes]) == (1, ["unchanged"] * 2)
    assert again.outcomes[0].counts["dropped"] == {"ALREADY_STORED": 15}
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


def test_a_packed_day_is_the_same_day(tmp_path: Path, log: Path) -> None:
    root, packed = tmp_path / "market", copied(log, tmp_path / "day1")
    assert pack_closed_days(packed)
    assert list(packed.glob("*.gz"))
    plain = tmp_path / "plain"
    export(root, packed)
    export(plain, log)
    assert _sources(root) == _sources(plain)
    assert export(root, log).generation == 1


def _sources(root: Path) -> list[Any]:
    return [(made.source, made.files) for made in MarketStore(root).catalogue().imports]


def test_a_session_that_was_stopped_and_went_on_adds_what_is_new(tmp_path: Path) -> None:
    looks = count(1)
    rig = Rig(
        var_dir=tmp_path,
        days=DAYS[:1],
        frames_of=whole_chains,
        configuration=configuration(),
        stopping=lambda: next(looks) == 4,
    )
    with pytest.raises(Stopped):
        rig.run()
    root = tmp_path / "market"
    before = export(root, rig.directory)
    early = before.outcomes[0].counts["categories"]["fits"]
    assert 0 < early < 8
    rig.run()
    after = export(root, rig.directory)
    assert (after.generation, after.outcomes[0].status) == (2, "exported")
    assert after.outcomes[0].counts["categories"]["fits"] == 8 - early
    assert [row["seq"] for row in rows(root, "fits")] == [
        body["seq"] for body in bodies(rig.directory, "surface.fitted")
    ]
    assert len({row["source_digest"] for row in rows(root, "fits")}) == 2


@pytest.mark.slow
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_however_often_and_whenever_it_is_exported_each_event_is_there_once(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory, log: Path
) -> None:
    """Cuts anywhere, in any order, the whole log at the end: the same rows as from one export, and
    a generation for each export that had something new.
    """
    here = tmp_path_factory.mktemp("cuts")
    lines = list(read_session(log))
    fitted_lines = [line.line for line in lines if line.body["kind"] == "surface.fitted"]
    cuts = data.draw(
        st.lists(st.integers(fitted_lines[0], len(lines)), min_size=1, max_size=4), label="cuts"
    )
    root, generation, furthest = here / "market", 0, 0
    for number, cut in enumerate((*cuts, len(lines))):
        report = export(root, prefix(log, here / f"cut{number}", cut))
        reached = sum(line <= cut for line in fitted_lines)
        generation += reached > furthest
        furthest = max(furthest, reached)
        assert report.generation == generation
    once = here / "once"
    export(once, log)
    for category in ("fits", "surfaces"):
        told = [
            [{name: row[name] for name in row if name != "source_digest"} for row in kept]
            for kept in (rows(root, category), rows(once, category))
        ]
        assert told[0] == told[1]
    assert identities(root) == identities(once)


def test_a_dry_run_counts_and_writes_nothing(tmp_path: Path, log: Path) -> None:
    report = export(tmp_path / "market", log, dry_run=True)
    assert [o.status for o in report.outcomes] == ["would export"] * 2
    assert report.generation == 0
    assert not (tmp_path / "market").exists()
    export(tmp_path / "market", log)
    again = export(tmp_path / "market", log, dry_run=True)
    assert [o.status for o in again.outcomes] == ["unchanged"] * 2


# --- what is refused ------------------------------------------------------------------------------


def _unwritten(root: Path) -> bool:
    return not [path for path in root.rglob("*") if path.is_file() and path.name != "lock"]


@pytest.mark.parametrize("of_day", [0, 1])
def test_a_log_with_one_changed_byte_brings_nothing(tmp_path: Path, log: Path, of_day: int) -> None:
    broken = copied(log, tmp_path / "day1")
    path = broken / f"{DAYS[of_day]}.jsonl"
    content = path.read_bytes()
    where = content.index(b'"iterations":') + len(b'"iterations":')
    digit = bytes([content[where] ^ 1])
    path.write_bytes(content[:where] + digit + content[where + 1 :])
    with pytest.raises(TamperedError, match="hash does not match its event") as refusal:
        export(tmp_path / "market", broken)
    assert "\n" not in str(refusal.value)
    assert _unwritten(tmp_path / "market")


def test_a_log_whose_days_do_not_follow_each_other_brings_nothing(
    tmp_path: Path, log: Path
) -> None:
    """Each file's own chain holds, which is all that reading them would see."""
    other = copied(log, tmp_path / "day1")
    first = other / f"{DAYS[0]}.jsonl"
    forge_event(other, 3, lambda body: body | {"key": "X"})
    first.write_bytes((log / first.name).read_bytes())
    with pytest.raises(TamperedError):
        export(tmp_path / "market", other)
    assert _unwritten(tmp_path / "market")


def test_another_log_of_the_same_name_is_refused(tmp_path: Path, log: Path) -> None:
    root = tmp_path / "market"
    export(root, log)
    before = (root / "catalogue.json").read_bytes()
    seq = bodies(log, "surface.fitted")[3]["seq"]
    changed = copied(log, tmp_path / "changed")

    def more(body: Body) -> Body:
        return body | {"data": body["data"] | {"iterations": body["data"]["iterations"] + 1}}

    forge_event(changed, seq, more)
    with pytest.raises(ImportRefusedError, match=f"another log of this name, with an event {seq}"):
        export(root, changed)
    assert (root / "catalogue.json").read_bytes() == before


def test_a_log_that_lacks_an_exported_fit_is_another_log(tmp_path: Path, log: Path) -> None:
    """Its events but for the last day's are those of the first, and one was never there."""
    root = tmp_path / "market"
    fits = bodies(log, "surface.fitted")
    short = prefix(log, tmp_path / "short", _line_of(log, fits[0]["seq"]))
    export(root, short)
    other = copied(log, tmp_path / "other")
    forge_event(other, fits[0]["seq"], lambda body: body | {"kind": "model.fitted"})
    with pytest.raises(ImportRefusedError, match="another log") as refusal:
        export(root, other)
    assert "\n" not in str(refusal.value)
    assert MarketStore(root).catalogue().generation == 1


def _line_of(log: Path, seq: int) -> int:
    return next(line.line for line in read_session(log) if line.body["seq"] == seq)


def test_a_session_without_fits_is_refused(tmp_path: Path) -> None:
    plain = factory_configuration(lookback_snapshots=5)
    rig = Rig(
        var_dir=tmp_path,
        days=DAYS[:1],
        frames_of=lambda _: whole_chains(DAYS[0])[:2],
        configuration=plain,
    )
    rig.run()
    with pytest.raises(ImportRefusedError, match=r"session day1: no surface\.fitted in its log"):
        export(tmp_path / "market", rig.directory)
    assert _unwritten(tmp_path / "market")


def test_a_fit_of_no_frame_is_refused(tmp_path: Path, log: Path) -> None:
    odd = copied(log, tmp_path / "odd")
    seq = bodies(log, "surface.fitted")[2]["seq"]
    forge_event(odd, seq, lambda body: body | {"cause": [1]})
    with pytest.raises(ImportRefusedError, match=rf"event {seq} .* has causes \[1\]; expected one"):
        export(tmp_path / "market", odd)
    assert _unwritten(tmp_path / "market")


def test_an_event_of_another_version_is_among_the_refused_rows_as_it_was(
    tmp_path: Path, log: Path
) -> None:
    newer = copied(log, tmp_path / "newer")
    seq = bodies(log, "surface.fitted")[1]["seq"]
    forge_event(newer, seq, lambda body: body | {"data": body["data"] | {"colour": "blue"}})
    root = tmp_path / "market"
    report = export(root, newer)
    assert [o.counts["rejected"] for o in report.outcomes] == [{"UNKNOWN_SHAPE": 1}, {}]
    assert [o.counts["categories"]["fits"] for o in report.outcomes] == [7, 8]
    assert seq not in {row["seq"] for row in rows(root, "fits")}
    catalogue = MarketStore(root).catalogue()
    (refused,) = rejected_rows(MarketStore(root), catalogue.imports, reason="", skip=0, limit=9)
    assert (refused.category, refused.reason) == ("fits", "UNKNOWN_SHAPE")
    assert json.loads(refused.raw)["data"]["colour"] == "blue"
    assert json.loads(refused.raw)["seq"] == seq
    assert export(root, newer).generation == 1


def test_a_log_of_which_nothing_can_be_read_is_refused(tmp_path: Path, log: Path) -> None:
    newer = copied(log, tmp_path / "newer")

    def told(body: Body) -> Body:
        fitted = body["kind"] == "surface.fitted"
        return body | {"data": body["data"] | {"colour": "blue"}} if fitted else body

    forge(newer, told)
    with pytest.raises(ImportRefusedError, match="none of its 8 fits can be taken: UNKNOWN_SHAPE"):
        export(tmp_path / "market", newer)
    assert _unwritten(tmp_path / "market")


def test_two_markets_are_not_mixed_on_a_day(tmp_path: Path, log: Path) -> None:
    """The session saw made-up frames; its second day is on record in this store."""
    root = tmp_path / "market"
    store_rows(root, "chain_snapshots", chain_rows(at(DAYS[1], "10:00")), name="recorded")
    with pytest.raises(ImportRefusedError, match="already holds NIFTY on 2026-02-27 from recorded"):
        export(root, log)
    assert MarketStore(root).catalogue().generation == 1
    assert not list((root / "fits").glob("*"))


def test_fits_lie_beside_the_market_they_are_of_whichever_came_first(
    tmp_path: Path, synthetic_var: Path, synthetic: Path
) -> None:
    made = {
        "seed": 7,
        "from_date": SYNTHETIC_DAY,
        "to_date": SYNTHETIC_DAY,
        "cadence_minutes": 15,
    }
    before = shutil.copytree(synthetic_var / "market", tmp_path / "before")
    export(before, synthetic)
    export(tmp_path / "after", synthetic)
    market_synthesise(root=tmp_path / "after", **made)
    for root in (before, tmp_path / "after"):
        assert MarketStore(root).catalogue().generation == 2
        assert market_synthesise(root=root, **made).outcomes[0].status == "unchanged"
        assert len(rows(root, "surfaces")) == len(bodies(synthetic, "surface.fitted"))


# --- killed ---------------------------------------------------------------------------------------


def _killed_at(step: int, root: Path, log: Path) -> None:
    """Export and be killed before the step-th thing that is renamed into the store."""
    steps = count(1)

    def dying(do: Callable[..., Any]) -> Callable[..., Any]:
        def then(*arguments: Any, **more: Any) -> Any:
            if next(steps) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return do(*arguments, **more)

        return then

    Path.rename = dying(Path.rename)  # type: ignore[method-assign]
    market_export(root=root, directory=log)


def test_a_killed_export_leaves_the_generation_before_it_or_its_own(
    tmp_path: Path, log: Path
) -> None:
    root = tmp_path / "market"
    short = prefix(log, tmp_path / "short", _line_of(log, bodies(log, "surface.fitted")[1]["seq"]))
    export(root, short)
    before = (root / "catalogue.json").read_bytes()
    context = multiprocessing.get_context("fork")
    codes = []
    for step in range(1, 7):
        process = context.Process(target=_killed_at, args=(step, root, log))
        process.start()
        process.join(120)
        codes.append(process.exitcode)
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        assert (root / "catalogue.json").read_bytes() == before
        assert len(rows(root, "fits")) == 2
    # Two files of each day, then the catalogue; nothing else is renamed.
    assert codes == [-signal.SIGKILL] * 5 + [0]
    assert MarketStore(root).catalogue().generation == 2
    assert len(rows(root, "fits")) == 16
    assert market_status(root=root).generation == 2  # every listed file is there, of its digest
    assert not list(root.rglob("*writing-*"))


# --- shown ----------------------------------------------------------------------------------------


def test_the_catalogue_and_the_coverage_show_them(tmp_path: Path, log: Path) -> None:
    root = tmp_path / "market"
    export(root, log, now_us=at(DAYS[1], "16:00"))
    held = {c.name: c for c in market_catalogue(root=root, now_us=at(DAYS[1], "16:00")).held}
    assert set(held) == {"fits", "surfaces"}
    assert (held["fits"].rows, held["surfaces"].rows) == (16, 14)
    assert (held["fits"].first_day, held["fits"].last_day) == DAYS
    assert held["fits"].synthetic_only
    page = coverage_page(
        root=root, now_us=at(DAYS[1], "16:00"), line="surfaces.NIFTY.intraday", first=DAYS[0]
    )
    assert page.chosen is not None
    levels = {day.day: (day.level, day.rows) for day in page.chosen.days}
    assert levels[DAYS[0]] == ("partial", 3)
    # A session runs when somebody runs it: a day without one is no gap of the market's.
    assert page.chosen.gaps == ()
    assert not page.chosen.line.judged
