"""What the gates know of the desk and the market at one instant. None is unknown, and whatever
needs it fails closed. Money in paise, times in µs UTC, shares in parts per million.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from trading.risk.proposal import FutureEquivalent, Greeks


class InputAge(msgspec.Struct, frozen=True):
    """How old an input is, how old its feed's cadence lets it be, its state (that of
    `trading.market.quality`) and why it is not FRESH. An age of None: never received.
    """

    age_us: int | None
    limit_us: int
    state: str
    reason: str | None = None


class Toxicity(msgspec.Struct, frozen=True):
    """The percentile of VPIN, ppm, and since when it is known."""

    percentile_ppm: int
    age_us: int


class Regime(msgspec.Struct, frozen=True):
    """The label of the regime and for how many bars it has stood."""

    label: str
    dwell_bars: int


class RecentOrder(msgspec.Struct, frozen=True):
    """An order that was let through: its client id and fingerprint, and when."""

    client: str
    fingerprint: str
    at_us: int


class RiskShares(msgspec.Struct, frozen=True):
    """The largest losses of what is held and of what works, paise, by strategy, expiry, strike
    (`NIFTY 2460000`) and underlying, and of what expires today.
    """

    strategies: Mapping[str, int] = {}
    expiries: Mapping[str, int] = {}
    strikes: Mapping[str, int] = {}
    underlyings: Mapping[str, int] = {}
    expiring_paise: int = 0


class RiskSnapshot(msgspec.Struct, frozen=True):
    """All of it. `flags` are the reasons why nothing may be opened at all: the kill switch, a
    strategy that is switched off, breakers. Working orders count as filled in every figure of the
    book.
    """

    now_us: int
    now_ist_seconds: int
    today: str  # ISO date, IST
    flags: tuple[str, ...] | None
    halted: bool | None
    fresh_chains: int | None  # since trading went on; None when nothing has to be waited for
    orders_taken: bool | None  # whether the market takes orders now
    inputs: Mapping[str, InputAge]
    rung: str | None
    recent: tuple[RecentOrder, ...] | None
    vpin: Toxicity | None
    regime: Regime | None
    capital_paise: int | None
    day_profit_paise: int | None
    equity_paise: int | None
    highest_equity_paise: int | None
    shares: RiskShares | None
    greeks: Greeks | None
    future_equivalent: FutureEquivalent | None  # of the order's underlying
    messages_last_second: int | None
    messages_last_minute: int | None
    entries_today: int | None  # of the order's strategy
    working_value_paise: int | None
    halt_reason: str | None = None
