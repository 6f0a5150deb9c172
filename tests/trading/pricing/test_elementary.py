"""The elementary functions against scipy's, to a few units in the last place."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from trading.pricing.elementary import (
    exponential,
    log_ratio,
    logarithm,
    normal_cumulative,
    normal_density,
    scaled_erfc,
)


def test_the_exponential_agrees_over_its_whole_range() -> None:
    x = np.linspace(-700.0, 709.0, 100_001)
    assert np.max(np.abs(exponential(x) / np.exp(x) - 1.0)) < 5e-16


def test_the_exponential_fades_through_the_smallest_numbers_to_zero() -> None:
    assert exponential(np.array([-744.0]))[0] == pytest.approx(1e-323, abs=5e-324)
    assert exponential(np.array([-746.0, -1e300, -np.inf])).tolist() == [0.0, 0.0, 0.0]
    assert exponential(np.zeros(1))[0] == 1.0


def test_the_logarithm_agrees_over_its_whole_range() -> None:
    x = np.exp(np.linspace(-700.0, 700.0, 100_001))
    assert np.max(np.abs(logarithm(x) - np.log(x)) / np.maximum(np.abs(np.log(x)), 1.0)) < 5e-16
    assert logarithm(np.ones(1))[0] == 0.0


def test_a_ratio_near_one_keeps_its_digits() -> None:
    above = 1.0 + np.linspace(-0.3, 0.3, 10_001)
    ours = log_ratio(above, np.ones(1))
    expected = np.log1p(above - 1.0)
    assert np.max(np.abs(ours - expected)) < 2e-16
    assert log_ratio(np.array([1.0 + 2.0**-50]), np.ones(1))[0] == pytest.approx(
        2.0**-50, rel=1e-14
    )


def test_the_scaled_error_function_agrees() -> None:
    y = np.concatenate((np.linspace(0.0, 30.0, 50_001), [1e3, 1e8, 1e200]))
    assert np.max(np.abs(scaled_erfc(y) / special.erfcx(y) - 1.0)) < 2e-15


def test_the_normal_law_agrees_into_its_far_tail() -> None:
    x = np.linspace(-37.0, 9.0, 50_001)
    assert np.max(np.abs(normal_cumulative(x) / special.ndtr(x) - 1.0)) < 5e-13
    assert np.max(np.abs(normal_cumulative(x) - special.ndtr(x))) < 4e-16
    assert normal_cumulative(np.array([-np.inf, np.inf])).tolist() == [0.0, 1.0]


def test_the_normal_density_is_the_slope_of_the_law() -> None:
    x = np.linspace(-6.0, 6.0, 101)
    slope = (normal_cumulative(x + 1e-5) - normal_cumulative(x - 1e-5)) / 2e-5
    assert normal_density(x) == pytest.approx(slope, abs=1e-9)
