"""Where to cut between what is known and what is poisoned.

A leak shows only where it reaches across: one that fills a gap from behind shows at a cut inside
the gap and nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trading.causality.tables import Column, Table

RANDOM_CUTS = 10


class Cut(NamedTuple):
    """An instant, µs UTC: what is available then is known, what comes later is not."""

    name: str
    at_us: int


class Session(NamedTuple):
    """One session: its open and close, µs UTC, and whether contracts expire in it."""

    open_us: int
    close_us: int
    expires: bool = False


def find_cuts(
    table: Table,
    *,
    warm_up: int,
    sessions: Sequence[Session] = (),
    halts: Sequence[tuple[int, int]] = (),
    seed: int = 0,
) -> tuple[Cut, ...]:
    """Every kind of cut a table offers: the end of the warm-up of so many rows, the middle, end and
    first row of a session, an expiry day, inside a halt, inside each kind of gap, and ten at
    random, a function of the seed. Times µs UTC.
    """
    at = table.available_at
    cuts = []
    if 0 < warm_up <= len(table):
        cuts.append(Cut("end of warm-up", int(at[warm_up - 1])))
    cuts += _session_cuts(at, sessions)
    cuts += [Cut("halt", (start + stop) // 2) for start, stop in halts]
    cuts += _gap_cuts(table, sessions)
    cuts += _random_cuts(at, seed)
    return tuple(cuts)


def _session_cuts(at: Column, sessions: Sequence[Session]) -> list[Cut]:
    cuts = []
    if sessions:
        session = sessions[len(sessions) // 2]
        inside = at[(at >= session.open_us) & (at <= session.close_us)]
        cuts.append(Cut("mid-session", (session.open_us + session.close_us) // 2))
        cuts.append(Cut("session end", session.close_us))
        if len(inside):
            cuts.append(Cut("first row after the open", int(inside[0])))
    expiring = [session for session in sessions if session.expires]
    if expiring:
        cuts.append(Cut("expiry day", (expiring[-1].open_us + expiring[-1].close_us) // 2))
    return cuts


def _gap_cuts(table: Table, sessions: Sequence[Session]) -> list[Cut]:
    """Inside the longest time without rows within a session, and inside the longest run of missing
    values of each column.
    """
    cuts = []
    gap = _longest_silence(table.available_at, sessions)
    if gap is not None:
        cuts.append(Cut("inside a gap of rows", sum(gap) // 2))
    for name in table.values:
        run = _longest_run(_is_missing(table[name]))
        if run is not None:
            first, last = run
            at = int(table.available_at[(first + last) // 2])
            cuts.append(Cut(f"inside a gap of {name}", at))
    return cuts


def _longest_silence(at: Column, sessions: Sequence[Session]) -> tuple[int, int] | None:
    best: tuple[int, int] | None = None
    spans = [(s.open_us, s.close_us) for s in sessions] or [(int(at[0]), int(at[-1]))]
    for start, stop in spans:
        inside = at[(at >= start) & (at <= stop)]
        gaps = np.diff(inside)
        if not len(gaps) or gaps.max() <= 1.5 * np.median(gaps):
            continue
        row = int(np.argmax(gaps))
        gap = (int(inside[row]), int(inside[row + 1]))
        if best is None or gap[1] - gap[0] > best[1] - best[0]:
            best = gap
    return best


def _longest_run(flags: Column) -> tuple[int, int] | None:
    """The first and last row of the longest run of true, one that neither begins nor ends the
    table: a fill from behind has something to take there.
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    runs = [
        (int(first), int(stop) - 1)
        for first, stop in edges.reshape(-1, 2)
        if first > 0 and stop < len(flags)
    ]
    return max(runs, key=lambda run: run[1] - run[0], default=None)


def _is_missing(column: Column) -> Column:
    if column.dtype == object:
        return np.array([value is None for value in column.tolist()], dtype=bool)
    if column.dtype.kind == "f":
        return np.isnan(column)
    return np.zeros(len(column), dtype=bool)


def _random_cuts(at: Column, seed: int) -> list[Cut]:
    if not len(at):
        return []
    random = np.random.Generator(np.random.Philox(seed))
    chosen = random.integers(int(at[0]), int(at[-1]), RANDOM_CUTS, endpoint=True)
    return [Cut(f"random {number}", int(cut)) for number, cut in enumerate(sorted(chosen), 1)]
