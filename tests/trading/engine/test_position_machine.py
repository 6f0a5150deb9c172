"""Positions as a machine: whatever a broker says of orders, in whatever order, beside markets,
halts and kill switches, a trade follows its edges, holds what was filled, and is decided again.

The engine is the real one, from the moment a signal was let in; the machine is the broker and the
market, and keeps its own account of what it filled.
"""

from __future__ import annotations

import copy
import functools
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from journal.events import INPUT_KINDS, Event
from journal.log.reader import read_session
from journal.payloads import check
from tests.trading.engine.desk_bed import CALM, FIRES, Desk, firing, frame
from tests.trading.engine.test_report_intake import report_of
from trading.engine.engine import Engine
from trading.engine.orders import submission_data, withdrawal_data
from trading.engine.state import dump_state, restore_state, state_digest
from trading.market.frames import MarketStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

SOAK = os.environ.get("BRAHMASTRA_SOAK") == "1"
SECOND_US = 1_000_000
# The edges of strategies §0 and no other.
EDGES = {
    (None, "OPEN"),
    ("OPEN", "HOLD"),
    ("HOLD", "EXIT"),
    ("EXIT", "ARCHIVE"),
    ("OPEN", "ARCHIVE"),
    ("OPEN", "EXIT"),
    ("EXIT", "HOLD"),
}
SIZES: dict[str, dict[str, Any]] = {
    "one lot": {},
    "more than the freeze quantity": {"lots": 50, "capital_rupees": 50_000_000_000},
}


class Start(NamedTuple):
    """An engine that has just let a signal in, and the intents of its entry."""

    engine: Engine
    intents: list[Event]


@functools.lru_cache
def start_of(size: str) -> Start:
    """The start of a trade of a size, out of a session's log."""
    with tempfile.TemporaryDirectory() as directory:
        desk = Desk(Path(directory), firing(), **SIZES[size])
        desk.run()
        engine = Engine("day1")
        for line in read_session(desk.rig.directory):
            event = line.to_event()
            if event.kind not in INPUT_KINDS:
                continue
            intents = [each for each in engine.on(event) if each.kind == "order.intended"]
            if intents:
                return Start(engine, intents)
    raise AssertionError("no signal was let in")


class Kept:
    """An order as the broker of the machine keeps it: what it has said of it, and filled."""

    def __init__(self, intent: Event) -> None:
        self.intent = intent
        self.order: str = intent.data["order"]
        self.quantity: int = intent.data["quantity"]
        self.enters: bool = intent.data["purpose"] == "entry"
        self.filled = 0
        self.over = False
        self.said: list[dict[str, Any]] = []

    @property
    def left(self) -> int:
        return self.quantity - self.filled

    def report(self, status: str, quantity: int = 0, price: int = 0) -> dict[str, Any]:
        report = report_of(self.order, len(self.said) + 1, status, quantity, price, self.filled)
        self.said.append(report)
        return report


class Positions(RuleBasedStateMachine):
    """The broker, the market and the people around one engine."""

    @initialize(size=st.sampled_from(sorted(SIZES)))
    def start(self, size: str) -> None:
        start = start_of(size)
        self.before = start.engine
        self.engine = copy.deepcopy(start.engine)
        self.inputs: list[Event] = []
        self.derived: list[list[Event]] = []
        self.waiting: list[Event] = []  # intents that have not left
        self.orders: dict[str, Kept] = {}
        self.ids: set[str] = set()
        self.states: dict[str, str | None] = {}
        self.archived: set[str] = set()
        self.cancelled: set[str] = set()
        self.minute = 5
        self.commands = 0
        self.take_intents(start.intents)

    # --- the broker ---

    @precondition(lambda self: self.waiting)
    @rule(most=st.sampled_from([1, 6]))
    def submit(self, most: int) -> None:
        for _ in range(min(most, len(self.waiting))):
            intent = self.waiting.pop(0)
            data = submission_data(intent, broker="b", algo_id="1")
            self.give("order.submitted", data, key=intent.data["order"])
            if intent.data["purpose"] != "cancel":
                self.orders[intent.data["order"]] = Kept(intent)

    @precondition(lambda self: self.waiting)
    @rule()
    def withdraw(self) -> None:
        """An order that waits with its own cancellation behind it never leaves."""
        for intent in [e for e in self.waiting if e.data["purpose"] != "cancel"]:
            both = [e for e in self.waiting if e.data["order"] == intent.data["order"]]
            if len(both) > 1:
                self.waiting = [e for e in self.waiting if e not in both]
                self.say(withdrawal_data(intent, broker="b"))

    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        kept = self.one_of(data, [each for each in self.orders.values() if not each.said])
        if kept is not None:
            self.say(kept.report("ACKED"))

    @rule(data=st.data(), part=st.sampled_from([1, 50, 100]), price=st.integers(1, 4000))
    def fill(self, data: st.DataObject, part: int, price: int) -> None:
        kept = self.one_of(data, [each for each in self.orders.values() if not each.over])
        if kept is not None:
            self.say(self.filled(kept, max(1, kept.left * part // 100), 5 * price))

    def filled(self, kept: Kept, quantity: int, price: int) -> dict[str, Any]:
        kept.filled += quantity
        kept.over = kept.left == 0
        return kept.report("FILLED" if kept.over else "PARTIALLY_FILLED", quantity, price)

    @rule(data=st.data(), status=st.sampled_from(["REJECTED", "CANCELLED", "EXPIRED"]))
    def end(self, data: st.DataObject, status: str) -> None:
        working = [each for each in self.orders.values() if not each.over]
        kept = self.one_of(data, [e for e in working if status != "REJECTED" or not e.filled])
        if kept is not None:
            kept.over = True
            self.say(kept.report(status))

    @rule(price=st.integers(1, 4000))
    def fill_all_that_works(self, price: int) -> None:
        for kept in [each for each in self.orders.values() if not each.over]:
            self.say(self.filled(kept, kept.left, 5 * price))

    @rule(data=st.data(), price=st.integers(1, 4000))
    def end_before_the_fill_it_counts(self, data: st.DataObject, price: int) -> None:
        working = [each for each in self.orders.values() if not each.over and each.left > 1]
        kept = self.one_of(data, working)
        if kept is None:
            return
        fills = [self.filled(kept, 1, 5 * price)]
        if kept.left > 1:
            fills.append(self.filled(kept, kept.left // 2, 5 * price))
        kept.over = True
        self.say(kept.report("CANCELLED"))
        for fill in reversed(fills):
            self.say(fill)

    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        kept = self.one_of(data, [each for each in self.orders.values() if each.said])
        if kept is not None:
            before = self.holdings()
            derived = self.say(data.draw(st.sampled_from(kept.said)))
            assert "DUPLICATE" in {e.data.get("verdict") for e in derived}
            assert self.holdings() == before

    @rule(quantity=st.integers(1, 500))
    def speak_of_an_order_nobody_knows(self, quantity: int) -> None:
        before = self.holdings()
        number = len(self.inputs)
        derived = self.say(report_of(f"x.{number}", 1, "FILLED", quantity, 500, quantity))
        assert "UNKNOWN_ORDER" in {e.data.get("verdict") for e in derived}
        assert self.holdings() == before

    @rule(data=st.data(), more=st.integers(1, 500))
    def fill_more_than_is_left(self, data: st.DataObject, more: int) -> None:
        kept = self.one_of(data, list(self.orders.values()))
        if kept is not None:
            before = self.holdings()
            number, quantity = 900 + len(self.inputs), kept.left + more
            report = report_of(kept.order, number, "FILLED", quantity, 500, kept.quantity)
            derived = self.say(report)
            assert {"OVERFILL", "AFTER_END"} & {e.data.get("verdict") for e in derived}
            assert self.holdings() == before

    # --- the market and the people ---

    @rule(level=st.sampled_from([*CALM, FIRES]), hidden=st.booleans(), wait=st.integers(1, 4))
    def show(self, level: float, hidden: bool, wait: int) -> None:  # noqa: FBT001 - drawn
        self.minute += wait
        shown = frame(self.minute, level)
        if hidden:
            shown = frame(self.minute, level, hidden_strikes=shown.chain[0].strike_paise)
        if shown.available_at < self.day.close_us:
            self.give("market.frame", shown.to_data(), key="NIFTY", ts=shown.available_at)

    @rule(seconds=st.integers(1, 400))
    def tick(self, seconds: int) -> None:
        ts = self.engine.state.ts + seconds * SECOND_US
        self.minute = max(self.minute, 1 + (ts - frame(0, 0.12).available_at) // (60 * SECOND_US))
        if ts < self.day.close_us:
            self.give("clock.tick", {}, ts=ts)

    @rule(status=st.sampled_from(["HALT", "RESUME"]))
    def halt(self, status: Any) -> None:
        told = MarketStatus("NIFTY", self.engine.state.ts, status, "drill")
        self.give("market.status", told.to_data(), key="NIFTY")

    @rule(hold=st.booleans())
    def kill(self, hold: bool) -> None:  # noqa: FBT001 - drawn
        self.command("kill", {"hold": True} if hold else {})

    @rule()
    def arm(self) -> None:
        self.command("rearm", {})

    # --- what must hold ---

    @invariant()
    def what_is_held_is_what_was_filled(self) -> None:
        if not hasattr(self, "engine"):
            return
        for trade in self.engine.state.trades.values():
            for leg in trade.legs:
                entered = sum(self.filled_of(each.order) for each in leg.entries)
                assert leg.entry_quantity == entered <= leg.quantity
                assert leg.open_quantity >= 0
                works = sum(e.quantity - e.filled for e in leg.exits if not e.over)
                assert works <= leg.open_quantity, "more would be closed than is held"

    @invariant()
    def what_is_flat_and_has_no_order_left_is_archived(self) -> None:
        if not hasattr(self, "engine"):
            return
        for trade in self.engine.state.trades.values():
            works = not trade.entered or trade.exit_works
            assert works or any(leg.open_quantity for leg in trade.legs)

    @invariant()
    def the_state_is_whole_in_its_dump(self) -> None:
        if hasattr(self, "engine"):
            dump = self.engine.dump()
            assert state_digest(dump_state(restore_state(dump))) == state_digest(dump)

    def teardown(self) -> None:
        """The same inputs are answered alike by an engine that starts again."""
        if not hasattr(self, "engine"):
            return
        again = copy.deepcopy(self.before)
        for event, derived in zip(self.inputs, self.derived, strict=True):
            assert again.on(event) == derived
        assert again.digest() == self.engine.digest()

    # --- means ---

    @property
    def day(self) -> Any:
        assert self.engine.state.day is not None
        return self.engine.state.day

    def one_of(self, data: st.DataObject, orders: list[Kept]) -> Kept | None:
        return data.draw(st.sampled_from(orders)) if orders else None

    def filled_of(self, order: str) -> int:
        return self.orders[order].filled if order in self.orders else 0

    def holdings(self) -> list[tuple[int, int]]:
        return [
            (leg.entry_quantity, leg.exit_quantity)
            for trade in self.engine.state.trades.values()
            for leg in trade.legs
        ]

    def say(self, report: dict[str, Any]) -> list[Event]:
        return self.give("broker.report", report, key=report["id"])

    def command(self, name: str, arguments: dict[str, Any]) -> None:
        self.commands += 1
        data = {
            "id": f"00000000-0000-4000-8000-{self.commands:012}",
            "command": name,
            "arguments": arguments,
            "actor": "asha",
            "address": "local",
            "reason": "drill",
            "issued_at": 1,
        }
        self.give("operator.command", data, key=data["id"])

    def give(
        self, kind: str, data: dict[str, Any], *, key: str | None = None, ts: int | None = None
    ) -> list[Event]:
        """Give the engine an input; look at everything it answers."""
        at_us = self.engine.state.ts if ts is None else ts
        event = Event("day1", self.engine.next_seq, at_us, kind, data, key=key)
        derived = self.engine.on(event)
        self.inputs.append(event)
        self.derived.append(derived)
        for each in derived:
            check(each)
            assert all(cause < (each.seq or 0) for cause in each.cause)
            if each.kind == "position.changed":
                self.look_at_position(each.data)
        self.take_intents(each for each in derived if each.kind == "order.intended")
        return derived

    def look_at_position(self, data: dict[str, Any]) -> None:
        trade, before, state = data["trade"], data["before"], data["state"]
        assert trade not in self.archived, "what is archived never changes"
        assert before == self.states.get(trade)
        assert before == state or (before, state) in EDGES
        assert data["reason"]
        self.states[trade] = state
        for leg in data["legs"]:
            assert 0 <= leg["closed"] <= leg["filled"] <= leg["quantity"]
            if state == "ARCHIVE":
                assert leg["closed"] == leg["filled"]
            if (before, state) == ("OPEN", "ARCHIVE"):
                assert leg["filled"] == 0
            if (before, state) == ("OPEN", "HOLD"):
                assert leg["filled"] == leg["quantity"]
        if state == "ARCHIVE":
            self.archived.add(trade)

    def take_intents(self, intents: Iterator[Event] | list[Event]) -> None:
        for intent in intents:
            order, purpose = intent.data["order"], intent.data["purpose"]
            self.waiting.append(intent)
            if purpose == "cancel":
                pressed = self.inputs[-1].kind == "operator.command"
                assert pressed or order not in self.cancelled, "asked for again by nobody"
                self.cancelled.add(order)
                continue
            assert order not in self.ids, "an order's id is its own"
            self.ids.add(order)
            if purpose == "entry":
                assert self.engine.state.kill is None
                assert self.engine.state.reconciliation.doubt is None


Positions.TestCase.settings = settings(
    max_examples=1500 if SOAK else 150,
    stateful_step_count=80 if SOAK else 40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestPositions = Positions.TestCase
