"""The signal journal: each signal with the decision that answers it, from the log alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from journal.log.reader import read_session
from journal.payloads.decisions import SignalEmitted
from journal.signal_journal import SignalJournal, Verdict
from tests.journal.log_bed import OPEN_US, frame, signals
from tests.market_factory import DAYS, Rig

if TYPE_CHECKING:
    from journal.events import Event


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    rig = Rig(var_dir=tmp_path_factory.mktemp("session"), days=DAYS[:1])
    rig.run()
    return [line.to_event() for line in read_session(rig.directory)]


def fired(seq: int, **changes: Any) -> Event:
    (event,) = signals("s", seq, 1, fired=True, direction="SELL", **changes)
    return replace(event, cause=())


def decided(seq: int, answers: int, *, block: bool = False, **changes: Any) -> Event:
    data = {
        "strategy": "S4",
        "underlying": "NIFTY" if answers % 2 else "BANKNIFTY",
        "action": "entry",
        "trade": None if block else f"s.{seq}",
        "reason": None,
        "verdict": "block" if block else "pass",
        "decided_by": 2 if block else None,
        "lots": 0 if block else 1,
        "gates": [],
    } | changes
    return replace(
        frame("s", seq),
        ts=OPEN_US + seq,
        kind="gate.decided",
        key=f"{data['strategy']}:{data['underlying']}",
        cause=(answers,),
        data=data,
    )


def test_a_session_s_signals_are_linked_as_their_causes_say(recorded: list[Event]) -> None:
    journal = SignalJournal(recorded)
    emitted = {event.seq: event for event in recorded if event.kind == "signal.emitted"}
    assert [judged.seq for judged in journal.signals()] == list(emitted)
    assert not journal.anomalies
    answers = {
        cause: event
        for event in recorded
        if event.kind == "gate.decided" and event.data["action"] == "entry"
        for cause in event.cause
        if cause in emitted
    }
    for judged in journal.signals():
        assert judged.signal.fired == (judged.seq in answers)
        if judged.answer is not None:
            assert judged.answer.seq == answers[judged.seq].seq
            assert judged.answer.decision.verdict == answers[judged.seq].data["verdict"]
    assert len(answers) >= 10
    assert journal.counts == Counter(judged.verdict for judged in journal.signals())
    assert {Verdict.QUIET, Verdict.ADMITTED, Verdict.REFUSED} <= set(journal.counts)


def test_fed_one_at_a_time_it_is_the_same(recorded: list[Event]) -> None:
    whole, slow = SignalJournal(recorded), SignalJournal()
    for event in recorded:
        slow.feed(event)
    assert list(slow.signals()) == list(whole.signals())
    assert slow.counts == whole.counts


def test_queries(recorded: list[Event]) -> None:
    journal = SignalJournal(recorded)
    for judged in journal.signals(underlying="NIFTY", verdict=Verdict.REFUSED):
        assert journal.by_seq(judged.seq) is judged
        assert (judged.signal.underlying, judged.verdict) == ("NIFTY", "refused")
        assert isinstance(judged.signal, SignalEmitted)
    halves = [len(list(journal.signals(fired=answer))) for answer in (True, False)]
    assert sum(halves) == len(journal)
    assert len(list(journal.signals(strategy="S4"))) == len(journal)
    assert not list(journal.signals(strategy="S9"))
    assert journal.by_seq(1) is None


def test_a_signal_that_fired_waits_for_its_answer() -> None:
    journal = SignalJournal([fired(1)])
    assert [judged.verdict for judged in journal.signals()] == [Verdict.UNANSWERED]
    journal.feed(decided(2, 1, block=True))
    assert [judged.verdict for judged in journal.signals()] == [Verdict.REFUSED]
    assert dict(journal.counts) == {"unanswered": 0, "refused": 1}


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([fired(1), decided(2, 1), decided(3, 1)], "signal 1 was answered by 2"),
        ([*signals("s", 1, 1), decided(2, 1)], "answers signal 1, which did not fire"),
        ([fired(1), decided(4, 3)], "answers 0 known signals, expected one"),
        ([fired(1), fired(3), replace(decided(4, 3), cause=(1, 3))], "answers 2 known signals"),
        ([fired(1), decided(4, 1, underlying="BANKNIFTY")], "is of S4 BANKNIFTY, signal 1 of S4"),
        ([fired(1), fired(1)], "signal 1 is here already"),
        ([fired(1), replace(fired(3), v=9)], "v: version 9 is not known"),
        ([fired(1), replace(fired(3), data={})], "data.strategy: missing"),
    ],
)
def test_what_contradicts_the_rest_is_kept_as_an_anomaly(events: list[Event], reason: str) -> None:
    journal = SignalJournal(events)
    (anomaly,) = journal.anomalies
    assert (anomaly.seq, anomaly.kind) == (events[-1].seq, events[-1].kind)
    assert reason in anomaly.reason
    assert journal.anomaly_count == 1


def test_an_exit_answers_no_signal() -> None:
    leaving = decided(4, 1, action="exit", trade="s.2", reason="KILL")
    journal = SignalJournal([fired(1), decided(2, 1), leaving])
    assert not journal.anomalies
    assert journal.by_seq(1).answer.seq == 2  # type: ignore[union-attr]


def test_memory_is_bounded_and_what_left_is_counted() -> None:
    journal = SignalJournal(signals("s", 1, 50), capacity=20)
    for seq in range(100, 130):
        journal.feed(decided(seq, 1))
    assert [judged.seq for judged in journal.signals()] == list(range(31, 51))
    assert (journal.left_off, journal.counts[Verdict.QUIET]) == (30, 50)
    assert (len(journal.anomalies), journal.anomaly_count) == (20, 30)
