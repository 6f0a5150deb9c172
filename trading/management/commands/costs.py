"""`manage.py costs`: what a day's legs cost, as a contract note bills it and exactly."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from datetime import date
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from trading.costs.brokers import CUSTOM, Broker, broker_named, broker_names, custom_broker
from trading.costs.legs import exercise_of, fill_of, paise_of_rupees, rate_e9_of_percent
from trading.costs.rates import CostError
from trading.costs.statement import Funding, Wish, shown, statement

if TYPE_CHECKING:
    from argparse import ArgumentParser

_LEG = "SIDE,UNDERLYING,EXPIRY,STRIKE,CE|PE,QUANTITY,PRICE"


class Command(BaseCommand):
    """The charges of one contract note."""

    help = (
        "What trades and exercises of one day cost in India: the contract note, rounded as it is "
        "billed, and the exact figures, each line with its rate, its dates and its source."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--date", required=True, type=_date, help="the day of the note")
        parser.add_argument(
            "--leg", action="append", default=[], metavar=_LEG, help="a trade; FUT for STRIKE,CE|PE"
        )
        parser.add_argument(
            "--exercise",
            action="append",
            default=[],
            metavar="…,SETTLEMENT",
            help="an option at its expiry: BUY for who holds it, SELL for who wrote it",
        )
        parser.add_argument(
            "--broker", default="zerodha", help=", ".join((*broker_names(), CUSTOM)).lower()
        )
        parser.add_argument("--exchange", help="NSE or BSE (default: the underlying's)")
        parser.add_argument(
            "--executed-orders", type=int, help="how many orders the legs were (default: one a leg)"
        )
        parser.add_argument("--stress", type=int, default=1, help="costs times 1, 2 or 3")
        custom = parser.add_argument_group("of a custom broker")
        custom.add_argument("--order-fee", help="rupees an executed order")
        custom.add_argument("--exercise-fee", help="rupees an exercised order (default: the same)")
        custom.add_argument("--futures-percent", help="of the turnover, capped by the order fee")
        custom.add_argument(
            "--gst-on-ipft", choices=("yes", "no"), help="the default is the broker's"
        )
        funding = parser.add_argument_group("funding of a margin")
        funding.add_argument("--margin", help="rupees blocked")
        funding.add_argument("--days", type=int, default=1, help="calendar days, default 1")
        funding.add_argument("--funding-percent", default="7", help="a year, default 7")
        parser.add_argument("--json", action="store_true", help="the note as JSON")

    def handle(self, **options: Any) -> None:
        try:
            told = statement(_wish(options))
        except CostError as error:
            raise CommandError(str(error)) from None
        if options["json"]:
            self.stdout.write(json.dumps(told, ensure_ascii=False))
        else:
            self.stdout.write("\n".join(shown(told)))


def _wish(options: dict[str, Any]) -> Wish:
    exchange = options["exchange"].upper() if options["exchange"] else None
    return Wish(
        day=options["date"],
        broker=_broker(options),
        fills=tuple(fill_of(text, exchange) for text in options["leg"]),
        exercises=tuple(
            exercise_of(text, options["date"], exchange) for text in options["exercise"]
        ),
        executed_orders=options["executed_orders"],
        stress=options["stress"],
        funding=_funding(options),
    )


def _broker(options: dict[str, Any]) -> Broker:
    name, fee, gst = options["broker"].upper(), options["order_fee"], options["gst_on_ipft"]
    if name != CUSTOM:
        if any(options[key] for key in ("order_fee", "exercise_fee", "futures_percent")):
            msg = f"fees are given with --broker custom, not with {name.lower()}"
            raise CostError(msg)
        broker = broker_named(name)
        return broker._replace(gst_on_investor_protection=gst == "yes") if gst else broker
    if fee is None:
        msg = "--broker custom: expected --order-fee, rupees an executed order"
        raise CostError(msg)
    order_paise = paise_of_rupees(fee, "--order-fee")
    exercise = options["exercise_fee"]
    return custom_broker(
        order_paise=order_paise,
        exercise_order_paise=(
            paise_of_rupees(exercise, "--exercise-fee") if exercise else order_paise
        ),
        future_rate_e9=rate_e9_of_percent(options["futures_percent"] or "100", "--futures-percent"),
        gst_on_investor_protection=gst == "yes",
    )


def _funding(options: dict[str, Any]) -> Funding | None:
    if options["margin"] is None:
        return None
    return Funding(
        paise_of_rupees(options["margin"], "--margin"),
        options["days"],
        rate_e9_of_percent(options["funding_percent"], "--funding-percent"),
    )


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        msg = f"{text!r} is not a date, expected YYYY-MM-DD"
        raise ArgumentTypeError(msg) from None
