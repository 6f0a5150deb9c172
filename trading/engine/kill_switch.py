"""The kill switch: of the whole session, or of one strategy; with it what is held goes, or stays.

A stop never weakens one that stands: who wants less re-arms, with a second person.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trading.engine.breakers import emit_breaker
from trading.engine.exits import cancel_entries, propose_exits
from trading.engine.state import Kill
from trading.risk.breakers import KILL_SWITCH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trading.engine.state import EngineState
    from trading.engine.step import Step


def switch_name(strategy: str | None) -> str:
    """The name a kill switch is re-armed by."""
    return KILL_SWITCH if strategy is None else f"{KILL_SWITCH} {strategy}"


def switch_names(strategies: Sequence[str]) -> tuple[str, ...]:
    """Every kill switch of a session that runs these strategies."""
    return tuple(switch_name(strategy) for strategy in (None, *strategies))


def is_set(state: EngineState, name: str) -> bool:
    """Whether the kill switch of a name is set."""
    if name == KILL_SWITCH:
        return state.kill is not None
    return any(name == switch_name(strategy) for strategy in state.strategy_kills)


def is_stopped(state: EngineState, strategy: str | None, *, hold: bool) -> bool:
    """Whether a stop of this reach would change nothing."""
    standing = [state.kill]
    if strategy is not None:
        standing.append(state.strategy_kills.get(strategy))
    return any(kill is not None and (hold or not kill.hold) for kill in standing)


def reach(strategy: object, strategies: Sequence[str]) -> str | None:
    """Which strategy a stop is of; None, all of them, also for a name the session does not have: a
    slip stops more, never less.
    """
    return strategy if isinstance(strategy, str) and strategy in strategies else None


def set_kill(step: Step, data: dict[str, Any]) -> None:
    """Set a kill switch: nothing new of its reach is admitted, working entries are cancelled, what
    is held is exited unless `hold` is true.
    """
    asked = data["arguments"].get("strategy")
    strategy = reach(asked, step.configuration.strategies.names)
    reason = data["reason"]
    if asked is not None and strategy is None:
        reason = f"{reason} ({asked!r} is no strategy of this session: all is stopped)"
    hold = data["arguments"].get("hold") is True
    before = _keep(step, strategy, Kill(step.seq, data["actor"], reason, hold))
    breaker_seq = emit_breaker(
        step,
        switch_name(strategy),
        before=before,
        state="open",
        reason=reason,
        actor=data["actor"],
        causes=(step.seq,),
        flattens=not _standing(step, strategy).hold,
    )
    cancel_entries(step, cause=breaker_seq, strategy=strategy)
    propose_exits(step)


def clear_kill(step: Step, name: str) -> None:
    """Re-arm the kill switch of a name."""
    if name == KILL_SWITCH:
        step.state.kill = None
    else:
        kills = step.state.strategy_kills
        step.state.strategy_kills = {
            strategy: kill for strategy, kill in kills.items() if switch_name(strategy) != name
        }


def _keep(step: Step, strategy: str | None, kill: Kill) -> bool:
    """Remember a stop, as strict as one that stood; return whether one did."""
    state = step.state
    before = state.kill if strategy is None else state.strategy_kills.get(strategy)
    if before is not None and not before.hold:
        kill = Kill(kill.seq, kill.actor, kill.reason)
    if strategy is None:
        state.kill = kill
    else:
        state.strategy_kills[strategy] = kill
    return before is not None


def _standing(step: Step, strategy: str | None) -> Kill:
    kill = step.state.kill if strategy is None else step.state.strategy_kills[strategy]
    assert kill is not None  # noqa: S101 - it was set just now
    return kill
