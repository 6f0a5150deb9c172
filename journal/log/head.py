"""The published head: how far a session's log is durable. Mirror and push read no further."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the durable log:

    `file` name, `offset` in bytes after its last line, `line`, `hash`.
    """

    file: str
    offset: int
    line: int
    hash: str


def publish_head(directory: Path, head: Head) -> None:
    """Replace the head file; a reader sees the old one or the new one, never a part."""
    draft = directory / ".head.draft"
    draft.write_text(json.dumps(asdict(head)))
    os.replace(draft, directory / "head")  # noqa: PTH105 - on the commit path, twice as fast


def read_head(directory: Path) -> Head | None:
    """Return the published head;

    None when nothing was published or a power cut left the file empty.
    """
    try:
        fields = json.loads((directory / "head").read_bytes())
        return Head(**fields)
    except (FileNotFoundError, ValueError, TypeError):
        return None
