"""S4's conditions, its guard band, and what it would trade."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.features.implied import AtmImplied
from trading.strategies.base import GUARD_BAND, Evaluation
from trading.strategies.s4_iv_reversion import evaluate

FEATURE = AtmImplied(
    expiry="2026-03-02",
    strike_paise=2_530_000,
    forward_paise=2_532_140,
    atm_iv=0.12,
    atm_iv_reason=None,
    mean=0.11,
    deviation=0.005,
    observations=30,
    z_score=2.0,
    z_score_reason=None,
)


def answer(
    feature: AtmImplied = FEATURE, *, open_trades: int = 0, lot: int | None = 65
) -> Evaluation:
    return evaluate(
        "NIFTY",
        feature,
        entry_z=1.5,
        lookback_snapshots=30,
        open_trades=open_trades,
        lot_size=lot,
    )


def test_rich_volatility_sells_the_straddle_and_cheap_volatility_buys_it() -> None:
    rich, cheap = answer(), answer(replace(FEATURE, z_score=-2.0))
    assert rich.fired
    assert cheap.fired
    assert {leg.side for leg in rich.legs} == {"SELL"}
    assert {leg.side for leg in cheap.legs} == {"BUY"}
    assert [leg.contract.right for leg in rich.legs] == ["CE", "PE"]
    assert {leg.contract.strike_paise for leg in rich.legs} == {2_530_000}


@pytest.mark.parametrize(
    ("feature", "options", "reason"),
    [
        (replace(FEATURE, z_score=1.38), {}, "abs_z_score not met"),
        (
            replace(FEATURE, z_score=None, observations=12, z_score_reason="WARMING_UP 12 of 30"),
            {},
            "WARMING_UP 12 of 30",
        ),
        (FEATURE, {"open_trades": 1}, "a trade is open already"),
        (FEATURE, {"lot": None}, "the contract's lot size is not known"),
    ],
)
def test_what_stops_it_is_named(feature: AtmImplied, options: dict[str, int], reason: str) -> None:
    evaluation = answer(feature, **options)  # type: ignore[arg-type]
    assert not evaluation.fired
    assert evaluation.reason == reason


@given(st.floats(-GUARD_BAND / 2, GUARD_BAND / 2))
def test_inside_the_guard_band_counts_as_not_met(offset: float) -> None:
    assert not answer(replace(FEATURE, z_score=1.5 + offset)).fired


@given(st.floats(-6, 6))
def test_it_fires_exactly_beyond_the_band(z_score: float) -> None:
    evaluation = answer(replace(FEATURE, z_score=z_score))
    assert evaluation.fired == (abs(z_score) - 1.5 >= GUARD_BAND)
    condition = evaluation.conditions[1]
    assert condition.headroom == abs(z_score) - 1.5
