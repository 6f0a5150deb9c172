"""What each role may do: groups with explicit permissions.

They are written after every migrate, and so after a test's flush too. Views ask for roles
(`journal.access`), the admin asks for permissions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from journal.access import Role

if TYPE_CHECKING:
    from django.apps import AppConfig

# (application, permission's code name), by role. The audit store has no other permission than view.
PERMISSIONS: dict[Role, tuple[tuple[str, str], ...]] = {
    Role.OPERATOR: (("brahmastra_site", "look"), ("brahmastra_site", "stop_trading")),
    Role.COMPLIANCE: (
        ("brahmastra_site", "look"),
        ("brahmastra_site", "audit"),
        ("journal", "view_event"),
    ),
    Role.VIEWER: (("brahmastra_site", "look"),),
    Role.ADMIN: (
        ("brahmastra_site", "look"),
        ("brahmastra_site", "audit"),
        ("journal", "view_event"),
    ),
}


def write_groups(sender: AppConfig, using: str, **_: object) -> None:
    """Make the groups and give each exactly its permissions (a post_migrate receiver)."""
    from django.apps import apps
    from django.contrib.auth.management import create_permissions
    from django.contrib.auth.models import Group, Permission

    # The journal's own post_migrate comes after ours and its permissions are needed here.
    for label in ("brahmastra_site", "journal"):
        create_permissions(apps.get_app_config(label), verbosity=0, using=using)
    for role, wanted in PERMISSIONS.items():
        group, _created = Group.objects.using(using).get_or_create(name=role.value)
        found = [
            permission
            for application, code_name in wanted
            for permission in Permission.objects.using(using).filter(
                content_type__app_label=application, codename=code_name
            )
        ]
        group.permissions.set(found)
