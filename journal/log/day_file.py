"""The bytes of a day file, plain or packed: one way to open both.

A packed day is a multi-member gzip file, readable by any gzip. Its table of members gives for each
the place of its bytes in both worlds and the SHA-256 of its compressed bytes, for gzip itself does
not notice a flipped bit in a member's header. A member is checked whenever it is read.
"""

from __future__ import annotations

import io
import json
import zlib
from bisect import bisect_right
from dataclasses import astuple, dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO

from journal.log.chain import event_end
from journal.log.errors import LogError, TamperedError
from journal.log.files import FILES, Files
from journal.log.session import PACKED, day_date, day_name

if TYPE_CHECKING:
    from pathlib import Path

GZIP_WINDOW = 31  # zlib's wbits for the gzip format
_BUFFER = 2**16


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a packed day. `at` and `size` are its compressed bytes, `offset` and `length`
    those of the day they hold, `line` the number of the line its first byte belongs to.
    """

    at: int
    size: int
    offset: int
    length: int
    line: int
    sha256: str


def open_day_file(path: Path) -> BinaryIO:
    """Open a day file for reading the bytes of the log: lines, `seek` and `tell` as if it were
    plain.

    A day that is packed between listing and opening is opened as it is now. Raises
    FileNotFoundError when it is gone, TamperedError while reading a packed day that is damaged.
    """
    plain = path.with_name(day_name(path))
    packed = path.with_name(plain.name + PACKED)
    try:
        return plain.open("rb")
    except FileNotFoundError:
        if not packed.exists():
            raise
    return io.BufferedReader(_PackedDay(packed), _BUFFER)


def day_size(path: Path) -> int:
    """Return how many bytes of the log a day file holds."""
    with open_day_file(path) as file:
        return file.seek(0, io.SEEK_END)


def members_path(path: Path) -> Path:
    """Return where the table of members of a packed day is kept."""
    return path.parent / "index" / f"{day_date(path)}.members"


def write_members(path: Path, members: list[Member], *, files: Files = FILES) -> None:
    """Keep the table of members of a packed day."""
    rows = json.dumps([astuple(member) for member in members]).encode()
    members_path(path).parent.mkdir(exist_ok=True)
    files.replace(members_path(path), sha256(rows).hexdigest().encode() + b"\n" + rows)


def members_of(path: Path) -> list[Member]:
    """Return the members of a packed day, from its table; a table that is missing or damaged is
    made again from the file.
    """
    return _kept_members(path) or rebuilt_members(path)


def _kept_members(path: Path) -> list[Member] | None:
    try:
        digest, _, rows = members_path(path).read_bytes().partition(b"\n")
        if sha256(rows).hexdigest().encode() != digest:
            return None
        return [Member(*row) for row in json.loads(rows)]
    except (OSError, ValueError, TypeError):
        return None


def rebuilt_members(path: Path) -> list[Member]:
    """Return the members of a packed day as its bytes say; TamperedError where they cannot be
    unpacked.
    """
    members: list[Member] = []
    at = offset = line = 0
    with path.open("rb") as file:
        while raw := _member_at(path, file, at, line):
            compressed, content = raw
            if not members:
                line = _first_line_number(content)
            digest = sha256(compressed).hexdigest()
            members.append(Member(at, len(compressed), offset, len(content), line, digest))
            at += len(compressed)
            offset += len(content)
            line += content.count(b"\n")
    if not members:
        raise TamperedError(path=path, line=1, reason="holds nothing", expected="log.opened")
    return members


def _member_at(path: Path, file: BinaryIO, at: int, line: int) -> tuple[bytes, bytes] | None:
    """Return a member's compressed bytes and its content; None at the end of the file."""
    file.seek(at)
    unpacker = zlib.decompressobj(GZIP_WINDOW)
    compressed, content = b"", b""
    try:
        while not unpacker.eof:
            piece = file.read(_BUFFER)
            if not piece:
                break
            content += unpacker.decompress(piece)
            compressed += piece
    except zlib.error as error:
        raise TamperedError(
            path=path, line=line or 1, reason=f"cannot be unpacked at byte {at} ({error})"
        ) from None
    if not compressed:
        return None
    if not unpacker.eof:
        raise TamperedError(path=path, line=line or 1, reason=f"ends inside the member at {at}")
    return compressed[: len(compressed) - len(unpacker.unused_data)], content


def _first_line_number(content: bytes) -> int:
    end = event_end(content.partition(b"\n")[0] + b"\n")
    return end.line if end is not None else 1


class _PackedDay(io.RawIOBase):
    """A packed day as the bytes it was made of; holds one unpacked member at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._members = members_of(path)
        self._offsets = [member.offset for member in self._members]
        last = self._members[-1]
        self._length = last.offset + last.length
        self._file = path.open("rb")
        self._position = 0
        self._number = -1
        self._content = b""
        if self._file.seek(0, io.SEEK_END) != last.at + last.size:
            self._file.close()
            raise TamperedError(
                path=path,
                line=last.line,
                reason=f"is {path.stat().st_size} bytes long",
                expected=f"{last.at + last.size} bytes, as its index says",
            )

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._length}[whence]
        self._position = max(0, start + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self._position >= self._length:
            return 0
        number = bisect_right(self._offsets, self._position) - 1
        if number != self._number:
            self._content, self._number = self._unpacked(number), number
        start = self._position - self._offsets[number]
        piece = self._content[start : start + len(buffer)]
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def _unpacked(self, number: int) -> bytes:
        member = self._members[number]
        self._file.seek(member.at)
        compressed = self._file.read(member.size)
        found = sha256(compressed).hexdigest()
        if found != member.sha256:
            raise TamperedError(
                path=self._path,
                line=member.line,
                reason=f"member {number + 1}, which starts in this line, is not what was packed",
                expected=member.sha256,
                found=found,
            )
        content = zlib.decompress(compressed, wbits=GZIP_WINDOW)
        if len(content) != member.length:
            raise LogError(f"{members_path(self._path)}: member {number + 1} has another length")
        return content

    def close(self) -> None:
        self._file.close()
        super().close()
