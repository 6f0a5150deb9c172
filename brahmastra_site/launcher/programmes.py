"""What `make run` runs, as data: the steps that end, then the processes that stay."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

DEMO_SESSION = "demo"


@dataclass(frozen=True, slots=True)
class Programme:
    """A process that stays up as long as the house does."""

    name: str
    arguments: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM

    def command(self) -> list[str]:
        """Return the command line, by this interpreter."""
        return [sys.executable, *self.arguments]


def programmes(*, var_dir: Path, port: int) -> tuple[Programme, ...]:
    """Return the processes of the house in the order they start; they stop in reverse."""
    celery = ("-m", "celery", "-A", "brahmastra_site.celery")
    worker = (
        "worker",
        "--loglevel=INFO",
        "--queues=celery,replay",
        f"--concurrency={os.cpu_count() or 1}",
        "-O",
        "fair",
        # There is no other worker to hear of; and one that waits for an answer of a broker that has
        # died, as both do with the house, waits forever, whatever signal it got.
        "--without-mingle",
        "--without-gossip",
    )
    beat = (
        "beat",
        "--loglevel=INFO",
        "--pidfile=",
        f"--schedule={var_dir / 'run' / 'beat-schedule'}",
    )
    web = (
        "-m",
        "daphne",
        "--bind",
        "127.0.0.1",
        "--port",
        str(port),
        "brahmastra_site.asgi:application",
    )
    return (
        Programme("mirror", ("manage.py", "mirror", "--follow")),
        Programme("push", ("manage.py", "push")),
        # SIGQUIT: a worker asked with SIGTERM waits for its tasks without limit; the reaper starts
        # a cut one again.
        Programme("worker", (*celery, *worker), stop_signal=signal.SIGQUIT),
        Programme("beat", (*celery, *beat)),
        Programme("web", web, environment={"DATABASE_POOL": "true"}),
    )
