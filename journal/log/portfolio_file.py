"""The portfolio as a file beside its log: what the last durable portfolio.snapshot says, whole.

It is evidence of nothing: every byte follows from the log, and is made again from it. So it is only
ever made from a durable line, and is never ahead of the log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from journal.log.canonical import canonical_bytes
from journal.log.errors import LogError
from journal.log.files import FILES, Files
from journal.log.lookup import last_of_kind

if TYPE_CHECKING:
    from pathlib import Path

    from journal.log.reader import LogLine

PORTFOLIO_FILE = "portfolio.json"
PORTFOLIO_FORMAT = "brahmastra-portfolio-1"
SNAPSHOT = "portfolio.snapshot"


class PortfolioFileError(LogError):
    """The file cannot be read or written, or is no portfolio."""


class PortfolioState(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A portfolio and the event it equals.

    `session` is the run's name, `seq`, `line` and `hash` are those of the event in its log, `ts` is
    its time (µs UTC), `state` its data; money is in paise.
    """

    format: str
    session: str
    seq: int
    line: int
    hash: str
    ts: int
    state: dict[str, Any]

    def to_bytes(self) -> bytes:
        """Return the file's content: canonical, so that equal portfolios are equal bytes."""
        return canonical_bytes(msgspec.structs.asdict(self)) + b"\n"


def logged_portfolio(directory: Path) -> PortfolioState | None:
    """Return the portfolio of a log's last durable snapshot; None before the first.

    Raises TamperedError where the log's end does not hold.
    """
    line = last_of_kind(directory, SNAPSHOT)
    return None if line is None else portfolio_of(line)


def portfolio_of(line: LogLine) -> PortfolioState:
    """Return the portfolio a line of a snapshot tells of."""
    body = line.body
    return PortfolioState(
        format=PORTFOLIO_FORMAT,
        session=body["session"],
        seq=body["seq"],
        line=line.line,
        hash=line.hash,
        ts=body["ts"],
        state=body["data"],
    )


def read_portfolio(directory: Path) -> PortfolioState | None:
    """Return what the file says; None when there is none.

    Raises PortfolioFileError when it cannot be read or is no portfolio.
    """
    path = directory / PORTFOLIO_FILE
    try:
        return _decoded(path, path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PortfolioFileError(f"{path}: cannot be read ({error.strerror})") from None


def _decoded(path: Path, content: bytes) -> PortfolioState:
    try:
        told = msgspec.json.decode(content, type=PortfolioState)
    except msgspec.ValidationError as error:
        raise PortfolioFileError(f"{path}: not a portfolio ({error})") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PortfolioFileError(f"{path}: not JSON ({error})") from None
    if told.format != PORTFOLIO_FORMAT:
        raise PortfolioFileError(f"{path}: format {told.format!r}, expected {PORTFOLIO_FORMAT!r}")
    return told


def write_portfolio(directory: Path, portfolio: PortfolioState, *, files: Files = FILES) -> None:
    """Replace the file whole and durably; raises PortfolioFileError when it cannot."""
    path = directory / PORTFOLIO_FILE
    try:
        files.replace(path, portfolio.to_bytes())
    except OSError as error:
        raise PortfolioFileError(f"{path}: cannot be written ({error.strerror})") from error
