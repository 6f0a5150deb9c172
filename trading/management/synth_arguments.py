"""The arguments of `manage.py market synth`."""

from __future__ import annotations

import os
from argparse import ArgumentTypeError
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from trading.market.calendar import calendar
from trading.market.importers import ImportRefusedError
from trading.market.synthetic import parameters
from trading.market.synthetic.modes import EFFECTS, NAMES, REALISTIC, mode_of

if TYPE_CHECKING:
    from argparse import ArgumentParser

# Two days at each minute, quickly made: what a first start shows.
DEMO_FROM, DEMO_TO, DEMO_CADENCE = date(2026, 2, 26), date(2026, 2, 27), 1
DEFAULT_CADENCE = 5
_MOST_PROCESSES = 2


def add_synth_arguments(parser: ArgumentParser) -> None:
    """Add what a synthetic market can be asked to be."""
    parser.add_argument("--seed", type=int, default=1, help="default 1")
    parser.add_argument("--from", dest="from_date", type=_date, help=f"default {DEMO_FROM}")
    parser.add_argument("--to", dest="to_date", type=_date, help=f"default {DEMO_TO}")
    parser.add_argument(
        "--days", type=int, help="so many market days, from --from on, otherwise up to --to"
    )
    parser.add_argument(
        "--mode", default=REALISTIC, help=f"{', '.join(NAMES)}; default {REALISTIC}"
    )
    parser.add_argument(
        "--effect",
        action="append",
        type=_effect,
        metavar="NAME=SIZE",
        help=f"what mode planted plants: {', '.join(EFFECTS)}; can be given again",
    )
    parser.add_argument(
        "--rough",
        action="store_true",
        help="volatility is a rough process (Hurst index 0.1), in any mode",
    )
    parser.add_argument(
        "--every",
        type=int,
        metavar="MINUTES",
        help=f"between snapshots; default {DEFAULT_CADENCE}, and {DEMO_CADENCE} without a range",
    )
    parser.add_argument(
        "--expiries",
        type=int,
        default=parameters.DEFAULT_EXPIRIES,
        help=f"of each underlying; default {parameters.DEFAULT_EXPIRIES}",
    )
    parser.add_argument(
        "--processes",
        type=int,
        default=min(os.cpu_count() or 1, _MOST_PROCESSES),
        help="that share the days; the bytes are the same",
    )


def synth_arguments(options: dict[str, Any]) -> dict[str, Any]:
    """What `market_synthesise` is given for parsed options.

    Raises ImportRefusedError for days and a whole range at once, or too few days or processes;
    ModeError; CalendarError.
    """
    ranged = any(options[name] is not None for name in ("from_date", "to_date", "days"))
    first, last = _range(options)
    for name in ("days", "processes"):
        if options[name] is not None and options[name] < 1:
            msg = f"--{name} {options[name]}: expected 1 or more"
            raise ImportRefusedError(msg)
    cadence = options["every"]
    if cadence is None:
        cadence = DEFAULT_CADENCE if ranged else DEMO_CADENCE
    return {
        "seed": options["seed"],
        "from_date": first,
        "to_date": last,
        "mode": mode_of(options["mode"], dict(options["effect"] or ()), rough=options["rough"]),
        "cadence_minutes": cadence,
        "expiries": options["expiries"],
        "processes": options["processes"],
    }


def _range(options: dict[str, Any]) -> tuple[date, date]:
    first, last, count = options["from_date"], options["to_date"], options["days"]
    if count is None or count < 1:
        return first or DEMO_FROM, last or DEMO_TO
    if first is not None and last is not None:
        msg = "--days with --from and --to; expected at most two of the three"
        raise ImportRefusedError(msg)
    step = timedelta(days=1 if first is not None else -1)
    day = first if first is not None else last or DEMO_TO
    found = [day] if calendar().is_market_day(day) else []
    while len(found) < count:
        day += step
        if calendar().is_market_day(day):
            found.append(day)
    return min(found), max(found)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        msg = f"{text!r} is not a date, expected YYYY-MM-DD"
        raise ArgumentTypeError(msg) from None


def _effect(text: str) -> tuple[str, float]:
    name, _, size = text.partition("=")
    try:
        return name, float(size)
    except ValueError:
        msg = f"{text!r} is not an effect, expected NAME=SIZE, as premium=0.25"
        raise ArgumentTypeError(msg) from None
