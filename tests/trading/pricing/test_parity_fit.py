"""Forward and discount from puts and calls: exact on clean quotes, unmoved by bad ones."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trading.pricing.parity_fit import Pair, parity_fit


def _pair(strike: float, difference: float, half: float = 0.5, call_mid: float = 500.0) -> Pair:
    put_mid = call_mid - difference
    return Pair(strike, call_mid - half, call_mid + half, put_mid - half, put_mid + half)


def _chain(forward: float, discount: float, strikes: np.ndarray, half: float = 0.5) -> list[Pair]:
    return [_pair(k, discount * (forward - k), half) for k in strikes.tolist()]


def test_clean_pairs_give_forward_and_discount_with_no_spot() -> None:
    pairs = _chain(4475.0, math.exp(-0.02 * 0.5), np.arange(3900.0, 5050.0, 25.0), half=0.05)
    fit = parity_fit(pairs, 0.5)
    assert fit is not None
    assert fit.forward == pytest.approx(4475.0, abs=1e-3)
    assert fit.discount == pytest.approx(math.exp(-0.01), abs=1e-4)
    assert fit.residual < 0.02
    assert (fit.offered, fit.used) == (31, 31)


def test_a_few_strikes_of_a_short_expiry_lean_on_the_usual_rate() -> None:
    years = 4 / 365
    noise = [0.4, -0.6, 0.3, 0.1, -0.2]
    pairs = [
        _pair(k, 24_600.0 - k + e)
        for k, e in zip((24_500, 24_550, 24_600, 24_650, 24_700), noise, strict=True)
    ]
    fit = parity_fit(pairs, years)
    assert fit is not None
    assert fit.discount == pytest.approx(math.exp(-0.05 * years), abs=0.04 * years)
    assert fit.forward == pytest.approx(24_600.0, abs=0.6)


@pytest.mark.parametrize("wrong", [-300.0, 40.0, 5_000.0])
def test_a_bad_pair_does_not_speak(wrong: float) -> None:
    pairs = _chain(24_600.0, 0.999, np.arange(24_000.0, 25_250.0, 50.0))
    pairs[9] = _pair(pairs[9].strike, pairs[9].difference + wrong)
    clean = parity_fit(_chain(24_600.0, 0.999, np.arange(24_000.0, 25_250.0, 50.0)), 0.02)
    fit = parity_fit(pairs, 0.02)
    assert fit is not None
    assert clean is not None
    assert fit.forward == pytest.approx(clean.forward, abs=0.05)
    assert fit.used == fit.offered - 1


def test_a_third_of_bad_pairs_does_not_speak() -> None:
    strikes = np.arange(24_000.0, 25_250.0, 50.0)
    pairs = _chain(24_600.0, 0.999, strikes)
    for place in range(0, 24, 3):
        pairs[place] = _pair(pairs[place].strike, pairs[place].difference + 80.0)
    fit = parity_fit(pairs, 0.02)
    assert fit is not None
    assert fit.forward == pytest.approx(24_600.0, abs=1.0)


def test_wide_pairs_count_for_less() -> None:
    narrow = _chain(100.0, 1.0, np.array([98.0, 100.0, 102.0]), half=0.05)
    wide = [_pair(k, 101.0 - k, half=2.0) for k in (97.0, 99.0, 101.0)]
    fit = parity_fit(narrow + wide, 0.01)
    assert fit is not None
    assert fit.forward == pytest.approx(100.0, abs=0.02)


def test_crossed_synthetic_forwards_are_measured() -> None:
    fit = parity_fit(_chain(24_600.0, 1.0, np.arange(24_400.0, 24_850.0, 50.0)), 0.01)
    assert fit is not None
    assert fit.crossed < 0.0
    pairs = [
        _pair(k, 24_600.0 + 4.0 * (i % 2) - k) for i, k in enumerate(range(24_400, 24_850, 50))
    ]
    crossed = parity_fit(pairs, 0.01)
    assert crossed is not None
    assert crossed.crossed == pytest.approx(2.0, abs=0.3)  # 4 apart, each 1 to either side


def test_fewer_than_two_pairs_say_nothing() -> None:
    assert parity_fit([], 0.1) is None
    assert parity_fit([_pair(100.0, 0.0)], 0.1) is None
    assert parity_fit([_pair(100.0, 0.0), _pair(105.0, -5.0)], 0.1) is not None


def test_the_order_of_pairs_does_not_matter() -> None:
    pairs = _chain(24_600.0, 0.998, np.arange(24_000.0, 25_250.0, 50.0))
    pairs[4] = _pair(pairs[4].strike, pairs[4].difference + 7.0)
    shuffled = [pairs[i] for i in np.random.default_rng(0).permutation(len(pairs))]
    assert parity_fit(pairs, 0.03) == parity_fit(shuffled, 0.03)


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="uncrossed"):
        parity_fit([Pair(100.0, 5.0, 4.0, 1.0, 2.0), _pair(101.0, 0.0)], 0.1)
    with pytest.raises(ValueError, match="positive time"):
        parity_fit([_pair(100.0, 0.0), _pair(101.0, 0.0)], 0.0)
