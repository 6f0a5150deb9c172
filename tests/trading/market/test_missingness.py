"""What the market does not say: every kind of dirt put into stored feeds, and what the frames make
of it; then the dirt of the recorded files, where they are.
"""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from tests.market_rows import MINUTE_US, at, bar_rows, chain_rows, store_rows
from trading.market.calendar import session_hours
from trading.market.feed import days_with_data, feed_items, frames
from trading.market.frames import MarketFrame, MarketStatus, check_frame
from trading.market.quality import Coverage, State, coverage
from trading.market.store import MarketStore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DAY = date(2026, 2, 24)
BOTH = ("NIFTY", "BANKNIFTY")
Item = MarketFrame | MarketStatus


def _minutes(count: int, start: str = "10:00") -> list[int]:
    return [at(DAY, start) + MINUTE_US * number for number in range(count)]


def _items(root: Path, day: date = DAY) -> list[Item]:
    found = list(feed_items(MarketStore(root), BOTH, day, day))
    stamps = [item.available_at for item in found]
    assert stamps == sorted(stamps)
    for item in found:
        if isinstance(item, MarketFrame):
            check_frame(item)
            assert MarketFrame.from_data(item.to_data()) == item
    return found


def _frames(root: Path, day: date = DAY) -> list[MarketFrame]:
    return [item for item in _items(root, day) if isinstance(item, MarketFrame)]


def _statuses(root: Path, day: date = DAY) -> list[tuple[int, str]]:
    found = [item for item in _items(root, day) if isinstance(item, MarketStatus)]
    return [(item.available_at, item.status) for item in found]


def _moving_chains(stamps: Sequence[int], **options: Any) -> list[dict[str, Any]]:
    """A snapshot at each instant, no two with the same quotes."""
    return [
        row
        for number, stamp in enumerate(stamps)
        for row in chain_rows(stamp, nudge=5 * number, **options)
    ]


# --- feeds that stop, stand still, or have holes --------------------------------------------------


def test_a_clean_minute_is_fresh_and_says_so(tmp_path: Path) -> None:
    store_rows(tmp_path, "chain_snapshots", _moving_chains(_minutes(3)))
    for frame in _frames(tmp_path):
        assert frame.quality.chain.state is State.FRESH
        assert (frame.quality.chain.age_us, frame.quality.chain.limit_us) == (0, 2 * MINUTE_US)
        assert frame.quality.spot.state is State.MISSING
        assert frame.flags == ()


def test_a_feed_that_sends_what_is_old_is_stale_with_its_age(tmp_path: Path) -> None:
    (first,) = _minutes(1)
    received = first + 2 * MINUTE_US + 1
    store_rows(tmp_path, "chain_snapshots", chain_rows(first, available_at=received))
    quality = _frames(tmp_path)[0].quality.chain
    assert (quality.state, quality.age_us) == (State.STALE, 2 * MINUTE_US + 1)
    assert quality.reason == "OLD"


def test_exactly_twice_the_cadence_is_still_fresh(tmp_path: Path) -> None:
    (first,) = _minutes(1)
    store_rows(tmp_path, "chain_snapshots", chain_rows(first, available_at=first + 2 * MINUTE_US))
    assert _frames(tmp_path)[0].quality.chain.state is State.FRESH


def test_a_fast_feed_is_held_to_the_table_and_a_slow_one_to_its_cadence(tmp_path: Path) -> None:
    (first,) = _minutes(1)
    store_rows(tmp_path / "fast", "chain_snapshots", chain_rows(first), cadence_us=1_000_000)
    slow = 30 * MINUTE_US
    store_rows(tmp_path / "slow", "chain_snapshots", chain_rows(first), cadence_us=slow)
    assert _frames(tmp_path / "fast")[0].quality.chain.limit_us == 15_000_000
    assert _frames(tmp_path / "slow")[0].quality.chain.limit_us == 2 * slow


def test_a_spot_feed_that_stops_ages_while_chains_go_on(tmp_path: Path) -> None:
    stamps = _minutes(6)
    store_rows(tmp_path, "chain_snapshots", _moving_chains([s + 2_000_000 for s in stamps]))
    store_rows(tmp_path, "spot_bars", bar_rows({stamps[0]: 24_990_00, stamps[1]: 24_991_00}))
    states = [f.quality.spot.state for f in _frames(tmp_path) if f.shows_chain]
    assert states == [State.FRESH] * 3 + [State.STALE] * 3
    last = _frames(tmp_path)[-1]
    assert last.spot_paise == 24_991_00  # shown with its age, never passed off as new
    assert last.quality.spot.age_us == 4 * MINUTE_US + 2_000_000


def test_a_frozen_spot_is_stale_though_it_is_sent_again_and_again(tmp_path: Path) -> None:
    stamps = _minutes(7)
    store_rows(tmp_path, "chain_snapshots", _moving_chains(stamps))
    store_rows(tmp_path, "spot_bars", bar_rows(dict.fromkeys(stamps, 24_990_00)))
    qualities = [frame.quality.spot for frame in _frames(tmp_path)]
    assert [q.state for q in qualities] == [State.FRESH] * 4 + [State.STALE] * 3
    assert qualities[-1].reason == "FROZEN"
    assert qualities[-1].age_us == 6 * MINUTE_US  # since it last moved


def test_a_frozen_chain_is_stale_from_the_third_time_it_is_told(tmp_path: Path) -> None:
    rows = [row for stamp in _minutes(4) for row in chain_rows(stamp)]
    store_rows(tmp_path, "chain_snapshots", rows)
    qualities = [frame.quality.chain for frame in _frames(tmp_path)]
    assert [q.state for q in qualities] == [State.FRESH] * 2 + [State.STALE] * 2
    assert qualities[-1].reason == "FROZEN"


def test_a_frozen_chain_that_moves_again_is_fresh_at_once(tmp_path: Path) -> None:
    stamps = _minutes(5)
    rows = [row for stamp in stamps[:4] for row in chain_rows(stamp)]
    store_rows(tmp_path, "chain_snapshots", [*rows, *chain_rows(stamps[4], nudge=5)])
    assert _frames(tmp_path)[-1].quality.chain.state is State.FRESH


def test_a_gap_is_told_when_its_time_is_up_and_once(tmp_path: Path) -> None:
    stamps = _minutes(2)
    later = stamps[1] + 10 * MINUTE_US
    store_rows(tmp_path, "chain_snapshots", _moving_chains([*stamps, later]))
    due = [stamps[1] + 2 * MINUTE_US, later + 2 * MINUTE_US]
    assert _statuses(tmp_path) == [(due[0], "GAP"), (due[1], "GAP")]


def test_a_gap_of_one_index_is_told_while_the_other_goes_on(tmp_path: Path) -> None:
    stamps = _minutes(6)
    rows = [
        *_moving_chains(stamps[:2]),
        *_moving_chains(stamps, underlying="BANKNIFTY", forward=60_000_00, expiry="2026-03-30"),
    ]
    store_rows(tmp_path, "chain_snapshots", rows)
    gaps = [i for i in _items(tmp_path) if isinstance(i, MarketStatus) and i.status == "GAP"]
    assert (gaps[0].underlying, gaps[0].available_at) == ("NIFTY", stamps[1] + 2 * MINUTE_US)


def test_what_is_missing_after_the_close_is_no_gap(tmp_path: Path) -> None:
    close = session_hours(DAY).close_us
    store_rows(tmp_path, "chain_snapshots", _moving_chains([close - MINUTE_US]))
    assert _statuses(tmp_path) == []


def test_a_feed_at_its_own_pace_has_no_gaps(tmp_path: Path) -> None:
    half_hours = [at(DAY, clock) for clock in ("14:00", "14:30", "15:00", "15:29")]
    store_rows(tmp_path, "chain_snapshots", _moving_chains(half_hours), cadence_us=30 * MINUTE_US)
    assert _statuses(tmp_path) == []


# --- halts ----------------------------------------------------------------------------------------


def _halt(root: Path, halted: int, resumed: int | None) -> None:
    rows = [(halted, "HALT")] + ([] if resumed is None else [(resumed, "RESUME")])
    store_rows(
        root,
        "market_status",
        [
            {
                "as_of": stamp,
                "available_at": stamp,
                "underlying": "NIFTY",
                "status": status,
                "reason": "index circuit, 10%",
            }
            for stamp, status in rows
        ],
    )


def test_a_halt_comes_before_the_frame_of_its_instant_and_marks_it(tmp_path: Path) -> None:
    stamps = _minutes(4)
    store_rows(tmp_path, "chain_snapshots", _moving_chains(stamps))
    _halt(tmp_path, stamps[1], stamps[3])
    kinds = [
        i.status if isinstance(i, MarketStatus) else str(i.quality.chain.state)
        for i in _items(tmp_path)
    ]
    assert kinds[:6] == ["FRESH", "HALT", "HALTED", "HALTED", "RESUME", "FRESH"]


def test_silence_in_a_halt_is_no_gap_and_silence_after_it_is(tmp_path: Path) -> None:
    stamps = _minutes(2)
    halted, resumed = stamps[1] + 1, stamps[1] + 45 * MINUTE_US
    store_rows(tmp_path, "chain_snapshots", _moving_chains(stamps))
    _halt(tmp_path, halted, resumed)
    assert _statuses(tmp_path) == [
        (halted, "HALT"),
        (resumed, "RESUME"),
        (resumed + 2 * MINUTE_US, "GAP"),
    ]


def test_a_halt_of_one_index_does_not_halt_the_other(tmp_path: Path) -> None:
    stamps = _minutes(3)
    other = {"underlying": "BANKNIFTY", "forward": 60_000_00, "expiry": "2026-03-30"}
    rows = [*_moving_chains(stamps), *_moving_chains(stamps, **other)]
    store_rows(tmp_path, "chain_snapshots", rows)
    _halt(tmp_path, stamps[1], None)
    states = {(f.underlying, f.quality.chain.state) for f in _frames(tmp_path)[2:]}
    assert states == {("NIFTY", State.HALTED), ("BANKNIFTY", State.FRESH)}


def test_a_session_in_two_parts_stands_still_between_them(tmp_path: Path) -> None:
    short = date(2024, 3, 2)
    (_, stops), (starts, _) = session_hours(short).intervals
    stamps = [stops - MINUTE_US, starts + MINUTE_US]
    store_rows(tmp_path, "chain_snapshots", _moving_chains(stamps, expiry="2024-03-07"))
    assert _statuses(tmp_path, short)[:4] == [
        (stops, "HALT"),
        (stops, "HALT"),
        (starts, "RESUME"),
        (starts, "RESUME"),
    ]
    assert all(status != "GAP" for at_us, status in _statuses(tmp_path, short) if at_us < starts)


# --- strikes and quotes ---------------------------------------------------------------------------


def _block(root: Path, **options: Any) -> Any:
    (stamp,) = _minutes(1)
    store_rows(root, "chain_snapshots", chain_rows(stamp, **options))
    return _frames(root)[0]


def test_strikes_that_are_not_listed_are_not_made_up(tmp_path: Path) -> None:
    frame = _block(tmp_path, without=(-3, 1, 2))
    strikes = frame.chain[0].strike_paise
    assert 24_850_00 not in strikes
    assert len(strikes) == 18
    assert frame.chain[0].forward_paise == 25_000_00
    assert coverage(frame.chain[0]) == Coverage(9, 8)


def test_a_quote_of_one_side_does_not_count_as_covered(tmp_path: Path) -> None:
    changes = {5: {"call_bid_paise": None, "call_bid_quantity": None}}
    frame = _block(tmp_path, changes=changes)
    assert coverage(frame.chain[0]) == Coverage(10, 9)
    assert frame.quality.chain.state is State.FRESH
    position = frame.chain[0].strike_paise.index(25_250_00)
    assert frame.chain[0].call_bid_paise[position] is None
    assert frame.chain[0].call_ask_paise[position] is not None


def test_a_quote_crossed_near_the_money_crosses_the_chain(tmp_path: Path) -> None:
    frame = _block(tmp_path, changes={1: {"call_bid_paise": 130_00}})
    assert frame.quality.chain.state is State.CROSSED
    assert frame.quality.chain.reason == "CROSSED 1"
    assert frame.chain[0].forward_paise == 25_000_00  # without the crossed strike


def test_a_locked_quote_near_the_money_is_no_better(tmp_path: Path) -> None:
    frame = _block(tmp_path, changes={0: {"put_bid_paise": 120_10}})
    assert frame.quality.chain.state is State.CROSSED


def test_a_quote_crossed_far_from_the_money_only_costs_its_strike(tmp_path: Path) -> None:
    frame = _block(tmp_path, changes={8: {"call_bid_paise": 130_00}})
    assert frame.quality.chain.state is State.FRESH
    assert coverage(frame.chain[0]) == Coverage(10, 9)


def test_without_three_good_pairs_there_is_no_forward_and_no_chain(tmp_path: Path) -> None:
    bare = {f"{side}_{name}_paise": None for side in ("call", "put") for name in ("bid", "ask")}
    changes = {offset: bare for offset in range(-10, 11) if offset not in (0, 1)}
    frame = _block(tmp_path, changes=changes)
    assert frame.chain == ()
    assert (frame.quality.chain.state, frame.quality.chain.reason) == (State.MISSING, "NO_FORWARD")


def test_prices_of_zero_are_refused_by_a_frame() -> None:
    """Zero means missing in every source; importers make it null, a frame holds them to it."""
    with pytest.raises(Exception, match="expected a positive number or null"):
        MarketFrame.from_data(_with_zero())


def _with_zero() -> dict[str, Any]:
    from tests.market_factory import chain_frame

    data = chain_frame("NIFTY", at(DAY, "10:00"), 0.12).to_data()
    data["chain"][0]["call_bid_paise"][2] = 0
    return data


def test_a_parity_that_disagrees_with_itself_is_an_outlier(tmp_path: Path) -> None:
    level = {"bid_paise": 99_90, "ask_paise": 100_10}
    equal = {f"{side}_{name}": v for side in ("call", "put") for name, v in level.items()}
    frame = _block(tmp_path, changes={6: equal})  # says the forward is its own strike
    assert frame.quality.chain.state is State.OUTLIER
    assert frame.quality.chain.reason == "PARITY_DISAGREES"


def test_a_chain_far_from_a_fresh_spot_is_an_outlier(tmp_path: Path) -> None:
    frame = _block(tmp_path, spot=23_000_00)
    assert frame.quality.chain.state is State.OUTLIER
    assert frame.quality.chain.reason == "FORWARD_FAR_FROM_SPOT"


# --- values out of line ---------------------------------------------------------------------------


def _spots(root: Path, values: Sequence[int]) -> list[State]:
    stamps = _minutes(len(values))
    store_rows(root, "chain_snapshots", chain_rows(stamps[-1] + 60 * MINUTE_US))
    store_rows(root, "spot_bars", bar_rows(dict(zip(stamps, values, strict=True))))
    return [f.quality.spot.state for f in _frames(root) if not f.shows_chain]


def test_a_fat_finger_is_an_outlier_and_the_next_value_is_not(tmp_path: Path) -> None:
    states = _spots(tmp_path, (25_000_00, 25_001_00, 2_500_00, 25_002_00))
    assert states == [State.FRESH, State.FRESH, State.OUTLIER, State.FRESH]


def test_a_level_that_is_told_three_times_is_the_new_level(tmp_path: Path) -> None:
    states = _spots(tmp_path, (25_000_00, 23_500_00, 23_510_00, 23_490_00, 23_480_00))
    assert states[1:] == [State.OUTLIER, State.OUTLIER, State.FRESH, State.FRESH]


def test_a_fall_that_the_options_confirm_is_no_outlier(tmp_path: Path) -> None:
    stamps = _minutes(2)
    rows = [*chain_rows(stamps[0]), *chain_rows(stamps[1], forward=23_500_00)]
    store_rows(tmp_path, "chain_snapshots", rows)
    store_rows(tmp_path, "spot_bars", bar_rows({stamps[0]: 25_000_00, stamps[1]: 23_480_00}))
    assert [f.quality.spot.state for f in _frames(tmp_path)] == [State.FRESH] * 2


# --- order ----------------------------------------------------------------------------------------


def test_a_snapshot_that_comes_late_is_not_shown_and_the_next_frame_says_so(
    tmp_path: Path,
) -> None:
    stamps = _minutes(3)
    rows = [
        *chain_rows(stamps[1], nudge=5),
        *chain_rows(stamps[0], available_at=stamps[1] + 1_000_000),
        *chain_rows(stamps[2], nudge=10),
    ]
    store_rows(tmp_path, "chain_snapshots", rows)
    found = _frames(tmp_path)
    assert [frame.as_of for frame in found] == stamps[1:]
    assert [frame.flags for frame in found] == [(), ("LATE",)]


def test_a_snapshot_that_is_sent_again_is_shown_once(tmp_path: Path) -> None:
    stamps = _minutes(2)
    rows = [
        *chain_rows(stamps[0]),
        *chain_rows(stamps[0], available_at=stamps[0] + 1_000_000),
        *chain_rows(stamps[1], nudge=5),
    ]
    store_rows(tmp_path, "chain_snapshots", rows)
    found = _frames(tmp_path)
    assert [frame.flags for frame in found] == [(), ("REPEATED",)]


def test_a_revision_of_a_snapshot_is_shown(tmp_path: Path) -> None:
    (stamp,) = _minutes(1)
    rows = [
        *chain_rows(stamp),
        *chain_rows(stamp, available_at=stamp + 1_000_000, nudge=5),
    ]
    store_rows(tmp_path, "chain_snapshots", rows)
    assert [frame.available_at for frame in _frames(tmp_path)] == [stamp, stamp + 1_000_000]


def test_a_stamp_ahead_of_its_receipt_does_not_silence_what_follows(tmp_path: Path) -> None:
    stamps = _minutes(2)
    ahead = chain_rows(stamps[0] + 3600 * 1_000_000, available_at=stamps[0])
    store_rows(tmp_path, "chain_snapshots", [*ahead, *chain_rows(stamps[1], nudge=5)])
    found = _frames(tmp_path)
    assert [frame.flags for frame in found] == [("CLOCK",), ()]


def test_bars_out_of_order_and_twice(tmp_path: Path) -> None:
    stamps = _minutes(3)
    store_rows(tmp_path, "chain_snapshots", chain_rows(stamps[2] + 1_000_000))
    rows = bar_rows({stamps[1]: 25_001_00, stamps[2]: 25_002_00})
    late = [r | {"available_at": stamps[1] + 1} for r in bar_rows({stamps[0]: 25_000_00})]
    again = [r | {"available_at": stamps[2] + 1} for r in bar_rows({stamps[2]: 25_002_00})]
    store_rows(tmp_path, "spot_bars", [*rows, *late, *again])
    found = _frames(tmp_path)
    assert [frame.spot_paise for frame in found] == [25_001_00, 25_002_00, 25_002_00]
    assert [frame.flags for frame in found] == [(), ("LATE",), ("REPEATED",)]


def test_a_print_that_comes_twice_is_brought_once_and_a_late_one_is_brought(
    tmp_path: Path,
) -> None:
    (stamp,) = _minutes(1)
    store_rows(tmp_path, "chain_snapshots", chain_rows(stamp + 5_000_000))

    def trade(number: int, as_of: int, received: int) -> dict[str, Any]:
        return {
            "as_of": as_of,
            "available_at": received,
            "instrument": "NIFTY 2026-03-30 FUT",
            "trade_id": number,
            "price_paise": 25_100_00 + number,
            "quantity": 65.0,
            "aggressor": "BUY",
        }

    trades = [
        trade(2, stamp + 2, stamp + 2),
        trade(1, stamp + 1, stamp + 3),
        trade(2, stamp + 2, stamp + 4),
    ]
    store_rows(tmp_path, "prints", trades)
    (frame,) = _frames(tmp_path)
    (prints,) = frame.prints
    assert prints.price_paise == (25_100_02, 25_100_01)
    assert prints.quantity == (65, 65)
    assert frame.flags == ("REPEATED",)
    assert frame.quality.prints.state is State.FRESH


def test_prints_are_those_since_the_last_frame(tmp_path: Path) -> None:
    stamps = _minutes(2)
    store_rows(tmp_path, "chain_snapshots", _moving_chains(stamps))
    rows = [
        {
            "as_of": stamp,
            "available_at": stamp,
            "instrument": "NIFTY-FUT",
            "trade_id": number,
            "price_paise": 25_100_00,
            "quantity": 65.0,
        }
        for number, stamp in enumerate((stamps[0] - 1, stamps[0], stamps[1]))
    ]
    store_rows(tmp_path, "prints", rows)
    found = [[list(block.as_of) for block in frame.prints] for frame in _frames(tmp_path)]
    assert found == [[[stamps[0] - 1, stamps[0]]], [[stamps[1]]]]


def test_prints_of_another_instrument_are_not_those_of_an_index(tmp_path: Path) -> None:
    (stamp,) = _minutes(1)
    store_rows(tmp_path, "chain_snapshots", chain_rows(stamp))
    row = {"as_of": stamp, "available_at": stamp, "price_paise": 1_00, "quantity": 1.0}
    names = ("NIFTYBEES", "BTCUSDT", "FINNIFTY-FUT")
    rows = [row | {"instrument": name, "trade_id": 1} for name in names]
    store_rows(tmp_path, "prints", rows)
    assert _frames(tmp_path)[0].prints == ()


# --- days that are not like others ----------------------------------------------------------------


def test_of_two_markets_on_one_day_the_recorded_one_is_shown(tmp_path: Path) -> None:
    stamps = _minutes(2)
    store_rows(tmp_path, "chain_snapshots", chain_rows(stamps[0]))
    made = chain_rows(stamps[1], forward=20_000_00)
    store_rows(tmp_path, "chain_snapshots", made, name="generated", synthetic=True)
    store_rows(tmp_path, "spot_bars", bar_rows({stamps[0]: 1_00}), name="gen", synthetic=True)
    (frame,) = _frames(tmp_path)
    assert (frame.available_at, frame.source.synthetic) == (stamps[0], False)
    assert frame.spot_paise is None


def test_of_bars_of_two_widths_the_finer_is_shown(tmp_path: Path) -> None:
    (stamp,) = _minutes(1)
    store_rows(tmp_path, "chain_snapshots", chain_rows(stamp))
    store_rows(tmp_path, "spot_bars", bar_rows({stamp: 25_001_00}))
    store_rows(tmp_path, "spot_bars", bar_rows({stamp: 24_900_00}, interval="5m"), name="five")
    assert _frames(tmp_path)[0].spot_paise == 25_001_00


def test_the_nearest_future_is_the_one_that_lives(tmp_path: Path) -> None:
    (stamp,) = _minutes(1)
    store_rows(tmp_path, "chain_snapshots", chain_rows(stamp))
    for expiry, close in ((date(2026, 1, 27), 1_00), (DAY, 25_100_00), (date(2026, 3, 30), 2_00)):
        rows = bar_rows({stamp: close}, expiry=expiry)
        store_rows(tmp_path, "future_bars", rows, name=expiry.isoformat())
    frame = _frames(tmp_path)[0]
    assert (frame.future_paise, frame.future_expiry) == (25_100_00, DAY.isoformat())


def test_the_volatility_index_comes_along_and_makes_no_frame(tmp_path: Path) -> None:
    stamps = _minutes(2)
    store_rows(tmp_path, "chain_snapshots", chain_rows(stamps[1]))
    rows = [
        {"as_of": s, "available_at": s, "interval": "1m", "close": value}
        for s, value in zip(stamps, (13.5, 13.6), strict=True)
    ]
    store_rows(tmp_path, "vix", rows)
    (frame,) = _frames(tmp_path)
    assert (frame.vix, frame.quality.vix.state) == (13.6, State.FRESH)


def test_a_day_of_spot_alone_is_no_day_to_trade(tmp_path: Path) -> None:
    store_rows(tmp_path, "spot_bars", bar_rows({_minutes(1)[0]: 25_000_00}))
    assert days_with_data(MarketStore(tmp_path)) == ()


# --- the recorded files ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded_day(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Item]:
    """Everything of 29 August 2025."""
    from trading.market.services import market_import

    folder = sample_data / "nse_chain_2025-08-29"
    if not folder.is_dir():
        pytest.skip(f"no recorded chain snapshots in {folder}")
    root = tmp_path_factory.mktemp("recorded") / "market"
    market_import(root=root, paths=[folder])
    day = date(2025, 8, 29)
    return list(feed_items(MarketStore(root), BOTH, day, day))


def test_recorded_gaps_are_told(recorded_day: list[Item]) -> None:
    gaps = [i for i in recorded_day if isinstance(i, MarketStatus)]
    assert {gap.status for gap in gaps} == {"GAP"}
    for name in BOTH:
        receipts = [
            i.available_at
            for i in recorded_day
            if isinstance(i, MarketFrame) and i.underlying == name
        ]
        silent = [before for before, after in pairwise(receipts) if after - before > 2 * MINUTE_US]
        told = [gap.available_at - 2 * MINUTE_US for gap in gaps if gap.underlying == name]
        assert told == [*silent, receipts[-1]]
        assert len(silent) >= 2


def test_recorded_stamps_lag_and_are_fresh_within_twice_the_cadence(
    recorded_day: list[Item],
) -> None:
    found = [i.quality.chain for i in recorded_day if isinstance(i, MarketFrame)]
    ages = sorted(quality.age_us or 0 for quality in found)
    assert 60_000_000 < ages[len(ages) // 2] < 80_000_000
    for quality in found:
        assert quality.limit_us is not None
        if quality.reason == "OLD":
            assert (quality.age_us or 0) > quality.limit_us
    fresh = sum(quality.state is State.FRESH for quality in found)
    assert fresh > 0.9 * len(found)


def test_recorded_chains_have_no_spot_and_say_so(recorded_day: list[Item]) -> None:
    found = [i for i in recorded_day if isinstance(i, MarketFrame)]
    assert {frame.quality.spot.state for frame in found} == {State.MISSING}
    assert {frame.spot_paise for frame in found} == {None}


def test_recorded_chains_are_quoted_on_one_side_only_far_away(recorded_day: list[Item]) -> None:
    found = [i for i in recorded_day if isinstance(i, MarketFrame)]
    one_sided = sum(
        (bid is None) != (ask is None)
        for frame in found
        for block in frame.chain
        for bid, ask in zip(block.call_bid_paise, block.call_ask_paise, strict=True)
    )
    assert one_sided
    nifty = [frame for frame in found if frame.underlying == "NIFTY" and frame.chain]
    assert all(coverage(frame.chain[0]).fewest >= 8 for frame in nifty)


def test_one_recorded_stamp_is_ahead_of_its_receipt(recorded_day: list[Item]) -> None:
    found = [i for i in recorded_day if isinstance(i, MarketFrame)]
    assert sum("CLOCK" in frame.flags for frame in found) == 1


def test_frames_alone_are_the_items_without_statuses(tmp_path: Path) -> None:
    store_rows(tmp_path, "chain_snapshots", _moving_chains(_minutes(2)))
    assert list(frames(MarketStore(tmp_path), BOTH, DAY, DAY)) == _frames(tmp_path)
