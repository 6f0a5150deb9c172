"""Hidden memory: whether answers depend on what was asked before.

The same trials are answered forwards here, backwards in a fresh process, and each with the caches
emptied before it. All three must agree on every bit.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from multiprocessing import get_context
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trading.causality.answers import Answer, answer_of, words
from trading.causality.harness import Function, Trial, every_trial
from trading.causality.poisons import POISONS, Poison

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from trading.causality.cuts import Cut
    from trading.causality.tables import Tables

FORWARDS, BACKWARDS, EMPTIED = "forwards", "backwards in a fresh process", "with caches emptied"


class Disagreement(NamedTuple):
    """A trial whose answer depended on the order or on a cache: the ways that differ."""

    poison: str
    table: str
    cut: Cut
    ways: tuple[str, ...]


def order_matters(
    function: Function,
    tables: Tables,
    cuts: Sequence[Cut],
    *,
    poisons: Sequence[Poison] = POISONS,
    seed: int = 0,
    clear: Callable[[], None] | None = None,
) -> tuple[Disagreement, ...]:
    """The trials a function does not answer the same forwards and backwards, with caches and
    without. The function and `clear` must be importable by name: a fresh process has to find them.
    """
    trials = list(every_trial(tables, cuts, poisons=poisons, seed=seed))
    ways = {
        FORWARDS: digests(function, trials),
        BACKWARDS: _in_a_fresh_process(function, trials[::-1])[::-1],
    }
    if clear is not None:
        ways[EMPTIED] = digests(function, trials, clear)
    return tuple(
        Disagreement(
            trial.poison, trial.table, trial.cut, _odd_ones({w: d[n] for w, d in ways.items()})
        )
        for n, trial in enumerate(trials)
        if len({answers[n] for answers in ways.values()}) > 1
    )


def digests(
    function: Function, trials: Sequence[Trial], clear: Callable[[], None] | None = None
) -> list[str]:
    """The digest of the function's answer to each trial, in the order given."""
    found = []
    for trial in trials:
        if clear is not None:
            clear()
        found.append(_digest(function, trial.tables))
    return found


def _in_a_fresh_process(function: Function, trials: Sequence[Trial]) -> list[str]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(digests, function, list(trials)).result()


def _digest(function: Function, tables: Tables) -> str:
    try:
        with np.errstate(all="ignore"):  # a poisoned future is full of such numbers
            return digest_of(answer_of(function(tables)))
    except Exception as error:  # noqa: BLE001 - it fails the same way every time, or order matters
        return f"{type(error).__name__}: {error}"


def digest_of(answer: Answer) -> str:
    """The SHA-256 (hex) of an answer: instants, names, dtypes and the bits of every value."""
    said = sha256(np.ascontiguousarray(answer.at).tobytes())
    for name, column in answer.columns.items():
        said.update(f"|{name} {column.dtype}|".encode())
        bits = words(column)
        said.update(b"\x00".join(bits.tolist()) if bits.dtype == object else bits.tobytes())
    return said.hexdigest()


def _odd_ones(answers: dict[str, str]) -> tuple[str, ...]:
    """The ways that differ from the first."""
    first = next(iter(answers.values()))
    return tuple(way for way, answer in answers.items() if answer != first)
