"""Nothing is earned in a market that holds nothing; what is planted is earned, net of everything.

The suite tries a few seeds; `make soak` the numbers of docs/synthetic.md.
"""

from __future__ import annotations

import os
from datetime import date

import numpy as np
import pytest

from tests.trading.market.synthetic.chance import (
    ONE_SIDED,
    no_more_than_chance,
    skewed_t,
    within_chance,
)
from tests.trading.strategies.earning_trial import Earned, earned, many, rejects
from trading.market.synthetic.modes import mode_of

SHORT = date(2023, 4, 13)  # four days
SEEDS = 200
needs_soak = pytest.mark.skipif(
    "BRAHMASTRA_SOAK" not in os.environ, reason="BRAHMASTRA_SOAK is not set"
)


def together(found: list[Earned]) -> tuple[float, float]:
    """The t of all trades of many seeds, net and at the middle."""
    net = np.concatenate([each.net_paise for each in found])
    middle = np.concatenate([each.middle_paise for each in found])
    return skewed_t(net), skewed_t(middle)


@pytest.mark.slow
def test_s4_earns_nothing_where_there_is_nothing() -> None:
    found = [earned(seed, mode_of("null"), SHORT) for seed in range(1, 7)]
    assert sum(len(each.net_paise) for each in found) >= 90, "it does trade"
    net, middle = together(found)
    assert net < -ONE_SIDED, "spread and charges are lost"
    assert abs(middle) < 3.0, "and nothing else"


@pytest.mark.slow
def test_s4_earns_a_mispricing_that_comes_and_goes() -> None:
    planted = mode_of("planted", {"reversion": 0.6})
    found = [earned(seed, planted, SHORT) for seed in range(1, 5)]
    net, middle = together(found)
    assert middle > net > 3.0


@needs_soak
def test_of_many_seeds_no_more_earn_than_by_chance() -> None:
    found = many(range(1, SEEDS + 1), mode_of("null"))
    assert no_more_than_chance(sum(rejects(each.net_paise) for each in found), SEEDS, 0.05)
    for sign in (1, -1):
        told = sum(rejects(each.middle_paise, sign=sign) for each in found)
        assert within_chance(told, SEEDS, 0.05), sign


@needs_soak
def test_the_larger_the_mispricing_the_more_seeds_earn_it() -> None:
    seeds, shares = range(1, 41), []
    for size in (0.2, 0.4, 0.6):
        found = many(seeds, mode_of("planted", {"reversion": size}))
        shares.append(np.mean([rejects(each.net_paise) for each in found]))
    assert shares == sorted(shares)
    assert shares[-1] >= 0.9
