"""Requests that wait for a second person, and the events of what becomes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trading.engine.state import Request

if TYPE_CHECKING:
    from trading.engine.step import Step


def ask_approval(step: Step, data: dict[str, Any], what: str) -> None:
    """Keep a command until another person approves it."""
    wanted = {name: data[name] for name in ("id", "command", "arguments", "actor", "reason")}
    step.state.risk.requests[data["id"]] = Request(step.seq, what, wanted)
    _emit(step, data["id"], what, "waiting", actor=data["actor"], reason=data["reason"])


def refuse(step: Step, data: dict[str, Any], problem: str) -> None:
    """Say why a command cannot be obeyed; nothing changes."""
    what = str(data["command"])
    _emit(step, data["id"], what, "refused", actor=data["actor"], reason=problem)


def settle(step: Step, data: dict[str, Any]) -> Request | None:
    """Take out the request an approval names and say so; None, with the reason in the log, when
    there is none or the same person asked for it.
    """
    requests = step.state.risk.requests
    wanted = str(data["arguments"].get("request"))
    asked = requests.get(wanted)
    if asked is None:
        refuse(step, data, f"no request {wanted} waits")
        return None
    asker = asked.command["actor"]
    if asker == data["actor"]:
        refuse(step, data, f"{asker} asked for it: a second person approves")
        return None
    del requests[wanted]
    _emit(
        step,
        wanted,
        asked.what,
        "approved",
        actor=asker,
        approver=data["actor"],
        reason=data["reason"],
    )
    return asked


def _emit(
    step: Step,
    request: str,
    what: str,
    state: str,
    *,
    actor: str,
    reason: str,
    approver: str | None = None,
) -> None:
    step.emit(
        "request.changed",
        {
            "request": request,
            "what": what,
            "state": state,
            "actor": actor,
            "approver": approver,
            "reason": reason,
        },
        cause=(step.seq,),
        key=request,
    )
