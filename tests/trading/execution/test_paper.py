"""The paper broker fills at the opposite quote of a later frame, never more than is quoted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.market_factory import DAYS, chain_frame
from trading.execution.orders import Contract, Order
from trading.execution.paper import PaperBroker, opposite_quote
from trading.market.calendar import session_hours

NOON = session_hours(DAYS[0]).open_us + 3_600_000_000
MINUTE = 60_000_000
STRIKE = 2_530_000


def contract(right: str = "CE", strike: int = STRIKE) -> Contract:
    return Contract(underlying="NIFTY", expiry="2026-03-02", strike_paise=strike, right=right)  # type: ignore[arg-type]


def order(name: str = "s.5", side: str = "BUY", quantity: int = 65, strike: int = STRIKE) -> Order:
    return Order(
        order=name,
        trade="s.4",
        contract=contract(strike=strike),
        side=side,  # type: ignore[arg-type]
        quantity=quantity,
        expected_paise=None,
    )


def statuses(reports: list[dict[str, Any]]) -> list[str]:
    return [report["status"] for report in reports]


@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_a_fill_is_at_the_opposite_quote(side: str) -> None:
    broker, frame = PaperBroker(gross=True), chain_frame("NIFTY", NOON + MINUTE, 0.12)
    assert statuses(broker.submit(order(side=side), at=NOON)) == ["ACKED"]
    (fill,) = broker.match(frame)
    index = frame.chain[0].strike_paise.index(STRIKE)
    column = frame.chain[0].call_ask_paise if side == "BUY" else frame.chain[0].call_bid_paise
    assert fill["status"] == "FILLED"
    assert fill["price_paise"] == column[index]
    assert fill["quantity"] == 65
    assert broker.match(chain_frame("NIFTY", NOON + 2 * MINUTE, 0.12)) == []


def test_the_frame_it_was_decided_on_cannot_fill_it() -> None:
    broker, frame = PaperBroker(gross=True), chain_frame("NIFTY", NOON, 0.12)
    broker.submit(order(), at=NOON)
    assert broker.match(frame) == []


def test_it_never_fills_more_than_is_quoted() -> None:
    broker = PaperBroker(gross=True)
    broker.submit(order(quantity=100), at=NOON)
    fills = []
    for minute in range(1, 5):
        fills += broker.match(chain_frame("NIFTY", NOON + minute * MINUTE, 0.12, quantity=40))
    assert statuses(fills) == ["PARTIALLY_FILLED", "PARTIALLY_FILLED", "FILLED"]
    assert [fill["quantity"] for fill in fills] == [40, 40, 20]
    assert len({fill["id"] for fill in fills}) == 3


def test_no_quote_no_fill_and_another_underlying_does_not_fill() -> None:
    broker = PaperBroker(gross=True)
    broker.submit(order(), at=NOON)
    hidden = chain_frame("NIFTY", NOON + MINUTE, 0.12, hidden_strikes=(STRIKE,))
    assert broker.match(hidden) == []
    assert broker.match(chain_frame("BANKNIFTY", NOON + MINUTE, 0.12)) == []
    assert statuses(broker.match(chain_frame("NIFTY", NOON + 2 * MINUTE, 0.12))) == ["FILLED"]


def test_a_strike_the_frame_does_not_have_has_no_quote() -> None:
    frame = chain_frame("NIFTY", NOON, 0.12)
    assert opposite_quote(frame, contract(strike=1), "BUY") == (None, None)


def test_cancel_and_end_of_day_end_an_order_once() -> None:
    broker = PaperBroker(gross=True)
    broker.submit(order("s.5"), at=NOON)
    broker.submit(order("s.6"), at=NOON)
    assert statuses(broker.cancel("s.5", at=NOON + MINUTE)) == ["CANCELLED"]
    assert broker.cancel("s.5", at=NOON + MINUTE) == []
    closing = broker.close_day(at=NOON + 2 * MINUTE)
    assert [(report["order"], report["status"]) for report in closing] == [("s.6", "EXPIRED")]
    assert broker.close_day(at=NOON + 2 * MINUTE) == []


def test_a_book_restored_from_its_reports_goes_on_the_same() -> None:
    """After each frame, a broker rebuilt from the log answers the later frames as the first
    does.
    """
    frames = [chain_frame("NIFTY", NOON + m * MINUTE, 0.12, quantity=30) for m in range(1, 6)]
    first, asked = PaperBroker(gross=True), order(quantity=100)
    log = [(NOON, report) for report in first.submit(asked, at=NOON)]
    answers = [first.match(frame) for frame in frames]
    assert [statuses(answer) for answer in answers[:4]] == [
        *[["PARTIALLY_FILLED"]] * 3,
        ["FILLED"],
    ]
    for position, frame in enumerate(frames):
        twin = PaperBroker(gross=True)
        twin.restore([(asked, NOON, list(log))])
        assert [twin.match(later) for later in frames[position:]] == answers[position:]
        log += [(frame.available_at, report) for report in answers[position]]
        again = PaperBroker(gross=True)
        again.restore([(asked, NOON, list(log))])
        assert again.match(frame) == [], "a frame that was used cannot fill twice"
