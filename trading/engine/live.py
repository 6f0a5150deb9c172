"""The inputs of a live day as they come: what a feed says, stamped when it is received, and a tick
each second of the session.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

from trading.engine.inputs import FeedInput, feed_input, tick_input
from trading.market.feeds.messages import MessageError, message_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from trading.market.calendar import SessionHours
    from trading.market.feeds.live import LiveAssembly, LiveFeed

SECOND_US = 1_000_000
WAKE_SECONDS = 0.05  # the longest silence between two looks at the clock


class LiveDay:
    """One day of a live feed, from when it is taken up to the tick at the close.

    Time is that of `clock` (µs UTC), except that it never goes back, and that no two messages are
    of one instant. Of ticks that are late only the last is given. `refused` is told of messages
    that cannot be read; they are left out.
    """

    def __init__(
        self,
        feed: LiveFeed,
        assembly: LiveAssembly,
        hours: SessionHours,
        *,
        clock: Callable[[], int],
        after_us: int,
        refused: Callable[[str], None],
    ) -> None:
        self._feed, self._assembly, self._hours = feed, assembly, hours
        self._clock, self._refused = clock, refused
        self._now = self._ticked = after_us

    async def instants(self) -> AsyncGenerator[list[FeedInput], None]:
        """Yield the inputs of each instant, all later than `after_us`, in the engine's order; an
        empty list when nothing came for a while.
        """
        async with aclosing(_received(self._feed)) as received:
            async for text in received:
                self._now = max(self._now, self._clock())
                for due in self._due(min(self._now, self._hours.close_us)):
                    yield [due]
                if self._now >= self._hours.close_us:
                    return
                yield [] if text is None else self._taken(text)

    def _due(self, until_us: int) -> list[FeedInput]:
        """The halts over, the gaps noticed and the tick due by an instant."""
        noticed = [*self._assembly.resumed(until_us), *self._assembly.gaps(until_us)]
        due = [feed_input(status) for status in noticed]
        second = until_us - until_us % SECOND_US
        if second > self._ticked and second >= self._hours.open_us:
            self._ticked = second
            due.append(tick_input(second))
        return sorted(due, key=lambda item: item.sort_key)

    def _taken(self, text: bytes | str) -> list[FeedInput]:
        """What a message leads to, at an instant of its own."""
        try:
            message = message_of(text)
        except MessageError as error:
            self._refused(str(error))
            return []
        self._now = min(self._now + 1, self._hours.close_us - 1)
        return [feed_input(item) for item in self._assembly.take(message, self._now)]


async def _received(feed: LiveFeed) -> AsyncGenerator[bytes | str | None, None]:
    """Messages as they come, None each time there was none for a while."""
    async with aclosing(feed.messages()) as messages:
        waiting: asyncio.Task[bytes | str] | None = None
        try:
            while True:
                waiting = waiting or asyncio.ensure_future(anext(messages))
                done, _ = await asyncio.wait([waiting], timeout=WAKE_SECONDS)
                if not done:
                    yield None
                    continue
                task, waiting = waiting, None
                try:
                    text = task.result()
                except StopAsyncIteration:
                    return
                yield text
        finally:
            if waiting is not None:
                waiting.cancel()
                with suppress(asyncio.CancelledError, StopAsyncIteration, OSError):
                    await waiting
