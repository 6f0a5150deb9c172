"""The poison-future test of a function: what it answered for instants up to a cut must not change
by a bit when everything after the cut is another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trading.causality.answers import Answer, Difference, answer_of, first_difference
from trading.causality.poisons import POISONS, Poison, poisoned
from trading.causality.tables import Tables

if TYPE_CHECKING:
    from trading.causality.cuts import Cut

Function = Callable[[Tables], Answer | Mapping[int, Any]]
ALL_TABLES = "all tables"


class Leak(NamedTuple):
    """One trial in which the past changed with the future."""

    poison: str
    table: str
    cut: Cut
    difference: Difference

    def __str__(self) -> str:
        column, at_us, before, after = self.difference
        where = column if at_us is None else f"{column} at {at_us}"
        return (
            f"{self.poison} of {self.table} after {self.cut.at_us} ({self.cut.name}) changed "
            f"{where} from {before} to {after}"
        )


@dataclass(frozen=True)
class Report:
    """What a run of trials found: how many there were, and every leak."""

    trials: int
    leaks: tuple[Leak, ...]

    @property
    def is_causal(self) -> bool:
        """Whether nothing leaked in at least one trial."""
        return self.trials > 0 and not self.leaks

    def caught_by(self) -> dict[str, int]:
        """How many trials of each poison caught a leak."""
        counts: dict[str, int] = {}
        for leak in self.leaks:
            counts[leak.poison] = counts.get(leak.poison, 0) + 1
        return counts

    def __str__(self) -> str:
        found = "\n".join(str(leak) for leak in self.leaks[:10])
        return f"{len(self.leaks)} of {self.trials} trials leaked\n{found}".strip()


class Trial(NamedTuple):
    """One way to poison the tables: which poison of which table after which cut."""

    poison: str
    table: str
    cut: Cut
    tables: Tables


def check(
    function: Function,
    tables: Tables,
    cuts: Sequence[Cut],
    *,
    poisons: Sequence[Poison] = POISONS,
    seed: int = 0,
    clear: Callable[[], None] | None = None,
) -> Report:
    """Try a function with every poison of every table, and of all at once, after every cut.

    `clear` empties the function's caches and is called before each answer. A function that fails
    on a poisoned future has let the future reach back: that is a leak as well.
    """
    answer = _answer(function, tables, clear)
    trials, leaks = 0, []
    for trial in every_trial(tables, cuts, poisons=poisons, seed=seed):
        trials += 1
        difference = _difference(function, answer, trial, clear)
        if difference is not None:
            leaks.append(Leak(trial.poison, trial.table, trial.cut, difference))
    return Report(trials, tuple(leaks))


def every_trial(
    tables: Tables, cuts: Sequence[Cut], *, poisons: Sequence[Poison] = POISONS, seed: int = 0
) -> Iterator[Trial]:
    """Every applicable poisoning: each table by itself and, of several, all of them at once."""
    for cut in cuts:
        for poison in poisons:
            changed = {}
            for number, (name, table) in enumerate(tables.items()):
                other = poisoned(table, poison, cut.at_us, seed + number)
                if other is not None:
                    changed[name] = other
                    yield Trial(poison.name, name, cut, {**tables, name: other})
            if len(changed) > 1:
                yield Trial(poison.name, ALL_TABLES, cut, {**tables, **changed})


def _answer(function: Function, tables: Tables, clear: Callable[[], None] | None) -> Answer:
    if clear is not None:
        clear()
    with np.errstate(all="ignore"):  # a poisoned future is full of numbers nobody computes with
        return answer_of(function(tables))


def _difference(
    function: Function, answer: Answer, trial: Trial, clear: Callable[[], None] | None
) -> Difference | None:
    try:
        other = _answer(function, trial.tables, clear)
    except Exception as error:  # noqa: BLE001 - whatever it is, the function has no answer
        return Difference("error", None, "an answer", f"{type(error).__name__}: {error}")
    return first_difference(answer.until(trial.cut.at_us), other.until(trial.cut.at_us))
