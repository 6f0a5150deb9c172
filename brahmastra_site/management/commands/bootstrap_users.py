"""`manage.py bootstrap_users`: one user a role, with a random password shown this once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand

from brahmastra_site.services import users_bootstrap

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(BaseCommand):
    """Make the users that are missing and print what they sign in with."""

    help = (
        "Make one user for each role that has none, and print their passwords, which nothing keeps."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take `--json`."""
        parser.add_argument(
            "--json", action="store_true", help="print a JSON list instead of lines"
        )

    def handle(self, *_arguments: Any, **options: Any) -> None:
        """Make the users."""
        made = users_bootstrap()
        if options["json"]:
            users = [{"username": user.username, "password": user.password} for user in made]
            self.stdout.write(json.dumps(users))
            return
        for user in made:
            self.stdout.write(f"{user.username:<12} {user.password}")
        self.stdout.write(
            "Write these passwords down: they are not shown again"
            if made
            else "All of them exist; their passwords stay as they are"
        )
