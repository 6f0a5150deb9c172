"""Live feeds: the same frames as a recorded day from the same observations, through a growing file
and through a real WebSocket.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tests.market_factory import MINUTE_US, chain_frame
from tests.market_rows import at, chain_rows, store_rows
from trading.market.feed import feed_items
from trading.market.feeds.file_tail import FileTail
from trading.market.feeds.live import (
    ChainMessage,
    LevelMessage,
    LiveAssembly,
    LiveFeed,
    MessageError,
    PrintMessage,
    StatusMessage,
    VixMessage,
    live_items,
    message_of,
)
from trading.market.feeds.websocket import FeedLostError, WebSocketFeed
from trading.market.frames import MarketFrame, MarketStatus
from trading.market.quality import State
from trading.market.store import MarketStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

DAY = date(2026, 2, 24)
START = at(DAY, "10:00")


class Listed:
    """A feed of messages made before."""

    name = "listed"
    cadence_us = MINUTE_US

    def __init__(self, *messages: Any) -> None:
        self._messages = messages

    async def messages(self) -> AsyncIterator[Any]:
        for message in self._messages:
            yield message


def chain(minute: int, volatility: float = 0.12) -> ChainMessage:
    made = chain_frame("NIFTY", START + minute * MINUTE_US, volatility)
    return ChainMessage("NIFTY", made.available_at, made.chain)


def ticking(*instants: int) -> Callable[[], int]:
    """A clock that shows given instants, the last for ever."""
    left = list(instants)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


async def collect(feed: LiveFeed, clock: Callable[[], int], refused: list[str]) -> list[Any]:
    items = live_items(feed, ["NIFTY", "BANKNIFTY"], clock=clock, refused=refused.append)
    return [item async for item in items]


def json(*messages: Any) -> bytes:
    return b"".join(msgspec.json.encode(message) + b"\n" for message in messages)


MESSAGES = (
    LevelMessage("NIFTY", START, 24_990_00),
    VixMessage(START, 13.5),
    PrintMessage("NIFTY", START, "NIFTY-FUT", 1, 25_100_00, 65.0, "BUY"),
    chain(0),
    StatusMessage("NIFTY", "HALT", "drill"),
    chain(1, 0.121),
)


def _told(items: list[Any]) -> list[str]:
    return [i.status if isinstance(i, MarketStatus) else str(i.quality.chain.state) for i in items]


async def test_messages_become_frames_and_statuses_in_their_order() -> None:
    clock = ticking(*[START + seconds for seconds in range(6)])
    items = await collect(Listed(*MESSAGES), clock, [])
    assert _told(items) == ["MISSING", "FRESH", "HALT", "HALTED"]
    frame = items[1]
    assert (frame.spot_paise, frame.vix) == (24_990_00, 13.5)
    assert frame.prints[0].price_paise == (25_100_00,)
    assert frame.quality.spot.state is State.FRESH
    for item in items:
        if isinstance(item, MarketFrame):
            assert MarketFrame.from_data(item.to_data()) == item


async def test_a_forward_is_that_of_the_quotes_whatever_a_message_says() -> None:
    said = chain(0)
    wrong = msgspec.structs.replace(
        said, blocks=tuple(msgspec.structs.replace(b, forward_paise=1_00) for b in said.blocks)
    )
    (frame,) = await collect(Listed(wrong), ticking(START), [])
    assert abs(frame.chain[0].forward_paise - 25_321_40) < 10_00


async def test_what_cannot_be_read_is_said_and_stops_nothing() -> None:
    refused: list[str] = []
    feed = Listed(b"{", b'{"kind": "weather"}', b"\xff", *MESSAGES[:1])
    items = await collect(feed, ticking(START), refused)
    assert len(items) == 1
    assert len(refused) == 3
    with pytest.raises(MessageError, match="weather"):
        message_of(b'{"kind": "weather"}')


async def test_a_clock_set_back_does_not_turn_time_round() -> None:
    items = await collect(Listed(chain(0), chain(1, 0.13)), ticking(START + 100, START), [])
    assert [item.available_at for item in items] == [START + 100, START + 100]


async def test_an_underlying_that_was_not_asked_for_is_left_out() -> None:
    assert await collect(Listed(LevelMessage("SENSEX", START, 1)), ticking(START), []) == []


def test_a_gap_is_told_once_when_its_time_is_up() -> None:
    assembly = LiveAssembly(Listed(), ["NIFTY"])
    assembly.take(chain(0), START)
    assert assembly.gaps(START + 2 * MINUTE_US) == []
    (gap,) = assembly.gaps(START + 2 * MINUTE_US + 1)
    assert (gap.status, gap.available_at) == ("GAP", START + 2 * MINUTE_US)
    assert assembly.gaps(START + 99 * MINUTE_US) == []


def test_a_live_feed_gives_the_frames_of_the_recorded_day(tmp_path: Path) -> None:
    stamps = [START + i * MINUTE_US for i in range(3)]
    rows = [r for i, stamp in enumerate(stamps) for r in chain_rows(stamp, nudge=5 * i)]
    store_rows(tmp_path, "chain_snapshots", rows)
    recorded = [
        item
        for item in feed_items(MarketStore(tmp_path), ["NIFTY"], DAY, DAY)
        if isinstance(item, MarketFrame)
    ]
    assembly = LiveAssembly(Listed(), ["NIFTY"])
    live = [
        assembly.take(ChainMessage("NIFTY", f.as_of, f.chain), f.available_at)[0] for f in recorded
    ]
    for ours, theirs in zip(live, recorded, strict=True):
        assert isinstance(ours, MarketFrame)
        assert ours.chain == theirs.chain
        named = msgspec.structs.replace(ours.quality.chain, source=None)
        assert named == msgspec.structs.replace(theirs.quality.chain, source=None)


# --- a growing file -------------------------------------------------------------------------------


async def test_a_file_is_followed_and_no_half_line_is_given(tmp_path: Path) -> None:
    path = tmp_path / "feed.jsonl"
    whole = json(*MESSAGES)
    path.write_bytes(whole[:700])
    written = [whole[700:701], whole[701:]]

    async def sleep(_: float) -> None:
        if written:
            with path.open("ab") as file:
                file.write(written.pop(0))
        await asyncio.sleep(0)

    tail = FileTail("tail", path, MINUTE_US, sleep, stopping=lambda: not written)
    refused: list[str] = []
    items = await collect(tail, ticking(START), refused)
    assert refused == []
    assert _told(items) == ["MISSING", "FRESH", "HALT", "HALTED"]


async def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    tail = FileTail("tail", tmp_path / "none", MINUTE_US, asyncio.sleep, stopping=lambda: True)
    with pytest.raises(FileNotFoundError):
        await collect(tail, ticking(START), [])


# --- a WebSocket ----------------------------------------------------------------------------------


@contextlib.contextmanager
def serving(content: bytes, *options: str) -> Iterator[int]:
    """The port of a real server that sends the lines of `content`."""
    script = Path(__file__).with_name("websocket_server.py")
    with subprocess.Popen(
        [sys.executable, str(script), *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(content)
        process.stdin.close()
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


async def test_a_websocket_gives_what_a_file_gives() -> None:
    big = LevelMessage("SENSEX" * 20_000, START, 1)  # of another index, and long
    with serving(json(big, *MESSAGES)) as port:
        feed = WebSocketFeed("socket", f"ws://127.0.0.1:{port}/feed?x=1", MINUTE_US)
        refused: list[str] = []
        items = await asyncio.wait_for(collect(feed, ticking(START), refused), 30)
    assert refused == []
    assert _told(items) == ["MISSING", "FRESH", "HALT", "HALTED"]
    assert items[1].source.name == "socket"


async def test_a_connection_that_breaks_is_an_error_with_its_address() -> None:
    with serving(json(*MESSAGES), "--break") as port:
        feed = WebSocketFeed("socket", f"ws://127.0.0.1:{port}", MINUTE_US)
        with pytest.raises(FeedLostError, match=rf"ws://127\.0\.0\.1:{port}: the connection broke"):
            await asyncio.wait_for(collect(feed, ticking(START), []), 30)


async def test_what_is_no_websocket_is_an_error() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        feed = WebSocketFeed("socket", f"ws://127.0.0.1:{port}", MINUTE_US)
        with pytest.raises(FeedLostError, match=r"no WebSocket there, it answered 'HTTP/1\.1 404"):
            await asyncio.wait_for(collect(feed, ticking(START), []), 30)


@pytest.fixture
def free_port() -> Iterator[int]:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, never listening: nobody answers
        yield taken.getsockname()[1]


async def test_nobody_there_is_an_error_with_its_address(free_port: int) -> None:
    feed = WebSocketFeed("socket", f"ws://127.0.0.1:{free_port}", MINUTE_US)
    with pytest.raises(FeedLostError, match="no connection"):
        await collect(feed, ticking(START), [])
