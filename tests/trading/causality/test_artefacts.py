"""Fitted models and when they may be used."""

from __future__ import annotations

import numpy as np

from trading.causality.artefacts import Artefact, changed, parameters_digest, too_early


def _fit(name: str, data: int, fitted: int, used: int, alpha: float = 0.5) -> Artefact:
    digest = parameters_digest({"alpha": alpha, "weights": np.array([1.0, 2.0])})
    return Artefact(name, data, fitted, used, digest)


def test_a_model_is_fitted_after_its_data_and_used_after_its_fit() -> None:
    good = _fit("hawkes", 10, 20, 20)
    bad = [_fit("peeks", 30, 20, 40), _fit("used too soon", 10, 20, 15)]
    assert too_early([good, *bad]) == tuple(bad)


def test_parameters_are_compared_to_the_bit() -> None:
    before = [_fit("hawkes", 10, 20, 20), _fit("surface", 10, 20, 20)]
    after = [_fit("hawkes", 10, 20, 20), _fit("surface", 10, 20, 20, alpha=np.nextafter(0.5, 1))]
    assert changed(before, before) == ()
    assert changed(before, after) == (("surface", 10),)
    assert changed(before, before[:1]) == (("surface", 10),)
