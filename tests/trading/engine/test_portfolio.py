"""The portfolio in the engine: nights, drawdowns, what is missing, and the waterfall."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from journal.log.reader import read_session
from replay.recording import read_recording
from replay.runner import DayRunner
from tests.market_factory import DAYS, MINUTE_US, Rig, chain_frame, factory_configuration
from tests.trading.engine.desk_bed import CALM, FIRES
from trading.costs.funding import DEFAULT_RATE_E9
from trading.market.calendar import session_hours

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date
    from pathlib import Path

    from journal.events import Event
    from trading.market.frames import MarketFrame

CAPITAL_PAISE = 5_000_000_000
TWO_DAYS_MINUTES = 2_000
NIGHTS = (DAYS[1] - DAYS[0]).days


def frames_of(day: date, *, hidden: tuple[int, ...] = ()) -> list[MarketFrame]:
    """Five calm minutes, one that fires on the first day, and thirty calm ones."""
    start = session_hours(day).open_us + 10 * MINUTE_US
    fifth = FIRES if day == DAYS[0] else CALM[0]
    levels = [*CALM, fifth, *(CALM[minute % 5] for minute in range(30))]
    return [
        chain_frame(
            "NIFTY", start + minute * MINUTE_US, level, hidden_strikes=hidden if minute > 6 else ()
        )
        for minute, level in enumerate(levels)
    ]


def run(
    var_dir: Path, feed: Callable[[date], list[MarketFrame]], costs: str = "ZERODHA"
) -> list[Event]:
    """Two days with a straddle held over the night between, replayed to the same bytes."""
    configuration = factory_configuration(
        costs={"profile": costs}, lookback_snapshots=5, hold_minutes=TWO_DAYS_MINUTES
    )
    rig = Rig(var_dir=var_dir, days=DAYS, frames_of=feed, configuration=configuration)
    rig.run()
    with (var_dir / "derived").open("wb") as derived:
        for day in read_recording(rig.directory).days:
            runner = DayRunner(day, session="day1", derived_to=derived, progress=lambda _: None)
            assert runner.run(unfinished=False).divergence is None
    return [line.to_event() for line in read_session(rig.directory)]


def snapshots(events: list[Event]) -> list[dict[str, Any]]:
    return [event.data for event in events if event.kind == "portfolio.snapshot"]


# --- nights ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def overnight(tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    return run(tmp_path_factory.mktemp("overnight"), frames_of)


def test_a_night_costs_its_margin_at_the_recorded_rate(overnight: list[Event]) -> None:
    opened = [at for at, event in enumerate(overnight) if event.kind == "day.opened"][1]
    assert overnight[opened].data["rates"]["funding_rate_e9"] == DEFAULT_RATE_E9
    before, after = snapshots(overnight[:opened]), snapshots(overnight[opened:])
    margin = before[-1]["margin_paise"]
    assert margin > 0
    paid = round(margin * NIGHTS * 0.07 / 365)
    assert {each["waterfall"]["funding_paise"] for each in before} == {0}
    assert {each["waterfall"]["funding_paise"] for each in after} == {paid}
    assert {each["unfunded_nights"] for each in after} == {0}
    closed = next(event.data for event in overnight if event.kind == "session.closed")
    assert closed["funding_paise"] == paid
    assert closed["net_paise"] == closed["realised_paise"] - closed["fees"]["total"] - paid


def test_every_snapshot_adds_up(overnight: list[Event]) -> None:
    fees = {"brokerage", "stt", "exchange", "sebi", "stamp", "gst"}
    held = [each for each in snapshots(overnight) if each["positions"]]
    assert len(held) > 30
    for each in held:
        fall = each["waterfall"]
        assert fall["gross_paise"] == each["realised_paise"] + each["unrealised_paise"]
        charged = sum(fall["fees"][line] for line in fees)
        assert fall["net_paise"] == fall["gross_paise"] - charged - fall["funding_paise"]
        assert each["equity_paise"] == CAPITAL_PAISE + fall["net_paise"]
        assert each["equity_paise"] == each["cash_paise"] + each["value_paise"]
        assert each["value_paise"] == sum(position["value_paise"] for position in each["positions"])
        assert each["value_paise"] < 0  # a straddle that was sold


def test_drawdowns_are_from_the_highest_of_the_day_and_of_all(overnight: list[Event]) -> None:
    of_all = CAPITAL_PAISE
    opened = [at for at, event in enumerate(overnight) if event.kind == "day.opened"]
    opening = CAPITAL_PAISE
    for first, last in zip(opened, [*opened[1:], len(overnight)], strict=True):
        of_day = opening
        for each in snapshots(overnight[first:last]):
            of_day, of_all = max(of_day, each["equity_paise"]), max(of_all, each["equity_paise"])
            assert each["day_drawdown_paise"] == of_day - each["equity_paise"]
            assert each["peak_drawdown_paise"] == of_all - each["equity_paise"]
            assert each["day_profit_paise"] == each["equity_paise"] - opening
            last_equity = each["equity_paise"]
        opening = last_equity


def test_without_quotes_figures_say_why_and_a_night_costs_the_last_known_margin(
    tmp_path: Path,
) -> None:
    strikes = tuple(frames_of(DAYS[0])[0].chain[0].strike_paise)

    def feed(day: date) -> list[MarketFrame]:
        return frames_of(day, hidden=strikes)

    events = run(tmp_path, feed)
    held = [each for each in snapshots(events) if each["positions"] and each["mark"] == "MISSING"]
    assert held
    for each in held:
        assert (each["margin_paise"], each["margin_reason"]) == (None, "NO_QUOTE")
        assert (each["greeks"], each["greeks_reason"]) == (None, "NO_QUOTE")
        assert (each["equity_paise"], each["unrealised_reason"]) == (None, "NO_QUOTE")
        assert each["day_drawdown_paise"] is each["peak_drawdown_paise"] is None
        assert each["waterfall"]["net_paise"] is None
        assert each["cash_paise"] > CAPITAL_PAISE  # the premium is in
    second = [at for at, event in enumerate(events) if event.kind == "day.opened"][1]
    known = [each["margin_paise"] for each in snapshots(events[:second]) if each["positions"]]
    last_known = [margin for margin in known if margin is not None][-1]
    paid = snapshots(events)[-1]["waterfall"]["funding_paise"]
    assert paid == round(last_known * NIGHTS * 0.07 / 365)


def test_a_session_that_is_gross_pays_for_no_night(tmp_path: Path) -> None:
    events = run(tmp_path, frames_of, costs="GROSS")
    for each in snapshots(events):
        fall = each["waterfall"]
        assert (fall["fees"], fall["funding_paise"], fall["net_paise"]) == (None, None, None)
        assert each["equity_paise"] == CAPITAL_PAISE + fall["gross_paise"]
    opened = [event.data for event in events if event.kind == "day.opened"]
    assert {data["rates"]["funding_rate_e9"] for data in opened} == {None}


def test_a_trade_s_waterfall_is_that_of_its_fills(overnight: list[Event]) -> None:
    """From the broker's reports alone."""
    moved = [event.data for event in overnight if event.kind == "position.changed"]
    last = moved[-1]
    orders = {
        event.data["order"]: event.data["side"]
        for event in overnight
        if event.kind == "order.intended" and event.data["trade"] == last["trade"]
    }
    reports = [
        event.data
        for event in overnight
        if event.kind == "broker.report" and event.data["order"] in orders
    ]
    worse = 0
    for report in reports:
        if report["quantity"] and report["expected_paise"] is not None:
            sign = 1 if orders[report["order"]] == "BUY" else -1
            worse += sign * report["quantity"] * (report["price_paise"] - report["expected_paise"])
    assert last["waterfall"]["slippage_paise"] == worse
    assert last["waterfall"]["expected_paise"] == last["gross_paise"] + worse
    assert last["net_paise"] == last["gross_paise"] - last["waterfall"]["fees"]["total"]
