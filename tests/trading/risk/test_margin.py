"""The SPAN-like margin: its scenarios, its rules by date, its parts."""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.pricing.black import black_price
from trading.risk.margin import (
    SCENARIOS,
    Market,
    Position,
    Ranges,
    ranges_by_rule,
    risk_array,
    span_like_margin,
    valued,
)
from trading.risk.margin_rules import MarginError, fraction, margin_rules

DAY = date(2026, 2, 10)
NEAR = date(2026, 2, 17)
FAR = date(2026, 3, 30)
FORWARD = 2_500_000.0
RANGES = Ranges(232_500.0, 442_500.0, 0.14, 0.04)


def _market(day: date = DAY, **changes: Any) -> Market:
    forwards = {NEAR: FORWARD, FAR: FORWARD * 1.007, day: FORWARD, DAY: FORWARD}
    return Market(day, forwards, RANGES)._replace(**changes)


def _option(
    strike: int, right: str, quantity: int, expiry: date = NEAR, **changes: Any
) -> Position:
    days = (expiry - DAY).days + 1
    price = round(black_price(FORWARD, strike * 100.0, max(days, 1) / 365, 0.14, right))
    return Position(expiry, quantity, max(price, 5), strike * 100, right)._replace(**changes)


def _future(quantity: int, expiry: date = NEAR) -> Position:
    return Position(expiry, quantity, round(FORWARD))


CONDOR = (
    _option(24_300, "PE", 65),
    _option(24_500, "PE", -65),
    _option(25_500, "CE", -65),
    _option(25_700, "CE", 65),
)


def test_a_future_loses_its_move_and_a_third_of_an_extreme_one() -> None:
    array = risk_array(_future(1), _market())
    third = 232_500 / 3
    assert array[:6] == pytest.approx((0, 0, -third, -third, third, third))
    assert array[6:10] == pytest.approx((-2 * third, -2 * third, 2 * third, 2 * third))
    assert array[10:14] == pytest.approx((-232_500, -232_500, 232_500, 232_500))
    assert array[14:] == pytest.approx((-0.7 * 232_500, 0.7 * 232_500))


def test_the_scenarios_of_an_option_are_black_76_two_days_on() -> None:
    option = _option(25_500, "CE", 1)
    array = risk_array(option, _market())
    today = black_price(FORWARD, 2_550_000.0, 8 / 365, 0.14, "CE")

    def value(move: float, volatility: float) -> float:
        return black_price(FORWARD + move * 232_500, 2_550_000.0, 6 / 365, volatility, "CE")

    price = option.price_paise
    assert len(array) == SCENARIOS
    assert array[0] == pytest.approx(today - value(0, 0.18))
    assert array[1] == pytest.approx(min(today - value(0, 0.10), price))
    assert array[2] == pytest.approx(today - value(1 / 3, 0.18))
    assert array[11] == pytest.approx(today - value(1, 0.10))
    assert array[14] == pytest.approx(0.35 * (today - value(2, 0.14)))
    assert array[15] == pytest.approx(0.35 * today)


def test_an_option_never_loses_more_than_its_price() -> None:
    cheap = _option(25_500, "CE", 1, price_paise=100)
    assert max(risk_array(cheap, _market())) == 100


def test_interest_moves_the_forward_and_discounts_the_value() -> None:
    option = _option(25_500, "CE", 1)
    with_interest = risk_array(option, _market(rate=0.06))
    index = FORWARD * math.exp(-0.06 * 7 / 365)
    today = black_price(
        index * math.exp(0.06 * 8 / 365), 2_550_000.0, 8 / 365, 0.14, "CE"
    ) * math.exp(-0.06 * 8 / 365)
    later = black_price(
        index * math.exp(0.06 * 6 / 365), 2_550_000.0, 6 / 365, 0.18, "CE"
    ) * math.exp(-0.06 * 6 / 365)
    assert with_interest[0] == pytest.approx(today - later)


def test_bought_options_owe_nothing_beyond_their_premium() -> None:
    margin = span_like_margin((_option(25_500, "CE", 65), _option(24_500, "PE", 65)), _market())
    assert margin.scan_risk_paise > 0
    assert margin.total_paise == 0


def test_a_short_strangle_owes_its_scan_its_value_and_its_exposure() -> None:
    short = CONDOR[1:3]
    margin = span_like_margin(short, _market())
    value = sum(each.price_paise * 65 for each in short)
    assert margin.net_option_value_paise == -value
    assert margin.span_like_paise == margin.scan_risk_paise + value
    assert margin.exposure_paise == math.ceil(0.02 * 130 * FORWARD)
    assert margin.expiry_day_paise == margin.calendar_spread_paise == 0
    assert margin.total_paise == margin.span_like_paise + margin.exposure_paise
    assert margin.worst_scenario in {11, 12, 13, 14}


def test_the_wings_of_a_condor_bound_its_margin() -> None:
    condor = span_like_margin(CONDOR, _market())
    strangle = span_like_margin(CONDOR[1:3], _market())
    assert condor.span_like_paise <= 65 * 20_000 * 1.001  # the width of a wing
    assert condor.span_like_paise < strangle.span_like_paise / 5
    assert condor.exposure_paise == strangle.exposure_paise


def test_nothing_owes_nothing() -> None:
    margin = span_like_margin((), _market())
    assert (margin.total_paise, margin.worst_scenario) == (0, 1)


@pytest.mark.parametrize(("day", "percent"), [(date(2024, 11, 19), 0), (date(2024, 11, 20), 2)])
def test_short_options_on_their_expiry_day_owe_two_per_cent_more(day: date, percent: int) -> None:
    expiring = _option(25_500, "CE", -25, expiry=day)
    bought = _option(24_500, "CE", 25, expiry=day)
    later = _option(25_500, "CE", -25, expiry=day + timedelta(days=1))
    market = _market(day, forwards_paise={day: FORWARD, day + timedelta(days=1): FORWARD})
    margin = span_like_margin((expiring, bought, later, _future(-25, day)), market)
    assert margin.expiry_day_paise == math.ceil(percent / 100 * 25 * FORWARD)
    initial = margin.span_like_paise + margin.exposure_paise
    assert margin.total_paise == initial + margin.expiry_day_paise


def test_a_calendar_spread_pays_a_charge_on_its_far_leg() -> None:
    margin = span_like_margin((_future(-65), _future(65, FAR)), _market())
    assert margin.scan_risk_paise == 0
    assert margin.calendar_spread_paise == math.ceil(0.0175 * 65 * FORWARD * 1.007)
    assert margin.span_like_paise == margin.calendar_spread_paise
    assert span_like_margin((_future(65), _future(65, FAR)), _market()).calendar_spread_paise == 0


def test_only_what_is_matched_pays_the_charge_and_options_count_by_their_delta() -> None:
    more = span_like_margin((_future(-65), _future(130, FAR)), _market())
    assert more.calendar_spread_paise == math.ceil(0.0175 * 65 * FORWARD * 1.007)
    at_the_money = _option(25_000, "CE", -130)
    option = span_like_margin((at_the_money, _future(130, FAR)), _market())
    assert option.calendar_spread_paise == pytest.approx(more.calendar_spread_paise, rel=0.03)


def test_three_expiries_match_the_nearest_first() -> None:
    last = date(2026, 4, 28)
    market = _market(forwards_paise={NEAR: FORWARD, FAR: FORWARD, last: FORWARD})
    margin = span_like_margin((_future(-65), _future(65, FAR), _future(65, last)), market)
    assert margin.calendar_spread_paise == math.ceil(0.0175 * 65 * FORWARD)
    rest = span_like_margin((_future(-65), _future(130, FAR), _future(-130, last)), market)
    assert rest.calendar_spread_paise == math.ceil(0.0175 * (65 + 65) * FORWARD)


@pytest.mark.parametrize(("day", "apart"), [(date(2025, 2, 7), False), (date(2025, 2, 10), True)])
def test_what_expires_today_offsets_nothing_from_the_day_of_the_rule(
    day: date, *, apart: bool
) -> None:
    later = day + timedelta(days=7)
    market = _market(day, forwards_paise={day: FORWARD, later: FORWARD})
    spread = (_future(-25, day), _future(25, later))
    together = span_like_margin(spread, market)
    alone = [span_like_margin((leg,), market).scan_risk_paise for leg in spread]
    assert together.scan_risk_paise == (sum(alone) if apart else 0)
    assert (together.calendar_spread_paise == 0) is apart
    before = span_like_margin(spread, market._replace(day=day - timedelta(days=1)))
    assert before.scan_risk_paise == 0  # the day before it does offset


def test_on_expiry_day_an_option_is_worth_what_exercising_pays() -> None:
    expiring = _option(25_500, "CE", 1, expiry=DAY, price_paise=10_000)
    array = risk_array(expiring, _market())
    today = black_price(FORWARD, 2_550_000.0, 1 / 365, 0.14, "CE")
    assert array[10] == array[11] == pytest.approx(today - (FORWARD + 232_500 - 2_550_000))


def test_ranges_by_rule() -> None:
    rules = margin_rules(DAY)
    calm = ranges_by_rule(2_500_000, 0.14, rules)
    assert calm.price_scan_paise == pytest.approx(0.093 * 2_500_000)
    assert calm.far_price_scan_paise == pytest.approx(0.177 * 2_500_000)
    assert calm.volatility_scan == 0.04
    wild = ranges_by_rule(2_500_000, 0.2858, rules)
    assert wild.price_scan_paise == pytest.approx(0.1269 * 2_500_000, rel=1e-3)
    assert wild.volatility_scan == 0.07
    still = ranges_by_rule(2_500_000, 0.0, rules)
    assert (still.price_scan_paise, still.volatility_scan) == (calm.price_scan_paise, 0.04)
    for bad in ((0, 0.14), (math.nan, 0.14), (2_500_000, -0.1), (2_500_000, math.inf)):
        with pytest.raises(MarginError, match="no ranges"):
            ranges_by_rule(*bad, rules)


def test_a_contract_beyond_nine_months_has_the_wider_range() -> None:
    far = DAY + timedelta(days=271)
    market = _market(forwards_paise={far: FORWARD})
    assert max(risk_array(_future(1, far), market)) == 442_500


def test_rules_by_date() -> None:
    assert margin_rules(date(2024, 11, 19)).expiry_day_short_option is None
    assert fraction(margin_rules(date(2024, 11, 20)).expiry_day_short_option) == 0.02
    assert margin_rules(date(2025, 2, 9)).expiring_apart is None
    assert margin_rules(date(2025, 2, 10)).expiring_apart is not None
    assert margin_rules(DAY).exposure.status == "UNCONFIRMED"
    for day in (date(2020, 12, 31), date(2027, 1, 1)):
        with pytest.raises(MarginError, match="2021-01-01 to 2026-12-31"):
            margin_rules(day)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (_future(1)._replace(expiry=DAY - timedelta(days=1)), "has expired"),
        (_future(1, date(2026, 6, 30)), "no forward"),
        (_future(1)._replace(right="CE"), "neither an option nor a future"),
        (_option(25_000, "CE", 1, price_paise=-1), "neither an option nor a future"),
        (_option(25_000, "CE", 1)._replace(right="C"), "no option"),
        (_option(25_000, "CE", 1)._replace(strike_paise=0), "no option"),
    ],
)
def test_what_cannot_be_margined_is_refused(bad: Position, says: str) -> None:
    with pytest.raises(MarginError, match=says):
        span_like_margin((bad,), _market())


positions = st.builds(
    _option,
    st.integers(230, 270).map(lambda hundreds: hundreds * 100),
    st.sampled_from(["CE", "PE"]),
    st.integers(-10, 10).map(lambda lots: lots * 65),
    st.sampled_from([NEAR, FAR]),
)


@given(st.lists(positions, max_size=6), st.lists(positions, max_size=6))
def test_a_scan_of_two_books_is_never_more_than_both(
    one: list[Position], other: list[Position]
) -> None:
    def scan(book: list[Position]) -> int:
        return span_like_margin(book, _market()).scan_risk_paise

    assert scan(one + other) <= scan(one) + scan(other) + 1


@given(st.lists(positions, max_size=6), st.integers(2, 5))
def test_a_book_times_a_number_owes_that_many_times(book: list[Position], times: int) -> None:
    once = span_like_margin(book, _market())
    many = span_like_margin(
        [each._replace(quantity=each.quantity * times) for each in book], _market()
    )
    assert many.span_like_paise == pytest.approx(once.span_like_paise * times, abs=2 * times)
    assert many.exposure_paise == pytest.approx(once.exposure_paise * times, abs=times)


@given(st.lists(positions, max_size=6), st.lists(positions, max_size=6))
def test_contracts_valued_for_several_books_give_each_its_margin(
    one: list[Position], other: list[Position]
) -> None:
    contracts = valued([*one, *other], _market())
    for book in (one, other, one + other):
        assert span_like_margin(book, _market(), contracts) == span_like_margin(book, _market())


@given(st.lists(positions, max_size=6))
def test_the_same_book_gives_the_same_margin(book: list[Position]) -> None:
    assert span_like_margin(book, _market()) == span_like_margin(list(reversed(book)), _market())
