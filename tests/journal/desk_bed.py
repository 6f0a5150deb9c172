"""What people did at the desk, as it waits in the spool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from journal.desk import DeskRecord, read_record, waiting_records
from journal.secrets import read_or_create_secret

if TYPE_CHECKING:
    from pathlib import Path


def house_key(var_dir: Path) -> str:
    """Return the key that signs what goes through the spool."""
    return read_or_create_secret(var_dir / "secrets" / "spool.key")


def written(var_dir: Path) -> list[DeskRecord]:
    """Return the records that wait, oldest first."""
    return [read_record(path, key=house_key(var_dir)) for path in waiting_records(var_dir)]
