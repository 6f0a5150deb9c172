"""Market-wide halts where SENSEX is held: the index that reaches a level first halts, once, and the
statuses and the day say which it was; rows of it come in by the real importers.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from tests.market_factory import Rig
from tests.market_rows import MINUTE_US, at, bar_rows, chain_rows, store_rows
from tests.trading.engine.test_derived_halts import all_day
from tests.trading.engine.test_settlement import of_kind, replayed
from trading.market.calendar import session_hours
from trading.market.feed import feed_items, files_of_days, halts_counted_from
from trading.market.frames import MarketStatus
from trading.market.market_halts import IndexWatch
from trading.market.quality import Reading
from trading.market.services import market_import
from trading.market.store import MarketStore
from trading.risk_room.in_force import known_groups

if TYPE_CHECKING:
    from pathlib import Path

DAY, BEFORE = date(2026, 2, 24), date(2026, 2, 23)
HOURS = session_hours(DAY)
CLOSES = {"NIFTY": 25_000_00, "SENSEX": 82_000_00}
NAMES = {"NIFTY": "Nifty 50", "SENSEX": "SENSEX"}


def close_rows(*indices: str, known_us: int | None = None) -> list[dict[str, Any]]:
    return [
        {
            "as_of": at(BEFORE, "15:30"),
            "available_at": at(DAY, "09:00") if known_us is None else known_us,
            "trade_date": BEFORE,
            "index": NAMES[index],
            "close_paise": CLOSES[index],
        }
        for index in indices
    ]


def fall(index: str, by: str, percent: int = 10) -> dict[int, int]:
    """A fall of one per cent a minute that arrives at a time."""
    last = at(DAY, by)
    return {
        last - (percent - n) * MINUTE_US: CLOSES[index] * (100 - n) // 100
        for n in range(percent + 1)
    }


def fill(root: Path, falls: dict[str, dict[int, int]], *closes: str) -> MarketStore:
    store_rows(root, "chain_snapshots", chain_rows(at(DAY, "09:16")))
    bars = [row for name, levels in falls.items() for row in bar_rows(levels, underlying=name)]
    store_rows(root, "spot_bars", bars)
    if closes:
        store_rows(root, "index_closes", close_rows(*closes))
    return MarketStore(root)


def told(store: MarketStore) -> list[tuple[str, int, str | None]]:
    return [
        (item.status, item.available_at, item.reason)
        for item in feed_items(store, ("NIFTY",), DAY, DAY)
        if isinstance(item, MarketStatus) and item.status != "GAP"
    ]


def halted_by(index: str, percent: int = 10) -> str:
    close = f"{CLOSES[index] // 100}.00"
    return f"market-wide circuit breaker, {percent} % of the previous close {close} of {index}"


OVER = "the call auction after the halt is over"


@pytest.mark.parametrize(
    ("by", "first"),
    [
        ({"NIFTY": "10:00", "SENSEX": "10:03"}, "NIFTY"),
        ({"NIFTY": "10:03", "SENSEX": "10:00"}, "SENSEX"),
        ({"NIFTY": "10:00", "SENSEX": "10:00"}, "NIFTY"),
        ({"SENSEX": "10:00"}, "SENSEX"),
        ({"NIFTY": "10:00"}, "NIFTY"),
    ],
)
def test_whichever_comes_first_halts_and_the_other_not_again(
    tmp_path: Path, by: dict[str, str], first: str
) -> None:
    store = fill(tmp_path, {name: fall(name, clock) for name, clock in by.items()}, *CLOSES)
    begins = at(DAY, by[first])
    assert told(store) == [
        ("HALT", begins, halted_by(first)),
        ("RESUME", begins + 60 * MINUTE_US, OVER),
    ]


def test_the_next_level_may_be_the_other_index_s(tmp_path: Path) -> None:
    levels = {"NIFTY": fall("NIFTY", "10:00"), "SENSEX": fall("SENSEX", "11:10", 15)}
    store = fill(tmp_path, levels, *CLOSES)
    # SENSEX passes its own 10 % at 11:05, which has been halted for.
    assert [(status, reason) for status, _, reason in told(store)] == [
        ("HALT", halted_by("NIFTY")),
        ("RESUME", OVER),
        ("HALT", halted_by("SENSEX", 15)),
        ("RESUME", OVER),
    ]


@pytest.mark.parametrize(
    ("closes", "counted"),
    [
        ((), {}),
        (("NIFTY",), {"NIFTY": CLOSES["NIFTY"]}),
        (("SENSEX",), {"SENSEX": CLOSES["SENSEX"]}),
        (("NIFTY", "SENSEX"), CLOSES),
    ],
)
def test_an_index_counts_from_its_own_close_and_without_one_not_at_all(
    tmp_path: Path, closes: tuple[str, ...], counted: dict[str, int]
) -> None:
    store = fill(tmp_path, {"SENSEX": fall("SENSEX", "10:00")}, *closes)
    assert halts_counted_from(store, ("NIFTY",), DAY) == counted
    assert bool(told(store)) == ("SENSEX" in counted)


def test_a_value_of_one_index_that_is_older_than_the_other_s_counts() -> None:
    """Each index has its own order of time; only a level that was halted for is not again."""
    watch = IndexWatch(DAY, CLOSES)
    ten, earlier = at(DAY, "10:00"), at(DAY, "10:00") - 2_000_000
    watch.take("NIFTY", Reading(CLOSES["NIFTY"] * 92 // 100, ten, ten, "n", MINUTE_US))
    fallen = CLOSES["SENSEX"] * 90 // 100
    watch.take("SENSEX", Reading(fallen, earlier, ten + 1, "s", MINUTE_US))
    (halt,) = watch.found()
    assert (halt.moved, halt.begins_us) == ("SENSEX", earlier)
    watch.take("BANKNIFTY", Reading(1, ten + 2, ten + 2, "b", MINUTE_US))
    assert watch.found() == []


def test_a_generated_sensex_is_not_mixed_into_a_recorded_day(tmp_path: Path) -> None:
    store = fill(tmp_path, {"NIFTY": {at(DAY, "09:20"): CLOSES["NIFTY"]}}, *CLOSES)
    bars = bar_rows(fall("SENSEX", "10:00"), underlying="SENSEX")
    store_rows(tmp_path, "spot_bars", bars, name="made", synthetic=True)
    assert told(store) == []


def test_a_close_known_on_the_evening_before_counts_and_its_file_is_named(tmp_path: Path) -> None:
    """A day after a weekend too: Friday's close is that of the market day before Monday."""
    store = fill(tmp_path, {"SENSEX": fall("SENSEX", "10:00")})
    evening = close_rows("SENSEX", known_us=at(BEFORE, "18:00"))
    digest = store_rows(tmp_path, "index_closes", evening)
    assert halts_counted_from(store, ("NIFTY",), DAY) == {"SENSEX": CLOSES["SENSEX"]}
    assert [status for status, _, _ in told(store)] == ["HALT", "RESUME"]
    assert digest in {file.source for file in files_of_days(store, ("NIFTY",), (DAY,))}


# --- as it comes in -------------------------------------------------------------------------------

CLOSES_MAP = """
format = "brahmastra-column-map-1"
name = "sensex_closes"
title = "closes of SENSEX"
source = "my-bse-closes"
[file]
header = ["Date", "Close"]
[[rows]]
category = "index_closes"
[rows.columns]
index = { value = "SENSEX" }
trade_date = { column = "Date", format = "%d-%m-%Y" }
as_of = { column = "Date", format = "%d-%m-%Y", at = "15:30" }
available_at = { column = "Date", format = "%d-%m-%Y", at = "18:00" }
close_paise = { column = "Close", unit = "points" }
"""


def test_files_of_sensex_are_imported_and_halt_a_session(tmp_path: Path) -> None:
    """Closes by a column map of one's own, minutes by the one that is shipped; a session over them
    says what it counted from and which index moved, and decides the same again.
    """
    root = tmp_path / "market"
    chains = [row for n in range(14) for row in chain_rows(at(DAY, "09:50") + 5 * n * MINUTE_US)]
    store_rows(root, "chain_snapshots", chains)
    (tmp_path / "closes.toml").write_text(CLOSES_MAP)
    (tmp_path / "closes.csv").write_text("Date,Close\n20-02-2026,79000.00\n23-02-2026,82000.00\n")
    minutes = [
        f"SENSEX,20260224,{9 + (20 + n) // 60:02d}:{(20 + n) % 60:02d},{p},{p},{p},{p}\n"
        for n in range(42)
        for p in (f"{82_000 - 200 * n:.2f}",)
    ]
    header = "Instrument,Date,Time,Open,High,Low,Close\n"
    (tmp_path / "minutes.csv").write_text(header + "".join(minutes))
    market_import(root=root, paths=[tmp_path / "closes.csv"], column_map=tmp_path / "closes.toml")
    market_import(root=root, paths=[tmp_path / "minutes.csv"])

    store = MarketStore(root)
    rig = Rig(
        var_dir=tmp_path,
        days=[DAY],
        frames_of=lambda day: list(feed_items(store, ("NIFTY",), day, day)),
        halts_from=lambda day: halts_counted_from(store, ("NIFTY",), day),
        configuration=all_day(),
    )
    rig.run()
    events = replayed(rig)
    (opened,) = of_kind(events, "day.opened")
    calendar = opened.data["calendar"]
    assert calendar["halts_from_paise"] is None
    assert calendar["halts_from_sensex_paise"] == CLOSES["SENSEX"]
    (known,) = [
        figure
        for group in known_groups(opened.data, [])
        for figure in group.figures
        if figure.name == "Market-wide halts"
    ]
    assert known.value == "counted from ₹ 82,000.00 of SENSEX"
    assert known.source == "the closes of the day before; none of NIFTY is held"
    halt, resume = [e for e in of_kind(events, "market.status") if e.data["status"] != "GAP"]
    assert halt.data["reason"] == halted_by("SENSEX")
    crossing = at(DAY, "10:02")  # 200 points a minute from 09:20 on, a bar labelled by its end
    assert (halt.ts, resume.ts) == (crossing, crossing + 60 * MINUTE_US)
