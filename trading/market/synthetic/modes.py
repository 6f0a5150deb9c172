"""The modes of the synthetic market: what there is to find in it.

`null` holds nothing: prices are martingales at the carry of their futures, options cost the
expected variance, returns and order flow predict nothing, and no quote is stale or crossed.
`planted` is the null market with effects of stated size. `realistic` has the effects of the
literature.
"""

from __future__ import annotations

import math
from typing import NamedTuple

NULL = "null"
PLANTED = "planted"
REALISTIC = "realistic"
NAMES = (REALISTIC, NULL, PLANTED)

EFFECTS = {
    "premium": "options cost the expected variance times one plus this",
    "momentum": "autocorrelation of minute returns at one minute",
    "impact": "minute return of a one-sided minute of order flow, in minute deviations",
    "reversion": "deviation of the logarithm of what variance costs around what it is expected to "
    "be, reverting within the day (half-life 15 minutes)",
}
_LIMITS = {
    "premium": (-0.8, 4.0),
    "momentum": (-0.5, 0.5),
    "impact": (-2.0, 2.0),
    "reversion": (0.0, 1.0),
}
_DEFAULT_EFFECT = {"premium": 0.25}


class ModeError(ValueError):
    """A mode or an effect that does not exist; the text names it and what was expected."""


class Mode(NamedTuple):
    """What a market contains.

    `text` is what rows and events carry. Regimes are in the order of parameters.REGIMES: `drift` is
    the logarithmic drift a day, None for the martingale; `minute_memory` the autocorrelation of
    minute returns. The premium is a fraction of variance: its mean, the deviation of its daily
    AR(1), what STRESS takes away, and how far it strays from that within minutes. `impact` as in
    EFFECTS. `smile` is the width of the smile (eta of the surface). `flawed`: quotes are also stale
    or crossed, prints wrong, expiries pinned, and trading halts. `rough`: volatility is rough.
    """

    text: str
    drift: tuple[float, ...] | None
    minute_memory: tuple[float, ...]
    premium_mean: float
    premium_deviation: float
    premium_in_stress: float
    premium_breath: float
    impact: float
    smile: float
    flawed: bool
    rough: bool = False


_NULL = Mode(
    text=NULL,
    drift=None,
    minute_memory=(0.0,) * 4,
    premium_mean=0.0,
    premium_deviation=0.0,
    premium_in_stress=0.0,
    premium_breath=0.0,
    impact=0.0,
    smile=1.8,
    flawed=False,
)
_REALISTIC = Mode(
    text=REALISTIC,
    drift=(4e-4, 8e-4, 1e-4, -1e-3),
    minute_memory=(0.0, 0.08, -0.065, 0.03),
    premium_mean=0.10,
    premium_deviation=0.12,
    premium_in_stress=0.25,
    premium_breath=0.06,
    impact=0.5,
    smile=1.7,
    flawed=True,
)


def mode_of(name: str, effects: dict[str, float] | None = None, *, rough: bool = False) -> Mode:
    """The mode of a name; `effects` (of EFFECTS) only with `planted`, a premium of 0.25 by default.
    With `rough` its volatility is a rough process, and its text says so.

    Raises ModeError.
    """
    mode = _smooth(name, effects)
    return mode._replace(text=f"{mode.text} rough", rough=True) if rough else mode


def _smooth(name: str, effects: dict[str, float] | None) -> Mode:
    if name != PLANTED:
        if effects:
            msg = f"mode {name!r} takes no effects, expected mode {PLANTED!r}"
            raise ModeError(msg)
        if name == NULL:
            return _NULL
        if name == REALISTIC:
            return _REALISTIC
        msg = f"{name!r} is not a mode, expected one of {', '.join(NAMES)}"
        raise ModeError(msg)
    planted = dict(sorted((effects or _DEFAULT_EFFECT).items()))
    for effect, size in planted.items():
        _check_effect(effect, size)
    reversion = planted.get("reversion", 0.0)
    told = " ".join(f"{effect}={size!r}" for effect, size in planted.items())
    return _NULL._replace(
        text=f"{PLANTED} {told}",
        premium_mean=_mean_premium(planted.get("premium", 0.0), reversion),
        minute_memory=(planted.get("momentum", 0.0),) * 4,
        premium_breath=reversion,
        impact=planted.get("impact", 0.0),
    )


def _mean_premium(premium: float, reversion: float) -> float:
    """The premium around which a lognormal price of variance costs the stated premium on average.

    Without a reversion it is the stated one to the last bit.
    """
    return premium if not reversion else (1.0 + premium) * math.exp(-0.5 * reversion**2) - 1.0


def _check_effect(effect: str, size: float) -> None:
    if effect not in EFFECTS:
        msg = f"{effect!r} is not an effect, expected one of {', '.join(EFFECTS)}"
        raise ModeError(msg)
    low, high = _LIMITS[effect]
    if not (math.isfinite(size) and low <= size <= high):
        msg = f"effect {effect}={size} is out of range, expected {low} to {high}"
        raise ModeError(msg)
