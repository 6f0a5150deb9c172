"""The paper broker: what it fills, at which price, how much, when, and what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journal.payloads.orders import BrokerReport
from tests.market_factory import EXPIRY, MINUTE_US, chain_frame
from tests.trading.execution.broker_bed import (
    HOURS,
    NOON,
    STRIKE,
    contract,
    frame,
    order,
    paper,
    quotes,
    show,
    statuses,
    trading_day,
)
from trading.execution.broker import Moment, SentOrder
from trading.execution.closing import Close
from trading.execution.market_quotes import opposite_quote
from trading.execution.paper import PaperBroker
from trading.execution.paper_model import BrokerConfiguration, fill_price, is_drawn

if TYPE_CHECKING:
    from trading.execution.broker import Report
    from trading.market.frames import MarketFrame

# --- at the market --------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["BUY", "SELL"])
async def test_a_fill_is_at_the_opposite_quote(side: str) -> None:
    broker, shown = await paper(), frame(1)
    assert statuses(await broker.submit(order(side=side), at=NOON)) == ["ACKED"]
    (fill,) = await show(broker, shown)
    bid, ask = quotes(shown)
    assert (fill["status"], fill["quantity"], fill["filled"]) == ("FILLED", 65, 65)
    assert fill["price_paise"] == (ask if side == "BUY" else bid)
    assert fill["price_basis"] == "QUOTED"
    assert await show(broker, frame(2)) == []


async def test_the_frame_it_was_decided_on_cannot_fill_it() -> None:
    broker = await paper()
    await broker.submit(order(), at=NOON)
    assert await show(broker, frame(0)) == []


async def test_no_quote_no_fill_and_another_underlying_does_not_fill() -> None:
    broker = await paper()
    await broker.submit(order(), at=NOON)
    hidden = frame(1, hidden_strikes=(STRIKE,))
    other = chain_frame("BANKNIFTY", NOON + MINUTE_US, 0.12)
    assert await show(broker, hidden, other) == []
    assert statuses(await show(broker, frame(2))) == ["FILLED"]


def test_a_strike_the_frame_does_not_have_has_no_quote() -> None:
    assert opposite_quote(frame(0), contract(strike=1), "BUY") == (None, None)


async def test_one_side_of_a_quote_is_enough_for_who_takes_it() -> None:
    broker, shown = await paper(), untraded(frame(1))
    quiet = (None,) * len(shown.chain[0].strike_paise)
    asked = msgspec.structs.replace(shown.chain[0], call_bid_paise=quiet)
    await broker.submit(order("s.1", side="SELL"), at=NOON)
    await broker.submit(order("s.2", side="BUY"), at=NOON)
    (fill,) = await show(broker, msgspec.structs.replace(shown, chain=(asked,)))
    assert (fill["order"], fill["price_paise"]) == ("s.2", quotes(shown)[1])


@pytest.mark.parametrize(("gross", "reason"), [(True, "GROSS"), (False, "CONTRACT_NOTE")])
async def test_a_fill_says_why_it_names_no_charges_and_the_rest_that_nothing_filled(
    *, gross: bool, reason: str
) -> None:
    broker = PaperBroker(BrokerConfiguration(), gross=gross)
    await broker.open_day(trading_day())
    said = [*await broker.submit(order(), at=NOON), *await show(broker, frame(1))]
    assert [(each["status"], each["charges_reason"]) for each in said] == [
        ("ACKED", "NO_FILL"),
        ("FILLED", reason),
    ]


async def test_it_declares_what_its_configuration_says() -> None:
    limits = (await paper(orders_per_second=7, algo_id="A1", answer_seconds=45)).limits
    assert (limits.orders_per_second, limits.algo_id) == (7, "A1")
    assert (limits.answer_us, limits.keeps_book) == (45_000_000, False)


# --- depth ----------------------------------------------------------------------------------------


async def test_it_never_fills_more_than_is_quoted() -> None:
    broker = await paper()
    await broker.submit(order(quantity=100), at=NOON)
    fills = await show(broker, *[frame(minute, quantity=40) for minute in range(1, 5)])
    assert statuses(fills) == ["PARTIALLY_FILLED", "PARTIALLY_FILLED", "FILLED"]
    assert [(fill["quantity"], fill["filled"]) for fill in fills] == [(40, 40), (40, 80), (20, 100)]
    assert len({fill["id"] for fill in fills}) == 3


@given(
    quantities=st.lists(st.integers(1, 200), min_size=1, max_size=6),
    quoted=st.integers(1, 300),
    depth_ppm=st.integers(1, 1_000_000),
)
async def test_orders_of_one_frame_share_what_it_quotes(
    quantities: list[int], quoted: int, depth_ppm: int
) -> None:
    broker = await paper(depth_ppm=depth_ppm)
    for number, quantity in enumerate(quantities):
        await broker.submit(order(f"s.{number}", quantity=quantity), at=NOON)
    fills = await show(broker, frame(1, quantity=quoted))
    filled = sum(fill["quantity"] for fill in fills)
    allowed = quoted * depth_ppm // 1_000_000
    assert filled == min(allowed, sum(quantities))
    oldest = [fill["order"] for fill in fills]
    assert oldest == sorted(oldest, key=lambda name: int(name[2:])), "the oldest goes first"


async def test_the_two_sides_and_two_contracts_share_nothing() -> None:
    broker = await paper()
    await broker.submit(order("s.1", side="BUY"), at=NOON)
    await broker.submit(order("s.2", side="SELL"), at=NOON)
    await broker.submit(order("s.3", contract=contract(STRIKE + 5_000)), at=NOON)
    fills = await show(broker, frame(1, quantity=65))
    assert statuses(fills) == ["FILLED"] * 3


async def test_what_the_oldest_left_of_a_quote_is_the_next_one_s_to_the_unit() -> None:
    broker = await paper()
    for number, quantity in enumerate([65, 65, 65, 80]):
        await broker.submit(order(f"s.{number}", quantity=quantity), at=NOON)
    fills = await show(broker, frame(1, quantity=131), frame(2, quantity=131))
    assert [(fill["order"], fill["quantity"]) for fill in fills] == [
        ("s.0", 65),
        ("s.1", 65),
        ("s.2", 1),
        ("s.2", 64),
        ("s.3", 67),
    ]


async def test_what_is_held_is_counted_to_the_unit() -> None:
    broker = await paper()
    await broker.submit(order(), at=NOON)
    await show(broker, frame(1))
    held = await broker.statement(at=NOON)
    assert [(each.contract, each.units) for each in held.holdings] == [(contract(), 65)]


# --- limits ---------------------------------------------------------------------------------------


@given(
    side=st.sampled_from(["BUY", "SELL"]),
    limit=st.integers(1, 60).map(lambda ticks: 5 * ticks),
    expected=st.integers(1, 60).map(lambda ticks: 5 * ticks),
    bid=st.integers(1, 50).map(lambda ticks: 5 * ticks),
    spread=st.integers(1, 10).map(lambda ticks: 5 * ticks),
    ticks=st.integers(0, 5),
    share_ppm=st.integers(0, 2_000_000),
)
def test_a_fill_is_never_beyond_the_limit_nor_better_than_the_market(
    side: str, limit: int, expected: int, bid: int, spread: int, ticks: int, share_ppm: int
) -> None:
    model = BrokerConfiguration(slippage_ticks=ticks, slippage_spread_ppm=share_ppm)
    asked = order(side=side, limit_paise=limit, expected_paise=expected)
    quote, other = (bid + spread, bid) if side == "BUY" else (bid, bid + spread)
    price, sign = fill_price(asked, quote, other, model), asked.sign
    if sign * (quote - limit) > 0:
        assert price is None, "the opposite quote has not come to the limit"
        return
    assert price is not None
    assert price % 5 == 0
    assert sign * (price - limit) <= 0
    assert sign * (price - quote) >= 0


async def test_a_limit_rests_until_the_opposite_quote_comes_to_it() -> None:
    broker, later = await paper(), frame(3, 0.10)
    ask = quotes(later)[1]
    before = quotes(frame(1))[1]
    assert ask < before
    resting = order(limit_paise=ask + 5, expected_paise=before)
    await broker.submit(resting, at=NOON)
    assert await show(broker, frame(1), frame(2)) == []
    (fill,) = await show(broker, later)
    assert fill["price_paise"] == ask + 5, "its own price: nobody pays it a better one"


# --- slippage -------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["BUY", "SELL"])
async def test_slippage_is_ticks_and_a_part_of_the_spread_outward(side: str) -> None:
    broker = await paper(slippage_ticks=2, slippage_spread_ppm=250_000)
    await broker.submit(order(side=side), at=NOON)
    shown = frame(1)
    (fill,) = await show(broker, shown)
    bid, ask = quotes(shown)  # 10 paise apart: a quarter is 2.5, a tick outward
    assert fill["price_paise"] == (ask + 15 if side == "BUY" else bid - 15)
    assert fill["price_basis"] == "MODELLED"


def test_a_sale_is_never_below_a_tick() -> None:
    model = BrokerConfiguration(slippage_ticks=100)
    assert fill_price(order(side="SELL"), 10, 15, model) == 5


# --- latency --------------------------------------------------------------------------------------


async def test_an_order_sees_frames_only_once_it_is_with_the_exchange() -> None:
    broker = await paper(latency_ms=60_000)
    assert await broker.submit(order(), at=NOON) == []
    early = chain_frame("NIFTY", NOON + MINUTE_US - 1, 0.12)
    assert await show(broker, early) == []
    acked, filled = await show(
        broker,
        frame(1),
    )
    assert (acked["status"], filled["status"]) == ("ACKED", "FILLED")
    assert (acked["latency_us"], filled["latency_us"]) == (MINUTE_US, MINUTE_US)


async def test_asked_about_an_order_it_says_what_it_had_not_said() -> None:
    broker = await paper(latency_ms=60_000)
    await broker.submit(order(), at=NOON)
    assert await broker.look_up("s.6", at=NOON) is None
    assert await broker.look_up("s.5", at=NOON + MINUTE_US - 1) == []
    (acked,) = await broker.look_up("s.5", at=NOON + MINUTE_US) or []
    assert acked["status"] == "ACKED"
    assert await broker.look_up("s.5", at=NOON + MINUTE_US) == []
    assert await broker.cancel("s.5", at=NOON + MINUTE_US) == []
    assert await broker.look_up("s.5", at=NOON + 2 * MINUTE_US - 1) == []
    (ended,) = await broker.look_up("s.5", at=NOON + 2 * MINUTE_US) or []
    assert ended["status"] == "CANCELLED"
    assert await broker.look_up("s.5", at=NOON + 2 * MINUTE_US) == []


async def test_a_report_says_how_long_after_its_order_it_came() -> None:
    broker = await paper()
    (acked,) = await broker.submit(order(), at=NOON)
    (filled,) = await show(broker, frame(3))
    assert (acked["latency_us"], filled["latency_us"]) == (0, 3 * MINUTE_US)


async def test_a_cancellation_takes_as_long_and_may_come_too_late() -> None:
    broker = await paper(latency_ms=30_000)
    await broker.submit(order("s.1"), at=NOON)
    await broker.submit(order("s.2"), at=NOON)
    await broker.reports(Moment(NOON + 30_000_000))
    assert await broker.cancel("s.1", at=NOON + 30_000_000) == []
    assert await broker.cancel("s.2", at=NOON + 31_000_000) == []
    assert statuses(await show(broker, frame(1))) == ["CANCELLED", "FILLED"]
    assert await broker.reports(Moment(NOON + 2 * MINUTE_US)) == []


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "at", "code"),
    [
        ({"quantity": 1_801}, NOON, "FREEZE_QUANTITY"),
        ({"contract": contract(STRIKE + 1)}, NOON, "UNKNOWN_CONTRACT"),
        ({"contract": contract(expiry="2026-03-03")}, NOON, "UNKNOWN_CONTRACT"),
        ({}, HOURS.close_us, "MARKET_CLOSED"),
    ],
)
async def test_what_is_refused_on_arrival(wanted: dict[str, Any], at: int, code: str) -> None:
    broker = await paper()
    (report,) = await broker.submit(order(**wanted), at=at)
    assert (report["status"], report["reason_code"], report["filled"]) == ("REJECTED", code, 0)
    assert report["reason"]
    assert (report["reason"] == "the market is closed") == (code == "MARKET_CLOSED")
    assert await show(broker, frame(1)) == []
    assert (await broker.statement(at=at)).orders == ()


@pytest.mark.parametrize(("wanted", "at"), [({"quantity": 1_800}, NOON), ({}, HOURS.close_us - 1)])
async def test_what_is_just_taken(wanted: dict[str, Any], at: int) -> None:
    broker = await paper()
    assert statuses(await broker.submit(order(**wanted), at=at)) == ["ACKED"]


@pytest.mark.parametrize(("beyond", "status"), [(0, "FILLED"), (5, "REJECTED")])
async def test_a_limit_outside_the_exchange_s_band_is_refused(beyond: int, status: str) -> None:
    broker, shown = await paper(), frame(1)
    limits = trading_day().limits
    bid = quotes(shown)[0]  # the last price of the factory's frames
    allowed = bid * limits.band_ppm // 1_000_000
    if bid <= limits.band_reference_paise:
        allowed = limits.band_low_paise
    limit = bid + allowed + beyond
    await broker.submit(order(limit_paise=limit, expected_paise=None), at=NOON)
    (report,) = await show(broker, shown)
    assert report["status"] == status
    assert report["reason_code"] == ("PRICE_BAND" if status == "REJECTED" else None)


@pytest.mark.parametrize(("beyond", "status"), [(0, "FILLED"), (5, "REJECTED")])
async def test_what_did_not_trade_has_its_band_around_the_middle_of_its_quotes(
    beyond: int, status: str
) -> None:
    broker, shown = await paper(), untraded(frame(1))
    bid, ask = quotes(shown)
    limits, middle = trading_day().limits, (bid + ask) // 2
    assert middle > limits.band_reference_paise
    limit = middle + middle * limits.band_ppm // 1_000_000 + beyond
    await broker.submit(order(limit_paise=limit, expected_paise=None), at=NOON)
    assert statuses(await show(broker, shown)) == [status]


def untraded(shown: MarketFrame) -> MarketFrame:
    block = msgspec.structs.replace(
        shown.chain[0], call_last_paise=(None,) * len(shown.chain[0].strike_paise)
    )
    return msgspec.structs.replace(shown, chain=(block,))


async def test_a_share_of_orders_is_refused_the_same_ones_each_time() -> None:
    names = [f"s.{number}" for number in range(400)]

    async def refused(seed: int) -> list[str]:
        broker = await paper(reject_ppm=250_000, seed=seed)
        said = [(await broker.submit(order(name), at=NOON))[0] for name in names]
        return [report["order"] for report in said if report["status"] == "REJECTED"]

    first = await refused(1)
    assert first == await refused(1) != await refused(2)
    assert 70 <= len(first) <= 130
    assert not any(is_drawn(name, 0, 1) for name in names)
    assert all(is_drawn(name, 1_000_000, 1) for name in names)


async def test_what_expires_today_stops_trading_before_the_close_where_the_calendar_says_so() -> (
    None
):
    broker, stops = await paper(), HOURS.close_us - 15 * MINUTE_US
    day = trading_day()._replace(date=EXPIRY["NIFTY"].isoformat(), expiring_close_us=stops)
    await broker.open_day(day)
    assert statuses(await broker.submit(order("s.1"), at=stops - 1)) == ["ACKED"]
    (late,) = await broker.submit(order("s.2"), at=stops)
    assert (late["status"], late["reason_code"]) == ("REJECTED", "MARKET_CLOSED")
    assert late["reason"] == f"{contract().label} has stopped trading"
    assert await show(broker, chain_frame("NIFTY", stops, 0.12)) == []
    (last,) = await broker.reports(Moment(HOURS.close_us, closes={}))
    assert (last["order"], last["status"]) == ("s.1", "EXPIRED")


async def test_a_frame_before_the_last_trade_fills_what_expires_today() -> None:
    broker, stops = await paper(), HOURS.close_us - 15 * MINUTE_US
    day = trading_day()._replace(date=EXPIRY["NIFTY"].isoformat(), expiring_close_us=stops)
    await broker.open_day(day)
    await broker.submit(order("s.1"), at=NOON)
    assert statuses(await show(broker, chain_frame("NIFTY", stops - 1, 0.12))) == ["FILLED"]


# --- the end of a day -----------------------------------------------------------------------------


async def test_what_is_still_under_way_at_the_close_came_too_late() -> None:
    broker = await paper(latency_ms=60_000)
    late_us = HOURS.close_us - MINUTE_US + 1
    assert await broker.submit(order(), at=late_us) == []
    (ended,) = await broker.reports(Moment(HOURS.close_us, closes={}))
    assert (ended["status"], ended["reason_code"]) == ("REJECTED", "MARKET_CLOSED")
    assert ended["reason"] == "the market closed before it came"
    assert (await broker.statement(at=HOURS.close_us)).orders == ()


async def test_cancel_and_end_of_day_end_an_order_once() -> None:
    broker = await paper()
    await broker.submit(order("s.5"), at=NOON)
    await broker.submit(order("s.6"), at=NOON)
    assert statuses(await broker.cancel("s.5", at=NOON + 1)) == ["CANCELLED"]
    assert await broker.cancel("s.5", at=NOON + 1) == []
    closing = await broker.reports(Moment(HOURS.close_us, closes={}))
    assert [(report["order"], report["status"]) for report in closing] == [("s.6", "EXPIRED")]
    assert await broker.reports(Moment(HOURS.close_us, closes={})) == []


async def test_a_close_fills_as_far_as_was_traded_and_as_the_limit_allows() -> None:
    broker = await paper()
    closes = {contract(): Close(10_000, 50), contract(STRIKE + 5_000): Close(10_000, 500)}
    await broker.submit(order("s.1"), at=NOON)
    far = order("s.2", contract=contract(STRIKE + 5_000), limit_paise=10_000)
    await broker.submit(far, at=NOON)
    said = await broker.reports(Moment(HOURS.close_us, closes=closes))
    assert [(each["order"], each["status"], each["quantity"]) for each in said] == [
        ("s.1", "PARTIALLY_FILLED", 50),
        ("s.1", "EXPIRED", 0),
        ("s.2", "EXPIRED", 0),
    ]
    assert said[0]["price_basis"] == "MODELLED"


async def test_an_order_that_expires_says_whether_its_contract_traded() -> None:
    broker = await paper()
    await broker.submit(order("s.1", quantity=100), at=NOON)
    await broker.submit(order("s.2", contract=contract(STRIKE + 5_000)), at=NOON)
    said = await broker.reports(Moment(HOURS.close_us, closes={contract(): Close(10_000, 50)}))
    assert [(each["order"], each["reason"]) for each in said if each["status"] == "EXPIRED"] == [
        ("s.1", "end of day"),
        ("s.2", "the contract did not trade"),
    ]
    other = await paper()
    await other.submit(order("s.3"), at=NOON)
    (last,) = await other.reports(Moment(HOURS.close_us, closes={}))
    assert last["reason"] == "end of day", "a day without closing prices says nothing of trading"


async def test_what_expired_is_settled_and_gone_the_next_day() -> None:
    broker = await paper()
    await broker.submit(order("s.1"), at=NOON)
    await show(broker, frame(1))
    assert [held.units for held in (await broker.statement(at=NOON)).holdings] == [65]
    await broker.open_day(trading_day(1))
    assert (await broker.statement(at=NOON)).holdings
    after = trading_day(1)._replace(date=EXPIRY["NIFTY"].isoformat())
    await broker.open_day(after)
    assert (await broker.statement(at=NOON)).holdings, "on its last day it is there"
    await broker.open_day(after._replace(date="2026-03-03"))
    assert (await broker.statement(at=NOON)).holdings == ()


# --- after a restart ------------------------------------------------------------------------------

MODELS = [{}, {"latency_ms": 45_000}, {"slippage_ticks": 1, "depth_ppm": 500_000, "seed": 3}]


@pytest.mark.parametrize("model", MODELS)
async def test_a_book_restored_from_its_reports_goes_on_the_same(model: dict[str, Any]) -> None:
    """After each report of each instant, a broker rebuilt from what is logged says the rest."""
    frames = [frame(minute, quantity=70) for minute in range(1, 8)]
    asked = [order("s.1", quantity=100), order("s.2", quantity=60), order("s.3", side="SELL")]
    first = await paper(**model)
    said = [(NOON, each) for one in asked for each in await first.submit(one, at=NOON)]
    said += [(frames[0].available_at, each) for each in await show(first, frames[0])]
    cancelled_at = frames[0].available_at + 1
    said += [(cancelled_at, each) for each in await first.cancel("s.2", at=cancelled_at)]
    begun = len(said)
    for shown in frames[1:]:
        said += [(shown.available_at, each) for each in await show(first, shown)]
    for count in range(begun, len(said) + 1):
        logged, rest = said[:count], [report for _, report in said[count:]]
        reached = max(logged[-1][0], cancelled_at)
        twin = PaperBroker(BrokerConfiguration(**model), gross=True)
        await twin.open_day(trading_day())
        sent = [
            SentOrder(
                each,
                NOON,
                NOON + MINUTE_US + 1 if each.order == "s.2" else None,
                [(at, report) for at, report in logged if report["order"] == each.order],
            )
            for each in asked
        ]
        await twin.restore(sent, [])
        left = [shown for shown in frames if shown.available_at >= reached]
        assert await show(twin, *left) == rest
        assert await twin.statement(at=NOON) == await first.statement(at=NOON)


async def test_every_report_fits_its_payload() -> None:
    broker = await paper(latency_ms=10, reject_ppm=300_000)
    said: list[Report] = []
    for number in range(30):
        said += await broker.submit(order(f"s.{number}", quantity=65 * (1 + number)), at=NOON)
    said += await show(broker, frame(1, quantity=130), frame(2, quantity=130))
    said += await broker.cancel("s.29", at=NOON + 3 * MINUTE_US)
    said += await broker.reports(Moment(HOURS.close_us, closes={}))
    for report in said:
        msgspec.convert(report, BrokerReport, strict=True)
    assert {"ACKED", "PARTIALLY_FILLED", "FILLED", "REJECTED", "EXPIRED"} <= set(statuses(said))
