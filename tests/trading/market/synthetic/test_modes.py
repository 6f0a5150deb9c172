"""What a market can be asked to contain."""

from __future__ import annotations

import math

import pytest

from trading.market.synthetic.modes import ModeError, mode_of


def test_null_contains_nothing() -> None:
    null = mode_of("null")
    assert (null.drift, null.minute_memory, null.impact) == (None, (0.0,) * 4, 0.0)
    assert (null.premium_mean, null.premium_deviation, null.premium_breath) == (0.0, 0.0, 0.0)
    assert not null.flawed


def test_planted_is_null_with_its_effects_and_says_their_size() -> None:
    planted = mode_of("planted", {"premium": 0.3, "momentum": 0.1})
    assert planted.text == "planted momentum=0.1 premium=0.3"
    assert planted.minute_memory == (0.1,) * 4
    assert planted._replace(text="null", minute_memory=(0.0,) * 4, premium_mean=0.0) == mode_of(
        "null"
    )
    assert mode_of("planted").text == "planted premium=0.25"


@pytest.mark.parametrize("name", ["realistic", "null", "planted"])
def test_any_mode_can_be_rough_and_says_so(name: str) -> None:
    smooth, rough = mode_of(name), mode_of(name, rough=True)
    assert rough.text == f"{smooth.text} rough"
    assert rough == smooth._replace(text=rough.text, rough=True)


def test_a_reversion_keeps_the_stated_premium_on_average() -> None:
    """A lognormal price of variance has the stated mean; without a reversion nothing is touched."""
    assert mode_of("planted", {"premium": 0.3}).premium_mean == 0.3
    planted = mode_of("planted", {"premium": 0.3, "reversion": 0.4})
    assert planted.text == "planted premium=0.3 reversion=0.4"
    assert planted.premium_breath == 0.4
    assert (1.0 + planted.premium_mean) * math.exp(0.08) == pytest.approx(1.3)
    nothing = mode_of("planted", {"reversion": 0.0})
    assert nothing._replace(text="null") == mode_of("null")


@pytest.mark.parametrize(
    ("name", "effects", "said"),
    [
        ("wild", None, "'wild' is not a mode, expected one of realistic, null, planted"),
        ("null", {"premium": 0.1}, "mode 'null' takes no effects, expected mode 'planted'"),
        ("planted", {"luck": 1.0}, "'luck' is not an effect"),
        ("planted", {"momentum": 0.9}, "momentum=0.9 is out of range, expected -0.5 to 0.5"),
        ("planted", {"premium": float("nan")}, "out of range"),
        ("planted", {"reversion": -0.1}, "reversion=-0.1 is out of range, expected 0.0 to 1.0"),
    ],
)
def test_nonsense_is_named(name: str, effects: dict[str, float] | None, said: str) -> None:
    with pytest.raises(ModeError, match=said):
        mode_of(name, effects)
