"""PostgreSQL and Valkey for whoever needs them: the running ones, or private ones for as long as
anybody uses them.

A user of the private servers holds a shared lock on `run/servers.lock`. The first one starts a
keeper (`keeper.py`), a small process that starts the servers, writes `run/servers.json`, and stops
them when it gets the lock for itself: when the last user let go of it or died, in whatever way.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from brahmastra_site.launcher.children import Stamp
from brahmastra_site.launcher.environment import REPOSITORY, child_environment
from brahmastra_site.launcher.errors import LauncherError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

DATABASE_VARIABLES = ("DATABASE_URL", "MIRROR_DATABASE_URL", "AUDIT_OWNER_URL")
# A keeper that finds itself alone begins to stop, and says so, well within this time.
_NOTICE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Servers:
    """Servers in use: the variables that lead to them, and whether they were started for us."""

    environment: dict[str, str]
    started: bool


def run_directory(var_dir: Path) -> Path:
    """Make and return `VAR_DIR/run`; a directory that cannot be written is refused."""
    directory = var_dir / "run"
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LauncherError(
            f"cannot write to {var_dir} ({error.strerror}); set VAR_DIR to a directory you may "
            f"write"
        ) from None
    if not os.access(directory, os.W_OK | os.X_OK):
        raise LauncherError(
            f"cannot write to {directory}; set VAR_DIR to a directory you may write"
        )
    return directory


def open_lock(path: Path) -> IO[str]:
    """Open a lock file, made when it does not exist; one of another user's is refused."""
    try:
        return path.open("a+")
    except OSError as error:
        raise LauncherError(
            f"cannot open {path} ({error.strerror}); run as the user who made it, or set VAR_DIR"
        ) from None


@contextmanager
def servers(var_dir: Path, environment: Mapping[str, str] | None = None) -> Iterator[Servers]:
    """Use the servers that `environment` names; those it does not name are private ones of
    `var_dir`, attached to or started.
    """
    environment = os.environ if environment is None else environment
    named = _named_servers(environment)
    wanted = [
        name
        for name, variable in (("postgres", "DATABASE_URL"), ("valkey", "REDIS_URL"))
        if variable not in named
    ]
    if not wanted:
        yield Servers(environment=named, started=False)
        return
    keeper = None
    try:
        with _users_lock(var_dir):
            keeper, found = _attach_or_start(var_dir, wanted)
            yield Servers(environment={**found, **named}, started=keeper is not None)
    finally:
        if keeper is not None:
            _await_end(keeper, var_dir)


def _named_servers(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of servers from elsewhere; with one database URL the other two are the
    same.
    """
    named = {
        name: environment[name]
        for name in (*DATABASE_VARIABLES, "REDIS_URL")
        if environment.get(name)
    }
    if "DATABASE_URL" in named:
        return dict.fromkeys(DATABASE_VARIABLES, named["DATABASE_URL"]) | named
    stray = [name for name in DATABASE_VARIABLES if name in named]
    if stray:
        raise LauncherError(
            f"{stray[0]} is set but DATABASE_URL is not: set both, or neither for a private "
            f"database"
        )
    return named


@contextmanager
def _users_lock(var_dir: Path) -> Iterator[None]:
    with open_lock(run_directory(var_dir) / "servers.lock") as file:
        # Waits while a keeper that found itself alone is stopping its servers.
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


def _attach_or_start(
    var_dir: Path, wanted: list[str]
) -> tuple[subprocess.Popen[str] | None, dict[str, str]]:
    with open_lock(run_directory(var_dir) / "servers.starting") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        running = read_running(var_dir)
        keeper = None
        if running is None:
            keeper = _start_keeper(var_dir, wanted)
            running = read_running(var_dir)
    if running is None:
        raise LauncherError(
            f"the private servers of {var_dir} ended as soon as they had started "
            f"(see {var_dir / 'run'})"
        )
    missing = [name for name in wanted if name not in running["servers"]]
    if missing:
        raise LauncherError(
            f"the running servers of {var_dir} have no {missing[0]}: whoever started them had it "
            f"elsewhere; use the same variables"
        )
    return keeper, {
        name: url for server in wanted for name, url in running["servers"][server].items()
    }


def read_running(var_dir: Path) -> dict[str, dict[str, dict[str, str]]] | None:
    """Return what `run/servers.json` says when the keeper that wrote it lives, else None."""
    try:
        running = json.loads((var_dir / "run" / "servers.json").read_text())
        keeper = Stamp(**running["keeper"])
    except (FileNotFoundError, json.JSONDecodeError, KeyError, TypeError):
        return None
    return running if keeper.is_alive() else None


def _start_keeper(var_dir: Path, wanted: list[str]) -> subprocess.Popen[str]:
    """Start a keeper in a session of its own, so that Ctrl-C in our terminal does not reach it, and
    wait for its word.
    """
    with (var_dir / "run" / "servers.log").open("ab") as log:
        keeper = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "brahmastra_site.launcher", "keep", str(var_dir), *wanted],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=REPOSITORY,
            env=child_environment(),
            start_new_session=True,
        )
    answer = _first_line(keeper.stdout)
    if answer != "ready":
        keeper.wait()
        raise LauncherError(
            answer or f"the private servers did not start (see {var_dir / 'run' / 'servers.log'})"
        )
    return keeper


def _first_line(stream: IO[str] | None) -> str:
    return stream.readline().strip() if stream else ""


def _await_end(keeper: subprocess.Popen[str], var_dir: Path) -> None:
    """Wait for the keeper to end when we were the last user; leave it to the others when not."""
    deadline = time.monotonic() + _NOTICE_SECONDS
    while (var_dir / "run" / "servers.json").exists() and keeper.poll() is None:
        if time.monotonic() > deadline:
            break
        time.sleep(0.01)
    else:
        keeper.wait()
    if keeper.stdout:
        keeper.stdout.close()
