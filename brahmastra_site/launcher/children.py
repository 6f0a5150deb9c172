"""Child processes that never outlive the one that started them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from brahmastra_site.launcher.account import Account

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class Stamp:
    """A process that a later one can recognise: its number, and its start because numbers are used
    again.
    """

    pid: int
    started: float

    def is_alive(self) -> bool:
        """Tell whether that very process runs; a zombie does not."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < 1.0
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


def stamp_of(pid: int) -> Stamp:
    """Return the stamp of the running process `pid`."""
    return Stamp(pid=pid, started=psutil.Process(pid).create_time())


def start_child(
    command: Sequence[str | Path],
    *,
    log: Path,
    environment: Mapping[str, str],
    directory: Path,
    account: Account | None = None,
    on_orphaned: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start `command` in its own process group, its output appended to `log`, as `account` (None:
    as ourselves).

    Where the system can (Linux), the kernel sends `on_orphaned` to the child when this process
    dies, however it dies. That signal the child has not ignored and not held back, whatever it
    would inherit.
    """
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - the commands are the launcher's own
            [os.fspath(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=directory,
            process_group=0,
            preexec_fn=_die_with_parent(os.getpid(), on_orphaned),
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )


def _die_with_parent(parent: int, number: signal.Signals) -> Callable[[], None]:
    def ask_kernel() -> None:
        # A shell has what it starts in the background ignore SIGINT and SIGQUIT, and that outlives
        # exec: the kernel's signal would be dropped, and the child stay for ever.
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
        # Runs after the user was changed, because changing it clears the request.
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

    return ask_kernel


def stop_child(
    process: subprocess.Popen[bytes],
    *,
    number: signal.Signals = signal.SIGTERM,
    grace: float = 10.0,
) -> None:
    """Ask `process` to end, wait `grace` seconds, then end what is left of its group."""
    if process.poll() is None:
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(grace)
    end_group(process.pid)
    process.wait()


def end_group(group: int) -> None:
    """Kill every process of a process group that is still there."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return
    except PermissionError:  # macOS answers this for a group of zombies
        return


def wait_until_gone(stamp: Stamp, seconds: float) -> bool:
    """Wait at most `seconds` for a process that is not our child to end; tell whether it did."""
    deadline = time.monotonic() + seconds
    while stamp.is_alive():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def last_lines(log: Path, count: int = 8) -> list[str]:
    """Return the last lines of a log file, none when it does not exist."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16_384))
            return file.read().decode(errors="replace").splitlines()[-count:]
    except FileNotFoundError:
        return []
