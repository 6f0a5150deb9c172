"""S4 earns nothing where there is nothing to earn, and what is planted is found in its earnings.

The trades are those of whole sessions: engine, gates, paper broker, costs. Every seed is fixed;
rates of rejection are held to the binomial spread around what a fair test gives. The suite tries a
few seeds, `make soak` the full number (`BRAHMASTRA_SOAK=1`); docs/synthetic.md has its figures.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest

from journal.log.reader import read_session
from tests.market_factory import Rig
from tests.trading.engine.memory_session import MemorySession
from tests.trading.market.synthetic.rejections import (
    ONE_SIDED,
    beyond_chance,
    skewed_t,
    t_of_mean,
    within_chance,
)
from tests.trading.strategies.earning_trial import (
    Market,
    Outcome,
    earned,
    earnings_of,
    trial_configuration,
)
from trading.features.implied import nearest_expiry
from trading.market.synthetic.modes import mode_of

if TYPE_CHECKING:
    from pathlib import Path

    from trading.market.synthetic.modes import Mode


class Panel(NamedTuple):
    """Seeds from 1 on, and the market days of each."""

    seeds: int
    days: int


SOAK = os.environ.get("BRAHMASTRA_SOAK") == "1"
NULL = Panel(200, 12) if SOAK else Panel(10, 8)
PLANTED = Panel(50, 12) if SOAK else Panel(5, 8)
SIZES = (0.1, 0.2, 0.3, 0.5) if SOAK else (0.2, 0.5)
# What must be found of the largest, in as many days as there are.
NET_POWER = 0.9 if SOAK else 0.5


def outcomes(mode: Mode, panel: Panel, underlying: str = "BANKNIFTY") -> list[Outcome]:
    return [
        earned(seed, mode, days=panel.days, underlying=underlying)
        for seed in range(1, panel.seeds + 1)
    ]


def statistics(found: list[Outcome], field: str) -> np.ndarray:
    return np.array([skewed_t(each.of(field)) for each in found])


def found_by(found: list[Outcome], field: str) -> int:
    """How many seeds a one-sided test at 5 % says a profit of."""
    return int((statistics(found, field) > ONE_SIDED).sum())


def means(found: list[Outcome], field: str) -> np.ndarray:
    return np.array([each.of(field).mean() for each in found])


def told(what: str, found: list[Outcome]) -> None:
    """The figures of docs/synthetic.md, shown by `pytest -s`."""
    trades = np.mean([len(each.earnings) for each in found])
    print(f"\n{what}: {len(found)} seeds, {trades:.1f} trades a seed")  # noqa: T201
    for field in ("at_mid_paise", "gross_paise", "net_paise", "leaked_paise"):
        t = statistics(found, field)
        print(  # noqa: T201
            f"  {field}: mean {means(found, field).mean() / 100:.1f} rupees a trade, mean t "
            f"{t.mean():.2f}, above {(t > ONE_SIDED).sum()}, below {(t < -ONE_SIDED).sum()}"
        )


def is_paid_by_chance_alone(found: list[Outcome]) -> bool:
    """Whether profits at mid prices are called real, either way, as often as a test of the right
    size does, and are nothing on average over the seeds.
    """
    t = statistics(found, "at_mid_paise")
    rejected = [int((t > ONE_SIDED).sum()), int((t < -ONE_SIDED).sum())]
    sized = all(within_chance(count, len(found), 0.05) for count in rejected)
    return sized and abs(t_of_mean(means(found, "at_mid_paise"))) < 3.0


def test_a_session_in_memory_is_that_of_the_runner(tmp_path: Path) -> None:
    """Over an expiry, event by event; and ticks at snapshots alone give the same trades."""
    market = Market(3, mode_of("null"), 4, "NIFTY")
    configuration = trial_configuration("NIFTY")
    rig = Rig(
        var_dir=tmp_path,
        days=market.days,
        configuration=configuration,
        frames_of=market.frames_of,
        settlements_of=market.settlements_of,
    )
    rig.run()
    session = MemorySession(configuration, settlements_of=market.settlements_of)
    session.run(market.days, market.frames_of)
    logged = [
        event
        for event in (line.to_event() for line in read_session(rig.directory))
        if event.seq is not None
    ]
    assert [e.kind for e in session.events] == [e.kind for e in logged]
    assert session.events == logged
    frames = [frame for day in market.days for frame in market.frames_of(day)]
    trades = earnings_of(session.events, frames)
    assert len(trades) > 10
    seldom = earned(3, mode_of("null"), days=4, underlying="NIFTY")
    assert seldom.earnings == trades


def test_nothing_is_earned_in_the_null_market() -> None:
    found = outcomes(mode_of("null"), NULL)
    told("null", found)

    # 1. Every seed trades, both ways, and no trade is left out because it is still open.
    for each in found:
        sides = [earning.side for earning in each.earnings]
        assert len(sides) >= 3 * NULL.days
        assert 0.2 < sides.count("BUY") / len(sides) < 0.8
        assert each.left_open == 0

    # 2. Without spread and costs the test has its size: nothing hides a leak from it.
    assert is_paid_by_chance_alone(found)

    # 3. Spread and charges are paid by every seed; what is left is a loss.
    for each in found:
        assert each.of("net_paise").sum() < each.of("gross_paise").sum()
        assert each.of("gross_paise").sum() < each.of("at_mid_paise").sum()
    for field in ("gross_paise", "net_paise"):
        assert not beyond_chance(found_by(found, field), NULL.seeds, 0.05)
    assert t_of_mean(means(found, "net_paise")) < -3.0

    # 4. The same test notices a leak. Entries at the mid of before what was decided on: S4 sells
    # what has risen, so here it loses; who does the opposite earns by knowing what comes.
    leaked = statistics(found, "leaked_paise")
    assert not is_paid_by_chance_alone([_leaked(each) for each in found])
    assert (leaked < -ONE_SIDED).sum() >= 0.5 * NULL.seeds


def _leaked(outcome: Outcome) -> Outcome:
    earnings = (each._replace(at_mid_paise=each.leaked_paise) for each in outcome.earnings)
    return outcome._replace(earnings=tuple(earnings))


def test_a_planted_reversion_is_found_the_better_the_larger_it_is() -> None:
    planted = [outcomes(mode_of("planted", {"reversion": size}), PLANTED) for size in SIZES]
    for size, found in zip(SIZES, planted, strict=True):
        told(f"reversion {size}", found)
    for field, least in (("at_mid_paise", 0.9), ("net_paise", NET_POWER)):
        shares = [found_by(found, field) / PLANTED.seeds for found in planted]
        assert shares == sorted(shares)
        assert shares[-1] >= least
        earned_of = [float(means(found, field).mean()) for found in planted]
        assert earned_of == sorted(earned_of)


@pytest.mark.skipif(not SOAK, reason="BRAHMASTRA_SOAK is not set")
def test_nothing_is_earned_in_weekly_options_of_the_null_market() -> None:
    """NIFTY: its nearest expiry is a few days away, and is traded on its own day too."""
    found = outcomes(mode_of("null"), NULL, "NIFTY")
    told("null, NIFTY", found)
    assert all(each.left_open == 0 for each in found)
    for field in ("at_mid_paise", "net_paise"):
        assert not beyond_chance(found_by(found, field), NULL.seeds, 0.05)
    # At mid S4 loses a little where it sells, more often than chance calls a loss; a part of that
    # is known (docs/synthetic.md). It has to stay a small part of what the spread takes.
    at_mid, gross = (means(found, field).mean() for field in ("at_mid_paise", "gross_paise"))
    assert abs(at_mid) < 0.1 * abs(gross - at_mid)


@pytest.mark.skipif(not SOAK, reason="BRAHMASTRA_SOAK is not set")
@pytest.mark.xfail(
    strict=True, raises=AssertionError, reason="chains cost what the close is worth, not an average"
)
def test_sellers_of_expiring_straddles_keep_nothing_to_the_settlement() -> None:
    """Sold at the bids of 14:55, held to the average of the last half hour: a gain of a third of
    the price. S4 leaves long before, and gate 2 lets nobody sell then.
    """
    kept = []
    for seed in range(1, 21):
        market = Market(seed, mode_of("null"), 40, "NIFTY")
        for day in market.days:
            block = nearest_expiry(market.frames_of(day)[-7])
            if block is None or block.expiry != day.isoformat() or block.forward_paise is None:
                continue
            strikes = block.strike_paise
            at = min(range(len(strikes)), key=lambda i: abs(strikes[i] - block.forward_paise))
            bids = block.call_bid_paise[at], block.put_bid_paise[at]
            settled = market.settlements_of(day)["NIFTY"].price_paise
            if None not in bids:
                kept.append((sum(bids) - abs(settled - strikes[at])) / sum(bids))
    assert t_of_mean(np.array(kept)) < 3.0
