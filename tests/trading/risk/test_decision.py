"""The twenty gates: each below, at and above its limit and without its input; their order; halving;
what a kill may always do; and what must hold whatever they see.
"""

from __future__ import annotations

from datetime import date, time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trading.risk.desk import (
    CAPITAL_PAISE,
    EASY,
    SECOND_US,
    STRICT,
    TODAY,
    ask,
    leg,
    limits_of,
    order,
    snapshot,
)
from trading.market.circuit_breakers import halts
from trading.market.ist import instant_us
from trading.risk.decision import GATES, decide, evaluate, failures
from trading.risk.proposal import FairValue, FutureEquivalent, Greeks, OrderProposal, ProposedRisk
from trading.risk.scenarios import SCENARIOS, no_greeks
from trading.risk.snapshot import (
    InputAge,
    RecentOrder,
    Regime,
    RiskShares,
    RiskSnapshot,
    Toxicity,
)
from trading.risk.verdicts import Approved, GateResult, Refused

LIMITS = limits_of(date(2026, 2, 26))
BINDING = {3, 5, 6, 17, 18}  # also on what only reduces risk
PART = CAPITAL_PAISE // 1_000_000  # one ppm of capital


def greeks(**figures: Any) -> Greeks:
    return msgspec.structs.replace(no_greeks(), **figures)


def scenarios(loss: int, *, move_ppm: int) -> Greeks:
    return greeks(scenarios_paise=tuple(-loss if move == move_ppm else 0 for move, _ in SCENARIOS))


# Of each gate: what is proposed, what is seen, the verdict, and the headroom. One row below, at and
# above each limit.
Row = tuple[int, str, dict[str, Any], dict[str, Any], str, int | None]
ROWS: list[Row] = [
    (1, "clear", {}, {"flags": ()}, "pass", 0),
    (1, "one set", {}, {"flags": ("stopped by asha",)}, "block", -1),
    (1, "two set", {}, {"flags": ("stopped by asha", "breaker")}, "block", -1),
    (2, "before the first", {}, {"now_ist_seconds": 33_599}, "block", -1),
    (2, "at the first", {}, {"now_ist_seconds": 33_600}, "pass", 21_000),
    (2, "at the last", {}, {"now_ist_seconds": 54_600}, "pass", 0),
    (2, "after the last", {}, {"now_ist_seconds": 54_601}, "block", -1),
    (
        2,
        "sold on its expiry day at 14:00",
        {"legs": (leg(side="SELL", expiry=TODAY),)},
        {"now_ist_seconds": 50_400},
        "pass",
        0,
    ),
    (
        2,
        "sold on its expiry day after 14:00",
        {"legs": (leg(side="SELL", expiry=TODAY),)},
        {"now_ist_seconds": 50_401},
        "block",
        -1,
    ),
    (
        2,
        "bought on its expiry day after 14:00",
        {"legs": (leg(side="BUY", expiry=TODAY),)},
        {"now_ist_seconds": 50_401},
        "pass",
        4_199,
    ),
    (3, "trading", {}, {}, "pass", 0),
    (3, "halted", {}, {"halted": True}, "block", -1),
    (3, "closed", {}, {"orders_taken": False}, "block", -1),
    (3, "one chain too few", {}, {"fresh_chains": 4}, "block", -1),
    (3, "as many chains as wanted", {}, {"fresh_chains": 5}, "pass", 0),
    (3, "one chain more", {}, {"fresh_chains": 6}, "pass", 1),
    (
        5,
        "below the freeze quantity",
        {"legs": (leg(quantity=1_690, largest_order=1_690),)},
        {},
        "pass",
        65,
    ),
    (
        5,
        "all the lots the exchange takes",
        {"legs": (leg(quantity=1_755, largest_order=1_755),)},
        {},
        "pass",
        0,
    ),
    (5, "a lot more", {"legs": (leg(quantity=1_820, largest_order=1_820),)}, {}, "block", -65),
    (
        5,
        "a lot more in two orders",
        {"legs": (leg(quantity=1_820, largest_order=1_755, orders=2),)},
        {},
        "pass",
        0,
    ),
    (5, "no whole lot", {"legs": (leg(quantity=64, largest_order=64),)}, {}, "block", 1_691),
    (5, "nothing", {"legs": (leg(quantity=0, largest_order=0),)}, {}, "block", 1_755),
    (5, "a strike between two", {"legs": (leg(strike_paise=2_535_001),)}, {}, "block", 1_690),
    (5, "a price between two ticks", {"legs": (leg(limit_paise=12_003),)}, {}, "block", 1_690),
    (5, "a price on a tick", {"legs": (leg(limit_paise=12_005),)}, {}, "pass", 1_690),
    (5, "expiring today", {"legs": (leg(expiry=TODAY),)}, {}, "pass", 1_690),
    (5, "expired yesterday", {"legs": (leg(expiry="2026-02-25"),)}, {}, "block", 1_690),
    (7, "below", {}, {"vpin": Toxicity(899_999, 0)}, "pass", 1),
    (7, "at", {}, {"vpin": Toxicity(900_000, 0)}, "block", 0),
    (7, "above", {}, {"vpin": Toxicity(900_001, 0)}, "block", -1),
    (7, "as old as it may be", {}, {"vpin": Toxicity(0, 600 * SECOND_US)}, "pass", 900_000),
    (7, "too old", {}, {"vpin": Toxicity(0, 600 * SECOND_US + 1)}, "block", None),
    (8, "too fresh", {}, {"regime": Regime("TREND", 4)}, "block", -1),
    (8, "long enough", {}, {"regime": Regime("TREND", 5)}, "pass", 0),
    (8, "longer", {}, {"regime": Regime("MEAN_REVERT", 6)}, "pass", 1),
    *(
        (8, label, {}, {"regime": Regime(label, 99)}, "block", None)
        for label in ("CHOPPY", "TOXIC", "UNKNOWN")
    ),
    (9, "a profit", {}, {"day_profit_paise": 10_000 * PART}, "pass", 20_000),
    (9, "below half size", {}, {"day_profit_paise": -9_999 * PART}, "pass", 1),
    (9, "at half size", {"lots": 2}, {"day_profit_paise": -10_000 * PART}, "half", 0),
    (
        9,
        "a paisa before the stop",
        {"lots": 2},
        {"day_profit_paise": -20_000 * PART + PART},
        "half",
        -9_999,
    ),
    (9, "at the stop", {}, {"day_profit_paise": -20_000 * PART}, "block", 0),
    (9, "beyond the stop", {}, {"day_profit_paise": -20_000 * PART - 1}, "block", -1),
    (
        10,
        "a little below the highest",
        {},
        {"equity_paise": CAPITAL_PAISE - 59_999 * PART},
        "pass",
        1,
    ),
    (10, "at half size", {"lots": 2}, {"equity_paise": CAPITAL_PAISE - 60_000 * PART}, "half", 0),
    (10, "at the stop", {}, {"equity_paise": CAPITAL_PAISE - 100_000 * PART}, "block", 0),
    (10, "beyond", {}, {"equity_paise": CAPITAL_PAISE - 100_000 * PART - 1}, "block", -1),
    (11, "below", {"risk": {"largest_loss_paise": 10_000 * PART - 1}}, {}, "pass", 1),
    (11, "at", {"risk": {"largest_loss_paise": 10_000 * PART}}, {}, "pass", 0),
    (11, "above", {"risk": {"largest_loss_paise": 10_000 * PART + 1}}, {}, "block", -1),
    (
        11,
        "above by its lots",
        {"lots": 2, "risk": {"largest_loss_paise": 5_000 * PART + 1}},
        {},
        "block",
        -2,
    ),
    (13, "delta at", {}, {"greeks": greeks(delta_paise=5_000 * PART)}, "pass", 0),
    (13, "delta below", {}, {"greeks": greeks(delta_paise=1 - 5_000 * PART)}, "pass", 1),
    (13, "delta above", {}, {"greeks": greeks(delta_paise=5_000 * PART + 1)}, "block", -1),
    (13, "delta above, short", {}, {"greeks": greeks(delta_paise=-5_000 * PART - 1)}, "block", -1),
    (13, "vega at", {}, {"greeks": greeks(vega_paise=-5_000 * PART)}, "pass", 0),
    (13, "vega above", {}, {"greeks": greeks(vega_paise=-5_000 * PART - 1)}, "block", -1),
    *(
        (13, f"{what} at {move}", {}, {"greeks": scenarios(loss, move_ppm=move)}, verdict, room)
        for move in (-40_000, -20_000, 20_000, 40_000)
        for what, loss, verdict, room in (
            ("worst scenario at", 60_000 * PART, "pass", 0),
            ("worst scenario above", 60_000 * PART + 1, "block", -1),
        )
    ),
    (
        13,
        "six per cent is told, not limited",
        {},
        {"greeks": scenarios(90_000 * PART, move_ppm=60_000)},
        "pass",
        5_000 * PART,
    ),
    (14, "below the soft", {"risk": {"margin_after_paise": {1: 699_999 * PART}}}, {}, "pass", 1),
    (14, "at the soft", {"risk": {"margin_after_paise": {1: 700_000 * PART}}}, {}, "pass", 0),
    (
        14,
        "above the soft",
        {"lots": 2, "risk": {"margin_after_paise": {2: 700_000 * PART + 1}}},
        {},
        "half",
        -1,
    ),
    (
        14,
        "at the hard",
        {"lots": 2, "risk": {"margin_after_paise": {2: 850_000 * PART}}},
        {},
        "half",
        -150_000,
    ),
    (
        14,
        "above the hard",
        {"risk": {"margin_after_paise": {1: 850_000 * PART + 1}}},
        {},
        "block",
        -1,
    ),
    *(
        (
            15,
            f"{what} {name}",
            {
                "risk": {
                    "future_equivalent": FutureEquivalent(long_paise=added[0], short_paise=added[1])
                }
            },
            {},
            "block" if over > 0 else "pass",
            -over,
        )
        for over, name in ((-1, "below"), (0, "at"), (1, "above"))
        for what, added in (
            ("net", (LIMITS.regulatory_net_paise + over, 0)),
            ("net, short", (0, LIMITS.regulatory_net_paise + over)),
            ("gross", (LIMITS.regulatory_gross_paise + over, LIMITS.regulatory_gross_paise - 2)),
        )
    ),
    *(
        (
            16,
            f"premium {name}",
            {"legs": (leg(quantity=1, price_paise=5_000 * PART + over),)},
            {},
            "block" if over > 0 else "pass",
            -over,
        )
        for over, name in ((-1, "below"), (0, "at"), (1, "above"))
    ),
    *(
        (16, f"{lots} lots", {"lots": lots, "legs": (leg(price_paise=5),)}, {}, verdict, room)
        for lots, verdict, room in (
            (49, "pass", 5_000 * PART - 325),
            (50, "pass", 5_000 * PART - 325),
            (51, "block", -1),
        )
    ),
    *(
        (
            17,
            f"{name} the market's {price}",
            {"legs": (leg(price_paise=price, fair=None),), "strategy": EASY},
            {},
            verdict,
            room,
        )
        for name, price, verdict, room in (
            ("inside", 14_399, "pass", 1),
            ("at", 14_400, "pass", 0),
            ("outside", 14_401, "block", -1),
            ("inside", 9_601, "pass", 1),
            ("at", 9_600, "pass", 0),
            ("outside", 9_599, "block", -1),
        )
    ),
    (
        17,
        "five ticks of a cheap one",
        {"legs": (leg(price_paise=45, reference_paise=20, fair=None),), "strategy": EASY},
        {},
        "pass",
        0,
    ),
    (
        17,
        "six ticks of a cheap one",
        {"legs": (leg(price_paise=50, reference_paise=20, fair=None),), "strategy": EASY},
        {},
        "block",
        -5,
    ),
    (
        17,
        "at four vol points",
        {"legs": (leg(price_paise=12_005, fair=FairValue(11_605, 100)),)},
        {},
        "pass",
        0,
    ),
    (
        17,
        "beyond four vol points",
        {"legs": (leg(price_paise=12_006, fair=FairValue(11_605, 100)),)},
        {},
        "block",
        -1,
    ),
    *(
        (18, f"{messages} in the second", {}, {"messages_last_second": messages}, verdict, room)
        for messages, verdict, room in ((2, "pass", 1), (3, "pass", 0), (4, "block", -1))
    ),
    *(
        (18, f"{messages} in the minute", {}, {"messages_last_minute": messages}, verdict, room)
        for messages, verdict, room in ((117, "pass", 1), (118, "pass", 0), (119, "block", -1))
    ),
    (19, "the last but one", {}, {"entries_today": 18}, "pass", 1),
    (19, "the last", {}, {"entries_today": 19}, "pass", 0),
    (19, "one too many", {}, {"entries_today": 20}, "block", -1),
    *(
        (
            20,
            f"working {name}",
            {"legs": (leg(quantity=1, price_paise=1_000),)},
            {"working_value_paise": 20_000 * PART - 1_000 + over},
            "block" if over > 0 else "pass",
            -over,
        )
        for over, name in ((-1, "below"), (0, "at"), (1, "above"))
    ),
]


@pytest.mark.parametrize(
    ("number", "proposed", "seen", "verdict", "headroom"),
    [row[:1] + row[2:] for row in ROWS],
    ids=[f"{row[0]}: {row[1]}" for row in ROWS],
)
def test_each_gate_below_at_and_above_its_limit(
    number: int, proposed: dict[str, Any], seen: dict[str, Any], verdict: str, headroom: int | None
) -> None:
    result = ask(number, order(**proposed), snapshot(**seen), LIMITS)
    assert (result.verdict, result.headroom) == (verdict, headroom)
    assert result.number == number
    assert (result.reason is None) == (verdict == "pass")
    if result.headroom is not None and number not in {2, 3, 6, 8}:
        assert result.limit is not None
        assert result.value is not None
        assert result.headroom == result.limit - result.value


AGES = [
    ("chain", 15 * SECOND_US, 0),
    ("chain", 120 * SECOND_US, 120 * SECOND_US),  # a slow feed: twice its cadence
    ("spot", 3 * SECOND_US, 0),
    ("spot", 180 * SECOND_US, 180 * SECOND_US),
]


@pytest.mark.parametrize(("name", "limit_us", "cadence_us"), AGES)
@pytest.mark.parametrize(("over", "verdict"), [(-1, "pass"), (0, "pass"), (1, "block")])
def test_an_input_is_held_to_its_age(
    name: str, limit_us: int, cadence_us: int, over: int, verdict: str
) -> None:
    inputs = {**snapshot().inputs, name: InputAge(limit_us + over, cadence_us, "FRESH")}
    result = ask(4, order(), snapshot(inputs=inputs), LIMITS)
    assert (result.verdict, result.headroom) == (verdict, -over)


@pytest.mark.parametrize("state", ["STALE", "HALTED", "MISSING", "CROSSED", "OUTLIER"])
@pytest.mark.parametrize("name", ["chain", "spot"])
def test_an_input_that_is_not_fresh_blocks_only_who_declared_it(name: str, state: str) -> None:
    inputs = {**snapshot().inputs, name: InputAge(0, 0, state, "WHY")}
    result = ask(4, order(), snapshot(inputs=inputs), LIMITS)
    assert (result.verdict, result.reason) == ("block", f"{name} is {state}: WHY")
    easy = ask(4, order(strategy=EASY), snapshot(inputs=inputs), LIMITS)
    assert easy.verdict == ("block" if name == "chain" else "pass")


@pytest.mark.parametrize(
    ("rung", "verdict"),
    [("SURFACE", "pass"), ("SURFACE_STALE", "block"), ("ATM_ONLY", "pass"), ("NONE", "block")],
)
def test_the_ladder_admits_on_a_surface_and_on_the_strikes_at_the_money(
    rung: str, verdict: str
) -> None:
    assert ask(4, order(), snapshot(rung=rung), LIMITS).verdict == verdict


WINDOW_US = 60 * SECOND_US


@pytest.mark.parametrize(
    ("ago_us", "verdict"), [(WINDOW_US - 1, "block"), (WINDOW_US, "pass"), (WINDOW_US + 1, "pass")]
)
def test_the_same_order_again_is_a_duplicate_for_a_minute(ago_us: int, verdict: str) -> None:
    seen = snapshot()
    recent = (RecentOrder("day1.3", order().fingerprint, seen.now_us - ago_us),)
    result = ask(6, order(), snapshot(recent=recent), LIMITS)
    assert (result.verdict, result.headroom) == (verdict, ago_us - WINDOW_US)


def test_a_client_id_is_never_used_again() -> None:
    recent = (RecentOrder("day1.9", "another", snapshot().now_us - 10 * WINDOW_US),)
    result = ask(6, order(), snapshot(recent=recent), LIMITS)
    assert (result.verdict, result.reason) == ("block", "order day1.9 was sent already")


@pytest.mark.parametrize(
    "changes",
    [
        {"signal": "day1.7"},
        {"strategy": EASY},
        {"legs": (leg("CE"),)},
        {"legs": (leg("CE"), leg("PE", "SELL"))},
    ],
)
def test_another_strategy_signal_leg_or_side_is_no_duplicate(changes: dict[str, Any]) -> None:
    recent = (RecentOrder("day1.3", order().fingerprint, snapshot().now_us),)
    assert ask(6, order(**changes), snapshot(recent=recent), LIMITS).verdict == "pass"


def test_the_order_of_legs_does_not_matter_to_a_duplicate() -> None:
    assert order(legs=(leg("PE"), leg("CE"))).fingerprint == order().fingerprint


# --- concentration --------------------------------------------------------------------------------

BUDGET = 60_000 * PART
LOSS = 1_560_000
SHARES = [
    ("strategies", {"S7": 0}, 400_000, "S7"),
    ("expiries", {"2026-03-02": 0}, 500_000, "expiry 2026-03-02"),
    ("strikes", {"NIFTY 2535000": 0}, 250_000, "strike NIFTY 2535000"),
    ("underlyings", {"NIFTY": 0}, 700_000, "NIFTY"),
]


@pytest.mark.parametrize(("field", "keys", "share", "words"), SHARES)
@pytest.mark.parametrize(("over", "verdict"), [(-1, "pass"), (0, "pass"), (1, "block")])
def test_each_share_of_the_risk_budget(
    field: str, keys: dict[str, int], share: int, words: str, over: int, verdict: str
) -> None:
    limit = BUDGET * share // 1_000_000
    held = dict.fromkeys(keys, limit - LOSS + over)
    result = ask(12, order(), snapshot(shares=RiskShares(**{field: held})), LIMITS)
    assert (result.verdict, result.headroom, result.limit) == (verdict, -over, limit)
    if over > 0:
        assert result.reason == f"too much at stake in {words}"


@pytest.mark.parametrize(("over", "verdict"), [(-1, "pass"), (0, "pass"), (1, "block")])
def test_what_expires_today_has_a_share_of_its_own(over: int, verdict: str) -> None:
    limit = BUDGET * 200_000 // 1_000_000
    today = order(legs=(leg(expiry=TODAY),))
    shares = RiskShares(expiring_paise=limit - LOSS + over)
    result = ask(12, today, snapshot(shares=shares), LIMITS)
    assert (result.verdict, result.headroom) == (verdict, -over)
    assert ask(12, order(), snapshot(shares=shares), LIMITS).verdict == "pass"


@pytest.mark.parametrize("share", ["strategy", "underlying", "expiry", "strike", "expiring"])
def test_of_an_empty_book_an_order_takes_what_it_can_lose_to_the_paisa(share: str) -> None:
    kinds = ("strategy", "underlying", "expiry", "strike", "expiring")
    limits = msgspec.structs.replace(
        LIMITS, **{f"{each}_share_ppm": 100_000 if each == share else 1_000_000 for each in kinds}
    )
    all_of_it = order(legs=(leg(expiry=TODAY),), risk={"largest_loss_paise": BUDGET // 10})
    result = ask(12, all_of_it, snapshot(), limits)
    assert (result.verdict, result.value, result.headroom) == ("pass", BUDGET // 10, 0)


def test_what_does_not_expire_today_takes_nothing_of_that_share() -> None:
    limits = msgspec.structs.replace(LIMITS, expiring_share_ppm=0)
    result = ask(12, order(), snapshot(), limits)
    assert (result.verdict, result.value, result.headroom) == ("pass", 0, 0)


def test_another_strategy_strike_and_index_are_another_share() -> None:
    other = {"other": BUDGET * 10}
    shares = RiskShares(other, other, other, other)
    assert ask(12, order(), snapshot(shares=shares), LIMITS).verdict == "pass"


# --- what is missing ------------------------------------------------------------------------------

MISSING: list[tuple[int, str, dict[str, Any], dict[str, Any]]] = [
    (1, "the switches", {}, {"flags": None}),
    (3, "whether the market is halted", {}, {"halted": None}),
    (3, "whether it takes orders", {}, {"orders_taken": None}),
    (4, "the chain", {}, {"inputs": {"spot": InputAge(0, 0, "FRESH")}}),
    (4, "the spot", {}, {"inputs": {"chain": InputAge(0, 0, "FRESH")}}),
    (
        4,
        "a chain ever",
        {},
        {"inputs": {**snapshot().inputs, "chain": InputAge(None, 0, "MISSING")}},
    ),
    (4, "the rung", {}, {"rung": None}),
    (5, "the contract's terms", {"legs": (leg(terms=None),)}, {}),
    (6, "what went before", {}, {"recent": None}),
    (7, "VPIN", {}, {"vpin": None}),
    (8, "the regime", {}, {"regime": None}),
    (9, "capital", {}, {"capital_paise": None}),
    (9, "any capital", {}, {"capital_paise": 0}),
    (9, "today's profit", {}, {"day_profit_paise": None}),
    (10, "equity", {}, {"equity_paise": None}),
    (10, "the highest equity", {}, {"highest_equity_paise": None}),
    (11, "capital", {}, {"capital_paise": None}),
    (11, "the largest loss", {"risk": {"largest_loss_paise": None}}, {}),
    (12, "capital", {}, {"capital_paise": None}),
    (12, "the shares", {}, {"shares": None}),
    (12, "the largest loss", {"risk": {"largest_loss_paise": None}}, {}),
    (13, "capital", {}, {"capital_paise": None}),
    (13, "the book's greeks", {}, {"greeks": None}),
    (13, "the order's greeks", {"risk": {"greeks": None}}, {}),
    (14, "capital", {}, {"capital_paise": None}),
    (14, "the margin", {"risk": {"margin_after_paise": None}}, {}),
    (14, "the margin at these lots", {"risk": {"margin_after_paise": {7: 1}}}, {}),
    (15, "the book's future equivalents", {}, {"future_equivalent": None}),
    (15, "the order's", {"risk": {"future_equivalent": None}}, {}),
    (16, "capital", {}, {"capital_paise": None}),
    (16, "a price", {"legs": (leg(), leg("PE", price_paise=None))}, {}),
    (17, "a price", {"legs": (leg(), leg("PE", price_paise=None))}, {}),
    (17, "a market price", {"legs": (leg(reference_paise=None),)}, {}),
    (17, "a fair value", {"legs": (leg(fair=None),)}, {}),
    (18, "the second's messages", {}, {"messages_last_second": None}),
    (18, "the minute's messages", {}, {"messages_last_minute": None}),
    (19, "the day's entries", {}, {"entries_today": None}),
    (20, "capital", {}, {"capital_paise": None}),
    (20, "the working orders", {}, {"working_value_paise": None}),
    (20, "a price", {"legs": (leg(price_paise=None),)}, {}),
]


@pytest.mark.parametrize(
    ("number", "proposed", "seen"),
    [row[:1] + row[2:] for row in MISSING],
    ids=[f"{row[0]}: {row[1]}" for row in MISSING],
)
def test_without_its_input_an_entry_fails_closed_and_an_exit_goes(
    number: int, proposed: dict[str, Any], seen: dict[str, Any]
) -> None:
    result = ask(number, order(**proposed), snapshot(**seen), LIMITS)
    assert result.verdict == "block"
    assert result.reason
    assert result.headroom is None
    leaving = ask(number, order(**proposed, reducing=True), snapshot(**seen), LIMITS)
    assert leaving.verdict in {"waived_reducing", "pass"}


def test_every_gate_but_the_window_has_an_input_that_can_be_missing() -> None:
    assert {row[0] for row in MISSING} == {number for number in range(1, 21) if number != 2}


def test_who_declares_to_do_without_passes_and_says_so() -> None:
    blind = snapshot(vpin=None, regime=None)
    easy = order(strategy=EASY, legs=(leg(fair=None),))
    for number, words in ((7, "declares it does without"), (8, "any regime")):
        result = ask(number, easy, blind, LIMITS)
        assert result.verdict == "pass"
        assert words in (result.reason or "")
    assert ask(17, easy, blind, LIMITS).verdict == "pass"


def test_what_is_known_to_be_toxic_stops_also_who_does_without() -> None:
    seen = snapshot(vpin=Toxicity(900_000, 0))
    assert ask(7, order(strategy=EASY), seen, LIMITS).verdict == "block"


# --- the order of the gates, and halving ----------------------------------------------------------

BREAKS: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {
    1: ({}, {"flags": ("stopped",)}),
    2: ({}, {"now_ist_seconds": 0}),
    3: ({}, {"halted": True}),
    4: ({}, {"rung": "NONE"}),
    5: ({"legs": (leg(quantity=64, largest_order=64),)}, {}),
    6: ({}, {"recent": (RecentOrder("day1.9", "", 0),)}),
    7: ({}, {"vpin": None}),
    8: ({}, {"regime": None}),
    9: ({}, {"day_profit_paise": None}),
    10: ({}, {"equity_paise": None}),
    11: ({"risk": {"largest_loss_paise": 10_000 * PART + 1}}, {}),
    12: ({}, {"shares": None}),
    13: ({}, {"greeks": None}),
    14: ({"risk": {"margin_after_paise": None}}, {}),
    15: ({}, {"future_equivalent": None}),
    16: ({"legs": (leg(quantity=650_000, largest_order=65),)}, {}),
    17: ({"legs": (leg(reference_paise=None),)}, {}),
    18: ({}, {"messages_last_second": 99}),
    19: ({}, {"entries_today": 20}),
    20: ({}, {"working_value_paise": None}),
}


def broken(*numbers: int, **changes: Any) -> tuple[OrderProposal, RiskSnapshot]:
    proposed: dict[str, Any] = {}
    seen: dict[str, Any] = {}
    for number in numbers:
        legs = (*proposed.get("legs", ()), *BREAKS[number][0].get("legs", ()))
        proposed |= BREAKS[number][0] | ({"legs": legs} if legs else {})
        seen |= BREAKS[number][1]
    return order(**proposed, **changes), snapshot(**seen)


def test_inside_every_limit_an_order_is_approved_at_its_lots() -> None:
    decision = decide(order(lots=3), snapshot(), LIMITS)
    assert isinstance(decision, Approved)
    assert decision.lots == 3
    assert [result.number for result in decision.results] == list(range(1, 21))
    assert {result.verdict for result in decision.results} == {"pass"}


@pytest.mark.parametrize("number", BREAKS)
def test_each_gate_alone_decides_and_all_are_asked(number: int) -> None:
    decision = decide(*broken(number), LIMITS)
    assert isinstance(decision, Refused)
    assert decision.decided_by == number
    assert len(decision.results) == 20


@pytest.mark.parametrize("number", range(1, 20))
def test_of_two_that_refuse_the_first_decides(number: int) -> None:
    decision = decide(*broken(number, number + 1), LIMITS)
    assert isinstance(decision, Refused)
    assert decision.decided_by == number
    assert decision.results[number].verdict == "block"  # the next one says so all the same


HALVED = {"day_profit_paise": -10_000 * PART}
HALVED_TWICE = {**HALVED, "equity_paise": CAPITAL_PAISE - 60_000 * PART}


@pytest.mark.parametrize(
    ("lots", "seen", "left"),
    [(2, HALVED, 1), (3, HALVED, 1), (8, HALVED, 4), (4, HALVED_TWICE, 1), (8, HALVED_TWICE, 2)],
)
def test_half_halves_the_lots(lots: int, seen: dict[str, Any], left: int) -> None:
    decision = decide(order(lots=lots), snapshot(**seen), LIMITS)
    assert isinstance(decision, Approved)
    assert decision.lots == left


@pytest.mark.parametrize(
    ("lots", "seen", "decided_by"), [(1, HALVED, 9), (2, HALVED_TWICE, 10), (3, HALVED_TWICE, 10)]
)
def test_half_of_one_lot_is_none(lots: int, seen: dict[str, Any], decided_by: int) -> None:
    decision = decide(order(lots=lots), snapshot(**seen), LIMITS)
    assert isinstance(decision, Refused)
    assert decision.decided_by == decided_by
    assert (decision.results[decided_by - 1].reason or "").endswith("half of one lot is none")


def test_later_gates_see_half_and_earlier_ones_do_not() -> None:
    """Two lots of six tenths of the limit: too much, unless the day has halved them."""
    two = order(lots=2, risk={"largest_loss_paise": 6_000 * PART})
    assert isinstance(decide(two, snapshot(), LIMITS), Refused)
    halved = decide(two, snapshot(**HALVED), LIMITS)
    assert isinstance(halved, Approved)
    assert halved.results[10].value == 6_000 * PART
    soft = order(
        lots=2, risk={"largest_loss_paise": 6_000 * PART, "margin_after_paise": {2: 800_000 * PART}}
    )
    late = decide(soft, snapshot(), LIMITS)
    assert isinstance(late, Refused)
    assert late.decided_by == 11


def test_the_margin_is_asked_at_the_lots_that_are_left() -> None:
    margins = {2: 900_000 * PART, 1: 600_000 * PART}
    two = order(lots=2, risk={"margin_after_paise": margins})
    assert isinstance(decide(two, snapshot(), LIMITS), Refused)
    assert isinstance(decide(two, snapshot(**HALVED), LIMITS), Approved)


def test_a_gate_that_fails_blocks_an_entry_and_lets_an_exit_go() -> None:
    def broken_gate(*_: object) -> GateResult:
        raise ZeroDivisionError("surprise")

    gates = (*GATES[:12], (GATES[12][0], broken_gate), *GATES[13:])
    refused = decide(order(), snapshot(), LIMITS, gates)
    assert isinstance(refused, Refused)
    assert refused.decided_by == 13
    assert refused.results[12].reason == "the gate failed: ZeroDivisionError: surprise"
    assert failures(refused.results) == (refused.results[12],)
    assert isinstance(decide(order(reducing=True), snapshot(), LIMITS, gates), Approved)
    assert failures(decide(order(), snapshot(), LIMITS).results) == ()


def test_an_approval_cannot_be_made_of_refusals() -> None:
    refused = decide(*broken(13), LIMITS)
    with pytest.raises(ValueError, match="gate 13 greeks did not let it through"):
        Approved(1, refused.results)
    good = decide(order(), snapshot(), LIMITS)
    with pytest.raises(ValueError, match="expected 1 or more"):
        Approved(0, good.results)


# --- what only reduces risk -----------------------------------------------------------------------


@pytest.mark.parametrize("number", sorted(set(BREAKS) - BINDING))
def test_what_reduces_risk_is_asked_and_waived(number: int) -> None:
    proposal, seen = broken(number, reducing=True)
    decision = decide(proposal, seen, LIMITS)
    assert isinstance(decision, Approved)
    waived = decision.results[number - 1]
    assert waived.verdict == "waived_reducing"
    assert waived.reason


def test_of_what_reduces_risk_less_than_a_lot_may_go() -> None:
    odd = order(legs=(leg(quantity=40, largest_order=40),), reducing=True)
    assert isinstance(decide(odd, snapshot(), LIMITS), Approved)


@pytest.mark.parametrize("number", [5, 6, 18])
def test_what_reduces_risk_is_stopped_by_its_own_gates(number: int) -> None:
    proposal, seen = broken(number, reducing=True)
    if number == 5:
        too_many = leg(quantity=1_820, largest_order=1_820)
        proposal = msgspec.structs.replace(proposal, legs=(too_many,))
    decision = decide(proposal, seen, LIMITS)
    assert isinstance(decision, Refused)
    assert (decision.decided_by, decision.verdict) == (number, "block")


@pytest.mark.parametrize("seen", [{"halted": True}, {"orders_taken": False}])
def test_what_reduces_risk_is_queued_while_nothing_trades(seen: dict[str, Any]) -> None:
    decision = decide(order(reducing=True), snapshot(**seen), LIMITS)
    assert isinstance(decision, Refused)
    assert (decision.decided_by, decision.verdict) == (3, "queued")


def test_what_reduces_risk_does_not_wait_for_fresh_chains() -> None:
    decision = decide(order(reducing=True), snapshot(fresh_chains=0), LIMITS)
    assert isinstance(decision, Approved)
    assert decision.results[2].verdict == "waived_reducing"


@pytest.mark.parametrize(
    ("price", "verdict"), [(14_401, "pass"), (16_800, "pass"), (16_801, "block")]
)
def test_what_reduces_risk_has_twice_the_collar_inside_the_exchange_s_band(
    price: int, verdict: str
) -> None:
    """20 % becomes 40 %, which is the exchange's band too."""
    proposal = order(legs=(leg(price_paise=price, fair=None),), reducing=True)
    assert ask(17, proposal, snapshot(), LIMITS).verdict == verdict


@pytest.mark.parametrize(
    ("reference", "price", "verdict"),
    [
        (5_000, 7_000, "pass"),
        (5_000, 7_001, "block"),
        (5_001, 7_001, "pass"),
        (5_001, 7_002, "block"),
        (3_000, 5_000, "pass"),
        (3_000, 5_001, "block"),
    ],
)
def test_the_exchange_s_band_holds_whatever_ours_says(
    reference: int, price: int, verdict: str
) -> None:
    """20 rupees up to a reference of 50, 40 % above, however wide the desk's own collar is."""
    wide = limits_of(date(2026, 2, 26), collar_ppm=900_000)
    proposal = order(
        legs=(leg(reference_paise=reference, price_paise=price, fair=None),), strategy=EASY
    )
    assert ask(17, proposal, snapshot(), wide).verdict == verdict


@pytest.mark.parametrize(("messages", "verdict"), [(4, "pass"), (5, "pass"), (6, "block")])
def test_what_reduces_risk_has_two_messages_a_second_of_its_own(
    messages: int, verdict: str
) -> None:
    seen = snapshot(messages_last_second=messages, messages_last_minute=10_000)
    assert ask(18, order(reducing=True), seen, LIMITS).verdict == verdict


def test_a_kill_flattens_whatever_else_is_wrong() -> None:
    """Every gate that may be waived is broken at once."""
    proposal, seen = broken(*sorted(set(BREAKS) - BINDING - {16}), reducing=True)
    assert isinstance(decide(proposal, seen, LIMITS), Approved)


# --- market-wide halts ----------------------------------------------------------------------------

PREVIOUS_CLOSE = 2_500_000
HALT_DAY = date(2026, 2, 26)


def halt_rows() -> list[tuple[int, str]]:
    return [
        (percent, clock)
        for percent in (10, 15, 20)
        for clock in ("10:00", "12:59", "13:00", "13:59", "14:00", "14:29", "14:30", "15:00")
    ]


@pytest.mark.parametrize(("percent", "clock"), halt_rows())
def test_each_row_of_the_market_wide_circuit_breaker(percent: int, clock: str) -> None:
    """While it halts nothing is entered, what reduces risk waits; then chains are awaited."""
    at_us = instant_us(HALT_DAY, time.fromisoformat(clock))
    (halt,) = halts(PREVIOUS_CLOSE, [(at_us, PREVIOUS_CLOSE * (100 - percent) // 100)])
    midnight = instant_us(HALT_DAY, time(0))

    def seen_at(instant: int, **changes: Any) -> RiskSnapshot:
        halted = halt.begins_us <= instant < halt.reopens_us
        seconds = (instant - midnight) // SECOND_US
        return snapshot(now_us=instant, now_ist_seconds=seconds, halted=halted, **changes)

    stops = halt.reopens_us > halt.begins_us
    at_once = ask(3, order(), seen_at(at_us), LIMITS)
    assert (at_once.verdict == "block") == stops
    assert (ask(3, order(reducing=True), seen_at(at_us), LIMITS).verdict == "queued") == stops
    last = seen_at(max(halt.reopens_us - 1, at_us))
    assert (ask(3, order(), last, LIMITS).verdict == "block") == stops
    reopened = seen_at(halt.reopens_us, fresh_chains=4)
    assert ask(3, order(), reopened, LIMITS).verdict == "block"
    assert ask(3, order(), seen_at(halt.reopens_us, fresh_chains=5), LIMITS).verdict == "pass"
    assert ask(3, order(reducing=True), reopened, LIMITS).verdict == "waived_reducing"
    if halt.rest_of_day:
        closed = seen_at(halt.reopens_us, orders_taken=False)
        assert ask(3, order(), closed, LIMITS).verdict == "block"


# --- whatever they see ----------------------------------------------------------------------------

money = st.none() | st.integers(-CAPITAL_PAISE, CAPITAL_PAISE)
amount = st.integers(0, CAPITAL_PAISE)
legs = st.builds(
    leg,
    right=st.sampled_from(["CE", "PE"]),
    side=st.sampled_from(["BUY", "SELL"]),
    expiry=st.sampled_from([TODAY, "2026-03-02", "2026-02-20"]),
    quantity=st.integers(0, 4_000),
    largest_order=st.integers(0, 4_000),
    terms=st.none() | st.just(leg().terms),
    price_paise=st.none() | st.integers(1, 30_000),
    reference_paise=st.none() | st.integers(1, 30_000),
    fair=st.none() | st.builds(FairValue, st.integers(1, 30_000), st.integers(0, 3_000)),
)
some_greeks = st.none() | st.builds(
    Greeks,
    *(st.integers(-CAPITAL_PAISE, CAPITAL_PAISE) for _ in range(4)),
    st.tuples(*(st.integers(-CAPITAL_PAISE, CAPITAL_PAISE) for _ in SCENARIOS)),
)
equivalents = st.none() | st.builds(
    FutureEquivalent, st.integers(0, 10**14), st.integers(0, 10**14)
)
proposals = st.builds(
    OrderProposal,
    client=st.just("day1.9"),
    signal=st.just("day1.8"),
    strategy=st.sampled_from([STRICT, EASY]),
    underlying=st.just("NIFTY"),
    lots=st.integers(1, 60),
    legs=st.lists(legs, max_size=4).map(tuple),
    reducing=st.booleans(),
    risk=st.builds(
        ProposedRisk,
        largest_loss_paise=st.none() | amount,
        greeks=some_greeks,
        future_equivalent=equivalents,
        margin_after_paise=st.none() | st.dictionaries(st.integers(1, 60), amount, max_size=3),
    ),
)
ages = st.builds(
    InputAge,
    st.none() | st.integers(0, 400 * SECOND_US),
    st.integers(0, 200 * SECOND_US),
    st.sampled_from(["FRESH", "STALE", "HALTED", "MISSING"]),
    st.none() | st.just("OLD"),
)
by_key = st.dictionaries(
    st.sampled_from(["S4", "S7", "NIFTY", "2026-03-02", "NIFTY 2535000"]), amount
)
snapshots = st.builds(
    RiskSnapshot,
    now_us=st.integers(0, 10**15),
    now_ist_seconds=st.integers(0, 86_399),
    today=st.just(TODAY),
    flags=st.none() | st.just(()) | st.just(("stopped",)),
    halted=st.none() | st.booleans(),
    fresh_chains=st.none() | st.integers(0, 9),
    orders_taken=st.none() | st.booleans(),
    inputs=st.dictionaries(st.sampled_from(["chain", "spot"]), ages),
    rung=st.sampled_from([None, "SURFACE", "SURFACE_STALE", "ATM_ONLY", "NONE"]),
    recent=st.none() | st.just(()) | st.just((RecentOrder("day1.9", "x", 0),)),
    vpin=st.none() | st.builds(Toxicity, st.integers(0, 1_000_000), st.integers(0, 10**9)),
    regime=st.none() | st.builds(Regime, st.sampled_from(["TREND", "CHOPPY"]), st.integers(0, 9)),
    capital_paise=st.none() | st.integers(0, CAPITAL_PAISE),
    day_profit_paise=money,
    equity_paise=money,
    highest_equity_paise=money,
    shares=st.none() | st.builds(RiskShares, by_key, by_key, by_key, by_key, amount),
    greeks=some_greeks,
    future_equivalent=equivalents,
    messages_last_second=st.none() | st.integers(0, 20),
    messages_last_minute=st.none() | st.integers(0, 200),
    entries_today=st.none() | st.integers(0, 30),
    working_value_paise=st.none() | amount,
)


@given(proposals, snapshots)
def test_all_twenty_answer_in_order_and_none_fails(
    proposal: OrderProposal, seen: RiskSnapshot
) -> None:
    _, results = evaluate(proposal, seen, LIMITS)
    assert [result.number for result in results] == list(range(1, 21))
    assert failures(results) == ()
    for result in results:
        if result.verdict in {"block", "queued", "half"}:
            assert result.reason
        if result.verdict == "pass":
            assert result.headroom is None or result.headroom >= 0


@given(proposals, snapshots)
def test_the_first_that_stops_decides(proposal: OrderProposal, seen: RiskSnapshot) -> None:
    decision = decide(proposal, seen, LIMITS)
    stopping = [r.number for r in decision.results if r.verdict in {"block", "queued"}]
    if isinstance(decision, Refused):
        assert decision.decided_by == stopping[0]
    else:
        assert stopping == []
        assert 1 <= decision.lots <= proposal.lots


@given(proposals, snapshots)
def test_a_decision_is_pure(proposal: OrderProposal, seen: RiskSnapshot) -> None:
    before = msgspec.json.encode([msgspec.to_builtins(seen), msgspec.to_builtins(proposal.legs)])
    first, second = decide(proposal, seen, LIMITS), decide(proposal, seen, LIMITS)
    assert first == second
    after = msgspec.json.encode([msgspec.to_builtins(seen), msgspec.to_builtins(proposal.legs)])
    assert before == after


@given(proposals, snapshots)
def test_what_reduces_risk_is_stopped_by_no_waived_gate_and_halved_by_none(
    proposal: OrderProposal, seen: RiskSnapshot
) -> None:
    leaving = msgspec.structs.replace(proposal, reducing=True)
    lots, results = evaluate(leaving, seen, LIMITS)
    assert lots == proposal.lots
    for result in results:
        assert result.verdict != "half"
        if result.number not in BINDING:
            assert result.verdict == "waived_reducing"


# What makes each gate's answer worse, one step at a time.
Worse = tuple[set[int], str, str]
WORSE: list[Worse] = [
    ({9}, "seen", "day_profit_paise"),
    ({10}, "seen", "equity_paise"),
    ({18}, "seen", "messages_last_second"),
    ({18}, "seen", "messages_last_minute"),
    ({19}, "seen", "entries_today"),
    ({20}, "seen", "working_value_paise"),
    ({11, 12}, "risk", "largest_loss_paise"),
]
FALLING = {"day_profit_paise", "equity_paise"}


@pytest.mark.parametrize(("numbers", "where", "name"), WORSE)
@given(proposal=proposals, seen=snapshots, more=st.integers(1, CAPITAL_PAISE))
def test_more_exposure_never_turns_a_block_into_a_pass(
    numbers: set[int],
    where: str,
    name: str,
    proposal: OrderProposal,
    seen: RiskSnapshot,
    more: int,
) -> None:
    holder: Any = seen if where == "seen" else proposal.risk
    figure = getattr(holder, name)
    if figure is None:
        return
    moved = msgspec.structs.replace(
        holder, **{name: figure - more if name in FALLING else figure + more}
    )
    worse_seen = moved if where == "seen" else seen
    worse_order = proposal if where == "seen" else msgspec.structs.replace(proposal, risk=moved)
    rank = {"pass": 0, "waived_reducing": 0, "half": 1, "block": 2}
    for number in numbers:
        before = ask(number, proposal, seen, LIMITS).verdict
        after = ask(number, worse_order, worse_seen, LIMITS).verdict
        assert rank[after] >= rank[before]


@given(proposals, snapshots, st.integers(1, 60))
def test_more_lots_never_turn_a_block_into_a_pass(
    proposal: OrderProposal, seen: RiskSnapshot, more: int
) -> None:
    larger = proposal.lots + more
    for number in (11, 12, 16, 20):
        ask_gate = GATES[number - 1][1]
        before = ask_gate(proposal, seen, LIMITS, proposal.lots).verdict
        after = ask_gate(proposal, seen, LIMITS, larger).verdict
        assert not (before == "block" and after == "pass")
