"""The changes themselves; and, at full length, whether the unit tests notice them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.mutation.mutants import mutants_of, selected, source_of
from tests.mutation.trial import COUNT, REPOSITORY, SEED, all_mutants, trial

if TYPE_CHECKING:
    from pathlib import Path

NOTICED_PERCENT = 85
LISTED = REPOSITORY / "docs" / "mutation.md"
SOURCE = '''
"""A docstring says 1 < 2 and changes nothing."""
from __future__ import annotations
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    LIMIT = 7
FLAG = True

class Box(Base, frozen=True):
    """Another."""
    size: Literal[3] = 4

    @cached(5)
    def weigh(self, of: int = 6) -> int:
        """And another."""
        if of < self.size and not FLAG:
            raise ValueError("too small")
        of += 1
        self.note(of)
        return of * 2 // 3
'''
EXPECTED = [
    ("<module>", "True", "False"),
    ("Box.<module>", "4", "5"),
    ("Box.<module>", "4", "3"),
    ("Box.weigh", "6", "7"),
    ("Box.weigh", "6", "5"),
    ("Box.weigh", "if of < self.size and (not FLAG):", "if not (of < self.size and (not FLAG)):"),
    ("Box.weigh", "of < self.size and (not FLAG)", "of < self.size or not FLAG"),
    ("Box.weigh", "of < self.size", "of <= self.size"),
    ("Box.weigh", "not FLAG", "FLAG"),
    ("Box.weigh", "raise ValueError('too small')", "pass"),
    ("Box.weigh", "of += 1", "of -= 1"),
    ("Box.weigh", "of += 1", "pass"),
    ("Box.weigh", "1", "2"),
    ("Box.weigh", "1", "0"),
    ("Box.weigh", "self.note(of)", "pass"),
    ("Box.weigh", "return of * 2 // 3", "return None"),
    ("Box.weigh", "of * 2 // 3", "of * 2 * 3"),
    ("Box.weigh", "of * 2", "of // 2"),
    ("Box.weigh", "2", "3"),
    ("Box.weigh", "2", "1"),
    ("Box.weigh", "3", "4"),
    ("Box.weigh", "3", "2"),
]


def test_every_small_change_of_a_module(tmp_path: Path) -> None:
    (tmp_path / "box.py").write_text(SOURCE)
    found = [(each.function, each.before, each.after) for each in mutants_of(tmp_path, "box.py")]
    assert found == EXPECTED


def test_each_change_is_made_alone(tmp_path: Path) -> None:
    (tmp_path / "box.py").write_text(SOURCE)
    mutants = mutants_of(tmp_path, "box.py")
    sources = [source_of(tmp_path, mutant) for mutant in mutants]
    assert len(set(sources)) == len(mutants)
    for source in sources:
        compile(source, "box.py", "exec")
    assert (tmp_path / "box.py").read_text() == SOURCE


def test_a_seed_chooses_the_same_again() -> None:
    mutants = all_mutants()
    chosen = selected(mutants, count=COUNT, seed=SEED)
    assert len(chosen) == COUNT
    assert chosen == selected(mutants, count=COUNT, seed=SEED)
    assert chosen != selected(mutants, count=COUNT, seed=SEED + 1)
    assert chosen == sorted(chosen, key=mutants.index)
    assert {each.path.split("/")[1] for each in chosen} == {"risk", "costs", "execution"}


@pytest.mark.skipif("BRAHMASTRA_SOAK" not in os.environ, reason="BRAHMASTRA_SOAK is not set")
def test_the_unit_tests_notice_small_changes() -> None:
    chosen = selected(all_mutants(), count=COUNT, seed=SEED)
    left = [each.mutant.name for each in trial(chosen, workers=2) if each.verdict != "killed"]
    listed = LISTED.read_text()
    unlisted = "\n".join(name for name in left if name not in listed)
    assert 100 * (COUNT - len(left)) >= NOTICED_PERCENT * COUNT, f"not listed:\n{unlisted}"
