"""Which struct a kind's data has. A module adds a kind with one line: `@payload_of("the.kind")`
over its struct, and its own name in `journal.payloads`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from journal.events import BODY_VERSION
from journal.payloads.shapes import Shape

Struct = TypeVar("Struct", bound=type[Shape])

# How an event's key follows from its payload; None where the payload does not say it.
Key = Callable[[Any], str | None]


@dataclass(frozen=True, slots=True)
class Schema:
    """A kind in one version of the body: the struct of its data, and its key."""

    kind: str
    version: int
    payload: type[Shape]
    key: Key | None
    key_text: str


SCHEMAS: dict[tuple[str, int], Schema] = {}


def no_key(payload: Shape) -> None:
    """The key of a kind that belongs to nothing smaller than its session."""
    del payload


def payload_of(
    kind: str, *, key: Key | None = no_key, key_text: str = "none", version: int = BODY_VERSION
) -> Callable[[Struct], Struct]:
    """Register the struct below as the data of a kind.

    `key` gives an event's key from its payload, None leaves any key or none; `key_text` says it for
    the reference page. Raises ValueError when the kind has a struct in that version already.
    """

    def register(payload: Struct) -> Struct:
        if (kind, version) in SCHEMAS:
            raise ValueError(f"{kind} version {version} has a payload already")
        SCHEMAS[kind, version] = Schema(kind, version, payload, key, key_text)
        return payload

    return register
