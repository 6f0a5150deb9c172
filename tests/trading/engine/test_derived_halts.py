"""Market-wide halts that the feed tells from the index, in real sessions over a store: every row of
the table as gate 3 has it, what waits for the end, and the same decided again.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from journal.log.reader import read_session
from journal.spool import write_command
from tests.market_factory import MINUTE_US, SPOOL_KEY, Rig, factory_configuration
from tests.market_rows import at, bar_rows, chain_rows, store_rows
from tests.trading.engine.desk_bed import tell
from tests.trading.engine.test_runner import bodies_of, cut_after
from tests.trading.engine.test_settlement import of_kind, replayed
from trading.engine.configuration import configuration_from_data
from trading.market.calendar import session_hours
from trading.market.feed import feed_items, halts_counted_from
from trading.market.figures import table
from trading.market.store import MarketStore

if TYPE_CHECKING:
    from pathlib import Path

    from journal.events import Event
    from trading.engine.configuration import Configuration

DAY, BEFORE = date(2026, 2, 24), date(2026, 2, 23)
CLOSE = 25_000_00
HOURS = session_hours(DAY)
ROWS = table("circuit_breakers")["circuit_breaker"]
ROW_NAMES = [f"{row['move_percent']} % from {row['after']}" for row in ROWS]
LEAD = 12  # minutes of market before the index has fallen
CALM = (0, 200, 100, 150, 50)  # paise on every quote
SECOND_US = 1_000_000


def begins_of(row: dict[str, Any]) -> int:
    """Twenty minutes into the row, or into the market."""
    return max(at(DAY, row["after"].isoformat()), HOURS.open_us) + 20 * MINUTE_US


def ends_of(row: dict[str, Any], begins_us: int) -> int:
    """When trading goes on again; the close where it does not."""
    if row.get("rest_of_day"):
        return HOURS.close_us
    minutes = row["halt_minutes"] + row["auction_minutes"]
    return min(begins_us + minutes * MINUTE_US, HOURS.close_us)


def fill_store(root: Path, begins_us: int, percent: int, ends_us: int, *, close: bool) -> None:
    """Chains once a minute around a fall that three values of the index confirm; the sixth chain
    fires, and is sold.
    """
    last = min(ends_us + 12 * MINUTE_US, HOURS.close_us - 1)
    moments = range(begins_us - LEAD * MINUTE_US, last, MINUTE_US)
    nudges = [10_000 if n == 5 else CALM[n % 5] for n in range(len(moments))]
    rows = [
        row
        for moment, nudge in zip(moments, nudges, strict=True)
        for row in chain_rows(moment + SECOND_US, nudge=nudge)
    ]
    store_rows(root, "chain_snapshots", rows)
    fallen = CLOSE * (100 - percent) // 100
    levels = {m: CLOSE if m < begins_us - 2 * MINUTE_US else fallen for m in moments}
    store_rows(root, "spot_bars", bar_rows(levels))
    if close:
        official = {
            "as_of": at(BEFORE, "15:30"),
            "available_at": at(DAY, "09:00"),
            "trade_date": BEFORE,
            "index": "Nifty 50",
            "close_paise": CLOSE,
        }
        store_rows(root, "index_closes", [official])


def all_day() -> Configuration:
    """Entries from the opening on, held three minutes."""
    data = factory_configuration(lookback_snapshots=5, hold_minutes=3).to_data()
    data["underlyings"] = ["NIFTY"]
    data["gates"] |= {"first_entry": "09:15", "last_entry": "15:29"}
    return configuration_from_data(data, where="test")


def rig_of(var_dir: Path, begins_us: int, percent: int, ends_us: int, *, close: bool = True) -> Rig:
    store = MarketStore(var_dir / "market")
    fill_store(store.root, begins_us, percent, ends_us, close=close)
    return Rig(
        var_dir=var_dir,
        days=[DAY],
        frames_of=lambda day: list(feed_items(store, ("NIFTY",), day, day)),
        halts_from=lambda day: halts_counted_from(store, ("NIFTY",), day),
        configuration=all_day(),
    )


def gate_3(event: Event) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in event.data["gates"] if each["number"] == 3)
    return found


@pytest.mark.parametrize("row", ROWS, ids=ROW_NAMES)
def test_a_row_stops_entries_and_exits_from_its_beginning_to_its_end(
    tmp_path: Path, row: dict[str, Any]
) -> None:
    begins, percent = begins_of(row), row["move_percent"]
    ends = ends_of(row, begins)
    rig = rig_of(tmp_path, begins, percent, ends)
    rig.run()
    events = replayed(rig)
    statuses = [(e.data["status"], e.ts) for e in of_kind(events, "market.status")]
    told = [each for each in statuses if each[0] != "GAP"]
    if ends == begins:  # late enough to halt nothing
        assert told == []
        return
    assert told == [("HALT", begins), ("RESUME", ends)][: 1 if ends == HOURS.close_us else 2]
    reason = f"market-wide circuit breaker, {percent} % of the previous close 25000.00 of NIFTY"
    seen = set()
    snapshots = [e for e in of_kind(events, "portfolio.snapshot") if e.data["gates"]]
    for snapshot in snapshots:  # there are gates once something was seen
        gate = gate_3(snapshot)
        if begins < snapshot.ts < ends:
            assert (gate["value"], gate["verdict"]) == (1, "block")
            assert gate["reason"] == f"the market is halted: {reason}"
            seen.add("halted")
        elif begins > snapshot.ts >= HOURS.open_us:
            assert gate["value"] == 0
            seen.add("before")
        elif ends < snapshot.ts < ends + 4 * MINUTE_US:
            assert gate["reason"].endswith("of 5 fresh chains since trading went on")
            seen.add("after")
    assert seen >= {"before", "halted"}
    between = [e for e in of_kind(events, "order.intended") if begins <= e.ts < ends]
    assert between == []


def test_what_is_held_in_waits_for_the_end_and_its_time_is_not_counted(tmp_path: Path) -> None:
    """Sold a minute after the sixth chain, six minutes before the halt, to be left after three:
    left before it. With a halt two minutes after the fill it is left one minute after the end.
    """
    row = ROWS[0]
    begins = begins_of(row)
    ends = ends_of(row, begins)
    rig = rig_of(tmp_path, begins, row["move_percent"], ends)
    rig.configuration = held_for(minutes=8)
    rig.run()
    events = replayed(rig)
    held = next(e for e in of_kind(events, "position.changed") if e.data["state"] == "HOLD")
    assert held.ts < begins
    exits = [e for e in of_kind(events, "gate.decided") if e.data["action"] == "exit"]
    exit_ = next(e for e in exits if e.data["trade"] == held.data["trade"])
    due = held.ts + 8 * MINUTE_US + (ends - begins)
    assert ends < due <= exit_.ts < due + MINUTE_US


def held_for(minutes: int) -> Configuration:
    data = all_day().to_data()
    data["strategies"]["S4"]["hold_minutes"] = minutes
    return configuration_from_data(data, where="test")


def test_a_kill_in_it_is_queued_once_and_leaves_when_trading_goes_on(tmp_path: Path) -> None:
    row = ROWS[0]
    begins = begins_of(row)
    ends = ends_of(row, begins)
    rig = rig_of(tmp_path, begins, row["move_percent"], ends)
    rig.configuration = held_for(minutes=200)

    pressed: list[bool] = []
    rig.stopping = lambda: press_once(rig, pressed)
    rig.run()
    events = replayed(rig)
    (kill,) = of_kind(events, "operator.command")
    assert begins <= kill.ts < ends
    exits = [e for e in of_kind(events, "gate.decided") if e.data["action"] == "exit"]
    assert [e.data["verdict"] for e in exits] == ["queued", "pass"]
    assert exits[0].ts < ends <= exits[1].ts <= ends + MINUTE_US
    assert of_kind(events, "portfolio.snapshot")[-1].data["positions"] == []


def press_once(rig: Rig, pressed: list[bool]) -> bool:
    """Press the kill switch at the first look after the halt is in the log."""
    if not pressed and any(
        line.body["kind"] == "market.status" for line in read_session(rig.directory)
    ):
        pressed.append(True)
        write_command(var_dir=rig.var_dir, key=SPOOL_KEY, command=tell(1, "kill"))
    return False


def test_cut_anywhere_in_it_it_continues_to_the_same_bytes(tmp_path: Path) -> None:
    row = ROWS[1]
    begins = begins_of(row)
    ends = ends_of(row, begins)
    rig = rig_of(tmp_path / "whole", begins, row["move_percent"], ends)
    rig.configuration = held_for(minutes=8)
    rig.run()
    lines = list(read_session(rig.directory))
    during = [line for line in lines if begins <= line.body["ts"] <= ends + 3 * MINUTE_US]
    assert len(during) > 50
    for line in [*during[:6], *during[6::25]]:
        cut = cut_after(rig, tmp_path / str(line.line), line)
        cut.run()
        assert bodies_of(cut.directory) == bodies_of(rig.directory), f"cut after {line.line}"


@pytest.mark.parametrize("known", ["known", "not known"])
def test_the_day_says_what_halts_are_counted_from(tmp_path: Path, known: str) -> None:
    close = known == "known"
    row = ROWS[0]
    begins = begins_of(row)
    rig = rig_of(tmp_path, begins, row["move_percent"], begins + 20 * MINUTE_US, close=close)
    rig.run()
    events = replayed(rig)
    (opened,) = of_kind(events, "day.opened")
    assert opened.data["calendar"]["halts_from_paise"] == (CLOSE if close else None)
    halts = [e for e in of_kind(events, "market.status") if e.data["status"] == "HALT"]
    assert bool(halts) == close
