"""Moments as people type them on the command line."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import datetime

from trading.market.ist import instant_us


def moment_us(text: str) -> int:
    """The µs UTC of an IST wall-clock moment; raises ArgumentTypeError for other text."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is not None:
        msg = f"{text!r} is not a moment in IST, expected YYYY-MM-DDTHH:MM:SS"
        raise ArgumentTypeError(msg)
    return instant_us(moment.date(), moment.time())
