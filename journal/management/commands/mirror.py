"""`manage.py mirror`: bring the audit store up to the logs, follow them, rebuild it, check it."""

from __future__ import annotations

import json
import signal
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from journal import services
from journal.mirror import MirrorError

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from journal.mirror_check import Comparison


class Command(BaseCommand):
    help = (
        "Move what is durable in the logs into the audit store, each line exactly once, and exit."
    )
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's name

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("session", nargs="*", help="sessions by name (default: every one)")
        way = parser.add_mutually_exclusive_group()
        way.add_argument("--follow", action="store_true", help="go on until SIGTERM or Ctrl-C")
        way.add_argument("--rebuild", action="store_true", help="drop the rows and fill them again")
        way.add_argument("--check", action="store_true", help="compare every row with the logs")
        parser.add_argument(
            "--from", dest="first_line", type=int, metavar="LINE", help="with --check: from here"
        )
        parser.add_argument(
            "--to", dest="last_line", type=int, metavar="LINE", help="with --check: up to here"
        )
        parser.add_argument("--json", action="store_true", help="report as JSON")

    def handle(
        self,
        *,
        session: list[str],
        follow: bool,
        rebuild: bool,
        check: bool,
        first_line: int | None,
        last_line: int | None,
        **options: Any,
    ) -> None:
        ranged = first_line is not None or last_line is not None
        if ranged and not (check and len(session) == 1):
            raise CommandError("--from and --to go with --check and one session")
        try:
            if follow:
                self._follow(session)
            elif check:
                results = services.mirror_compare(
                    sessions=session,
                    first_line=1 if first_line is None else first_line,
                    last_line=last_line,
                )
                self._tell(results, ranged=ranged, as_json=options["json"])
            else:
                act = services.mirror_rebuild if rebuild else services.mirror_catch_up
                self._report(act(sessions=session), as_json=options["json"])
        except MirrorError as error:
            raise CommandError(str(error)) from error

    def _follow(self, sessions: list[str]) -> None:
        if sessions:
            raise CommandError("--follow takes every session; name none")
        stopping: list[int] = []
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda received, _frame: stopping.append(received))
        services.mirror_follow(stopped=lambda: bool(stopping), report=self._say)

    def _say(self, line: str) -> None:
        self.stderr.write(f"mirror: {line}")
        self.stderr.flush()

    def _report(self, done: list[services.Mirrored], *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps([asdict(one) for one in done]))
            return
        for one in done:
            self.stdout.write(
                f"{one.session}: {one.moved} lines moved, the store ends at line {one.line}, "
                f"head {one.hash}"
            )
        if not done:
            self.stdout.write("no session has a log yet")

    def _tell(self, results: list[Comparison], *, ranged: bool, as_json: bool) -> None:
        compared = "these lines of the log" if ranged else "the log"
        if as_json:
            self.stdout.write(json.dumps([asdict(one) | {"equal": one.equal} for one in results]))
        for one in results:
            if one.equal and not as_json:
                self.stdout.write(
                    f"{one.session}: store equals {compared}: {one.rows} rows, head {one.head}"
                )
        differences = [one.difference for one in results if not one.equal]
        if differences:
            raise CommandError("\n".join(differences))
