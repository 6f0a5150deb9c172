"""The tests that trials of the market rest on."""

from __future__ import annotations

import numpy as np
import pytest

from tests.trading.market.synthetic.rejections import (
    ONE_SIDED,
    beyond_chance,
    skewed_t,
    t_of_mean,
    within_chance,
)

COUNT = 40


def samples(mean: float) -> np.ndarray:
    """Two thousand samples of a skewed law: what a buyer of variance gains, turned it is what a
    seller gains.
    """
    drawn = np.random.default_rng(1).exponential(size=(2000, COUNT))
    return drawn - 1.0 + mean


@pytest.mark.parametrize(("sign", "plain_share"), [(1, 0.03), (-1, 0.10)])
def test_it_is_nearer_its_size_than_the_plain_t(sign: int, plain_share: float) -> None:
    """Of forty values as skewed as these: 5 % and 7 % in place of 3 % and 10 %."""
    corrected = np.mean([skewed_t(sign * each) > ONE_SIDED for each in samples(0.0)])
    plain = np.mean([t_of_mean(sign * each) > ONE_SIDED for each in samples(0.0)])
    assert plain == pytest.approx(plain_share, abs=0.01)
    assert abs(corrected - 0.05) < abs(plain - 0.05)
    assert corrected == pytest.approx(0.06, abs=0.02)


def test_without_skewness_it_is_the_plain_t() -> None:
    even = np.array([-3.0, -1.0, 1.0, 3.0]) + 0.5
    assert skewed_t(even) == pytest.approx(t_of_mean(even))


def test_a_clear_loser_is_never_called_a_winner() -> None:
    """Johnson's correction alone does so of a third of these."""
    assert max(skewed_t(each) for each in samples(-2.0)) < 0.0
    one = samples(0.0)[0]
    assert np.diff([skewed_t(one + mean) for mean in np.linspace(-6.0, 6.0, 99)]).min() > 0.0


def test_chance_is_three_binomial_deviations() -> None:
    assert [within_chance(count, 200, 0.05) for count in (0, 1, 19, 20)] == [
        False,
        True,
        True,
        False,
    ]
    assert [beyond_chance(count, 200, 0.05) for count in (0, 19, 20)] == [False, False, True]
