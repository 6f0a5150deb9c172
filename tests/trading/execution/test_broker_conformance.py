"""What every broker keeps to: the paper one, and one in a process of its own behind a socket."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from journal.payloads.orders import BrokerReport
from tests.trading.execution.broker_bed import NOON, frame, order, trading_day
from tests.trading.execution.socket_broker import SocketBroker, start_exchange
from trading.execution.broker import (
    BrokerLimits,
    Moment,
    SentOrder,
    UnknownOutcomeError,
    UnreachableError,
)
from trading.execution.orders import FILLS, TERMINAL
from trading.execution.paper import PaperBroker
from trading.execution.paper_model import BrokerConfiguration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from trading.execution.broker import Broker, Report

# Ways of the exchange in which everything that was sent is taken and filled in the end.
FILLING = ("ok", "partial", "late", "twice", "reversed")
LIMITS = BrokerLimits(orders_per_second=10, algo_id="1234", answer_us=1_000_000, keeps_book=True)


class Ground:
    """A broker to be tried, as often as one likes on the same book."""

    def __init__(self, tmp_path: Path, kind: str) -> None:
        self.tmp_path, self.kind = tmp_path, kind
        self._process: Any = None
        self._minute = 0

    async def broker(self, way: str = "ok") -> Broker:
        if self.kind == "paper":
            refused = 1_000_000 if way == "reject" else 0
            model = BrokerConfiguration(reject_ppm=refused)
            found: Broker = PaperBroker(model, gross=True)
        else:
            if self._process is None:
                self._process, self.port = start_exchange(self.tmp_path, way)
            found = SocketBroker(self.port, limits=LIMITS, timeout_seconds=5)
        await found.open_day(trading_day())
        return found

    async def news(self, broker: Broker, times: int = 1) -> list[Report]:
        """What a broker says while the market goes on."""
        said: list[Report] = []
        for _ in range(times):
            self._minute += 1
            shown = frame(self._minute, quantity=40)
            said += await broker.reports(Moment(shown.available_at, [shown]))
        return said

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@pytest.fixture(params=["paper", "socket"])
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ground]:
    made = Ground(tmp_path, request.param)
    yield made
    made.stop()


def once(reports: list[Report]) -> list[Report]:
    """Each report once; the same id is the same report."""
    found: dict[str, Report] = {}
    for report in reports:
        msgspec.convert(report, BrokerReport, strict=True)
        said = {name: value for name, value in report.items() if name != "latency_us"}
        before = found.setdefault(report["id"], report)
        assert said == {name: before[name] for name in said}
    return list(found.values())


async def test_it_declares_what_it_takes(ground: Ground) -> None:
    limits = (await ground.broker()).limits
    assert limits.orders_per_second > 0
    assert limits.answer_us > 0
    assert limits.algo_id


async def test_an_order_is_acknowledged_filled_and_held(ground: Ground) -> None:
    broker = await ground.broker()
    said = await broker.submit(order(), at=NOON)
    said += await ground.news(broker, times=4)
    reports = once(said)
    assert reports[0]["status"] == "ACKED"
    assert reports[-1]["status"] == "FILLED"
    assert sum(each["quantity"] for each in reports) == reports[-1]["filled"] == 65
    statement = await broker.statement(at=NOON)
    assert statement.orders == ()
    assert [(held.contract, held.units) for held in statement.holdings] == [(order().contract, 65)]


async def test_bought_and_sold_again_nothing_is_held(ground: Ground) -> None:
    broker = await ground.broker()
    for name, side in (("s.1", "BUY"), ("s.2", "SELL")):
        await broker.submit(order(name, side=side), at=NOON)
        await ground.news(broker, times=4)
    assert (await broker.statement(at=NOON)).holdings == ()


async def test_a_working_order_is_in_its_statement_until_it_is_cancelled(ground: Ground) -> None:
    broker = await ground.broker("rest")
    said = await broker.submit(order(), at=NOON)
    (working,) = (await broker.statement(at=NOON)).orders
    assert (working.order, working.side, working.quantity, working.filled) == ("s.5", "BUY", 65, 0)
    said += await broker.cancel("s.5", at=NOON + 1)
    assert [each["status"] for each in once(said)] == ["ACKED", "CANCELLED"]
    assert (await broker.statement(at=NOON)).orders == ()
    again = await broker.cancel("s.5", at=NOON + 2)
    assert once(said + again) == once(said), "an order that is over is not cancelled again"
    assert once(await broker.cancel("never.1", at=NOON + 2)) == []


async def test_a_refusal_has_a_code_and_words_and_leaves_nothing(ground: Ground) -> None:
    broker = await ground.broker("reject")
    (refused,) = once(await broker.submit(order(), at=NOON))
    assert (refused["status"], refused["filled"]) == ("REJECTED", 0)
    assert refused["reason"]
    assert refused["reason_code"]
    assert await broker.statement(at=NOON) == ((), ())


async def test_it_is_asked_after_an_order(ground: Ground) -> None:
    broker = await ground.broker()
    assert await broker.look_up("s.5", at=NOON) is None
    said = await broker.submit(order(), at=NOON)
    said += await ground.news(broker, times=4)
    found = await broker.look_up("s.5", at=NOON)
    assert found is not None
    assert once(said + found) == once(said), "what it said is not said otherwise"


async def test_it_is_taken_up_after_a_restart(ground: Ground) -> None:
    """Another adapter, given what is logged, knows the order and says the rest."""
    first = await ground.broker("partial")
    asked = order(quantity=90)
    said = [(NOON, each) for each in await first.submit(asked, at=NOON)]
    said += [(NOON + 60_000_000, each) for each in await ground.news(first)]
    second = await ground.broker()
    await second.restore([SentOrder(asked, NOON, None, said)], [])
    assert await second.statement(at=NOON) == await first.statement(at=NOON)
    known = await second.look_up("s.5", at=NOON)
    assert known is not None
    rest = await ground.news(second, times=9)
    reports = once([each for _, each in said] + rest)
    assert reports[-1]["status"] == "FILLED"
    assert sum(each["quantity"] for each in reports) == 90


# --- a broker behind a socket can do worse --------------------------------------------------------


@pytest.mark.parametrize("way", FILLING)
async def test_whatever_way_it_speaks_the_fills_add_up(tmp_path: Path, way: str) -> None:
    ground = Ground(tmp_path, "socket")
    try:
        broker = await ground.broker(way)
        said = await broker.submit(order(), at=NOON)
        said += await ground.news(broker, times=10)
        reports = once(said)
        assert sum(each["quantity"] for each in reports if each["status"] in FILLS) == 65
        assert sum(each["status"] in TERMINAL for each in reports) == 1
        times = Counter(each["id"] for each in said)
        assert (max(times.values()) == 2) == (way == "twice")
    finally:
        ground.stop()


@pytest.mark.parametrize(("way", "known"), [("mute", True), ("lost", False)])
async def test_no_answer_is_an_unknown_outcome_that_can_be_asked_after(
    tmp_path: Path,
    way: str,
    *,
    known: bool,
) -> None:
    process, port = start_exchange(tmp_path, way)
    try:
        broker = SocketBroker(port, limits=LIMITS, timeout_seconds=0.3)
        with pytest.raises(UnknownOutcomeError):
            await broker.submit(order(), at=NOON)
        patient = SocketBroker(port, limits=LIMITS, timeout_seconds=5)
        assert (await patient.look_up("s.5", at=NOON) is not None) == known
        assert bool((await patient.statement(at=NOON)).orders) == known
    finally:
        process.kill()
        process.wait()


async def test_a_broker_that_is_gone_cannot_be_asked(tmp_path: Path) -> None:
    process, port = start_exchange(tmp_path, "ok")
    process.kill()
    process.wait()
    broker = SocketBroker(port, limits=LIMITS, timeout_seconds=1)
    with pytest.raises(UnreachableError):
        await broker.statement(at=NOON)
