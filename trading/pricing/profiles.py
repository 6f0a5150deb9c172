"""How a surface is fitted: the settings that differ between clean and real quotes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """Settings of a fit; deviations are the total standard deviation at the money of an expiry.

    `eta` is the background's share of the at-the-money variance, halved at most `halvings` times.
    Left and right of the last expiry's deviations named, nodes end; beyond `even_deviations` their
    spacing grows by `growth` a node. A quote further than `quote_deviations` of its own expiry is
    left out. No spread counts for less than `spread_floor_ticks`. After the first of `passes`
    a quote's weight is 1/max(1, 2·error) with its error in spreads. `roughness` weighs how much the
    density changes over a deviation against squared errors: with more of it a wide kernel keeps the
    top of a peaked law from its quotes, with less what lies between few quotes is left to chance.
    """

    name: str
    eta: float
    passes: int
    spread_floor_ticks: float
    left_deviations: float
    right_deviations: float
    even_deviations: float
    growth: float
    quote_deviations: float
    halvings: int
    roughness: float


FAST = Profile(
    name="fast",
    eta=0.25,
    passes=1,
    spread_floor_ticks=1.0,
    left_deviations=7.0,
    right_deviations=5.0,
    even_deviations=7.0,
    growth=1.0,
    quote_deviations=8.0,
    halvings=3,
    roughness=1e-3,
)
MARKET = Profile(
    name="market",
    eta=0.10,
    passes=3,
    spread_floor_ticks=2.0,
    left_deviations=10.0,
    right_deviations=12.0,
    even_deviations=4.0,
    growth=1.2,
    quote_deviations=6.0,
    halvings=2,
    roughness=1e-2,
)
PROFILES = {profile.name: profile for profile in (MARKET, FAST)}
