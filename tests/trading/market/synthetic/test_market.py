"""The rows of synthetic days: free of arbitrage inside the quotes, dirty where the truth says so,
by the dated rules, and halted on the scripted day.
"""

from __future__ import annotations

from collections import Counter
from datetime import date, time
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from trading.market.calendar import instant_us, session_hours
from trading.market.categories import COMMON_COLUMNS, columns_of
from trading.market.contracts import lot_size
from trading.market.synthetic import parameters as p
from trading.market.synthetic.market import (
    MarketPlan,
    chain_snapshots,
    day_tables,
    market_history,
)
from trading.market.synthetic.modes import mode_of

if TYPE_CHECKING:
    from trading.market.synthetic.process import History

ORDINARY, EXPIRY, HALTED = date(2026, 2, 26), date(2025, 11, 11), p.SCRIPTED_HALT_DAY
MINUTE = 60_000_000
Tables = dict[str, dict[str, np.ndarray[Any, Any]]]


def plan(mode: str) -> MarketPlan:
    name, _, rough = mode.partition(" ")
    return MarketPlan(1, mode_of(name, rough=bool(rough)), 5, 3)


@cache
def past(mode: str) -> History:
    return market_history(plan(mode), ORDINARY)


@cache
def made(mode: str, day: date) -> Tables:
    return day_tables(plan(mode), past(mode), day)


@cache
def clean_chains(mode: str, day: date) -> dict[tuple[str, int], dict[Any, list[tuple[int, ...]]]]:
    """By underlying and instant, by expiry: strike, call bid and ask, put bid and ask (-1 missing),
    the rows left out whose quotes the truth says are stale or crossed.
    """
    tables = made(mode, day)
    truth, rows = tables["synthetic_truth"], tables["chain_snapshots"]
    dirty = {
        (name, at, expiry, strike)
        for kind, name, at, expiry, strike in zip(
            truth["kind"],
            truth["underlying"],
            truth["from_us"].tolist(),
            truth["expiry"].tolist(),
            truth["strike_paise"].tolist(),
            strict=True,
        )
        if kind in {"STALE_QUOTE", "CROSSED_QUOTE"}
    }
    quotes = [
        np.ma.filled(rows[name], -1).tolist()
        for name in ("call_bid_paise", "call_ask_paise", "put_bid_paise", "put_ask_paise")
    ]
    found: dict[tuple[str, int], dict[Any, list[tuple[int, ...]]]] = {}
    for name, at, expiry, strike, *quoted in zip(
        rows["underlying"],
        rows["as_of"].tolist(),
        rows["expiry"].tolist(),
        rows["strike_paise"].tolist(),
        *quotes,
        strict=True,
    ):
        if (name, at, expiry, strike) not in dirty:
            found.setdefault((name, at), {}).setdefault(expiry, []).append((strike, *quoted))
    return found


CASES = [("realistic", ORDINARY), ("realistic", EXPIRY), ("realistic", HALTED), ("null", EXPIRY)]
CASES.append(("null rough", EXPIRY))


@pytest.mark.parametrize(("mode", "day"), CASES)
def test_no_spread_and_no_butterfly_pays_at_quotes(mode: str, day: date) -> None:
    checked = 0
    for by_expiry in clean_chains(mode, day).values():
        for rows in by_expiry.values():
            rows.sort()
            for low, middle, high in zip(rows, rows[1:], rows[2:], strict=False):
                width = high[0] - low[0]
                for bid, ask, down, up in ((1, 2, low, high), (3, 4, high, low)):
                    # A dearer option sold for more than the cheaper costs and the width it can owe.
                    if up[bid] > 0:
                        assert up[bid] <= down[ask]
                    if down[bid] > 0:
                        assert down[bid] - up[ask] <= width
                    if middle[bid] > 0:
                        left, right = high[0] - middle[0], middle[0] - low[0]
                        wings = left * low[ask] + right * high[ask]
                        assert middle[bid] * width <= wings
                        checked += 1
    assert checked > 10_000


@pytest.mark.parametrize(("mode", "day"), CASES)
def test_no_calendar_pays_at_quotes(mode: str, day: date) -> None:
    """Undiscounted calls of a later expiry at the strike of the same moneyness cost no less; at one
    strike the later forward is higher, so the later call is dearer all the more.
    """
    checked = 0
    for by_expiry in clean_chains(mode, day).values():
        near, far = ({row[0]: row for row in by_expiry[key]} for key in sorted(by_expiry)[:2])
        for strike in near.keys() & far.keys():
            if near[strike][1] > 0:
                assert near[strike][1] <= far[strike][2]
                checked += 1
    assert checked > 1_000


@pytest.mark.parametrize(("mode", "day"), CASES)
def test_parity_brackets_the_true_forward_at_every_strike(mode: str, day: date) -> None:
    rows = made(mode, day)["chain_snapshots"]
    spot = dict(
        zip(
            zip(rows["underlying"], rows["as_of"].tolist(), strict=True),
            rows["spot_paise"].tolist(),
            strict=True,
        )
    )
    for (name, at), by_expiry in clean_chains(mode, day).items():
        for expiry, quotes in by_expiry.items():
            years = (session_hours(expiry.date()).close_us - at) / (365 * 86_400 * 1_000_000)
            forward = spot[name, at] * np.exp(p.CARRY * years)
            for strike, call_bid, call_ask, put_bid, put_ask in quotes:
                # The index is published on its tick of five paise.
                if call_bid > 0:
                    assert strike + call_bid - put_ask <= forward + 3
                if put_bid > 0:
                    assert strike + call_ask - put_bid >= forward - 3


def test_every_category_has_its_columns_and_one_length() -> None:
    for category, rows in made("realistic", HALTED).items():
        assert set(rows) <= set(columns_of(category))
        assert {"as_of", "available_at"} <= set(rows)
        assert not set(rows) & (set(COMMON_COLUMNS) - {"as_of", "available_at"})
        assert len({len(column) for column in rows.values()}) == 1


def test_the_truth_tells_each_kind_of_dirt_and_the_state() -> None:
    kinds = Counter(made("realistic", ORDINARY)["synthetic_truth"]["kind"].tolist())
    assert kinds["STATE"] == kinds["FEED_GAP"] == 1
    for kind in ("STALE_QUOTE", "ONE_SIDED_QUOTE", "MISSING_STRIKE", "LATE_PRINT"):
        assert kinds[kind] > 3, kind
    # What could be traded against is not in the null market.
    null = Counter(made("null", EXPIRY)["synthetic_truth"]["kind"].tolist())
    assert not {"STALE_QUOTE", "CROSSED_QUOTE", "WRONG_PRINT", "PIN", "HALT"} & set(null)
    assert null["MISSING_STRIKE"] > 3


def test_strikes_the_truth_calls_missing_are_missing() -> None:
    tables = made("realistic", ORDINARY)
    rows, truth = tables["chain_snapshots"], tables["synthetic_truth"]
    present = set(
        zip(
            rows["underlying"],
            rows["expiry"].tolist(),
            rows["strike_paise"].tolist(),
            rows["as_of"].tolist(),
            strict=True,
        )
    )
    missing = truth["kind"] == "MISSING_STRIKE"
    for name, expiry, strike, at in zip(
        truth["underlying"][missing],
        truth["expiry"][missing].tolist(),
        truth["strike_paise"][missing].tolist(),
        truth["from_us"][missing].tolist(),
        strict=True,
    ):
        assert (name, expiry, strike, at) not in present


def test_the_scripted_day_falls_to_the_limit_halts_and_goes_on() -> None:
    tables = made("realistic", HALTED)
    status = tables["market_status"]
    assert Counter(status["status"].tolist()) == {"HALT": 2, "RESUME": 2}
    halt, resume = (
        int(status["as_of"][status["status"] == said][0]) for said in ("HALT", "RESUME")
    )
    assert resume - halt == 60 * MINUTE  # 45 minutes and the auction
    assert halt < instant_us(HALTED, time(13))
    for category in ("chain_snapshots", "spot_bars", "future_bars", "prints", "vix"):
        as_of = tables[category]["as_of"]
        assert not ((as_of > halt) & (as_of < resume)).any(), category
        assert ((as_of >= resume) & (as_of < session_hours(HALTED).close_us)).any(), category
    bars = tables["spot_bars"]
    nifty = (bars["underlying"] == "NIFTY") & (bars["interval"] == "1m")
    row = [day.date for day in past("realistic").days].index(HALTED)
    before = 100 * np.exp(past("realistic").paths["NIFTY"].closes[row - 1, -1])
    at_halt = bars["close_paise"][nifty & (bars["as_of"] == halt)][0]
    # The impact of the day's order flow is what it may differ by.
    assert at_halt / before == pytest.approx(0.90, abs=0.004)


def test_bars_hold_their_prices_and_the_day_holds_its_bars() -> None:
    for category in ("spot_bars", "future_bars"):
        bars = made("realistic", ORDINARY)[category]
        opens, high, low, close = (bars[f"{w}_paise"] for w in ("open", "high", "low", "close"))
        assert (low <= np.minimum(opens, close)).all()
        assert (high >= np.maximum(opens, close)).all()
        assert not (close % 5).any()
        daily = bars["interval"] == "1d"
        assert high[daily].max() == high.max()
        assert low[daily].min() == low.min()


def test_lots_and_expiries_are_the_dated_ones() -> None:
    rows = made("realistic", EXPIRY)["bhavcopy_options"]
    for name, expiry, lot in zip(
        rows["underlying"], rows["expiry"].tolist(), rows["lot_size"].tolist(), strict=True
    ):
        assert lot == lot_size(name, expiry.date(), EXPIRY)
    nifty = rows["underlying"] == "NIFTY"
    expiring = rows["settles_index"]
    assert {d.date() for d in rows["expiry"][nifty].tolist()} == {
        EXPIRY,
        date(2025, 11, 18),
        date(2025, 11, 25),
    }
    assert {d.date() for d in rows["expiry"][expiring].tolist()} == {EXPIRY}
    assert (rows["settlement_paise"][expiring] == rows["underlying_paise"][expiring]).all()
    # Known the next morning, and no sooner.
    assert set(rows["available_at"].tolist()) == {instant_us(date(2025, 11, 12), time(9))}


def test_open_interest_has_humps_and_volume_only_grows() -> None:
    tables = made("realistic", ORDINARY)
    rows = tables["bhavcopy_options"]
    round_strike = rows["strike_paise"] % 50_000 == 0
    nifty = rows["underlying"] == "NIFTY"
    ratio = (
        rows["open_interest"][nifty & round_strike].mean()
        / rows["open_interest"][nifty & ~round_strike].mean()
    )
    assert ratio > 1.3
    chain = tables["chain_snapshots"]
    order = np.lexsort(
        (chain["as_of"], chain["strike_paise"], chain["expiry"], chain["underlying"])
    )
    volume = np.ma.filled(chain["call_volume_contracts"], 0)[order]
    same = np.diff(chain["strike_paise"][order]) == 0
    same &= np.diff(chain["as_of"][order]) > 0
    assert (np.diff(volume)[same] >= 0).all()


@pytest.mark.parametrize("mode", ["realistic", "null rough"])
def test_a_day_alone_is_the_day_of_a_longer_history(mode: str) -> None:
    alone = day_tables(plan(mode), market_history(plan(mode), EXPIRY), EXPIRY)
    for category, rows in made(mode, EXPIRY).items():
        for name, column in rows.items():
            assert column.tolist() == alone[category][name].tolist(), name


@pytest.mark.parametrize("mode", ["null", "realistic"])
@pytest.mark.parametrize("underlying", p.UNDERLYINGS)
def test_one_underlyings_chains_alone_are_the_days(mode: str, underlying: str) -> None:
    plan = MarketPlan(1, mode_of(mode), 5, 3)
    alone = chain_snapshots(plan, past(mode), ORDINARY, underlying)
    whole = made(mode, ORDINARY)["chain_snapshots"]
    own = whole["underlying"] == underlying
    assert list(alone) == list(whole)
    for name, column in whole.items():
        assert np.ma.asarray(column)[own].tolist() == np.ma.asarray(alone[name]).tolist()
