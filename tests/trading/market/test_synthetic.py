"""The synthetic market: the same everywhere, honest about itself, rough enough to be useful."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections import Counter
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import trading
from trading.market.calendar import CalendarError, session_hours
from trading.market.feed import frames
from trading.market.importers import ImportRefusedError
from trading.market.services import market_synthesise
from trading.market.store import MarketStore
from trading.market.synthetic.market import GENERATOR_VERSION, MODE
from trading.market.synthetic.streams import normals, uniforms
from trading.pricing.black import atm_volatility

if TYPE_CHECKING:
    from trading.market.frames import MarketFrame

REPOSITORY = Path(trading.__file__).parent.parent
DAY = date(2026, 2, 26)
NEXT = date(2026, 2, 27)
MINUTE = 60_000_000


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("var") / "market"
    market_synthesise(root=root, seed=1, from_date=DAY, to_date=NEXT)
    return root


@pytest.fixture(scope="module")
def day_frames(root: Path) -> list[MarketFrame]:
    return list(frames(MarketStore(root), ("NIFTY", "BANKNIFTY"), DAY, DAY))


def _digests(root: Path) -> list[str]:
    return [entry.accepted.digest for entry in MarketStore(root).catalogue().entries]


def test_two_fresh_processes_make_the_same_bytes(root: Path, tmp_path: Path) -> None:
    script = (
        "import sys; from datetime import date; from pathlib import Path;"
        "from trading.market.services import market_synthesise as make;"
        "day = date(2026, 2, 26);"
        "make(root=Path(sys.argv[1]), seed=1, from_date=day, to_date=day)"
    )
    for number, hash_seed in enumerate(("0", "4711")):
        other = tmp_path / str(number)
        subprocess.run(
            [sys.executable, "-c", script, str(other)],
            check=True,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONHASHSEED": hash_seed},
        )
        assert _digests(other) == _digests(root)[:1]


def test_days_can_be_made_in_any_order(root: Path, tmp_path: Path) -> None:
    for day in (NEXT, DAY):
        market_synthesise(root=tmp_path / "market", seed=1, from_date=day, to_date=day)
    assert _digests(tmp_path / "market") == _digests(root)[::-1]


def test_the_same_call_twice_changes_nothing(root: Path) -> None:
    before = MarketStore(root).catalogue()
    report = market_synthesise(root=root, seed=1, from_date=DAY, to_date=NEXT)
    assert [outcome.status for outcome in report.outcomes] == ["unchanged"] * 2
    assert MarketStore(root).catalogue() == before


def test_another_seed_is_another_market_and_may_not_share_a_day(root: Path, tmp_path: Path) -> None:
    market_synthesise(root=tmp_path / "market", seed=2, from_date=DAY, to_date=DAY)
    assert _digests(tmp_path / "market")[0] not in _digests(root)
    with pytest.raises(ImportRefusedError, match="already holds NIFTY on 2026-02-26 from seed 1"):
        market_synthesise(root=root, seed=2, from_date=DAY, to_date=DAY)


def test_every_frame_says_that_it_is_synthetic(day_frames: list[MarketFrame]) -> None:
    for frame in day_frames:
        source = frame.source
        assert source.synthetic
        assert (source.seed, source.generator_version, source.mode) == (1, GENERATOR_VERSION, MODE)
        assert source.name == "synthetic-market"


def test_one_frame_a_minute_inside_the_session_but_for_one_gap(
    day_frames: list[MarketFrame],
) -> None:
    hours = session_hours(DAY)
    for underlying in ("NIFTY", "BANKNIFTY"):
        times = [frame.as_of for frame in day_frames if frame.underlying == underlying]
        assert (times[0], times[-1]) == (hours.open_us + MINUTE, hours.close_us - MINUTE)
        steps = Counter(after - before for before, after in pairwise(times))
        assert set(steps) == {MINUTE, 5 * MINUTE}
        assert steps[5 * MINUTE] == 1
    assert {frame.available_at - frame.as_of for frame in day_frames} == {2_000_000}
    assert {frame.cadence_us for frame in day_frames} == {MINUTE}


def test_expiries_and_strikes_follow_the_contract_tables(day_frames: list[MarketFrame]) -> None:
    nifty, banknifty = day_frames[:2]
    assert [b.expiry for b in nifty.chain] == [
        "2026-03-02",  # Holi moves it
        "2026-03-10",
        "2026-03-17",
        "2026-03-24",
    ]
    assert [b.expiry for b in banknifty.chain] == ["2026-03-30", "2026-04-28", "2026-05-26"]
    for frame, step in ((nifty, 50_00), (banknifty, 100_00)):
        for block in frame.chain:
            assert not any(strike % step for strike in block.strike_paise)
            assert len(block.strike_paise) > 40


def test_quotes_are_on_the_tick_and_not_crossed(day_frames: list[MarketFrame]) -> None:
    missing = 0
    for frame in day_frames:
        for block in frame.chain:
            for bids, asks in (
                (block.call_bid_paise, block.call_ask_paise),
                (block.put_bid_paise, block.put_ask_paise),
            ):
                missing += bids.count(None)
                for bid, ask in zip(bids, asks, strict=True):
                    assert ask is not None
                    assert ask % 5 == 0
                    assert bid is None or (bid % 5 == 0 and bid < ask)
    assert missing > 1_000


def test_strikes_go_missing_away_from_the_money(day_frames: list[MarketFrame]) -> None:
    counts = Counter(
        len(block.strike_paise)
        for frame in day_frames
        for block in frame.chain
        if frame.underlying == "NIFTY"
    )
    assert max(counts) == 51
    assert len(counts) > 3
    assert all(block.forward_pairs == 5 for frame in day_frames for block in frame.chain)


def test_the_forward_is_near_the_spot_plus_its_carry(day_frames: list[MarketFrame]) -> None:
    for frame in day_frames:
        assert frame.spot_paise is not None
        for block in frame.chain:
            assert block.forward_paise is not None
            assert block.forward_spread_paise is not None
            assert 1.0 < block.forward_paise / frame.spot_paise < 1.02
            assert block.forward_spread_paise < 50


@pytest.mark.parametrize("underlying", ["NIFTY", "BANKNIFTY"])
def test_volatility_strays_from_its_recent_mean_several_times_a_day(
    day_frames: list[MarketFrame], underlying: str
) -> None:
    window: list[float] = []
    excursions, outside = 0, False
    for frame in day_frames:
        if frame.underlying != underlying:
            continue
        value = atm_volatility(frame.chain[0], frame.available_at).value
        assert value is not None
        assert 0.05 < value < 0.30
        if len(window) == 30:
            z = (value - statistics.fmean(window)) / statistics.stdev(window)
            excursions += abs(z) >= 1.5 and not outside
            outside = abs(z) >= 1.5
            window.pop(0)
        window.append(value)
    assert 5 <= excursions <= 60


def test_a_day_with_longer_hours_and_an_expiry_day(tmp_path: Path) -> None:
    root = tmp_path / "market"
    expiry = date(2026, 8, 4)
    market_synthesise(root=root, seed=1, from_date=expiry, to_date=expiry)
    found = list(frames(MarketStore(root), ["NIFTY"], expiry, expiry))
    assert found[-1].as_of == session_hours(expiry).close_us - MINUTE
    # Near the close too few of the expiring strikes have a bid for a forward.
    nearest = [frame.chain[0].expiry for frame in found]
    assert nearest.index("2026-08-11") > 350
    assert set(nearest) == {"2026-08-04", "2026-08-11"}


@pytest.mark.parametrize(
    ("seed", "first", "last", "said"),
    [
        (-1, DAY, DAY, "seed -1 is out of range"),
        (1 << 64, DAY, DAY, "out of range"),
        (1, date(2026, 2, 28), date(2026, 2, 28), "no market day from 2026-02-28"),
        (1, NEXT, DAY, "no market day"),
    ],
)
def test_nonsense_is_refused_and_writes_nothing(
    tmp_path: Path, seed: int, first: date, last: date, said: str
) -> None:
    with pytest.raises(ImportRefusedError, match=said):
        market_synthesise(root=tmp_path / "market", seed=seed, from_date=first, to_date=last)
    assert not (tmp_path / "market").exists()


def test_days_outside_the_calendar_are_refused(tmp_path: Path) -> None:
    day = date(2027, 1, 4)
    with pytest.raises(CalendarError, match="outside the trading calendar"):
        market_synthesise(root=tmp_path / "market", seed=1, from_date=day, to_date=day)


def test_streams_do_not_move_one_another() -> None:
    long, short = uniforms(3, "a", DAY, 100), uniforms(3, "a", DAY, 10)
    assert long[:10] == short
    assert (
        len({tuple(uniforms(s, n, d, 3)) for s in (3, 4) for n in "ab" for d in (DAY, NEXT)}) == 8
    )
    assert all(0 < u < 1 for u in long)


def test_normals_are_normal() -> None:
    values = normals(3, "a", DAY, 20_000)
    assert statistics.fmean(values) == pytest.approx(0, abs=0.03)
    assert statistics.stdev(values) == pytest.approx(1, abs=0.02)


def test_the_stream_of_a_seed_never_changes() -> None:
    # What these give is part of the meaning of a seed: a change needs a new GENERATOR_VERSION.
    assert uniforms(1, "gap", date(2026, 2, 26), 2) == [0.424980957555326, 0.30883635156405514]
