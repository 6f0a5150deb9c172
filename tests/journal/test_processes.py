"""Telling a live process from a dead one, and from another that has its number now."""

from __future__ import annotations

import subprocess
import sys

from msgspec.structs import replace

from brahmastra_site.launcher.environment import REPOSITORY
from journal.log.manifest import ProcessIdentity
from journal.processes import lives, own_identity

SAY = "from journal.processes import own_identity; i = own_identity(); print(i.pid, i.started)"


def test_a_process_is_told_from_a_dead_one_and_from_its_successor() -> None:
    own = own_identity()
    assert own is not None
    assert lives(own) is True
    assert lives(replace(own, started="1")) is False
    assert lives(replace(own, boot="another")) is False


def test_a_killed_process_is_dead_also_before_its_parent_has_noticed() -> None:
    own = own_identity()
    assert own is not None
    child = subprocess.Popen(
        [sys.executable, "-c", f"{SAY}; import sys; sys.stdout.flush(); sys.stdin.read()"],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    pid, started = child.stdout.readline().split()
    there = ProcessIdentity(int(pid), started, own.boot, own.namespace)
    assert lives(there) is True
    child.kill()
    child.stdout.read()  # its end of the pipe is closed: it is a zombie at least
    while lives(there):
        pass
    assert child.returncode is None
    child.communicate()
    assert lives(there) is False


def test_what_cannot_be_seen_is_not_called_dead() -> None:
    own = own_identity()
    assert own is not None
    assert lives(None) is None
    assert lives(replace(own, namespace="pid:[1]")) is None
