"""A session's process killed by SIGKILL while it trades at a broker with a book of its own, and
started again: nothing is sent twice, what is not known is asked after, and both books agree.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from brahmastra_site.launcher.environment import REPOSITORY
from journal.events import INPUT_KINDS
from journal.log.reader import read_session
from journal.log.verification import verify_session
from replay.recording import read_recording
from replay.runner import DayRunner
from tests.trading.engine.desk_bed import look_at
from tests.trading.engine.test_reconciliation import LIMITS, Exchange
from tests.trading.execution.socket_broker import SocketBroker, contract_of
from trading.engine.engine import Engine
from trading.engine.reconciliation import book_holdings
from trading.execution.orders import TERMINAL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from journal.events import Event

pytestmark = pytest.mark.slow
NOWHERE = "-"
# Two orders enter, two leave; a broker that fills by halves has them work for some minutes.
ENTRY, EXIT = 1, 3


class House:
    """A session's files and the broker it trades at, which outlives its processes."""

    def __init__(self, directory: Path, *ways: str) -> None:
        self.directory = directory
        self.exchange = Exchange(directory, *ways)

    def run(self, point: str = NOWHERE, *, kill_look: int = 0) -> int:
        """Run or continue the session in a process; return how that ended."""
        words = [str(self.directory), str(self.exchange.port), str(kill_look), point]
        done = subprocess.run(
            [sys.executable, "-m", "tests.trading.engine.session_at_exchange", *words],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode in {0, -signal.SIGKILL}, done.stderr
        return done.returncode

    def ask(self, what: str) -> dict[str, Any]:
        broker = SocketBroker(self.exchange.port, limits=LIMITS, timeout_seconds=10)
        return asyncio.run(broker._ask(what))

    @property
    def log(self) -> Path:
        return self.directory / "sessions" / "day1"

    def events(self) -> list[Event]:
        return [line.to_event() for line in read_session(self.log)]

    def unknown(self) -> set[str]:
        """The orders that were attempted and have not ended, by the log as a kill has left it."""
        attempted, ended = set[str](), set[str]()
        (path,) = self.log.glob("*.jsonl")
        for line in path.read_bytes().splitlines():
            try:
                body = json.loads(line)["event"]["body"]
            except ValueError:
                break  # torn
            if body["kind"] == "order.submitted":
                attempted.add(body["data"]["order"])
            elif body["kind"] == "broker.report" and body["data"]["status"] in TERMINAL:
                ended.add(body["data"]["order"])
        return attempted - ended


@pytest.fixture
def houses(tmp_path: Path) -> Iterator[list[House]]:
    made: list[House] = []
    yield made
    for house in made:
        house.exchange.stop()


def of_kind(events: list[Event], kind: str) -> list[Event]:
    return [event for event in events if event.kind == kind]


# --- what must hold however it went ---------------------------------------------------------------


def assert_sound(house: House, *, lost: int = 0) -> None:
    """The log holds and replays; each order went out once; both books say the same of all of it.
    So many orders were `lost` on their way: attempted and never with the broker.
    """
    verify_session(house.log)
    with (house.directory / "derived").open("wb") as derived:
        for day in read_recording(house.log).days:
            runner = DayRunner(day, session="day1", derived_to=derived, progress=lambda _: None)
            assert runner.run(unfinished=False).divergence is None
    events, there = house.events(), house.ask("everything")
    assert_sent_once(events, there, lost=lost)
    assert_same_fills(events, there)
    holdings = {each.contract: each.units for each in book_holdings(replayed(events))}
    at_broker = {contract_of(name): units for name, units in there["positions"].items() if units}
    assert holdings == at_broker
    assert events[-1].kind == "session.closed"


def assert_sent_once(events: list[Event], there: dict[str, Any], *, lost: int) -> None:
    """No attempt is made twice, and none under another name: what the broker had are the orders of
    the log, one an intention.
    """
    orders = [e for e in of_kind(events, "order.submitted") if e.data["purpose"] != "cancel"]
    assert max(Counter(event.data["order"] for event in orders).values()) == 1
    intents = [e for e in of_kind(events, "order.intended") if e.data["purpose"] != "cancel"]
    assert [e.data["order"] for e in orders] == [e.data["order"] for e in intents]
    came_in = [each["order"] for each in there["all"]]
    assert len(came_in) == len(set(came_in)) == len(orders) - lost
    assert set(came_in) <= {event.data["order"] for event in orders}
    legs = Counter((e.data["trade"], e.data["leg"], e.data["purpose"]) for e in intents)
    again = sum(times - 1 for times in legs.values())
    assert again <= lost, "a leg is ordered again only where its order was lost"


def assert_same_fills(events: list[Event], there: dict[str, Any]) -> None:
    """Each fill of the broker is in the book once, by its own price; only repetitions are not."""
    in_book: dict[str, tuple[str, int, int]] = {}
    for event in of_kind(events, "broker.report"):
        data = event.data
        if data["quantity"]:
            fill = (data["order"], data["quantity"], data["price_paise"])
            assert in_book.setdefault(data["id"], fill) == fill
    aside = {event.data["verdict"] for event in of_kind(events, "report.set_aside")}
    assert aside <= {"DUPLICATE"}
    said = {
        news["id"]: (each["order"], news["quantity"], news["price_paise"])
        for each in there["all"]
        for news in each["news"]
        if news.get("quantity")
    }
    assert in_book == said
    moved = of_kind(events, "position.changed")
    taken = sum(leg["entry_value_paise"] + leg["exit_value_paise"] for leg in last_legs(moved))
    assert taken == sum(quantity * price for _, quantity, price in said.values())


def last_legs(moved: list[Event]) -> list[dict[str, Any]]:
    """The legs of each trade as they were last said."""
    last = {event.data["trade"]: event.data["legs"] for event in moved}
    return [leg for legs in last.values() for leg in legs]


def replayed(events: list[Event]) -> Any:
    """The trades of an engine that was given the log's inputs alone."""
    engine = Engine("day1")
    for event in events:
        if event.kind in INPUT_KINDS:
            engine.on(event)
    return engine.state.trades.values()


def reconciled(events: list[Event], why: str) -> list[dict[str, Any]]:
    return [e.data for e in of_kind(events, "book.reconciled") if e.data["why"] == why]


def assert_agrees_after_restart(events: list[Event]) -> None:
    """The comparison after the restart, and any later, found no difference."""
    assert [each["differences"] for each in reconciled(events, "RESTART")] == [0]
    assert not of_kind(events, "book.reconciled")[-1].data["blocks"]


def assert_left(events: list[Event]) -> None:
    """Every trade that was begun is flat and in the archive."""
    last = {
        event.data["trade"]: event.data["state"] for event in of_kind(events, "position.changed")
    }
    assert set(last.values()) == {"ARCHIVE"}


# --- killed ---------------------------------------------------------------------------------------

INTENT, ATTEMPT, REPORT = (
    "written:order.intended",
    "written:order.submitted",
    "written:broker.report",
)
POINTS = {
    "before the intention is written": (f"{INTENT}:entry:1:before", False),
    "in the middle of the intention": (f"{INTENT}:entry:2:torn", False),
    "before the intention is synced": (f"{INTENT}:entry:1:unsynced", False),
    "between intention and attempt": (f"{ATTEMPT}:entry:1:before", False),
    "between the attempts of two legs": (f"{ATTEMPT}:entry:2:before", True),
    "sent, the answer not heard": (f"submit:{ENTRY}:after", True),
    "the second leg sent, the answer not heard": (f"submit:{ENTRY + 1}:after", True),
    "the acknowledgement heard, not written": (f"{REPORT}:ACKED:1:before", True),
    "the acknowledgement torn": (f"{REPORT}:ACKED:2:torn", True),
    "between partial fills": (f"{REPORT}:PARTIALLY_FILLED:3:unsynced", True),
    "partial fills heard, not written": ("news:2:after", True),
    "a partial fill torn": (f"{REPORT}:PARTIALLY_FILLED:4:torn", True),
    "the last fill heard, not written": (f"{REPORT}:FILLED:1:before", True),
    "between intention and attempt of an exit": (f"{ATTEMPT}:exit:1:before", False),
    "an exit sent, the answer not heard": (f"submit:{EXIT}:after", True),
    "between partial fills of an exit": (f"{REPORT}:PARTIALLY_FILLED:16:unsynced", True),
    "the last fill of an exit torn": (f"{REPORT}:FILLED:3:torn", True),
}


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The same session without a kill."""
    house = House(tmp_path_factory.mktemp("calm"), "partial")
    assert house.run() == 0
    yield house
    house.exchange.stop()


def test_undisturbed_it_enters_by_parts_and_leaves(calm: House) -> None:
    assert_sound(calm)
    events = calm.events()
    purposes = [event.data["purpose"] for event in of_kind(events, "order.submitted")]
    assert purposes == ["entry", "entry", "exit", "exit"]
    statuses = Counter(event.data["status"] for event in of_kind(events, "broker.report"))
    assert statuses["FILLED"] == 4
    assert_left(events)
    assert statuses["PARTIALLY_FILLED"] > 16
    assert [each["differences"] for each in reconciled(events, "DAY_OPENED")] == [0]


REPEATED = (
    "sent, the answer not heard",
    "between partial fills",
    "partial fills heard, not written",
    "the last fill of an exit torn",
)


@pytest.mark.parametrize(
    ("name", "repeats"), [*((name, False) for name in POINTS), *((name, True) for name in REPEATED)]
)
def test_killed_it_goes_on_with_the_broker_s_own_book(
    tmp_path: Path, houses: list[House], name: str, *, repeats: bool
) -> None:
    point, works = POINTS[name]
    houses.append(House(tmp_path, "partial"))
    (house,) = houses
    assert house.run(point) == -signal.SIGKILL
    unknown = house.unknown()
    assert bool(unknown) == works
    asked_before = len(house.ask("everything")["asked_after"])
    if repeats:
        house.ask("repeat")
    assert house.run() == 0
    assert_sound(house)
    events = house.events()
    assert_agrees_after_restart(events)
    asked_after = house.ask("everything")["asked_after"][asked_before:]
    assert unknown <= set(asked_after), "what is not known is asked after"
    assert bool(of_kind(events, "report.set_aside")) == repeats
    assert_left(events)


# --- killed between the attempt, which is durable, and the sending --------------------------------


@pytest.mark.parametrize("number", [ENTRY, ENTRY + 1, EXIT, EXIT + 1])
def test_an_order_that_never_came_in_is_asked_after_ended_and_not_sent(
    tmp_path: Path, houses: list[House], number: int
) -> None:
    """The book shows it working until the time for its answer is over: a difference that lets
    nothing in. Then it ends, the rest of its trade leaves, and both books agree.
    """
    houses.append(House(tmp_path, "partial"))
    (house,) = houses
    assert house.run(f"submit:{number}:before") == -signal.SIGKILL
    (order,) = house.unknown() - {each["order"] for each in house.ask("everything")["all"]}
    assert house.run() == 0
    assert_sound(house, lost=1)
    events = house.events()
    assert order in house.ask("everything")["asked_after"]
    assert order not in {each["order"] for each in house.ask("everything")["all"]}
    assert [each["differences"] for each in reconciled(events, "RESTART")] == [1]
    assert [each["differences"] for each in reconciled(events, "DOUBT")] == [0]
    ended = [e.data for e in of_kind(events, "broker.report") if e.data["reason_code"]]
    assert [(e["order"], e["status"], e["reason_code"]) for e in ended] == [
        (order, "REJECTED", "NEVER_CAME_IN")
    ]
    assert_left(events)


# --- killed during a cancellation -----------------------------------------------------------------

KILL_LOOK = look_at(8)  # somebody presses the kill switch while both entries work
CANCELS = {
    "before the intention is written": (f"{INTENT}:cancel:1:before", 1),
    "in the middle of the intention": (f"{INTENT}:cancel:2:torn", 1),
    "between intention and attempt": (f"{ATTEMPT}:cancel:1:before", 1),
    "attempted, not sent": ("cancel:1:before", 2),
    "sent, the answer not heard": ("cancel:1:after", 1),
    "the answer heard, not written": (f"{REPORT}:CANCELLED:1:before", 1),
    "the answer torn": (f"{REPORT}:CANCELLED:2:torn", 1),
}


def attempts(events: list[Event], purpose: str) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for event in of_kind(events, "order.submitted"):
        if event.data["purpose"] == purpose:
            found.setdefault(event.data["order"], []).append(event.data["attempt"])
    return found


@pytest.mark.parametrize("way", ["rest", "partial"])
@pytest.mark.parametrize("name", CANCELS)
def test_killed_in_a_cancellation_nothing_is_left_working(
    tmp_path: Path, houses: list[House], name: str, way: str
) -> None:
    point, most = CANCELS[name]
    houses.append(House(tmp_path, way))
    (house,) = houses
    assert house.run(point, kill_look=KILL_LOOK) == -signal.SIGKILL
    assert house.run() == 0
    assert_sound(house)
    events = house.events()
    assert_agrees_after_restart(events)
    entries = house.ask("everything")["all"][:2]
    assert [each["state"] for each in entries] == ["CANCELLED", "CANCELLED"]
    tried = attempts(events, "cancel")
    assert sorted(tried) == sorted(each["order"] for each in entries)
    assert max(len(each) for each in tried.values()) == most
    assert_left(events)


def test_a_cancellation_that_never_came_in_is_sent_until_it_has(
    tmp_path: Path, houses: list[House]
) -> None:
    houses.append(House(tmp_path, "rest"))
    (house,) = houses
    assert house.run("cancel:1:before", kill_look=KILL_LOOK) == -signal.SIGKILL
    for _ in range(2):
        assert house.run("cancel:1:before") == -signal.SIGKILL
    assert house.run() == 0
    assert_sound(house)
    assert sorted(attempts(house.events(), "cancel").values()) == [[1], [1, 2, 3, 4]]
    assert {each["state"] for each in house.ask("everything")["all"]} == {"CANCELLED"}
