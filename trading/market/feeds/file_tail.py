"""A live feed out of a file that another program writes: one JSON message a line, from where the
file begins, waiting for more. An example of an adapter, and a way to play a recording back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

POLL_SECONDS = 0.05


@dataclass(slots=True)
class FileTail:
    """Lines of a growing file. A line is given when its newline is there: never half of one.
    `stopping` is asked when there is nothing new; when it says so the feed ends.
    """

    name: str
    path: Path
    cadence_us: int
    sleep: Callable[[float], Awaitable[None]]
    stopping: Callable[[], bool]

    async def messages(self) -> AsyncIterator[bytes]:
        """Yield lines as they are completed. Raises FileNotFoundError when there is no file."""
        rest = b""
        with self.path.open("rb") as file:
            while True:
                read = file.read()
                if not read:
                    if self.stopping():
                        return
                    await self.sleep(POLL_SECONDS)
                    continue
                *lines, rest = (rest + read).split(b"\n")
                for line in lines:
                    if line.strip():
                        yield line
