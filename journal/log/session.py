"""Where a session's log lives: names, numbers and files under `VAR_DIR/sessions`."""

from __future__ import annotations

import fcntl
import json
import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from journal.log.errors import LogError, SessionNameError, UnknownSessionError
from journal.log.files import FILES

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}\Z")
_DAY_FILE = re.compile(r"\d{4}-\d{2}-\d{2}\.jsonl(\.gz)?\Z")
PACKED = ".gz"
ID_STRIDE = 2**40  # lines a session may have; the audit store's key is number * ID_STRIDE + line


def checked_session_name(name: str) -> str:
    """Return the name when it is 1-40 of a-z, 0-9, _ and -, starting with a letter or digit."""
    if not _NAME.match(name):
        raise SessionNameError(
            f"session name {name!r}: expected 1 to 40 of a-z, 0-9, _ and -, "
            "starting with a letter or digit"
        )
    return name


def sessions_directory(var_dir: Path) -> Path:
    """Return the directory that holds one directory a session."""
    return var_dir / "sessions"


def session_directory(var_dir: Path, name: str) -> Path:
    """Return the directory of one session, which may not exist yet."""
    return sessions_directory(var_dir) / checked_session_name(name)


def existing_session_directory(var_dir: Path, name: str) -> Path:
    """Return the directory of a session that has a log; `name` may also be a path to one."""
    is_name = _NAME.match(name) is not None
    if is_name and day_files(session_directory(var_dir, name)):
        return session_directory(var_dir, name)
    if day_files(Path(name)):
        return Path(name)
    if not is_name:
        raise UnknownSessionError(f"{name}: neither a session's name nor a directory with a log")
    known = ", ".join(session_names(var_dir)) or "none yet"
    raise UnknownSessionError(
        f"session {name!r} has no log in {sessions_directory(var_dir)}; known: {known}"
    )


def session_names(var_dir: Path) -> list[str]:
    """Return the names of the sessions that have a log, sorted."""
    root = sessions_directory(var_dir)
    if not root.is_dir():
        return []
    return sorted(entry.name for entry in root.iterdir() if entry.is_dir() and day_files(entry))


def day_files(directory: Path) -> list[Path]:
    """Return the day files of a session in date order, `DATE.jsonl` or, packed, `DATE.jsonl.gz`.

    A day that was being packed when its writer died has both; the plain file is the log until it is
    gone.
    """
    if not directory.is_dir():
        return []
    found: dict[str, Path] = {}
    for entry in sorted(directory.iterdir(), reverse=True):
        if _DAY_FILE.match(entry.name):
            found[day_name(entry)] = entry
    return [found[name] for name in sorted(found)]


def day_name(path: Path) -> str:
    """Return `DATE.jsonl`, by which records and positions name a day file, packed or not."""
    return path.name.removesuffix(PACKED)


def day_date(path: Path) -> str:
    """Return the IST date of a day file (ISO text)."""
    return path.name[:10]


def allocate_session_number(var_dir: Path, name: str) -> int:
    """Return the number of a session, giving it the next free one when it has none yet."""
    root = sessions_directory(var_dir)
    root.mkdir(parents=True, exist_ok=True)
    register = root / "numbers.json"
    with _exclusive(root / "numbers.lock"):
        numbers: dict[str, int] = json.loads(register.read_text()) if register.exists() else {}
        if name not in numbers:
            numbers[name] = max(numbers.values(), default=0) + 1
            replace_file(register, json.dumps(numbers, indent=1, sort_keys=True).encode())
        return numbers[name]


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file atomically and durably: temporary file, fsync, rename, directory fsync."""
    FILES.replace(path, content)


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    except OSError as error:
        raise LogError(f"{path}: {error.strerror}") from error
    finally:
        os.close(descriptor)
