"""The portfolio beside its log: whole at every moment, never ahead, and what the log gives."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import shutil
import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journal.events import event_from_body
from journal.log.errors import LogError, TamperedError
from journal.log.files import Files
from journal.log.head import Head, publish_head, read_head
from journal.log.lookup import last_of_kind
from journal.log.portfolio_check import Standing, check_portfolio, first_difference
from journal.log.portfolio_file import (
    PORTFOLIO_FILE,
    SNAPSHOT,
    PortfolioState,
    portfolio_of,
    read_portfolio,
    write_portfolio,
)
from journal.log.reader import LogLine, read_session
from journal.log.writer import Durability
from replay.recording import read_recording
from replay.runner import DayRunner
from tests.journal.log_bed import open_log, signals
from tests.market_factory import DAYS, Rig, day_frames, factory_configuration
from trading.engine.runner import SessionError, Stopped

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def snapshots_of(directory: Path) -> list[LogLine]:
    return [line for line in read_session(directory) if line.body["kind"] == SNAPSHOT]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Rig:
    """A session of two days that pays costs and ran without interruption."""
    rig = Rig(
        var_dir=tmp_path_factory.mktemp("finished"),
        configuration=factory_configuration(costs={"profile": "ZERODHA"}),
    )
    rig.run()
    return rig


@pytest.fixture
def copy(finished: Rig, tmp_path: Path) -> Rig:
    """A copy of it to damage."""
    shutil.copytree(finished.var_dir, tmp_path, dirs_exist_ok=True)
    return replace(finished, var_dir=tmp_path, said=[])


def aside(rig: Rig) -> list[Path]:
    return list(rig.directory.glob(f"{PORTFOLIO_FILE}.aside-*"))


def start_again(rig: Rig) -> None:
    """Start a finished session, which is refused, but not before its files are in order."""
    with pytest.raises(SessionError, match="finished"):
        rig.run()


# --- equals the log -------------------------------------------------------------------------------


def test_the_file_is_the_logs_last_snapshot(finished: Rig) -> None:
    told, last = read_portfolio(finished.directory), snapshots_of(finished.directory)[-1]
    assert told is not None
    assert told.state == last.body["data"]
    assert (told.session, told.seq, told.line, told.hash, told.ts) == (
        "day1",
        last.body["seq"],
        last.line,
        last.hash,
        last.body["ts"],
    )
    assert check_portfolio(finished.directory).standing is Standing.IDENTICAL
    assert not list(finished.directory.glob(f".{PORTFOLIO_FILE}*"))
    assert not any("portfolio" in line for line in finished.said)


def bodies_in(derived: str) -> list[dict[str, Any]]:
    """Take apart the bodies a replay wrote one after the other."""
    bodies: list[dict[str, Any]] = []
    at = 0
    while at < len(derived):
        body, at = json.JSONDecoder().raw_decode(derived, at)
        bodies.append(body)
    return bodies


def test_the_file_is_what_an_engine_decides_again(finished: Rig, tmp_path: Path) -> None:
    """The oracle: another engine, given the log's inputs alone."""
    with (tmp_path / "derived").open("wb") as derived:
        for day in read_recording(finished.directory).days:
            runner = DayRunner(day, session="day1", derived_to=derived, progress=lambda _: None)
            assert runner.run(unfinished=False).divergence is None
    bodies = bodies_in((tmp_path / "derived").read_text())
    last = [event_from_body(body) for body in bodies if body["kind"] == SNAPSHOT][-1]
    told = read_portfolio(finished.directory)
    assert told is not None
    assert (told.seq, told.ts, told.state) == (last.seq, last.ts, last.data)
    assert told.state["waterfall"]["fees"]["total"] > 0


@pytest.mark.parametrize("durability", Durability)
def test_at_every_moment_it_is_whole_and_not_ahead_of_the_durable_log(
    tmp_path: Path, durability: Durability
) -> None:
    seen: list[int] = []

    def look() -> bool:
        told = read_portfolio(rig.directory)
        if told is not None:
            head = read_head(rig.directory)  # read after the file, so it may only be further
            assert head is not None
            assert told.line <= head.line
            if not seen or told.seq > seen[-1]:
                seen.append(told.seq)
                named = {line.body["seq"]: line for line in snapshots_of(rig.directory)}[told.seq]
                assert told == portfolio_of(named)
            assert told.seq >= seen[-1]
        return False

    rig = Rig(var_dir=tmp_path, days=DAYS[:1], stopping=look, durability=durability)
    rig.frames_of = lambda day: day_frames(day, count=40)
    rig.run()
    assert seen or durability is not Durability.COMMIT
    assert check_portfolio(rig.directory).standing is Standing.IDENTICAL


def test_a_session_that_is_stopped_leaves_the_last_snapshot(tmp_path: Path) -> None:
    rig = Rig(var_dir=tmp_path)
    looks = itertools.count()
    rig.stopping = lambda: next(looks) >= 30
    with pytest.raises(Stopped):
        rig.run()
    assert check_portfolio(rig.directory).standing is Standing.IDENTICAL
    before = read_portfolio(rig.directory)
    rig.stopping = lambda: False
    rig.run()
    after = read_portfolio(rig.directory)
    assert before is not None
    assert after is not None
    assert before.seq < after.seq
    assert check_portfolio(rig.directory).standing is Standing.IDENTICAL


# --- killed ---------------------------------------------------------------------------------------


class KillingFiles(Files):
    """Real files until the `kill_at`-th operation, before which the process is killed."""

    def __init__(self, kill_at: int) -> None:
        self.kill_at = kill_at
        self.done = 0

    def _pass(self) -> None:
        self.done += 1
        if self.done == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def create(self, path: Path) -> int:
        self._pass()
        return super().create(path)

    def write(self, descriptor: int, data: memoryview) -> int:
        self._pass()
        return super().write(descriptor, data[: max(1, len(data) // 2)])

    def sync(self, descriptor: int) -> None:
        self._pass()
        super().sync(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        self._pass()
        super().rename(source, target)

    def sync_directory(self, directory: Path) -> None:
        self._pass()
        super().sync_directory(directory)


def killed_writing(directory: Path, portfolio: PortfolioState, kill_at: int) -> bool:
    """Write the file in a process that is killed before an operation; False when it had ended."""
    process = multiprocessing.get_context("fork").Process(
        target=write_portfolio,
        args=(directory, portfolio),
        kwargs={"files": KillingFiles(kill_at)},
    )
    process.start()
    process.join()
    assert process.exitcode in {0, -signal.SIGKILL}
    return process.exitcode != 0


def test_a_kill_before_any_operation_leaves_the_old_file_or_the_new(copy: Rig) -> None:
    older, newer = (portfolio_of(line) for line in snapshots_of(copy.directory)[-2:])
    found = []
    for kill_at in itertools.count(1):
        write_portfolio(copy.directory, older)
        if not killed_writing(copy.directory, newer, kill_at):
            break
        told = read_portfolio(copy.directory)
        assert told in (older, newer)
        found.append(told == newer)
        start_again(copy)
        assert check_portfolio(copy.directory).standing is Standing.IDENTICAL
        assert not list(copy.directory.glob(f".{PORTFOLIO_FILE}*"))
    assert found == sorted(found)
    assert set(found) == {False, True}
    assert not aside(copy)


def test_a_crash_anywhere_in_the_log_is_repaired_at_the_restart(
    finished: Rig, tmp_path: Path
) -> None:
    """The log ends anywhere; the file is of any snapshot that was durable then."""
    lines = list(read_session(finished.directory))
    for number, at in enumerate(range(40, len(lines) - 1, len(lines) // 6)):
        rig = replace(finished, var_dir=tmp_path / str(number), said=[])
        shutil.copytree(finished.var_dir, rig.var_dir)
        end, before = lines[at], lines[: at + 1]
        for path in rig.directory.glob("*.jsonl"):
            if path.name > end.file:
                path.unlink()
            elif path.name == end.file:
                os.truncate(path, end.offset + end.length)
        publish_head(rig.directory, Head(end.file, end.offset + end.length, end.line, end.hash))
        durable = [line for line in before if line.body["kind"] == SNAPSHOT]
        (rig.directory / PORTFOLIO_FILE).unlink()
        if durable:
            write_portfolio(rig.directory, portfolio_of(durable[number % len(durable)]))
        rig.run()
        assert check_portfolio(rig.directory).standing is Standing.IDENTICAL
        told, calm = read_portfolio(rig.directory), read_portfolio(finished.directory)
        assert told is not None
        assert calm is not None
        assert (told.seq, told.ts, told.state) == (calm.seq, calm.ts, calm.state)
        assert not aside(rig)


# --- what it is not -------------------------------------------------------------------------------


def changed(rig: Rig, change: Callable[[dict[str, object]], object]) -> None:
    """Change the file's fields as a hand would."""
    path = rig.directory / PORTFOLIO_FILE
    fields = json.loads(path.read_bytes())
    change(fields)
    path.write_text(json.dumps(fields))


def cut_in_half(rig: Rig) -> None:
    path = rig.directory / PORTFOLIO_FILE
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


STRANGERS: dict[str, tuple[Callable[[Rig], object], str]] = {
    "cut": (cut_in_half, "not JSON ("),
    "empty": (lambda rig: (rig.directory / PORTFOLIO_FILE).write_bytes(b""), "not JSON ("),
    "no text": (lambda rig: (rig.directory / PORTFOLIO_FILE).write_bytes(b"\xff"), "not JSON ("),
    "a list": (lambda rig: (rig.directory / PORTFOLIO_FILE).write_text("[]"), "not a portfolio ("),
    "a field less": (lambda rig: changed(rig, lambda f: f.pop("hash")), "not a portfolio ("),
    "another format": (
        lambda rig: changed(rig, lambda f: f.update(format="x")),
        "format 'x', expected 'brahmastra-portfolio-1'",
    ),
    "another run": (
        lambda rig: changed(rig, lambda f: f.update(session="day2")),
        "is of session 'day2', the log beside it of 'day1'",
    ),
    "ahead": (lambda rig: changed(rig, lambda f: f.update(seq=10**6)), "is of seq 1000000, the"),
    "no snapshot": (lambda rig: changed(rig, lambda f: f.update(seq=1)), "in the log is no snap"),
    "another log": (lambda rig: changed(rig, lambda f: f.update(hash="0")), "hash is '0', the log"),
    "cash": (
        lambda rig: changed(rig, lambda f: f["state"].update(cash_paise=1)),  # type: ignore[attr-defined]
        "state.cash_paise is 1, the log gives ",
    ),
    "a gate": (
        lambda rig: changed(rig, lambda f: f["state"]["gates"][0].update(limit="?")),  # type: ignore[index]
        "state.gates[0].limit is '?', the log gives ",
    ),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_what_the_log_does_not_give_is_named_and_set_aside_at_the_next_start(
    copy: Rig, name: str
) -> None:
    damage, said = STRANGERS[name]
    damage(copy)
    content = (copy.directory / PORTFOLIO_FILE).read_bytes()
    check = check_portfolio(copy.directory)
    assert check.standing is Standing.OTHER
    assert said in check.says
    assert len(check.says.splitlines()) == 1
    start_again(copy)
    (told,) = [line for line in copy.said if "portfolio" in line]
    assert said in told
    assert [path.read_bytes() for path in aside(copy)] == [content]
    assert check_portfolio(copy.directory).standing is Standing.IDENTICAL


def test_a_missing_file_is_named_and_made_again(copy: Rig) -> None:
    content = (copy.directory / PORTFOLIO_FILE).read_bytes()
    (copy.directory / PORTFOLIO_FILE).unlink()
    check = check_portfolio(copy.directory)
    assert check.standing is Standing.MISSING
    assert "is missing; the log's last snapshot is seq" in check.says
    start_again(copy)
    assert (copy.directory / PORTFOLIO_FILE).read_bytes() == content


def test_a_file_that_is_behind_says_how_far(copy: Rig) -> None:
    lines = snapshots_of(copy.directory)
    write_portfolio(copy.directory, portfolio_of(lines[-4]))
    check = check_portfolio(copy.directory)
    assert check.standing is Standing.BEHIND
    behind = lines[-1].body["seq"] - lines[-4].body["seq"]
    seconds = (lines[-1].body["ts"] - lines[-4].body["ts"]) // 1_000_000
    assert f"{behind} events and {seconds} s behind" in check.says
    assert "the next start repairs it" in check.says


def test_a_file_that_is_behind_and_changed_is_not_taken_for_late(copy: Rig) -> None:
    old = portfolio_of(snapshots_of(copy.directory)[-4])
    write_portfolio(
        copy.directory, msgspec.structs.replace(old, state=old.state | {"killed": True})
    )
    check = check_portfolio(copy.directory)
    assert check.standing is Standing.OTHER
    assert "state.killed is True, the log gives False" in check.says


def test_a_log_without_a_snapshot_has_no_file(tmp_path: Path) -> None:
    with open_log(tmp_path) as log:
        log.open_day("2025-08-29")
        log.commit(signals("day1", 1, 3))
    check = check_portfolio(log.directory)
    assert check.standing is Standing.NONE_YET
    assert check.standing.holds


def test_a_file_that_cannot_be_written_stops_nothing_and_is_told_once(tmp_path: Path) -> None:
    rig = Rig(var_dir=tmp_path, days=DAYS[:1])
    (rig.directory / PORTFOLIO_FILE).mkdir(parents=True)
    (rig.directory / PORTFOLIO_FILE / "in the way").touch()

    def put_back(text: str) -> None:
        if "opens" in text and not (rig.directory / PORTFOLIO_FILE).exists():
            (rig.directory / PORTFOLIO_FILE).mkdir()  # the start has set the first one aside

    rig.on_progress = put_back
    engine = rig.run()
    assert engine.state.ended
    told = [line for line in rig.said if "cannot be written" in line]
    assert len(told) == 1
    assert "the portfolio is not beside its log" in told[0]


# --- the look back --------------------------------------------------------------------------------


def test_the_last_of_each_kind_is_the_last_in_the_whole_log(finished: Rig) -> None:
    last = {line.body["kind"]: line for line in read_session(finished.directory)}
    for kind, line in last.items():
        assert last_of_kind(finished.directory, kind) == line
    assert last_of_kind(finished.directory, "no.kind") is None


def test_a_log_that_was_changed_after_its_last_snapshot_is_refused(copy: Rig) -> None:
    (day,) = list(copy.directory.glob(f"{DAYS[1]}.jsonl"))
    content = bytearray(day.read_bytes())
    content[-400] ^= 1
    day.write_bytes(content)
    with pytest.raises(TamperedError):
        check_portfolio(copy.directory)


def test_a_log_whose_last_line_was_taken_away_is_refused(copy: Rig) -> None:
    (day,) = list(copy.directory.glob(f"{DAYS[1]}.jsonl"))
    lines = day.read_bytes().splitlines(keepends=True)
    day.write_bytes(b"".join([*lines[:-2], lines[-1]]))
    with pytest.raises(LogError):
        check_portfolio(copy.directory)


# --- first difference -----------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab₹", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab₹", max_size=2), inner),
    max_leaves=8,
)


def state_of(value: object) -> PortfolioState:
    return PortfolioState(
        format="brahmastra-portfolio-1",
        session="day1",
        seq=1,
        line=1,
        hash="0",
        ts=0,
        state={"value": value},
    )


@given(told=JSON, logged=JSON)
def test_a_difference_is_found_exactly_where_the_bytes_differ(told: object, logged: object) -> None:
    one, other = state_of(told), state_of(logged)
    assert (first_difference(one, other) is None) == (one.to_bytes() == other.to_bytes())
    assert first_difference(one, one) is None
