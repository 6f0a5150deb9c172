"""Exact amounts of money as integers, and how they are rounded and written.

An exact amount is an integer number of 10^-18 paise (`_e18`): a rate in 10^-9 of its base, and a
tax in 10^-9 of that, come out whole, so sums are exact in any order.
"""

from __future__ import annotations

from decimal import Decimal

E9 = 10**9
E18 = 10**18
PAISE_IN_RUPEE = 100

_DECIMALS = 20  # of a rupee in 10^-18 paise


def half_up(amount: int, unit: int) -> int:
    """How many whole units a non-negative amount is, a half rounded up."""
    return (2 * amount + unit) // (2 * unit)


def paise_of(amount_e18: int) -> int:
    """An exact amount rounded half-up to the paisa."""
    return half_up(amount_e18, E18)


def to_rupee(paise: int) -> int:
    """Paise rounded half-up to the whole rupee, in paise."""
    return half_up(paise, PAISE_IN_RUPEE) * PAISE_IN_RUPEE


def rupees_of_paise(paise: int) -> str:
    """Paise as rupees with two decimals."""
    return f"{paise // PAISE_IN_RUPEE}.{paise % PAISE_IN_RUPEE:02d}"


def rupees_of_exact(amount_e18: int) -> str:
    """An exact amount as rupees: every decimal it has, and never fewer than two."""
    whole, rest = divmod(amount_e18, 10**_DECIMALS)
    return f"{whole}.{f'{rest:0{_DECIMALS}d}'.rstrip('0'):0<2}"


def percent_of(rate_e9: int) -> str:
    """A rate in 10^-9 as per cent: every decimal it has."""
    return f"{(Decimal(rate_e9) / 10**7).normalize():f}%"
