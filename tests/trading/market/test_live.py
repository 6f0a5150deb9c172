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
from hypothesis import given, settings
from hypothesis import strategies as st

from journal.log.canonical import canonical_bytes
from tests.market_factory import MINUTE_US, chain_frame
from tests.market_rows import at, chain_rows, store_rows
from trading.market.feed import feed_items
from trading.market.feeds import file_tail, websocket
from trading.market.feeds.adapters import AddressError, Reconnecting, live_feed
from trading.market.feeds.file_tail import FileTail
from trading.market.feeds.live import LiveAssembly, LiveFeed
from trading.market.feeds.messages import (
    ChainMessage,
    FeedLostError,
    LevelMessage,
    MessageError,
    PrintMessage,
    StatusMessage,
    VixMessage,
    message_of,
)
from trading.market.feeds.websocket import WebSocketFeed
from trading.market.frames import MarketFrame, MarketStatus
from trading.market.quality import State
from trading.market.store import MarketStore

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

DAY = date(2026, 2, 24)
START = at(DAY, "10:00")


class Listed:
    """A feed of messages made before."""

    name = "listed"
    cadence_us = MINUTE_US

    def __init__(self, *messages: Any) -> None:
        self._messages = messages

    async def messages(self) -> AsyncGenerator[bytes, None]:
        for message in self._messages:
            yield message if isinstance(message, bytes) else msgspec.json.encode(message)


def chain(minute: int, volatility: float = 0.12) -> ChainMessage:
    made = chain_frame("NIFTY", START + minute * MINUTE_US, volatility)
    return ChainMessage("NIFTY", made.available_at, made.chain)


def ticking(*instants: int) -> Callable[[], int]:
    """A clock that shows given instants, the last for ever."""
    left = list(instants)
    return lambda: left.pop(0) if len(left) > 1 else left[0]


def assembly_of(feed: LiveFeed, *, from_us: int = START, **options: Any) -> LiveAssembly:
    shown = {"expiries": 4, "strikes_each_side": 30} | options
    return LiveAssembly(feed, ["NIFTY", "BANKNIFTY"], from_us=from_us, **shown)


async def collect(
    feed: LiveFeed, clock: Callable[[], int], *, most: int = 1000
) -> list[MarketFrame | MarketStatus]:
    """What the messages of a feed lead to, of at most so many."""
    assembly, items = assembly_of(feed), []
    async with contextlib.aclosing(feed.messages()) as messages:
        async for text in messages:
            items += assembly.take(message_of(text), clock())
            most -= 1
            if not most:
                break
    return items


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
    items = await collect(Listed(*MESSAGES), clock)
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
    (frame,) = await collect(Listed(wrong), ticking(START))
    assert abs(frame.chain[0].forward_paise - 25_321_40) < 10_00


GOOD = msgspec.to_builtins(chain(0))


def bad_block(**changes: Any) -> dict[str, Any]:
    return {**GOOD, "blocks": [{**GOOD["blocks"][0], **changes}]}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "unreadable message"),
        (b"\xff", "unreadable message"),
        ({"kind": "weather"}, "weather"),
        ({"kind": "vix", "as_of": START, "value": 0}, "value"),
        (
            {"kind": "level", "underlying": "NIFTY", "as_of": START, "value_paise": 2**60},
            "value_paise",
        ),
        ({"kind": "level", "underlying": "NIFTY", "as_of": -1, "value_paise": 1}, "as_of"),
        ({"kind": "status", "underlying": "NIFTY", "status": "HALT", "reason": "\0"}, "reason"),
        (bad_block(call_bid_paise=[5]), "call_bid_paise has 1 values, expected 9"),
        (bad_block(strike_paise=list(range(9, 0, -1))), "expected ascending strikes"),
        (bad_block(put_oi=[1.5, *[2**60] * 8]), "put_oi: a number of"),
        (bad_block(expires_at_us=2**60), "expires_at_us: a number of"),
        (bad_block(expiry="soon"), "not an ISO date"),
        ({**GOOD, "blocks": GOOD["blocks"] * 2}, "expected each once, ascending"),
    ],
)
def test_what_cannot_be_read_says_what_was_expected(content: Any, said: str) -> None:
    text = content if isinstance(content, bytes) else msgspec.json.encode(content)
    with pytest.raises(MessageError, match=said):
        message_of(text)


_paths = st.sampled_from(["as_of", "spot_paise", "blocks", "underlying"])
_block_paths = st.sampled_from(sorted(GOOD["blocks"][0]))
_junk = st.recursive(
    st.none()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.sampled_from(["NIFTY", "2026-03-02", 5, 2_500_000]),
    lambda inner: st.lists(inner, max_size=9),
    max_leaves=9,
)


@given(st.dictionaries(_paths, _junk, max_size=1), st.dictionaries(_block_paths, _junk, max_size=2))
@settings(max_examples=300, deadline=None)
def test_no_chain_message_gives_a_frame_the_log_or_the_engine_refuses(
    changed: dict[str, Any], in_block: dict[str, Any]
) -> None:
    content = {**GOOD, "blocks": [{**GOOD["blocks"][0], **in_block}], **changed}
    try:
        message = message_of(msgspec.json.encode(content))
    except MessageError:
        return
    for item in assembly_of(Listed()).take(message, START):
        assert isinstance(item, MarketFrame)
        data = item.to_data()
        assert MarketFrame.from_data(data) == item
        canonical_bytes(data)


def test_a_chain_is_cut_as_a_recorded_one_is() -> None:
    made = chain_frame("NIFTY", START, 0.12, each_side=20)
    first = made.chain[0]
    later = [
        msgspec.structs.replace(first, expiry=f"2026-0{month}-30", expires_at_us=at_us)
        for month, at_us in ((1, START - 1), (4, first.expires_at_us + 1), (5, 2**49))
    ]
    without = msgspec.structs.replace(
        later[1], expiry="2026-03-30", call_bid_paise=(None,) * len(first.strike_paise)
    )
    message = ChainMessage("NIFTY", START, (later[0], first, without, later[1], later[2]))
    assembly = assembly_of(Listed(), expiries=2, strikes_each_side=5)
    (frame,) = assembly.take(message, START)
    assert isinstance(frame, MarketFrame)
    assert [block.expiry for block in frame.chain] == ["2026-03-02", "2026-04-30"]
    for block in frame.chain:
        strikes, forward = block.strike_paise, block.forward_paise or 0
        assert len(strikes) == 11
        assert min(strikes, key=lambda strike: abs(strike - forward)) == strikes[5]


async def test_an_underlying_that_was_not_asked_for_is_left_out() -> None:
    assert await collect(Listed(LevelMessage("SENSEX", START, 1)), ticking(START)) == []


def test_a_gap_is_told_once_when_its_time_is_up() -> None:
    assembly = assembly_of(Listed())
    assembly.take(chain(0), START + 1)
    assert [gap.underlying for gap in assembly.gaps(START + 2 * MINUTE_US + 1)] == ["BANKNIFTY"]
    (gap,) = assembly.gaps(START + 2 * MINUTE_US + 2)
    assert (gap.status, gap.available_at) == ("GAP", START + 2 * MINUTE_US + 1)
    assert assembly.gaps(START + 99 * MINUTE_US) == []


def test_silence_before_the_market_opens_or_in_a_halt_is_no_gap() -> None:
    assembly = assembly_of(Listed(), from_us=START + 10 * MINUTE_US, halted=["BANKNIFTY"])
    assembly.take(chain(0), START)
    assert assembly.gaps(START + 12 * MINUTE_US) == []
    (gap,) = assembly.gaps(START + 12 * MINUTE_US + 1)
    assert (gap.underlying, gap.available_at) == ("NIFTY", START + 12 * MINUTE_US)
    at_us = START + 20 * MINUTE_US
    assembly.take(StatusMessage("BANKNIFTY", "RESUME"), at_us)
    (gap,) = assembly.gaps(at_us + 3 * MINUTE_US)
    assert (gap.underlying, gap.available_at) == ("BANKNIFTY", at_us + 2 * MINUTE_US)


def test_a_feed_taken_up_in_a_halt_knows_it() -> None:
    (frame,) = assembly_of(Listed(), halted=["NIFTY"]).take(chain(0), START)
    assert isinstance(frame, MarketFrame)
    assert frame.quality.chain.state is State.HALTED


def test_a_live_feed_gives_the_frames_of_the_recorded_day(tmp_path: Path) -> None:
    stamps = [START + i * MINUTE_US for i in range(3)]
    rows = [r for i, stamp in enumerate(stamps) for r in chain_rows(stamp, nudge=5 * i)]
    store_rows(tmp_path, "chain_snapshots", rows)
    recorded = [
        item
        for item in feed_items(MarketStore(tmp_path), ["NIFTY"], DAY, DAY)
        if isinstance(item, MarketFrame)
    ]
    assembly = assembly_of(Listed())
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
    path.write_bytes(json(chain(-1)) * 100 + whole[:70])  # what was said before, and half a line
    written = [whole[70:700], whole[700:701], whole[701:]]

    async def sleep(_: float) -> None:
        if written:
            with path.open("ab") as file:
                file.write(written.pop(0))
        await asyncio.sleep(0)

    tail = FileTail("tail", path, MINUTE_US, sleep)
    items = await asyncio.wait_for(collect(tail, ticking(START), most=len(MESSAGES)), 30)
    assert _told(items) == ["MISSING", "FRESH", "HALT", "HALTED"]


@pytest.mark.parametrize("emptied", [True, False])
async def test_a_file_that_takes_the_place_of_another_is_read_from_its_beginning(
    tmp_path: Path, *, emptied: bool
) -> None:
    path, other = tmp_path / "feed.jsonl", tmp_path / "other"
    path.write_bytes(b"before\n")
    steps = [b"one\n", b"two\n"]

    async def sleep(_: float) -> None:
        if len(steps) == 2:
            with path.open("ab") as file:
                file.write(steps.pop(0))
        elif steps and emptied:
            path.write_bytes(steps.pop(0))
        elif steps:
            other.write_bytes(steps.pop(0))
            path.unlink()
            other.rename(path)
        await asyncio.sleep(0)

    async with contextlib.aclosing(FileTail("t", path, 1, sleep).messages()) as messages:
        assert await asyncio.wait_for(anext(messages), 30) == b"one"
        assert await asyncio.wait_for(anext(messages), 30) == b"two"


async def test_a_line_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_tail, "LARGEST_MESSAGE", 100)
    path = tmp_path / "feed.jsonl"
    path.write_bytes(b"x" * 101)
    with pytest.raises(FeedLostError, match=r"feed\.jsonl: a line of more than 100 bytes"):
        await collect(FileTail("t", path, 1, asyncio.sleep), ticking(START))


async def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    tail = FileTail("tail", tmp_path / "none", MINUTE_US, asyncio.sleep)
    with pytest.raises(FileNotFoundError):
        await collect(tail, ticking(START))


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
        items = await asyncio.wait_for(collect(feed, ticking(START)), 30)
    assert _told(items) == ["MISSING", "FRESH", "HALT", "HALTED"]
    assert items[1].source.name == "socket"


async def test_a_connection_that_breaks_is_an_error_with_its_address() -> None:
    with serving(json(*MESSAGES), "--break") as port:
        feed = WebSocketFeed("socket", f"ws://127.0.0.1:{port}", MINUTE_US)
        with pytest.raises(FeedLostError, match=rf"ws://127\.0\.0\.1:{port}: the connection broke"):
            await asyncio.wait_for(collect(feed, ticking(START)), 30)


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
            await asyncio.wait_for(collect(feed, ticking(START)), 30)


@pytest.fixture
def free_port() -> Iterator[int]:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, never listening: nobody answers
        yield taken.getsockname()[1]


async def test_nobody_there_is_an_error_with_its_address(free_port: int) -> None:
    feed = WebSocketFeed("socket", f"ws://127.0.0.1:{free_port}", MINUTE_US)
    with pytest.raises(FeedLostError, match="no connection"):
        await collect(feed, ticking(START))


async def test_a_connection_that_says_nothing_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "SILENCE_SECONDS", 0.2)
    with serving(json(*MESSAGES), "--silent") as port:
        feed = WebSocketFeed("socket", f"ws://127.0.0.1:{port}", 1)
        with pytest.raises(FeedLostError, match=r"nothing heard for 0\.2"):
            await asyncio.wait_for(collect(feed, ticking(START)), 30)


# --- addresses, and feeds that come back ----------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("tail:/nowhere/feed", "'tail:/nowhere/feed': no such file"),
        ("http://127.0.0.1/", "expected tail:PATH, ws://HOST"),
        ("ws://", "expected tail:PATH, ws://HOST"),
        ("ws://host:port/", "expected tail:PATH, ws://HOST"),
        ("ws://host:0/", "expected tail:PATH, ws://HOST"),
        ("", "expected tail:PATH, ws://HOST"),
    ],
)
def test_an_address_that_means_no_feed_is_refused(address: str, said: str) -> None:
    with pytest.raises(AddressError, match=said):
        live_feed(address, cadence_us=1, sleep=asyncio.sleep)


class Failing:
    """A feed that says one thing a time and breaks off, ends, or cannot be reached."""

    name = "failing"
    cadence_us = 1

    def __init__(self) -> None:
        self.times = 0

    async def messages(self) -> AsyncGenerator[bytes, None]:
        self.times += 1
        if self.times in {2, 3}:
            raise FeedLostError("nobody there")
        yield b"%d" % self.times
        if self.times == 1:
            raise FeedLostError("it broke")


async def test_a_feed_that_breaks_off_is_taken_up_again_and_each_loss_said_once() -> None:
    said: list[str] = []
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    feed = Reconnecting(Failing(), sleep, said.append)
    async with contextlib.aclosing(feed.messages()) as messages:
        assert [await anext(messages) for _ in range(3)] == [b"1", b"4", b"5"]
    assert [line.partition("; ")[0] for line in said] == [
        "live feed lost: it broke",
        "live feed lost: nobody there",
        "live feed lost: it ended",
    ]
    assert slept == [2.0] * 4
