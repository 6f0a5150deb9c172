"""Records of what people did at the desk, on their way into the desk's own log.

Whoever serves a person writes `spool/_desk/<uuid>.json`: temporary name, sync, rename, with an HMAC
over its canonical bytes, as commands have. The mirror process, the only writer of the log `_desk`,
takes them from there (`journal.desk_log`). Neither needs a database.
"""

from __future__ import annotations

import hmac
import json
import os
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from journal.events import DESK_KINDS, Event
from journal.log.canonical import canonical_bytes
from journal.log.errors import CanonicalError
from journal.log.session import DESK_SESSION, replace_file
from journal.payloads import check
from journal.spool import SpoolError, waiting_commands

if TYPE_CHECKING:
    from pathlib import Path

ACTOR_CHARACTERS = 150


@dataclass(frozen=True, slots=True)
class DeskRecord:
    """One act at the desk. `id` is a uuid; `at` µs UTC; `data` what its kind says beside these."""

    id: str
    kind: str
    actor: str
    address: str
    reason: str
    at: int
    data: dict[str, Any]

    def event(self, *, seq: int, ts: int) -> Event:
        """Return the event of the log `_desk`; raises PayloadError when the kind has other data."""
        told = {name: getattr(self, name) for name in ("id", "actor", "address", "reason", "at")}
        event = Event(
            session=DESK_SESSION,
            seq=seq,
            ts=ts,
            kind=self.kind,
            key=self.id,
            data=self.data | told,
        )
        check(event)
        return event


def desk_spool(var_dir: Path) -> Path:
    """Return the directory the records wait in."""
    return var_dir / "spool" / DESK_SESSION


def presentable(name: str) -> str:
    """Return a name as somebody typed it, fit for a log: short, on one line, never empty."""
    kept = "".join(character for character in name if character.isprintable())
    return kept[:ACTOR_CHARACTERS].strip() or "unknown"


def write_record(*, var_dir: Path, key: str, record: DeskRecord) -> Path:
    """Put a record into the spool; return its file.

    Raises SpoolError for a kind that is not the desk's, PayloadError for data that is not its
    kind's, OSError when the file cannot be made durable.
    """
    if record.kind not in DESK_KINDS:
        raise SpoolError(f"{record.kind}: not a kind of the desk")
    record.event(seq=1, ts=record.at)
    directory = desk_spool(var_dir)
    directory.mkdir(parents=True, exist_ok=True)
    fields = asdict(record)
    path = directory / f"{record.id}.json"
    replace_file(path, json.dumps({"record": fields, "mac": _mac(key, fields)}).encode())
    return path


def waiting_records(var_dir: Path) -> list[Path]:
    """Return the files waiting for the log, oldest first."""
    return waiting_commands(var_dir=var_dir, session=DESK_SESSION)


def waiting_count(var_dir: Path) -> int:
    """Return how many files wait for the log."""
    return sum(1 for _ in desk_spool(var_dir).glob("[!.]*.json"))


def read_record(path: Path, *, key: str) -> DeskRecord:
    """Return the record in a spool file; SpoolError when it is malformed or its HMAC does not
    hold.
    """
    try:
        content = json.loads(path.read_bytes())
        fields, mac = content["record"], content["mac"]
        record = DeskRecord(**fields)
        signed = hmac.compare_digest(str(mac).encode(), _mac(key, fields).encode())
    except (ValueError, KeyError, TypeError, RecursionError, CanonicalError) as error:
        raise SpoolError(f"{path}: not a record of the desk ({error})") from None
    if not signed:
        raise SpoolError(f"{path}: signature does not hold")
    if record.id != path.stem or record.kind not in DESK_KINDS:
        raise SpoolError(f"{path}: holds record {record.id} of kind {record.kind}")
    return record


def spool_problem(var_dir: Path) -> str:
    """Say why nothing could be put into the spool at this moment; empty when it could."""
    directory = desk_spool(var_dir)
    while not directory.exists() and directory != var_dir:
        directory = directory.parent
    if not directory.is_dir():
        return f"{directory} is not a directory"
    if not os.access(directory, os.W_OK | os.X_OK):
        return f"{directory} cannot be written"
    if os.statvfs(directory).f_bavail == 0:
        return f"the disk of {directory} is full"
    return ""


def _mac(key: str, fields: dict[str, Any]) -> str:
    return hmac.new(key.encode(), canonical_bytes(fields), sha256).hexdigest()
