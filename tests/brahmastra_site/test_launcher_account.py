"""Who servers run as, and the private places made where that account is shut out."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from brahmastra_site.launcher import account as accounts
from brahmastra_site.launcher import postgres, valkey
from brahmastra_site.launcher.account import SOCKET_PATH_LIMIT, Account
from brahmastra_site.launcher.errors import LauncherError

if TYPE_CHECKING:
    from collections.abc import Iterator

PARTS = ("bin", "libs", "not there")
needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root gives servers to another account"
)


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A tree with a program, as a package's installation below root's home would be."""
    tree = tmp_path / "installed"
    (tree / "bin").mkdir(parents=True)
    program = tree / "bin" / "tell"
    program.write_text('#!/bin/sh\ncat "$(dirname "$0")/../libs/words"\n')
    program.chmod(0o700)
    (tree / "libs").mkdir()
    (tree / "libs" / "words").write_text("it runs\n")
    (tree / "libs" / "words").chmod(0o600)
    return tree


@pytest.fixture
def open_place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory that everybody may enter, and nothing else, as the place for temporary things."""
    with TemporaryDirectory(prefix="brahmastra-", dir="/tmp") as name:
        place = Path(name)
        place.chmod(0o755)
        monkeypatch.setattr(accounts, "_TEMPORARY", (name,))
        yield place


def test_an_ordinary_user_s_servers_are_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert accounts.server_account() is None


def test_ourselves_use_what_is_installed(installed: Path) -> None:
    assert accounts.reachable_copy(installed, PARTS, "bin/tell", None) == installed


@needs_root
def test_an_account_that_is_shut_out_gets_a_copy_it_can_run(
    installed: Path, open_place: Path
) -> None:
    account = accounts.server_account()
    assert account is not None
    assert not accounts.can_enter(installed, account), "pytest's directories are private"
    copy = accounts.reachable_copy(installed, PARTS, "bin/tell", account)
    told = subprocess.check_output(
        [copy / "bin" / "tell"], user=account.uid, group=account.gid, extra_groups=[], text=True
    )
    assert told == "it runs\n"
    # It is made once, belongs to root, and the account cannot change it.
    assert accounts.reachable_copy(installed, PARTS, "bin/tell", account) == copy
    assert {part.stat().st_uid for part in [copy, *copy.rglob("*")]} == {0}
    assert all(part.stat().st_mode & 0o022 == 0 for part in [copy, *copy.rglob("*")])
    # What was there keeps its permissions.
    assert (installed / "libs" / "words").stat().st_mode & 0o777 == 0o600


@needs_root
def test_a_copy_that_somebody_else_made_is_not_trusted(installed: Path, open_place: Path) -> None:
    account = accounts.server_account()
    assert account is not None
    copy = accounts.reachable_copy(installed, PARTS, "bin/tell", account)
    os.chown(copy, account.uid, account.gid)
    with pytest.raises(LauncherError, match="is in the way"):
        accounts.reachable_copy(installed, PARTS, "bin/tell", account)


def test_a_private_directory_of_somebody_else_is_refused(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_text("not even a directory")
    with pytest.raises(LauncherError, match="must be a directory"):
        accounts.own_directory(theirs, None)
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(LauncherError, match="must be a directory"):
        accounts.own_directory(tmp_path / "link", None)


@pytest.mark.parametrize("length", [10, 60, 200])
def test_a_socket_s_path_is_never_too_long(tmp_path: Path, length: int) -> None:
    preferred = tmp_path / ("d" * length)
    found = accounts.socket_directory(preferred, ".s.PGSQL.5432", None)
    try:
        assert len(os.fsencode(found / ".s.PGSQL.5432")) <= SOCKET_PATH_LIMIT
        assert found.stat().st_mode & 0o777 == 0o700
        assert found == accounts.socket_directory(preferred, ".s.PGSQL.5432", None)
    finally:
        found.rmdir()


def test_entering_is_decided_by_the_one_class_a_person_falls_in(tmp_path: Path) -> None:
    # The owner's bits count for the owner even when everybody else's are wider.
    place = tmp_path / "place"
    place.mkdir()
    me = Account("me", os.geteuid(), os.getegid())
    for mode, expected in ((0o700, True), (0o077, False), (0o100, True)):
        place.chmod(mode)
        assert accounts.can_enter(place, me) is expected
    place.chmod(0o700)


@needs_root
@pytest.mark.parametrize("program", ["postgres", "initdb", "valkey-server"])
def test_the_servers_own_programs_run_from_their_copy(
    open_place: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    account = accounts.server_account()
    assert account is not None
    # As if the packages were installed where the account is shut out.
    monkeypatch.setattr(accounts, "_may_run", lambda *_: False)
    found = (
        valkey.find_program(account)
        if program == "valkey-server"
        else postgres.find_programs(account) / program
    )
    assert found.is_relative_to(open_place)
    told = subprocess.check_output(
        [found, "--version"], user=account.uid, group=account.gid, extra_groups=[], text=True
    )
    assert "18." in told or "v=9." in told
