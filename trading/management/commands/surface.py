"""`manage.py surface`: fit the option surface of an instant and say how good it is. Opens no
server.
"""

from __future__ import annotations

import time
from argparse import ArgumentTypeError
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from trading.management.moments import moment_us
from trading.market.store import UNDERLYINGS, StoreError
from trading.pricing.fitting import Method
from trading.surfaces.report_text import report_lines
from trading.surfaces.selectors import (
    DEFAULT_EXPIRIES,
    METHODS,
    PROFILES,
    SurfaceError,
    SurfaceWish,
    surface_get,
)

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = "Fit the option surface of an underlying at an instant, with a report of the fit."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--at", type=moment_us, required=True, metavar="YYYY-MM-DDTHH:MM[:SS]", help="IST"
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
        parser.add_argument("--json", action="store_true", help="the report as JSON")

    def handle(self, **options: Any) -> None:
        wish = SurfaceWish(
            underlying=options["underlying"],
            at_us=options["at"],
            profile=options["profile"],
            method=Method(options["method"]),
            expiries=options["expiries"],
        )
        root = Path(settings.VAR_DIR) / "market"
        try:
            fitted = surface_get(root=root, wish=wish, clock=time.perf_counter)
        except (SurfaceError, StoreError) as error:
            raise CommandError(str(error)) from None
        if options["json"]:
            self.stdout.write(msgspec.json.encode(fitted.report).decode())
        else:
            self.stdout.write("\n".join(report_lines(fitted.report)))
        refusal = fitted.report.fit.refusal
        if refusal:
            raise CommandError(f"no surface: {refusal}")


def _expiries(text: str) -> int | None:
    if text == "all":
        return None
    if not (text.isascii() and text.isdigit() and int(text)):
        msg = f"{text!r} is no number of expiries, expected 1, 2, … or all"
        raise ArgumentTypeError(msg)
    return int(text)
