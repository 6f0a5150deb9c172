"""Packing a closed day into multi-member gzip.

The plain file is the log until the packed one is durable under its own name; whatever is killed in
between, one of them is whole. A day whose chain does not hold is left as it is.
"""

from __future__ import annotations

import zlib
from hashlib import sha256
from typing import TYPE_CHECKING

from journal.log.chain import event_end, follow_chain
from journal.log.day_file import GZIP_WINDOW, Member, write_members
from journal.log.errors import LogError, TamperedError
from journal.log.files import FILES, Files
from journal.log.index import mended_index
from journal.log.session import PACKED, day_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MEMBER_BYTES = 2**18  # unpacked; one is unpacked for every look-up
_LEVEL = 6


def pack_closed_days(directory: Path, *, files: Files = FILES) -> list[Path]:
    """Pack every plain day file of a session but the last; return those made.

    Raises OSError when the disk refuses, TamperedError when a chain does not hold; days packed
    before stay packed.
    """
    return [
        pack_day(path, files=files)
        for path in day_files(directory)[:-1]
        if not path.name.endswith(PACKED)
    ]


def pack_day(path: Path, *, files: Files = FILES) -> Path:
    """Pack one closed day file and return the packed one."""
    _refuse_broken(path)
    packed = path.with_name(path.name + PACKED)
    draft = path.with_name(f".{packed.name}.draft")
    files.remove(draft)
    descriptor = files.create(draft)
    try:
        members = list(_write_members(path, descriptor, files))
        files.sync(descriptor)
    finally:
        files.close(descriptor)
    write_members(packed, members, files=files)
    mended_index(path, end=path.stat().st_size, files=files)
    files.rename(draft, packed)
    files.sync_directory(path.parent)
    files.remove(path)
    files.sync_directory(path.parent)
    return packed


def _refuse_broken(path: Path) -> None:
    with path.open("rb") as file:
        run = follow_chain(file)
    if run.broken is not None:
        raise TamperedError(
            path=path,
            line=run.lines + 1,
            reason="the chain breaks at this line of the file; not packed",
            expected=f"prev {run.hash.hex()}",
        )


def _write_members(path: Path, descriptor: int, files: Files) -> Iterator[Member]:
    at = offset = 0
    with path.open("rb") as file:
        line = _first_line_of(path)
        while content := file.read(MEMBER_BYTES):
            packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, GZIP_WINDOW)
            compressed = packer.compress(content) + packer.flush()
            if zlib.decompress(compressed, wbits=GZIP_WINDOW) != content:
                raise LogError(f"{path}: does not unpack to what was packed at byte {offset}")
            files.write_all(descriptor, compressed)
            digest = sha256(compressed).hexdigest()
            yield Member(at, len(compressed), offset, len(content), line, digest)
            at += len(compressed)
            offset += len(content)
            line += content.count(b"\n")


def _first_line_of(path: Path) -> int:
    with path.open("rb") as file:
        end = event_end(file.readline())
    return end.line if end is not None else 1
