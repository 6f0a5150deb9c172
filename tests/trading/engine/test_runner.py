"""The runner: sessions run, stop and go on without a gap, a duplicate or another decision."""

from __future__ import annotations

import json
import shutil
import uuid
from collections import Counter
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

import trading.engine.frames as frames_module
import trading.engine.runner as runner_module
from journal.events import BOOKKEEPING_KINDS, Event
from journal.kill_file import kill_file
from journal.log.head import Head, publish_head
from journal.log.reader import LogLine, read_session
from journal.log.tap import WalTap
from journal.log.verification import verify_session
from journal.spool import Command, write_command
from tests.market_factory import DAYS, SPOOL_KEY, Rig, day_frames, factory_configuration
from trading.engine.resume import ResumeError
from trading.engine.runner import SessionError, Stopped

if TYPE_CHECKING:
    from pathlib import Path


def events_of(directory: Path) -> list[Event]:
    return [line.to_event() for line in read_session(directory)]


def bodies_of(directory: Path) -> list[bytes]:
    return [
        line.body_bytes
        for line in read_session(directory)
        if line.body["kind"] not in BOOKKEEPING_KINDS
    ]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Rig:
    """A two-day session that ran without interruption."""
    rig = Rig(var_dir=tmp_path_factory.mktemp("finished"))
    rig.run()
    return rig


def test_the_session_has_signals_refusals_and_trades(finished: Rig) -> None:
    events = events_of(finished.directory)
    verdicts = Counter(
        (event.data["action"], event.data["verdict"], event.data["decided_by"])
        for event in events
        if event.kind == "gate.decided"
    )
    states = {event.data["state"] for event in events if event.kind == "position.changed"}
    assert verdicts["entry", "pass", None] >= 2
    assert verdicts["entry", "block", 2] >= 1
    assert verdicts["exit", "pass", None] >= 2
    assert states == {"OPEN", "HOLD", "EXIT", "ARCHIVE"}


def test_the_log_verifies_and_days_link(finished: Rig) -> None:
    verification = verify_session(finished.directory)
    assert [verdict.file for verdict in verification.files] == [f"{day}.jsonl" for day in DAYS]
    assert verification.events == len(bodies_of(finished.directory))


def test_closing_digest_is_the_next_opening_digest(finished: Rig) -> None:
    events = events_of(finished.directory)
    closed = [event.data["state_digest"] for event in events if event.kind == "day.closed"]
    opened = [event.data["state_digest"] for event in events if event.kind == "day.opened"]
    assert closed[0] == opened[1]


def test_an_order_leaves_only_after_its_intent_is_durable(finished: Rig) -> None:
    """The commit of a submission is later than the commit of its intent, a report's than
    its submission's.
    """
    lines = {line.body["seq"]: line for line in read_session(finished.directory)}
    for line in lines.values():
        if line.body["kind"] in {"order.submitted", "broker.report"}:
            (cause,) = line.body["cause"]
            assert lines[cause].line < line.commit


def test_fills_are_at_a_later_frame_than_the_decision(finished: Rig) -> None:
    events = {event.seq: event for event in events_of(finished.directory)}
    fills = [e for e in events.values() if e.kind == "broker.report" and e.data["quantity"]]
    assert fills
    assert any(fill.data["status"] == "PARTIALLY_FILLED" for fill in fills)
    for fill in fills:
        submitted = events[fill.cause[0]]
        assert submitted.ts < fill.ts
        assert submitted.kind == "order.submitted"


def test_every_derived_event_names_a_cause_before_it(finished: Rig) -> None:
    for event in events_of(finished.directory):
        if event.kind not in BOOKKEEPING_KINDS | {"session.opened", "day.opened"}:
            inputs_from_outside = {
                "market.frame",
                "clock.tick",
                "operator.command",
                "session.ended",
            }
            assert bool(event.cause) != (event.kind in inputs_from_outside), event.kind
            assert all(cause < (event.seq or 0) for cause in event.cause)


def test_a_finished_session_refuses(finished: Rig) -> None:
    before = bodies_of(finished.directory)
    with pytest.raises(SessionError, match="finished"):
        finished.run()
    assert bodies_of(finished.directory) == before


# --- stopping and going on ------------------------------------------------------------------------


def cut_after(source: Rig, target: Path, line: LogLine, *, torn: bytes = b"") -> Rig:
    """A copy of a session as a crash would have left it just after a line."""
    rig = replace(source, var_dir=target, said=[])
    shutil.copytree(source.var_dir, target, dirs_exist_ok=True)
    for path in sorted(rig.directory.glob("*.jsonl")):
        if path.name > line.file:
            path.unlink()
        elif path.name == line.file:
            end = line.offset + line.length
            path.write_bytes(path.read_bytes()[:end] + torn)
    publish_head(rig.directory, Head(line.file, line.offset + line.length, line.line, line.hash))
    return rig


def interesting_lines(directory: Path) -> list[LogLine]:
    """Lines of order traffic, both ends of each day, and some of the rest."""
    lines = list(read_session(directory))
    kinds = {"order.intended", "order.submitted", "broker.report", "position.changed"}
    chosen = [
        line
        for number, line in enumerate(lines)
        if line.body["kind"] in BOOKKEEPING_KINDS | {"session.opened", "day.opened", "day.closed"}
        or line.body["kind"] == "session.ended"
        or (line.body["kind"] in kinds and number % 11 == 0)
        or number % 397 == 0
    ]
    assert len({line.body["kind"] for line in chosen}) >= 9
    return chosen


def assert_continues(finished: Rig, line: LogLine, target: Path) -> None:
    rig = cut_after(finished, target, line)
    rig.run()
    assert bodies_of(rig.directory) == bodies_of(finished.directory), f"cut after {line.line}"
    verify_session(rig.directory)


def test_a_session_cut_in_each_kind_of_line_continues_to_the_same_bytes(
    finished: Rig, tmp_path: Path
) -> None:
    """After the second line of each kind (the first where there is one), as a crash may
    leave it.
    """
    by_kind: dict[str, list[LogLine]] = {}
    for line in read_session(finished.directory):
        by_kind.setdefault(line.body["kind"], []).append(line)
    del by_kind["session.closed"]
    assert len(by_kind) >= 12
    for kind, lines in by_kind.items():
        assert_continues(finished, lines[:2][-1], tmp_path / kind)


@pytest.mark.slow
def test_a_session_cut_anywhere_continues_to_the_same_bytes(finished: Rig, tmp_path: Path) -> None:
    for line in interesting_lines(finished.directory):
        if line.body["kind"] != "session.closed":
            assert_continues(finished, line, tmp_path / str(line.line))


def test_a_torn_batch_is_moved_aside_and_the_session_continues(
    finished: Rig, tmp_path: Path
) -> None:
    lines = list(read_session(finished.directory))
    middle = next(line for line in lines[300:] if line.body["kind"] == "order.intended")
    following = lines[middle.line].raw
    for length in (1, len(following) // 2, len(following) - 1):
        rig = cut_after(finished, tmp_path / str(length), middle, torn=following[:length])
        rig.run()
        assert bodies_of(rig.directory) == bodies_of(finished.directory)
        assert len(list(rig.directory.glob("*.torn-*"))) == 1
        assert "log.recovered" in {event.kind for event in events_of(rig.directory)}


def test_seq_has_no_gap_and_no_duplicate_after_many_stops(finished: Rig, tmp_path: Path) -> None:
    asked = Counter[str]()

    def stop_now_and_then() -> bool:
        asked["times"] += 1
        return asked["times"] % 23 == 0

    rig = replace(finished, var_dir=tmp_path, said=[], stopping=stop_now_and_then)
    stops = 0
    while True:
        try:
            rig.run()
            break
        except Stopped:
            stops += 1
    assert stops > 10
    seqs = [event.seq for event in events_of(rig.directory) if event.seq is not None]
    assert seqs[0] == 1
    assert all(after == before + 1 for before, after in pairwise(seqs))
    assert bodies_of(rig.directory) == bodies_of(finished.directory)


def test_another_configuration_refuses_and_writes_nothing(finished: Rig, tmp_path: Path) -> None:
    line = list(read_session(finished.directory))[400]
    rig = cut_after(finished, tmp_path, line)
    rig.configuration = factory_configuration(entry_z=1.6)
    before = bodies_of(rig.directory)
    with pytest.raises(SessionError, match="started with configuration"):
        rig.run()
    assert bodies_of(rig.directory) == before


def test_another_engine_refuses_to_continue(
    finished: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log whose derived events this code would not derive is never continued."""
    line = list(read_session(finished.directory))[400]
    rig = cut_after(finished, tmp_path, line)
    monkeypatch.setattr(frames_module.s4_iv_reversion, "STRUCTURE", "SOMETHING_ELSE")
    with pytest.raises(ResumeError, match="not what this engine derives"):
        rig.run()


# --- people ---------------------------------------------------------------------------------------


def kill_command(session: str = "day1", reason: str = "drill") -> Command:
    return Command(
        id=str(uuid.uuid4()),
        session=session,
        command="kill",
        arguments={},
        actor="operator",
        address="127.0.0.1",
        reason=reason,
        issued_at=1,
    )


def when_holding(rig: Rig, act: object) -> None:
    """Let a rig run, and act as soon as its log holds a HOLD position."""
    asked = {"done": False}

    def look() -> bool:
        if not asked["done"] and (rig.directory / "head").exists():
            held = any(
                event.kind == "position.changed" and event.data["state"] == "HOLD"
                for event in events_of(rig.directory)
            )
            if held:
                asked["done"] = True
                act()  # type: ignore[operator]
        return False

    rig.stopping = look
    rig.run()


def after_kill(events: list[Event]) -> tuple[Event, list[Event]]:
    (command,) = [event for event in events if event.kind == "operator.command"]
    return command, events[events.index(command) :]


def test_kill_by_spool_stops_entries_and_flattens(tmp_path: Path) -> None:
    rig = Rig(var_dir=tmp_path, days=DAYS[:1], frames_of=lambda day: day_frames(day, count=40))
    command = kill_command()
    when_holding(rig, lambda: write_command(var_dir=tmp_path, key=SPOOL_KEY, command=command))
    logged, after = after_kill(events_of(rig.directory))
    assert logged.key == command.id
    assert logged.data["actor"] == "operator"
    decisions = [event for event in after if event.kind == "gate.decided"]
    entries = [event for event in decisions if event.data["action"] == "entry"]
    assert entries
    assert {event.data["decided_by"] for event in entries} == {1}
    assert any(
        event.data["reason"] == "KILL" for event in decisions if event.data["action"] == "exit"
    )
    breaker = next(event for event in after if event.kind == "breaker.changed")
    assert breaker.cause == (logged.seq,)
    last = [event for event in after if event.kind == "portfolio.snapshot"][-1]
    assert last.data["positions"] == []
    assert (tmp_path / "spool" / "day1" / "done" / f"{command.id}.json").exists()
    verify_session(rig.directory)


def test_a_kill_without_a_name_or_address_is_obeyed_and_logged(tmp_path: Path) -> None:
    rig = Rig(var_dir=tmp_path, days=DAYS[:1], frames_of=lambda day: day_frames(day, count=20))
    command = replace(kill_command(), actor="", address="", issued_at=-1)
    write_command(var_dir=tmp_path, key=SPOOL_KEY, command=command)
    rig.run()
    logged, after = after_kill(events_of(rig.directory))
    assert (logged.data["actor"], logged.data["issued_at"]) == ("", -1)
    assert "breaker.changed" in {event.kind for event in after}


def test_kill_cancels_working_entries(tmp_path: Path) -> None:
    """A kill between intent and fill.

    The orders are cancelled and the trade is archived unfilled.
    """
    frames = day_frames(DAYS[0], count=40)
    rig = Rig(var_dir=tmp_path, days=DAYS[:1], frames_of=lambda _: frames)
    done = {"killed": False}

    def kill_when_open() -> bool:
        if not done["killed"] and (rig.directory / "head").exists():
            states = [
                e.data["state"] for e in events_of(rig.directory) if e.kind == "position.changed"
            ]
            if states and states[-1] == "OPEN":
                done["killed"] = True
                write_command(var_dir=tmp_path, key=SPOOL_KEY, command=kill_command())
        return False

    rig.stopping = kill_when_open
    rig.run()
    _, after = after_kill(events_of(rig.directory))
    cancels = [e for e in after if e.kind == "order.intended" and e.data["purpose"] == "cancel"]
    assert cancels
    first_archive = next(
        e for e in after if e.kind == "position.changed" and e.data["state"] == "ARCHIVE"
    )
    assert first_archive.data["before"] == "OPEN"
    assert all(leg["filled"] == 0 for leg in first_archive.data["legs"])


def test_the_kill_file_stops_a_session(tmp_path: Path) -> None:
    rig = Rig(var_dir=tmp_path, days=DAYS[:1], frames_of=lambda day: day_frames(day, count=40))
    when_holding(rig, lambda: kill_file(tmp_path).write_text("smoke in the room"))
    logged, after = after_kill(events_of(rig.directory))
    assert logged.data["actor"] == "KILL file"
    assert logged.data["reason"] == "smoke in the room"
    assert not [
        e
        for e in after
        if e.kind == "gate.decided" and e.data["action"] == "entry" and e.data["verdict"] == "pass"
    ]


def test_a_command_is_obeyed_once_however_often_it_is_found(tmp_path: Path) -> None:
    rig = Rig(var_dir=tmp_path, days=DAYS[:1], frames_of=lambda day: day_frames(day, count=30))
    command = kill_command()
    write_command(var_dir=tmp_path, key=SPOOL_KEY, command=command)
    again = {"times": 0}

    def put_it_back() -> bool:
        again["times"] += 1
        if again["times"] in {5, 9}:
            write_command(var_dir=tmp_path, key=SPOOL_KEY, command=command)
        return False

    rig.stopping = put_it_back
    rig.run()
    events = events_of(rig.directory)
    assert len([event for event in events if event.kind == "operator.command"]) == 1


def test_a_forged_command_is_refused_with_its_reason(tmp_path: Path) -> None:
    rig = Rig(var_dir=tmp_path, days=DAYS[:1], frames_of=lambda day: day_frames(day, count=15))
    command = kill_command()
    path = write_command(var_dir=tmp_path, key="another key", command=command)
    rig.run()
    assert not path.exists()
    assert "signature" in (path.parent / "refused" / f"{command.id}.reason").read_text()
    assert not [e for e in events_of(rig.directory) if e.kind == "operator.command"]


def test_a_command_with_a_changed_reason_is_refused(tmp_path: Path) -> None:
    rig = Rig(var_dir=tmp_path, days=DAYS[:1], frames_of=lambda day: day_frames(day, count=15))
    path = write_command(var_dir=tmp_path, key=SPOOL_KEY, command=kill_command())
    content = json.loads(path.read_text())
    content["command"]["reason"] = "not what was signed"
    path.write_text(json.dumps(content))
    rig.run()
    assert not [e for e in events_of(rig.directory) if e.kind == "operator.command"]


# --- safe mode ------------------------------------------------------------------------------------


@pytest.mark.parametrize("speed", [1e12, None])
def test_a_feed_that_cannot_wait_for_the_log_goes_into_safe_mode(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    finished: Rig,
    speed: float | None,
) -> None:
    """With a queue of one event the log is behind at once; a recorded feed only waits for it."""
    monkeypatch.setattr(runner_module, "WalTap", partial(WalTap, capacity=1))
    rig = Rig(var_dir=tmp_path, speed=speed)
    rig.run()
    events = events_of(rig.directory)
    kills = [event for event in events if event.kind == "operator.command"]
    if speed is None:
        assert bodies_of(rig.directory) == bodies_of(finished.directory)
        return
    (kill,) = kills
    assert (kill.data["command"], kill.data["actor"]) == ("kill", "runner")
    assert kill.data["reason"].startswith("safe mode: ")
    assert "events wait for the log, expected fewer than 1" in kill.data["reason"]
    entries = {
        event.data["verdict"]
        for event in events
        if event.kind == "gate.decided" and event.data["action"] == "entry" and event.seq > kill.seq
    }
    assert entries == {"block"}
    assert events[-1].kind == "session.closed"
    assert verify_session(rig.directory).unfinished == 0
