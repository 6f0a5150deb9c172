"""A database from elsewhere with one role and none of ours: everything still works."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from brahmastra_site.launcher.environment import REPOSITORY, child_environment
from brahmastra_site.launcher.servers import DATABASE_VARIABLES, servers
from tests.bed import with_database

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a house whose database has a single role, which owns it."""
    with servers(tmp_path / "cluster", environment={}) as used:
        superuser = used.environment["AUDIT_OWNER_URL"].replace("brahmastra_owner@", "postgres@")
        with psycopg.connect(with_database(superuser, "postgres"), autocommit=True) as connection:
            connection.execute("DROP DATABASE brahmastra")
            for role in ("owner", "mirror", "web"):
                connection.execute(f"DROP ROLE brahmastra_{role}")
            connection.execute("CREATE ROLE tenant LOGIN")
            connection.execute("CREATE DATABASE desk OWNER tenant")
        url = with_database(superuser, "desk").replace("postgres@", "tenant@")
        named = {"DATABASE_URL": url, "REDIS_URL": used.environment["REDIS_URL"]}
        environment = child_environment(named, {"VAR_DIR": str(tmp_path / "var")})
        for name in DATABASE_VARIABLES[1:]:
            environment.pop(name, None)
        yield environment


def manage(environment: dict[str, str], *words: str) -> str:
    command = [sys.executable, "manage.py", *words]
    ended = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.slow
def test_one_role_is_enough(elsewhere: dict[str, str]) -> None:
    manage(elsewhere, "migrate", "--verbosity=0")
    manage(elsewhere, "migrate", "--verbosity=0")  # a second time changes nothing
    users = json.loads(manage(elsewhere, "bootstrap_users", "--json"))
    assert [user["username"] for user in users] == ["operator", "compliance", "viewer", "admin"]
    manage(elsewhere, "mirror", "--check")
    with psycopg.connect(elsewhere["DATABASE_URL"]) as connection:
        found = connection.execute(
            "SELECT DISTINCT schemaname FROM pg_tables"
            " WHERE schemaname IN ('app', 'audit', 'public')"
        )
        assert {row[0] for row in found} == {"app", "audit"}
    assert not (Path(elsewhere["VAR_DIR"]) / "postgres").exists(), "a private server was started"
