"""Whatever bytes a log's files hold: a clear error or a correct result, never anything else.

The suite tries some thousands of damages, `make soak` ten times as many (`BRAHMASTRA_SOAK=1`).
"""

from __future__ import annotations

import os
import shutil
from random import Random
from typing import TYPE_CHECKING

import pytest

from journal.log.chain_verification import verify_chain
from journal.log.errors import LogError
from journal.log.lookup import event_at, first_at_time, last_lines, line_at
from journal.log.packing import pack_closed_days
from journal.log.reader import LogLine, read_session
from journal.log.session import day_files
from journal.log.verification import verify_session
from tests.journal.log_bed import OPEN_US, open_log, write_log

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SOAK = os.environ.get("BRAHMASTRA_SOAK") == "1"
DAMAGES = 100_000 if SOAK else 10_000
OPENINGS = 10_000 if SOAK else 500


def _flip(content: bytearray, chance: Random) -> None:
    for _ in range(chance.choice([1, 1, 1, 2, 40])):
        if content:
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


def _cut(content: bytearray, chance: Random) -> None:
    del content[chance.randrange(len(content) + 1) :]


def _remove(content: bytearray, chance: Random) -> None:
    start = chance.randrange(len(content) + 1)
    del content[start : start + chance.choice([1, 7, 512, 3000])]


def _insert(content: bytearray, chance: Random) -> None:
    noise = chance.choice(
        [
            b"\n",
            b"\0" * 512,
            b"{}\n",
            b'{"event":{}}\n',
            b"[" * 5000,
            b"\xff\xfe\r\n",
            b'"',
            b"-0,1e999,NaN",
            chance.randbytes(chance.choice([1, 30, 700])),
        ]
    )
    place = chance.randrange(len(content) + 1)
    content[place:place] = noise


def _repeat(content: bytearray, chance: Random) -> None:
    lines = bytes(content).splitlines(keepends=True)
    if lines:
        place = chance.randrange(len(lines))
        lines.insert(chance.randrange(len(lines) + 1), lines[place])
        content[:] = b"".join(lines)


def _digits(content: bytearray, chance: Random) -> None:
    """Change a digit into another: still JSON, other numbers."""
    places = [place for place, byte in enumerate(content) if 48 <= byte <= 57]
    if places:
        content[chance.choice(places)] = 48 + chance.randrange(10)


CHANGES: list[Callable[[bytearray, Random], None]] = [
    _flip,
    _flip,
    _cut,
    _remove,
    _insert,
    _repeat,
    _digits,
]


class _Bed:
    """A log of three days, one packed, whose files are damaged one at a time and put back."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.directory = write_log(home, days=3, events=5)
        first, second, third = day_files(self.directory)
        pack_closed_days(self.directory)
        shutil.copy(first.with_name(f"{first.name}.gz"), home / "packed")
        self.whole = {
            path: path.read_bytes()
            for path in sorted(self.directory.rglob("*"))
            if path.is_file() and path.name != "lock"
        }
        self.lines = list(read_session(self.directory))
        assert third in self.whole
        assert second not in self.whole

    def damage(self, chance: Random) -> Path:
        path = chance.choice(sorted(self.whole))
        content = bytearray(self.whole[path])
        for _ in range(chance.choice([1, 1, 2, 5])):
            chance.choice(CHANGES)(content, chance)
        path.write_bytes(content)
        return path

    def mend(self) -> None:
        for path in list(self.directory.rglob("*")):
            if path.is_file() and path not in self.whole and path.name != "lock":
                path.unlink()
        for path, content in self.whole.items():
            if not path.exists() or path.read_bytes() != content:
                path.write_bytes(content)


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> _Bed:
    return _Bed(tmp_path_factory.mktemp("fuzz"))


def _found_or_refused(work: Callable[[], object]) -> object:
    """Return what some work gives; a LogError, in one line, is an answer too."""
    try:
        return work()
    except LogError as error:
        return error


@pytest.mark.parametrize("seed", range(10))
def test_damaged_files_are_read_rightly_or_refused(bed: _Bed, seed: int) -> None:
    chance = Random(seed)
    by_seq = {line.body["seq"]: line for line in bed.lines if line.body["seq"] is not None}
    for _ in range(DAMAGES // 10):
        path = bed.damage(chance)
        is_head = path.name == "head"
        read = _found_or_refused(lambda: list(read_session(bed.directory)))
        if isinstance(read, list):
            assert read == bed.lines[: len(read)]
            assert is_head or len(read) == len(bed.lines)
        verified = _found_or_refused(lambda: verify_session(bed.directory))
        chain = _found_or_refused(lambda: verify_chain(bed.directory))
        if not isinstance(verified, LogError):
            assert verified.lines == len(bed.lines) or is_head or path.suffix == ".jsonl"
            assert not isinstance(chain, LogError)
            assert chain.lines == verified.lines
        seq = chance.choice(sorted(by_seq))
        for found in (
            _found_or_refused(lambda seq=seq: event_at(bed.directory, seq)),
            _found_or_refused(lambda seq=seq: line_at(bed.directory, by_seq[seq].line)),
            _found_or_refused(lambda seq=seq: first_at_time(bed.directory, OPEN_US + seq)),
        ):
            if isinstance(found, LogLine):
                assert found.raw == by_seq[seq].raw
            else:
                assert isinstance(found, LogError) or is_head, path
                assert "\n" not in str(found)
        last = _found_or_refused(lambda: last_lines(bed.directory, 3))
        assert isinstance(last, LogError) or all(isinstance(line, LogLine) for line in last)
        bed.mend()


def test_damaged_files_are_continued_rightly_or_refused(bed: _Bed) -> None:
    """Opened for writing: the log goes on with every durable line, or not at all."""
    chance = Random(77)
    for _ in range(OPENINGS):
        path = bed.damage(chance)
        opened = _found_or_refused(lambda: open_log(bed.home))
        if not isinstance(opened, LogError):
            opened.close()
            if path.name not in {"head", "2025-08-22.jsonl"}:
                assert opened.line == len(bed.lines)
        bed.mend()
