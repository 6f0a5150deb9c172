"""The inputs of a live day: ordered whatever the clock does, a tick a second, gaps, the close."""

from __future__ import annotations

import asyncio
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.market_factory import MINUTE_US, chain_frame
from trading.engine.live import SECOND_US, LiveDay
from trading.market.calendar import session_hours
from trading.market.feeds.live import LiveAssembly
from trading.market.feeds.messages import ChainMessage, LevelMessage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from trading.engine.inputs import FeedInput

HOURS = session_hours(date(2026, 2, 24))
OPEN, CLOSE = HOURS.open_us, HOURS.close_us


class Scripted:
    """A feed that speaks at given instants and moves the clock to them, then stays silent while the
    clock goes to the close.
    """

    name = "scripted"
    cadence_us = 5 * SECOND_US

    def __init__(self, *said: tuple[int, Any]) -> None:
        self._said = said
        self.now = OPEN

    async def messages(self) -> AsyncGenerator[bytes, None]:
        for at_us, message in self._said:
            self.now = at_us
            yield message if isinstance(message, bytes) else msgspec.json.encode(message)
        self.now = CLOSE
        await asyncio.Event().wait()


def level(paise: int = 25_000_00, underlying: str = "NIFTY") -> LevelMessage:
    return LevelMessage(underlying, OPEN, paise)


async def inputs_of(
    feed: Scripted, *, after_us: int = OPEN - 1, refused: Callable[[str], None] = print
) -> list[FeedInput]:
    from_us = max(OPEN, feed.now, after_us)
    assembly = LiveAssembly(
        feed, ["NIFTY", "BANKNIFTY"], expiries=4, strikes_each_side=30, from_us=from_us
    )
    day = LiveDay(feed, assembly, HOURS, clock=lambda: feed.now, after_us=after_us, refused=refused)
    return [item async for group in day.instants() for item in group]


def kinds(inputs: list[FeedInput]) -> list[tuple[str, int]]:
    return [(item.kind.partition(".")[2], item.ts - OPEN) for item in inputs]


async def test_ticks_gaps_and_frames_come_in_the_order_of_their_instants() -> None:
    feed = Scripted(
        (OPEN, level()),
        (OPEN + 100, level(25_001_00)),
        (OPEN + 3 * SECOND_US + 7, level(25_002_00)),
        (OPEN + 12 * SECOND_US, level(25_003_00, "BANKNIFTY")),
    )
    assert kinds(await inputs_of(feed)) == [
        ("tick", 0),
        ("frame", 1),
        ("frame", 101),
        ("tick", 3 * SECOND_US),
        ("frame", 3 * SECOND_US + 8),
        ("status", 10 * SECOND_US),  # BANKNIFTY has said nothing since the open
        ("tick", 12 * SECOND_US),
        ("frame", 12 * SECOND_US + 1),
        ("status", 13 * SECOND_US + 8),
        ("status", 22 * SECOND_US + 1),
        ("tick", CLOSE - OPEN),
    ]


async def test_a_gap_whose_time_is_up_as_a_message_comes_is_told_after_it() -> None:
    at_us = OPEN + 2 * Scripted.cadence_us  # BANKNIFTY has said nothing since the open
    feed = Scripted((OPEN, level()), (at_us, level(25_001_00)), (at_us + 5, level(25_002_00)))
    inputs = await inputs_of(feed)
    assert [kind for kind, _ in kinds(inputs)][:5] == ["tick", "frame", "tick", "frame", "status"]
    assert [item.ts for item in inputs] == sorted(item.ts for item in inputs)


async def test_a_day_ends_with_the_tick_at_its_close_and_nothing_after_it() -> None:
    feed = Scripted((CLOSE - 2, level()), (CLOSE, level(1)), (CLOSE + 9, level(2)))
    inputs = await inputs_of(feed)
    assert kinds(inputs)[-2:] == [("frame", CLOSE - 1 - OPEN), ("tick", CLOSE - OPEN)]


async def test_a_day_left_open_and_taken_up_after_its_close_is_only_closed() -> None:
    feed = Scripted((CLOSE + MINUTE_US, level()))
    feed.now = CLOSE + MINUTE_US
    inputs = await inputs_of(feed, after_us=CLOSE - 5 * MINUTE_US)
    assert kinds(inputs) == [("tick", CLOSE - OPEN)]


async def test_what_cannot_be_read_is_said_and_stops_nothing() -> None:
    refused: list[str] = []
    feed = Scripted((OPEN, b"{"), (OPEN, b"\xff"), (OPEN, b'{"kind": "weather"}'), (OPEN, level()))
    inputs = await inputs_of(feed, refused=refused.append)
    assert [item.kind for item in inputs if item.kind == "market.frame"] == ["market.frame"]
    assert len(refused) == 3


async def test_before_the_open_there_are_frames_and_no_ticks() -> None:
    before = OPEN - 4 * MINUTE_US
    inputs = await inputs_of(Scripted((before, level())), after_us=before - 1)
    assert kinds(inputs)[0] == ("frame", before + 1 - OPEN)
    assert min(item.ts for item in inputs if item.kind == "clock.tick") >= OPEN


_moments = st.integers(OPEN - MINUTE_US, CLOSE + MINUTE_US)


@given(
    st.lists(st.tuples(_moments, st.sampled_from(["NIFTY", "BANKNIFTY"])), max_size=25),
    st.integers(OPEN - MINUTE_US, CLOSE - 1),
)
@settings(max_examples=60, deadline=None)
def test_time_never_goes_back_whatever_the_clock_does(
    said: list[tuple[int, str]], after_us: int
) -> None:
    """The clock jumps to and fro between messages; inputs ascend all the same, those of a kind and
    underlying strictly, and there is one tick at the close and at most one a second.
    """
    messages = []
    for number, (at_us, underlying) in enumerate(said):
        made = chain_frame(underlying, OPEN + number, 0.1 + number / 1000)
        messages.append((at_us, ChainMessage(underlying, OPEN + number, made.chain)))
    inputs = asyncio.run(inputs_of(Scripted(*messages), after_us=after_us))
    assert all(item.ts >= after_us for item in inputs)
    for before, after in pairwise(inputs):
        assert before.ts <= after.ts
    ticks = [item.ts for item in inputs if item.kind == "clock.tick"]
    assert ticks[-1] == CLOSE == inputs[-1].ts
    assert all(tick % SECOND_US == 0 for tick in ticks)
    assert len(set(ticks)) == len(ticks)
