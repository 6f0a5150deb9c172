"""Every signal of a session with the gate decision that answered it, from its log alone.

A signal is recorded before any gate sees it; the `gate.decided` that answers it names it as a
cause. A signal that did not fire comes before no gate. Exits are decided by gates too, but answer
no signal and are left out.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from journal.log.errors import PayloadError
from journal.log.reader import read_session
from journal.payloads import check
from journal.payloads.decisions import GateDecided, SignalEmitted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from journal.events import Event

KEPT_SIGNALS = 100_000  # about 2 kB each; a session gives some 750 a day for each strategy


class Verdict(StrEnum):
    """What became of a signal."""

    QUIET = "quiet"  # it did not fire
    UNANSWERED = "unanswered"  # it fired and the log ends before its gates
    ADMITTED = "admitted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class GateAnswer:
    """The decision on a signal: its seq, and what the gates said."""

    seq: int
    decision: GateDecided


@dataclass(frozen=True, slots=True)
class JudgedSignal:
    """A signal as it was before the gates, and their answer when it fired; `ts` is µs UTC."""

    seq: int
    ts: int
    signal: SignalEmitted
    answer: GateAnswer | None = None

    @property
    def verdict(self) -> Verdict:
        if self.answer is None:
            return Verdict.UNANSWERED if self.signal.fired else Verdict.QUIET
        admitted = self.answer.decision.verdict == "pass"
        return Verdict.ADMITTED if admitted else Verdict.REFUSED


@dataclass(frozen=True, slots=True)
class SignalAnomaly:
    """An event the journal cannot place; `seq` is its own, `reason` says why."""

    seq: int | None
    kind: str
    reason: str


class SignalJournal:
    """The signals of one session, in the order they were emitted.

    Feed it a session's events in order, all at once or as they become durable; other kinds are
    passed over. It keeps the last `capacity` signals and as many anomalies; `left_off` counts the
    signals that had to go, `counts` all there were, by verdict. An event that contradicts the rest
    is in `anomalies` and changes nothing.
    """

    def __init__(self, events: Iterable[Event] = (), *, capacity: int = KEPT_SIGNALS) -> None:
        self.capacity = capacity
        self.left_off = 0
        self.counts: Counter[Verdict] = Counter()
        self.anomalies: deque[SignalAnomaly] = deque(maxlen=capacity)
        self.anomaly_count = 0
        self._signals: dict[int, JudgedSignal] = {}
        for event in events:
            self.feed(event)

    @classmethod
    def of_session(cls, directory: Path) -> SignalJournal:
        """Return the journal of a log's durable events; raises TamperedError as reading does."""
        return cls(line.to_event() for line in read_session(directory))

    def feed(self, event: Event) -> None:
        """Take the next event."""
        if event.kind not in {"signal.emitted", "gate.decided"}:
            return
        try:
            payload = check(event)
        except PayloadError as error:
            self._odd(event, error.problem)
            return
        assert event.seq is not None  # noqa: S101 - check has refused its absence
        if isinstance(payload, SignalEmitted):
            self._signal(event, JudgedSignal(event.seq, event.ts, payload))
        elif isinstance(payload, GateDecided) and payload.action == "entry":
            self._answer(event, GateAnswer(event.seq, payload))

    def by_seq(self, seq: int) -> JudgedSignal | None:
        """Return the signal of a seq; None when there is none, or no longer."""
        return self._signals.get(seq)

    def signals(
        self,
        *,
        strategy: str | None = None,
        underlying: str | None = None,
        verdict: Verdict | None = None,
        fired: bool | None = None,
    ) -> Iterator[JudgedSignal]:
        """Yield the signals that are as asked, oldest first; None asks for any."""
        for judged in self._signals.values():
            signal = judged.signal
            if (
                (strategy is None or signal.strategy == strategy)
                and (underlying is None or signal.underlying == underlying)
                and (verdict is None or judged.verdict == verdict)
                and (fired is None or signal.fired == fired)
            ):
                yield judged

    def __len__(self) -> int:
        return len(self._signals)

    def _signal(self, event: Event, judged: JudgedSignal) -> None:
        if judged.seq in self._signals:
            self._odd(event, f"signal {judged.seq} is here already")
            return
        self._signals[judged.seq] = judged
        self.counts[judged.verdict] += 1
        if len(self._signals) > self.capacity:
            del self._signals[next(iter(self._signals))]
            self.left_off += 1

    def _answer(self, event: Event, answer: GateAnswer) -> None:
        asked = [seq for seq in event.cause if seq in self._signals]
        if len(asked) != 1:
            self._odd(event, f"answers {len(asked)} known signals, expected one")
            return
        judged = self._signals[asked[0]]
        problem = _contradiction(judged, answer)
        if problem is not None:
            self._odd(event, problem)
            return
        self.counts[judged.verdict] -= 1
        answered = JudgedSignal(judged.seq, judged.ts, judged.signal, answer)
        self._signals[judged.seq] = answered
        self.counts[answered.verdict] += 1

    def _odd(self, event: Event, reason: str) -> None:
        self.anomaly_count += 1
        self.anomalies.append(SignalAnomaly(event.seq, event.kind, reason))


def _contradiction(judged: JudgedSignal, answer: GateAnswer) -> str | None:
    signal, decision = judged.signal, answer.decision
    if not signal.fired:
        return f"answers signal {judged.seq}, which did not fire"
    if judged.answer is not None:
        return f"signal {judged.seq} was answered by {judged.answer.seq}"
    if (decision.strategy, decision.underlying) != (signal.strategy, signal.underlying):
        return (
            f"is of {decision.strategy} {decision.underlying}, "
            f"signal {judged.seq} of {signal.strategy} {signal.underlying}"
        )
    return None
