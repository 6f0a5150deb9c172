"""The comparator finds the first difference, names its place, and finds nothing in equal bytes."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from journal.log.canonical import canonical_bytes, recanonical_bytes
from replay.comparator import (
    Comparator,
    What,
    divergence_between,
    first_difference,
    json_path,
)

TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=("Cs",)), max_size=6)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


def parsed(value: Any) -> Any:
    """Return a value as it comes back from its canonical bytes."""
    return orjson.loads(recanonical_bytes(value))


def body(seq: int, kind: str = "signal.emitted", **data: Any) -> bytes:
    return canonical_bytes(
        {
            "cause": [],
            "data": data,
            "key": None,
            "kind": kind,
            "seq": seq,
            "session": "s",
            "ts": seq,
            "v": 1,
        }
    )


def places(value: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return every place inside a value, itself first."""
    found = [at]
    if isinstance(value, dict):
        for name in value:
            found += places(value[name], (*at, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found += places(item, (*at, index))
    return found


def value_at(value: Any, place: tuple[str | int, ...]) -> Any:
    for part in place:
        value = value[part]
    return value


def replaced(value: Any, place: tuple[str | int, ...], new: Any) -> Any:
    if not place:
        return new
    value = copy.deepcopy(value)
    inside = value_at(value, place[:-1])
    inside[place[-1]] = new
    return value


@given(VALUES)
def test_a_value_does_not_differ_from_itself(value: Any) -> None:
    assert first_difference(parsed(value), parsed(value)) is None


@given(VALUES, VALUES)
def test_a_difference_is_found_exactly_when_the_bytes_differ(one: Any, other: Any) -> None:
    same_bytes = canonical_bytes(one) == canonical_bytes(other)
    assert (first_difference(parsed(one), parsed(other)) is None) == same_bytes


@given(VALUES, LEAVES, st.data())
def test_one_changed_place_is_the_place_that_is_named(
    value: Any, new: Any, data: st.DataObject
) -> None:
    value = parsed(value)
    leaves = [p for p in places(value) if not isinstance(value_at(value, p), dict | list)]
    assume(leaves)
    place = data.draw(st.sampled_from(leaves))
    changed = parsed(replaced(value, place, new))
    assume(recanonical_bytes(changed) != recanonical_bytes(value))
    assert first_difference(value, changed) == place


@given(VALUES, VALUES)
def test_up_to_the_place_everything_is_the_same_and_there_it_is_not(one: Any, other: Any) -> None:
    one, other = parsed(one), parsed(other)
    place = first_difference(one, other)
    assume(place is not None)
    assert place is not None
    above_one, above_other = value_at(one, place[:-1]), value_at(other, place[:-1])
    assert type(above_one) is type(above_other) or not place
    if place and isinstance(above_one, list):
        assert above_one[: place[-1]] == above_other[: place[-1]]
    if place and isinstance(above_one, dict):
        names = sorted(above_one.keys() | above_other.keys())
        for name in names[: names.index(place[-1])]:
            assert recanonical_bytes(above_one[name]) == recanonical_bytes(above_other[name])


@given(VALUES, VALUES)
def test_it_does_not_matter_which_side_is_which(one: Any, other: Any) -> None:
    one, other = parsed(one), parsed(other)
    assert first_difference(one, other) == first_difference(other, one)


@pytest.mark.parametrize(
    ("one", "other"), [(1, True), (0, False), (0, None), ("1", 1), ([], {}), ([None], [])]
)
def test_what_python_takes_for_equal_is_told_apart(one: Any, other: Any) -> None:
    assert first_difference(one, other) is not None


def test_paths_are_jsonpath_with_names_quoted_that_need_it() -> None:
    assert json_path(()) == "$"
    assert json_path(("data", "gates", 2, "value")) == "$.data.gates[2].value"
    assert json_path(("data", "2025-09-04", 'a"b')) == '$.data["2025-09-04"]["a\\"b"]'


def test_a_changed_value_is_told_with_seq_kind_path_and_both_values() -> None:
    found = divergence_between(body(7, z=1.5, name="x"), body(7, z=1.25, name="x"))
    assert (found.what, found.seq, found.kind) == (What.CHANGED, 7, "signal.emitted")
    assert (found.path, found.recorded, found.replayed) == ("$.data.z", "1.5", "1.25")
    assert found.words() == "seq 7 signal.emitted $.data.z: recorded 1.5, replayed 1.25"


def test_a_member_that_only_one_side_has_is_nothing_on_the_other() -> None:
    found = divergence_between(body(7), body(7, z=None))
    assert (found.path, found.recorded, found.replayed) == ("$.data.z", None, "null")
    assert "recorded nothing, replayed null" in found.words()


def test_two_kinds_differ_in_their_kind_and_nowhere_else() -> None:
    found = divergence_between(body(7, "gate.decided", a=1), body(7, "signal.emitted", b=2))
    assert (found.path, found.recorded) == ("$.kind", '"gate.decided"')


def test_the_same_values_in_bytes_that_are_not_canonical_are_a_change_of_the_whole() -> None:
    found = divergence_between(body(7, z=1).replace(b'"z":1', b'"z":1.0'), body(7, z=1))
    assert (found.what, found.path, found.seq) == (What.CHANGED, "$", 7)


def test_missing_and_extra_events() -> None:
    missing, extra = Comparator(), Comparator()
    missing.compare([body(1)], [body(1), body(2)])
    extra.compare([body(1), body(2)], [body(1)])
    assert missing.first is not None
    assert extra.first is not None
    assert (missing.first.what, missing.first.seq) == (What.ONLY_REPLAYED, 2)
    assert (extra.first.what, extra.first.seq) == (What.ONLY_RECORDED, 2)
    assert missing.first.words().endswith("derived by the replay, not in the log")


def test_the_first_divergence_is_kept_and_all_are_counted() -> None:
    comparator = Comparator()
    comparator.compare([body(1, a=1), body(2, a=1)], [body(1, a=1), body(2, a=2)])
    comparator.compare([body(3, a=1)], [body(3, a=3)])
    assert comparator.first is not None
    assert comparator.first.seq == 2
    assert (comparator.identical, comparator.different) == (1, 2)


def test_a_record_that_is_no_body_at_all_is_still_told() -> None:
    for record in (b'"just text"', b"[1]", b'{"v":1},"body":{'):
        found = divergence_between(record, body(3))
        assert (found.what, found.seq, found.path) == (What.CHANGED, 3, "$")
        assert found.recorded == record.decode()
    assert divergence_between(b"[1]", None).what == What.ONLY_RECORDED


def test_words_of_long_values_are_cut() -> None:
    found = divergence_between(body(7, text="x" * 5000), body(7, text="y"))
    assert len(found.words()) < 300
    assert found.recorded == '"' + "x" * 5000 + '"'
