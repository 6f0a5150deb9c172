"""`python -m brahmastra_site.bench.paced_writer DIRECTORY NUMBER`: a session written at a steady
pace, so that what follows it can be timed.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from brahmastra_site.bench.mirror_figures import LAG_SECONDS, RATE, signal
from journal.log.writer import LogWriter

COMMITS_A_SECOND = 100


def main(directory: Path, number: int) -> None:
    """Write RATE events a second for LAG_SECONDS."""
    size = RATE // COMMITS_A_SECOND
    session = directory.name
    with LogWriter(
        directory, session=session, number=number, clock=lambda: time.time_ns() // 1000
    ) as log:
        started = time.monotonic()
        for commit in range(COMMITS_A_SECOND * LAG_SECONDS):
            first = commit * size + 1
            log.commit([signal(seq, session) for seq in range(first, first + size)])
            due = started + (commit + 1) / COMMITS_A_SECOND
            time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
