"""`python -m replay.day_process`: one way of one day, in an interpreter of its own.

Standard input holds the job, one JSON object; standard output gets JSON lines, `{"events": n}` as
it goes and at the end `{"day": …}` or `{"refused": …}`; the derived bodies go to the open file
whose descriptor the job names. `replay.ways` starts it.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from journal.log.errors import LogError
from replay.recording import DayRecording
from replay.runner import DayRunner

PROGRESS_SECONDS = 0.2


def main() -> None:
    """Do the job of standard input."""
    job = orjson.loads(sys.stdin.buffer.read())
    day = DayRecording(**job["day"] | {"path": Path(job["day"]["path"])})
    pace = _Pace()
    started = time.perf_counter()
    with os.fdopen(job["derived_to"], "wb") as derived_to:
        runner = DayRunner(day, session=job["session"], derived_to=derived_to, progress=pace.tell)
        try:
            result = runner.run(unfinished=job["unfinished"])
        except LogError as error:
            _say({"refused": str(error)})
            return
    _say({"day": asdict(result), "seconds": time.perf_counter() - started})


class _Pace:
    """Tells how far it is, a few times a second."""

    def __init__(self) -> None:
        self._next = 0.0

    def tell(self, events: int) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + PROGRESS_SECONDS
            _say({"events": events})


def _say(message: dict[str, Any]) -> None:
    """Write a line; fails when whoever started us is gone, which ends us."""
    sys.stdout.buffer.write(orjson.dumps(message) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        os._exit(1)
