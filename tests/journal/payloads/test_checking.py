"""Nothing that does not fit its kind is written, and everything the engine emits does fit."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from journal.events import BOOKKEEPING_KINDS, KINDS, Event
from journal.log.canonical import canonical_bytes, recanonical_bytes
from journal.log.errors import CanonicalError, LogError, PayloadError
from journal.log.reader import read_session
from journal.log.verification import verify_session
from journal.payloads import SCHEMAS, check, check_all, payload_of, unreadable
from journal.payloads.shapes import Shape, Text
from journal.spool import Command, write_command
from tests.journal.log_bed import command, day_opened, frame, open_log, session_closed, signals
from tests.journal.payloads.made import events_of_every_kind
from tests.market_factory import DAYS, SPOOL_KEY, Rig

if TYPE_CHECKING:
    from pathlib import Path

EVERY_KIND = sorted(kind for kind, _ in SCHEMAS)
RESERVED = {"model.fitted"}


@pytest.fixture(scope="module")
def session_events(tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    """All events of a session of two days that was killed on the second."""
    rig = Rig(var_dir=tmp_path_factory.mktemp("session"))

    def kill_on_the_second_day(text: str) -> None:
        if text.startswith(f"{DAYS[1]} opens"):
            write_kill(rig)

    rig.on_progress = kill_on_the_second_day
    rig.run()
    return [line.to_event() for line in read_session(rig.directory)]


def write_kill(rig: Rig) -> None:
    order = Command(
        id="c1",
        session=rig.session,
        command="kill",
        arguments={},
        actor="asha",
        address="local",
        reason="drill",
        issued_at=1,
    )
    write_command(var_dir=rig.var_dir, key=SPOOL_KEY, command=order)


def without(data: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key != name}


# --- what there is --------------------------------------------------------------------------------


def test_every_kind_has_a_payload_but_the_reserved_ones() -> None:
    assert KINDS - {kind for kind, _ in SCHEMAS} == RESERVED


@pytest.mark.parametrize("kind", sorted(RESERVED))
def test_a_reserved_kind_is_refused(kind: str) -> None:
    with pytest.raises(PayloadError, match=f"{kind} at seq 1: kind: reserved"):
        check(Event(session="s", seq=1, ts=1, kind=kind, data={}))


def test_all_that_sessions_write_fits(session_events: list[Event]) -> None:
    kinds = {event.kind for event in session_events}
    assert {"operator.command", "breaker.changed", "broker.report", "log.opened"} <= kinds
    assert len(kinds) >= 16
    check_all(session_events)


def test_a_module_adds_a_kind_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("journal.payloads.registry.SCHEMAS", SCHEMAS)

    @payload_of("desk.tried")
    class DeskTried(Shape, frozen=True):
        actor: Text

    try:
        tried = Event(session="_desk", seq=1, ts=1, kind="desk.tried", data={"actor": "asha"})
        assert check(tried) == DeskTried(actor="asha")
        with pytest.raises(PayloadError, match=r"desk.tried at seq 1: data.actor: missing"):
            check(replace(tried, data={}))
        with pytest.raises(ValueError, match="has a payload already"):
            payload_of("desk.tried")(DeskTried)
    finally:
        del SCHEMAS["desk.tried", 1]


# --- what is refused ------------------------------------------------------------------------------

TICK = Event(session="s", seq=5, ts=1, kind="clock.tick", data={}, cause=(1, 4))
SIGNAL = signals("s", 5, 1)[0]


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        (replace(TICK, kind="clock.tock"), "clock.tock at seq 5: kind: not known"),
        (replace(TICK, kind=7), "7 at seq 5: kind: expected text, got int"),
        (replace(TICK, v=2), "clock.tick at seq 5: v: version 2 is not known, expected 1"),
        (replace(TICK, v=True), "v: expected an integer, got bool"),
        (replace(TICK, v="1"), "v: expected an integer, got str"),
        (replace(TICK, ts=1.0), "ts: expected an integer, got float"),
        (replace(TICK, ts=True), "ts: expected an integer, got bool"),
        (replace(TICK, session=None), "session: expected text, got NoneType"),
        (replace(TICK, seq=None), "seq: expected an integer, got NoneType"),
        (replace(TICK, seq="5"), "seq: expected an integer, got str"),
        (replace(TICK, key=b"x"), "key: expected text or None, got bytes"),
        (replace(TICK, key="x"), "key: expected None, got 'x'"),
        (replace(SIGNAL, key="S4:BANKNIFTY"), "key: expected 'S4:NIFTY', got 'S4:BANKNIFTY'"),
        (replace(SIGNAL, key=None), "key: expected 'S4:NIFTY', got None"),
        (replace(TICK, cause=[1]), "cause: expected a tuple of seqs, got list"),
        (replace(TICK, cause=("1",)), "cause: expected integers, got str"),
        (replace(TICK, cause=(True,)), "cause: expected integers, got bool"),
        (replace(TICK, cause=(5,)), "cause: 5 is no earlier event"),
        (replace(TICK, cause=(0,)), "cause: 0 is no earlier event"),
        (replace(TICK, data=[]), "data: expected an object, got list"),
        (replace(TICK, data=None), "data: expected an object, got NoneType"),
        (replace(TICK, data={"at": 1}), "clock.tick at seq 5: data.at: unknown field"),
        (replace(TICK, kind="log.opened"), "seq: a bookkeeping record has none"),
    ],
)
def test_an_envelope_that_is_wrong_is_refused(event: Event, problem: str) -> None:
    with pytest.raises(PayloadError) as caught:
        check(event)
    assert problem in str(caught.value)
    assert isinstance(caught.value, LogError)


def _block(**changes: Any) -> Event:
    event = frame("s", 5)
    blocks = event.data["chain"]
    return replace(event, data=event.data | {"chain": [blocks[0], blocks[1] | changes]})


def _condition(**changes: Any) -> Event:
    condition = SIGNAL.data["conditions"][0] | changes
    return replace(SIGNAL, data=SIGNAL.data | {"conditions": [condition]})


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        (_block(put_oi=[1, 2]), "data.chain[1].put_oi: has 2 entries, expected 3"),
        (_block(strike_paise=[1, 2]), "data.chain[1].call_bid_paise: has 3 entries, expected 2"),
        (_block(call_volume=[1, None, "2"]), "data.chain[1].call_volume[2]: expected int | null"),
        (_block(call_volume=[1, None, 2.0]), "data.chain[1].call_volume[2]: expected int | null"),
        (_block(call_bid_paise=[1, 0, 2]), "data.chain[1].call_bid_paise[1]: expected int >= 1"),
        (_block(expiry="4 Sep"), "data.chain[1].expiry: expected str matching"),
        (_block(put_gamma=[]), "data.chain[1].put_gamma: unknown field"),
        (_condition(met=1), "data.conditions[0].met: expected bool, got int"),
        (_condition(direction=0), "data.conditions[0].direction: invalid enum value 0"),
        (_condition(threshold=float("nan")), "data.conditions[0].threshold: expected float"),
        (_condition(threshold=float("inf")), "data.conditions[0].threshold: expected float"),
        (_condition(value="1"), "data.conditions[0].value: expected float | null, got str"),
        (signals("s", 5, 1, fired="no")[0], "data.fired: expected bool, got str"),
        (signals("s", 5, 1, direction="LONG")[0], "data.direction: invalid enum value 'LONG'"),
        (replace(session_closed("s", 5), data={}), "data.counts: missing"),
        (
            day_opened("s", 5, limits={"chain_age_us": 0}),
            "data.limits[...]: expected int >= 1",
        ),
    ],
)
def test_data_that_does_not_fit_is_refused_with_its_place(event: Event, problem: str) -> None:
    with pytest.raises(PayloadError) as caught:
        check(event)
    assert f"{event.kind} at seq 5: {problem}" in str(caught.value)
    assert unreadable(event) == f"{event.kind}: {caught.value.problem}"


REPORT = {
    "id": "r1",
    "order": "s.1",
    "broker": "paper",
    "broker_order": "p1",
    "status": "FILLED",
    "quantity": 5,
    "price_paise": 100,
    "price_basis": "QUOTED",
    "filled": 5,
    "expected_paise": None,
    "latency_us": 7,
    "charges_paise": None,
    "charges_reason": "GROSS",
    "reason": None,
    "reason_code": None,
}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"quantity": 0}, "data.quantity: is above 0"),
        ({"price_paise": None}, "data.quantity: is above 0"),
        ({"price_basis": None}, "data.price_basis: is there for a fill"),
        ({"status": "ACKED"}, "data.quantity: is above 0"),
        ({"filled": 4}, "data.filled: counts the units"),
        ({"charges_reason": None}, "data.charges_reason: is there when"),
        ({"charges_paise": 3}, "data.charges_reason: is there when"),
        ({"latency_us": -1}, "data.latency_us: expected int >= 0"),
        ({"status": "LOST"}, "data.status: invalid enum value 'LOST'"),
    ],
)
def test_a_report_says_of_a_fill_what_a_fill_has(changes: dict[str, Any], problem: str) -> None:
    fits = Event(session="s", seq=2, ts=1, kind="broker.report", data=REPORT, key="r1")
    check(fits)
    check(replace(fits, data=REPORT | {"charges_paise": 3, "charges_reason": None}))
    with pytest.raises(PayloadError) as caught:
        check(replace(fits, data=REPORT | changes))
    assert problem in str(caught.value)


# --- every struct, with made values ---------------------------------------------------------------


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(event=events_of_every_kind())
def test_what_fits_comes_back_the_same_from_its_canonical_bytes(event: Event) -> None:
    payload = check(event)
    assert msgspec.to_builtins(payload).keys() == event.data.keys()
    read = json.loads(canonical_bytes(event.body()))
    again = replace(event, data=read["data"])
    # A float such as 2.0**60 comes back as an integer: the same bytes, not the same number.
    made = recanonical_bytes(msgspec.to_builtins(payload))
    assert recanonical_bytes(msgspec.to_builtins(check(again))) == made
    assert recanonical_bytes(again.body()) == event.body_bytes()


WRONG = (object(), b"bytes", 1j)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(event=events_of_every_kind(), chance=st.randoms(use_true_random=False))
def test_a_field_left_out_added_or_of_another_type_is_refused_by_name(
    event: Event, chance: Any
) -> None:
    shape = SCHEMAS[event.kind, 1].payload
    place, fields = chance.choice(list(_objects(event.data, "data", shape)))
    with pytest.raises(PayloadError) as caught:
        check(_changed(event, place, lambda data: data | {"surplus": 1}))
    assert f"{place}.surplus: unknown field" in str(caught.value)
    if not fields:
        return
    name = chance.choice(fields)
    with pytest.raises(PayloadError) as caught:
        check(_changed(event, place, lambda data: without(data, name)))
    assert f"{place}.{name}: missing" in str(caught.value)
    wrong = chance.choice(WRONG)
    with pytest.raises(PayloadError) as caught:
        check(_changed(event, place, lambda data: data | {name: wrong}))
    assert f"{place}.{name}: " in str(caught.value)


def _objects(value: Any, place: str, hint: Any) -> Any:
    """Yield the place of each object that is a struct, with its fields."""
    yield place, [field.name for field in msgspec.structs.fields(hint) if field.required]
    for field in msgspec.structs.fields(hint):
        inner = next((part for part in _struct_parts(field.type) if isinstance(part, type)), None)
        if inner is None:
            continue
        found = value.get(field.name)
        for at, item in enumerate(found) if isinstance(found, list) else ((None, found),):
            if isinstance(item, dict):
                suffix = f".{field.name}" + ("" if at is None else f"[{at}]")
                yield from _objects(item, place + suffix, inner)


def _struct_parts(hint: Any) -> list[Any]:
    if isinstance(hint, type) and issubclass(hint, Shape):
        return [hint]
    return [part for inner in getattr(hint, "__args__", ()) for part in _struct_parts(inner)]


def _changed(event: Event, place: str, change: Any) -> Event:
    """Return an event with the object at a place changed."""
    data = json.loads(json.dumps(event.data))
    steps = [step for step in place.replace("[", ".[").split(".")[1:] if step]
    if not steps:
        return replace(event, data=change(data))
    holder: Any = data
    for step in steps[:-1]:
        holder = holder[int(step[1:-1])] if step.startswith("[") else holder[step]
    last: Any = int(steps[-1][1:-1]) if steps[-1].startswith("[") else steps[-1]
    holder[last] = change(holder[last])
    return replace(event, data=data)


# --- at the writer --------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [0, 2, 4])
def test_one_event_that_does_not_fit_refuses_its_batch_and_poisons_nothing(
    tmp_path: Path, at: int
) -> None:
    with open_log(tmp_path) as writer:
        writer.open_day("2025-08-29")
        writer.commit(signals("day1", 1, 2))
        file = writer.directory / "2025-08-29.jsonl"
        before = (file.read_bytes(), (writer.directory / "head").read_bytes(), writer.line)
        batch = signals("day1", 3, 5)
        batch[at] = replace(batch[at], data=without(batch[at].data, "fired"))
        with pytest.raises(PayloadError, match=r"data\.fired: missing"):
            writer.commit(batch)
        after = (file.read_bytes(), (writer.directory / "head").read_bytes(), writer.line)
        assert after == before
        assert writer.commit(signals("day1", 3, 5)) == before[2] + 5
    assert verify_session(writer.directory).events == 7


def test_bookkeeping_is_checked_as_well(tmp_path: Path) -> None:
    with open_log(tmp_path) as writer, pytest.raises(PayloadError, match=r"data\.date: expected"):
        writer.open_day("29 August")


def test_a_column_that_is_a_set_is_refused_by_its_bytes(tmp_path: Path) -> None:
    """A payload takes any sequence for a list; canonical bytes take lists and tuples."""
    with open_log(tmp_path) as writer:
        writer.open_day("2025-08-29")
        with pytest.raises(CanonicalError, match="flags: set is not a JSON type"):
            writer.commit([*signals("day1", 1, 1), frame("day1", 2, flags={"CLOCK"})])
        assert writer.line == 1


def test_opaque_parts_may_hold_any_json() -> None:
    check(command("s", 1, nested={"": [[], {}, None, True, 1e300]}))
    assert {"log.opened", "log.recovered"} == BOOKKEEPING_KINDS


def test_a_day_file_may_name_the_peaks_of_the_tree_before_it() -> None:
    before = {"file": "f", "hash": "0" * 64, "line": 1, "root": "1" * 64}
    data = {"date": "2025-08-29", "number": 1, "previous": before, "writer": "w"}
    opened = Event(session="s", seq=None, ts=1, kind="log.opened", data=data)
    check(opened)
    check(replace(opened, data=data | {"previous": before | {"peaks": ["a" * 64, "b" * 64]}}))
    with pytest.raises(PayloadError, match=r"data\.previous\.peaks\[1\]: expected str matching"):
        check(replace(opened, data=data | {"previous": before | {"peaks": ["a" * 64, "B" * 64]}}))
