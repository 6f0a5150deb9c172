"""Which adapter an address means, and how a feed that breaks off is taken up again."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from trading.market.feeds.file_tail import FileTail
from trading.market.feeds.websocket import WebSocketFeed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from trading.market.feeds.live import LiveFeed

RETRY_SECONDS = 2.0
TAIL = "tail:"


class AddressError(ValueError):
    """An address that means no live feed; one line that says what was expected."""


def live_feed(
    address: str, *, cadence_us: int, sleep: Callable[[float], Awaitable[None]]
) -> LiveFeed:
    """The feed of an address: `tail:PATH` of a file that exists, `ws://…` or `wss://…`. Raises
    AddressError for another.
    """
    if address.startswith(TAIL):
        path = Path(address.removeprefix(TAIL))
        if not path.is_file():
            raise AddressError(f"live feed {address!r}: no such file")
        return FileTail("tail", path, cadence_us, sleep)
    if _is_websocket(address):
        return WebSocketFeed("websocket", address, cadence_us)
    raise AddressError(f"live feed {address!r}: expected tail:PATH, ws://HOST… or wss://HOST…")


def _is_websocket(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in {"ws", "wss"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


@dataclass(slots=True)
class Reconnecting:
    """A feed that never ends: one that does, or breaks off, is taken up again after a while.
    `said` is told once of each time it is away.
    """

    feed: LiveFeed
    sleep: Callable[[float], Awaitable[None]]
    said: Callable[[str], None]

    @property
    def name(self) -> str:
        """The feed's name."""
        return self.feed.name

    @property
    def cadence_us(self) -> int:
        """The feed's cadence, µs."""
        return self.feed.cadence_us

    async def messages(self) -> AsyncGenerator[bytes | str, None]:
        """Yield the feed's messages, for ever."""
        last_said = None
        while True:
            lost = "it ended"
            try:
                async with aclosing(self.feed.messages()) as messages:
                    async for message in messages:
                        last_said = None
                        yield message
            except OSError as error:
                lost = str(error)
            if lost != last_said:
                self.said(f"live feed lost: {lost}; it is tried again every {RETRY_SECONDS:g} s")
                last_said = lost
            await self.sleep(RETRY_SECONDS)
