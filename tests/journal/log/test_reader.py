"""Reading on from a position, the last lines, single events, and sessions by name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from journal.log.errors import (
    LogError,
    SessionNameError,
    TamperedError,
    UnknownSessionError,
)
from journal.log.head import read_head
from journal.log.lookup import event_at, last_lines
from journal.log.reader import (
    Position,
    hash_before,
    head_position,
    position_of,
    read_after,
    read_session,
)
from journal.log.session import (
    allocate_session_number,
    existing_session_directory,
    session_directory,
    session_names,
)
from tests.journal.log_bed import command, open_log, signals, write_log

if TYPE_CHECKING:
    from pathlib import Path


def test_reading_on_from_every_position_gives_the_rest(tmp_path: Path) -> None:
    directory = write_log(tmp_path, days=3, events=5)
    whole = [line.raw for line in read_session(directory)]
    assert len(whole) == 21
    for number, line in enumerate(read_session(directory), start=1):
        rest = [later.raw for later in read_after(directory, position_of(line))]
        assert rest == whole[number:]
        some = list(read_after(directory, position_of(line), max_lines=3))
        assert [later.raw for later in some] == whole[number : number + 3]


def test_a_reader_sees_nothing_past_the_head(tmp_path: Path) -> None:
    directory = write_log(tmp_path, events=5)
    assert list(read_after(tmp_path / "sessions" / "none", None)) == []
    head = read_head(directory)
    assert head is not None
    with (directory / head.file).open("ab") as file:
        file.write(b"not a line yet")
    assert [line.line for line in read_session(directory)] == [1, 2, 3, 4, 5, 6, 7]
    assert list(read_after(directory, head_position(head))) == []
    (directory / "head").unlink()
    assert list(read_session(directory)) == []


def test_a_position_of_another_log_is_refused(tmp_path: Path) -> None:
    directory = write_log(tmp_path, events=5)
    (third,) = [line for line in read_session(directory) if line.line == 3]
    position = position_of(third)
    elsewhere = Position(position.file, position.offset, position.line, "f" * 64)
    with pytest.raises(TamperedError, match="does not continue the chain") as caught:
        list(read_after(directory, elsewhere))
    assert (caught.value.line, caught.value.expected) == (4, "f" * 64)
    shifted = Position(position.file, position.offset + 1, position.line, position.hash)
    with pytest.raises(TamperedError, match="line 4: not a log line"):
        list(read_after(directory, shifted))
    miscounted = Position(position.file, position.offset, position.line + 1, position.hash)
    with pytest.raises(TamperedError, match="holds line number 4"):
        list(read_after(directory, miscounted))


def test_the_hash_before_a_position(tmp_path: Path) -> None:
    directory = write_log(tmp_path, days=2, events=5)
    for line in read_session(directory):
        position = position_of(line)
        assert hash_before(directory, position) == line.hash
        for wrong in (position.offset - 1, position.offset + 10**6, 0):
            moved = Position(position.file, wrong, position.line, position.hash)
            assert hash_before(directory, moved) is None
    gone = Position("2025-01-01.jsonl", 10, 1, "")
    assert hash_before(directory, gone) is None


def test_bodies_are_the_bytes_that_were_committed(tmp_path: Path) -> None:
    events = signals("day1", 1, 3, text='"log":{ and ,"log":{"commit"')
    with open_log(tmp_path) as writer:
        writer.open_day("2025-08-29")
        writer.commit(events)
    lines = [line for line in read_session(writer.directory) if line.body["seq"] is not None]
    assert [line.body_bytes for line in lines] == [event.body_bytes() for event in events]
    assert [line.to_event() for line in lines] == [
        event.__class__(**{**json.loads(event.body_bytes()), "cause": event.cause})
        for event in events
    ]


@pytest.mark.parametrize("count", [0, 1, 5, 7, 8, 21, 22, 500])
def test_the_last_lines_are_those_of_the_whole(tmp_path: Path, count: int) -> None:
    directory = write_log(tmp_path, days=3, events=5)
    whole = list(read_session(directory))
    assert last_lines(directory, count) == (whole[-count:] if count else [])


def test_the_last_lines_of_large_lines(tmp_path: Path) -> None:
    with open_log(tmp_path) as writer:
        writer.open_day("2025-08-29")
        for seq in range(1, 6):
            writer.commit(signals("day1", seq, 1, padding="x" * 50_000 * seq))
    whole = list(read_session(writer.directory))
    for count in range(1, 7):
        assert last_lines(writer.directory, count) == whole[-count:]


def test_an_event_is_found_by_its_seq_alone(tmp_path: Path) -> None:
    directory = write_log(tmp_path, days=2, events=10)
    with open_log(tmp_path) as writer:
        # Text and data that look like the fields of another event.
        looks = {"a": 1, "seq": 999, "session": "x"}
        writer.commit([command("day1", 23, body=looks, t=',"seq":998,"session":"')])
    for line in read_session(directory):
        if line.body["seq"] is not None:
            assert event_at(directory, line.body["seq"]) == line
    for missing in (0, -1, 24, 998, 999):
        assert event_at(directory, missing) is None


def test_a_damaged_line_is_not_shown(tmp_path: Path) -> None:
    directory = write_log(tmp_path, events=5)
    file = directory / "2025-08-20.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    lines[-1] = lines[-1].replace(b"quiet", b"noisy")
    file.write_bytes(b"".join(lines))
    with pytest.raises(TamperedError, match="hash does not match"):
        event_at(directory, 6)
    with pytest.raises(TamperedError, match="hash does not match"):
        last_lines(directory, 1)
    assert event_at(directory, 5) is not None


def test_sessions_by_name_and_by_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = write_log(tmp_path, "day1", events=5)
    elsewhere = write_log(tmp_path / "copy", "day9", events=5)
    assert existing_session_directory(tmp_path, "day1") == directory
    assert existing_session_directory(tmp_path, str(elsewhere)) == elsewhere
    with pytest.raises(UnknownSessionError, match="known: day1"):
        existing_session_directory(tmp_path, "day2")
    with pytest.raises(UnknownSessionError, match="neither a session's name nor"):
        existing_session_directory(tmp_path, "../day1/none")
    with pytest.raises(UnknownSessionError, match="known: none yet"):
        existing_session_directory(tmp_path / "empty", "day1")
    # A directory of that name where the command happens to run does not stand in for the session.
    write_log(tmp_path / "shadow", "day1", events=5)
    monkeypatch.chdir(tmp_path / "shadow" / "sessions")
    assert existing_session_directory(tmp_path, "day1") == directory


@pytest.mark.parametrize("name", ["", "A", "-a", "_desk", "a" * 41, "a b", "a/b", "..", "a\n"])
def test_names_that_are_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(SessionNameError):
        session_directory(tmp_path, name)


def test_numbers_are_given_once(tmp_path: Path) -> None:
    assert [allocate_session_number(tmp_path, name) for name in ("b", "a", "b", "c")] == [
        1,
        2,
        1,
        3,
    ]
    assert session_names(tmp_path) == []
    write_log(tmp_path, "a", events=5)
    assert session_names(tmp_path) == ["a"]
    assert issubclass(SessionNameError, LogError)
