"""The functional core.

Same inputs, same bytes; the whole memory is in the dump; the future cannot reach back.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import msgspec
import orjson
import pytest

from journal.events import DERIVED_KINDS, INPUT_KINDS, Event
from journal.log.reader import read_session
from tests.market_factory import DAYS, Rig, day_frames
from trading.engine.engine import HANDLERS, Engine
from trading.engine.state import dump_state, restore_state
from trading.engine.step import EngineError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    """The events of a two-day session."""
    rig = Rig(
        var_dir=tmp_path_factory.mktemp("recorded"), frames_of=lambda day: day_frames(day, count=35)
    )
    rig.run()
    return [line.to_event() for line in read_session(rig.directory) if line.body["seq"]]


def inputs_of(events: list[Event]) -> list[Event]:
    return [event for event in events if event.kind in INPUT_KINDS]


def derive(engine: Engine, inputs: list[Event]) -> list[bytes]:
    return [event.body_bytes() for item in inputs for event in engine.on(item)]


def derived_bytes(events: list[Event]) -> list[bytes]:
    return [event.body_bytes() for event in events if event.kind in DERIVED_KINDS]


def test_every_input_kind_has_a_handler() -> None:
    assert set(HANDLERS) == INPUT_KINDS


def test_the_same_inputs_give_the_same_bytes(recorded: list[Event]) -> None:
    assert derive(Engine("day1"), inputs_of(recorded)) == derived_bytes(recorded)


def test_a_fresh_process_with_another_hash_seed_gives_the_same_bytes(
    recorded: list[Event], tmp_path: Path
) -> None:
    path = tmp_path / "inputs.json"
    path.write_bytes(orjson.dumps([event.body() for event in inputs_of(recorded)]))
    program = (
        "import sys, orjson, hashlib, pathlib\n"
        "from journal.events import event_from_body\n"
        "from trading.engine.engine import Engine\n"
        "engine, digest = Engine('day1'), hashlib.sha256()\n"
        "for body in orjson.loads(pathlib.Path(sys.argv[1]).read_bytes()):\n"
        "    for event in engine.on(event_from_body(body)): digest.update(event.body_bytes())\n"
        "print(digest.hexdigest())\n"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program, str(path)],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(digests) == 1


def test_a_restored_dump_is_bit_equal_after_every_input(recorded: list[Event]) -> None:
    engine = Engine("day1")
    for event in inputs_of(recorded):
        engine.on(event)
        dump = engine.dump()
        through_json = json.loads(json.dumps(dump))
        assert dump_state(restore_state(through_json)) == dump


def test_no_float_hides_in_a_dump(recorded: list[Event]) -> None:
    def floats(value: Any) -> list[float]:
        if isinstance(value, float):
            return [value]
        if isinstance(value, dict):
            return [found for item in value.values() for found in floats(item)]
        if isinstance(value, list):
            return [found for item in value for found in floats(item)]
        return []

    engine = Engine("day1")
    for event in inputs_of(recorded):
        engine.on(event)
        assert floats(engine.dump()) == []


def test_an_engine_restored_between_any_two_inputs_goes_on_the_same(recorded: list[Event]) -> None:
    inputs = inputs_of(recorded)
    engine = Engine("day1")
    for position, event in enumerate(inputs):
        if position % 150 == 75:
            twin = Engine("day1")
            twin.restore(json.loads(json.dumps(engine.dump())))
            twin._configuration = engine._configuration
            ahead = inputs[position : position + 60]
            reference = Engine("day1")
            reference.restore(engine.dump())
            reference._configuration = engine._configuration
            assert derive(twin, ahead) == derive(reference, ahead)
        engine.on(event)


def test_any_day_runs_on_its_own(recorded: list[Event]) -> None:
    """From day.opened's dump the second day gives the bytes it gave in the session."""
    start = [i for i, event in enumerate(recorded) if event.kind == "day.opened"][1]
    day = recorded[start:]
    assert derive(Engine("day1"), inputs_of(day)) == derived_bytes(day)


def test_a_session_s_engine_has_its_keys_in_the_order_a_day_s_replay_has_them(
    recorded: list[Event],
) -> None:
    """What goes through a dict of the state meets the same keys first, whoever began the day."""
    at = [i for i, event in enumerate(recorded) if event.kind == "day.opened"][1]
    whole, alone = Engine("day1"), Engine("day1")
    for event in inputs_of(recorded[:at]):
        whole.on(event)
    made_here = json.dumps(whole.dump())
    whole.on(recorded[at])
    alone.on(recorded[at])
    assert json.dumps(whole.dump()) == json.dumps(alone.dump())
    assert made_here != json.dumps(json.loads(made_here), sort_keys=True), "has an order of its own"


def test_a_day_whose_dump_was_changed_is_refused(recorded: list[Event]) -> None:
    opening = [event for event in recorded if event.kind == "day.opened"][1]
    changed = {**opening.data, "state": {**opening.data["state"], "realised_paise": 1}}
    with pytest.raises(EngineError, match="state digest"):
        Engine("day1").on(msgspec_replace(opening, data=changed))


def msgspec_replace(event: Event, **changes: Any) -> Event:
    fields = {name: getattr(event, name) for name in Event.__slots__}
    return Event(**{**fields, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seq": 7}, "expected seq"),
        ({"ts": 1}, "is before"),
        ({"session": "other"}, "expected 'day1'"),
        ({"kind": "signal.emitted"}, "not an input"),
    ],
)
def test_an_input_out_of_place_is_refused(
    recorded: list[Event], changes: dict[str, Any], message: str
) -> None:
    engine = Engine("day1")
    inputs = inputs_of(recorded)
    for event in inputs[:30]:
        engine.on(event)
    before = engine.dump()
    with pytest.raises(EngineError, match=message):
        engine.on(msgspec_replace(inputs[30], **changes))
    assert engine.dump() == before


def test_an_engine_without_an_opening_is_refused(recorded: list[Event]) -> None:
    tick = next(event for event in recorded if event.kind == "clock.tick")
    with pytest.raises(EngineError, match="starts with"):
        Engine("day1").on(msgspec_replace(tick, seq=1))


# --- the future cannot reach back -----------------------------------------------------------------


def test_decisions_do_not_depend_on_what_the_feed_holds_later(tmp_path: Path) -> None:
    """Whole sessions over feeds that agree up to 09:40 have the same derived bytes up to 09:40."""
    frames = day_frames(DAYS[0], count=40)
    cut = frames[len(frames) // 2].available_at
    longer = [*frames, *day_frames(DAYS[0], count=60)[len(frames) :]]
    other = [f if f.available_at <= cut else garbled(f) for f in longer]
    bytes_up_to_cut = []
    for name, feed in (("a", frames), ("b", other)):
        rig = Rig(var_dir=tmp_path / name, days=DAYS[:1], frames_of=lambda _, feed=feed: feed)
        rig.run()
        # day.opened lists the lots of all expiries the day's feed holds; both feeds hold the same.
        bytes_up_to_cut.append(
            [
                line.body_bytes
                for line in read_session(rig.directory)
                if line.body["kind"] in DERIVED_KINDS and line.body["ts"] <= cut
            ]
        )
    assert len(bytes_up_to_cut[0]) > 50
    assert bytes_up_to_cut[0] == bytes_up_to_cut[1]


def garbled(frame: Any) -> Any:
    block = frame.chain[0]
    swapped = msgspec.structs.replace(
        block,
        call_bid_paise=tuple(reversed(block.call_bid_paise)),
        put_ask_paise=tuple(reversed(block.put_ask_paise)),
        forward_paise=block.forward_paise + 12_345,
    )
    return msgspec.structs.replace(frame, chain=(swapped,))
