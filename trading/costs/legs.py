"""Legs as a person writes them: `SELL,NIFTY,2026-04-07,22500,CE,65,120.05`, or with `FUT` for
strike and right. Raises CostError with one line that says what was expected.
"""

from __future__ import annotations

import re
from datetime import date

from trading.costs.india import Contract, Exercise, Fill
from trading.costs.rates import BUY, SELL, CostError, rate_table
from trading.market.contracts import ContractError, freeze_quantity, lot_size, orders_for

_OPTION_FIELDS = 7
_FUTURE_FIELDS = 6
_EXPECTED = (
    "SIDE,UNDERLYING,EXPIRY,STRIKE,CE or PE,QUANTITY,{price} or SIDE,UNDERLYING,EXPIRY,FUT,"
    "QUANTITY,{price}"
)
_RUPEES = re.compile(r"(\d+)(?:\.(\d{1,2})0*)?\Z", re.ASCII)
_PERCENT = re.compile(r"(\d+)(?:\.(\d{1,7})0*)?\Z", re.ASCII)
_WHOLE = re.compile(r"\d+\Z", re.ASCII)


def fill_of(text: str, exchange: str | None = None) -> Fill:
    """The trade a leg says; its exchange is that of the underlying where none is given."""
    contract, side, quantity, price_paise = _parts(text, exchange, "PRICE")
    return Fill(contract, side, quantity, price_paise)


def exercise_of(text: str, day: date, exchange: str | None = None) -> Exercise:
    """The exercise a leg says (BUY: held, SELL: written), its price the settlement value of the
    index; in as many orders as the freeze quantity of the day makes of it, one where there is none.
    """
    contract, side, quantity, settlement_paise = _parts(text, exchange, "SETTLEMENT")
    if day > contract.expiry:
        msg = f"{contract}: it has expired by {day}"
        raise CostError(msg)
    orders = _exercise_orders(contract, quantity, day)
    return Exercise(contract, side, quantity, settlement_paise, orders)


def paise_of_rupees(text: str, what: str) -> int:
    """Rupees with at most two decimals, in paise."""
    match = _RUPEES.match(text)
    if match is None:
        msg = f"{what} {text!r}: expected rupees with at most two decimals"
        raise CostError(msg)
    return int(match[1]) * 100 + int((match[2] or "").ljust(2, "0"))


def rate_e9_of_percent(text: str, what: str) -> int:
    """Per cent with at most seven decimals, as a rate in 10^-9."""
    match = _PERCENT.match(text)
    if match is None:
        msg = f"{what} {text!r}: expected per cent with at most seven decimals"
        raise CostError(msg)
    return int(match[1]) * 10**7 + int((match[2] or "").ljust(7, "0"))


def _parts(text: str, exchange: str | None, price: str) -> tuple[Contract, str, int, int]:
    parts = [part.strip() for part in text.split(",")]
    future = len(parts) == _FUTURE_FIELDS and parts[3].upper() == "FUT"
    if not future and len(parts) != _OPTION_FIELDS:
        msg = f"leg {text!r}: expected {_EXPECTED.format(price=price)}"
        raise CostError(msg)
    side, underlying, right = parts[0].upper(), parts[1].upper(), parts[4].upper()
    if side not in {BUY, SELL}:
        msg = f"leg {text!r}: side {parts[0]!r}, expected BUY or SELL"
        raise CostError(msg)
    if not future and right not in {"CE", "PE"}:
        msg = f"leg {text!r}: right {parts[4]!r}, expected CE or PE"
        raise CostError(msg)
    contract = Contract(
        exchange or rate_table().exchange_of(underlying),
        underlying,
        _expiry(parts[2], text),
        None if future else paise_of_rupees(parts[3], f"leg {text!r}: strike"),
        None if future else right,
    )
    return (
        contract,
        side,
        _quantity(parts[-2], text),
        paise_of_rupees(parts[-1], f"leg {text!r}: price"),
    )


def _expiry(part: str, text: str) -> date:
    try:
        return date.fromisoformat(part)
    except ValueError:
        msg = f"leg {text!r}: expiry {part!r}, expected YYYY-MM-DD"
        raise CostError(msg) from None


def _quantity(part: str, text: str) -> int:
    if _WHOLE.match(part) is None or int(part) == 0:
        msg = f"leg {text!r}: quantity {part!r}, expected whole units above 0"
        raise CostError(msg)
    return int(part)


def _exercise_orders(contract: Contract, quantity: int, day: date) -> int:
    try:
        lot = lot_size(contract.underlying, contract.expiry, day)
        return len(orders_for(quantity, lot, freeze_quantity(contract.underlying, day).value))
    except ContractError:
        return 1  # no lot or freeze quantity on record: the charge of one order
