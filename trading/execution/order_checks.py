"""Why an exchange or a broker does not take an order.

An order it does not take is refused whole, with a code and in words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trading.execution.paper_model import is_drawn
from trading.risk.flow import price_protection_paise

if TYPE_CHECKING:
    from collections.abc import Collection

    from trading.execution.broker import TradingDay
    from trading.execution.orders import Contract, Order
    from trading.execution.paper_model import BrokerConfiguration
    from trading.risk.limits import Limits


class Refusal(NamedTuple):
    """A code for machines, words for people."""

    code: str
    reason: str


def refusal_on_arrival(
    order: Order,
    day: TradingDay,
    model: BrokerConfiguration,
    *,
    arrives_at: int,
    held: Collection[Contract],
) -> Refusal | None:
    """Why an order is refused when it comes (µs UTC), None when it is taken. What is `held` is a
    known contract whatever the day's tables say.
    """
    contract = order.contract
    if arrives_at >= day.close_us:
        return Refusal("MARKET_CLOSED", "the market is closed")
    if arrives_at >= day.last_trade_us(contract.expiry):
        return Refusal("MARKET_CLOSED", f"{contract.label} has stopped trading")
    if contract not in held and not _is_known(contract, day):
        return Refusal("UNKNOWN_CONTRACT", f"{contract.label} is no contract of {day.date}")
    largest = day.freeze_quantity.get(contract.underlying)
    if largest is not None and order.quantity > largest:
        words = f"{order.quantity} units, the largest order is {largest}"
        return Refusal("FREEZE_QUANTITY", words)
    if is_drawn(order.order, model.reject_ppm, model.seed):
        return Refusal("DRAWN", f"one of the {model.reject_ppm} in a million that are refused")
    return None


def refusal_by_band(order: Order, reference_paise: int | None, limits: Limits) -> Refusal | None:
    """Why a limit is refused by the exchange's price band around a reference (paise), None when it
    is inside, or when there is no limit or nothing to hold it against.
    """
    limit = order.limit_paise
    if limit is None or reference_paise is None:
        return None
    allowed = price_protection_paise(reference_paise, limits)
    if abs(limit - reference_paise) <= allowed:
        return None
    words = f"limit {limit} paise is more than {allowed} from {reference_paise}"
    return Refusal("PRICE_BAND", words)


def _is_known(contract: Contract, day: TradingDay) -> bool:
    step = day.strike_step_paise.get(contract.underlying, 1)
    on_its_step = contract.strike_paise % step == 0
    return on_its_step and contract.expiry in day.lot_sizes.get(contract.underlying, {})
