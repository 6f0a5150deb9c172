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


@pytest.mark.parametrize("premium", [0.0, 0.25, 0.3])
def test_a_mispricing_that_comes_and_goes_is_worth_nothing_on_average(premium: float) -> None:
    """Its lognormal of deviation s has the mean exp(s²/2); without it nothing is taken off."""
    planted = mode_of("planted", {"premium": premium, "reversion": 0.4})
    assert planted.premium_breath == 0.4
    mean = (1.0 + planted.premium_mean) * math.exp(0.5 * 0.4**2)
    assert mean == pytest.approx(1.0 + premium, rel=1e-12)
    assert mode_of("planted", {"premium": premium}).premium_mean == premium


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
