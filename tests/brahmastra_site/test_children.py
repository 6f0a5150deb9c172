"""Children that go with the process that started them, whatever signals it ignored."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from brahmastra_site.launcher.children import Stamp, stamp_of, wait_until_gone
from brahmastra_site.launcher.environment import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux tells a child of its parent's death"
)

# Says its own number and that of a child that sleeps, then waits to be killed.
PARENT = """
import os, signal, sys, time
from pathlib import Path

from brahmastra_site.launcher.children import start_child

number, blocked, directory = signal.Signals(int(sys.argv[1])), sys.argv[2:3], Path.cwd()
if blocked == ["blocked"]:
    signal.pthread_sigmask(signal.SIG_BLOCK, [number])
log = Path(os.environ["CHILD_LOG"])
child = start_child(
    ["sleep", "600"], log=log, environment=os.environ, directory=directory, on_orphaned=number
)
print(os.getpid(), child.pid, flush=True)
time.sleep(600)
"""


class Family:
    """A parent, and the child it started with `start_child`."""

    def __init__(self, parent: int, child: int) -> None:
        self.parent, self.child = stamp_of(parent), stamp_of(child)

    def orphan(self) -> None:
        """Kill the parent, which has no time to stop its child."""
        os.kill(self.parent.pid, signal.SIGKILL)
        assert wait_until_gone(self.parent, 10)


@pytest.fixture
def families() -> Iterator[list[Family]]:
    """The families of a test; who is left at its end is killed."""
    made: list[Family] = []
    yield made
    for family in made:
        for each in (family.parent, family.child):
            if each.is_alive():
                with suppress(psutil.NoSuchProcess):
                    psutil.Process(each.pid).kill()


def start(tmp_path: Path, command: list[str]) -> Family:
    """Run a command that starts the parent; return parent and child once both run."""
    shell = subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env={**os.environ, "CHILD_LOG": str(tmp_path / "child.log")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert shell.stdout is not None
    said = shell.stdout.readline().split()
    shell.stdout.close()
    return Family(int(said[0]), int(said[1]))


def from_a_background_shell(number: signal.Signals, *words: str) -> list[str]:
    """The parent as `make run &` has it: the shell is gone, what it told to be ignored stays."""
    background = 'exec 3>&1; "$@" >&3 3>&- &'
    return ["sh", "-c", background, "sh", sys.executable, "-c", PARENT, str(int(number)), *words]


def ignored(stamp: Stamp) -> set[int]:
    """The signals a process ignores, by the kernel."""
    lines = Path(f"/proc/{stamp.pid}/status").read_text().splitlines()
    mask = next(int(line.split()[1], 16) for line in lines if line.startswith("SigIgn:"))
    return {number for number in range(1, 65) if mask >> (number - 1) & 1}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT, signal.SIGTERM])
def test_a_child_of_a_background_shell_goes_with_its_parent(
    tmp_path: Path, families: list[Family], number: signal.Signals
) -> None:
    families.append(start(tmp_path, from_a_background_shell(number)))
    (family,) = families
    if number != signal.SIGTERM:
        assert number in ignored(family.parent), "the shell had it ignored"
    assert number not in ignored(family.child)
    assert family.child.is_alive()
    family.orphan()
    assert wait_until_gone(family.child, 10), "an orphan stayed"


def test_a_child_goes_with_a_parent_that_held_the_signal_back(
    tmp_path: Path, families: list[Family]
) -> None:
    families.append(start(tmp_path, from_a_background_shell(signal.SIGQUIT, "blocked")))
    families[0].orphan()
    assert wait_until_gone(families[0].child, 10), "an orphan stayed"


def test_what_else_is_ignored_stays_ignored(tmp_path: Path, families: list[Family]) -> None:
    """Only the one signal is reset: Ctrl-C in the shell is still not the child's affair."""
    families.append(start(tmp_path, from_a_background_shell(signal.SIGQUIT)))
    assert signal.SIGINT in ignored(families[0].child)
