"""The steps and bars of a waterfall and the waterfalls of trades, worked out by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from trading.risk_room.waterfall import (
    Bar,
    Move,
    Scale,
    TradeLine,
    rungs_of,
    scale_of,
    total_of,
    trade_bars,
    trade_lines,
    trade_scale,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

FEES = {
    "brokerage": 2_000,
    "stt": 500,
    "exchange": 300,
    "sebi": 10,
    "stamp": 90,
    "gst": 100,
    "total": 3_000,
}


def waterfall(**changes: Any) -> dict[str, Any]:
    """100 rupees hoped for, 20 lost to slippage, 30 to charges, 10 to funding: 40 are left."""
    told = {
        "expected_paise": 10_000,
        "slippage_paise": 2_000,
        "unpriced_fills": 0,
        "gross_paise": 8_000,
        "fees": FEES,
        "funding_paise": 1_000,
        "net_paise": 4_000,
    }
    return told | changes


GROSS = {"fees": None, "funding_paise": None, "net_paise": None}


def shown(told: dict[str, Any]) -> list[tuple[str, str, tuple[int, int, str] | None]]:
    return [
        (rung.label, rung.figure, rung.bar and (rung.bar.start, rung.bar.width, rung.bar.tone))
        for rung in rungs_of(told)
    ]


def test_each_step_begins_where_the_one_before_it_ends() -> None:
    # Ten paise are a unit of the picture: the widest level, 10,000 paise, takes the 1,000 units.
    assert shown(waterfall()) == [
        ("Expected", "▲ +100.00", (0, 1_000, "sum")),
        ("Slippage", "−20.00", (800, 200, "loss")),
        ("Gross", "▲ +80.00", (0, 800, "sum")),
        ("Brokerage", "−20.00", (600, 200, "loss")),
        ("STT", "−5.00", (550, 50, "loss")),
        ("Exchange, with IPFT", "−3.00", (520, 30, "loss")),
        ("SEBI fee", "−0.10", (519, 1, "loss")),
        ("Stamp duty", "−0.90", (510, 9, "loss")),
        ("GST", "−1.00", (500, 10, "loss")),
        ("Charges", "−30.00", (500, 300, "loss")),
        ("Funding of margin", "−10.00", (400, 100, "loss")),
        ("Net", "▲ +40.00", (0, 400, "sum")),
    ]


def test_a_profit_that_turns_into_a_loss_crosses_zero() -> None:
    # From 1,000 down to −3,000: four paise a unit, zero at 750.
    told = waterfall(
        expected_paise=1_000, slippage_paise=1_000, gross_paise=0, net_paise=-3_000, funding_paise=0
    )
    by_label = {label: (figure, bar) for label, figure, bar in shown(told)}
    assert by_label["Expected"] == ("▲ +10.00", (750, 250, "sum"))
    assert by_label["Slippage"] == ("−10.00", (750, 250, "loss"))
    assert by_label["Gross"] == ("0.00", None)
    assert by_label["Charges"] == ("−30.00", (0, 750, "loss"))
    assert by_label["Funding of margin"] == ("0.00", None)
    assert by_label["Net"] == ("▼ −30.00", (0, 750, "sum"))


def test_slippage_that_went_better_is_a_gain() -> None:
    told = waterfall(expected_paise=5_000, slippage_paise=-3_000)
    (_, figure, bar) = shown(told)[1]
    assert (figure, bar) == ("30.00", (625, 375, "gain"))  # of 8,000 paise, eight a unit


def test_a_gross_session_has_no_figure_for_what_was_not_taken_off() -> None:
    rungs = rungs_of(waterfall(**GROSS))
    assert [rung.label for rung in rungs] == ["Expected", "Slippage", "Gross", "Charges and net"]
    last = rungs[-1]
    assert (last.figure, last.bar) == ("GROSS", None)
    assert "no net figure" in last.note
    assert not any("0.00" in rung.figure for rung in rungs[3:])


def test_what_needs_a_missing_quote_has_neither_figure_nor_bar() -> None:
    told = waterfall(expected_paise=None, gross_paise=None, net_paise=None)
    by_label = {label: (figure, bar) for label, figure, bar in shown(told)}
    for label in ("Expected", "Gross", "Net"):
        assert by_label[label] == ("no data", None)
    assert by_label["Slippage"] == ("−20.00", None)
    assert by_label["Charges"] == ("−30.00", None)
    assert by_label["Brokerage"] == ("−20.00", None)


def test_fills_without_a_price_are_said() -> None:
    assert rungs_of(waterfall(unpriced_fills=1))[1].note == "1 fill at their own price"
    assert rungs_of(waterfall(unpriced_fills=2))[1].note == "2 fills at their own price"


def test_a_trade_bears_no_funding() -> None:
    labels = [rung.label for rung in rungs_of(waterfall(funding_paise=None, net_paise=5_000))]
    assert "Funding of margin" not in labels
    assert labels[-1] == "Net"


def test_nothing_at_all_has_no_bars() -> None:
    nothing = waterfall(
        expected_paise=0, slippage_paise=0, gross_paise=0, funding_paise=0, net_paise=0,
        fees=dict.fromkeys(FEES, 0),
    )  # fmt: skip
    assert {rung.bar for rung in rungs_of(nothing)} == {None}


@pytest.mark.parametrize(
    ("start", "end", "bar"),
    [
        (0, 1, Bar(0, 1, "gain")),  # a thousandth of a unit is still to be seen
        (1_000_000, 999_999, Bar(999, 1, "loss")),  # and stays inside the picture
        (7, 7, None),
        (None, 7, None),
        (7, None, None),
    ],
)
def test_a_bar_may_be_seen_and_stays_inside(
    start: int | None, end: int | None, bar: Bar | None
) -> None:
    assert Scale(0, 1_000_000).bar(start, end) == bar


def test_zero_is_always_on_the_scale() -> None:
    assert scale_of([None, 500, 300]) == Scale(0, 500)
    assert scale_of([-500, -300]) == Scale(-500, 0)
    assert scale_of([]) == Scale(0, 0)
    assert scale_of([-100, 300]).zero == 250


# --- trades ---------------------------------------------------------------------------------------


def move(seq: int, trade: str, state: str = "ARCHIVE", **changes: Any) -> Move:
    told = waterfall(funding_paise=None, net_paise=5_000) | changes
    data = {
        "trade": trade,
        "strategy": "S4",
        "underlying": "NIFTY",
        "state": state,
        "gross_paise": told["gross_paise"],
        "waterfall": told,
    }
    return Move(seq, seq * 1_000_000, data)


def position(trade: str, unrealised: int | None, **changes: Any) -> dict[str, Any]:
    return {
        "trade": trade,
        "strategy": "S4",
        "underlying": "NIFTY",
        "state": "HOLD",
        "gross_paise": 0,
        "value_paise": None if unrealised is None else 0,
        "unrealised_paise": unrealised,
        "mark": "MISSING" if unrealised is None else "FRESH",
    } | changes


def only(lines: Sequence[TradeLine]) -> TradeLine:
    (line,) = lines
    return line


ENTERED = {
    "expected_paise": 700,
    "slippage_paise": 700,
    "gross_paise": 0,
    "net_paise": -3_000,
}  # an entry: nothing is realised, slippage and charges are there


def test_what_is_open_is_worth_what_closing_it_now_brings() -> None:
    line = only(trade_lines([move(5, "a", "HOLD", **ENTERED)], [position("a", 9_000)], {}))
    assert line.waterfall is not None
    assert (line.realised_paise, line.unrealised_paise, line.mark) == (0, 9_000, "FRESH")
    assert line.waterfall["expected_paise"] == 9_700
    assert line.waterfall["gross_paise"] == 9_000
    assert line.waterfall["net_paise"] == 6_000
    assert line.charges_paise == 3_000


def test_of_a_trade_that_is_partly_closed_both_parts_count() -> None:
    moved = move(5, "a", "EXIT", expected_paise=1_200, slippage_paise=700, gross_paise=500)
    line = only(trade_lines([moved], [position("a", -2_000, gross_paise=500)], {}))
    assert line.waterfall is not None
    assert (line.realised_paise, line.unrealised_paise) == (500, -2_000)
    assert line.waterfall["gross_paise"] == -1_500
    assert line.waterfall["expected_paise"] == -800
    assert line.waterfall["net_paise"] == -4_500


def test_an_open_trade_without_a_quote_has_no_profit() -> None:
    line = only(trade_lines([move(5, "a", "HOLD", **ENTERED)], [position("a", None)], {}))
    assert line.waterfall is not None
    assert (line.mark, line.unrealised_paise) == ("MISSING", None)
    for name in ("expected_paise", "gross_paise", "net_paise"):
        assert line.waterfall[name] is None
    assert line.waterfall["slippage_paise"] == 700
    assert line.charges_paise == 3_000


def test_a_gross_trade_has_neither_charges_nor_net() -> None:
    line = only(trade_lines([move(5, "a", "HOLD", **ENTERED | GROSS)], [position("a", 900)], {}))
    assert line.waterfall is not None
    assert (line.waterfall["gross_paise"], line.waterfall["net_paise"]) == (900, None)
    assert line.charges_paise is None


def test_what_is_flat_stands_as_it_was_archived() -> None:
    line = only(trade_lines([move(5, "a")], [], {"a": 3, "b": 9}))
    assert line.waterfall == waterfall(funding_paise=None, net_paise=5_000)
    assert (line.is_open, line.unrealised_paise, line.mark, line.modelled) == (False, 0, "", 3)


def test_open_ones_come_first_then_the_newest() -> None:
    moves = [move(2, "old"), move(9, "new"), move(4, "held", "HOLD", **ENTERED)]
    lines = trade_lines(moves, [position("held", 0), position("asked", 0, state=None)], {})
    assert [line.trade for line in lines] == ["asked", "held", "new", "old"]


def test_a_trade_nobody_has_answered_says_so_and_changes_no_total() -> None:
    lines = trade_lines([move(5, "a")], [position("b", 0, state=None)], {})
    silent = lines[0]
    assert (silent.waterfall, silent.seq) == (None, None)
    assert silent.note == "the broker has not answered yet"
    total = total_of(lines)
    assert (total.trades, total.gross_paise, total.net_paise) == (2, 8_000, 5_000)


def test_an_older_log_without_waterfalls_says_so_and_has_no_total() -> None:
    old = move(5, "a")
    del old.data["waterfall"]
    line = only(trade_lines([old], [], {}))
    assert (line.waterfall, line.realised_paise) == (None, 8_000)
    assert line.note == "logged without a waterfall"
    total = total_of([line])
    assert (total.realised_paise, total.gross_paise, total.charges_paise) == (8_000, None, None)


def test_totals_add_up_and_one_unknown_figure_makes_its_sum_unknown() -> None:
    held = move(7, "b", "HOLD", **ENTERED)
    total = total_of(trade_lines([move(5, "a"), held], [position("b", 9_000)], {}))
    assert total.trades == 2
    assert (total.realised_paise, total.unrealised_paise) == (8_000, 9_000)
    assert (total.expected_paise, total.slippage_paise) == (19_700, 2_700)
    assert (total.gross_paise, total.charges_paise, total.net_paise) == (17_000, 6_000, 11_000)
    total = total_of(trade_lines([move(5, "a"), held], [position("b", None)], {}))
    assert (total.realised_paise, total.unrealised_paise) == (8_000, None)
    assert (total.expected_paise, total.gross_paise, total.net_paise) == (None, None, None)
    assert (total.slippage_paise, total.charges_paise) == (2_700, 6_000)


def test_the_bars_of_trades_share_one_scale() -> None:
    # The first goes from 100 rupees to 50, the second from −100 to −200: 30 paise are a unit.
    second = {
        "expected_paise": -10_000,
        "slippage_paise": 7_000,
        "gross_paise": -17_000,
        "net_paise": -20_000,
    }
    lines = trade_lines([move(5, "a"), move(4, "b", **second)], [], {})
    scale = trade_scale(lines)
    assert scale == Scale(-20_000, 10_000)
    first, other = (trade_bars(line, scale) for line in lines)
    assert first.slippage == Bar(933, 67, "loss")  # 8,000 is 933 of 1,000 units, 10,000 all of them
    assert first.charges == Bar(833, 100, "loss")
    assert first.end == Bar(667, 166, "sum")
    assert other.slippage == Bar(100, 233, "loss")
    assert other.charges == Bar(0, 100, "loss")
    assert other.end == Bar(0, 667, "sum")


def test_the_bar_of_a_gross_trade_ends_at_gross() -> None:
    line = only(trade_lines([move(5, "a", **GROSS)], [], {}))
    bars = trade_bars(line, trade_scale([line]))
    assert bars.charges is None
    assert bars.end == Bar(0, 800, "sum")
