"""One line of a session beside its bytes on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from journal.line_view import line_get
from journal.log.session import day_files
from journal.selectors import UnknownEventError
from tests.journal.log_bed import write_log

if TYPE_CHECKING:
    from pathlib import Path

    from journal.log.reader import LogLine


def test_a_line_is_two_queries(
    mirrored_lines: list[LogLine], django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(2):
        line_get(session="day1", line=9)


def test_a_line_is_shown_as_it_is_on_disk_with_its_place(mirrored_lines: list[LogLine]) -> None:
    for number in (1, 2, 3, 123, 124, 244):
        line = mirrored_lines[number - 1]
        view = line_get(session="day1", line=number)
        assert view.raw.encode() + b"\n" == line.raw
        assert (view.problem, view.from_log, view.computed) == ("", True, line.hash)
        assert (view.event.file, view.offset, view.length) == (
            line.file,
            line.offset,
            line.length,
        )
        assert view.file_line == (number if number <= 122 else number - 122)
        assert view.event.prev == line.prev


def test_a_frame_is_told_whole_though_the_store_keeps_a_summary(
    mirrored_lines: list[LogLine],
) -> None:
    view = line_get(session="day1", seq=1)
    told = {fact.name: fact.text for fact in view.facts}
    assert told["chain[0].strike_paise"] == "₹24,400.00, ₹24,450.00, ₹24,500.00"
    assert view.synthetic
    assert view.name == "day1.1"


def test_neighbours_causes_and_why(mirrored_lines: list[LogLine]) -> None:
    first, last = line_get(session="day1", line=1), line_get(session="day1", line=244)
    assert (first.previous_line, first.next_line, first.name) == (None, 2, "day1:1")
    assert (last.previous_line, last.next_line) == (243, None)
    assert not first.explained
    assert last.explained
    assert [(cause.seq, cause.line, cause.kind) for cause in last.causes] == [
        (241, 243, "signal.emitted")
    ]


@pytest.mark.parametrize("asked", [{"line": 245}, {"line": 0}, {"seq": 999}, {"line": 10**17}])
def test_a_line_that_is_not_there(mirrored_log: Path, db: None, asked: dict[str, int]) -> None:
    with pytest.raises(UnknownEventError):
        line_get(session="day1", **asked)


def test_each_kind_of_damage_on_disk_is_named(
    mirrored_lines: list[LogLine], mirrored_log: Path
) -> None:
    path = day_files(mirrored_log)[0]
    whole, line = path.read_bytes(), mirrored_lines[8]
    at = line.offset + 40

    path.write_bytes(whole[:at] + b"X" + whole[at + 1 :])
    view = line_get(session="day1", line=9)
    assert view.problem == "the bytes do not hash to the hash they carry"
    assert view.computed not in {"", line.hash}
    assert view.raw[40] == "X"

    path.write_bytes(whole[: line.offset + 7])
    view = line_get(session="day1", line=9)
    assert view.problem.startswith("the bytes at this place are no log line")
    assert view.raw == '{"event'

    path.write_bytes(b"\xff" * len(whole))
    assert "�" in line_get(session="day1", line=9).raw

    path.write_bytes(whole[: line.offset])
    view = line_get(session="day1", line=9)
    assert (view.from_log, view.computed) == (False, "")
    assert "shown is the store's copy" in view.problem

    path.unlink()
    assert not line_get(session="day1", line=9).from_log


def test_a_line_that_was_rewritten_with_its_hash_differs_from_the_store(
    mirrored_lines: list[LogLine], mirrored_log: Path, tmp_path: Path
) -> None:
    other = write_log(tmp_path / "other", days=2, events=120)
    day_files(mirrored_log)[0].write_bytes(day_files(other)[0].read_bytes())
    view = line_get(session="day1", line=9)
    assert view.problem == "the bytes are not those the audit store was given"
