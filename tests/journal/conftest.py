"""What tests of the audit store stand on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


def _empty_store(owner_url: str) -> None:
    with psycopg.connect(owner_url, autocommit=True) as owner:
        # A test's own transaction must end before this: let it ask for `db` after the store.
        owner.execute("SET lock_timeout = '5s'")
        for (number,) in owner.execute("SELECT number FROM audit.session").fetchall():
            owner.execute(f"DROP TABLE IF EXISTS audit.event_{number:d}")
        owner.execute("DELETE FROM audit.mirror_position")
        owner.execute("DELETE FROM audit.session")


@pytest.fixture
def audit_store(owner_url: str) -> Iterator[None]:
    """An audit store with nothing in it, before and after."""
    _empty_store(owner_url)
    yield
    _empty_store(owner_url)


@pytest.fixture
def owner(owner_url: str, audit_store: None) -> Iterator[psycopg.Connection[Any]]:
    """A connection as the owner of the tables."""
    with psycopg.connect(owner_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def mirror_role(mirror_url: str, audit_store: None) -> Iterator[psycopg.Connection[Any]]:
    """A connection as the mirror."""
    with psycopg.connect(mirror_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def web_role(audit_store: None) -> Iterator[psycopg.Connection[Any]]:
    """A connection as the site."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        yield connection
