"""One input on its way through the engine.

What handlers read, and where they put derived events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from journal.events import Event, public_id
from trading.engine.state import DayState, EngineState, UnderlyingState
from trading.features.window import FloatWindow

if TYPE_CHECKING:
    from trading.engine.configuration import Configuration


MINUTE_US = 60_000_000


class EngineError(Exception):
    """An input the engine cannot take.

    It would contradict what came before. Nothing was changed.
    """


class Step:
    """The engine's state, its configuration and the input being answered."""

    def __init__(
        self, *, session: str, state: EngineState, configuration: Configuration, event: Event
    ) -> None:
        self.session = session
        self.state = state
        self.configuration = configuration
        self.event = event
        self.derived: list[Event] = []

    @property
    def ts(self) -> int:
        """Event time of the input, µs UTC."""
        return self.event.ts

    @property
    def seq(self) -> int:
        """Seq of the input."""
        assert self.event.seq is not None  # noqa: S101 - checked when the engine took it
        return self.event.seq

    @property
    def day(self) -> DayState:
        """The open day."""
        if self.state.day is None:
            raise EngineError(f"{self.event.kind} at seq {self.event.seq}: no day is open")
        return self.state.day

    @property
    def market_is_open(self) -> bool:
        return self.day.open_us <= self.ts < self.day.close_us

    def is_intraday(self, hold_minutes: int) -> bool:
        """Whether a hold is shorter than the day's session: one price a day cannot serve it."""
        return hold_minutes * MINUTE_US < self.day.close_us - self.day.open_us

    def underlying(self, name: str) -> UnderlyingState:
        """Return what is remembered of an underlying, starting it on its first frame."""
        if name not in self.state.underlyings:
            s4 = self.configuration.strategies.S4
            window = FloatWindow(s4.lookback_snapshots if s4 else 1)
            self.state.underlyings[name] = UnderlyingState(implied_window=window)
        return self.state.underlyings[name]

    def next_id(self) -> str:
        """The public id the next emitted event will have."""
        return public_id(self.session, self.state.next_seq)

    def emit(
        self, kind: str, data: dict[str, Any], *, cause: tuple[int, ...], key: str | None = None
    ) -> int:
        """Derive an event; return its seq."""
        seq = self.state.next_seq
        self.state.next_seq += 1
        self.state.counts[kind] = self.state.counts.get(kind, 0) + 1
        event = Event(
            session=self.session, seq=seq, ts=self.ts, kind=kind, data=data, cause=cause, key=key
        )
        self.derived.append(event)
        return seq
