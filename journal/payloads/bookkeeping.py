"""Records the log keeps about itself; they have no seq and never reach the engine."""

from __future__ import annotations

import msgspec

from journal.payloads.registry import payload_of
from journal.payloads.shapes import Count, DateText, Digest, Positive, Shape, Text


class PreviousFile(Shape, frozen=True):
    """The file before, as it ended.

    file: name of the file, `YYYY-MM-DD.jsonl`.
    hash: hash of its last line.
    line: number of its last line across the session.
    root: root of the session's RFC 6962 tree up to that line.
    peaks: roots of the perfect subtrees that tree is made of.
    """

    file: Text
    hash: Digest
    line: Positive
    root: Digest
    peaks: list[Digest] | msgspec.UnsetType = msgspec.UNSET  # logs from before it have none


@payload_of("log.opened")
class LogOpened(Shape, frozen=True):
    """First line of a day file.

    date: ISO date (IST) the file is for.
    number: number of the session in its `VAR_DIR`.
    previous: the file before it; null for the first.
    writer: name of the format.
    """

    date: DateText
    number: Count
    previous: PreviousFile | None
    writer: Text


@payload_of("log.recovered")
class LogRecovered(Shape, frozen=True):
    """A torn end was moved aside when the writer opened the log.

    file: name of the day file it was cut from.
    moved_to: name of the file that holds it now.
    bytes: size of what was moved.
    sha256: digest of what was moved.
    reason: what was wrong with the first bad line.
    """

    file: Text
    moved_to: Text
    bytes: Count
    sha256: Digest
    reason: str
