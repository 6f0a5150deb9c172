"""Every decision boundary emits: whatever changes what the engine will do is reached in a step that
derived an event, or stands in one table with the reason why it need not be.

The mutators are found by reading the code (`mutators.py`), what they do by running it: real
sessions' inputs go through an engine whose state is compared around each call of a mutator.
"""

from __future__ import annotations

import ast
import json
import sys
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from brahmastra_site.launcher.environment import REPOSITORY
from journal.events import INPUT_KINDS, Event
from journal.kill_file import kill_file
from journal.log.reader import read_session
from tests.market_factory import (
    DAYS,
    MINUTE_US,
    Rig,
    chain_frame,
    day_frames,
    factory_configuration,
)
from tests.trading.engine.desk_bed import Desk, frame, high, look_at, losing, tell
from tests.trading.engine.mutators import mutators_of_packages, mutators_of_source
from tests.trading.engine.test_settlement import rig_of
from trading.engine.engine import HANDLERS, Engine

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import FrameType

WALKED = (
    "trading/engine",
    "trading/execution",
    "trading/risk",
    "trading/strategies",
    "trading/features/window.py",
)

_INPUT = "the input is itself the event that says it"
_RUNNER = "the runner's own place in the feed and among orders; rebuilt from the log on a restart"
_BROKER = "the paper broker's book, outside the engine: what it does is a broker.report"
_LIVE = "how far a live day has come: what it gives becomes an input, with its instant in it"
_PACKING = "the packing of closed days: the same bytes of the log in another file"
_NEW = "changes only an object that was made in the call"
# What changes something and is reached by no step that emits; kinds of input under `input:`.
EXCLUDED: dict[str, str] = {
    "trading.engine.configuration:Configuration.to_data": _NEW,
    "trading.engine.opening:_contracts": _NEW,
    "trading.engine.resume:_submissions": _NEW,
    "trading.features.window:FloatWindow.dump": _NEW,
    "trading.features.window:FloatWindow.restore": _NEW,
    "trading.engine.days:on_session_opened": _INPUT,
    "trading.engine.days:on_day_opened": _INPUT,
    "trading.engine.days:_open_risk": f"{_INPUT}: a day's account begins",
    "trading.engine.portfolio:pay_for_the_night": (
        f"{_INPUT}: a night has gone by; the next snapshot says what it cost"
    ),
    "trading.engine.frames:on_market_status": f"{_INPUT}; what it stops, gate 3 and the exits say",
    "trading.engine.frames:thaw": f"{_INPUT}: trading goes on, or another day opens",
    "trading.engine.reports:on_order_submitted": f"{_INPUT}; nothing moves before a report",
    "trading.engine.report_intake:book_order": f"{_INPUT}: an order is in the book",
    "trading.engine.reconciliation:doubt": "a report.set_aside has just said why; paper gives none",
    "trading.engine.reconciliation:want_reconciliation": (
        f"{_INPUT}: the runner asks the broker at once, and a book.reconciled follows"
    ),
    "trading.engine.reconciliation:accept_differences": (
        "says reconciliation.accepted; paper's book never differs from ours"
    ),
    "trading.engine.engine:Engine.restore": "the dump is in day.opened, with its digest",
    "trading.engine.engine:Engine._take_opening": f"{_INPUT}: the configuration is in it",
    "trading.engine.runner:SessionRunner._run": "opens the log before anything can be in it",
    "trading.engine.runner:SessionRunner._continue": _RUNNER,
    "trading.engine.runner:SessionRunner._open_day": _RUNNER,
    "trading.engine.unwinding:give_up_broken": (
        "says order.intended of each cancellation; the walked session's entries become whole"
    ),
    "trading.engine.surfaces:fit_due_surface": "says surface.fitted; the walked session fits none",
    "trading.engine.runner:SessionRunner._rotate": _PACKING,
    "trading.engine.runner:SessionRunner._packed": _PACKING,
    **{
        f"trading.engine.outbox:Outbox.{name}": _RUNNER
        for name in (
            *("note", "take_up", "take_unsettled"),
            *("_attempt", "_room", "_next", "_let_out", "_answered"),
            *("_ask_after", "_not_known", "_cancel_again"),
        )
    },
    "trading.engine.outbox:Outbox._remember": _RUNNER,
    "trading.engine.outbox:Outbox._withdraw": _RUNNER,
    "trading.engine.runner:SessionRunner._wait_until": "the pace of the feed: no decision reads it",
    "trading.engine.live:LiveDay.instants": _LIVE,
    "trading.engine.live:LiveDay._due": _LIVE,
    "trading.engine.live:LiveDay._taken": _LIVE,
    **{
        f"trading.execution.paper:PaperBroker.{name}": _BROKER
        for name in (
            *("open_day", "restore", "cancel", "_taken_in", "_recall", "_cancelled", "_refuse"),
            *("_filled", "_close_day", "_fill", "_count", "_report"),
        )
    },
    "input:session.opened": _INPUT,
    "input:day.opened": _INPUT,
    "input:market.status": _INPUT,
    "input:order.submitted": _INPUT,
    "input:operator.command": f"{_INPUT}: reconcile, which a book.reconciled answers",
    "input:broker.report": f"{_INPUT}: the end of one leg's order while another still works",
}


@dataclass
class Walk:
    """What running the engine showed.

    `emitting` and `silent` count, for each mutator, the calls that changed the state in steps that
    derived an event and in steps that derived none; `handled` the steps of each handler that
    derived one; `changing` the silent steps that changed the state, by kind of input.
    """

    emitting: Counter[str] = field(default_factory=Counter)
    silent: Counter[str] = field(default_factory=Counter)
    handled: Counter[str] = field(default_factory=Counter)
    changing: Counter[str] = field(default_factory=Counter)


def fingerprint(engine: Engine) -> str:
    """All that decides what the engine will do, but the count of events and the clock."""
    state = engine.dump()
    del state["next_seq"], state["ts"]
    return json.dumps([state, id(engine._configuration)])


class Watcher:
    """Notes which of the watched functions changed the state during a step."""

    def __init__(self, engine: Engine, watched: frozenset[str]) -> None:
        self._engine, self._watched = engine, watched
        self._entered: list[tuple[FrameType, str]] = []
        self.changed: Counter[str] = Counter()

    def step(self, event: Event) -> list[Event]:
        self.changed.clear()
        sys.setprofile(self._on_profile)
        try:
            return self._engine.on(event)
        finally:
            sys.setprofile(None)

    def _on_profile(self, frame: FrameType, what: str, _: Any) -> None:
        if what == "call" and name_of(frame) in self._watched:
            self._entered.append((frame, fingerprint(self._engine)))
        elif what == "return" and self._entered and self._entered[-1][0] is frame:
            _, before = self._entered.pop()
            self.changed[name_of(frame)] += before != fingerprint(self._engine)


def name_of(frame: FrameType) -> str:
    return f"{frame.f_globals.get('__name__')}:{frame.f_code.co_qualname}"


def walk(sessions: list[list[Event]], watched: frozenset[str]) -> Walk:
    """Run the inputs of sessions through engines, watching."""
    found = Walk()
    for inputs in sessions:
        engine = Engine("day1")
        watcher = Watcher(engine, watched)
        for event in inputs:
            before = fingerprint(engine)
            derived = watcher.step(event)
            changed = Counter({name for name, times in watcher.changed.items() if times})
            if derived:
                found.emitting += changed
                found.handled[handler_name(event.kind)] += 1
            else:
                found.silent += changed
                found.changing[event.kind] += before != fingerprint(engine)
    return found


def handler_name(kind: str) -> str:
    handler = HANDLERS[kind]
    return f"{handler.__module__}:{handler.__qualname__}"


def unwired(
    mutators: Mapping[str, list[str]], found: Walk, excluded: Mapping[str, str]
) -> dict[str, list[str]]:
    """Return the mutators and handlers that neither emit nor are excluded, and what they do."""
    handlers = {handler_name(kind): [f"answers {kind}"] for kind in HANDLERS}
    return {
        name: changes
        for name, changes in (handlers | dict(mutators)).items()
        if not found.emitting[name] and not found.handled[name] and name not in excluded
    }


# --- the sessions ---------------------------------------------------------------------------------


def thin_frames(day: Any) -> list[Any]:
    """A day whose last frames quote five units: what is ordered late stays open."""
    frames = day_frames(day, count=40)
    late = [chain_frame(f.underlying, f.available_at, 0.13, quantity=5) for f in frames[-16:]]
    return [*frames[:-16], *late]


def inputs_of(rig: Rig) -> list[Event]:
    events = [line.to_event() for line in read_session(rig.directory)]
    return [event for event in events if event.kind in INPUT_KINDS]


def killed_at(rig: Rig, instant: int, instants: list[int]) -> Rig:
    """A rig whose KILL file appears before an instant of its feed."""
    looked = Counter[str]()

    def look() -> bool:
        looked["times"] += 1
        if looked["times"] == instants.index(instant) + 1:
            kill_file(rig.var_dir).write_text("asha: drill")
        return False

    return replace(rig, stopping=look)


def governed(var_dir: Path) -> Desk:
    """A session whose limits change, whose strategy is switched, that loses, whose breakers open,
    are re-armed, cool off and are decided by a trial, until it has entered too often.
    """
    looser = tell(3, "limit", name="cool_off_us", value=MINUTE_US)
    rearm = tell(6, "rearm", breaker="consecutive losses")
    kill = tell(9, "kill", strategy="S4", hold=True)
    again = tell(10, "rearm", breaker="kill switch S4")
    told = {
        1: [
            kill,
            again,
            tell(1, "limit", name="losses_in_a_row", value=1),
            tell(2, "limit", name="entries_per_day", value=3),
            looser,
            tell(4, "disable", strategy="S4"),
            tell(5, "enable", strategy="S4"),
            tell(12, "reconcile"),
        ],
        2: [
            tell(7, "approve", actor="ravi", request=looser.id),
            tell(11, "approve", actor="ravi", request=again.id),
        ],
        look_at(14): [rearm],
        look_at(15): [tell(8, "approve", actor="ravi", request=rearm.id)],
    }
    ahead = frame(28, 0.25)
    ahead = msgspec.structs.replace(ahead, as_of=ahead.available_at + MINUTE_US, flags=("CLOCK",))
    trial = [frame(30, 0.28), frame(31, 0.28), *[frame(minute, 0.2) for minute in range(32, 40)]]
    return Desk(var_dir, [*losing(), *high(13, 28), ahead, *high(29, 30), *trial], told)


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> list[list[Event]]:
    """Inputs of a usual day, of one whose last orders expire, of one killed at work, of one whose
    limits and breakers move, and of days with a trade that is held into its expiry.
    """
    charged = factory_configuration(costs={"profile": "ZERODHA"})
    usual = Rig(var_dir=tmp_path_factory.mktemp("usual"), days=DAYS[:1], configuration=charged)
    thin = Rig(var_dir=tmp_path_factory.mktemp("thin"), days=DAYS[:1], frames_of=thin_frames)
    usual.run()
    thin.run()
    told = [line.to_event() for line in read_session(thin.directory)]
    partly = {e.data["order"] for e in told if e.data.get("status") == "PARTIALLY_FILLED"}
    entries = [e for e in told if e.kind == "order.submitted" and e.data["purpose"] == "entry"]
    sent = max(entry.ts for entry in entries if entry.key in partly)
    instants = sorted({e.ts for e in told if e.kind in {"market.frame", "clock.tick"}})
    instant = next(ts for ts in instants if ts > sent)
    killed = killed_at(replace(thin, var_dir=tmp_path_factory.mktemp("killed")), instant, instants)
    killed.run()
    *before, ended = inputs_of(usual)
    halt = replace(
        ended,
        kind="market.status",
        key="NIFTY",
        data={"underlying": "NIFTY", "status": "HALT", "reason": None},
    )
    halted = [*before, halt, replace(ended, seq=(ended.seq or 0) + 1)]
    told_so = governed(tmp_path_factory.mktemp("governed"))
    told_so.run()
    expired = rig_of(tmp_path_factory.mktemp("expired"), 2_545_035)
    expired.run()
    walks = [halted, inputs_of(thin), inputs_of(killed), inputs_of(told_so.rig)]
    return [*walks, inputs_of(expired)]


@pytest.fixture(scope="module")
def mutators() -> dict[str, list[str]]:
    return mutators_of_packages(REPOSITORY, *WALKED)


@pytest.fixture(scope="module")
def walked(sessions: list[list[Event]], mutators: dict[str, list[str]]) -> Walk:
    return walk(sessions, frozenset(mutators))


# --- what must hold -------------------------------------------------------------------------------


def test_the_sessions_hold_every_input(sessions: list[list[Event]]) -> None:
    kinds = {event.kind for inputs in sessions for event in inputs}
    assert kinds == INPUT_KINDS == set(HANDLERS)
    statuses = {
        event.data["status"]
        for inputs in sessions
        for event in inputs
        if event.kind == "broker.report"
    }
    assert {"ACKED", "PARTIALLY_FILLED", "FILLED", "CANCELLED", "EXPIRED"} <= statuses


def test_every_mutator_emits_or_is_excluded_with_a_reason(
    mutators: dict[str, list[str]], walked: Walk
) -> None:
    assert unwired(mutators, walked, EXCLUDED) == {}


def test_an_input_that_emits_nothing_changes_nothing_or_is_excluded(walked: Walk) -> None:
    silent = {kind for kind, times in walked.changing.items() if times}
    assert silent == {name[6:] for name in EXCLUDED if name.startswith("input:")}


def test_the_table_holds_nothing_that_is_gone_or_emits(
    mutators: dict[str, list[str]], walked: Walk
) -> None:
    known = set(mutators) | {handler_name(kind) for kind in HANDLERS}
    listed = {name for name in EXCLUDED if not name.startswith("input:")}
    assert listed - known == set()
    assert {name for name in listed if walked.emitting[name]} == set()
    assert all(EXCLUDED.values())


def test_the_engine_s_own_mutators_are_most_of_what_is_found(
    mutators: dict[str, list[str]], walked: Walk
) -> None:
    wired = {name for name in mutators if walked.emitting[name]}
    assert {
        "trading.engine.admission:_intend_entry",
        "trading.engine.kill_switch:_keep",
        "trading.engine.intents:intend_exit",
        "trading.engine.reports:_apply",
        "trading.engine.lifecycle:_archive",
        "trading.engine.days:_close_day",
        "trading.execution.positions:Trade.move",
        "trading.features.window:FloatWindow.append",
    } <= wired


# --- the test of the test -------------------------------------------------------------------------

SYNTHETIC = """
from collections import deque

LIMITS = {}

def sneak(step):
    step.state.realised_paise += 1

def sneak_by_another_name(step):
    quotes = step.underlying("NIFTY").quotes
    quotes["x"] = None

def sneak_into_a_list(trade, leg):
    trade.legs.append(leg)

def sneak_by_unpacking(step):
    step.state.ts, rest = 1, 2
    return rest

def sneak_with_setattr(state):
    setattr(state, "ended", True)

def sneak_away(state):
    del state.trades["x"]

def sneak_globally():
    global LIMITS
    LIMITS = {"a": 1}

class State:
    def __init__(self):
        self.trades = {}

    def forget(self):
        self.trades.clear()

    def outer(self):
        def inner():
            self.trades = {}
        return inner

def honest(step):
    found = {}
    found["x"] = [step.state.ts]
    waiting = deque()
    waiting.append(1)
    return sorted(found), waiting
"""


def test_a_new_mutator_that_is_in_no_table_is_found(
    tmp_path: Path, mutators: dict[str, list[str]], walked: Walk
) -> None:
    (tmp_path / "trading" / "engine").mkdir(parents=True)
    (tmp_path / "trading" / "engine" / "sly.py").write_text(SYNTHETIC)
    sly = mutators_of_packages(tmp_path, "trading/engine")
    found = unwired(mutators | sly, walked, EXCLUDED)
    assert set(found) == {
        f"trading.engine.sly:{name}"
        for name in (
            "sneak",
            "sneak_by_another_name",
            "sneak_into_a_list",
            "sneak_by_unpacking",
            "sneak_with_setattr",
            "sneak_away",
            "sneak_globally",
            "State.forget",
            "State.outer.<locals>.inner",
        )
    }
    assert found["trading.engine.sly:sneak"] == ["step.state.realised_paise"]
    known = dict.fromkeys(found, "because") | EXCLUDED
    assert unwired(mutators | sly, walked, known) == {}


def test_a_mutator_that_stops_emitting_is_found(
    sessions: list[list[Event]], mutators: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kill switch is set and `breaker.changed` left out, with all that would follow it."""
    import trading.engine.kill_switch as kill_switch
    from trading.engine import commands

    source = REPOSITORY / "trading" / "engine" / "kill_switch.py"
    tree = ast.parse(source.read_text())
    quiet = next(node for node in tree.body if getattr(node, "name", "") == "set_kill")
    assert isinstance(quiet, ast.FunctionDef)
    kept = next(i for i, line in enumerate(quiet.body) if "_keep(" in ast.unparse(line))
    quiet.body = quiet.body[: kept + 1]
    names: dict[str, Any] = dict(vars(kill_switch))
    exec(compile(tree, str(source), "exec"), names)  # noqa: S102 - the module itself, cut short
    monkeypatch.setitem(commands._HANDLERS, "kill", names["set_kill"])
    killed = sessions[2]
    cut = next(i for i, event in enumerate(killed) if event.kind == "operator.command")
    found = walk([killed[: cut + 1]], frozenset(mutators))
    assert found.changing["operator.command"] == 1
    assert found.silent["trading.engine.kill_switch:_keep"] == 1
    assert "trading.engine.kill_switch:_keep" in unwired(mutators, found, EXCLUDED)


def test_what_is_only_read_is_no_mutator() -> None:
    found = mutators_of_source(SYNTHETIC)
    assert "honest" not in found
    assert "State.__init__" not in found
    assert found["State.forget"] == ["self.trades.clear"]
