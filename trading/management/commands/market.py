"""`manage.py market`: bring market data in, or what sessions fitted to it, make some up, say what
there is. Opens no server.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from journal.log.errors import LogError
from journal.log.session import existing_session_directory
from trading.management.import_progress import import_progress
from trading.management.moments import moment_us
from trading.management.synth_arguments import add_synth_arguments, synth_arguments
from trading.market.calendar import CalendarError, ist_date
from trading.market.category_reference import category_reference
from trading.market.importers import ImportRefusedError
from trading.market.selectors import (
    Format,
    HeldCategory,
    MarketCatalogue,
    StoreStatus,
    market_catalogue,
    market_formats,
    market_status,
)
from trading.market.services import ImportReport, market_export, market_import
from trading.market.store import StoreError
from trading.market.synthetic.modes import ModeError
from trading.market.synthetic.services import market_synthesise

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    """Import recorded data, export fits, generate synthetic data, show the store."""

    help = (
        "Import market data, export what a session fitted to it, generate a synthetic market, or "
        "show what the store holds."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        importing = actions.add_parser("import", help="import files, or the files of a directory")
        importing.add_argument("paths", nargs="*", type=Path, metavar="PATH")
        importing.add_argument(
            "--reference",
            action="store_true",
            help="the tables shipped with the program; they come in with any import or synth too",
        )
        importing.add_argument(
            "--dry-run", action="store_true", help="check and count, write nothing"
        )
        importing.add_argument(
            "--known-at",
            type=moment_us,
            metavar="TIME",
            help="IST; when files that do not say it themselves were known",
        )
        importing.add_argument(
            "--map", type=Path, metavar="FILE", help="a TOML map of columns, for files it fits"
        )
        exporting = actions.add_parser(
            "export", help="the fits and surfaces of a session, out of its log into the store"
        )
        exporting.add_argument(
            "session", help="a session's name, or a path to the directory of its log"
        )
        exporting.add_argument(
            "--dry-run", action="store_true", help="check and count, write nothing"
        )
        synth = actions.add_parser("synth", help="generate a synthetic market")
        add_synth_arguments(synth)
        status = actions.add_parser("status", help="what the store holds, every file checked")
        formats = actions.add_parser("formats", help="what can be imported")
        catalogue = actions.add_parser(
            "catalogue", help="every category: rows, ranges, sources, digests"
        )
        catalogue.add_argument(
            "--generation", type=int, metavar="N", help="as it was in an earlier generation"
        )
        actions.add_parser("schema", help="docs/market.md: the categories and their columns")
        for action in (importing, exporting, synth, status, formats, catalogue):
            action.add_argument("--json", action="store_true", help="the report as JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        if options["action"] == "schema":
            self.stdout.write(category_reference(), ending="")
            return
        try:
            report = self._run(options)
        except (ImportRefusedError, StoreError, CalendarError, ModeError, LogError) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            msg = f"{error.filename or settings.VAR_DIR}: {error.strerror or error}"
            raise CommandError(msg) from error
        if options["json"]:
            self.stdout.write(msgspec.json.encode(report).decode())
        elif isinstance(report, StoreStatus):
            self._show_status(report)
        elif isinstance(report, MarketCatalogue):
            self._show_catalogue(report)
        elif isinstance(report, tuple):
            for known in report:
                categories = ", ".join(known.categories)
                self.stdout.write(f"{known.name}: {known.title} -> {categories}")
        else:
            self._show_report(report)

    def _run(
        self, options: dict[str, Any]
    ) -> ImportReport | StoreStatus | MarketCatalogue | tuple[Format, ...]:
        root = Path(settings.VAR_DIR) / "market"
        now_us = time.time_ns() // 1000
        if options["action"] == "import":
            if not (options["paths"] or options["reference"]):
                raise CommandError("nothing to import: name files or directories, or --reference")
            return market_import(
                root=root,
                paths=options["paths"],
                with_shipped=True,
                dry_run=options["dry_run"],
                known_at_us=options["known_at"],
                column_map=options["map"],
                now_us=now_us,
                progress=import_progress(self.stderr),
            )
        if options["action"] == "export":
            return market_export(
                root=root,
                directory=existing_session_directory(settings.VAR_DIR, options["session"]),
                dry_run=options["dry_run"],
                now_us=now_us,
                progress=import_progress(self.stderr),
            )
        if options["action"] == "synth":
            return market_synthesise(
                root=root,
                with_shipped=True,
                now_us=now_us,
                progress=self.stderr.write,
                **synth_arguments(options),
            )
        if options["action"] == "formats":
            return market_formats()
        if options["action"] == "catalogue":
            return market_catalogue(root=root, now_us=now_us, generation=options["generation"])
        return market_status(root=root)

    def _show_catalogue(self, catalogue: MarketCatalogue) -> None:
        for category in catalogue.categories:
            self.stdout.write(f"{category.name}: {_held(category)}")
            for source in category.sources:
                mark = "SYNTHETIC " if source.synthetic else ""
                self.stdout.write(
                    f"  {mark}{source.name}: {source.file}, {source.rows} rows, {source.digest}"
                )
        for file in catalogue.turned_away:
            since = f", taken in generation {file.taken_in}" if file.taken_in else ""
            self.stdout.write(
                f"{file.status}: {file.file}, {file.reason}, {file.digest}, "
                f"generation {file.generation}{since}"
            )
        self.stdout.write(f"generation {catalogue.generation}")

    def _show_report(self, report: ImportReport) -> None:
        for outcome in report.outcomes:
            what = outcome.reason or _counted(outcome.counts)
            self.stdout.write(f"{outcome.path}: {outcome.status}, {what}")
        told = [outcome.status for outcome in report.outcomes]
        self.stdout.write(
            ", ".join(f"{told.count(status)} {status}" for status in dict.fromkeys(told))
        )
        self.stdout.write(f"generation {report.generation}")

    def _show_status(self, status: StoreStatus) -> None:
        for source in status.sources:
            days = "; ".join(
                f"{category} {_spelled(dates)}".rstrip() for category, dates in source.days.items()
            )
            mark = "SYNTHETIC " if source.synthetic else ""
            self.stdout.write(f"{mark}{source.name}: {days}, {_counted(source.counts)}")
        if not status.sources:
            self.stdout.write(f"no market data in {status.root}")
        self.stdout.write(f"generation {status.generation}")


def _spelled(days: dict[str, tuple[str, ...]]) -> str:
    return ", ".join(
        f"{whose} {dates[0]}" + (f" to {dates[-1]}" if len(dates) > 1 else "")
        for whose, dates in days.items()
    )


def _held(category: HeldCategory) -> str:
    if category.as_of is None or category.available_at is None:
        return "nothing"
    spans = [
        f"{label} {ist_date(first)} to {ist_date(last)}"
        for label, (first, last) in (
            ("as of", category.as_of),
            ("known", category.available_at),
        )
    ]
    parts = [f"{category.rows} rows", *spans, f"{len(category.sources)} sources"]
    if category.missing:
        parts.append(f"{category.missing} market days missing between")
    if category.behind:
        parts.append(f"{category.behind} market days behind")
    return ", ".join(parts)


def _counted(counts: dict[str, Any]) -> str:
    parts = [f"{counts['accepted']} of {counts['read']} rows"]
    for underlying, snapshots in counts["snapshots"].items():
        part = f"{underlying} {snapshots['accepted']} of {snapshots['received']} snapshots"
        if snapshots["clock"]:
            part += f" ({snapshots['clock']} flagged CLOCK)"
        parts.append(part)
    for kind in ("rejected", "dropped"):
        parts += [f"{count} {kind} {reason}" for reason, count in counts[kind].items()]
    return ", ".join(parts)
