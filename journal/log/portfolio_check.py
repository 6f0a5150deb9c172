"""Whether the portfolio's file equals what the log gives, and in one line what it does not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from journal.log.lookup import event_at
from journal.log.portfolio_file import (
    PORTFOLIO_FILE,
    SNAPSHOT,
    PortfolioFileError,
    PortfolioState,
    logged_portfolio,
    portfolio_of,
    read_portfolio,
)

if TYPE_CHECKING:
    from pathlib import Path

_NOTHING = object()  # a field that is not there


class Standing(StrEnum):
    """How a file stands to its log. One that is missing or behind is what a kill leaves; an
    `OTHER` says something no writer of this log ever wrote.
    """

    IDENTICAL = "identical"
    NONE_YET = "none yet"
    MISSING = "missing"
    BEHIND = "behind"
    OTHER = "other"

    @property
    def holds(self) -> bool:
        return self in {Standing.IDENTICAL, Standing.NONE_YET}


@dataclass(frozen=True, slots=True)
class PortfolioCheck:
    """How the file stands, in words too, and what the log gives (None before a first snapshot)."""

    standing: Standing
    says: str
    logged: PortfolioState | None


def check_portfolio(directory: Path) -> PortfolioCheck:
    """Compare a session's file with what its log gives.

    The file is read first: a snapshot between the two reads makes it look behind, never ahead.
    Raises TamperedError where the log's end does not hold.
    """
    path = directory / PORTFOLIO_FILE
    try:
        told, problem = read_portfolio(directory), None
    except PortfolioFileError as error:
        told, problem = None, str(error)
    logged = logged_portfolio(directory)
    if problem is not None:
        return PortfolioCheck(Standing.OTHER, problem, logged)
    if told is not None:
        standing, says = _compared(directory, told, logged)
    elif logged is None:
        standing, says = Standing.NONE_YET, "neither log nor file has a portfolio yet"
    else:
        standing = Standing.MISSING
        says = f"is missing; the log's last snapshot is seq {logged.seq}; the next start writes it"
    return PortfolioCheck(standing, f"{path}: {says}", logged)


def _compared(
    directory: Path, told: PortfolioState, logged: PortfolioState | None
) -> tuple[Standing, str]:
    if logged is None:
        return Standing.OTHER, f"is of seq {told.seq}, the log has no snapshot yet"
    if told.session != logged.session:
        says = f"is of session {told.session!r}, the log beside it of {logged.session!r}"
        return Standing.OTHER, says
    if told.seq > logged.seq:
        return Standing.OTHER, f"is of seq {told.seq}, the log's last snapshot is seq {logged.seq}"
    if told.seq < logged.seq:
        return _behind(directory, told, logged)
    difference = first_difference(told, logged)
    if difference is None:
        return Standing.IDENTICAL, f"identical to the log at seq {logged.seq}"
    return Standing.OTHER, difference


def _behind(directory: Path, told: PortfolioState, logged: PortfolioState) -> tuple[Standing, str]:
    """Compare an older file with the event it names: it may be late, but not say anything else."""
    line = event_at(directory, told.seq)
    if line is None or line.body["kind"] != SNAPSHOT:
        return Standing.OTHER, f"is of seq {told.seq}, which in the log is no snapshot"
    difference = first_difference(told, portfolio_of(line))
    if difference is not None:
        return Standing.OTHER, difference
    late = (logged.ts - told.ts) / 1e6
    says = (
        f"is of seq {told.seq}, {logged.seq - told.seq} events and {late:.0f} s behind the log's "
        f"last snapshot, seq {logged.seq}; the next start repairs it"
    )
    return Standing.BEHIND, says


def first_difference(told: PortfolioState, logged: PortfolioState) -> str | None:
    """Return the first field, by name, in which a file is not what the log gives; None without."""
    for name in ("session", "seq", "line", "hash", "ts", "state"):
        found = _difference(name, getattr(told, name), getattr(logged, name))
        if found is not None:
            return found
    return None


def _difference(where: str, told: Any, logged: Any) -> str | None:
    if type(told) is type(logged) is dict:
        pairs = [
            (f"{where}.{name}", told.get(name, _NOTHING), logged.get(name, _NOTHING))
            for name in sorted({*told, *logged})
        ]
    elif type(told) is type(logged) is list and len(told) == len(logged):
        pairs = [
            (f"{where}[{at}]", *both) for at, both in enumerate(zip(told, logged, strict=True))
        ]
    elif type(told) is type(logged) and told == logged:
        return None
    else:
        return f"{where} is {_shown(told)}, the log gives {_shown(logged)}"
    found = (_difference(*pair) for pair in pairs)
    return next((each for each in found if each is not None), None)


def _shown(value: Any) -> str:
    if value is _NOTHING:
        return "not there"
    if isinstance(value, list | dict):
        return f"{len(value)} entries"
    return repr(value)
