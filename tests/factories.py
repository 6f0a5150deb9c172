"""A session with something to question in it: run by the real engine, mirrored by the real mirror.

It lives in this process's own `VAR_DIR` (`os.environ`), where the live site looks too, under a
number no other test reaches.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from journal.log.session import sessions_directory
from tests.market_factory import DAYS, Rig

if TYPE_CHECKING:
    from collections.abc import Iterator

TOLD = "told"
TOLD_NUMBER = 500_000


def told_log() -> Path:
    """Return the directory of session `told`, running it first when this process has not yet."""
    var_dir = Path(os.environ["VAR_DIR"])
    root = sessions_directory(var_dir)
    rig = Rig(var_dir=var_dir, session=TOLD, days=DAYS[:1])
    if not (rig.directory / "head").exists():
        root.mkdir(parents=True, exist_ok=True)
        register = root / "numbers.json"
        numbers = json.loads(register.read_text()) if register.exists() else {}
        register.write_text(json.dumps(numbers | {TOLD: TOLD_NUMBER}))
        # Playwright runs an event loop in this thread, and the runner wants one of its own.
        with ThreadPoolExecutor(1) as beside:
            beside.submit(rig.run).result()
    return rig.directory


@contextmanager
def told_in_store() -> Iterator[str]:
    """Keep session `told` in the audit store for as long as this lasts; give its name."""
    from journal.services import mirror_rebuild

    told_log()
    mirror_rebuild(sessions=[TOLD])
    try:
        yield TOLD
    finally:
        with psycopg.connect(os.environ["AUDIT_OWNER_URL"]) as owner:
            owner.execute(f"DROP TABLE IF EXISTS audit.event_{TOLD_NUMBER}")
            owner.execute("DELETE FROM audit.mirror_position WHERE number = %s", [TOLD_NUMBER])
            owner.execute("DELETE FROM audit.session WHERE number = %s", [TOLD_NUMBER])


def seqs_by_kind(kind: str) -> list[tuple[int, dict[str, object]]]:
    """Return (seq, data) of every event of a kind in session `told`, from its log."""
    from journal.log.reader import read_session

    return [
        (line.body["seq"], line.body["data"])
        for line in read_session(told_log())
        if line.body["kind"] == kind
    ]
