"""People already signed in, a session to look at, and the push process."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.test import Client

from brahmastra_site.launcher import children
from brahmastra_site.launcher.environment import REPOSITORY, child_environment
from tests.factories import told_in_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.contrib.auth.models import User
    from playwright.sync_api import Page


@pytest.fixture
def told(live_site: str) -> Iterator[str]:
    """A session in the audit store, for as long as the test lasts."""
    with told_in_store() as name:
        yield name


@pytest.fixture
def enter(page: Page, live_site: str) -> Callable[[User], Page]:
    """Sign someone in without the form."""

    def signed_in(user: User) -> Page:
        client = Client()
        client.force_login(user)
        name = settings.SESSION_COOKIE_NAME
        page.context.add_cookies(
            [{"name": name, "value": client.cookies[name].value, "url": live_site}]
        )
        return page

    return signed_in


@pytest.fixture
def push_process(live_site: str) -> Iterator[None]:
    """The real push process of this worker's `VAR_DIR`."""
    process = children.start_child(
        [sys.executable, "manage.py", "push"],
        log=Path(os.environ["VAR_DIR"]) / "push.log",
        environment=child_environment(),
        directory=REPOSITORY,
    )
    try:
        yield
    finally:
        children.stop_child(process, number=signal.SIGTERM)
