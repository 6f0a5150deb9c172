"""Market-wide halts told from the index of a feed: NIFTY 50 against its previous close.

The exchange says when it halts; a recorded or generated day often does not, but its index does. The
previous close is the official one of the market day before, known before the open. Without it no
level is known and nothing is told; no other figure stands in for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading.market.circuit_breakers import Breaker
from trading.market.quality import Reading, ValueWatch

if TYPE_CHECKING:
    from datetime import date

    from trading.market.circuit_breakers import Halt

INDEX = "NIFTY"  # the underlying whose index triggers; SENSEX triggers too, no feed has it
INDEX_NAMES = ("Nifty 50", "NIFTY 50")  # as the exchange's files of closes spell it


class IndexWatch:
    """Follows the index over one day and finds the halts it leads to.

    A value is read at its own stamp, at the latest when it was received. One that is late, or so
    far from the last that it may be an error, counts when others have confirmed it. Raises what
    `Breaker` raises.
    """

    def __init__(self, day: date, previous_close_paise: int) -> None:
        self.previous_close_paise = previous_close_paise
        self._breaker = Breaker(day, previous_close_paise)
        self._values = ValueWatch("spot")
        self._last = 0
        self._found: list[Halt] = []

    def take(self, reading: Reading) -> None:
        """Take a value of the index, paise, as it becomes known."""
        if not self._values.take(reading):
            return
        at_us = min(reading.as_of, reading.available_at)
        if self._values.suspected or at_us < self._last:
            return
        self._last = at_us
        halt = self._breaker.take(at_us, int(reading.value))
        if halt is not None:
            self._found.append(halt)

    def stand(self, move_percent: int, closed_until_us: int) -> None:
        """Take over a halt of the day that was told before; nothing found so far is told again."""
        self._breaker.stand(move_percent, closed_until_us)
        self._found = []

    def found(self) -> list[Halt]:
        """The halts found since this was last asked."""
        found, self._found = self._found, []
        return found


def reason_of(move_percent: int, previous_close_paise: int) -> str:
    """What a status says of a halt: the level, and what it is counted from."""
    close = f"{previous_close_paise // 100}.{previous_close_paise % 100:02d}"
    return f"market-wide circuit breaker, {move_percent} % of the previous close {close} of NIFTY"
