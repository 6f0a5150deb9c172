"""Canonical bytes, held against the reference implementation of RFC 8785."""

from __future__ import annotations

import json
import math
import struct
from enum import Enum
from random import Random
from typing import Any
from uuid import UUID

import pytest
import rfc8785
from hypothesis import example, given, settings
from hypothesis import strategies as st

from journal.log.canonical import MAX_SAFE_INTEGER, canonical_bytes, recanonical_bytes
from journal.log.errors import CanonicalError, LogError

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
# Every bit pattern, not only those a generator of "nice" numbers likes.
BIT_PATTERNS = st.binary(min_size=8, max_size=8).map(lambda raw: struct.unpack("<d", raw)[0])
FLOATS = (st.floats(allow_nan=False, allow_infinity=False) | BIT_PATTERNS).filter(math.isfinite)
INTEGERS = st.integers(min_value=-MAX_SAFE_INTEGER, max_value=MAX_SAFE_INTEGER)
VALUES = st.recursive(
    st.none() | st.booleans() | INTEGERS | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=20,
)


@settings(max_examples=1000, deadline=None)
@given(FLOATS)
@example(-0.0)
@example(1e21)
@example(1e20)
@example(1e-6)
@example(1e-7)
@example(0.0001)
@example(9.999999999999999e-5)
@example(9007199254740991.0)
@example(9007199254740992.0)
@example(9007199254740994.0)
@example(-9007199254740992.0)
@example(123456789012345680000.0)
@example(5e-324)
@example(1.7976931348623157e308)
@example(2.0**53 - 0.5)
def test_floats_are_those_of_the_reference(value: float) -> None:
    assert canonical_bytes(value) == rfc8785.dumps(value)


@settings(max_examples=300, deadline=None)
@given(VALUES)
@example({"\ufb33": 1, "\U0001f602": 2})  # sorts differently by code point and by UTF-16 unit
@example({"é": 1, "e\u0301": 2, "z": 3})
@example({"a": '\u2028\u2029\x7f\x1f\t\b\f\\"/'})
def test_values_are_those_of_the_reference(value: Any) -> None:
    assert canonical_bytes(value) == rfc8785.dumps(value)


@settings(max_examples=150, deadline=None)
@given(VALUES)
@example(2.0**53)
@example(1.2345678901234568e20)
def test_what_is_read_back_is_written_the_same(value: Any) -> None:
    written = canonical_bytes(value)
    assert recanonical_bytes(json.loads(written)) == written


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_becomes_null(value: float) -> None:
    assert canonical_bytes({"a": [value]}) == b'{"a":[null]}'


def test_a_tuple_is_a_list() -> None:
    assert canonical_bytes((1, (2,))) == b"[1,[2]]"


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"data": {"n": 2**53 + 1}}, ".data.n"),
        ({"data": {"n": 2**53}}, ".data.n"),  # the text of a float, and still no exact integer
        ({"data": [0, -(2**53) - 1]}, ".data[1]"),
        ({"n": 10**21}, ".n"),
        ({"n": 10**400}, ".n"),
        ({"a": "x\x00y"}, ".a"),
        ({"a": "é\x00"}, ".a"),
        ({"a": "\ud800"}, ".a"),
        ({"a\x00": 1}, "a\\x00"),
        ({"\udfff": 1}, "\\udfff"),
        ({1: 2}, "key 1"),
        ({"a": b"bytes"}, "bytes is not a JSON type"),
        ({"a": {1, 2}}, "set is not a JSON type"),
    ],
)
def test_what_cannot_be_stored_is_refused_by_name(value: Any, field: str) -> None:
    with pytest.raises(CanonicalError) as caught:
        canonical_bytes(value)
    assert field in str(caught.value)
    assert isinstance(caught.value, LogError)


class _Colour(Enum):
    RED = "red"


@pytest.mark.parametrize("beside", [1, 1.0])  # the fast way and the normalising one
def test_an_enum_is_its_value_and_a_uuid_its_text(beside: float) -> None:
    value = {"b": UUID(int=7), "c": _Colour.RED, "n": beside}
    assert canonical_bytes(value) == b'{"b":"00000000-0000-0000-0000-000000000007","c":"red","n":1}'


def test_what_looks_like_a_number_in_text_stays_text() -> None:
    value = {"a": "v1.0, 1e-6] 2e+9", "b": [0.5, "3.0"], "c": "\\u0000"}
    assert canonical_bytes(value) == rfc8785.dumps(value)


def test_nesting_without_end_is_refused() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(CanonicalError):
        canonical_bytes(value)


def _hard_float(random: Random) -> float:
    """Return a float near a place where the ways to print numbers part."""
    near = random.choice([1e-7, 1e-6, 1e-5, 1e-4, 1.0, 1e15, 2.0**53, 1e16, 1e20, 1e21, 1e22])
    value = random.choice(
        [
            struct.unpack("<d", random.randbytes(8))[0],
            near * random.choice([1, 1 + 2**-52, 1 - 2**-53, random.random() * 10]),
            float(random.randrange(-(2**60), 2**60)),
            random.randrange(10**17) / 10 ** random.randrange(25),
        ]
    )
    return value if math.isfinite(value) else 0.0


def _random_value(random: Random, depth: int) -> Any:
    kind = random.randrange(9 if depth else 6)
    if kind == 0:
        return random.choice([None, True, False])
    if kind == 1:
        return random.randrange(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER)
    if kind in {2, 3}:
        return _hard_float(random)
    if kind in {4, 5}:
        return "".join(random.choices('aé\u2028\ufb33\U0001f602\\"/\x1f\x7f e-1.0', k=4))
    items = [_random_value(random, depth - 1) for _ in range(random.randrange(5))]
    if kind == 6:
        return items
    letters = "abé\ufb33\U0001f602" if kind == 7 else "abcde"
    return {"".join(random.choices(letters, k=2)): item for item in items}


@pytest.mark.slow
def test_three_hundred_thousand_hard_floats() -> None:
    random = Random(8785)
    for _ in range(300_000):
        value = _hard_float(random)
        assert canonical_bytes(value) == rfc8785.dumps(value), value


@pytest.mark.slow
def test_sixty_thousand_random_objects() -> None:
    random = Random(8785)
    for _ in range(60_000):
        value = {"data": _random_value(random, 3)}
        assert canonical_bytes(value) == rfc8785.dumps(value), value


@pytest.mark.parametrize(
    "value",
    [
        {"a": 1.0, "b": -3.0, "c": [2.0], "d": {"e": 1e15}, "f": 9007199254740992.0},
        {"a": -0.0},
        {"a": 0.0, "b": -10.0},
        {"a": '":1.0,', "b": 1.0},
        {'a\\": ': 1.0},
        {'\\":': 1.0, '"': 2.0},
        {"a\\": 1.0},
        {"a": "x\\", "b": 5.0},
        {"a": [1.0, {"b": 2.0}], "c": 3.05, "d": 100.01},
        {"é": 1.0},
        {"a": "é", "b": 1.0, "c": 'é":', "d": "\\é"},
        {"a": "é\\", "b\\": "ü"},
        [{"a": "é"}, {"aé": 1}],
        1.0,
        [1.0],
        "é",
    ],
)
def test_where_the_text_is_mended_it_is_the_reference_s(value: Any) -> None:
    assert canonical_bytes(value) == rfc8785.dumps(value)
