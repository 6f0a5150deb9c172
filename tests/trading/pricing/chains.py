"""Chains of quotes around a known truth, for tests: SSVI smiles, Heston, and such."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from trading.pricing.black_columns import values
from trading.pricing.quotes import ExpiryQuotes

if TYPE_CHECKING:
    from trading.pricing.elementary import Array

SPOT, RATE, TICK = 25_000.0, 0.065, 0.05
DAYS = (4, 11, 32, 60)


def ssvi_variance(log_k: Array, theta: float, rho: float = -0.55) -> Array:
    """Total variance of a surface without arbitrage."""
    phi = 1.1 / theta**0.45
    x = phi * log_k
    return theta / 2.0 * (1.0 + rho * x + np.sqrt((x + rho) ** 2 + 1.0 - rho**2))


def at_the_money_variance(days: float) -> float:
    """Total variance at the money: 11.5 % for the shortest, 13.5 % at 60 days."""
    return (0.115 + 0.02 * min(1.0, days / 60.0)) ** 2 * days / 365.0


def true_call(days: float, k: Array) -> Array:
    """Undiscounted calls over the forward."""
    volatility = np.sqrt(ssvi_variance(np.log(k), at_the_money_variance(days)) * 365.0 / days)
    return values(np.ones(1), k, np.array([days / 365.0]), volatility, np.array([True]))


def quoted(
    label: str,
    years: float,
    forward: float,
    strike: Array,
    price: Array,
    random: np.random.Generator,
) -> ExpiryQuotes:
    """Quotes around undiscounted out-of-the-money prices in money, rounded outward to the tick."""
    discount = float(np.exp(-RATE * years))
    value = discount * price
    half = 0.5 * np.maximum(0.10, 0.30 + 0.004 * value)
    mid = value + random.uniform(-0.6, 0.6, value.size) * half
    ticks = np.floor((mid - half) / TICK + 1e-9)
    bid = np.where(ticks >= 1.0, ticks * TICK, np.nan)  # nobody bids nothing
    ask = np.ceil((mid + half) / TICK - 1e-9) * TICK
    return ExpiryQuotes(label, years, forward, discount, TICK, strike, strike >= forward, bid, ask)


def ssvi_chain(
    days: tuple[int, ...] = DAYS, strikes: int = 61, seed: int = 0
) -> list[ExpiryQuotes]:
    """One set of quotes an expiry, out of the money, around the SSVI truth."""
    random = np.random.default_rng(seed)
    chain = []
    for count in days:
        years = count / 365.0
        forward = SPOT * float(np.exp(RATE * years))
        step = 50.0 if count < 60 else 100.0
        strike = SPOT + step * (np.arange(strikes) - strikes // 2)
        call = true_call(count, strike / forward) * forward
        price = np.where(strike >= forward, call, call - forward + strike)
        chain.append(quoted(f"day {count:03}", years, forward, strike, price, random))
    return chain
