"""`manage.py market`: bring market data in, make some up, say what there is. Opens no server."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from trading.market.calendar import CalendarError, instant_us
from trading.market.importers import ImportRefusedError
from trading.market.selectors import Format, StoreStatus, market_formats, market_status
from trading.market.services import ImportReport, market_import, market_synthesise
from trading.market.store import StoreError

if TYPE_CHECKING:
    from argparse import ArgumentParser

DEFAULT_FROM = date(2026, 2, 26)
DEFAULT_TO = date(2026, 2, 27)


class Command(BaseCommand):
    """Import recorded data, generate synthetic data, show the store."""

    help = "Import market data, generate a synthetic market, or show what the store holds."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        importing = actions.add_parser("import", help="import files, or the files of a directory")
        importing.add_argument("paths", nargs="+", type=Path, metavar="PATH")
        importing.add_argument(
            "--dry-run", action="store_true", help="check and count, write nothing"
        )
        importing.add_argument(
            "--known-at",
            type=_moment,
            metavar="TIME",
            help="IST; when files that do not say it themselves were known",
        )
        synth = actions.add_parser("synth", help="generate a synthetic market")
        synth.add_argument("--seed", type=int, default=1, help="default 1")
        synth.add_argument(
            "--from", dest="from_date", type=_date, default=DEFAULT_FROM, help=f"{DEFAULT_FROM}"
        )
        synth.add_argument(
            "--to", dest="to_date", type=_date, default=DEFAULT_TO, help=f"{DEFAULT_TO}"
        )
        status = actions.add_parser("status", help="what the store holds, every file checked")
        formats = actions.add_parser("formats", help="what can be imported")
        for action in (importing, synth, status, formats):
            action.add_argument("--json", action="store_true", help="the report as JSON")

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            report = self._run(options)
        except (ImportRefusedError, StoreError, CalendarError) as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            msg = f"{error.filename or settings.VAR_DIR}: {error.strerror or error}"
            raise CommandError(msg) from error
        if options["json"]:
            self.stdout.write(msgspec.json.encode(report).decode())
        elif isinstance(report, StoreStatus):
            self._show_status(report)
        elif isinstance(report, tuple):
            for known in report:
                categories = ", ".join(known.categories)
                self.stdout.write(f"{known.name}: {known.title} -> {categories}")
        else:
            self._show_report(report)

    def _run(self, options: dict[str, Any]) -> ImportReport | StoreStatus | tuple[Format, ...]:
        root = Path(settings.VAR_DIR) / "market"
        if options["action"] == "import":
            return market_import(
                root=root,
                paths=options["paths"],
                dry_run=options["dry_run"],
                known_at_us=options["known_at"],
                progress=self.stderr.write,
            )
        if options["action"] == "synth":
            return market_synthesise(
                root=root,
                seed=options["seed"],
                from_date=options["from_date"],
                to_date=options["to_date"],
                progress=self.stderr.write,
            )
        if options["action"] == "formats":
            return market_formats()
        return market_status(root=root)

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
                f"{category} {_spelled(dates)}" for category, dates in source.days.items()
            )
            mark = "SYNTHETIC " if source.synthetic else ""
            self.stdout.write(f"{mark}{source.name}: {days}, {_counted(source.counts)}")
        if not status.sources:
            self.stdout.write(f"no market data in {status.root}")
        self.stdout.write(f"generation {status.generation}")


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        msg = f"{text!r} is not a date, expected YYYY-MM-DD"
        raise ArgumentTypeError(msg) from None


def _spelled(days: dict[str, tuple[str, ...]]) -> str:
    return ", ".join(
        f"{whose} {dates[0]}" + (f" to {dates[-1]}" if len(dates) > 1 else "")
        for whose, dates in days.items()
    )


def _moment(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is not None:
        msg = f"{text!r} is not a moment in IST, expected YYYY-MM-DDTHH:MM:SS"
        raise ArgumentTypeError(msg)
    return instant_us(moment.date(), moment.time())


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
