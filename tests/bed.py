"""The ground the tests stand on: throw-away PostgreSQL and Valkey, and a share of them for each
worker.

The first process of a run starts private servers in a temporary directory with the launcher's own
code and migrates their database. Every process (that one, and each worker of a parallel run) then
has its own: a clone of that database, a `VAR_DIR`, and a database number in Valkey.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from brahmastra_site.launcher.environment import DETERMINISTIC, REPOSITORY, child_environment
from brahmastra_site.launcher.servers import DATABASE_VARIABLES, servers

# Where the first process tells its workers what it started.
_ROOT = "BRAHMASTRA_TEST_ROOT"
_STARTED = {name: f"BRAHMASTRA_TEST_{name}" for name in (*DATABASE_VARIABLES, "REDIS_URL")}


def start_bed() -> ExitStack:
    """Start and migrate throw-away servers, tell the workers, and return what closes them."""
    closing = ExitStack()
    root = Path(tempfile.mkdtemp(prefix="brahmastra-tests-"))
    closing.callback(shutil.rmtree, root, ignore_errors=True)
    # Servers named in the environment are somebody's real ones: never those.
    used = closing.enter_context(servers(root / "servers", environment={}))
    environment = child_environment(used.environment, {"VAR_DIR": str(root / "migrate")})
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity=0", "--skip-checks"]
    subprocess.run(migrate, cwd=REPOSITORY, env=environment, check=True)
    os.environ[_ROOT] = str(root)
    for name, variable in _STARTED.items():
        os.environ[variable] = used.environment[name]
    return closing


def enter_bed(worker: str) -> None:
    """Give this process its own share of the bed, through the environment settings are read from.

    `worker` is `main`, or a parallel worker's `gw0`, `gw1`, …
    """
    database = f"test_{worker}"
    _clone_database(os.environ[_STARTED["AUDIT_OWNER_URL"]], database)
    for name in DATABASE_VARIABLES:
        os.environ[name] = with_database(os.environ[_STARTED[name]], database)
    number = 0 if worker == "main" else int(worker.removeprefix("gw")) + 1
    os.environ["REDIS_URL"] = os.environ[_STARTED["REDIS_URL"]].replace("?db=0", f"?db={number}")
    home = Path(os.environ[_ROOT]) / worker / "var"
    (home / "static").mkdir(parents=True)  # whitenoise warns without
    os.environ["VAR_DIR"] = str(home)
    os.environ["DJANGO_SETTINGS_MODULE"] = "brahmastra_site.settings"
    os.environ["DJANGO_STATIC_MANIFEST"] = "false"
    os.environ.update(DETERMINISTIC)


def with_database(url: str, database: str) -> str:
    """Return `url` leading to another database of the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def _clone_database(owner_url: str, name: str) -> None:
    template = sql.Identifier(urlsplit(owner_url).path.removeprefix("/"))
    with psycopg.connect(with_database(owner_url, "postgres"), autocommit=True) as connection:
        clone = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(clone.format(sql.Identifier(name), template))


def free_port() -> int:
    """Return a port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
