"""`manage.py replay SESSION`: decide a recorded session again and compare, without any server."""

from __future__ import annotations

import json
import os
import tempfile
import time
from argparse import ArgumentTypeError
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from journal.figures import count
from journal.log.errors import LogError
from journal.log.session import existing_session_directory
from replay.ways import ReplayResult, Workshop, replay_session
from trading.process import process_facts
from trading.version import code_version

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from replay.ways import WayResult


class Command(BaseCommand):
    help = (
        "Feed a session's recorded inputs to the engine again, several ways in interpreters of "
        "their own, and compare every derived event with the record, byte for byte. Exit code 1 "
        "when they differ."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("session", help="the session's name, or a directory with its log")
        parser.add_argument("--times", type=_times, default=3, help="how many ways (default 3)")
        parser.add_argument(
            "--days", nargs="+", type=_day, default=[], metavar="YYYY-MM-DD", help="only these days"
        )
        parser.add_argument("--json", action="store_true", help="report as JSON")

    def handle(self, **options: Any) -> None:
        try:
            result = replay_session(
                existing_session_directory(settings.VAR_DIR, options["session"]),
                times=options["times"],
                days=options["days"],
                code_version=code_version(),
                present=process_facts(os.environ),
                workshop=Workshop(
                    workers=os.cpu_count() or 1,
                    environment=os.environ,
                    scratch=Path(tempfile.gettempdir()),
                    clock=time.perf_counter,
                    progress=lambda done, total: None,
                ),
            )
        except LogError as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            raise CommandError("stopped before the end; nothing was compared") from None
        if options["json"]:
            self.stdout.write(json.dumps(result.to_data(), sort_keys=True))
        else:
            self._tell(result)
        if not result.identical:
            raise CommandError(result.verdict())

    def _tell(self, result: ReplayResult) -> None:
        days = result.days[0] if len(result.days) == 1 else f"{len(result.days)} days"
        self.stdout.write(
            f"session {result.session}, {days}: {count(result.events)} events recorded, "
            f"{count(result.derived)} of them derived"
        )
        self.stdout.write(f"recorded  {result.digest}")
        for way in result.ways:
            self.stdout.write(f"way {way.way:<5} {way.digest}  {_outcome(way)}")
        owed = max(way.owed for way in result.ways)
        if owed:
            events = "event" if owed == 1 else "events"
            self.stdout.write(f"the log ends before {owed} {events} that its last input led to")
        for note in result.notes:
            self.stdout.write(f"note: {note}")
        if result.identical:
            self.stdout.write(result.verdict())


def _outcome(way: WayResult) -> str:
    pace = f"{count(round(way.events / way.seconds))} events/s"
    if way.divergence is None:
        return f"identical, {pace}"
    return f"{count(way.different)} different, first {way.divergence.words()}"


def _times(text: str) -> int:
    try:
        times = int(text)
    except ValueError:
        times = 0
    if times < 1:
        raise ArgumentTypeError(f"{text!r} is no number of ways, expected 1 or more")
    return times


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a date, expected YYYY-MM-DD") from None
