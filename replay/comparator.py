"""Comparing what a log records with what was derived again: byte for byte, nothing tolerated.

Bodies are RFC 8785 canonical, so equal values have equal bytes; where the bytes differ, the first
differing place is named by its JSONPath (RFC 9535).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import orjson

from journal.log.canonical import recanonical_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    Path = tuple[str | int, ...]

_MEMBER_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class What(StrEnum):
    """In what way a replay left the record."""

    CHANGED = "CHANGED"  # both have the event, and it differs
    ONLY_RECORDED = "ONLY_RECORDED"  # the log holds an event the engine does not derive
    ONLY_REPLAYED = "ONLY_REPLAYED"  # the engine derives an event the log does not hold
    REFUSED = "REFUSED"  # the engine does not take a recorded input
    STATE = "STATE"  # a day opens with a state that the day before did not end with


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first place where a replay left the record.

    `path` is a JSONPath into the body; `recorded` and `replayed` are the JSON texts found there,
    None where there is nothing.
    """

    what: What
    seq: int
    kind: str
    path: str
    recorded: str | None
    replayed: str | None

    def words(self) -> str:
        """Return the divergence as one line."""
        place = f"seq {self.seq} {self.kind}"
        match self.what:
            case What.ONLY_RECORDED:
                return f"{place}: in the log, not derived by the replay"
            case What.ONLY_REPLAYED:
                return f"{place}: derived by the replay, not in the log"
            case What.REFUSED:
                return f"{place}: the engine does not take this input: {self.replayed}"
        recorded, replayed = _shown(self.recorded), _shown(self.replayed)
        return f"{place} {self.path}: recorded {recorded}, replayed {replayed}"


class Comparator:
    """One way against the record, answer by answer; keeps the first divergence and counts."""

    def __init__(self) -> None:
        self.first: Divergence | None = None
        self.identical = 0
        self.different = 0

    def compare(self, recorded: Sequence[bytes], replayed: Sequence[bytes]) -> None:
        """Compare the bodies that answered one input, in order."""
        for there, here in zip_longest(recorded, replayed):
            if there == here:
                self.identical += 1
            else:
                self.note(divergence_between(there, here))

    def note(self, divergence: Divergence) -> None:
        """Count a divergence, and keep it when it is the first."""
        self.different += 1
        self.first = self.first or divergence


def divergence_between(recorded: bytes | None, replayed: bytes | None) -> Divergence:
    """Return how two bodies that are not the same bytes differ; at most one of them is None."""
    there = None if recorded is None else _parsed(recorded)
    if replayed is None:
        return _whole(What.ONLY_RECORDED, there, recorded, None)
    here = orjson.loads(replayed)
    if recorded is None:
        return _whole(What.ONLY_REPLAYED, here, None, replayed)
    place: Path | None
    if not isinstance(there, dict):
        place = None
    elif there.get("kind") != here["kind"]:
        place = ("kind",)  # bodies of two kinds have nothing else to compare
    else:
        place = first_difference(there, here)
    if place is None:  # no body, or the same values in bytes that are not canonical
        return _whole(What.CHANGED, here, recorded, replayed)
    return Divergence(
        what=What.CHANGED,
        seq=here["seq"],
        kind=here["kind"],
        path=json_path(place),
        recorded=_text_at(there, place),
        replayed=_text_at(here, place),
    )


def first_difference(recorded: Any, replayed: Any) -> Path | None:
    """Return where two JSON values first differ, members in the order of their names; None when
    they are the same.

    As canonical bytes see it: 1.0 is 1, and true is not.
    """
    if type(recorded) is not type(replayed):
        return None if _same_number(recorded, replayed) else ()
    if isinstance(recorded, dict):
        for name in sorted(recorded.keys() | replayed.keys()):
            if name not in recorded or name not in replayed:
                return (name,)
            inner = first_difference(recorded[name], replayed[name])
            if inner is not None:
                return (name, *inner)
        return None
    if isinstance(recorded, list):
        for index in range(max(len(recorded), len(replayed))):
            if index >= len(recorded) or index >= len(replayed):
                return (index,)
            inner = first_difference(recorded[index], replayed[index])
            if inner is not None:
                return (index, *inner)
        return None
    return None if recorded == replayed else ()


def json_path(place: Path) -> str:
    """Return the JSONPath of a place: `$.data.gates[2].value`, names that need it in quotes."""
    text = "$"
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _MEMBER_NAME.match(part):
            text += f".{part}"
        else:
            text += f"[{orjson.dumps(part).decode()}]"
    return text


def _parsed(recorded: bytes) -> Any:
    """Return the value of recorded bytes, None when they are no JSON."""
    try:
        return orjson.loads(recorded)
    except orjson.JSONDecodeError:
        return None


def _same_number(recorded: Any, replayed: Any) -> bool:
    """Whether an integer and a float are one number, as canonical bytes see it."""
    numbers = {type(recorded), type(replayed)} == {int, float}
    return numbers and recanonical_bytes(recorded) == recanonical_bytes(replayed)


def _whole(what: What, body: Any, recorded: bytes | None, replayed: bytes | None) -> Divergence:
    fields = body if isinstance(body, dict) else {}
    seq = fields.get("seq")
    return Divergence(
        what=what,
        seq=seq if type(seq) is int else 0,
        kind=str(fields.get("kind")),
        path="$",
        recorded=None if recorded is None else recorded.decode(errors="replace"),
        replayed=None if replayed is None else replayed.decode(errors="replace"),
    )


def _text_at(value: Any, place: Path) -> str | None:
    """Return the JSON text at a place, None when there is none."""
    for part in place:
        try:
            value = value[part]
        except (LookupError, TypeError):
            return None
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _shown(text: str | None, limit: int = 120) -> str:
    if text is None:
        return "nothing"
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"
