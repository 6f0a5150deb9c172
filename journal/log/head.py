"""The published head: how far a session's log is durable. Mirror and push read no further."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from journal.log.files import FILES, Files

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


def publish_head(directory: Path, head: Head, *, files: Files = FILES) -> None:
    """Replace the head file; a reader sees the old one or the new one, never a part."""
    draft = directory / ".head.draft"
    files.write_new(draft, json.dumps(asdict(head)).encode(), durable=False)
    files.rename(draft, directory / "head")


def read_head(directory: Path) -> Head | None:
    """Return the published head;

    None when nothing was published or a power cut left the file empty.
    """
    try:
        fields = json.loads((directory / "head").read_bytes())
        return Head(**fields)
    except (FileNotFoundError, ValueError, TypeError):
        return None
