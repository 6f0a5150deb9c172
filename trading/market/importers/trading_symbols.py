"""Contracts by their trading symbols: `BANKNIFTY21SEP35300CE` (monthly), `NIFTY2641324450CE`
(weekly, YY M DD with October to December as O, N, D).
"""

from __future__ import annotations

import re
from datetime import date
from typing import NamedTuple

from trading.market.calendar import CalendarError
from trading.market.contracts import ContractError, expiries

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_LETTERS = {"O": 10, "N": 11, "D": 12}
_OPTION = re.compile(
    r"([A-Z&-]+)([0-9]{2})(?:([A-Z]{3})|([1-9OND])([0-9]{2}))([0-9]+(?:\.[0-9]{1,2})?)([CP]E)"
)
_HUNDREDTHS = 100


class OptionContract(NamedTuple):
    """An option: its strike in paise, its right CE or PE."""

    underlying: str
    expiry: date
    strike_paise: int
    right: str


def option_of(symbol: str) -> OptionContract | None:
    """The option a text begins with the trading symbol of, None where it does not or where the
    calendar has no such expiry.
    """
    match = _OPTION.match(symbol)
    if match is None:
        return None
    underlying, years, month, digit, day, strike, right = match.groups()
    year = 2000 + int(years)
    try:
        if month is None:
            expiry = date(year, _LETTERS.get(digit) or int(digit), int(day))
        else:
            expiry = _monthly(underlying, year, _MONTHS.index(month) + 1)
    except (ValueError, ContractError, CalendarError):
        return None
    rupees, _, rest = strike.partition(".")
    paise = int(rupees) * _HUNDREDTHS + int(rest.ljust(2, "0") if rest else 0)
    return OptionContract(underlying, expiry, paise, right)


def _monthly(underlying: str, year: int, month: int) -> date:
    following = date(year + month // 12, month % 12 + 1, 1)
    last = date.fromordinal(following.toordinal() - 1)
    days = expiries(underlying, date(year, month, 1), last)
    if not days:
        msg = f"no expiry of {underlying} in {year}-{month:02}"
        raise ValueError(msg)
    return days[-1]
