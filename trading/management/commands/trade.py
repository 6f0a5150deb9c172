"""`manage.py trade`: run a session over stored market data or a live feed."""

from __future__ import annotations

import asyncio
import json
import math
import signal
import time
from argparse import ArgumentTypeError
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from journal.log.errors import LogError
from journal.log.writer import Durability
from journal.secrets import read_or_create_secret
from trading.engine.configuration import ConfigurationError
from trading.engine.plan import World
from trading.engine.runner import Stopped
from trading.market.calendar import CalendarError
from trading.market.feeds.adapters import AddressError
from trading.market.store import StoreError
from trading.process import this_process
from trading.services import LIVE_CADENCE_SECONDS, SessionOutcome, Wish, session_run

if TYPE_CHECKING:
    from argparse import ArgumentParser


REFUSALS = (ConfigurationError, AddressError, LogError, StoreError, CalendarError, OSError)

# Fields of the broker's configuration that can be asked for, and what they are.
BROKER_OPTIONS = {
    "latency_ms": "milliseconds before an order is with the exchange (default 0)",
    "slippage_ticks": "ticks that a fill at the market is worse than the quote (default 0)",
    "slippage_spread_ppm": "and millionths of the spread (default 0)",
    "depth_ppm": "millionths of a quote that may be taken (default all)",
    "reject_ppm": "millionths of orders that are refused, by a draw (default 0)",
    "seed": "of that draw (default 0)",
    "orders_per_second": "orders the broker takes in a second (default 10)",
    "answer_seconds": "seconds before an order without an answer is asked after (default 30)",
}


class Command(BaseCommand):
    help = (
        "Run a trading session over stored market data, or over a live feed until its day closes. "
        "An unfinished session of that name continues; a finished one, or another configuration, "
        "is refused."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--session", required=True, help="the session's name")
        parser.add_argument("--config", type=Path, help="a TOML file (default: trial.toml)")
        parser.add_argument("--from", dest="from_date", type=_date, metavar="YYYY-MM-DD")
        parser.add_argument("--to", dest="to_date", type=_date, metavar="YYYY-MM-DD")
        parser.add_argument("--underlying", action="append", help="may be given more than once")
        parser.add_argument("--strategies", type=_names, help="comma-separated, for example S4")
        parser.add_argument(
            "--costs",
            type=str.upper,
            help="cost profile: a broker's name, or gross to take nothing off",
        )
        parser.add_argument("--cost-stress", type=int, choices=(1, 2, 3), help="times every charge")
        for name, text in BROKER_OPTIONS.items():
            flag = f"--broker-{name.replace('_', '-')}"
            parser.add_argument(flag, type=int, metavar="N", help=text)
        parser.add_argument(
            "--speed", type=_speed, default=None, help="times real time, or max (the default)"
        )
        parser.add_argument(
            "--live",
            metavar="FEED",
            help="trade today on a live feed: tail:PATH (a file that grows), ws://… or wss://…",
        )
        parser.add_argument(
            "--cadence",
            type=int,
            metavar="SECONDS",
            help=f"how often the live feed speaks (default {LIVE_CADENCE_SECONDS})",
        )
        parser.add_argument(
            "--durability",
            choices=[each.value for each in Durability],
            default=Durability.COMMIT.value,
            help="when the log is synced: each commit (default), each second, each day",
        )
        parser.add_argument("--json", action="store_true", help="report as JSON")

    def clock(self) -> int:
        """Wall clock, µs UTC."""
        return time.time_ns() // 1000

    def handle(self, **options: Any) -> None:
        wish = Wish(
            session=options["session"],
            configuration_file=options["config"],
            from_date=options["from_date"],
            to_date=options["to_date"],
            underlyings=tuple(options["underlying"]) if options["underlying"] else None,
            strategies=options["strategies"],
            costs=options["costs"],
            cost_stress=options["cost_stress"],
            speed=options["speed"],
            live=options["live"],
            cadence_seconds=options["cadence"],
            durability=Durability(options["durability"]),
            broker={
                name: options[f"broker_{name}"]
                for name in BROKER_OPTIONS
                if options[f"broker_{name}"] is not None
            },
        )
        try:
            outcome = session_run(
                wish=wish,
                default_configuration=settings.BASE_DIR / "trial.toml",
                world=self._world(),
            )
        except Stopped:
            raise CommandError("stopped; run the same command again to continue") from None
        except REFUSALS as error:
            raise CommandError(str(error)) from None
        if options["json"]:
            self.stdout.write(json.dumps(asdict(outcome), sort_keys=True))
            return
        counts = outcome.counts
        state = "finished" if outcome.finished else "goes on with its next market day"
        self.stdout.write(
            f"session {outcome.session} {state}: {outcome.events} events, "
            f"{counts.get('signal.emitted', 0)} signals evaluated, "
            f"{counts.get('order.intended', 0)} orders, realised "
            f"{_money(outcome)}; log in {outcome.directory}"
        )

    def _world(self) -> World:
        stop: list[int] = []
        signal.signal(signal.SIGTERM, lambda number, _: stop.append(number))
        signal.signal(signal.SIGINT, lambda number, _: stop.append(number))
        return World(
            var_dir=settings.VAR_DIR,
            spool_key=read_or_create_secret(settings.VAR_DIR / "secrets" / "spool.key"),
            clock=self.clock,
            sleep=asyncio.sleep,
            stopping=lambda: bool(stop),
            progress=self.stderr.write,
            process=this_process(),
        )


def _money(outcome: SessionOutcome) -> str:
    gross = f"₹{outcome.realised_paise / 100:,.2f}"
    if outcome.net_paise is None:
        return f"{gross} {outcome.costs}"
    return f"{gross} before charges, ₹{outcome.net_paise / 100:,.2f} after ({outcome.costs})"


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a date, expected YYYY-MM-DD") from None


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not 0 < speed < math.inf:
        raise ArgumentTypeError(f"{text!r} is no speed, expected a number above 0, or max")
    return speed
