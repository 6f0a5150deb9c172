"""What can go wrong with a log, each with one clear line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class LogError(Exception):
    """A log cannot be opened, written or read;

    The message says what, where and what was expected.
    """


class CanonicalError(LogError, ValueError):
    """A value cannot be written as an event; names the field."""


class SessionNameError(LogError):
    """A session's name is not of the allowed form."""


class UnknownSessionError(LogError):
    """No session of that name has a log."""


class UnknownStrategyError(LogError):
    """No session that was named runs a strategy of that name."""


class LogLockedError(LogError):
    """Another process is writing this session."""


class LogPoisonedError(LogError):
    """A write or sync failed; the writer acknowledges nothing more (a second fsync may lie)."""


class WalOverflowError(LogError):
    """More events wait for the log than may; nothing was dropped, the producer must hold back."""


class TamperedError(LogError):
    """Stored bytes contradict the chain;

    Names the file, the line and the hash that was expected.
    """

    def __init__(
        self, *, path: Path, line: int, reason: str, expected: str = "", found: str = ""
    ) -> None:
        self.path = path
        self.line = line
        self.reason = reason
        self.expected = expected
        self.found = found
        detail = f"; expected {expected}" if expected else ""
        detail += f", found {found}" if found else ""
        super().__init__(f"{path} line {line}: {reason}{detail}")

    def __reduce__(self) -> tuple[object, ...]:
        """Let it cross from one process to another."""
        return _tampered, (self.path, self.line, self.reason, self.expected, self.found)


def _tampered(path: Path, line: int, reason: str, expected: str, found: str) -> TamperedError:
    return TamperedError(path=path, line=line, reason=reason, expected=expected, found=found)


class PayloadError(LogError, ValueError):
    """An event is not of a kind, version and shape that may be written.

    `kind` is the event's, `problem` names the field and what was expected of it.
    """

    def __init__(self, *, kind: str, seq: int | None, problem: str) -> None:
        self.kind = kind
        self.problem = problem
        super().__init__(f"{kind} at seq {seq}: {problem}")
