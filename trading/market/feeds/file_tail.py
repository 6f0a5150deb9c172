"""A live feed out of a file that another program writes: one JSON message a line. What is in the
file when the feed begins was said before and is not given. An example of an adapter.
"""

from __future__ import annotations

import os
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from trading.market.feeds.messages import LARGEST_MESSAGE, FeedLostError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from pathlib import Path

POLL_SECONDS = 0.05
_BLOCK = 1 << 16


@dataclass(slots=True)
class FileTail:
    """Lines of a growing file. A line is given when its newline is there: never half of one. Where
    another file takes the place of this one, or it is emptied, the new one is read from its
    beginning.
    """

    name: str
    path: Path
    cadence_us: int
    sleep: Callable[[float], Awaitable[None]]

    async def messages(self) -> AsyncGenerator[bytes, None]:
        """Yield lines as they are completed. Raises FileNotFoundError when there is no file,
        FeedLostError for a line beyond the largest message.
        """
        start: int | None = None
        while True:
            with self.path.open("rb") as file:
                file.seek(_start_of_last_line(file) if start is None else start)
                async with aclosing(self._lines(file)) as lines:
                    async for line in lines:
                        yield line
            start = 0

    async def _lines(self, file: BinaryIO) -> AsyncGenerator[bytes, None]:
        """Yield lines of an open file until another is in its place."""
        rest = b""
        while True:
            read = file.read()
            if not read:
                if self._is_replaced(file):
                    return
                await self.sleep(POLL_SECONDS)
                continue
            *lines, rest = (rest + read).split(b"\n")
            for line in lines:
                if line.strip():
                    yield line
            if len(rest) > LARGEST_MESSAGE:
                raise FeedLostError(f"{self.path}: a line of more than {LARGEST_MESSAGE} bytes")

    def _is_replaced(self, file: BinaryIO) -> bool:
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return False  # moved away: the next one is waited for
        return not os.path.samestat(there, os.fstat(file.fileno())) or there.st_size < file.tell()


def _start_of_last_line(file: BinaryIO) -> int:
    """Where the line begins that has no newline yet: the end of a file of whole lines."""
    position = file.seek(0, os.SEEK_END)
    while position:
        size = min(position, _BLOCK)
        file.seek(position - size)
        newline = file.read(size).rfind(b"\n")
        if newline >= 0:
            return position - size + newline + 1
        position -= size
    return 0
