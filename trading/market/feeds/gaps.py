"""Noticing that a feed went silent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading.market.frames import MarketFrame, MarketStatus
from trading.market.quality import CADENCES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from trading.market.feeds.assembly import Assembly


class GapWatch:
    """Notices that nothing came of an underlying for twice the cadence of its feed."""

    def __init__(self, underlying: str, assembly: Assembly) -> None:
        self.underlying = underlying
        self.assembly = assembly
        self._cadence_us = 0
        self._due: int | None = None

    def seen(self, frame: MarketFrame) -> None:
        """A frame came; the next is due within twice the shortest cadence seen."""
        cadence_us = frame.cadence_us
        self._cadence_us = min(self._cadence_us or cadence_us, cadence_us)
        self._due = frame.available_at + CADENCES * self._cadence_us

    def gaps(
        self, at_us: int, statuses: Iterable[MarketStatus], last_us: int
    ) -> Iterator[MarketStatus]:
        """The gap found before an instant, if any; a halt is none, and ends the waiting."""
        for status in (*statuses, None):
            until = at_us if status is None else status.available_at
            if self._due is not None and self._due < until and self._due < last_us:
                seconds = CADENCES * self._cadence_us / 1e6
                reason = f"nothing received for {seconds:g} s"
                yield MarketStatus(self.underlying, self._due, "GAP", reason)
                self._due = None
            if status is not None and status.status == "HALT":
                self._due = None
            elif status is not None and self._cadence_us:
                self._due = status.available_at + CADENCES * self._cadence_us
