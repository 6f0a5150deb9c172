"""What people tell the engine. Stopping and tightening is done at once; what lets more through
waits for a second person.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trading.engine.approvals import ask_approval, refuse, settle
from trading.engine.breakers import emit_breaker, forget_after_rearming
from trading.engine.kill_switch import clear_kill, is_set, set_kill, switch_names
from trading.engine.reconciliation import (
    accept_differences,
    acceptance_problem,
    ask_acceptance,
    ask_reconciliation,
)
from trading.engine.step import EngineError, Step
from trading.risk.breakers import BREAKERS
from trading.risk.limits import (
    FIXED,
    Limits,
    LimitsError,
    is_looser,
    limits_from_data,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def on_operator_command(step: Step) -> None:
    """Act on a command once; the same id again changes nothing. One that cannot be obeyed is
    answered with the reason.
    """
    data = step.event.data
    if data["id"] in step.state.command_ids:
        return
    step.state.command_ids.append(data["id"])
    handler = _HANDLERS.get(data["command"])
    if handler is None:
        raise EngineError(
            f"operator.command at seq {step.seq}: unknown command {data['command']!r}"
        )
    handler(step, data)


def _limit(step: Step, data: dict[str, Any]) -> None:
    """Change a limit: a stricter one holds at once, a looser one when a second person agrees."""
    name, value = data["arguments"].get("name"), data["arguments"].get("value")
    problem = _limit_problem(step, name, value)
    if problem is not None:
        refuse(step, data, problem)
        return
    before = _figure(step, name)
    if is_looser(name, before, value):
        ask_approval(step, data, f"{name} {before} → {value}")
    else:
        _change_limit(step, data, approver=None, causes=(step.seq,))


def _limit_problem(step: Step, name: object, value: object) -> str | None:
    if name not in Limits.__struct_fields__ or name in FIXED:
        return f"{name!r} is no limit that can be changed"
    if not isinstance(value, int) or isinstance(value, bool):
        return f"{name}: {value!r} is no whole number"
    figures = {**step.day.limits, **step.state.risk.limit_changes, str(name): value}
    try:
        limits_from_data(figures, where="with this change")
    except LimitsError as error:
        return str(error)
    return None


def _figure(step: Step, name: str) -> int:
    return {**step.day.limits, **step.state.risk.limit_changes}[name]


def _change_limit(
    step: Step, data: dict[str, Any], *, approver: str | None, causes: tuple[int, ...]
) -> None:
    name, value = data["arguments"]["name"], data["arguments"]["value"]
    before = _figure(step, name)
    step.state.risk.limit_changes[name] = value
    step.emit(
        "limits.changed",
        {
            "what": name,
            "before": before,
            "after": value,
            "actor": data["actor"],
            "approver": approver,
            "reason": data["reason"],
        },
        cause=causes,
    )


def _rearm(step: Step, data: dict[str, Any]) -> None:
    """Close a breaker or the kill switch again, when a second person agrees."""
    name = data["arguments"].get("breaker")
    switches = switch_names(step.configuration.strategies.names)
    if name not in (*BREAKERS, *switches):
        refuse(step, data, f"{name!r} is no breaker")
    elif name not in step.state.risk.breakers and not is_set(step.state, name):
        refuse(step, data, f"{name} is not set")
    else:
        ask_approval(step, data, f"re-arm {name}")


def _close_breaker(
    step: Step, data: dict[str, Any], *, approver: str | None, causes: tuple[int, ...]
) -> None:
    name = data["arguments"]["breaker"]
    if name in BREAKERS:
        step.state.risk.breakers.pop(name, None)
        forget_after_rearming(step, name)
    else:
        clear_kill(step, name)
    emit_breaker(
        step,
        name,
        before=True,
        state="closed",
        reason=data["reason"],
        actor=data["actor"],
        approver=approver,
        causes=causes,
    )


def _disable(step: Step, data: dict[str, Any]) -> None:
    """Switch a strategy off: nothing of it is entered."""
    _switch(step, data, disabled=True)


def _enable(step: Step, data: dict[str, Any]) -> None:
    """Switch a strategy on again; its entries of the day are counted anew."""
    _switch(step, data, disabled=False)


def _switch(step: Step, data: dict[str, Any], *, disabled: bool) -> None:
    strategy, risk = data["arguments"].get("strategy"), step.state.risk
    if strategy not in step.configuration.strategies.names:
        refuse(step, data, f"{strategy!r} is no strategy of this session")
        return
    before = strategy in risk.disabled
    if disabled:
        risk.disabled[strategy] = f"{strategy} is disabled by {data['actor']}: {data['reason']}"
    else:
        risk.disabled.pop(strategy, None)
        risk.entries[strategy] = 0
    step.emit(
        "strategy.disabled",
        {
            "what": strategy,
            "before": before,
            "after": disabled,
            "actor": data["actor"],
            "reason": data["reason"],
        },
        cause=(step.seq,),
    )


def _approve(step: Step, data: dict[str, Any]) -> None:
    """Let done what another person asked for, if it can still be done."""
    asked = settle(step, data)
    if asked is None:
        return
    wanted, causes = asked.command, (asked.seq, step.seq)
    if wanted["command"] == "limit":
        name, value = wanted["arguments"]["name"], wanted["arguments"]["value"]
        problem = _limit_problem(step, name, value)
        if problem is None:
            _change_limit(step, wanted, approver=data["actor"], causes=causes)
    elif wanted["command"] == "accept":
        problem = acceptance_problem(step, wanted["arguments"]["reconciliation"])
        if problem is None:
            accept_differences(step, wanted, approver=data["actor"], causes=causes)
        else:
            refuse(step, wanted, problem)
    else:
        _close_breaker(step, wanted, approver=data["actor"], causes=causes)


_HANDLERS: dict[str, Callable[[Step, dict[str, Any]], None]] = {
    "kill": set_kill,
    "limit": _limit,
    "rearm": _rearm,
    "disable": _disable,
    "enable": _enable,
    "approve": _approve,
    "reconcile": ask_reconciliation,
    "accept": ask_acceptance,
}
