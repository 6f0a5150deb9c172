"""The synthetic market in the store: the same everywhere, honest about itself, usable."""

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
from trading.market.categories import BY_NAME
from trading.market.feed import frames
from trading.market.importers import ImportRefusedError
from trading.market.store import MarketStore, connect
from trading.market.synthetic.modes import mode_of
from trading.market.synthetic.parameters import FIRST_DAY, GENERATOR_VERSION
from trading.market.synthetic.services import market_synthesise
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


def _of_day(root: Path, day: date) -> list[str]:
    return [
        entry.accepted.digest
        for entry in MarketStore(root).catalogue().entries
        if entry.source.file.endswith(day.isoformat())
    ]


def test_two_fresh_processes_make_the_same_bytes(root: Path, tmp_path: Path) -> None:
    script = (
        "import sys; from datetime import date; from pathlib import Path;"
        "from trading.market.synthetic.services import market_synthesise as make;"
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
        assert _digests(other) == _of_day(root, DAY)


def test_days_can_be_made_in_any_order(root: Path, tmp_path: Path) -> None:
    for day in (NEXT, DAY):
        market_synthesise(root=tmp_path / "market", seed=1, from_date=day, to_date=day)
    for day in (NEXT, DAY):
        assert _of_day(tmp_path / "market", day) == _of_day(root, day)


def test_two_processes_make_the_bytes_of_one(tmp_path: Path) -> None:
    first, last = date(2025, 4, 3), date(2025, 4, 15)  # the scripted halt is among them
    for processes in (1, 2):
        market_synthesise(
            root=tmp_path / str(processes),
            seed=1,
            from_date=first,
            to_date=last,
            cadence_minutes=15,
            processes=processes,
        )
    assert _digests(tmp_path / "1") == _digests(tmp_path / "2")
    assert len(_digests(tmp_path / "1")) > 7 * 9


def test_the_same_call_twice_changes_nothing(root: Path) -> None:
    before = MarketStore(root).catalogue()
    report = market_synthesise(root=root, seed=1, from_date=DAY, to_date=NEXT)
    assert [outcome.status for outcome in report.outcomes] == ["unchanged"] * 2
    assert MarketStore(root).catalogue() == before


def test_another_seed_is_another_market_and_may_not_share_a_day(root: Path, tmp_path: Path) -> None:
    market_synthesise(root=tmp_path / "market", seed=2, from_date=DAY, to_date=DAY)
    assert not set(_digests(tmp_path / "market")) & set(_digests(root))
    with pytest.raises(ImportRefusedError, match="already holds NIFTY on 2026-02-26 from seed 1"):
        market_synthesise(root=root, seed=2, from_date=DAY, to_date=DAY)


@pytest.mark.parametrize("other", [{"cadence_minutes": 5}, {"expiries": 2}])
def test_a_day_is_not_made_twice_in_two_ways(root: Path, other: dict[str, int]) -> None:
    with pytest.raises(ImportRefusedError, match="made with another cadence or number of expiries"):
        market_synthesise(root=root, seed=1, from_date=DAY, to_date=DAY, **other)
    with pytest.raises(ImportRefusedError, match="already holds NIFTY on 2026-02-26"):
        market_synthesise(root=root, seed=1, from_date=DAY, to_date=DAY, mode=mode_of("null"))
    rough = mode_of("realistic", rough=True)
    with pytest.raises(ImportRefusedError, match="already holds NIFTY on 2026-02-26"):
        market_synthesise(root=root, seed=1, from_date=DAY, to_date=DAY, mode=rough)


def test_a_rough_market_says_so_in_every_file(tmp_path: Path) -> None:
    rough = mode_of("realistic", rough=True)
    market_synthesise(
        root=tmp_path,
        seed=1,
        from_date=DAY,
        to_date=DAY,
        mode=rough,
        cadence_minutes=60,
        expiries=1,
    )
    sources = [entry.source for entry in MarketStore(tmp_path).catalogue().entries]
    assert {source.mode for source in sources} == {"realistic rough"}


def test_every_frame_says_that_it_is_synthetic(day_frames: list[MarketFrame]) -> None:
    for frame in day_frames:
        source = frame.source
        assert source.synthetic
        assert (source.seed, source.generator_version) == (1, GENERATOR_VERSION)
        assert source.mode == "realistic"
        assert source.name == "synthetic-market"


def test_every_row_of_every_category_says_that_it_is_synthetic(root: Path) -> None:
    store = MarketStore(root)
    found = set()
    with connect() as connection:
        for entry in store.catalogue().entries:
            found.add(entry.category)
            told = connection.execute(
                "SELECT DISTINCT synthetic, generator, seed, mode, source_digest "
                "FROM read_parquet($path)",
                {"path": str(store.path_of(entry.accepted))},
            ).fetchall()
            name = f"synthetic-market {GENERATOR_VERSION}"
            assert told == [(True, name, 1, "realistic", entry.source.digest)]
    assert found == {
        "bhavcopy_futures",
        "bhavcopy_options",
        "chain_snapshots",
        "future_bars",
        "index_closes",
        "prints",
        "spot_bars",
        "synthetic_truth",
        "vix",
    }


def test_no_key_of_a_category_has_two_meanings(root: Path) -> None:
    store = MarketStore(root)
    with connect() as connection:
        for entry in store.catalogue().entries:
            key = ", ".join(f'"{name}"' for name in BY_NAME[entry.category].key)
            rows, keys = connection.execute(
                f"SELECT count(*), count(DISTINCT ({key}, available_at)) "  # noqa: S608
                "FROM read_parquet($path)",
                {"path": str(store.path_of(entry.accepted))},
            ).fetchall()[0]
            assert rows == keys > 0, entry.category


def test_one_frame_a_minute_and_a_chain_in_each_but_for_one_gap(
    root: Path, day_frames: list[MarketFrame]
) -> None:
    hours = session_hours(DAY)
    for underlying in ("NIFTY", "BANKNIFTY"):
        times = [frame.as_of for frame in day_frames if frame.underlying == underlying]
        assert times == list(range(hours.open_us + MINUTE, hours.close_us + 1, MINUTE))
    assert {frame.available_at - frame.as_of for frame in day_frames} == {2_000_000}
    with connect() as connection:
        snapshots = connection.execute(
            "SELECT DISTINCT as_of FROM read_parquet($path) ORDER BY as_of",
            {"path": str(_file(root, "chain_snapshots"))},
        ).fetchall()
        told = connection.execute(
            "SELECT from_us, until_us FROM read_parquet($path) WHERE kind = 'FEED_GAP'",
            {"path": str(_file(root, "synthetic_truth"))},
        ).fetchall()
    steps = {before: after - before for (before,), (after,) in pairwise(snapshots)}
    assert sorted(Counter(steps.values()).items()) == [(MINUTE, 368), (5 * MINUTE, 1)]
    (before,) = [at for at, step in steps.items() if step > MINUTE]
    assert told == [(before + MINUTE, before + 4 * MINUTE)]


def _file(root: Path, category: str) -> Path:
    store = MarketStore(root)
    return next(
        store.path_of(entry.accepted)
        for entry in store.catalogue().entries
        if entry.category == category
    )


def test_expiries_and_strikes_follow_the_contract_tables(day_frames: list[MarketFrame]) -> None:
    nifty, banknifty = day_frames[:2]
    assert [b.expiry for b in nifty.chain] == [
        "2026-03-02",  # Holi moves it
        "2026-03-10",
        "2026-03-30",
    ]
    assert [b.expiry for b in banknifty.chain] == ["2026-03-30", "2026-04-28", "2026-05-26"]
    for frame, step in ((nifty, 50_00), (banknifty, 100_00)):
        for block in frame.chain:
            assert not any(strike % step for strike in block.strike_paise)
            assert len(block.strike_paise) > 40


def test_quotes_are_on_the_tick_and_hardly_ever_crossed(day_frames: list[MarketFrame]) -> None:
    missing = crossed = total = 0
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
                    assert bid is None or bid % 5 == 0
                    crossed += bid is not None and bid > ask
                    total += 1
    assert missing > 1_000
    assert 0 < crossed < 1e-4 * total


def test_strikes_go_missing_away_from_the_money(day_frames: list[MarketFrame]) -> None:
    counts = Counter(
        len(block.strike_paise)
        for frame in day_frames
        for block in frame.chain
        if frame.underlying == "NIFTY"
    )
    assert 55 <= max(counts) <= 61
    assert len(counts) > 3
    assert all(block.forward_pairs == 5 for frame in day_frames for block in frame.chain)


def test_the_forward_is_near_the_spot_plus_its_carry(day_frames: list[MarketFrame]) -> None:
    spreads = []
    for frame in day_frames:
        assert frame.spot_paise is not None
        for block in frame.chain:
            assert block.forward_paise is not None
            assert block.forward_spread_paise is not None
            assert 1.0 < block.forward_paise / frame.spot_paise < 1.02
            spreads.append(block.forward_spread_paise)
    assert statistics.median(spreads) < 100  # a stale quote makes a wide one


@pytest.mark.parametrize("underlying", ["NIFTY", "BANKNIFTY"])
def test_volatility_strays_from_its_recent_mean_several_times_a_day(
    day_frames: list[MarketFrame], underlying: str
) -> None:
    window: list[float] = []
    excursions, outside = 0, False
    for frame in day_frames:
        if frame.underlying != underlying or not frame.chain:
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
    assert found[-1].as_of == session_hours(expiry).close_us
    # Near the close too few of the expiring strikes have a bid for a forward.
    nearest = [frame.chain[0].expiry for frame in found if frame.chain]
    assert nearest.index("2026-08-11") > 200
    assert set(nearest) == {"2026-08-04", "2026-08-11"}


@pytest.mark.parametrize(
    ("seed", "first", "last", "said"),
    [
        (-1, DAY, DAY, "seed -1 is out of range"),
        (1 << 64, DAY, DAY, "out of range"),
        (1, date(2026, 2, 28), date(2026, 2, 28), "no market day from 2026-02-28"),
        (1, NEXT, DAY, "no market day"),
        (1, date(2021, 12, 31), DAY, f"before the synthetic market begins, expected {FIRST_DAY}"),
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
