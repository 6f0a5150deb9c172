"""Histories over plain weekdays, of any length, and the arithmetic of stylised facts.

The facts are computed here by their textbook formulae on prices alone; nothing of the generator's
own state is used.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from trading.market.synthetic.process import History, history
from trading.market.synthetic.sessions import TradingDay

if TYPE_CHECKING:
    from trading.market.synthetic.modes import Mode

    Array = np.ndarray[Any, np.dtype[Any]]

MINUTES = 375
MINUTE_US = 60_000_000


def weekdays(count: int) -> list[TradingDay]:
    """Weekdays from 2022-01-03 on, each from 09:15 to 15:30 IST."""
    days: list[TradingDay] = []
    day = date(2022, 1, 3)
    while len(days) < count:
        if day.weekday() < 5:
            opens = int(datetime(day.year, day.month, day.day, 3, 45, tzinfo=UTC).timestamp())
            start = opens * 1_000_000
            days.append(TradingDay(day, ((start, start + MINUTES * MINUTE_US),)))
        day += timedelta(days=1)
    return days


def world(seed: int, mode: Mode, count: int) -> History:
    return history(seed, mode, weekdays(count))


def grid(past: History, name: str) -> Array:
    """Logarithmic prices, a row a day: the open and each minute's end."""
    paths = past.paths[name]
    return np.column_stack([paths.opens, paths.closes[:, :MINUTES]])


def correlation(x: Array, y: Array) -> float:
    x, y = x - x.mean(), y - y.mean()
    return float((x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum()))


def autocorrelation(x: Array, lag: int = 1) -> float:
    return correlation(x[:-lag], x[lag:])


def kurtosis(x: Array) -> float:
    """The fourth standardised moment; 3 for a normal."""
    x = x - x.mean()
    return float((x**4).mean() / (x**2).mean() ** 2)


def skewness(x: Array) -> float:
    x = x - x.mean()
    return float((x**3).mean() / (x**2).mean() ** 1.5)


def hill(x: Array, share: float) -> float:
    """The tail index of |x| by Hill (1975) over its largest share."""
    ordered = np.sort(np.abs(x))[::-1]
    count = int(len(ordered) * share)
    return float(1.0 / np.log(ordered[:count] / ordered[count]).mean())


def stylised_facts(prices: Array) -> dict[str, float]:
    """What is known of returns, from logarithmic prices of days by minutes."""
    minute = np.diff(prices, axis=1)
    five = np.diff(prices[:, ::5], axis=1)
    closes = prices[:, -1]
    daily = np.diff(closes)
    nights = prices[1:, 0] - closes[:-1]
    variance = (minute**2).sum(axis=1)
    log_variance = np.log(variance)
    deviation = np.sqrt((minute**2).mean(axis=0))
    middle = deviation[125:250].mean()
    five_variance = (five**2).sum(axis=1)
    bipower = np.pi / 2 * (np.abs(five[:, 1:]) * np.abs(five[:, :-1])).sum(axis=1) * 75 / 74
    lags = np.arange(1, 11)
    rough = np.log(five_variance)
    moved = [np.abs(rough[lag:] - rough[:-lag]).mean() for lag in lags]
    return {
        "volatility a year": float(daily.std() * np.sqrt(252)),
        "kurtosis, day": kurtosis(daily),
        "kurtosis, 1 minute": kurtosis(minute.ravel()),
        "kurtosis, 20 days": kurtosis(closes[20:] - closes[:-20]),
        "skewness, day": skewness(daily),
        "ACF1 of returns, day": autocorrelation(daily),
        "ACF1 of returns, minute": correlation(minute[:, :-1].ravel(), minute[:, 1:].ravel()),
        "ACF1 of |r|, day": autocorrelation(np.abs(daily)),
        "ACF10 of |r|, day": autocorrelation(np.abs(daily), 10),
        "ACF1 of log RV": autocorrelation(log_variance),
        "ACF20 of log RV": autocorrelation(log_variance, 20),
        "leverage": correlation(daily[:-1], np.diff(log_variance)[1:]),
        "overnight share": float((nights**2).sum() / ((nights**2).sum() + variance[1:].sum())),
        "open over middle": float(deviation[:90].mean() / middle),
        "close over middle": float(deviation[-90:].mean() / middle),
        "Hill, day": hill(daily, 0.05),
        "Hill, 5 minutes": hill(five.ravel(), 0.01),
        "jump share": float(1.0 - bipower.sum() / five_variance.sum()),
        "roughness of log RV": float(np.polyfit(np.log(lags), np.log(moved), 1)[0]),
        "farthest from a close": farthest_from_close(prices),
    }


def farthest_from_close(prices: Array) -> float:
    """The largest move of any day from the close before it, at the open or a minute's end."""
    return float(np.abs(np.expm1(prices[1:] - prices[:-1, -1:])).max())


ACCEPTED = {
    "volatility a year": (0.09, 0.20),
    "kurtosis, day": (5.0, 15.0),
    "kurtosis, 1 minute": (8.0, 60.0),
    "skewness, day": (-1.3, 0.4),
    "ACF1 of returns, day": (-0.2, 0.2),
    "ACF1 of returns, minute": (-0.05, 0.05),
    "ACF1 of |r|, day": (0.12, 0.45),
    "ACF1 of log RV": (0.7, 0.9),
    "leverage": (-1.0, -0.12),
    "overnight share": (0.2, 0.4),
    "open over middle": (1.4, 2.2),
    "close over middle": (1.2, 1.7),
    "Hill, day": (2.2, 4.5),
    "Hill, 5 minutes": (2.2, 4.5),
    "jump share": (0.02, 0.10),
    "roughness of log RV": (0.1, 0.3),
}


def missed(facts: dict[str, float]) -> dict[str, float]:
    """The facts of a history that are not as they should be: outside their range, not nearer the
    normal over 20 days than over one, or not decaying.
    """
    outside = {
        name: facts[name]
        for name, (low, high) in ACCEPTED.items()
        if not low <= facts[name] <= high
    }
    for later, sooner in (
        ("kurtosis, 20 days", "kurtosis, day"),
        ("ACF10 of |r|, day", "ACF1 of |r|, day"),
        ("ACF20 of log RV", "ACF1 of log RV"),
    ):
        if facts[later] >= facts[sooner]:
            outside[later] = facts[later]
    return outside
