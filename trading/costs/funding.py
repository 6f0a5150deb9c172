"""What blocked margin costs: the money could have earned, or was borrowed."""

from __future__ import annotations

from trading.costs.amounts import E9, PAISE_IN_RUPEE, half_up
from trading.costs.rates import CostError

DEFAULT_RATE_E9 = 70_000_000  # 7% a year, the house's assumption
DAYS_IN_YEAR = 365


def funding_e18(margin_paise: int, days: int, rate_e9: int = DEFAULT_RATE_E9) -> int:
    """The cost of a margin blocked for calendar days at a yearly rate (10^-9), in 10^-18 paise
    rounded half-up. Premium received earns nothing. Raises CostError for a negative figure.
    """
    if min(margin_paise, days, rate_e9) < 0:
        msg = f"funding of {margin_paise} paise for {days} days: a negative figure"
        raise CostError(msg)
    return half_up(margin_paise * rate_e9 * days * E9, DAYS_IN_YEAR)


def funding_points_e18(
    margin_paise: int, days: int, quantity: int, rate_e9: int = DEFAULT_RATE_E9
) -> int:
    """The same in index points a unit of a leg, in 10^-18 of a point. Raises CostError."""
    if quantity <= 0:
        msg = f"funding of {quantity} units, expected more than 0"
        raise CostError(msg)
    return half_up(margin_paise * rate_e9 * days * E9, DAYS_IN_YEAR * PAISE_IN_RUPEE * quantity)
