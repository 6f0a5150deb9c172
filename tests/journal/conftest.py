"""What tests of the audit store stand on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from journal import mirror
from journal.log.reader import read_session
from tests.journal.log_bed import write_log

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from journal.log.reader import LogLine


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


# The log comes before `db` in every test: the store is emptied after the test's transaction ended.
@pytest.fixture
def mirrored_log(var_dir: Path, mirror_role: psycopg.Connection[Any]) -> Path:
    """Two sessions of two days, 122 lines a day, in the store; the second one's directory."""
    directories = [write_log(var_dir, name, days=2, events=120) for name in ("day0", "day1")]
    for directory in directories:
        mirror.catch_up(mirror_role, directory)
    return directories[1]


@pytest.fixture
def mirrored_lines(mirrored_log: Path, db: None) -> list[LogLine]:
    """Every line of session `day1`."""
    return list(read_session(mirrored_log))
