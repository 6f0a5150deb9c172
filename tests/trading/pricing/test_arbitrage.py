"""A check that finds nothing on a fitted surface must find what is planted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.trading.pricing.chains import ssvi_chain
from trading.pricing.arbitrage import arbitrage_check
from trading.pricing.fitting import fit_surface
from trading.pricing.profiles import FAST

if TYPE_CHECKING:
    from trading.pricing.surface import Surface


@pytest.fixture(scope="module")
def fitted() -> Surface:
    surface = fit_surface(ssvi_chain(), profile=FAST).surface
    assert surface is not None
    return surface


def test_a_fitted_surface_has_none(fitted: Surface) -> None:
    check = arbitrage_check(fitted, strikes=1001, between=3)
    assert (check.violations, check.strikes, check.dates) == (0, 1001, 16)
    assert min(check.butterfly, check.calendar, check.vertical) > -1e-11


def test_expiries_in_the_wrong_order_are_calendar_arbitrage(fitted: Surface) -> None:
    wrong = replace(fitted, masses=fitted.masses[::-1].copy())
    check = arbitrage_check(wrong)
    assert check.calendar < -1e-4
    assert check.violations > 0


def test_a_negative_mass_is_a_butterfly_for_less_than_nothing(fitted: Surface) -> None:
    masses, middle = fitted.masses.copy(), int(np.argmin(np.abs(fitted.nodes - 1.0)))
    masses[0, middle] -= 0.3
    masses[0, middle - 1] += 0.15
    masses[0, middle + 1] += 0.15
    check = arbitrage_check(replace(fitted, masses=masses, eta=0.01), strikes=2001)
    assert check.butterfly < -1e-6
    assert check.violations > 0
