"""The at-the-money implied volatility of the nearest expiry, and how unusual it is against the
snapshots before it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from journal.events import rounded
from trading.market.quality import Rung
from trading.pricing.black import atm_volatility

if TYPE_CHECKING:
    from trading.features.window import FloatWindow
    from trading.market.frames import ExpiryBlock, MarketFrame


DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class AtmImplied:
    """Rounded as logged: `atm_iv` a fraction a year (365 days), `z_score` in standard deviations;
    None with a reason beside it.
    """

    expiry: str | None
    strike_paise: int | None
    forward_paise: int | None
    atm_iv: float | None
    atm_iv_reason: str | None
    mean: float | None
    deviation: float | None
    observations: int
    z_score: float | None
    z_score_reason: str | None


def atm_implied(
    frame: MarketFrame, window: FloatWindow, *, rung: Rung = Rung.SURFACE
) -> AtmImplied:
    """Return the feature for a frame, against the earlier values in `window` (this one not among
    them). On the last rung of the ladder there is none.
    """
    block = nearest_expiry(frame)
    value, reason, strike = None, "NO_FORWARD", None
    if block is not None and rung is Rung.NONE:
        reason = frame.quality.chain.reason or "TOO_FEW_STRIKES"
    elif block is not None:
        closes = frame.is_end_of_day
        now_us = frame.as_of if closes else frame.available_at
        solved = atm_volatility(block, now_us, closes=closes)
        value, reason, strike = rounded(solved.value), str(solved.status), solved.strike_paise
    mean, deviation, z_score, z_reason = _standardised(value, window)
    return AtmImplied(
        expiry=block.expiry if block else None,
        strike_paise=strike,
        forward_paise=block.forward_paise if block else None,
        atm_iv=value,
        atm_iv_reason=None if value is not None else reason,
        mean=mean,
        deviation=deviation,
        observations=len(window),
        z_score=z_score,
        z_score_reason=z_reason,
    )


def nearest_expiry(frame: MarketFrame) -> ExpiryBlock | None:
    """Return the first expiry that has a forward and has not expired; of an end-of-day record the
    first that lives beyond the day it is decided on, at whose close its orders are filled.
    """
    until = frame.available_at + (DAY_US if frame.is_end_of_day else 0)
    for block in frame.chain:
        if block.forward_paise is not None and block.expires_at_us > until:
            return block
    return None


def _standardised(
    value: float | None, window: FloatWindow
) -> tuple[float | None, float | None, float | None, str | None]:
    """Return (mean, sample standard deviation, z, reason); sums are correctly rounded, so their
    order cannot matter.
    """
    if len(window) < window.capacity:
        return None, None, None, f"WARMING_UP {len(window)} of {window.capacity}"
    count = len(window)
    mean = math.fsum(window) / count
    deviation = math.sqrt(math.fsum((x - mean) ** 2 for x in window) / (count - 1))
    if value is None:
        return rounded(mean), rounded(deviation), None, "NO_ATM_IV"
    if deviation == 0.0:
        return rounded(mean), 0.0, None, "NO_VARIATION"
    return rounded(mean), rounded(deviation), rounded((value - mean) / deviation), None
