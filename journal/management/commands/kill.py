"""`manage.py kill`: stop trading now. Needs no database, no web and no Valkey."""

from __future__ import annotations

import getpass
import json
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from journal import services
from journal.log.errors import LogError

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = (
        "Stop trading: every session that is not finished gets the command, and the file KILL "
        "stops whatever starts later. Positions may still be closed; nothing new is opened."
    )
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's name

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--session", nargs="+", default=[], metavar="NAME", help="only these, and no KILL file"
        )
        parser.add_argument("--reason", default="kill from the command line", help="is logged")
        parser.add_argument("--actor", help="who stops it (default: the user of this shell)")
        parser.add_argument("--json", action="store_true", help="report as JSON")

    def handle(self, *, session: list[str], reason: str, actor: str | None, **options: Any) -> None:
        if not reason.strip():
            raise CommandError("--reason must say something: it is written into the log")
        try:
            killed = services.trading_kill(
                var_dir=settings.VAR_DIR,
                sessions=session,
                actor=actor or _user(),
                address="local",
                reason=reason.strip(),
            )
        except LogError as error:
            raise CommandError(str(error)) from error
        self._report(killed, as_json=options["json"])
        if killed.problems:
            raise CommandError("; ".join(killed.problems))

    def _report(self, killed: services.Killed, *, as_json: bool) -> None:
        if as_json:
            report = {
                "sessions": killed.sessions,
                "file": str(killed.file) if killed.file else None,
                "problems": killed.problems,
            }
            self.stdout.write(json.dumps(report))
            return
        for session in killed.sessions:
            self.stdout.write(f"session {session}: told to stop")
        if killed.file is not None:
            self.stdout.write(f"{killed.file} exists: nothing new is admitted anywhere")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a uid without a name
        return "unknown"
