"""Market-wide halts told from the indices of a feed, each against its previous close: NIFTY 50 and,
where it is held, SENSEX.

The exchange says when it halts; a recorded or generated day often does not, but its index does. The
previous close is the official one of the market day before, known before the open. Without it no
level of that index is known; without any nothing is told. No other figure stands in for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading.market.circuit_breakers import INDEX, SENSEX, Breaker
from trading.market.quality import Reading, ValueWatch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from trading.market.circuit_breakers import Halt

# As files of closes spell the index.
INDEX_NAMES = {
    INDEX: ("Nifty 50", "NIFTY 50"),
    SENSEX: ("SENSEX", "Sensex", "BSE SENSEX", "S&P BSE SENSEX"),
}


class IndexWatch:
    """Follows the indices over one day and finds the halts they lead to; `previous_closes` are
    those there are, paise by index.

    A value is read at its own stamp, at the latest when it was received. One that is late, or so
    far from the last that it may be an error, counts when others have confirmed it. Raises what
    `Breaker` raises.
    """

    def __init__(self, day: date, previous_closes: Mapping[str, int]) -> None:
        self.previous_closes = dict(previous_closes)
        self._breaker = Breaker(day, previous_closes)
        self._values = {index: ValueWatch("spot") for index in previous_closes}
        self._last = dict.fromkeys(previous_closes, 0)
        self._found: list[Halt] = []

    def take(self, index: str, reading: Reading) -> None:
        """Take a value of an index, paise, as it becomes known; nothing follows from one without a
        previous close.
        """
        values = self._values.get(index)
        if values is None or not values.take(reading):
            return
        at_us = min(reading.as_of, reading.available_at)
        if values.suspected or at_us < self._last[index]:
            return
        self._last[index] = at_us
        halt = self._breaker.take(at_us, index, int(reading.value))
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

    def reason_of(self, halt: Halt) -> str:
        """What a status says of a halt: the level, and what it is counted from."""
        close_paise = self.previous_closes[halt.moved]
        close = f"{close_paise // 100}.{close_paise % 100:02d}"
        return (
            f"market-wide circuit breaker, {halt.move_percent} % of the previous close {close} "
            f"of {halt.moved}"
        )
