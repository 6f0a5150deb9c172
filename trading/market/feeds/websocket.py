"""A live feed out of a WebSocket (RFC 6455): each text message is one JSON message. An example of
an adapter; a broker's own would log in first and translate the broker's messages into `live`'s.

A client of its own, because the library that the web server brings can run in one event loop a
process only, and that is the web server's.
"""

from __future__ import annotations

import asyncio
import base64
import os
from contextlib import aclosing
from dataclasses import dataclass
from hashlib import sha1
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from trading.market.feeds.messages import LARGEST_MESSAGE, FeedLostError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 30.0  # and four cadences without a word or a ping: the connection is broken
_PORTS = {"ws": 80, "wss": 443}
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # of the protocol
_CONTINUED, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_FINAL, _MASKED = 0x80, 0x80


@dataclass(slots=True)
class WebSocketFeed:
    """Messages of one connection to `url` (ws:// or wss://). A close by the server ends the
    feed.
    """

    name: str
    url: str
    cadence_us: int

    async def messages(self) -> AsyncGenerator[bytes, None]:
        """Yield messages until the server closes. Raises FeedLostError when the connection cannot
        be made or breaks.
        """
        patience = SILENCE_SECONDS + 4 * self.cadence_us / 1e6
        reader, writer = await self._connect()
        try:
            await self._shake_hands(reader, writer)
            async with aclosing(_messages(reader, writer, patience)) as messages:
                async for message in messages:
                    yield message
        except TimeoutError:
            reason = f"nothing heard for {patience:g} s"
            raise FeedLostError(f"{self.url}: the connection broke: {reason}") from None
        except (asyncio.IncompleteReadError, OSError, ValueError) as error:
            raise FeedLostError(f"{self.url}: the connection broke: {error}") from None
        finally:
            writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(self.url)
        try:
            port = parts.port or _PORTS[parts.scheme]
            secure = True if parts.scheme == "wss" else None
            async with asyncio.timeout(CONNECT_SECONDS):
                return await asyncio.open_connection(parts.hostname, port, ssl=secure)
        except OSError as error:
            raise FeedLostError(f"{self.url}: no connection: {error}") from None

    async def _shake_hands(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        parts = urlsplit(self.url)
        key = base64.b64encode(os.urandom(16))
        target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        writer.write(
            f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key.decode()}\r\n\r\n".encode()
        )
        async with asyncio.timeout(CONNECT_SECONDS):
            answer = await reader.readuntil(b"\r\n\r\n")
        first, *lines = answer.decode("latin-1").split("\r\n")
        headers = {n.strip().lower(): v.strip() for n, _, v in (s.partition(":") for s in lines)}
        wanted = base64.b64encode(sha1(key + _GUID, usedforsecurity=False).digest()).decode()
        if " 101 " not in f"{first} " or headers.get("sec-websocket-accept") != wanted:
            raise ValueError(f"no WebSocket there, it answered {first!r}")


async def _messages(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, patience: float
) -> AsyncGenerator[bytes, None]:
    """Whole messages until a close frame; pings are answered. Raises TimeoutError after `patience`
    seconds of silence.
    """
    parts: list[bytes] = []
    while True:
        async with asyncio.timeout(patience):
            final, opcode, payload = await _frame(reader)
        if opcode == _CLOSE:
            writer.write(_masked(_CLOSE, payload))
            return
        if opcode == _PING:
            writer.write(_masked(_PONG, payload))
        elif opcode in {_TEXT, _BINARY, _CONTINUED}:
            parts.append(payload)
            if sum(map(len, parts)) > LARGEST_MESSAGE:
                raise ValueError(f"a message of more than {LARGEST_MESSAGE} bytes")
            if final:
                yield b"".join(parts)
                parts.clear()


async def _frame(reader: asyncio.StreamReader) -> tuple[bool, int, bytes]:
    first, second = await reader.readexactly(2)
    if second & _MASKED:
        raise ValueError("a masked frame from the server")
    length = second & 0x7F
    if length > 125:  # 126 and 127: the length follows in two or eight bytes
        length = int.from_bytes(await reader.readexactly(2 if length == 126 else 8), "big")
    if length > LARGEST_MESSAGE:
        raise ValueError(f"a frame of {length} bytes, expected at most {LARGEST_MESSAGE}")
    return bool(first & _FINAL), first & 0x0F, await reader.readexactly(length)


def _masked(opcode: int, payload: bytes) -> bytes:
    """A control frame to the server: short, whole and masked."""
    mask = os.urandom(4)
    body = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload[:125]))
    return bytes((_FINAL | opcode, _MASKED | len(body))) + mask + body
