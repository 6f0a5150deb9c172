"""A note as it is shown, and how executed orders are spread over legs."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tests.trading.costs.test_india import CALL, DAY, FUTURE, UPSTOX, ZERODHA
from trading.costs.india import Exercise, Fill
from trading.costs.rates import BUY, SELL, CostError
from trading.costs.statement import Funding, Wish, orders_of, shown, statement

if TYPE_CHECKING:
    from trading.costs.brokers import Broker

OPTION = Fill(CALL, SELL, 65, 12_005)
TRADED = Fill(FUTURE, SELL, 65, 2_251_000)
HELD = Exercise(CALL, BUY, 65, 2_261_040)


def _counts(*fills: Fill, executed: int) -> list[int]:
    return [order.executed_orders for order in orders_of(fills, executed)]


def test_the_lines_add_up_to_the_exact_figures() -> None:
    told = statement(Wish(DAY, ZERODHA, (OPTION, TRADED), (HELD,)))
    total = sum(Decimal(line["amount"]) for line in told["lines"])
    assert total == Decimal(told["exact"]["total"])
    assert sum(Decimal(leg["exact"]["total"]) for leg in told["legs"]) == total
    assert told["billed"] == {
        "brokerage": "60.00",
        "stt": "754.00",
        "exchange": "29.55",
        "sebi": "1.47",
        "stamp": "0.00",
        "gst": "16.38",
        "total": "861.40",
    }


def test_each_line_has_its_rate_its_dates_and_its_source() -> None:
    told = statement(Wish(DAY, ZERODHA, (OPTION,)))
    (stt,) = (line for line in told["lines"] if line["charge"] == "STT")
    assert stt["rate"] == "0.15%"
    assert (stt["from"], stt["to"]) == ("2026-04-01", None)
    assert stt["base"] == "7803.25"
    assert "NSE/FATAX/73524" in stt["source"]
    assert all(line["status"] and line["source"] for line in told["lines"])
    brokerage, *_, tax = told["lines"]
    assert (brokerage["base"], brokerage["rate"]) == ("1", "₹20.00 an order")
    assert (tax["charge"], tax["rate"]) == ("GST", "18%")


def test_stress_multiplies_every_figure() -> None:
    once, thrice = (statement(Wish(DAY, ZERODHA, (OPTION,), stress=by)) for by in (1, 3))
    for part in ("billed", "exact"):
        for name, text in once[part].items():
            assert Decimal(thrice[part][name]) == 3 * Decimal(text)
    assert Decimal(thrice["legs"][0]["points"]) == Decimal("1.780875")
    total = sum(Decimal(line["amount"]) for line in thrice["lines"])
    assert total == Decimal(thrice["exact"]["total"])


def test_funding_is_told_beside_the_leg() -> None:
    funding = Funding(10_000_000, 7, 70_000_000)
    (leg,) = statement(Wish(DAY, ZERODHA, (OPTION,), funding=funding))["legs"]
    assert leg["funding_points"] == "2.065332"
    assert Decimal(leg["funding"]).quantize(Decimal("0.01")) == Decimal("134.25")


@pytest.mark.parametrize(("broker", "count"), [(ZERODHA, 3), (UPSTOX, 5)])
def test_what_is_unconfirmed_is_said(broker: Broker, count: int) -> None:
    assert statement(Wish(DAY, ZERODHA, (OPTION,)))["warnings"] == []
    warnings = statement(Wish(DAY, broker, (OPTION,), (HELD,)))["warnings"]
    assert len(warnings) == count
    assert "STAMP of GOVERNMENT on EXERCISE is UNCONFIRMED" in warnings


def test_an_exercise_before_its_expiry_is_called_an_estimate() -> None:
    early = HELD._replace(contract=FUTURE._replace(strike_paise=2_250_000, right="CE"))
    (warning, *_) = statement(Wish(DAY, ZERODHA, (), (early,)))["warnings"]
    assert (
        warning
        == "NIFTY 2026-12-29 22500 CE is exercised at expiry; these are the rates of 2026-04-07"
    )


def test_executed_orders_are_spread_over_the_legs() -> None:
    assert [order.executed_orders for order in orders_of((OPTION, TRADED))] == [1, 1]
    assert _counts(OPTION, OPTION, executed=1) == [1, 0]
    assert _counts(OPTION, OPTION, executed=5) == [3, 2]
    assert _counts(OPTION, TRADED, OPTION, executed=4) == [2, 1, 1]
    assert _counts(TRADED, TRADED, executed=3) == [2, 1]


@pytest.mark.parametrize(
    ("fills", "executed", "says"),
    [
        ((OPTION,), 0, "expected 1 or more"),
        ((OPTION, TRADED), 1, "expected 2 or more"),
        ((TRADED, TRADED), 1, "expected 2 or more"),
        ((TRADED, TRADED, TRADED), 2, "expected 3 or more"),
        ((), 1, "expected a traded leg"),
    ],
)
def test_fewer_orders_than_legs_need_are_refused(
    fills: tuple[Fill, ...], executed: int, says: str
) -> None:
    with pytest.raises(CostError, match=says):
        orders_of(fills, executed)


def test_it_is_shown_as_text() -> None:
    funding = Funding(10_000_000, 7, 70_000_000)
    text = "\n".join(shown(statement(Wish(DAY, ZERODHA, (OPTION,), (HELD,), funding=funding))))
    assert "order SELL 65 NIFTY 2026-04-07 22500 CE: ₹38.5856266105, 0.593625 points" in text
    first, second = text.split("2. exercise BUY 65 NIFTY 2026-04-07 22500 CE")
    assert "STT 0.15% of PREMIUM 7803.25" in first
    assert "STT 0.15% of INTRINSIC 7176.00" in second
    assert "funding ₹" in text
    assert "note: EXCHANGE of NSE on EXERCISE is UNCONFIRMED" in text


def test_every_billed_line_is_shown_beside_the_exact_one() -> None:
    told = statement(Wish(DAY, ZERODHA, (OPTION, TRADED), (HELD,)))
    text = list(shown(told))
    assert "total      billed ₹      861.40   exact ₹861.4464047105" in text
    for name, billed in told["billed"].items():
        assert [name, "billed", billed, "exact", told["exact"][name]] in [
            line.replace("₹", " ").split() for line in text
        ]
