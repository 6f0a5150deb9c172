"""The SPAN-like margin against the exchange's own arrays: 651 iron condors of 2021 to 2024.

The arrays are taken as they are. What the exchange valued them with is read back from them (the
index level, from the two extreme scenarios) or from its daily files (volatility and scan ranges);
the figures go into docs/margin.md.
"""

from __future__ import annotations

import csv
import gzip
import math
from bisect import bisect_right
from collections import defaultdict
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from trading.pricing.black import black_price
from trading.risk.margin import SCENARIOS, Market, Position, Ranges, ranges_by_rule, risk_array
from trading.risk.margin_rules import margin_rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CONDORS = 651
# The overnight rate, roughly: it followed the central bank's, which the arrays carry within them.
OVERNIGHT = (
    (date(2021, 1, 1), 0.034),
    (date(2022, 1, 15), 0.036),
    (date(2022, 5, 4), 0.042),
    (date(2022, 6, 8), 0.049),
    (date(2022, 8, 5), 0.054),
    (date(2022, 9, 30), 0.059),
    (date(2022, 12, 7), 0.0625),
    (date(2023, 2, 8), 0.066),
)
EXTREME_SHARE = 0.35


class Leg(NamedTuple):
    """A leg in points: its weight in the condor, its price and the exchange's array."""

    strike: float
    right: str
    weight: int
    price: float
    array: tuple[float, ...]


class Condor(NamedTuple):
    """A condor on a day."""

    day: date
    expiry: date
    legs: tuple[Leg, ...]


class Published(NamedTuple):
    """What the exchange's daily files say of NIFTY: fractions."""

    price_scan: float
    volatility: float
    volatility_scan: float


@pytest.fixture(scope="module")
def condors(sample_data: Path) -> list[Condor]:
    path = sample_data / "condor_legs_span" / "legs_2021_2024.csv.gz"
    if not path.is_file():
        pytest.skip(f"no arrays of the exchange: {path} is absent")
    trades: dict[str, list[dict[str, str]]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            trades[row["trade_id"]].append(row)
    return [_condor(rows) for rows in trades.values()]


@pytest.fixture(scope="module")
def published(sample_data: Path) -> Callable[[date], Published]:
    scans = _daily(sample_data / "nse_daily" / "span_psr.csv")
    volatilities = _daily(sample_data / "nse_daily" / "volatility.csv")

    def on(day: date) -> Published:
        scan, volatility = _latest(scans, day), _latest(volatilities, day)
        return Published(
            float(scan["price_scan_pct"]) / 100,
            float(volatility["ann_applicable"]),
            float(scan["vol_scan"]),
        )

    return on


def _condor(rows: list[dict[str, str]]) -> Condor:
    first = rows[0]
    return Condor(
        date.fromisoformat(first["trade_date"]),
        date.fromisoformat(first["actual_expiry_date"]),
        tuple(
            Leg(
                float(row["strike"]),
                "PE" if row["option_type"] == "PUT" else "CE",
                int(row["short_weight"]),
                float(row["span_price"]),
                tuple(float(row[f"span_s{number}"]) for number in range(1, SCENARIOS + 1)),
            )
            for row in rows
        ),
    )


def _daily(path: Path) -> list[tuple[date, dict[str, str]]]:
    if not path.is_file():
        pytest.skip(f"no daily files of the exchange: {path} is absent")
    with path.open(encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["symbol"] == "NIFTY"]
    return sorted(
        ((date.fromisoformat(row["date"]), row) for row in rows), key=lambda each: each[0]
    )


def _latest(rows: list[tuple[date, dict[str, str]]], day: date) -> dict[str, str]:
    return rows[bisect_right(rows, day, key=lambda each: each[0]) - 1][1]


def _overnight(day: date) -> float:
    return [rate for first, rate in OVERNIGHT if first <= day][-1]


def _read_back(condor: Condor, volatility: float, rate: float) -> tuple[float, float]:
    """The index level and scan range (points) that give the gains of the two extreme scenarios:
    an option that deep in the money is worth what exercising pays.
    """
    days = (condor.expiry - condor.day).days
    later = math.exp(-rate * max(days - 1, 0) / 365)
    index = condor.legs[0].strike
    scan = 0.0
    for _ in range(50):
        up, down = [], []
        for leg in condor.legs:
            years = (days + 1) / 365
            growth = math.exp(rate * years)
            today = black_price(index * growth, leg.strike, years, volatility, leg.right) / growth
            if leg.right == "CE":
                up.append(leg.strike * later + today - leg.array[14] / EXTREME_SHARE)
            else:
                down.append(leg.strike * later - today + leg.array[15] / EXTREME_SHARE)
        high, low = sum(up) / len(up), sum(down) / len(down)
        index, scan = (high + low) / 2, (high - low) / 4
    return index, scan


def _market(condor: Condor, index: float, ranges: Ranges, rate: float) -> Market:
    days = (condor.expiry - condor.day).days
    return Market(
        condor.day, {condor.expiry: index * 100 * math.exp(rate * days / 365)}, ranges, rate
    )


def _differences(condor: Condor, market: Market) -> tuple[list[float], float, float]:
    """The differences of the legs' arrays, our scan risk of the condor and the exchange's, all in
    points.
    """
    ours = [
        [
            loss / 100
            for loss in risk_array(
                Position(
                    condor.expiry,
                    leg.weight,
                    round(leg.price * 100),
                    round(leg.strike * 100),
                    leg.right,
                ),
                market,
            )
        ]
        for leg in condor.legs
    ]
    legs = [
        abs(mine - theirs)
        for array, leg in zip(ours, condor.legs, strict=True)
        for mine, theirs in zip(array, leg.array, strict=True)
    ]
    weights = [leg.weight for leg in condor.legs]
    scans = (
        max(
            sum(weight * array[number] for weight, array in zip(weights, arrays, strict=True))
            for number in range(SCENARIOS)
        )
        for arrays in (ours, [leg.array for leg in condor.legs])
    )
    return legs, *scans  # type: ignore[return-value]


def _quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def _markets(condor: Condor, published: Published, rate: float) -> Iterator[tuple[str, Market]]:
    index, scan = _read_back(condor, published.volatility, rate)
    _, volatility, volatility_scan = published
    read = Ranges(scan * 100, scan * 100, volatility, volatility_scan)
    yield "ranges read back from the arrays", _market(condor, index, read, rate)
    daily_scan = published.price_scan * index * 100
    daily = Ranges(daily_scan, daily_scan, volatility, volatility_scan)
    yield "ranges of the exchange's daily files", _market(condor, index, daily, rate)
    by_rule = ranges_by_rule(index * 100, volatility, margin_rules(condor.day))
    yield "ranges by rule", _market(condor, index, by_rule, rate)
    bare, _ = _read_back(condor, volatility, 0.0)
    ruled = ranges_by_rule(bare * 100, volatility, margin_rules(condor.day))
    yield "ranges by rule, no interest", _market(condor, bare, ruled, 0.0)


# The bars of each variant: median and p95 of a leg's scenario in points, and of a condor's scan
# risk in points and as a share of the exchange's.
BARS = {
    "ranges read back from the arrays": ((0.1, 0.8), (0.1, 0.15), (0.005, 0.01)),
    "ranges of the exchange's daily files": ((0.4, 7.0), (0.1, 0.15), (0.005, 0.01)),
    "ranges by rule": ((0.3, 3.0), (0.1, 0.15), (0.005, 0.01)),
    "ranges by rule, no interest": ((1.5, 6.0), (1.0, 1.5), (0.05, 0.08)),
}


def test_condors_are_margined_as_the_exchanges_arrays_margin_them(
    condors: list[Condor], published: Callable[[date], Published], capsys: Any
) -> None:
    assert len(condors) == CONDORS
    found: dict[str, tuple[list[float], list[float], list[float]]] = {
        name: ([], [], []) for name in BARS
    }
    for condor in condors:
        rate = _overnight(condor.day)
        for name, market in _markets(condor, published(condor.day), rate):
            legs, ours, theirs = _differences(condor, market)
            found[name][0].extend(legs)
            found[name][1].append(abs(ours - theirs))
            found[name][2].append(abs(ours - theirs) / theirs)
    with capsys.disabled():
        print("\nSPAN-like against the exchange's arrays, 651 condors: median, p95")  # noqa: T201
        for name, kinds in found.items():
            leg, scan, share = ((_quantile(kind, 0.5), _quantile(kind, 0.95)) for kind in kinds)
            print(  # noqa: T201
                f"  {name}: a leg's scenario {leg[0]:.2f}, {leg[1]:.2f} points; scan risk of a "
                f"condor {scan[0]:.3f}, {scan[1]:.3f} points, {share[0]:.2%}, {share[1]:.2%}"
            )
    for name, kinds in found.items():
        for values, (median, p95) in zip(kinds, BARS[name], strict=True):
            assert _quantile(values, 0.5) <= median, name
            assert _quantile(values, 0.95) <= p95, name
