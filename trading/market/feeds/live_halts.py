"""What stands still on a live feed: the halts it tells itself and those its index leads to, as one.

As on a recorded day a halt begins with the first of the two reasons and ends with the last. A live
session can be killed at any moment and nobody can say again what was heard, so each status carries
what stands from then on, and what changes nothing is NOTED: the log alone says where a halt is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trading.market.frames import MarketStatus, Standing
from trading.market.market_halts import IndexWatch
from trading.market.store import UNDERLYINGS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from trading.market.calendar import SessionHours
    from trading.market.circuit_breakers import Halt
    from trading.market.quality import Reading


@dataclass(slots=True)
class DayHeard:
    """What was heard of a day's halts up to an instant: the closes they are counted from (paise by
    index; none: they are not), values of the indices, and what stands by underlying since its last
    status.
    """

    previous_closes: Mapping[str, int] = field(default_factory=dict)
    values: list[tuple[str, Reading]] = field(default_factory=list)
    standing: dict[str, Standing] = field(default_factory=dict)


class LiveHalts:
    """Says HALT when the first of the two reasons begins and RESUME when the last one ends, for
    each underlying; `halted` are those that stand still at `from_us` (µs UTC), where `heard` ends.
    A halt for the rest of the day has no RESUME.
    """

    def __init__(
        self,
        underlyings: Sequence[str],
        index: IndexWatch,
        heard: DayHeard,
        *,
        halted: Collection[str],
        close_us: int,
        from_us: int,
    ) -> None:
        self._underlyings = [name for name in UNDERLYINGS if name in underlyings]
        self._index = index
        self._close_us = close_us
        self._from_us = from_us
        self._halted = set(halted)
        standing = heard.standing
        silent = set(halted) - set(standing)
        self._told = silent | {name for name, each in standing.items() if each.told}
        self._until_us = max((each.until_us or 0 for each in standing.values()), default=0) or None
        self._percent = max((each.move_percent for each in standing.values()), default=0)
        for name, reading in heard.values:
            index.take(name, reading)
        index.stand(self._percent, self._until_us or 0)

    def heard(self, said: MarketStatus) -> MarketStatus:
        """What the feed's own word on an underlying comes to."""
        name = said.underlying
        (self._told.add if said.status == "HALT" else self._told.discard)(name)
        if self._until_us is None:
            return self._say(name, said.available_at, said.status, said.reason)
        because = f": {said.reason}" if said.reason else ""
        return self._say(name, said.available_at, "NOTED", f"{said.status} of the feed{because}")

    def begun(self, index: str, reading: Reading) -> list[MarketStatus]:
        """The halt that a value of an index leads to when it is received, if any."""
        self._index.take(index, reading)
        at_us = reading.available_at
        halts = [halt for halt in self._index.found() if at_us < halt.reopens_us]
        return [status for halt in halts for status in self._begin(halt, at_us)]

    def due(self, at_us: int) -> list[MarketStatus]:
        """What is said by an instant without a word of the feed: that a halt is over, or of one
        that an interruption cut off in being told, that it stands.
        """
        until_us = self._until_us
        if until_us is None:
            return []
        if at_us < until_us:
            left = [name for name in self._underlyings if name not in self._halted]
            reason = f"market-wide circuit breaker, {self._percent} %: its halt stands"
            return [self._say(name, at_us, "HALT", reason) for name in left]
        if until_us >= self._close_us:
            return []
        self._until_us = None
        ended = [name for name in self._underlyings if name in self._halted - self._told]
        resumed_us, reason = max(until_us, self._from_us), "the call auction after the halt is over"
        return [self._say(name, resumed_us, "RESUME", reason) for name in ended]

    def _begin(self, halt: Halt, at_us: int) -> list[MarketStatus]:
        self._until_us = halt.reopens_us
        self._percent = max(self._percent, halt.move_percent)
        reason = self._index.reason_of(halt)
        return [
            self._say(name, at_us, "NOTED" if name in self._halted else "HALT", reason)
            for name in self._underlyings
        ]

    def _say(self, name: str, at_us: int, status: str, reason: str | None) -> MarketStatus:
        if status == "HALT":
            self._halted.add(name)
        elif status == "RESUME":
            self._halted.discard(name)
        standing = Standing(name in self._told, self._until_us, self._percent)
        return MarketStatus(name, at_us, status, reason, standing)  # type: ignore[arg-type]


def live_halts(
    hours: SessionHours,
    underlyings: Sequence[str],
    heard: DayHeard,
    *,
    halted: Collection[str],
    from_us: int,
) -> LiveHalts | None:
    """The halts of a live day, as they go on after what was heard of it; None where there is
    nothing to count them from.
    """
    if not heard.previous_closes:
        return None
    index = IndexWatch(hours.day, heard.previous_closes)
    return LiveHalts(
        underlyings, index, heard, halted=halted, close_us=hours.close_us, from_us=from_us
    )
