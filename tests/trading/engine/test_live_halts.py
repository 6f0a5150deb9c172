"""Market-wide halts of a live session, counted from the index as its feed tells it: real sessions
on a feed with a clock of its own, cut at any line and gone on with.
"""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from journal.log.head import Head, publish_head
from journal.log.reader import read_session
from journal.log.verification import verify_session
from tests.market_factory import SPOOL_KEY, factory_configuration
from tests.trading.engine.test_derived_halts import ROW_NAMES, ROWS, begins_of, ends_of
from tests.trading.engine.test_runner import bodies_of
from tests.trading.engine.test_settlement import of_kind
from trading.engine.configuration import configuration_from_data
from trading.engine.plan import Plan, World
from trading.engine.runner import SessionRunner
from trading.market.calendar import session_hours
from trading.market.feeds.messages import LevelMessage, StatusMessage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

    from journal.events import Event
    from journal.log.reader import LogLine
    from trading.market.feeds.messages import Message

DAY = date(2026, 2, 24)
HOURS = session_hours(DAY)
CLOSE = 25_000_00
MINUTE_US = 60_000_000
OFF_US = 300_000  # of the feed from whole seconds: ticks come at these
BOTH = ("NIFTY", "BANKNIFTY")
Said = tuple[int, "Message"]


@dataclass
class Clocked:
    """A feed that says each message when its time has come by the clock that it is, and is silent
    at the end while the clock goes to the close.
    """

    said: Sequence[Said]
    now: int = HOURS.open_us - MINUTE_US
    name: str = "clocked"
    cadence_us: int = 4 * MINUTE_US

    async def messages(self) -> AsyncGenerator[bytes, None]:
        for at_us, message in self.said:
            self.now = max(self.now, at_us)
            yield msgspec.json.encode(message)
        self.now = HOURS.close_us
        await asyncio.Event().wait()


@dataclass
class Session:
    """A live session's files and what its feed says on the day."""

    var_dir: Path
    said: Sequence[Said]
    closes: dict[str, int] = field(default_factory=lambda: {"NIFTY": CLOSE})
    underlyings: tuple[str, ...] = BOTH
    asked: list[str] = field(default_factory=list)

    @property
    def directory(self) -> Path:
        return self.var_dir / "sessions" / "live"

    def run(self, *, from_us: int = HOURS.open_us - MINUTE_US) -> list[Event]:
        """Run, or continue, the day from an instant to its close."""
        data = factory_configuration(lookback_snapshots=5, hold_minutes=3).to_data()
        data["underlyings"] = list(self.underlyings)
        data["gates"] |= {"first_entry": "09:15", "last_entry": "15:29"}
        feed = Clocked(self.said, now=from_us)
        plan = Plan(
            session="live",
            configuration=configuration_from_data(data, where="test"),
            days=[DAY],
            live=feed,
            halts_from=self._halts_from,
            code_version="test",
            pack=False,
        )
        world = World(
            var_dir=self.var_dir,
            spool_key=SPOOL_KEY,
            clock=lambda: feed.now,
            sleep=asyncio.sleep,
            stopping=lambda: False,
            progress=self.asked.append,
        )
        SessionRunner(plan, world).run()
        verify_session(self.directory)
        return [line.to_event() for line in read_session(self.directory)]

    def _halts_from(self, day: date) -> dict[str, int]:
        assert day == DAY
        self.asked.append("halts_from")
        return self.closes

    def cut_after(self, line: LogLine, target: Path, heard: set[int]) -> Session:
        """A copy of it as a kill would have left it just after a line, and a feed that goes on
        after the messages of some instants.
        """
        shutil.copytree(self.directory, target / "sessions" / "live")
        unheard = [each for each in self.said if each[0] not in heard]
        copy = Session(target, unheard, {}, self.underlyings)
        path = copy.directory / line.file
        end = line.offset + line.length
        path.write_bytes(path.read_bytes()[:end])
        publish_head(copy.directory, Head(line.file, end, line.line, line.hash))
        return copy


def market(
    from_us: int, past_us: int, percent_at: dict[int, float], *, minutes: int = 1
) -> list[Said]:
    """Levels of both indices every so many minutes, BANKNIFTY's a second later. NIFTY, which never
    stands still, is so many per cent below its close from an instant on.
    """
    said: list[Said] = []
    percent = 0.0
    for number, at_us in enumerate(range(from_us, past_us, minutes * MINUTE_US)):
        percent = percent_at.get(at_us, percent)
        spot = round(CLOSE * (1 - percent / 100)) - 5 * (number % 4)
        said.append((at_us, LevelMessage("NIFTY", at_us, spot)))
        later = at_us + 1_000_000
        said.append((later, LevelMessage("BANKNIFTY", later, 58_000_00 + 5 * number)))
    return said


def slow_market(begins_us: int, past_us: int, *, again_us: int | None = None) -> list[Said]:
    """The same every four minutes from the open on, down 10 % at an instant, 15 % at another, in
    steps that nobody takes for an error.
    """
    step_us = 4 * MINUTE_US
    percent_at = {begins_us - n * step_us: 10 - 2.5 * n for n in (3, 2, 1, 0)}
    if again_us is not None:
        percent_at |= {again_us - step_us: 12.5, again_us: 15.0}
    return market(HOURS.open_us + OFF_US, past_us, percent_at, minutes=4)


def falling(begins_us: int, percent: int, past_us: int) -> list[Said]:
    """A fall that three values of the index confirm, the last of them at an instant."""
    return market(begins_us - 12 * MINUTE_US, past_us, {begins_us - 2 * MINUTE_US: float(percent)})


def told(events: list[Event], underlying: str) -> list[tuple[str, int]]:
    """What was said of an underlying, gaps left out, and when."""
    return [
        (event.data["status"], event.ts)
        for event in of_kind(events, "market.status")
        if event.data["status"] != "GAP" and event.key == underlying
    ]


def gate_3(event: Event) -> list[str]:
    return [each["verdict"] for each in event.data["gates"] if each["number"] == 3]


@pytest.mark.parametrize("row", ROWS, ids=ROW_NAMES)
def test_each_row_halts_a_live_session_from_the_value_to_its_end(
    tmp_path: Path, row: dict[str, Any]
) -> None:
    begins, percent = begins_of(row), row["move_percent"]
    ends = ends_of(row, begins)
    past_us = min(ends + 3 * MINUTE_US, HOURS.close_us)
    events = Session(tmp_path, falling(begins, percent, past_us)).run()
    (opened,) = of_kind(events, "day.opened")
    assert opened.data["calendar"]["halts_from_paise"] == CLOSE
    if ends == begins:  # late enough to halt nothing
        assert [told(events, name) for name in BOTH] == [[], []]
        return
    heard_us = begins + 1  # the value of that instant is received 1 µs later
    expected = [("HALT", heard_us), ("RESUME", ends)][: 1 if ends == HOURS.close_us else 2]
    assert [told(events, name) for name in BOTH] == [expected, expected]
    halt = next(e for e in of_kind(events, "market.status") if e.data["status"] == "HALT")
    assert halt.data["reason"] == (
        f"market-wide circuit breaker, {percent} % of the previous close 25000.00 of NIFTY"
    )
    assert halt.data["standing"] == {"told": False, "until_us": ends, "move_percent": percent}
    seen = set()
    for snapshot in of_kind(events, "portfolio.snapshot"):
        verdicts = set(gate_3(snapshot))
        if begins < snapshot.ts < ends:
            assert verdicts == {"block"}
            seen.add("halted")
        elif begins - 10 * MINUTE_US < snapshot.ts <= begins:
            assert verdicts == {"pass"}
            seen.add("before")
    assert seen == {"before", "halted"}
    # The value that halts already stands in the halt.
    (crossing,) = [e for e in of_kind(events, "market.frame") if e.ts == heard_us]
    assert crossing.data["quality"]["spot"]["state"] == "HALTED"


def test_without_a_close_a_live_session_tells_what_its_feed_tells_and_no_more(
    tmp_path: Path,
) -> None:
    begins = HOURS.open_us + 20 * MINUTE_US
    said = falling(begins, 12, begins + 5 * MINUTE_US)
    said.append((begins + 5 * MINUTE_US, StatusMessage("NIFTY", "HALT", "drill")))
    events = Session(tmp_path, said, closes={}).run()
    assert of_kind(events, "day.opened")[0].data["calendar"]["halts_from_paise"] is None
    halts = [e for e in of_kind(events, "market.status") if e.data["status"] != "GAP"]
    assert [e.data for e in halts] == [{"underlying": "NIFTY", "status": "HALT", "reason": "drill"}]


def test_the_index_halts_a_session_that_does_not_trade_it(tmp_path: Path) -> None:
    begins = HOURS.open_us + 20 * MINUTE_US
    said = falling(begins, 10, begins + 62 * MINUTE_US)
    events = Session(tmp_path, said, underlyings=("BANKNIFTY",)).run()
    ends = begins + 60 * MINUTE_US
    assert told(events, "BANKNIFTY") == [("HALT", begins + 1), ("RESUME", ends)]
    assert {event.key for event in of_kind(events, "market.frame")} == {"BANKNIFTY"}


def test_sensex_halts_a_live_session_where_its_close_is_held(tmp_path: Path) -> None:
    """It is heard though no session trades it, and what was halted for is not again after a cut."""
    begins = HOURS.open_us + 20 * MINUTE_US + OFF_US
    sensex, step_us = 82_000_00, 4 * MINUTE_US
    said = market(HOURS.open_us + OFF_US, begins + 80 * MINUTE_US, {}, minutes=4)
    said += [
        (at_us + 2_000_000, LevelMessage("SENSEX", at_us, sensex * (1000 - 25 * n) // 1000))
        for n in range(5)
        for at_us in [begins + (n - 4) * step_us]
    ]
    low = begins + 64 * MINUTE_US + 2_000_000
    said.append((low, LevelMessage("SENSEX", low, sensex * 899 // 1000)))
    said.sort(key=lambda each: each[0])
    without = Session(tmp_path / "without", said).run()
    assert "halts_from_sensex_paise" not in of_kind(without, "day.opened")[0].data["calendar"]
    assert told(without, "NIFTY") == []

    session = Session(tmp_path / "with", said, closes={"NIFTY": CLOSE, "SENSEX": sensex})
    events = session.run()
    calendar = of_kind(events, "day.opened")[0].data["calendar"]
    assert calendar["halts_from_paise"] == CLOSE
    assert calendar["halts_from_sensex_paise"] == sensex
    expected = [("HALT", begins + 2_000_001), ("RESUME", begins + 60 * MINUTE_US)]
    assert [told(events, name) for name in BOTH] == [expected, expected]
    reason = "market-wide circuit breaker, 10 % of the previous close 82000.00 of SENSEX"
    halts = [e for e in of_kind(events, "market.status") if e.data["status"] == "HALT"]
    assert {e.data["reason"] for e in halts} == {reason}
    lines = list(read_session(session.directory))
    n = max(n for n, e in enumerate(events) if e.key == "BANKNIFTY" and e.ts == halts[0].ts)
    cut = session.cut_after(lines[n], tmp_path / "cut", {at for at, _ in said if at < events[n].ts})
    gone_on = cut.run(from_us=events[n].ts)
    assert [told(gone_on, name) for name in BOTH] == [expected, expected]


@pytest.mark.parametrize(
    ("feed", "expected"),
    [
        # (minute from the halt's beginning, what the feed says); the breaker's is 0 to 60.
        (((0.5, "HALT"), (58, "RESUME")), ("HALT 0", "NOTED 0.5", "NOTED 58", "RESUME 60")),
        (((0.5, "HALT"), (65, "RESUME")), ("HALT 0", "NOTED 0.5", "RESUME 65")),
        (((-3.5, "HALT"), (58, "RESUME")), ("HALT -3.5", "NOTED 0", "NOTED 58", "RESUME 60")),
        (((-3.5, "HALT"), (65, "RESUME")), ("HALT -3.5", "NOTED 0", "RESUME 65")),
        (((-3.5, "HALT"), (-1.5, "RESUME")), ("HALT -3.5", "RESUME -1.5", "HALT 0", "RESUME 60")),
    ],
)
def test_a_halt_that_feed_and_index_tell_is_one_halt_also_when_it_is_cut(
    tmp_path: Path, feed: tuple[tuple[float, Any], ...], expected: tuple[str, ...]
) -> None:
    begins = HOURS.open_us + 20 * MINUTE_US + OFF_US
    said = slow_market(begins, begins + 70 * MINUTE_US)
    said += [(begins + int(n * MINUTE_US), StatusMessage("NIFTY", what)) for n, what in feed]
    session = Session(tmp_path / "whole", sorted(said, key=lambda each: each[0]))
    events = session.run()
    minutes = [
        f"{status} {round((at - begins) / MINUTE_US, 3):g}" for status, at in told(events, "NIFTY")
    ]
    assert minutes == list(expected)
    assert told(events, "BANKNIFTY") == [("HALT", begins + 1), ("RESUME", begins + 60 * MINUTE_US)]
    assert_cut_anywhere(session, tmp_path, every=200)


def test_cut_anywhere_it_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    """10 % halt for an hour, then 15 % for two."""
    begins = HOURS.open_us + 20 * MINUTE_US + OFF_US
    again = begins + 72 * MINUTE_US
    said = slow_market(begins, again + 125 * MINUTE_US, again_us=again)
    session = Session(tmp_path / "whole", said)
    events = session.run()
    expected = [
        ("HALT", begins + 1),
        ("RESUME", begins + 60 * MINUTE_US),
        ("HALT", again + 1),
        ("RESUME", again + 120 * MINUTE_US),
    ]
    assert [told(events, name) for name in BOTH] == [expected, expected]
    assert_cut_anywhere(session, tmp_path, every=100)


def test_taken_up_after_its_end_a_halt_has_ended_when_it_should(tmp_path: Path) -> None:
    begins = HOURS.open_us + 20 * MINUTE_US + OFF_US
    session = Session(tmp_path / "whole", slow_market(begins, begins + 70 * MINUTE_US))
    events = session.run()
    lines = list(read_session(session.directory))
    halted = max(n for n, e in enumerate(events) if e.ts == begins + 1 and "standing" in e.data)
    for until_us in (begins + 75 * MINUTE_US, HOURS.close_us + MINUTE_US):
        heard = {at for at, _ in session.said if at < until_us}
        cut = session.cut_after(lines[halted], tmp_path / str(until_us), heard)
        gone_on = cut.run(from_us=until_us)
        assert told(gone_on, "NIFTY") == [("HALT", begins + 1), ("RESUME", begins + 60 * MINUTE_US)]
        assert told(gone_on, "BANKNIFTY") == told(gone_on, "NIFTY")


def test_after_an_interruption_one_wild_value_halts_nothing_either(tmp_path: Path) -> None:
    """The values that the log shows are what it is held against."""
    calm = market(HOURS.open_us + OFF_US, HOURS.open_us + 60 * MINUTE_US, {}, minutes=4)
    at_us, _ = calm[10]
    calm[10] = (at_us, LevelMessage("NIFTY", at_us, CLOSE // 10))
    session = Session(tmp_path / "whole", calm)
    events = session.run()
    assert told(events, "NIFTY") == []
    lines = list(read_session(session.directory))
    before = max(n for n, e in enumerate(events) if e.kind == "market.frame" and e.ts < at_us)
    cut = session.cut_after(lines[before], tmp_path / "cut", {at for at, _ in calm[:10]})
    assert told(cut.run(from_us=events[before].ts), "NIFTY") == []


def assert_cut_anywhere(session: Session, to: Path, *, every: int) -> None:
    """Cut around each status and at so many lines' distance, it goes on to the same bytes. Between
    a halt and the value that began it there is no such thing: that comes a moment later then, and
    the halts are the same. Nor is there of the silence after the last message, which is counted
    from the start.
    """
    lines = list(read_session(session.directory))
    events = [line.to_event() for line in lines]
    near = {n + d for n, each in enumerate(events) if each.kind == "market.status" for d in (-1, 0)}
    spoken = dict(session.said)
    heard: set[int] = set()
    for number, (line, event) in enumerate(zip(lines, events, strict=True)):
        if event.ts > session.said[-4][0]:
            break
        message = spoken.get(event.ts - 1)
        inputs = {"market.status"} if isinstance(message, StatusMessage) else {"market.frame"}
        if event.kind in inputs:
            heard.add(event.ts - 1)
        if (number not in near and number % every) or event.kind == "log.opened":
            continue
        cut = session.cut_after(line, to / str(number), heard)
        gone_on = cut.run(from_us=event.ts)
        if event.ts - 1 in {*spoken} - heard:
            assert [told(gone_on, name) for name in BOTH] == [told(events, name) for name in BOTH]
        else:
            assert bodies_of(cut.directory) == bodies_of(session.directory), f"after {number}"
        assert "halts_from" not in cut.asked  # the log says what halts are counted from
