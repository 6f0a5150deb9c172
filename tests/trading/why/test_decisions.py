"""What a signal and a gate decision are said to hang on."""

from __future__ import annotations

from typing import Any

import pytest

from trading.why.decisions import (
    binding_condition,
    deciding_gate,
    gate_title,
    gate_value,
    smallest_change,
    was_admitted,
)


def condition(name: str, value: float | None, headroom: float | None, **said: Any) -> Any:
    met = headroom is not None and headroom >= 0
    whole = {"threshold": 1.5, "comparison": ">=", "scale": 1.0, "met": met}
    return {"name": name, "value": value, "headroom": headroom, **whole, **said}


def test_what_stopped_a_signal_is_the_first_condition_not_met() -> None:
    asked = [condition("a", 2, 0.5), condition("b", 1, -0.5), condition("c", 0, -9)]
    assert binding_condition(asked) == asked[1]


def test_of_a_fired_signal_it_is_the_one_with_the_least_room_for_its_scale() -> None:
    wide = condition("wide", 9, 3.0, scale=10.0)
    near = condition("near", 2, 0.5, scale=1.0)
    exact = condition("count", 1, 0, scale=0)
    assert binding_condition([near, exact, wide]) == wide
    assert binding_condition([exact]) == exact
    assert binding_condition([]) is None


def test_every_condition_not_met_says_what_was_missing() -> None:
    asked = [condition("z", 1.2, -0.3), condition("ok", 2, 0.5), condition("iv", None, None)]
    assert smallest_change({"conditions": asked}) == (
        "z ≥ 1.5 was needed, it was 1.2, short by 0.3",
        "iv: no data, so iv ≥ 1.5 could not be judged",
    )


def test_a_signal_that_missed_nothing_gives_its_own_reason_or_says_there_is_none() -> None:
    met = [condition("ok", 2, 0.5)]
    assert smallest_change({"conditions": met, "reason": "in line"}) == ("in line",)
    (line,) = smallest_change({"conditions": met})
    assert "no reason" in line


def test_the_gate_that_refused_is_found_by_its_number() -> None:
    gates = [{"number": 2, "name": "session window"}, {"number": 12, "name": "concentration"}]
    refused = {"decided_by": 12, "gates": gates}
    assert deciding_gate(refused) == gates[1]
    assert not was_admitted(refused)
    assert gate_title(gates[0]) == "gate 2 session window"
    for admitted in ({"gates": gates}, {"decided_by": None, "gates": gates}):
        assert deciding_gate(admitted) is None
        assert was_admitted(admitted)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "paise", "no data"),
        (1_500_000, "us", "1.5 s"),
        (33_661, "ist_seconds", "09:21:01 IST"),
        (1, "flag", "set"),
        (0, "flag", "clear"),
        (123_456_789, "paise", "₹12,34,567.89"),
        (7, "orders", "7 orders"),
        (7, "", "7"),
    ],
)
def test_a_gate_s_figure_in_its_unit(value: object, unit: str, text: str) -> None:
    assert gate_value(value, unit) == text
