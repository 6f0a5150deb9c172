"""What an address asks of a session's lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from journal.events import KINDS
from journal.figures import IST

if TYPE_CHECKING:
    from collections.abc import Mapping

SECOND_US = 1_000_000
_NUMBER_DIGITS = 13


@dataclass(frozen=True, slots=True)
class EventFilters:
    """What the address asks of a session's lines; empty text and None ask for everything.

    `event` is an id: a seq, `<session>.<seq>`, `:<line>`, or a whole key. `since` and `until` are
    IST as typed, `since_us` and `until_us` the µs UTC they mean (`until_us` is the first instant
    after). `before` and `after` are lines: the page below one, or above it. `problems` says what
    could not be understood.
    """

    kind: str = ""
    key: str = ""
    strategy: str = ""
    event: str = ""
    seq_from: int | None = None
    seq_to: int | None = None
    since: str = ""
    until: str = ""
    since_us: int | None = None
    until_us: int | None = None
    oldest: bool = False
    before: int | None = None
    after: int | None = None
    problems: tuple[str, ...] = ()

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> EventFilters:
        """Read a query string; what means nothing is left out and named in `problems`."""
        reader = _QueryReader(query)
        since, until = reader.text("from"), reader.text("to")
        until_us = reader.instant("to")
        return cls(
            kind=reader.kind(),
            key=reader.text("key"),
            strategy=reader.text("strategy"),
            event=reader.text("id"),
            seq_from=reader.number("seq_from"),
            seq_to=reader.number("seq_to"),
            since=since,
            until=until,
            since_us=reader.instant("from"),
            until_us=None if until_us is None else until_us + SECOND_US,
            oldest=query.get("order") == "oldest",
            before=reader.number("before"),
            after=reader.number("after"),
            problems=tuple(reader.problems),
        )

    @property
    def narrowed(self) -> bool:
        """Whether anything but the page and its order is chosen."""
        return any((self.kind, self.key, self.strategy, self.event, self.ranged))

    @property
    def ranged(self) -> bool:
        """Whether a range of seqs or of time is chosen."""
        bounds = (self.seq_from, self.seq_to, self.since_us, self.until_us)
        return any(bound is not None for bound in bounds)

    @property
    def upwards(self) -> bool:
        """Whether lines are fetched from the lowest up."""
        return self.after is not None or (self.oldest and self.before is None)

    @property
    def needs_a_stretch(self) -> bool:
        """Whether no single index answers: rows would be looked at that are not shown."""
        return bool(self.strategy) or sum(map(bool, (self.kind, self.key, self.event))) > 1


@dataclass(slots=True)
class _QueryReader:
    """Reads members of a query string and notes those it does not understand."""

    query: Mapping[str, str]
    problems: list[str] = field(default_factory=list)

    def text(self, name: str) -> str:
        # U+0000 cannot be asked of the database.
        return self.query.get(name, "").strip().replace("\0", "")[:100]

    def kind(self) -> str:
        kind = self.text("kind")
        if kind and kind not in KINDS:
            self.problems.append(f"There is no kind {kind}.")
            return ""
        return kind

    def number(self, name: str) -> int | None:
        text = self.text(name).replace(",", "")
        if not text:
            return None
        if is_number(text):
            return int(text)
        self.problems.append(f"{name.replace('_', ' ')} {text} is not a number.")
        return None

    def instant(self, name: str) -> int | None:
        text = self.text(name)
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self.problems.append(f"{name} {text} is not a time such as 2026-02-27 09:15:00.")
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=IST)
        return int(moment.timestamp()) * SECOND_US


def is_number(text: str) -> bool:
    """Whether a text is a number that can be a line or a seq."""
    return text.isascii() and text.isdecimal() and len(text) <= _NUMBER_DIGITS
