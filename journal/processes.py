"""Processes by their identity: which one this is, and whether another still lives."""

from __future__ import annotations

import os
from pathlib import Path

from journal.log.manifest import ProcessIdentity

_PROC = Path("/proc")


def own_identity() -> ProcessIdentity | None:
    """Return the identity of this process; None where there is no /proc to tell it from."""
    pid = os.getpid()
    started = _started(pid)
    if started is None:
        return None
    return ProcessIdentity(pid=pid, started=started, boot=_boot(), namespace=_namespace())


def lives(identity: ProcessIdentity | None) -> bool | None:
    """Whether a process still lives; None when that cannot be seen from here (an unknown process,
    or one among other process numbers, as in another container).
    """
    if identity is None or (here := own_identity()) is None:
        return None
    if identity.boot == here.boot and identity.namespace != here.namespace:
        return None
    return identity.boot == here.boot and _started(identity.pid) == identity.started


def _started(pid: int) -> str | None:
    """Return when a process was started, in clock ticks after the boot; None for a dead one."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in {"Z", "X"} else fields[19]


def _boot() -> str:
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def _namespace() -> str:
    return str((_PROC / "self/ns/pid").readlink())
