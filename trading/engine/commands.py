"""What people tell the engine."""

from __future__ import annotations

from trading.engine.exits import cancel_entries, propose_exits
from trading.engine.state import Kill
from trading.engine.step import EngineError, Step


def on_operator_command(step: Step) -> None:
    """Act on a command once; the same id again changes nothing."""
    data = step.event.data
    if data["id"] in step.state.command_ids:
        return
    step.state.command_ids.append(data["id"])
    if data["command"] != "kill":
        raise EngineError(
            f"operator.command at seq {step.seq}: unknown command {data['command']!r}"
        )
    _kill(step, actor=data["actor"], reason=data["reason"])


def _kill(step: Step, *, actor: str, reason: str) -> None:
    """Set the kill switch: nothing new is admitted, working entries are cancelled, what is held is
    exited.
    """
    before = step.state.kill is not None
    step.state.kill = Kill(seq=step.seq, actor=actor, reason=reason)
    breaker_seq = step.emit(
        "breaker.changed",
        {
            "what": "kill switch",
            "before": before,
            "after": True,
            "actor": actor,
            "reason": reason,
        },
        cause=(step.seq,),
    )
    cancel_entries(step, cause=breaker_seq)
    propose_exits(step)
