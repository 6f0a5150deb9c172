"""`manage.py portfolio`: the portfolio beside a session's log, and whether it is the log's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from journal.live import newest_session
from journal.log.errors import LogError, UnknownSessionError
from journal.log.portfolio_check import Standing, check_portfolio
from journal.log.portfolio_file import read_portfolio
from journal.log.session import existing_session_directory, sessions_directory
from journal.portfolio_lines import portfolio_lines

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from pathlib import Path


class Command(BaseCommand):
    """The portfolio of a session, from its file alone; checked against its log on request."""

    help = (
        "The portfolio of a session as the file beside its log has it, in rupees; with --check "
        "whether that is what the log gives. Reads files only: no server is needed."
    )
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's name

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--run", metavar="SESSION", help="a session's name, or a path (default: the newest)"
        )
        parser.add_argument(
            "--check",
            action="store_true",
            help="make it again from the log: identical, or the first difference and exit code 1",
        )
        parser.add_argument("--json", action="store_true", help="report as JSON, money in paise")

    def handle(self, *, run: str | None, check: bool, **options: Any) -> None:
        try:
            directory = existing_session_directory(settings.VAR_DIR, run or _newest())
            if check:
                self._check(directory, as_json=options["json"])
            else:
                self._show(directory, as_json=options["json"])
        except LogError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"{run or 'the newest session'}: {error}") from error

    def _check(self, directory: Path, *, as_json: bool) -> None:
        found = check_portfolio(directory)
        if as_json:
            said = {"holds": found.standing.holds, "standing": found.standing, "says": found.says}
            self.stdout.write(json.dumps(said, ensure_ascii=False))
        if not found.standing.holds:
            raise CommandError(found.says)
        if not as_json:
            self.stdout.write(found.says)

    def _show(self, directory: Path, *, as_json: bool) -> None:
        found = check_portfolio(directory)
        portfolio = None if found.standing is Standing.OTHER else read_portfolio(directory)
        if portfolio is None:
            raise CommandError(found.says)
        if not found.standing.holds:
            self.stderr.write(f"not what the log gives: {found.says}")
        if as_json:
            self.stdout.write(json.dumps(msgspec.to_builtins(portfolio), sort_keys=True))
        else:
            self.stdout.write("\n".join(portfolio_lines(portfolio)))


def _newest() -> str:
    newest = newest_session(settings.VAR_DIR)
    if newest is None:
        raise UnknownSessionError(f"no session in {sessions_directory(settings.VAR_DIR)} has a log")
    return newest
