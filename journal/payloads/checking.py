"""Whether an event may be written, and what a stored one says.

Writing is strict: an unknown kind, version, field or type is refused. Reading is tolerant: a log of
a newer version stays readable, and what this version cannot take apart is named, not refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from journal.events import BOOKKEEPING_KINDS, KINDS
from journal.log.errors import PayloadError
from journal.payloads.registry import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from journal.events import Event
    from journal.payloads.shapes import Shape

# How msgspec says which field it is about, and how our own structs do.
_PLACE = re.compile(r"(?P<what>.*) - at `\$(?P<path>.*)`\Z", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(?P<name>.*)`\Z", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*)`\Z", re.DOTALL)
_OWN = re.compile(r"`(?P<name>\w+)` (?P<what>.*)\Z", re.DOTALL)


def check_all(events: Iterable[Event]) -> None:
    """Raise PayloadError for the first event of a batch that may not be written."""
    for event in events:
        check(event)


def check(event: Event) -> Shape:
    """Return the payload of an event that may be written.

    Raises PayloadError, naming kind and field, for an unknown kind or version, data that does not
    fit its struct, a key that is not the payload's, and an envelope of wrong types.
    """
    problem = _envelope_problem(event)
    if problem is not None:
        raise PayloadError(kind=str(event.kind), seq=event.seq, problem=problem)
    schema = SCHEMAS.get((event.kind, event.v))
    if schema is None:
        problem = _unknown(event.kind, event.v)
        raise PayloadError(kind=event.kind, seq=event.seq, problem=problem)
    try:
        payload = msgspec.convert(event.data, schema.payload)
    except msgspec.ValidationError as error:
        raise PayloadError(kind=event.kind, seq=event.seq, problem=_said(str(error))) from None
    if schema.key is not None and event.key != schema.key(payload):
        problem = f"key: expected {schema.key(payload)!r}, got {event.key!r}"
        raise PayloadError(kind=event.kind, seq=event.seq, problem=problem)
    return payload


def unreadable(event: Event) -> str | None:
    """Say what this version cannot take apart in a stored event; None when there is nothing."""
    try:
        check(event)
    except PayloadError as error:
        return f"{error.kind}: {error.problem}"
    return None


def _envelope_problem(event: Event) -> str | None:
    if type(event.kind) is not str:
        return f"kind: expected text, got {_type(event.kind)}"
    if type(event.v) is not int:
        return f"v: expected an integer, got {_type(event.v)}"
    if type(event.ts) is not int:
        return f"ts: expected an integer, got {_type(event.ts)}"
    if type(event.session) is not str:
        return f"session: expected text, got {_type(event.session)}"
    if event.key is not None and type(event.key) is not str:
        return f"key: expected text or None, got {_type(event.key)}"
    if type(event.data) is not dict:
        return f"data: expected an object, got {_type(event.data)}"
    if event.kind in BOOKKEEPING_KINDS:
        return None if event.seq is None else "seq: a bookkeeping record has none"
    if type(event.seq) is not int:
        return f"seq: expected an integer, got {_type(event.seq)}"
    return _cause_problem(event.cause, event.seq)


def _cause_problem(cause: object, seq: int) -> str | None:
    if type(cause) is not tuple:
        return f"cause: expected a tuple of seqs, got {_type(cause)}"
    for number in cause:
        if type(number) is not int:
            return f"cause: expected integers, got {_type(number)}"
        if not 0 < number < seq:
            return f"cause: {number} is no earlier event"
    return None


def _unknown(kind: str, version: int) -> str:
    versions = sorted(known for name, known in SCHEMAS if name == kind)
    if versions:
        return f"v: version {version} is not known, expected {versions[-1]}"
    return "kind: reserved, nothing writes it yet" if kind in KINDS else "kind: not known"


def _said(message: str) -> str:
    """Return msgspec's words with the field first: `data.gates[2].value: expected int, got str`."""
    place = _PLACE.match(message)
    what, path = (place["what"], f"data{place['path']}") if place else (message, "data")
    if missing := _MISSING.match(what):
        return f"{path}.{missing['name']}: missing"
    if unknown := _UNKNOWN.match(what):
        return f"{path}.{unknown['name']}: unknown field"
    if own := _OWN.match(what):
        return f"{path}.{own['name']}: {own['what']}".replace("`", "")
    return f"{path}: {what[:1].lower()}{what[1:]}".replace("`", "")


def _type(value: object) -> str:
    return type(value).__name__
