"""What the figures are measured on: a synthetic session in a throw-away `VAR_DIR`, and servers."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from brahmastra_site.launcher.environment import REPOSITORY, child_environment
from brahmastra_site.launcher.servers import servers
from journal.log.reader import read_session
from journal.log.session import day_files, session_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from journal.log.reader import LogLine

SESSION = "bench"


@dataclass(frozen=True, slots=True)
class Ground:
    """A finished session and where things are."""

    var_dir: Path
    environment: Mapping[str, str]
    lines: list[LogLine]
    long_log_events: int

    @property
    def directory(self) -> Path:
        """The session's directory."""
        return session_directory(self.var_dir, SESSION)

    @property
    def files(self) -> list[Path]:
        """The session's day files."""
        return day_files(self.directory)

    def batches(self) -> list[list[LogLine]]:
        """The session's events in the batches they were committed in, bookkeeping left out."""
        found: dict[int, list[LogLine]] = {}
        for line in self.lines:
            if line.body["seq"] is not None:
                found.setdefault(line.commit, []).append(line)
        return list(found.values())


@contextmanager
def prepared_ground(say: Callable[[str], None], long_log_events: int) -> Iterator[Ground]:
    """Make the ground, and remove it afterwards."""
    with tempfile.TemporaryDirectory(prefix="brahmastra-bench-") as name:
        var_dir = Path(name) / "var"
        with servers(var_dir, environment={}) as used:
            environment = child_environment(used.environment, {"VAR_DIR": str(var_dir)})
            for words in (
                ["migrate", "--verbosity=0"],
                ["market", "synth"],
                ["trade", "--session", SESSION],
            ):
                say(f"Preparing: manage.py {' '.join(words)}")
                command = [sys.executable, "manage.py", *words]
                subprocess.run(  # noqa: S603 - our own commands
                    command, cwd=REPOSITORY, env=environment, check=True, stdout=subprocess.DEVNULL
                )
            directory = session_directory(var_dir, SESSION)
            yield Ground(var_dir, used.environment, list(read_session(directory)), long_log_events)


def seconds(work: Callable[[], object], *, times: int = 3) -> float:
    """Return the shortest of several runs of `work`: what it costs when nothing disturbs it."""
    best = float("inf")
    for _ in range(times):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return best


def cpu_seconds(work: Callable[[], object], *, times: int = 3) -> float:
    """Return the least processor time, every thread's, of several runs of `work`: unlike the time
    on the wall it does not ask who else uses the machine.
    """
    best = float("inf")
    for _ in range(times):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return best
