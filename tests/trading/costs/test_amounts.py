"""Rounding and texts of exact amounts."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.costs.amounts import (
    half_up,
    paise_of,
    percent_of,
    rupees_of_exact,
    rupees_of_paise,
    to_rupee,
)

amounts = st.integers(0, 10**30)


@given(amounts)
def test_the_text_of_an_exact_amount_is_the_amount(amount: int) -> None:
    text = rupees_of_exact(amount)
    assert Fraction(text) * 10**20 == amount
    assert len(text.split(".")[1]) >= 2


@given(amounts)
def test_paise_are_rounded_half_up(amount: int) -> None:
    assert paise_of(amount) == math.floor(Fraction(amount, 10**18) + Fraction(1, 2))


@pytest.mark.parametrize(("paise", "rounded"), [(0, 0), (49, 0), (50, 100), (149, 100), (150, 200)])
def test_rupees_are_rounded_half_up(paise: int, rounded: int) -> None:
    assert to_rupee(paise) == rounded


def test_texts() -> None:
    assert rupees_of_paise(1_234_05) == "1234.05"
    assert rupees_of_exact(5 * 10**17) == "0.005"
    assert percent_of(355_299) == "0.0355299%"
    assert percent_of(180_000_000) == "18%"
    assert percent_of(0) == "0%"
    assert half_up(7, 2) == 4
