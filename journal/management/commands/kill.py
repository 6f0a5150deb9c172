"""`manage.py kill`: stop trading now. Needs no database, no web and no Valkey."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from journal import services
from journal.kill_file import kill_file
from journal.log.errors import LogError
from journal.secrets import shell_user

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = (
        "Stop trading: every session that is not finished gets the command, and the file KILL "
        "stops whatever starts later. Nothing new is opened, working entries are cancelled and "
        "what is held is closed, or kept with --hold."
    )
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's name

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--session", nargs="+", default=[], metavar="NAME", help="only these, and no KILL file"
        )
        parser.add_argument("--strategy", metavar="NAME", help="only this one, such as S4")
        parser.add_argument("--hold", action="store_true", help="keep what is held")
        parser.add_argument(
            "--lift",
            action="store_true",
            help="remove the file KILL: what starts later trades; what it stopped stays stopped",
        )
        parser.add_argument("--reason", default="kill from the command line", help="is logged")
        parser.add_argument("--actor", help="who stops it (default: the user of this shell)")
        parser.add_argument("--json", action="store_true", help="report as JSON")

    def handle(self, *, session: list[str], reason: str, actor: str | None, **options: Any) -> None:
        if not reason.strip():
            raise CommandError("--reason must say something: it is written into the log")
        if options["lift"]:
            if session or options["strategy"] or options["hold"]:
                raise CommandError("--lift removes the file KILL and takes no other scope")
            self._lift(actor or shell_user(), reason.strip(), as_json=options["json"])
            return
        try:
            killed = services.trading_kill(
                var_dir=settings.VAR_DIR,
                sessions=session,
                strategy=options["strategy"],
                hold=options["hold"],
                actor=actor or shell_user(),
                address="local",
                reason=reason.strip(),
            )
        except LogError as error:
            raise CommandError(str(error)) from error
        self._report(killed, as_json=options["json"])
        if killed.problems:
            raise CommandError("; ".join(killed.problems))

    def _lift(self, actor: str, reason: str, *, as_json: bool) -> None:
        try:
            stops = services.trading_lift(
                var_dir=settings.VAR_DIR, actor=actor, address="local", reason=reason
            )
        except OSError as error:
            raise CommandError(str(error)) from error
        if stops is None:
            raise CommandError(f"{kill_file(settings.VAR_DIR)} is not there")
        if as_json:
            self.stdout.write(json.dumps({"lifted": stops}))
        for stop in () if as_json else stops:
            self.stdout.write(f"lifted: {stop}")

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
            self.stdout.write(f"{killed.file} stops what starts later")
