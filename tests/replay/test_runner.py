"""A day decided again: the same bytes, or the first place where they are not."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest

import trading.engine.engine as engine_module
from journal.events import DERIVED_KINDS, INPUT_KINDS
from journal.log.canonical import canonical_bytes
from journal.log.reader import read_session
from journal.log.session import day_files
from journal.log.verification import verify_session
from replay.comparator import What, json_path
from replay.recording import read_recording
from replay.runner import DayReplay, DayRunner
from tests.market_factory import Rig
from tests.replay.forge import bodies, forge, forge_event
from trading.engine.runner import Stopped

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Body = dict[str, Any]


@dataclass
class Replayed:
    """A whole session, day by day, in this process."""

    days: list[DayReplay] = field(default_factory=list)
    bytes: bytes = b""

    @property
    def divergence(self) -> Any:
        return next((day.divergence for day in self.days if day.divergence), None)

    @property
    def digest(self) -> str:
        return sha256(self.bytes).hexdigest()


def replay_here(directory: Path, progress: Callable[[int], None] = lambda events: None) -> Replayed:
    recording = read_recording(directory)
    result = Replayed()
    for day in recording.days:
        derived = io.BytesIO()
        runner = DayRunner(day, session=recording.session, derived_to=derived, progress=progress)
        last = day is recording.days[-1]
        result.days.append(runner.run(unfinished=last and not recording.finished))
        result.bytes += derived.getvalue()
    return result


def test_every_day_replays_alone_to_the_recorded_bytes(log: Path) -> None:
    said: list[int] = []
    result = replay_here(log, said.append)
    recording = read_recording(log)
    assert result.divergence is None
    assert result.digest == recording.digest
    assert [day.derived for day in result.days] == [day.derived for day in recording.days]
    assert sum(day.identical for day in result.days) == recording.derived
    assert result.days[0].closing == result.days[1].opening
    assert said[-1] == recording.days[-1].events


def one_of_each_derived_kind(directory: Path) -> list[Body]:
    """Return the last event of every kind the session derived."""
    return list({body["kind"]: body for body in bodies(directory, *DERIVED_KINDS)}.values())


def test_one_changed_digit_in_any_derived_kind_is_found_with_seq_and_path(short_log: Path) -> None:
    """Each member that holds a number, one event of each kind: the log is forged to the last
    hash, and the replay names what was changed.
    """
    original = contents(short_log)
    tried = 0
    for body in one_of_each_derived_kind(short_log):
        for place, number in numbers_in(body["data"], ("data",))[:2]:
            forge_event(
                short_log, body["seq"], lambda found, place=place: changed_digit(found, place)
            )
            verify_session(short_log)  # nothing but a replay can see it
            found = replay_here(short_log).divergence
            assert found is not None, f"{body['kind']} {place}"
            assert (found.what, found.seq, found.kind) == (
                What.CHANGED,
                body["seq"],
                body["kind"],
            )
            assert found.path == json_path(place)
            assert float(found.replayed) == number != float(found.recorded)
            put_back(original)
            tried += 1
    assert tried > 12


def test_any_one_digit_of_a_derived_body_is_found(short_log: Path) -> None:
    """Digits anywhere: in numbers, digests, contracts, ids, seq and causes."""
    original = contents(short_log)
    chance = random.Random(7)
    for body in one_of_each_derived_kind(short_log):
        text = canonical_bytes(body)
        digits = [i for i in range(len(text)) if text[i : i + 1].isdigit()]
        for at in chance.sample(digits, 3):
            new = b"1" if text[at : at + 1] != b"1" else b"2"
            forged = text[:at] + new + text[at + 1 :]
            forge(
                short_log,
                lambda found: found,
                encode=lambda found, text=text, forged=forged: (
                    forged if canonical_bytes(found) == text else canonical_bytes(found)
                ),
            )
            found = replay_here(short_log).divergence
            assert found is not None, f"{body['kind']} byte {at}"
            assert (found.what, found.seq) == (What.CHANGED, body["seq"])
            assert len(found.path) > 1
            put_back(original)


def contents(directory: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in [*day_files(directory), directory / "head"]}


def put_back(original: dict[Path, bytes]) -> None:
    for path, content in original.items():
        path.write_bytes(content)


def numbers_in(value: Any, place: tuple[str | int, ...]) -> list[tuple[tuple[str | int, ...], Any]]:
    """Return every number with its place; names of this test's data need no quotes."""
    if isinstance(value, dict):
        parts = [numbers_in(item, (*place, name)) for name, item in value.items()]
        return [found for part in parts for found in part]
    if isinstance(value, list):
        parts = [numbers_in(item, (*place, i)) for i, item in enumerate(value)]
        return [found for part in parts for found in part]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return [(place, value)]
    return []


def changed_digit(body: Body, place: tuple[str | int, ...]) -> Body:
    """Change the first digit of the number at a place."""
    inside: Any = body
    for part in place[:-1]:
        inside = inside[part]
    text = canonical_bytes(inside[place[-1]]).decode()
    at = next(i for i, character in enumerate(text) if character.isdigit())
    new = text[:at] + ("1" if text[at] != "1" else "2") + text[at + 1 :]
    inside[place[-1]] = type(inside[place[-1]])(new)
    return body


@pytest.mark.parametrize(
    ("member", "value"),
    [("ts", 1), ("key", "S4:NIFTYX"), ("session", "day2"), ("v", 2), ("cause", [1])],
)
def test_a_changed_member_of_the_body_is_found(short_log: Path, member: str, value: Any) -> None:
    seq = bodies(short_log, "signal.emitted")[5]["seq"]
    forge_event(short_log, seq, lambda body: body | {member: value})
    found = replay_here(short_log).divergence
    assert (found.seq, found.path.split("[")[0]) == (seq, f"$.{member}")


def test_a_record_that_is_not_canonical_is_found(short_log: Path) -> None:
    """The same values in other bytes: the chain is good, the record is not what was written."""
    seq = bodies(short_log, "signal.emitted")[5]["seq"]

    def encode(body: Body) -> bytes:
        text = canonical_bytes(body)
        fired = b'"fired":false'
        return text.replace(fired, b'"fired": false') if body["seq"] == seq else text

    forge(short_log, lambda body: body, encode=encode)
    found = replay_here(short_log).divergence
    assert (found.what, found.seq, found.path) == (What.CHANGED, seq, "$")


def test_a_dropped_event_is_found(short_log: Path) -> None:
    signal = bodies(short_log, "signal.emitted")[5]
    forge_event(short_log, signal["seq"], lambda body: None)
    found = replay_here(short_log).divergence
    assert (found.what, found.seq) == (What.ONLY_REPLAYED, signal["seq"])


def test_a_slipped_in_event_is_found(short_log: Path) -> None:
    """An input that was passed over becomes an event that was never derived."""
    snapshot = bodies(short_log, "clock.tick")[3]
    forge_event(short_log, snapshot["seq"], lambda body: body | {"kind": "breaker.changed"})
    found = replay_here(short_log).divergence
    assert (found.what, found.seq) == (What.ONLY_RECORDED, snapshot["seq"])


def test_a_dropped_input_is_refused_by_the_engine_at_the_next_one(short_log: Path) -> None:
    frame = bodies(short_log, "market.frame")[5]
    answers = {frame["seq"] + 1, frame["seq"] + 2}
    forge(short_log, lambda body: None if body["seq"] in {frame["seq"], *answers} else body)
    found = replay_here(short_log).divergence
    assert found.what == What.REFUSED
    assert f"expected seq {frame['seq']}" in found.replayed


def test_a_changed_input_changes_the_digest(short_log: Path) -> None:
    before = replay_here(short_log)

    def edit(body: Body) -> Body:
        block = body["data"]["chain"][0]
        block["call_ask_paise"] = [value + 100 for value in block["call_ask_paise"]]
        return body

    frame = bodies(short_log, "market.frame")[20]
    forge_event(short_log, frame["seq"], edit)
    after = replay_here(short_log)
    assert after.digest != before.digest
    assert after.divergence.seq == frame["seq"] + 1
    assert after.divergence.kind == "features.computed"


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("market.frame", {"data": {}}),
        ("market.frame", {"data": {"underlying": "NIFTY"}}),
        ("day.opened", {"data": {"configuration": {}}}),
        ("broker.report", {"data": {"order": "nobody's"}}),
        ("clock.tick", {"seq": 1}),
        ("clock.tick", {"ts": 5}),
    ],
)
def test_an_input_the_engine_cannot_take_is_told_and_no_traceback(
    short_log: Path, kind: str, change: Body
) -> None:
    seq = bodies(short_log, kind)[-1]["seq"]
    forge_event(short_log, seq, lambda body: body | change)
    found = replay_here(short_log).divergence
    assert (found.what, found.kind) == (What.REFUSED, kind)
    assert found.replayed
    assert "does not take this input" in found.words()


def test_a_state_dump_slipped_under_a_day_is_refused(log: Path) -> None:
    """A dump that does not hash to its digest does not open a day."""
    seq = bodies(log, "day.opened")[1]["seq"]

    def edit(body: Body) -> Body:
        body["data"]["state"]["realised_paise"] += 100
        return body

    forge_event(log, seq, edit)
    found = replay_here(log).divergence
    assert (found.what, found.seq) == (What.REFUSED, seq)
    assert "state digest" in found.replayed


def test_an_engine_with_another_threshold_diverges(
    short_log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = engine_module.configuration_from_data

    def perturbed(data: Any, *, where: str) -> Any:
        s4 = data["strategies"]["S4"]
        return read(
            data | {"strategies": {"S4": s4 | {"entry_z": s4["entry_z"] * 1.0001}}}, where=where
        )

    monkeypatch.setattr(engine_module, "configuration_from_data", perturbed)
    found = replay_here(short_log).divergence
    assert (found.what, found.kind) == (What.CHANGED, "signal.emitted")
    assert found.path == "$.data.conditions[1].threshold"


def test_a_session_that_is_not_finished_is_compared_as_far_as_it_goes(short_log: Path) -> None:
    """Cut after every one of the last events: no cut is a divergence, and what the last input
    still owes is said.
    """
    whole = read_recording(short_log).events
    owed = set()
    for kept in range(whole - 1, whole - 12, -1):
        forge(short_log, lambda body, kept=kept: body if (body["seq"] or 0) <= kept else None)
        result = replay_here(short_log)
        assert result.divergence is None
        assert result.digest == read_recording(short_log).digest
        owed.add(sum(day.owed for day in result.days))
    assert owed >= {0, 1}


def test_a_finished_day_owes_nothing(log: Path) -> None:
    """An answer missing before the end of the session is no torn batch."""
    closed = bodies(log, "day.closed")[0]["seq"]
    forge_event(log, closed, lambda body: None)
    found = replay_here(log).divergence
    assert (found.what, found.kind) == (What.ONLY_REPLAYED, "day.closed")


def test_a_continued_session_replays_like_any_other(tmp_path: Path) -> None:
    """Stopped in the middle of the first day and continued: one record."""
    looks = iter(range(10_000))
    rig = Rig(var_dir=tmp_path, stopping=lambda: next(looks) > 40)
    with pytest.raises(Stopped):
        rig.run()
    assert replay_here(rig.directory).divergence is None
    rig.stopping = lambda: False
    rig.run()
    result = replay_here(rig.directory)
    assert result.divergence is None
    assert result.digest == read_recording(rig.directory).digest


def test_inputs_and_derived_events_of_the_session_are_what_they_are_meant_to_be(
    short_log: Path,
) -> None:
    """The record these tests stand on has every kind that there is code for."""
    kinds = {line.body["kind"] for line in read_session(short_log)}
    assert kinds >= INPUT_KINDS - {
        "market.status",
        "operator.command",
        "broker.statement",
        "settlement.published",
    }
    assert len(kinds & DERIVED_KINDS) >= 8
