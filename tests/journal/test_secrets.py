"""Secrets in files: made once, readable by their owner alone."""

from __future__ import annotations

import stat
import threading
from typing import TYPE_CHECKING

from journal.secrets import read_or_create_secret

if TYPE_CHECKING:
    from pathlib import Path


def test_a_secret_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "spool.key"
    secret = read_or_create_secret(path)
    assert len(bytes.fromhex(secret)) == 32
    assert read_or_create_secret(path) == secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == ["spool.key"]


def test_those_who_start_together_agree(tmp_path: Path) -> None:
    path = tmp_path / "spool.key"
    found: list[str] = []
    barrier = threading.Barrier(8)

    def start() -> None:
        barrier.wait()
        found.append(read_or_create_secret(path))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
