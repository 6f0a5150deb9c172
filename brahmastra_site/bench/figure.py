"""One figure: ours beside a floor or a peer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """A value of ours beside that of its floor or peer, in one unit."""

    name: str
    value: float
    unit: str
    beside: str
    beside_value: float

    @property
    def ratio(self) -> float:
        """Ours over theirs."""
        return self.value / self.beside_value
