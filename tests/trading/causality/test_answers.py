"""Two answers are the same to the bit, or the first difference is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from trading.causality.answers import (
    Answer,
    answer_of,
    first_difference,
    largest_deviation,
    one_by_one,
)

AT = np.array([10, 20, 30], dtype=np.int64)


def _answer(values: Any, dtype: Any = np.float64) -> Answer:
    return Answer(AT, {"value": np.array(values, dtype=dtype)})


def test_equal_bits_are_no_difference_whatever_the_payload_of_a_nan() -> None:
    other = np.array([1.0, np.nan, -0.0])
    other.view(np.uint64)[1] = 0xFFF8000000000123
    assert np.isnan(other[1])
    assert first_difference(_answer([1.0, np.nan, -0.0]), Answer(AT, {"value": other})) is None


@pytest.mark.parametrize(
    ("before", "after", "column", "at_us"),
    [
        (_answer([1.0, 2.0, 3.0]), _answer([1.0, np.nextafter(2.0, 3.0), 3.0]), "value", 20),
        (_answer([0.0, 2.0, 3.0]), _answer([-0.0, 2.0, 3.0]), "value", 10),
        (_answer([1.0, 2.0, np.nan]), _answer([1.0, 2.0, 3.0]), "value", 30),
        (_answer([1, 2, 3]), _answer([1, 2, 3], np.int64), "dtype value", None),
        (_answer([1, None, 3], object), _answer([1, 2, 3], object), "value", 20),
        (_answer([1, None, 3], object), _answer([1.0, None, 3], object), "value", 10),
        (_answer([None] * 3, object), _answer([float("nan")] * 3, object), "value", 10),
        (_answer([1, 2, 3]), Answer(AT[:2], {"value": np.array([1.0, 2.0])}), "index", 30),
        (_answer([1, 2, 3]), Answer(AT + 1, {"value": np.array([1.0, 2, 3])}), "index", 10),
        (_answer([1, 2, 3]), Answer(AT, {"other": np.array([1.0, 2, 3])}), "columns", None),
    ],
)
def test_what_differs_is_named(
    before: Answer, after: Answer, column: str, at_us: int | None
) -> None:
    difference = first_difference(before, after)
    assert difference is not None
    assert (difference.column, difference.at_us) == (column, at_us)


def test_values_by_instant_become_columns() -> None:
    answer = answer_of({20: {"a": 1, "b": None}, 10: {"a": 2.5}})
    assert answer.at.tolist() == [10, 20]
    assert answer.columns["a"].tolist() == [2.5, 1]
    assert answer.columns["b"].tolist() == [None, None]
    assert answer_of({10: 7}).columns["value"].tolist() == [7]


def test_the_part_up_to_a_cut() -> None:
    assert _answer([1, 2, 3]).until(20).columns["value"].tolist() == [1.0, 2.0]
    assert _answer([1, 2, 3]).since(20).at.tolist() == [20, 30]


def test_how_far_apart_two_answers_are() -> None:
    assert largest_deviation(_answer([1, 2, np.nan]), _answer([1, 2.5, np.nan])) == 0.5
    assert largest_deviation(_answer([1, 2, np.nan]), _answer([1, 2, 3])) == float("inf")
    boxed = one_by_one(_answer([1, 2, 3]))
    assert boxed.columns["value"].dtype == object
    assert largest_deviation(_answer([1, 2, 3]), boxed) == 0.0
