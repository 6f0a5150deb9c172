"""Keeps programmes running: starts them, reports and restarts one that dies, stops all of them in
order.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from brahmastra_site.launcher import children
from brahmastra_site.launcher.environment import REPOSITORY, child_environment

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from brahmastra_site.launcher.programmes import Programme

_LONGEST_PAUSE_SECONDS = 30.0
# A programme that ran this long had started well: its next end is a first failure again.
_WELL_SECONDS = 60.0


@dataclass(slots=True)
class Running:
    """A programme and how it fares."""

    programme: Programme
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    failures: int = 0
    start_at: float = 0.0


class Supervisor:
    """Runs programmes with one environment; `report` gets a line for everything a person should
    know.
    """

    def __init__(
        self,
        programmes: tuple[Programme, ...],
        *,
        var_dir: Path,
        environment: Mapping[str, str],
        report: Callable[[str], None],
    ) -> None:
        self._running = [Running(programme) for programme in programmes]
        self._logs = var_dir / "run"
        self._environment = environment
        self._report = report

    def log_of(self, programme: Programme) -> Path:
        """Return the file that holds what a programme says."""
        return self._logs / f"{programme.name}.log"

    def start(self) -> None:
        """Start every programme, in order."""
        for running in self._running:
            self._start(running)

    def _start(self, running: Running) -> None:
        programme = running.programme
        running.process = children.start_child(
            programme.command(),
            log=self.log_of(programme),
            environment=child_environment(self._environment, programme.environment),
            directory=REPOSITORY,
            on_orphaned=programme.stop_signal,
        )
        running.started_at = time.monotonic()

    def look(self) -> None:
        """Report the programmes that ended since the last look and start again those whose pause is
        over.
        """
        now = time.monotonic()
        for running in self._running:
            if running.process is None:
                if now >= running.start_at:
                    self._start(running)
            elif running.process.poll() is not None:
                self._note_end(running, now)

    def _note_end(self, running: Running, now: float) -> None:
        if running.process is None:
            return
        children.end_group(running.process.pid)
        running.failures = 1 if now - running.started_at > _WELL_SECONDS else running.failures + 1
        pause = min(2.0 ** (running.failures - 1), _LONGEST_PAUSE_SECONDS)
        running.start_at = now + pause
        name, code = running.programme.name, running.process.returncode
        running.process = None
        self._report(
            f"{name} {how_it_ended(code)}; it starts again in {pause:.0f} s. The end of "
            f"{self.log_of(running.programme)}:"
        )
        for line in children.last_lines(self.log_of(running.programme)):
            self._report(f"    {line}")

    def is_up(self, name: str) -> bool:
        """Tell whether the programme `name` runs."""
        return any(
            running.programme.name == name
            and running.process is not None
            and running.process.poll() is None
            for running in self._running
        )

    def stop(self, *, grace: float = 10.0) -> None:
        """Stop every programme in the opposite order of their start, their children included.

        Each has `grace` seconds to end by itself.
        """
        for running in reversed(self._running):
            if running.process is not None:
                children.stop_child(
                    running.process, number=running.programme.stop_signal, grace=grace
                )
                running.process = None


def how_it_ended(code: int) -> str:
    """Return the end of a process in words: an exit code, or for a negative number the signal that
    killed it.
    """
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
