"""What a gate says it does not know, and where two answers are nearly the same."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest

from tests.trading.risk.desk import EASY, ask, leg, limits_of, order, snapshot
from trading.risk.breakers import slippage_trips
from trading.risk.exposure import NO_CAPITAL, percent
from trading.risk.limits import is_looser

LIMITS = limits_of(date(2026, 2, 26))
BY_CAPITAL = {
    9: "today's profit is not known",
    11: "the largest loss is not known",
    14: "the margin is not known",
    16: "a price is not known",
    20: "the value of an order is not known",
}


@pytest.mark.parametrize("number", sorted(BY_CAPITAL))
def test_what_is_missing_is_named(number: int) -> None:
    """Without capital it is capital, with it the gate's own input."""
    blind = order(
        risk={"largest_loss_paise": None, "margin_after_paise": None},
        legs=(leg(price_paise=None),),
    )
    seen = {"day_profit_paise": None, "working_value_paise": None}
    assert ask(number, blind, snapshot(**seen), LIMITS).reason == BY_CAPITAL[number]
    poor = snapshot(**seen, capital_paise=None)
    assert ask(number, blind, poor, LIMITS).reason == NO_CAPITAL


@pytest.mark.parametrize("number", [12, 13])
def test_without_a_capital_no_share_of_it_is_known(number: int) -> None:
    blind = order(risk={"largest_loss_paise": None, "greeks": None})
    assert ask(number, order(), snapshot(capital_paise=None), LIMITS).reason == NO_CAPITAL
    known = ask(number, blind, snapshot(), LIMITS)
    assert known.reason is not None
    assert "of the book or of the order" in known.reason


@pytest.mark.parametrize(
    ("why", "says"), [(None, "the market is halted"), ("10 %", "the market is halted: 10 %")]
)
def test_a_halt_says_why_where_that_is_known(why: str | None, says: str) -> None:
    assert ask(3, order(), snapshot(halted=True, halt_reason=why), LIMITS).reason == says


@pytest.mark.parametrize(("lot_size", "is_known"), [(-1, False), (0, False), (1, True)])
def test_a_contract_without_a_lot_is_not_in_the_master(*, lot_size: int, is_known: bool) -> None:
    whole = leg()
    assert whole.terms is not None
    terms = msgspec.structs.replace(whole.terms, lot_size=lot_size)
    small = msgspec.structs.replace(whole, terms=terms)
    answer = ask(5, order(legs=(small,)), snapshot(), LIMITS)
    assert ("not in the contract master" in (answer.reason or "")) is not is_known


def test_a_share_is_said_in_hundredths_of_a_per_cent() -> None:
    assert percent(1_000_000) == "100.00 %"
    assert percent(12_345) == "1.23 %"


@pytest.mark.parametrize("highest_paise", [0, -1])
def test_a_highest_equity_that_is_none_is_not_known(highest_paise: int) -> None:
    seen = snapshot(highest_equity_paise=highest_paise, equity_paise=-1)
    answer = ask(10, order(), seen, LIMITS)
    assert (answer.verdict, answer.reason) == ("block", "the highest equity is not known")


def test_the_smallest_highest_equity_is_known() -> None:
    assert ask(10, order(), snapshot(highest_equity_paise=1, equity_paise=1), LIMITS).value == 0


def test_times_of_day_are_said_to_the_minute() -> None:
    limits = limits_of(date(2026, 2, 26), first_entry_ist_seconds=9 * 3600 + 21 * 60 + 30)
    answer = ask(2, order(), snapshot(now_ist_seconds=30_000), limits)
    assert answer.reason is not None
    assert "09:21 IST" in answer.reason


@pytest.mark.parametrize("rung", ["SURFACE_STALE", "NONE"])
def test_the_ladder_binds_who_reads_the_chain_alone(rung: str) -> None:
    answer = ask(4, order(strategy=EASY), snapshot(rung=rung), LIMITS)
    assert answer.verdict == "block"


@pytest.mark.parametrize("name", ["order_lots", "duplicate_window_us"])
def test_the_same_figure_is_no_looser(name: str) -> None:
    assert not is_looser(name, 50, 50)


def test_a_fill_is_held_against_the_mean_of_those_before() -> None:
    assert slippage_trips([10_000] * 30, 20_000, LIMITS) is not None
    assert slippage_trips([10_000] * 30, 0, LIMITS) is None
