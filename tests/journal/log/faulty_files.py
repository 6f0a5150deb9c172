"""Disks that fail: the k-th operation, or the power."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from journal.log.files import Files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from random import Random

SECTOR = 512


class FailingFiles(Files):
    """Real files until the `fail_at`-th operation (from 1), which fails with `fault`; a write that
    fails may have taken half before. `seen` names the operations that were asked for.
    """

    def __init__(self, fail_at: int, fault: int = errno.EIO, *, short: bool = False) -> None:
        self.fail_at = fail_at
        self.fault = fault
        self.short = short
        self.seen: list[str] = []

    @property
    def failed(self) -> bool:
        """Whether the fault has come."""
        return len(self.seen) >= self.fail_at

    def _ask(self, operation: str) -> None:
        self.seen.append(operation)
        if len(self.seen) == self.fail_at:
            raise OSError(self.fault, os.strerror(self.fault))

    def create(self, path: Path) -> int:
        self._ask("create")
        return super().create(path)

    def open_append(self, path: Path) -> int:
        self._ask("open")
        return super().open_append(path)

    def write(self, descriptor: int, data: memoryview) -> int:
        if self.short and len(self.seen) + 1 == self.fail_at and len(data) > 1:
            super().write(descriptor, data[: len(data) // 2])
        self._ask("write")
        return super().write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        self._ask("sync")
        super().sync(descriptor)

    def truncate(self, descriptor: int, size: int) -> None:
        self._ask("truncate")
        super().truncate(descriptor, size)

    def reserve(self, descriptor: int, size: int) -> None:
        self._ask("reserve")
        super().reserve(descriptor, size)

    def rename(self, source: Path, target: Path) -> None:
        self._ask("rename")
        super().rename(source, target)

    def remove(self, path: Path) -> None:
        self._ask("remove")
        super().remove(path)

    def sync_directory(self, directory: Path) -> None:
        self._ask("sync directory")
        super().sync_directory(directory)


@dataclass(slots=True)
class _Inode:
    """A file's content as it is and as the disk is known to hold it."""

    content: bytearray = field(default_factory=bytearray)
    durable: bytes = b""


class PowerCutFiles(Files):
    """A disk in memory under one directory, that forgets at a power cut what was never synced.

    `sync` makes one file's content durable, `sync_directory` the names in one directory. At a cut
    of each unsynced 512-byte sector nothing, the new bytes or noise may be there, of each unsynced
    change of a name either side. `before` is told each operation that is about to be done. `mutant`
    breaks one promise on purpose: "sync" or "sync_directory" then does nothing.
    """

    def __init__(self, root: Path, *, mutant: str = "", before: Callable[[str], None]):
        self._root = root
        self._mutant = mutant
        self._before = before
        self._open: dict[int, _Inode] = {}
        self._names: dict[Path, _Inode] = {}
        self._durable_names: dict[Path, _Inode] = {}
        for path in sorted(root.rglob("*")):
            if path.is_file():
                content = path.read_bytes()
                inode = _Inode(bytearray(content), content)
                self._names[path] = self._durable_names[path] = inode

    def create(self, path: Path) -> int:
        self._before("create")
        descriptor = super().create(path)
        self._open[descriptor] = self._names[path] = _Inode()
        return descriptor

    def open_append(self, path: Path) -> int:
        self._before("open_append")
        descriptor = super().open_append(path)
        self._open[descriptor] = self._names[path]
        return descriptor

    def write(self, descriptor: int, data: memoryview) -> int:
        self._before("write")
        taken = super().write(descriptor, data)
        self._open[descriptor].content += data[:taken]
        return taken

    def sync(self, descriptor: int) -> None:
        self._before("sync")
        if self._mutant != "sync":
            inode = self._open[descriptor]
            inode.durable = bytes(inode.content)

    def truncate(self, descriptor: int, size: int) -> None:
        self._before("truncate")
        super().truncate(descriptor, size)
        del self._open[descriptor].content[size:]

    def reserve(self, descriptor: int, size: int) -> None:
        self._before("reserve")

    def close(self, descriptor: int) -> None:
        super().close(descriptor)
        self._open.pop(descriptor, None)

    def rename(self, source: Path, target: Path) -> None:
        self._before("rename")
        super().rename(source, target)
        self._names[target] = self._names.pop(source)

    def remove(self, path: Path) -> None:
        self._before("remove")
        super().remove(path)
        self._names.pop(path, None)

    def sync_directory(self, directory: Path) -> None:
        self._before("sync_directory")
        if self._mutant == "sync_directory":
            return
        for names, other in ((self._durable_names, self._names), (self._names, None)):
            for path in [path for path in names if path.parent == directory]:
                if other is not None and path not in other:
                    del names[path]
                elif other is None:
                    self._durable_names[path] = self._names[path]

    def cut(self, chance: Random) -> None:
        """Leave under the directory what the disk may hold after the power went."""
        survivors: dict[Path, _Inode] = {}
        for path in sorted(self._durable_names.keys() | self._names.keys()):
            before, after = self._durable_names.get(path), self._names.get(path)
            inode = before if before is after or chance.random() < 0.5 else after
            if inode is not None:
                survivors[path] = inode
        for path in sorted(self._root.rglob("*")):
            if path.is_file():
                path.unlink()
        for path, inode in survivors.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(_torn(inode, chance))


def _torn(inode: _Inode, chance: Random) -> bytes:
    """Return a file after the cut: what was synced stands, of the rest any sector may be lost."""
    now, then = bytes(inode.content), inode.durable
    if now == then:
        return now
    length = chance.choice([len(then), len(now), chance.randint(*sorted((len(then), len(now))))])
    torn = bytearray(then[:length].ljust(length, b"\0"))
    first = _first_difference(now, then)
    for start in range(first - first % SECTOR, length, SECTOR):
        end = min(start + SECTOR, length)
        fate = chance.choice(["old", "new", "new", "noise"])
        keep = max(start, first)
        if fate == "new":
            torn[keep:end] = now[keep:end].ljust(end - keep, b"\0")
        elif fate == "noise":
            torn[keep:end] = chance.randbytes(end - keep)
    return bytes(torn)


def _first_difference(one: bytes, other: bytes) -> int:
    for place, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return place
    return min(len(one), len(other))
