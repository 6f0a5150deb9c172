"""`manage.py tell`: change limits, re-arm breakers, switch strategies of a running session, have
book and broker compared.

Needs no database, no web and no Valkey.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from journal import services
from journal.log.errors import LogError
from journal.secrets import shell_user
from journal.spool import SpoolError

if TYPE_CHECKING:
    from argparse import ArgumentParser

# Each command with what it takes: the name of an argument, its type and what it is.
COMMANDS: dict[str, tuple[tuple[str, type, str], ...]] = {
    "limit": (
        ("name", str, "a figure of limits.toml or of the session's gates, such as order_lots"),
        ("value", int, "its new figure, a whole number in the unit of its name"),
    ),
    "rearm": (("breaker", str, "its name, such as 'kill switch'"),),
    "disable": (("strategy", str, "its name, such as S4"),),
    "enable": (("strategy", str, "its name, such as S4"),),
    "approve": (("request", str, "the id of the command that waits for a second person"),),
    "reconcile": (),
    "accept": (("reconciliation", str, "the id of the book.reconciled whose differences stand"),),
}


class Command(BaseCommand):
    help = (
        "Tell a running session to change a limit, re-arm a breaker, switch a strategy, or compare "
        "book and broker. What lets more through waits until another person approves it; the "
        "session's log answers."
    )
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's name

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("session", help="its name")
        ways = parser.add_subparsers(dest="told", required=True, metavar="COMMAND")
        for name, arguments in COMMANDS.items():
            way = ways.add_parser(name)
            for argument, kind, text in arguments:
                way.add_argument(argument, type=kind, help=text)
            way.add_argument("--reason", required=True, help="is logged")
            way.add_argument("--actor", help="who (default: the user of this shell)")
            way.add_argument("--json", action="store_true", help="report as JSON")

    def handle(
        self, *, session: str, told: str, reason: str, actor: str | None, **options: Any
    ) -> None:
        try:
            command_id = services.session_tell(
                var_dir=settings.VAR_DIR,
                session=session,
                command=told,
                arguments={name: options[name] for name, _, _ in COMMANDS[told]},
                actor=actor or shell_user(),
                address="local",
                reason=reason.strip(),
            )
        except (LogError, SpoolError) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps({"session": session, "command": told, "id": command_id}))
        else:
            self.stdout.write(f"session {session} is told: {told}, id {command_id}")
