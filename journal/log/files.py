"""Every file operation the log's durability rests on, in one place, so that each can be made to
fail.

A log is only as good as what it does when the k-th of these fails; tests put a fault at each k.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Files:
    """The operations on the real file system; each raises OSError when it fails."""

    def create(self, path: Path) -> int:
        """Make a new file and return a descriptor that appends to it; refuses an existing one."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        return os.open(path, flags, 0o644)

    def open_append(self, path: Path) -> int:
        """Return a descriptor that appends to an existing file."""
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)

    def write(self, descriptor: int, data: memoryview) -> int:
        """Write some of `data`; return how many bytes were taken."""
        return os.write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        """Make a file's content and length durable."""
        os.fdatasync(descriptor)

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut a file to `size` bytes, or lengthen it with holes."""
        os.ftruncate(descriptor, size)

    def reserve(self, descriptor: int, size: int) -> None:
        """Have the disk keep room for `size` bytes of a file."""
        os.posix_fallocate(descriptor, 0, size)

    def close(self, descriptor: int) -> None:
        """Give a descriptor back."""
        os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        """Give a file another name, in place of what had it."""
        os.replace(source, target)  # noqa: PTH105 - on the commit path, twice as fast

    def remove(self, path: Path) -> None:
        """Remove a name; no error when it is gone already."""
        path.unlink(missing_ok=True)

    def sync_directory(self, directory: Path) -> None:
        """Make a directory's entries durable."""
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    # --- made of these ---

    def write_all(self, descriptor: int, data: bytes) -> None:
        """Write all of `data`, however little the system takes at a time."""
        view = memoryview(data)
        while view:
            view = view[self.write(descriptor, view) :]

    def write_new(self, path: Path, content: bytes, *, durable: bool) -> None:
        """Write a file anew under a name that is nobody's yet; an older draft there is dropped."""
        self.remove(path)
        descriptor = self.create(path)
        try:
            self.write_all(descriptor, content)
            if durable:
                self.sync(descriptor)
        finally:
            self.close(descriptor)

    def replace(self, path: Path, content: bytes) -> None:
        """Replace a file atomically and durably: draft, fsync, rename, directory fsync."""
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            self.write_new(draft, content, durable=True)
            self.rename(draft, path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        self.sync_directory(path.parent)


FILES = Files()
