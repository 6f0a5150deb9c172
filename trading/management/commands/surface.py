"""`manage.py surface`: fit the option surface of an instant and say how good it is. Opens no
server.
"""

from __future__ import annotations

import time
from argparse import ArgumentTypeError
from datetime import date
from datetime import time as clock
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from trading.management.moments import moment_us
from trading.market.ist import instant_us
from trading.market.store import UNDERLYINGS, StoreError
from trading.pricing.fitting import Method
from trading.pricing.profiles import PROFILES
from trading.surfaces.day_summary import day_summary
from trading.surfaces.picture import surface_png
from trading.surfaces.report_text import day_lines, report_lines
from trading.surfaces.selectors import (
    DEFAULT_EXPIRIES,
    METHODS,
    SurfaceError,
    SurfaceWish,
)
from trading.surfaces.services import day_fit, surface_fit
from trading.version import code_version

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from trading.surfaces.selectors import SurfaceReport
    from trading.surfaces.services import FittedSurface


class Command(BaseCommand):
    help = "Fit the option surface of an underlying at an instant, with a report of the fit."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        when = parser.add_mutually_exclusive_group(required=True)
        when.add_argument("--at", type=moment_us, metavar="YYYY-MM-DDTHH:MM[:SS]", help="IST")
        when.add_argument(
            "--day", type=_end_of_day, metavar="YYYY-MM-DD", help="every snapshot of a day"
        )
        parser.add_argument("--underlying", choices=UNDERLYINGS, required=True)
        parser.add_argument("--profile", choices=tuple(PROFILES), default=next(iter(PROFILES)))
        parser.add_argument(
            "--method", choices=[method.value for method in METHODS], default=Method.QP.value
        )
        parser.add_argument(
            "--expiries",
            type=_expiries,
            default=DEFAULT_EXPIRIES,
            metavar="N|all",
            help=f"the nearest N (default {DEFAULT_EXPIRIES})",
        )
        parser.add_argument(
            "--fresh", action="store_true", help="fit again what was fitted and kept before"
        )
        parser.add_argument("--json", action="store_true", help="the report as JSON")
        parser.add_argument("--png", type=Path, metavar="PATH", help="draw it, with --at")

    def handle(self, **options: Any) -> None:
        whole_day = options["day"] is not None
        if whole_day and options["png"]:
            msg = "--png draws one surface: expected --at, not --day"
            raise CommandError(msg)
        wish = SurfaceWish(
            underlying=options["underlying"],
            at_us=options["day"] if whole_day else options["at"],
            profile=options["profile"],
            method=Method(options["method"]),
            expiries=options["expiries"],
        )
        how: dict[str, Any] = {
            "var_dir": Path(settings.VAR_DIR),
            "wish": wish,
            "version": code_version(),
            "clock": time.perf_counter,
            "fresh": options["fresh"],
        }
        try:
            if whole_day:
                self._day(list(day_fit(**how)), as_json=options["json"])
            else:
                self._instant(surface_fit(**how), options["png"], as_json=options["json"])
        except (SurfaceError, StoreError) as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            msg = f"{error.filename}: {error.strerror}"
            raise CommandError(msg) from None

    def _instant(self, fitted: FittedSurface, png: Path | None, *, as_json: bool) -> None:
        if fitted.not_kept:
            self.stderr.write(f"the fit could not be kept: {fitted.not_kept}")
        if as_json:
            self.stdout.write(msgspec.json.encode(fitted.report).decode())
        else:
            self.stdout.write("\n".join(report_lines(fitted.report)))
        refusal = fitted.report.fit.refusal
        if refusal:
            msg = f"no surface: {refusal}"
            raise CommandError(msg)
        if png:
            png.write_bytes(surface_png(fitted))

    def _day(self, reports: list[SurfaceReport], *, as_json: bool) -> None:
        summary = day_summary(reports)
        if as_json:
            self.stdout.write(msgspec.json.encode(summary).decode())
        else:
            self.stdout.write("\n".join(day_lines(summary)))


def _end_of_day(text: str) -> int:
    """The last second of an IST date, µs UTC."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        msg = f"{text!r} is not a date, expected YYYY-MM-DD"
        raise ArgumentTypeError(msg) from None
    return instant_us(day, clock(23, 59, 59))


def _expiries(text: str) -> int | None:
    if text == "all":
        return None
    if not (text.isascii() and text.isdigit() and int(text)):
        msg = f"{text!r} is no number of expiries, expected 1, 2, … or all"
        raise ArgumentTypeError(msg)
    return int(text)
