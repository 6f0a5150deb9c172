"""Deciding a recorded day again: its inputs to a fresh engine, what comes out beside the record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from journal.events import event_from_body
from replay.comparator import Comparator, Divergence, What
from replay.recording import DayRecording, day_lines, is_derived, is_input
from trading.engine.engine import Engine
from trading.engine.step import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from journal.log.reader import LogLine

PROGRESS_EVENTS = 100  # events between two calls of `progress`

# What an engine can raise over a recorded input that somebody has rewritten.
_REFUSALS = (
    EngineError,
    msgspec.ValidationError,
    LookupError,
    TypeError,
    ValueError,
    ArithmeticError,
    AttributeError,
    AssertionError,
)


@dataclass(slots=True)
class DayReplay:
    """One day decided again. `opening` and `closing` are digests of the engine's state as the day
    recorded it at its start and as the replay ended with it; `owed` are events derived from the
    last input that an unfinished log does not hold yet.
    """

    date: str
    events: int = 0
    derived: int = 0
    identical: int = 0
    different: int = 0
    owed: int = 0
    opening: str | None = None
    opening_seq: int = 0
    closing: str | None = None
    divergence: Divergence | None = None


class DayRunner:
    """Replays one day file. `derived_to` takes the canonical bytes of every derived body, one
    after the other; `progress` the number of events behind us.
    """

    def __init__(
        self,
        day: DayRecording,
        *,
        session: str,
        derived_to: BinaryIO,
        progress: Callable[[int], None],
    ) -> None:
        self._day = day
        self._derived_to = derived_to
        self._progress = progress
        self._engine = Engine(session)
        self._comparator = Comparator()
        self._recorded: list[bytes] = []  # the answers to the last input
        self._replayed: list[bytes] = []
        self._refused = False
        self.result = DayReplay(date=day.date)

    def run(self, *, unfinished: bool) -> DayReplay:
        """Replay to the end of the day, or to the first input that the engine does not take.

        `unfinished` says that the log ends here in the middle of a session: the answers to its last
        input may be missing. Raises TamperedError when the log contradicts its chain.
        """
        for line in day_lines(self._day, limit=self._day.end):
            self._take(line)
            if self._refused:
                break
        self._settle(may_owe=unfinished)
        result = self.result
        result.divergence = self._comparator.first
        result.identical, result.different = self._comparator.identical, self._comparator.different
        if result.events and not self._refused:
            result.closing = self._engine.digest()
        self._progress(result.events)
        return result

    def _take(self, line: LogLine) -> None:
        if is_derived(line):
            self._recorded.append(line.body_bytes)
        elif is_input(line):
            self._settle(may_owe=False)
            self._feed(line)
        else:
            return
        self.result.events += 1
        if self.result.events % PROGRESS_EVENTS == 0:
            self._progress(self.result.events)

    def _feed(self, line: LogLine) -> None:
        try:
            event = event_from_body(line.body)
            bodies = [item.body_bytes() for item in self._engine.on(event)]
        except _REFUSALS as error:
            self._refuse(line, error)
            return
        if event.kind == "day.opened":
            self.result.opening = str(event.data["state_digest"])
            self.result.opening_seq = event.seq or 0
        self._replayed = bodies

    def _refuse(self, line: LogLine, error: Exception) -> None:
        """Stop here: what follows was answered by an engine that had taken this input."""
        self._refused = True
        words = str(error) if isinstance(error, EngineError) else f"{type(error).__name__}: {error}"
        seq = line.body["seq"]
        self._comparator.note(
            Divergence(
                what=What.REFUSED,
                seq=seq if isinstance(seq, int) else 0,
                kind=line.body["kind"],
                path="$",
                recorded=None,
                replayed=words,
            )
        )

    def _settle(self, *, may_owe: bool) -> None:
        """Compare the answers to the last input."""
        replayed = self._replayed
        if may_owe and replayed[: len(self._recorded)] == self._recorded:
            self.result.owed = len(replayed) - len(self._recorded)
            replayed = replayed[: len(self._recorded)]
        self._comparator.compare(self._recorded, replayed)
        self._derived_to.writelines(replayed)
        self.result.derived += len(replayed)
        self._recorded, self._replayed = [], []
