"""Commands from people to a running session, as files: they need no database, no web and no broker.

`spool/<session>/<uuid>.json` is written to a temporary name, synced and renamed; it carries an HMAC
over its canonical bytes. The engine's runner logs it as `operator.command`, acts, and moves it to
`done/` (or `refused/` with the reason). The uuid makes it idempotent.
"""

from __future__ import annotations

import hmac
import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec

from journal.log.canonical import canonical_bytes
from journal.log.session import checked_session_name, replace_file

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = frozenset(
    {"kill", "limit", "rearm", "disable", "enable", "approve", "reconcile", "accept"}
)


class SpoolError(Exception):
    """A command cannot be written or read; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    `id` is a uuid, `issued_at` µs UTC, `address` where the actor sat (IP or `local`).
    """

    id: str
    session: str
    command: str
    arguments: dict[str, Any]
    actor: str
    address: str
    reason: str
    issued_at: int


def write_command(*, var_dir: Path, key: str, command: Command) -> Path:
    """Put a command into its session's spool;

    Return its file. Raises SpoolError for an unknown command or an empty reason.
    """
    if command.command not in COMMANDS:
        raise SpoolError(
            f"command {command.command!r}: expected one of {', '.join(sorted(COMMANDS))}"
        )
    if not command.reason.strip():
        raise SpoolError(f"command {command.command}: a reason is required")
    directory = var_dir / "spool" / checked_session_name(command.session)
    directory.mkdir(parents=True, exist_ok=True)
    fields = asdict(command)
    path = directory / f"{command.id}.json"
    replace_file(path, json.dumps({"command": fields, "mac": _mac(key, fields)}).encode())
    return path


def waiting_commands(*, var_dir: Path, session: str) -> list[Path]:
    """Return the files waiting for a session, oldest first."""
    directory = var_dir / "spool" / session
    if not directory.is_dir():
        return []
    found: list[tuple[int, str, Path]] = []
    for path in directory.glob("[!.]*.json"):
        with suppress(FileNotFoundError):  # settled since it was listed
            found.append((path.stat().st_mtime_ns, path.name, path))
    return [path for _, _, path in sorted(found)]


def read_command(path: Path, *, key: str) -> Command:
    """Return the command in a spool file;

    SpoolError when it is malformed or its HMAC does not hold.
    """
    try:
        content = json.loads(path.read_bytes())
        fields, mac = content["command"], content["mac"]
        # Its names first, then their types: what is logged of it must fit `operator.command`.
        command = msgspec.convert(asdict(Command(**fields)), Command)
        signed = hmac.compare_digest(str(mac).encode(), _mac(key, fields).encode())
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SpoolError(f"{path}: not a command ({error})") from None
    if not signed:
        raise SpoolError(f"{path}: signature does not hold")
    if command.id != path.stem or command.session != path.parent.name:
        raise SpoolError(f"{path}: names command {command.id} of session {command.session}")
    if command.command not in COMMANDS:
        raise SpoolError(f"{path}: unknown command {command.command!r}")
    return command


def settle_command(path: Path, *, refused: str | None = None) -> None:
    """Move a command that was logged to `done/`, or one that is refused to `refused/` with the
    reason beside it.
    """
    target = path.parent / ("done" if refused is None else "refused")
    target.mkdir(exist_ok=True)
    if refused is not None:
        replace_file(target / f"{path.stem}.reason", refused.encode())
    path.replace(target / path.name)


def _mac(key: str, fields: dict[str, Any]) -> str:
    return hmac.new(key.encode(), canonical_bytes(fields), sha256).hexdigest()
