"""Somebody who rewrites a log and every hash after it, so that the chain is good again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from journal.log.canonical import canonical_bytes
from journal.log.chain import GENESIS, chained_hash, event_bytes, line_bytes
from journal.log.head import Head, publish_head
from journal.log.merkle import MerkleTree
from journal.log.reader import read_file, read_session
from journal.log.session import day_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Body = dict[str, Any]


def forge(
    directory: Path,
    edit: Callable[[Body], Body | None],
    *,
    encode: Callable[[Body], bytes] = canonical_bytes,
) -> None:
    """Give every body to `edit`, drop those it answers with None, and chain all lines anew, the
    links between files and the published head included.
    """
    tree = MerkleTree()
    number = 0
    link: dict[str, Any] | None = None
    for path in day_files(directory):
        previous, content = GENESIS, b""
        for old in list(read_file(path)):
            body = edit(old.body)
            if body is None:
                continue
            number += 1
            if body["kind"] == "log.opened":
                body["data"]["previous"] = link
            event = event_bytes(
                body=encode(body), line=number, commit=min(old.commit, number), rec=old.rec
            )
            digest = chained_hash(previous, event)
            content += line_bytes(event=event, digest=digest, previous=previous)
            tree.append(event)
            previous = digest
        path.write_bytes(content)
        link = {
            "file": path.name,
            "hash": previous.hex(),
            "line": number,
            "peaks": [peak.hex() for peak in tree.peaks],
            "root": tree.root().hex(),
        }
        publish_head(directory, Head(path.name, len(content), number, previous.hex()))


def forge_event(directory: Path, seq: int, change: Callable[[Body], Body | None]) -> None:
    """Change, or with None drop, the one event of a seq."""
    forge(directory, lambda body: change(body) if body["seq"] == seq else body)


def bodies(directory: Path, *kinds: str) -> list[Body]:
    """Return the bodies of a session in order, those of some kinds when they are named."""
    lines = read_session(directory)
    return [line.body for line in lines if not kinds or line.body["kind"] in kinds]
