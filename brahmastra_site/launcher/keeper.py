"""The process that keeps the private servers: starts them, restarts one that dies, stops them when
nobody uses them.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import time
from dataclasses import asdict, dataclass
from functools import partial
from typing import IO, TYPE_CHECKING

from brahmastra_site.launcher import children
from brahmastra_site.launcher.errors import LauncherError
from brahmastra_site.launcher.postgres import locate_cluster, start_postgres, stop_postgres
from brahmastra_site.launcher.servers import open_lock, run_directory
from brahmastra_site.launcher.valkey import locate_bus, start_valkey, stop_valkey

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

_LOOK_SECONDS = 0.05
_RESTART_PAUSE_SECONDS = 0.5


@dataclass(slots=True)
class Kept:
    """One server in our care."""

    process: subprocess.Popen[bytes]
    urls: dict[str, str]
    directory: Path
    start: Callable[[], subprocess.Popen[bytes]]
    stop_process: Callable[[subprocess.Popen[bytes]], None]

    def stop(self) -> None:
        """Stop the server and remove the directory of its socket, which a start makes again."""
        self.stop_process(self.process)
        _remove_if_empty(self.directory)


def keep(var_dir: Path, wanted: list[str]) -> int:
    """Keep the servers named in `wanted` (postgres, valkey) until nobody uses them; say `ready`, or
    why not, on stdout.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _refuse)
    kept: dict[str, Kept] = {}
    with open_lock(run_directory(var_dir) / "servers.lock") as lock:
        try:
            for name in wanted:
                kept[name] = _STARTERS[name](var_dir)
            _announce(var_dir, kept)
            _say("ready")
            while not _is_alone(lock):
                _restart_dead(var_dir, kept)
                time.sleep(_LOOK_SECONDS)
        except LauncherError as error:
            _say(str(error))
            return 1
        finally:
            (var_dir / "run" / "servers.json").unlink(missing_ok=True)
            for server in reversed(kept.values()):
                server.stop()
    return 0


def _refuse(_number: int, _frame: object) -> None:
    """Let the users decide: a machine going down ends them, and then us."""


def _start_kept_postgres(var_dir: Path) -> Kept:
    cluster = locate_cluster(var_dir)
    start = partial(start_postgres, cluster)
    with _removed_on_failure(cluster.socket):
        return Kept(start(), cluster.urls(), cluster.socket, start, stop_postgres)


def _start_kept_valkey(var_dir: Path) -> Kept:
    bus = locate_bus(var_dir)
    start = partial(start_valkey, bus)
    with _removed_on_failure(bus.directory):
        return Kept(start(), {"REDIS_URL": bus.url()}, bus.directory, start, stop_valkey)


@contextlib.contextmanager
def _removed_on_failure(directory: Path) -> Iterator[None]:
    try:
        yield
    except LauncherError:
        _remove_if_empty(directory)
        raise


def _remove_if_empty(directory: Path) -> None:
    with contextlib.suppress(OSError):
        directory.rmdir()


_STARTERS = {"postgres": _start_kept_postgres, "valkey": _start_kept_valkey}


def _is_alone(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _restart_dead(var_dir: Path, kept: dict[str, Kept]) -> None:
    for server in kept.values():
        if server.process.poll() is not None:
            time.sleep(_RESTART_PAUSE_SECONDS)
            server.process = server.start()
            _announce(var_dir, kept)


def _announce(var_dir: Path, kept: dict[str, Kept]) -> None:
    """Write `run/servers.json` in one step."""
    said = {
        "keeper": asdict(children.stamp_of(os.getpid())),
        "servers": {name: server.urls for name, server in kept.items()},
        "processes": {
            name: asdict(children.stamp_of(server.process.pid)) for name, server in kept.items()
        },
    }
    draft = var_dir / "run" / "servers.json.new"
    draft.write_text(json.dumps(said, indent=2) + "\n")
    draft.rename(var_dir / "run" / "servers.json")


def _say(line: str) -> None:
    """Answer the process that started us, which may be gone."""
    with contextlib.suppress(BrokenPipeError):
        print(line, flush=True)  # noqa: T201 - the answer
