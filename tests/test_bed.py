"""Every process of a test run has its own database, `VAR_DIR` and Valkey database."""

from __future__ import annotations

import os

import psycopg
import pytest
import redis
from django.conf import settings
from django.db import connections

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")


@pytest.mark.django_db(databases=["default", "mirror", "owner"])
@pytest.mark.parametrize(
    ("alias", "role"),
    [("default", "brahmastra_web"), ("mirror", "brahmastra_mirror"), ("owner", "brahmastra_owner")],
)
def test_each_alias_is_its_role_in_this_worker_s_database(alias: str, role: str) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT current_user, current_database()")
        assert cursor.fetchone() == (role, f"test_{WORKER}")


def test_settings_are_this_worker_s() -> None:
    assert settings.VAR_DIR.parts[-2:] == (WORKER, "var")
    number = redis.Redis.from_url(settings.REDIS_URL).connection_pool.connection_kwargs["db"]
    assert number == (0 if WORKER == "main" else int(WORKER.removeprefix("gw")) + 1)


def test_the_urls_in_the_environment_lead_there_too(owner_url: str, mirror_url: str) -> None:
    for url in (owner_url, mirror_url, os.environ["DATABASE_URL"]):
        with psycopg.connect(url) as connection:
            assert connection.info.dbname == f"test_{WORKER}"
