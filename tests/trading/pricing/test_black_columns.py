"""Black-76 over arrays against QuantLib, vollib and finite differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
import QuantLib
from hypothesis import given
from hypothesis import strategies as st
from py_lets_be_rational.lets_be_rational import normalised_black_call
from vollib.black import black
from vollib.black.greeks import analytical

from trading.pricing.black import black_price
from trading.pricing.black_columns import Greeks, greeks, normalised_value, time_value, values

RIGHTS = {True: QuantLib.Option.Call, False: QuantLib.Option.Put}
CALL, PUT = np.array([True]), np.array([False])


def _one(x: float) -> np.ndarray:
    return np.array([x])


@given(
    forward=st.floats(1e2, 1e7),
    distance=st.floats(-0.5, 0.5),
    years=st.floats(1e-4, 3.0),
    volatility=st.floats(0.02, 2.0),
    call=st.booleans(),
)
def test_values_agree_with_quantlib_and_the_scalar_function(
    forward: float, distance: float, years: float, volatility: float, *, call: bool
) -> None:
    strike = forward * math.exp(distance)
    ours = values(
        _one(forward), _one(strike), _one(years), _one(volatility), np.array([call])
    ).item()
    theirs = QuantLib.blackFormula(RIGHTS[call], strike, forward, volatility * math.sqrt(years))
    scalar = black_price(forward, strike, years, volatility, "CE" if call else "PE")
    assert ours == pytest.approx(theirs, rel=1e-10, abs=1e-13 * forward)
    assert ours == pytest.approx(scalar, rel=1e-10, abs=1e-13 * forward)


def test_small_values_keep_their_digits_down_to_the_smallest_doubles() -> None:
    random = np.random.default_rng(1)
    distance = 10.0 ** random.uniform(-12, 1, 4000)
    deviation = np.minimum(distance / random.uniform(1e-6, 37.0, 4000), 30.0)
    ours = normalised_value(distance, deviation)
    theirs = np.array(
        [normalised_black_call(-x, s) for x, s in zip(distance, deviation, strict=True)]
    )
    told = theirs > 1e-300
    assert told.sum() > 3900
    assert np.max(np.abs(ours[told] / theirs[told] - 1.0)) < 1e-12


def test_values_agree_with_vollib() -> None:
    for strike in (80.0, 100.0, 125.0):
        for flag in "cp":
            theirs = black(flag, 100.0, strike, 0.5, 0.0, 0.3)
            ours = values(_one(100.0), _one(strike), _one(0.5), _one(0.3), np.array([flag == "c"]))
            assert ours.item() == pytest.approx(theirs, rel=1e-12)


def test_the_pieces_of_the_value_meet_where_they_change() -> None:
    distance = np.full(2001, 0.05)
    deviation = np.linspace(0.0599, 0.0601, 2001)  # the series ends at 0.06
    value = normalised_value(distance, deviation)
    assert np.all(np.diff(value) > 0.0)
    assert np.max(np.abs(np.diff(value, 2))) < 1e-10
    crossing = normalised_value(np.full(2001, 0.5), np.linspace(0.9999, 1.0001, 2001))  # h + t = 0
    assert np.all(np.diff(crossing) > 0.0)


def test_parity_and_bounds_hold_everywhere() -> None:
    strike = np.exp(np.linspace(-3.0, 3.0, 301))
    for volatility in (1e-6, 0.01, 0.3, 5.0, 100.0):
        call = values(_one(1.0), strike, _one(1.0), _one(volatility), CALL)
        put = values(_one(1.0), strike, _one(1.0), _one(volatility), PUT)
        assert np.max(np.abs(call - put - (1.0 - strike))) < 1e-13 * strike.max()
        assert np.all(call >= np.maximum(1.0 - strike, 0.0))
        assert np.all(call <= 1.0 + 1e-15)


def test_no_time_or_no_volatility_leaves_the_intrinsic_value() -> None:
    assert values(_one(120.0), _one(100.0), _one(0.0), _one(0.2), CALL).item() == 20.0
    assert values(_one(120.0), _one(100.0), _one(1.0), _one(0.0), PUT).item() == 0.0
    assert time_value(_one(1.0), _one(1.0), _one(0.0)).item() == 0.0


@pytest.mark.parametrize(
    ("forward", "strike", "years", "volatility"),
    [(0.0, 1.0, 1.0, 0.2), (1.0, -1.0, 1.0, 0.2), (1.0, 1.0, -1.0, 0.2), (1.0, 1.0, 1.0, math.nan)],
)
def test_nonsense_is_refused_with_its_place(
    forward: float, strike: float, years: float, volatility: float
) -> None:
    with pytest.raises(ValueError, match=r"element \(1,\)"):
        values(
            np.array([1.0, forward]),
            np.array([1.0, strike]),
            np.array([1.0, years]),
            np.array([0.2, volatility]),
            CALL,
        )


def test_greeks_need_time_and_volatility() -> None:
    with pytest.raises(ValueError, match="positive time"):
        greeks(_one(1.0), _one(1.0), _one(0.0), _one(0.2), CALL)


@pytest.mark.parametrize("call", [True, False])
def test_first_and_second_derivatives_agree_with_quantlib(*, call: bool) -> None:
    forward, years, volatility = 24_600.0, 0.08, 0.13
    for strike in (22_000.0, 24_600.0, 26_000.0):
        found = greeks(_one(forward), _one(strike), _one(years), _one(volatility), np.array([call]))
        payoff = QuantLib.PlainVanillaPayoff(RIGHTS[call], strike)
        theirs = QuantLib.BlackCalculator(payoff, forward, volatility * math.sqrt(years), 1.0)
        assert found.delta.item() == pytest.approx(theirs.deltaForward(), rel=1e-9, abs=1e-14)
        assert found.gamma.item() == pytest.approx(theirs.gammaForward(), rel=1e-9)
        assert found.vega.item() == pytest.approx(theirs.vega(years), rel=1e-9)
        assert found.dual_delta.item() == pytest.approx(theirs.strikeSensitivity(), rel=1e-9)
        assert found.dual_gamma.item() == pytest.approx(theirs.strikeGamma(), rel=1e-9)


def test_derivatives_agree_with_vollib_in_its_units() -> None:
    for flag, right in (("c", CALL), ("p", PUT)):
        found = greeks(_one(100.0), _one(104.0), _one(0.4), _one(0.25), right)
        arguments = (flag, 100.0, 104.0, 0.4, 0.0, 0.25)
        assert found.delta.item() == pytest.approx(analytical.delta(*arguments), rel=1e-9)
        assert found.gamma.item() == pytest.approx(analytical.gamma(*arguments), rel=1e-9)
        assert found.vega.item() / 100 == pytest.approx(analytical.vega(*arguments), rel=1e-9)
        assert found.theta.item() / 365 == pytest.approx(analytical.theta(*arguments), rel=1e-9)


# Derivative of one greek as a difference of another: (greek, of which, in what, sign).
DIFFERENCES = [
    ("delta", "value", 0, 1.0),
    ("gamma", "delta", 0, 1.0),
    ("speed", "gamma", 0, 1.0),
    ("dual_delta", "value", 1, 1.0),
    ("dual_gamma", "dual_delta", 1, 1.0),
    ("theta", "value", 2, -1.0),
    ("charm", "delta", 2, -1.0),
    ("color", "gamma", 2, -1.0),
    ("veta", "vega", 2, -1.0),
    ("vega", "value", 3, 1.0),
    ("vanna", "delta", 3, 1.0),
    ("volga", "vega", 3, 1.0),
    ("zomma", "gamma", 3, 1.0),
    ("ultima", "volga", 3, 1.0),
]


@pytest.mark.parametrize("call", [True, False])
@pytest.mark.parametrize(("name", "of", "place", "sign"), DIFFERENCES)
def test_every_derivative_is_the_difference_quotient(
    name: str, of: str, place: int, sign: float, *, call: bool
) -> None:
    right = np.array([call])

    def read(arguments: list[float], field: str) -> float:
        columns = [_one(x) for x in arguments]
        if field == "value":
            return float(values(*columns, right).item())
        return float(getattr(greeks(*columns, right), field).item())

    for strike in (90.0, 100.0, 115.0):
        point = [100.0, strike, 0.3, 0.22]
        step = 1e-4 * point[place]
        up, down = list(point), list(point)
        up[place] += step
        down[place] -= step
        quotient = sign * (read(up, of) - read(down, of)) / (2.0 * step)
        assert read(point, name) == pytest.approx(quotient, rel=2e-5, abs=1e-7)


def test_rho_is_what_a_rate_takes_from_a_discounted_value() -> None:
    found = greeks(_one(100.0), _one(95.0), _one(0.5), _one(0.2), CALL)
    value = values(_one(100.0), _one(95.0), _one(0.5), _one(0.2), CALL).item()
    assert found.rho.item() == pytest.approx((math.exp(-0.5e-6) - 1.0) * value / 1e-6, rel=1e-6)


def test_every_greek_has_the_shape_of_its_arguments() -> None:
    found = greeks(_one(1.0), np.linspace(0.8, 1.2, 12).reshape(3, 4), _one(1.0), _one(0.2), CALL)
    assert {getattr(found, name).shape for name in Greeks._fields} == {(3, 4)}
