"""Fixtures of the whole suite; `bed.py` makes the servers they use."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import django
import pytest

from brahmastra_site.launcher import children
from brahmastra_site.launcher.environment import REPOSITORY, child_environment
from tests.bed import enter_bed, free_port, start_bed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.contrib.auth.models import User
    from playwright.sync_api import BrowserContext

PASSWORD = "a password of the tests"
_CLOSING = pytest.StashKey[ExitStack]()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Make the servers before Django's settings are read."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        config.stash[_CLOSING] = start_bed()
    enter_bed(worker or "main")
    django.setup()
    _hash_passwords_quickly()
    if config.getoption("numprocesses", None):
        # With it in their environment the workers would read the settings before their own bed.
        del os.environ["DJANGO_SETTINGS_MODULE"]


def _hash_passwords_quickly() -> None:
    """Keep the hasher and lower its cost, which every hash carries: the live site can check it."""
    from django.contrib.auth.hashers import PBKDF2PasswordHasher

    PBKDF2PasswordHasher.iterations = 1


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the servers; the process that started them does it."""
    config.stash.get(_CLOSING, ExitStack()).close()


@pytest.fixture(scope="session")
def django_db_setup() -> None:
    """Keep pytest-django from making a database: this process has a migrated one already."""


@pytest.fixture
def owner_url() -> str:
    """The URL of the test database for the owner of its tables."""
    return os.environ["AUDIT_OWNER_URL"]


@pytest.fixture
def mirror_url() -> str:
    """The URL of the test database for the mirror."""
    return os.environ["MIRROR_DATABASE_URL"]


@pytest.fixture
def var_dir(tmp_path: Path, settings: object) -> Path:
    """An empty `VAR_DIR` of this test alone, also in Django's settings."""
    directory = tmp_path / "var"
    directory.mkdir()
    settings.VAR_DIR = directory  # type: ignore[attr-defined]
    return directory


@pytest.fixture(scope="session")
def sample_data() -> Path:
    """Recorded market data: `BRAHMASTRA_SAMPLE_DATA`, else `../shared/data` of the repository."""
    named = os.environ.get("BRAHMASTRA_SAMPLE_DATA")
    directory = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if not directory.is_dir():
        pytest.skip(f"no recorded market data in {directory}: set BRAHMASTRA_SAMPLE_DATA")
    return directory


# --- people ---------------------------------------------------------------------------------------


def _user(name: str, *groups: str) -> User:
    from django.contrib.auth.models import Group, User

    user = User.objects.create_user(username=name, password=PASSWORD, is_staff=name == "compliance")
    user.groups.set([Group.objects.get(name=group) for group in groups])
    return user


@pytest.fixture
def operator(db: None) -> User:
    """Someone who trades: may look and may stop trading."""
    return _user("operator", "operator")


@pytest.fixture
def compliance(db: None) -> User:
    """Someone who questions: may look and may search the audit store."""
    return _user("compliance", "compliance")


@pytest.fixture
def viewer(db: None) -> User:
    """Someone who may look."""
    return _user("viewer", "viewer")


@pytest.fixture
def admin_user(db: None) -> User:
    """Someone who runs the site."""
    from django.contrib.auth.models import Group, User

    user = User.objects.create_superuser(username="admin", password=PASSWORD)
    user.groups.add(Group.objects.get(name="admin"))
    return user


@pytest.fixture
def stranger(db: None) -> User:
    """Someone who can sign in and has no role."""
    return _user("stranger")


# --- a real browser on a real site ----------------------------------------------------------------


@pytest.fixture(scope="session")
def live_site() -> Iterator[str]:
    """The address of the site, served by a real daphne from this worker's database and `VAR_DIR`.

    As in production: static files with a digest in their names, a pool of connections. Tests that
    use it need `django_db(transaction=True)`: what is not committed the site cannot see.
    """
    # Playwright runs an event loop in this thread, for which Django would refuse every query.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    environment = child_environment({"DJANGO_STATIC_MANIFEST": "true"})
    collect = [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity=0"]
    subprocess.run(collect, cwd=REPOSITORY, env=environment, check=True)
    with daphne_at(free_port()) as (address, _):
        yield address


@contextmanager
def daphne_at(port: int) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Serve the site at a port for as long as this lasts; give its address and the process.

    Static files must have been collected: ask for `live_site` first.
    """
    environment = child_environment({"DJANGO_STATIC_MANIFEST": "true", "DATABASE_POOL": "true"})
    application = "brahmastra_site.asgi:application"
    daphne = [sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(port), application]
    log = Path(os.environ["VAR_DIR"]) / f"daphne-{port}.log"
    process = children.start_child(daphne, log=log, environment=environment, directory=REPOSITORY)
    try:
        _await_port(port, process, log)
        yield f"http://127.0.0.1:{port}", process
    finally:
        children.stop_child(process, number=signal.SIGTERM)


def _await_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("daphne did not answer:\n" + "\n".join(children.last_lines(log, 30)))


@pytest.fixture(scope="session")
def base_url(live_site: str) -> str:
    """Let `page.goto("/path/")` lead to the live site."""
    return live_site


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, object]:
    """Launch the system's Chromium; without one skip, or fail where a browser is required."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next((path for path in map(shutil.which, names) if path), None)
    if found is None:
        reason = "no Chromium on PATH (Debian: apt-get install chromium)"
        if os.environ.get("BRAHMASTRA_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    quiet = ("background-networking", "component-update", "sync", "quic", "gpu")
    flags = ["--no-sandbox", "--no-first-run", *(f"--disable-{name}" for name in quiet)]
    return {"executable_path": found, "args": flags, "headless": True}


@pytest.fixture
def expected_complaints() -> list[str]:
    """Parts of console messages that a test provokes on purpose; a test adds to the list."""
    return []


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complained of in this test so far."""
    return []


@pytest.fixture
def context(
    context: BrowserContext, complaints: list[str], expected_complaints: list[str]
) -> Iterator[BrowserContext]:
    """A browser that fails its test on any console error, script error or breach of the CSP."""
    context.add_init_script(
        "document.addEventListener('securitypolicyviolation', event => console.error("
        "`CSP: ${event.effectiveDirective} refused ${event.blockedURI}`))"
    )
    context.on(
        "console",
        lambda message: complaints.append(message.text) if message.type == "error" else None,
    )
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    yield context
    unexpected = [
        text for text in complaints if not any(part in text for part in expected_complaints)
    ]
    assert unexpected == [], "the browser complained"
