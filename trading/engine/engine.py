"""The functional core: `Engine.on(input)` gives the derived events, and knows nothing but its
inputs.

No clock, no file, no network, no randomness, no global. Live, paper, backtest, replay and what-if
run this same class; they differ only in where inputs come from and where orders go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from journal.events import INPUT_KINDS, Event
from trading.engine.commands import on_operator_command
from trading.engine.configuration import Configuration, configuration_from_data
from trading.engine.days import on_clock_tick, on_day_opened, on_session_ended, on_session_opened
from trading.engine.frames import on_market_frame, on_market_status
from trading.engine.reconciliation import on_broker_statement
from trading.engine.reports import on_broker_report, on_order_submitted
from trading.engine.settlement import on_settlement_published
from trading.engine.state import (
    EngineState,
    dump_state,
    in_log_order,
    restore_state,
    state_digest,
)
from trading.engine.step import EngineError, Step

if TYPE_CHECKING:
    from collections.abc import Callable

HANDLERS: dict[str, Callable[[Step], None]] = {
    "session.opened": on_session_opened,
    "day.opened": on_day_opened,
    "operator.command": on_operator_command,
    "order.submitted": on_order_submitted,
    "broker.report": on_broker_report,
    "broker.statement": on_broker_statement,
    "market.status": on_market_status,
    "clock.tick": on_clock_tick,
    "market.frame": on_market_frame,
    "settlement.published": on_settlement_published,
    "session.ended": on_session_ended,
}


class Engine:
    """One session's decisions. Start fresh with session.opened, or at any day.opened, whose dump it
    restores.
    """

    def __init__(self, session: str) -> None:
        self.session = session
        self.state = EngineState()
        self._configuration: Configuration | None = None

    @property
    def next_seq(self) -> int:
        """The seq the next input must carry."""
        return self.state.next_seq

    def on(self, event: Event) -> list[Event]:
        """Answer one input with the events derived from it, in order.

        Raises EngineError when the input contradicts what came before (seq, time, session, kind,
        unknown order, a day's state dump that is not this engine's).
        """
        self._take_opening(event)
        self._check(event)
        assert self._configuration is not None  # noqa: S101 - _check has refused its absence
        self.state.next_seq += 1
        self.state.ts = event.ts
        step = Step(
            session=self.session,
            state=self.state,
            configuration=self._configuration,
            event=event,
        )
        HANDLERS[event.kind](step)
        return step.derived

    def dump(self) -> dict[str, Any]:
        """Return the whole state as a JSON value; `restore` of it is bit-equal."""
        return dump_state(self.state)

    def digest(self) -> str:
        """Return the SHA-256 (hex) of the dump."""
        return state_digest(self.dump())

    def restore(self, dump: dict[str, Any]) -> None:
        """Take the state of a dump; the configuration comes with the next opening event."""
        self.state = restore_state(dump)

    def _take_opening(self, event: Event) -> None:
        """Take configuration, and at a day's opening the state, from an opening event.

        An engine that goes on takes the state too: read back it has its keys in the log's order,
        as a replay that starts with this day will have them.
        """
        if event.kind not in {"session.opened", "day.opened"}:
            return
        where = f"{event.kind} at seq {event.seq}"
        configuration = configuration_from_data(event.data["configuration"], where=where)
        if event.kind == "day.opened":
            if self._configuration is None:
                self.restore(event.data["state"])
            recorded, own = event.data["state_digest"], self.digest()
            if recorded != own:
                raise EngineError(f"{where}: state digest is {recorded}, expected {own}")
            self.restore(in_log_order(event.data["state"]))
        self._configuration = configuration

    def _check(self, event: Event) -> None:
        where = f"{event.kind} at seq {event.seq}"
        if event.kind not in INPUT_KINDS:
            raise EngineError(f"{where}: not an input")
        if event.session != self.session:
            raise EngineError(f"{where}: session {event.session!r}, expected {self.session!r}")
        if event.seq != self.state.next_seq:
            raise EngineError(f"{where}: expected seq {self.state.next_seq}")
        if event.ts < self.state.ts:
            raise EngineError(f"{where}: ts {event.ts} is before {self.state.ts}")
        if self.state.ended:
            raise EngineError(f"{where}: the session has ended")
        if self._configuration is None:
            raise EngineError(f"{where}: a session starts with session.opened or day.opened")
