"""The normal distribution over arrays, beside the standard library's."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from trading.market.synthetic.normal import inverse_normal, normal_density, normal_distribution

STANDARD = NormalDist()


def test_the_distribution_is_that_of_the_error_function() -> None:
    x = np.concatenate([np.linspace(-8, 8, 4001), [-37.0, -20.0, 20.0, 37.0]])
    wanted = [0.5 * math.erfc(-value / math.sqrt(2)) for value in x.tolist()]
    assert normal_distribution(x).tolist() == pytest.approx(wanted, abs=2e-15)
    assert normal_density(x).tolist() == pytest.approx([STANDARD.pdf(v) for v in x.tolist()])


def test_the_inverse_is_that_of_the_standard_library_at_every_depth() -> None:
    p = np.concatenate([np.linspace(0.001, 0.999, 999), 10.0 ** -np.arange(3, 17), [2.0**-54]])
    wanted = [STANDARD.inv_cdf(value) for value in p.tolist()]
    assert inverse_normal(p).tolist() == pytest.approx(wanted, rel=1e-13, abs=1e-13)


def test_a_batch_gives_the_bits_its_parts_give() -> None:
    p = (np.arange(1, 1000) - 0.5) / 999
    assert np.array_equal(
        inverse_normal(p), np.concatenate([inverse_normal(part) for part in np.split(p, 27)])
    )
