"""What people change: stopping trading, and the first users."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from django.contrib.auth.models import Group, User
from django.db import transaction

from journal.access import Role
from journal.live import open_sessions
from journal.spool import Command, SpoolError, write_command

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD_BYTES = 15


class StopRefusedError(Exception):
    """Trading was not stopped; the text says why."""


@dataclass(frozen=True, slots=True)
class BootstrapUser:
    """A user just made; the password is nowhere else."""

    username: str
    password: str


def trading_stop(
    *, var_dir: Path, key: str, command_id: str, actor: str, address: str, reason: str, now_us: int
) -> list[str]:
    """Send `kill` to every open session through its spool; return their names.

    `command_id` makes a second click the same command. Raises StopRefusedError without a reason,
    with a malformed id, or when no session is open.
    """
    try:
        identity = str(UUID(command_id))
    except ValueError:
        raise StopRefusedError("The form is out of date; open it again.") from None
    if not reason.strip():
        raise StopRefusedError("A reason is required: it is written into the log.")
    sessions = open_sessions(var_dir)
    if not sessions:
        raise StopRefusedError("No session is open, so there is nothing to stop.")
    for session in sessions:
        command = Command(
            id=identity,
            session=session,
            command="kill",
            arguments={},
            actor=actor,
            address=address,
            reason=reason.strip(),
            issued_at=now_us,
        )
        try:
            write_command(var_dir=var_dir, key=key, command=command)
        except (SpoolError, OSError) as error:
            raise StopRefusedError(f"Session {session} was not reached: {error}") from error
    return sessions


@transaction.atomic
def users_bootstrap() -> list[BootstrapUser]:
    """Make one user a role, named like it, with a random password returned this once.

    Users that exist are left as they are and not returned.
    """
    made = []
    for role in Role:
        if User.objects.filter(username=role.value).exists():
            continue
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        user = User.objects.create_user(
            username=role.value,
            password=password,
            is_staff=role in {Role.ADMIN, Role.COMPLIANCE},
            is_superuser=role is Role.ADMIN,
        )
        user.groups.add(Group.objects.get(name=role.value))
        made.append(BootstrapUser(username=role.value, password=password))
    return made
