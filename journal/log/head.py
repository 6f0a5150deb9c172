"""The published head: how far a session's log is durable. Mirror and push read no further."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from journal.log.files import FILES, Files

if TYPE_CHECKING:
    from pathlib import Path


_FILE = re.compile(r"\d{4}-\d{2}-\d{2}\.jsonl")
_HASH = re.compile(r"[0-9a-f]{64}")


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

    None when nothing was published or what is there is no head: a power cut may leave anything.
    """
    try:
        head = Head(**json.loads((directory / "head").read_bytes()))
        return head if _is_head(head) else None
    except (FileNotFoundError, ValueError, TypeError, RecursionError):
        return None


def _is_head(head: Head) -> bool:
    return (
        _FILE.fullmatch(head.file) is not None
        and _HASH.fullmatch(head.hash) is not None
        and all(type(number) is int and number > 0 for number in (head.offset, head.line))
    )
