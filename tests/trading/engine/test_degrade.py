"""What the engine does when the market does not say enough: the degrade ladder, entries that fail
closed with their reason, exits that go on, halts that stop the clocks.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from journal.log.reader import read_session
from replay.recording import read_recording
from replay.runner import DayRunner
from tests.market_factory import (
    DAYS,
    MINUTE_US,
    Rig,
    bare_frame,
    chain_frame,
    factory_configuration,
    quality_of,
)
from trading.engine.opening import day_data
from trading.market.calendar import session_hours
from trading.market.frames import MarketFrame, MarketStatus
from trading.market.quality import State

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from journal.events import Event
    from trading.market.feed import FeedItem

DAY = DAYS[0]
START = session_hours(DAY).open_us + 10 * MINUTE_US
CALM = (0.120, 0.121, 0.119, 0.120, 0.121)
FIRES = 0.150
WIDE = 10  # strikes each side: a whole surface


def frame(minute: int, volatility: float, **options: Any) -> MarketFrame:
    return chain_frame("NIFTY", START + minute * MINUTE_US, volatility, **options)


def calm(count: int = 5, *, first: int = 0, **options: Any) -> list[MarketFrame]:
    return [frame(first + i, CALM[i % len(CALM)], **options) for i in range(count)]


def status(minute: int, what: Any, seconds: int = 0) -> MarketStatus:
    at_us = START + minute * MINUTE_US + seconds * 1_000_000
    return MarketStatus("NIFTY", at_us, what, "drill")


def run(tmp_path: Path, feed: Sequence[FeedItem], **strategy: Any) -> list[Event]:
    """Run one day over a feed, replay it to the same bytes, and return its events."""
    ordered = sorted(feed, key=lambda item: (item.available_at, isinstance(item, MarketFrame)))
    rig = Rig(
        var_dir=tmp_path,
        days=[DAY],
        frames_of=lambda _: ordered,
        configuration=factory_configuration(lookback_snapshots=5, **strategy),
    )
    rig.run()
    recording = read_recording(rig.directory)
    with (tmp_path / "derived").open("wb") as derived:
        for day in recording.days:
            runner = DayRunner(day, session="day1", derived_to=derived, progress=lambda _: None)
            assert runner.run(unfinished=False).divergence is None
    return [line.to_event() for line in read_session(rig.directory)]


def of_kind(events: list[Event], kind: str) -> list[dict[str, Any]]:
    return [event.data for event in events if event.kind == kind]


def rungs(events: list[Event]) -> list[str]:
    return [data["quality"]["chain"]["rung"] for data in of_kind(events, "features.computed")]


def entries(events: list[Event]) -> list[dict[str, Any]]:
    return [d for d in of_kind(events, "gate.decided") if d["action"] == "entry"]


def refusal(decision: dict[str, Any]) -> tuple[int, str]:
    """The number of the gate that refused, and its words."""
    number = decision["decided_by"]
    return number, next(g["reason"] for g in decision["gates"] if g["number"] == number)


# --- the ladder -----------------------------------------------------------------------------------


def test_down_the_ladder_from_a_surface_to_nothing_and_up_again(tmp_path: Path) -> None:
    feed = [
        frame(0, 0.12, each_side=WIDE),
        frame(1, 0.12),  # thin: the surface of a minute ago is shown
        frame(5, 0.12),
        frame(6, 0.12),  # five minutes and more: the strikes at the money are what there is
        frame(7, 0.12, each_side=2),  # and then not even these
        frame(8, 0.12, each_side=WIDE),
    ]
    found = rungs(run(tmp_path, feed))
    assert found == ["SURFACE", "SURFACE_STALE", "SURFACE_STALE", "ATM_ONLY", "NONE", "SURFACE"]


def test_on_a_whole_surface_an_entry_is_admitted(tmp_path: Path) -> None:
    feed = [*calm(each_side=WIDE), frame(5, FIRES, each_side=WIDE)]
    (decision,) = entries(run(tmp_path, feed))
    assert decision["verdict"] == "pass"


def test_on_the_strikes_at_the_money_alone_an_entry_is_admitted(tmp_path: Path) -> None:
    (decision,) = entries(run(tmp_path, [*calm(), frame(5, FIRES)]))
    assert decision["verdict"] == "pass"


def test_on_a_stale_surface_nothing_is_entered(tmp_path: Path) -> None:
    feed = [*calm(each_side=WIDE), frame(5, FIRES)]
    (decision,) = entries(run(tmp_path, feed))
    assert refusal(decision) == (4, "the surface is stale: too few strikes are quoted now")


def test_on_the_last_rung_there_is_no_signal(tmp_path: Path) -> None:
    events = run(tmp_path, [*calm(), frame(5, FIRES, each_side=2)])
    last = of_kind(events, "features.computed")[-1]
    assert last["values"]["atm_iv"] is None
    assert last["reasons"]["atm_iv"] == "TOO_FEW_STRIKES"
    assert of_kind(events, "signal.emitted")[-1]["reason"] == "NO_ATM_IV"
    assert entries(events) == []


@pytest.mark.parametrize("state", [State.STALE, State.CROSSED, State.OUTLIER])
def test_a_whole_chain_that_is_not_fresh_enters_nothing(tmp_path: Path, state: State) -> None:
    bad = quality_of(state, at_us=START + 5 * MINUTE_US, reason="WHY")
    feed = [*calm(each_side=WIDE), frame(5, FIRES, each_side=WIDE, chain_quality=bad)]
    events = run(tmp_path, feed)
    (decision,) = entries(events)
    assert refusal(decision) == (4, f"chain is {state}: WHY")
    assert rungs(events)[-1] == "SURFACE_STALE"


def test_what_is_stale_is_not_learnt_from(tmp_path: Path) -> None:
    stale = [
        frame(i, 0.30, chain_quality=quality_of(State.STALE, at_us=START + i * MINUTE_US))
        for i in (5, 6, 7)
    ]
    events = run(tmp_path, [*calm(), *stale, frame(8, 0.120)])
    observed = [d["values"]["mean"] for d in of_kind(events, "features.computed")[5:]]
    assert max(value for value in observed if value is not None) < 0.13


def test_missing_inputs_that_a_strategy_does_not_use_stop_nothing(tmp_path: Path) -> None:
    events = run(tmp_path, [*calm(), frame(5, FIRES)])
    quality = of_kind(events, "features.computed")[-1]["quality"]
    assert {quality[name]["state"] for name in ("spot", "future", "vix", "prints")} == {"MISSING"}
    assert entries(events)[0]["verdict"] == "pass"


# --- exits go on ----------------------------------------------------------------------------------


def held(first: int = 6, **options: Any) -> list[MarketFrame]:
    """Frames that fire, fill and hold a straddle."""
    return [*calm(**options), frame(5, FIRES, **options), frame(first, 0.13, **options)]


def states(events: list[Event]) -> list[str]:
    return [d["state"] for d in of_kind(events, "position.changed") if d["state"] != d["before"]]


def test_an_exit_goes_out_on_a_chain_that_admits_no_entry(tmp_path: Path) -> None:
    bad = [
        frame(i, 0.13, chain_quality=quality_of(State.CROSSED, at_us=START + i * MINUTE_US))
        for i in range(7, 15)
    ]
    events = run(tmp_path, [*held(), *bad])
    assert states(events) == ["OPEN", "HOLD", "EXIT", "ARCHIVE"]
    (decision,) = [d for d in of_kind(events, "gate.decided") if d["action"] == "exit"]
    assert decision["verdict"] == "pass"
    assert decision["gates"][3]["verdict"] == "waived_reducing"


def test_a_frame_without_a_chain_keeps_the_quotes_and_asks_no_strategy(tmp_path: Path) -> None:
    bare = [bare_frame("NIFTY", START + i * MINUTE_US) for i in (7, 8)]
    events = run(tmp_path, [*held(), *bare])
    assert len(of_kind(events, "signal.emitted")) == len(held())
    assert of_kind(events, "features.computed")[-1]["values"] == {}
    marks = [p["mark"] for d in of_kind(events, "portfolio.snapshot") for p in d["positions"]]
    assert marks
    assert set(marks) <= {"FRESH", "STALE"}


def test_a_mark_that_grows_old_says_so(tmp_path: Path) -> None:
    events = run(tmp_path, held(), hold_minutes=60)
    marks = [p["mark"] for d in of_kind(events, "portfolio.snapshot") for p in d["positions"]]
    assert list(dict.fromkeys(marks)) == ["FRESH", "STALE"]


# --- gaps and halts -------------------------------------------------------------------------------


def test_a_gap_changes_nothing_but_the_age_of_what_is_known(tmp_path: Path) -> None:
    with_gap = run(tmp_path / "a", [*calm(), status(5, "GAP"), frame(9, FIRES)])
    without = run(tmp_path / "b", [*calm(), frame(9, FIRES)])
    assert [d["verdict"] for d in entries(with_gap)] == ["pass"]
    assert [e.kind for e in with_gap if e.kind != "market.status"] == [e.kind for e in without]


def test_a_gap_does_not_end_a_halt(tmp_path: Path) -> None:
    feed = [*calm(), status(4, "HALT", 1), status(4, "GAP", 2), frame(5, FIRES)]
    (decision,) = entries(run(tmp_path, feed))
    assert refusal(decision) == (3, "the market is halted: drill")


def test_after_a_halt_the_fifth_fresh_chain_may_be_traded_on(tmp_path: Path) -> None:
    def decided(path: Path, fresh: int) -> list[dict[str, Any]]:
        after = calm(fresh - 1, first=6)
        feed = [*calm(), status(5, "HALT"), status(5, "RESUME", 30), *after]
        return entries(run(path, [*feed, frame(5 + fresh, FIRES)]))

    (early,) = decided(tmp_path / "four", 4)
    assert refusal(early) == (3, "4 of 5 fresh chains since trading went on")
    (in_time,) = decided(tmp_path / "five", 5)
    assert in_time["verdict"] == "pass"


def test_chains_that_are_not_fresh_do_not_count_after_a_halt(tmp_path: Path) -> None:
    stale = [
        frame(i, 0.12, chain_quality=quality_of(State.STALE, at_us=START + i * MINUTE_US))
        for i in range(6, 12)
    ]
    feed = [*calm(), status(5, "HALT"), status(5, "RESUME", 30), *stale, frame(12, FIRES)]
    (decision,) = entries(run(tmp_path, feed))
    assert refusal(decision) == (3, "1 of 5 fresh chains since trading went on")


def test_how_many_are_awaited_is_configured(tmp_path: Path) -> None:
    configuration = factory_configuration()
    assert configuration.gates.resume_chains == 5
    opened = of_kind(run(tmp_path, calm()), "day.opened")
    assert opened[0]["limits"]["resume_chains"] == 5


def test_a_halt_stops_the_hold_and_its_time_is_not_counted(tmp_path: Path) -> None:
    """Entered at minute 6, held for five minutes, ten of them halted: out at minute 21."""
    tail = calm(20, first=18)
    feed = [*held(), status(7, "HALT"), status(17, "RESUME"), *tail]
    events = run(tmp_path, feed)
    (exit_,) = [e for e in events if e.kind == "gate.decided" and e.data["action"] == "exit"]
    assert (exit_.ts - START) // MINUTE_US == 21
    without = run(tmp_path / "without", [*held(), *calm(31, first=7)])
    (sooner,) = [e for e in without if e.kind == "gate.decided" and e.data["action"] == "exit"]
    assert (sooner.ts - START) // MINUTE_US == 11


def test_in_a_halt_positions_keep_their_last_valid_mark(tmp_path: Path) -> None:
    halted = [
        frame(
            i,
            0.4,
            each_side=1,
            chain_quality=quality_of(State.HALTED, at_us=START + i * MINUTE_US, reason="HALTED"),
        )
        for i in (10, 11, 12)
    ]
    events = run(
        tmp_path, [*held(), *calm(2, first=7), status(9, "HALT", 1), *halted], hold_minutes=60
    )
    marks = [
        (p["mark"], p["unrealised_paise"])
        for d in of_kind(events, "portfolio.snapshot")
        for p in d["positions"]
        if p["state"] == "HOLD"
    ]
    before = [mark for mark in marks if mark[0] == "FRESH"]
    during = {mark for mark in marks if mark[0] == "HALTED"}
    assert before
    assert during == {("HALTED", before[-1][1])}


def test_a_halt_ends_with_its_day(tmp_path: Path) -> None:
    days = {
        DAYS[0]: [*calm(), status(5, "HALT")],
        DAYS[1]: [
            chain_frame("NIFTY", session_hours(DAYS[1]).open_us + (10 + i) * MINUTE_US, volatility)
            for i, volatility in enumerate((*CALM, FIRES))
        ],
    }
    rig = Rig(
        var_dir=tmp_path,
        frames_of=lambda day: days[day],
        configuration=factory_configuration(lookback_snapshots=5),
    )
    rig.run()
    events = [line.to_event() for line in read_session(rig.directory)]
    (decision,) = entries(events)
    assert decision["verdict"] == "pass"


# --- contracts ------------------------------------------------------------------------------------


def test_two_lots_of_one_index_on_one_day_go_by_contract() -> None:
    """In January 2025 contracts of two lot sizes were traded side by side."""
    day = date(2025, 1, 2)
    opened = day_data(
        day,
        configuration=factory_configuration(),
        code_version="test",
        known_at_us=session_hours(day).open_us,
        halts_from={},
        state={},
        state_digest="",
    )
    lots = opened["contracts"]["lot_sizes"]["NIFTY"]
    assert (lots["2025-01-30"], lots["2025-02-27"]) == (25, 75)
