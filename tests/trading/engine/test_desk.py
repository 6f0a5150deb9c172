"""The twenty gates in the engine: what they are told, what they refuse, what is remembered."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from journal.log.reader import read_session
from replay.recording import read_recording
from replay.runner import DayRunner
from tests.market_factory import (
    DAYS,
    FORWARD_PAISE,
    Rig,
    day_frames,
    factory_configuration,
)
from tests.trading.engine.desk_bed import FIRES, configuration, firing, frame
from trading.engine.engine import Engine
from trading.engine.opening import day_data
from trading.market.calendar import session_hours
from trading.risk.limits import LimitsError, desk_limits

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from journal.events import Event
    from trading.engine.configuration import Configuration
    from trading.market.frames import MarketFrame

CRORE_PAISE = 1_000_000_000


def run(tmp_path: Path, feed: Sequence[MarketFrame], chosen: Configuration) -> list[Event]:
    """Run a day, replay it to the same bytes, return its events."""
    ordered = sorted(feed, key=lambda each: (each.available_at, each.underlying == "BANKNIFTY"))
    rig = Rig(var_dir=tmp_path, days=DAYS[:1], frames_of=lambda _: ordered, configuration=chosen)
    rig.run()
    with (tmp_path / "derived").open("wb") as derived:
        for day in read_recording(rig.directory).days:
            runner = DayRunner(day, session="day1", derived_to=derived, progress=lambda _: None)
            assert runner.run(unfinished=False).divergence is None
    return [line.to_event() for line in read_session(rig.directory)]


def decisions(events: Sequence[Event], action: str) -> list[dict[str, Any]]:
    return [e.data for e in events if e.kind == "gate.decided" and e.data["action"] == action]


def gate(decision: dict[str, Any], number: int) -> dict[str, Any]:
    return next(each for each in decision["gates"] if each["number"] == number)


# --- an entry and its exit ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    tail = [frame(minute, 0.13) for minute in range(6, 20)]
    return run(tmp_path_factory.mktemp("usual"), [*firing(), *tail], configuration())


def test_an_entry_is_asked_about_by_all_twenty_gates(usual: list[Event]) -> None:
    entry = decisions(usual, "entry")[0]
    assert [each["number"] for each in entry["gates"]] == list(range(1, 21))
    assert {each["verdict"] for each in entry["gates"]} == {"pass"}
    told = {each["number"] for each in entry["gates"] if each["value"] is None}
    assert told == {6, 7, 8}  # nothing went before; VPIN and the regime have no source


def test_what_an_entry_can_lose_is_what_its_quotes_and_the_move_say(usual: list[Event]) -> None:
    """A straddle sold at its bids: the further end of a 20 % move, less what it brings in."""
    entry = decisions(usual, "entry")[0]
    intents = [
        e.data for e in usual if e.kind == "order.intended" and e.data["purpose"] == "entry"
    ][:2]
    assert [intent["side"] for intent in intents] == ["SELL", "SELL"]
    credit = sum(intent["expected_paise"] for intent in intents)
    strike = intents[0]["contract"]["strike_paise"]
    forward = FORWARD_PAISE["NIFTY"]
    ends = (strike - forward * 8 // 10, -(-forward * 12 // 10) - strike)
    assert gate(entry, 11)["value"] == 65 * (max(ends) - credit)
    assert gate(entry, 12)["value"] in {
        0,
        gate(entry, 11)["value"],
    }  # the share with the least room
    assert gate(entry, 16)["value"] == 65 * credit == gate(entry, 20)["value"]
    assert gate(entry, 5)["value"] == 65
    assert gate(entry, 5)["limit"] == 1_755
    assert (gate(entry, 18)["value"], gate(entry, 19)["value"]) == (2, 1)
    assert gate(entry, 13)["value"] > 0
    assert gate(entry, 14)["value"] > 0
    assert gate(entry, 15)["value"] > 0


def test_an_exit_is_asked_and_waived(usual: list[Event]) -> None:
    leaving = decisions(usual, "exit")[0]
    stops = {3, 5, 6, 17, 18}
    for each in leaving["gates"]:
        expected = "pass" if each["number"] in stops else "waived_reducing"
        assert each["verdict"] == expected, each
    assert gate(leaving, 14)["value"] == 0  # the book without the trade


def test_a_snapshot_tells_what_an_entry_would_be_told(usual: list[Event]) -> None:
    snapshots = [event.data for event in usual if event.kind == "portfolio.snapshot"]
    counts = {len(each["gates"]) for each in snapshots}
    assert counts == {0, 20}  # none before the first frame
    held = [each for each in snapshots if each["positions"]]
    standing = {each["number"]: each for each in held[0]["gates"]}
    assert standing[13]["value"] > 0
    assert standing[14]["value"] > 0
    assert standing[19]["value"] == 2


def test_equity_is_capital_with_all_profit_and_the_highest_never_falls(usual: list[Event]) -> None:
    snapshots = [event.data for event in usual if event.kind == "portfolio.snapshot"]
    highest = 0
    for each in snapshots:
        profit = each["realised_paise"] + each["unrealised_paise"]
        assert each["equity_paise"] == 5 * CRORE_PAISE + profit
        highest = max(highest, each["equity_paise"], 5 * CRORE_PAISE)
        assert each["highest_equity_paise"] == highest


# --- what the desk may not do ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("capital_rupees", "decided_by"),
    [(30_000_000, 11), (40_000_000, None)],
)
def test_a_small_desk_may_not_lose_so_much_in_one_trade(
    tmp_path: Path, capital_rupees: int, decided_by: int | None
) -> None:
    """A straddle of one lot can lose about 3.2 lakh in a move of 20 %: more than 1 % of 3 crore."""
    (entry,) = decisions(run(tmp_path, firing(), configuration(capital_rupees)), "entry")
    assert entry["decided_by"] == decided_by


def test_more_lots_than_the_concentration_allows_are_refused(tmp_path: Path) -> None:
    (entry,) = decisions(run(tmp_path, firing(), configuration(500_000_000, lots=51)), "entry")
    assert entry["verdict"] == "block"
    verdicts = {each["number"]: each["verdict"] for each in entry["gates"]}
    assert verdicts[16] == "block"
    assert gate(entry, 16)["unit"] in {"lots", "paise"}


@pytest.mark.parametrize(
    ("volatility", "from_ppm", "verdict", "reason"),
    [
        (3.0, 0, "pass", None),
        (6.0, 10_000, "block", "half of one lot is none"),
        (8.0, 20_000, "block", "of capital lost today"),
    ],
)
def test_what_the_day_lost_stands_against_the_next_entry(
    tmp_path: Path, volatility: float, from_ppm: int, verdict: str, reason: str | None
) -> None:
    """A sold straddle is marked at a volatility far above; another index then wants to enter."""
    held = [*firing(), frame(6, FIRES), *(frame(minute, volatility) for minute in range(7, 13))]
    events = run(
        tmp_path,
        [*held, *firing("BANKNIFTY", first=7)],
        configuration(hold_minutes=60),
    )
    entry = next(d for d in decisions(events, "entry") if d["underlying"] == "BANKNIFTY")
    ninth = gate(entry, 9)
    assert from_ppm <= ninth["value"] < from_ppm + 10_000
    assert ninth["verdict"] == verdict
    assert entry["decided_by"] == (9 if verdict == "block" else None)
    assert (ninth["reason"] or "").endswith(reason or "")


def test_entries_are_counted_by_the_day(tmp_path: Path) -> None:
    rig = Rig(var_dir=tmp_path, days=DAYS)
    rig.run()
    events = [line.to_event() for line in read_session(rig.directory)]
    counted: list[tuple[str, int]] = []
    day = ""
    for event in events:
        if event.kind == "day.opened":
            day = event.data["date"]
        if event.kind == "gate.decided" and event.data["action"] == "entry":
            counted.append((day, gate(event.data, 19)["value"]))
    for iso in (each.isoformat() for each in DAYS):
        of_the_day = [value for on, value in counted if on == iso]
        assert of_the_day[0] == 1
        assert of_the_day == sorted(of_the_day)
    assert len({on for on, _ in counted}) == 2


def test_what_the_gates_remember_survives_a_dump(tmp_path: Path) -> None:
    rig = Rig(var_dir=tmp_path, days=DAYS[:1])
    engine = rig.run()
    risk = engine.state.risk
    assert risk.entries["S4"] > 0
    assert risk.highest_equity_paise is not None
    assert risk.equity_paise is not None
    again = Engine("day1")
    again.restore(engine.dump())
    assert again.state.risk == risk
    assert again.digest() == engine.digest()


def test_a_quote_that_goes_missing_leaves_the_book_unknown_and_entries_out(tmp_path: Path) -> None:
    middle = round(FORWARD_PAISE["NIFTY"] / 5_000) * 5_000
    hidden = [frame(minute, 0.13, hidden_strikes=(middle,)) for minute in range(7, 13)]
    feed = [*firing(), frame(6, 0.13), *hidden, *firing("BANKNIFTY", first=7)]
    events = run(tmp_path, feed, configuration(hold_minutes=60))
    entry = next(d for d in decisions(events, "entry") if d["underlying"] == "BANKNIFTY")
    assert entry["decided_by"] == 9
    assert gate(entry, 9)["reason"] == "today's profit is not known"
    for number in (10, 13, 14):
        assert gate(entry, number)["verdict"] == "block"
    assert gate(entry, 15)["verdict"] == "pass"  # of its own index everything is known


# --- what a day opens with ------------------------------------------------------------------------


def opened(day: date, chosen: Configuration | None = None) -> dict[str, Any]:
    return day_data(
        day,
        configuration=chosen or factory_configuration(),
        code_version="test",
        known_at_us=session_hours(day).open_us,
        halts_from={},
        state={},
        state_digest="",
    )


def test_a_day_opens_with_all_limits_their_date_and_digest() -> None:
    data, dated = opened(DAYS[0]), desk_limits(DAYS[0])
    assert data["limits"].items() >= msgspec.structs.asdict(dated.figures).items()
    assert (data["limits_since"], data["limits_digest"]) == (dated.since.isoformat(), dated.digest)
    assert data["limits"]["first_entry_ist_seconds"] == 33_600
    assert data["limits"]["chain_age_us"] == 180_000_000


@pytest.mark.parametrize(
    ("day", "net_crore", "gross_crore"),
    [
        (date(2025, 6, 30), 250, 250),  # half of 500 on notional
        (date(2025, 7, 1), 750, 5_000),
        (date(2026, 2, 26), 750, 5_000),
    ],
)
def test_our_part_of_the_exchange_s_limits_is_that_of_the_day(
    day: date, net_crore: int, gross_crore: int
) -> None:
    limits = opened(day)["limits"]
    assert limits["regulatory_net_paise"] == net_crore * CRORE_PAISE
    assert limits["regulatory_gross_paise"] == gross_crore * CRORE_PAISE


def test_a_day_opens_with_what_orders_must_respect() -> None:
    terms = {each["underlying"]: each for each in opened(date(2026, 4, 2))["contracts"]["terms"]}
    assert terms["NIFTY"] == {
        "underlying": "NIFTY",
        "freeze_quantity": 1_800,
        "freeze_status": "SINGLE_SOURCE",
        "tick_paise": 5,
        "strike_step_paise": 5_000,
    }
    assert terms["BANKNIFTY"]["freeze_quantity"] == 900


def test_limits_that_contradict_each_other_open_no_day(monkeypatch: pytest.MonkeyPatch) -> None:
    import trading.engine.opening as opening

    def upside_down(day: date) -> Any:
        dated = desk_limits(day)
        figures = msgspec.structs.replace(dated.figures, margin_soft_ppm=900_000)
        return dated._replace(figures=figures)

    monkeypatch.setattr(opening, "desk_limits", upside_down)
    with pytest.raises(LimitsError, match="limits of 2026-02-26: margin_soft_ppm"):
        opened(DAYS[0])


def test_the_factory_s_day_is_traded_and_not_only_refused(tmp_path: Path) -> None:
    rig = replace(Rig(var_dir=tmp_path, days=DAYS[:1]), frames_of=day_frames)
    rig.run()
    events = [line.to_event() for line in read_session(rig.directory)]
    assert len([d for d in decisions(events, "entry") if d["verdict"] == "pass"]) >= 5
