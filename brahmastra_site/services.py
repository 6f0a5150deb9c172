"""What is done with the site itself: the first users."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from django.contrib.auth.models import Group, User
from django.db import transaction

from journal.access import Role

PASSWORD_BYTES = 15


@dataclass(frozen=True, slots=True)
class BootstrapUser:
    """A user just made; the password is nowhere else."""

    username: str
    password: str


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
