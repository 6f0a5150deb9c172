"""The file KILL: what is written is read back, what cannot be read stops everything."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journal.kill_file import Stop, add_stop, kill_file, read_kill_file, remove_kill_file

if TYPE_CHECKING:
    from pathlib import Path

EVERYTHING = Stop(None, hold=False, reason="")


def stops(var_dir: Path) -> tuple[Stop, ...]:
    file = read_kill_file(var_dir)
    return file.stops if file else ()


def written(var_dir: Path, text: str | bytes) -> tuple[Stop, ...]:
    kill_file(var_dir).write_bytes(text if isinstance(text, bytes) else text.encode())
    return stops(var_dir)


@pytest.mark.parametrize(
    ("text", "stop"),
    [
        ("", EVERYTHING),
        (" \n\n\t\n", EVERYTHING),
        ("smoke in the room\n", Stop(None, hold=False, reason="smoke in the room")),
        ("hold=yes  smoke", Stop(None, hold=True, reason="smoke")),
        ("strategy=S4", Stop("S4", hold=False, reason="")),
        ("strategy=S4 hold=yes odd fills", Stop("S4", hold=True, reason="odd fills")),
        ("hold=yes strategy=S4 odd fills", Stop("S4", hold=True, reason="odd fills")),
        ("odd: strategy=S4", Stop(None, hold=False, reason="odd: strategy=S4")),
        ("hold everything", Stop(None, hold=False, reason="hold everything")),
    ],
)
def test_a_line_is_a_stop(tmp_path: Path, text: str, stop: Stop) -> None:
    assert written(tmp_path, text) == (stop,)


@pytest.mark.parametrize(
    "text",
    ["strategy=", "hold=", "hold=no x", "hold=Yes", "strategy=S1 strategy=S4", "strategy= S4"],
)
def test_a_scope_that_cannot_be_read_stops_everything(tmp_path: Path, text: str) -> None:
    assert written(tmp_path, text) == (Stop(None, hold=False, reason=text),)


def test_lines_are_stops_of_their_own(tmp_path: Path) -> None:
    assert written(tmp_path, "strategy=S1 a\n\nstrategy=S4 hold=yes b") == (
        Stop("S1", hold=False, reason="a"),
        Stop("S4", hold=True, reason="b"),
    )


def test_any_bytes_of_any_length_stop_something(tmp_path: Path) -> None:
    assert written(tmp_path, b"\xff\xfe\x00")[0].strategy is None
    assert len(written(tmp_path, b"x" * 1_000_000)[0].reason) < 100_000


def test_what_is_no_file_stops_everything(tmp_path: Path) -> None:
    kill_file(tmp_path).mkdir()
    (stop,) = stops(tmp_path)
    assert (stop.strategy, stop.hold) == (None, False)
    assert "directory" in stop.reason


names = st.from_regex(r"\A[A-Z][A-Z0-9]{0,5}\Z")
texts = st.text(max_size=40)


@given(st.builds(Stop, st.none() | names, hold=st.booleans(), reason=texts), texts)
def test_what_is_put_in_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, stop: Stop, actor: str
) -> None:
    """Whatever actor and reason say: nothing in them narrows a stop or adds one."""
    var_dir = tmp_path_factory.mktemp("kill")
    add_stop(var_dir, stop=stop, actor=actor)
    (read,) = stops(var_dir)
    assert (read.strategy, read.hold) == (stop.strategy, stop.hold)
    assert read.reason.startswith("by ")


STOPS = [Stop(strategy, hold, "") for strategy in (None, "S1", "S4") for hold in (False, True)]


@pytest.mark.parametrize("first", STOPS)
@pytest.mark.parametrize("second", STOPS)
def test_a_second_stop_is_added_when_it_asks_for_more(
    tmp_path: Path, first: Stop, second: Stop
) -> None:
    add_stop(tmp_path, stop=first, actor="asha")
    add_stop(tmp_path, stop=second, actor="ravi")
    wider = first.strategy not in {None, second.strategy}
    stricter = first.hold and not second.hold
    assert len(stops(tmp_path)) == 1 + (wider or stricter)
    assert stops(tmp_path)[0].reason == "by asha:"


def test_a_stop_is_added_to_a_line_without_an_end(tmp_path: Path) -> None:
    kill_file(tmp_path).write_text("strategy=S4 odd fills")
    add_stop(tmp_path, stop=EVERYTHING, actor="ravi")
    assert [stop.strategy for stop in stops(tmp_path)] == ["S4", None]


def test_of_many_at_once_none_is_lost_and_none_sees_less_than_it_wrote(tmp_path: Path) -> None:
    """A reader beside them never finds a file that stops everything."""
    names_of = [f"S{number}" for number in range(20)]
    wrong: list[Stop] = []

    def write(name: str) -> None:
        add_stop(tmp_path, stop=Stop(name, hold=True, reason="drill"), actor="asha")
        wrong.extend(stop for stop in stops(tmp_path) if stop.strategy is None)

    threads = [threading.Thread(target=write, args=(name,)) for name in names_of]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(stop.strategy or "" for stop in stops(tmp_path)) == sorted(names_of)
    assert wrong == []
    assert [path.name for path in tmp_path.iterdir()] == ["KILL"]


def test_it_is_removed_once(tmp_path: Path) -> None:
    kill_file(tmp_path).write_text("strategy=S4 odd fills")
    file = remove_kill_file(tmp_path)
    assert file is not None
    assert [stop.reason for stop in file.stops] == ["odd fills"]
    assert remove_kill_file(tmp_path) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "STOPPED"),
        ("strategy=S4", "S4 STOPPED"),
        ("strategy=S4\nstrategy=S1\nstrategy=S4 hold=yes", "S1 S4 STOPPED"),
        ("strategy=S4\nhold=yes", "STOPPED"),
    ],
)
def test_its_words(tmp_path: Path, text: str, words: str) -> None:
    kill_file(tmp_path).write_text(text)
    file = read_kill_file(tmp_path)
    assert file is not None
    assert file.words == words
