"""Who the private servers run as, and which directories that account can use.

PostgreSQL refuses to run as root, so root gives its servers to an unprivileged account. The
permissions of directories that were there before are never changed: what the account cannot enter
is replaced by a private directory that it can.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pwd
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from brahmastra_site.launcher.errors import LauncherError

if TYPE_CHECKING:
    from collections.abc import Sequence

# sun_path holds 108 bytes with its final zero.
SOCKET_PATH_LIMIT = 107
# What is made there is private (0700) or checked to be ours.
_TEMPORARY = (tempfile.gettempdir(), "/tmp", "/var/tmp")  # noqa: S108


@dataclass(frozen=True, slots=True)
class Account:
    """An account of this machine that servers run as when we are root."""

    name: str
    uid: int
    gid: int


def server_account() -> Account | None:
    """Return the account servers run as: `nobody` for root, None (themselves) for others."""
    if os.geteuid() != 0:
        return None
    for name in ("nobody", "daemon"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name=name, uid=entry.pw_uid, gid=entry.pw_gid)
    raise LauncherError(
        "root cannot run PostgreSQL and this machine has no account named nobody; run as an "
        "ordinary user or set DATABASE_URL"
    )


def own_name() -> str:
    """Return the name of the account this process runs as, by which PostgreSQL recognises its
    callers.
    """
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise LauncherError(
            f"user {os.geteuid()} has no entry in the password file, which PostgreSQL needs; add "
            f"one or set DATABASE_URL"
        ) from None


def can_enter(directory: Path, account: Account | None) -> bool:
    """Tell whether `account` (None: ourselves) may walk down to `directory`."""
    if account is None:
        return True
    return all(_may_search(part.stat(), account) for part in [directory, *directory.parents])


def _may_search(status: os.stat_result, account: Account) -> bool:
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def own_directory(directory: Path, account: Account | None) -> Path:
    """Make `directory` (0700, owned by `account` or ourselves) and return it; refuse one that is
    somebody else's.
    """
    with contextlib.suppress(FileExistsError):
        directory.mkdir(mode=0o700, parents=True)
    status = directory.lstat()
    wanted = account.uid if account else os.geteuid()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in {wanted, os.geteuid()}:
        raise LauncherError(
            f"{directory} must be a directory of user {wanted}, not of user {status.st_uid}: "
            f"run as the one who made it, or set VAR_DIR elsewhere"
        )
    if account:
        os.chown(directory, account.uid, account.gid)
    directory.chmod(0o700)
    return directory


def socket_directory(preferred: Path, socket_name: str, account: Account | None) -> Path:
    """Return a 0700 directory for a unix socket: `preferred`, or one under the temporary directory.

    The latter when the socket's path would be too long for the kernel or when `account` cannot walk
    down to `preferred`.
    """
    own_directory(preferred, account)
    if _fits(preferred, socket_name) and can_enter(preferred, account):
        return preferred
    digest = hashlib.sha256(os.fsencode(preferred)).hexdigest()[:16]
    for base in _temporary_directories(account):
        directory = base / f"brahmastra-{os.geteuid()}-{digest}"
        if _fits(directory, socket_name):
            return own_directory(directory, account)
    raise LauncherError(
        f"no directory with a path short enough for the socket {socket_name}; set TMPDIR or "
        f"VAR_DIR to a shorter one"
    )


def _fits(directory: Path, socket_name: str) -> bool:
    return len(os.fsencode(directory / socket_name)) <= SOCKET_PATH_LIMIT


def _temporary_directories(account: Account | None) -> list[Path]:
    candidates = dict.fromkeys(Path(name).resolve() for name in _TEMPORARY)
    return [path for path in candidates if path.is_dir() and can_enter(path, account)]


def reachable_copy(root: Path, parts: Sequence[str], program: str, account: Account | None) -> Path:
    """Return `root`, or a copy of `parts` of that tree (made once) when `account` cannot run
    `root/program`.

    The copy is ours and nobody else can write to it, so what the account runs is what was
    installed. Parts that do not exist are left out.
    """
    if can_enter((root / program).parent, account) and _may_run(root / program, account):
        return root
    age = (root / program).stat().st_mtime_ns
    marker = hashlib.sha256(f"{root} {program} {age}".encode()).hexdigest()[:16]
    bases = _temporary_directories(account)
    if not bases:
        name = account.name if account else own_name()
        raise LauncherError(f"user {name} can enter neither {root} nor a temporary directory")
    target = bases[0] / f"brahmastra-servers-{os.geteuid()}-{marker}"
    ours = target.is_dir() and not target.is_symlink() and target.stat().st_uid == os.geteuid()
    if not ours:
        _copy_for_everyone(root, parts, target)
    return target


def _may_run(program: Path, account: Account | None) -> bool:
    return account is None or _may_search(program.stat(), account)


def _copy_for_everyone(root: Path, parts: Sequence[str], target: Path) -> None:
    """Copy parts of a tree to `target` in one step, readable by all and writable by us."""
    draft = Path(tempfile.mkdtemp(prefix="brahmastra-servers-", dir=target.parent))
    try:
        tree = draft / "tree"
        for part in parts:
            if (root / part).exists():
                shutil.copytree(root / part, tree / part, symlinks=True)
        for copied in [tree, *tree.rglob("*")]:
            if not copied.is_symlink():
                runs = copied.is_dir() or os.access(copied, os.X_OK)
                copied.chmod(0o755 if runs else 0o644)
        try:
            tree.rename(target)
        except OSError as error:
            raise LauncherError(f"{target} is in the way: remove it ({error.strerror})") from None
    finally:
        shutil.rmtree(draft)
