"""How the kill switches, breakers and strategies of a session stand, and what waits for a second
person: folded from the events that changed them. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from journal.figures import significant
from trading.engine.kill_switch import switch_name
from trading.risk.breakers import BREAKERS, HARD, KILL_SWITCH
from trading.risk_room.wording import limit_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

CHANGE_KINDS = ("breaker.changed", "limits.changed", "request.changed", "strategy.disabled")


@dataclass(frozen=True, slots=True)
class Change:
    """An event that changed what stands. `ts` µs UTC."""

    seq: int
    ts: int
    kind: str
    data: dict[str, Any]

    @property
    def before(self) -> str:
        return self._said("before")

    @property
    def after(self) -> str:
        state = self.data.get("state")
        return str(state) if state else self._said("after")

    def _said(self, name: str) -> str:
        """A limit in its unit, a switch as set or not; nothing for a request."""
        value = self.data.get(name)
        if self.kind == "limits.changed" and type(value) is int:
            return limit_text(self.data["what"], value)
        return "" if value is None else significant(value)


@dataclass(frozen=True, slots=True)
class Switch:
    """A kill switch, breaker or strategy: how it stands, and the change that made it so (None: it
    was never touched).
    """

    name: str
    kind: str  # kill switch, breaker or strategy
    strategy: str  # of a kill switch of one strategy, or of a strategy
    state: str
    hard: bool
    change: Change | None

    @property
    def is_set(self) -> bool:
        return self.state in {"open", "half open", "disabled"}

    @property
    def flattens(self) -> bool:
        """Whether what is held is exited while it stands so."""
        return self.is_set and self.change is not None and bool(self.change.data.get("flattens"))


def switches_of(changes: Iterable[Change], strategies: Sequence[str]) -> tuple[Switch, ...]:
    """The kill switches, the breakers, then the strategies; `changes` in the order of the log."""
    last: dict[tuple[str, str], Change] = {}
    for change in changes:
        if change.kind in {"breaker.changed", "strategy.disabled"}:
            last[change.kind, change.data["what"]] = change
    kills = [
        _breaker(switch_name(strategy), "kill switch", strategy or "", last)
        for strategy in (None, *strategies)
    ]
    breakers = [_breaker(name, "breaker", "", last) for name in BREAKERS]
    names = [_strategy(name, last.get(("strategy.disabled", name))) for name in strategies]
    return (*kills, *breakers, *names)


def waiting_of(changes: Iterable[Change]) -> tuple[Change, ...]:
    """The requests that wait for a second person, oldest first."""
    waiting: dict[str, Change] = {}
    for change in changes:
        if change.kind == "request.changed":
            waiting.pop(change.data["request"], None)
            if change.data["state"] == "waiting":
                waiting[change.data["request"]] = change
    return tuple(waiting.values())


def acceptances_of(changes: Iterable[Change], reconciliation: str) -> tuple[Change, ...]:
    """The waiting wishes to let the differences of a reconciliation (its public id, empty: of none)
    stand, oldest first.
    """
    begins = f"accept {reconciliation}:"
    return tuple(each for each in waiting_of(changes) if each.data["what"].startswith(begins))


def _breaker(name: str, kind: str, strategy: str, last: dict[tuple[str, str], Change]) -> Switch:
    change = last.get(("breaker.changed", name))
    state = "closed" if change is None else change.data["state"]
    hard = name in HARD or name.startswith(KILL_SWITCH)
    return Switch(name, kind, strategy, state, hard, change)


def _strategy(name: str, change: Change | None) -> Switch:
    state = "disabled" if change is not None and change.data["after"] else "enabled"
    return Switch(name, "strategy", name, state, hard=True, change=change)
