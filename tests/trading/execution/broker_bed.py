"""A day, orders and frames for brokers to be tried on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tests.market_factory import DAYS, EXPIRY, MINUTE_US, chain_frame
from trading.execution.broker import Moment, TradingDay
from trading.execution.orders import Contract, Order
from trading.execution.paper import PaperBroker
from trading.execution.paper_model import BrokerConfiguration
from trading.market.calendar import session_hours
from trading.risk.limits import desk_limits, limits_from_data

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trading.execution.broker import Broker, Report
    from trading.market.frames import MarketFrame

HOURS = session_hours(DAYS[0])
NOON = HOURS.open_us + 3_600_000_000
STRIKE = 2_530_000
LIMITS = {
    "first_entry_ist_seconds": 33_600,
    "last_entry_ist_seconds": 50_000,
    "chain_age_us": 1,
    "resume_chains": 5,
    "regulatory_net_paise": 1,
    "regulatory_gross_paise": 1,
}


def trading_day(day: int = 0) -> TradingDay:
    figures = msgspec.structs.asdict(desk_limits(DAYS[day]).figures)
    hours = session_hours(DAYS[day])
    return TradingDay(
        date=DAYS[day].isoformat(),
        open_us=hours.open_us,
        close_us=hours.close_us,
        expiring_close_us=hours.close_us,
        lot_sizes={"NIFTY": {EXPIRY["NIFTY"].isoformat(): 65}},
        freeze_quantity={"NIFTY": 1_800},
        strike_step_paise={"NIFTY": 5_000},
        limits=limits_from_data({**figures, **LIMITS}, where="test"),
    )


def contract(strike: int = STRIKE, expiry: str | None = None) -> Contract:
    return Contract("NIFTY", expiry or EXPIRY["NIFTY"].isoformat(), strike, "CE")


def order(name: str = "s.5", side: str = "BUY", quantity: int = 65, **rest: Any) -> Order:
    of = rest.pop("contract", None) or contract()
    expected = rest.pop("expected_paise", 10_000)
    return Order(name, "s.4", of, side, quantity, expected, **rest)  # type: ignore[arg-type]


def frame(minute: int, volatility: float = 0.12, **rest: Any) -> MarketFrame:
    return chain_frame("NIFTY", NOON + minute * MINUTE_US, volatility, **rest)


def quotes(shown: MarketFrame, strike: int = STRIKE) -> tuple[int, int]:
    """Bid and ask of the call."""
    block = shown.chain[0]
    index = block.strike_paise.index(strike)
    bid, ask = block.call_bid_paise[index], block.call_ask_paise[index]
    assert bid is not None
    assert ask is not None
    return bid, ask


async def paper(**model: Any) -> PaperBroker:
    broker = PaperBroker(BrokerConfiguration(**model), gross=True)
    await broker.open_day(trading_day())
    return broker


async def show(broker: Broker, *frames: MarketFrame) -> list[Report]:
    """What a broker says to frames, one instant each."""
    said: list[Report] = []
    for each in frames:
        said += await broker.reports(Moment(each.available_at, [each]))
    return said


def statuses(reports: Sequence[Report]) -> list[str]:
    return [report["status"] for report in reports]
