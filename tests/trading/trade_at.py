"""`python -m tests.trading.trade_at START_US BEGAN_US RATE trade …`: the command by another clock.
It showed START_US when the real one showed BEGAN_US (µs UTC) and runs RATE times as fast.

So a market is open whenever the tests run, and processes that follow each other share one clock.
"""

from __future__ import annotations

import os
import sys
import time

from brahmastra_site.launcher.environment import DETERMINISTIC


def main(start_us: int, began_us: int, rate: int, *words: str) -> None:
    """Run the command by that clock."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "brahmastra_site.settings")
    for name, value in DETERMINISTIC.items():
        os.environ.setdefault(name, value)
    import django

    django.setup()
    from trading.management.commands.trade import Command

    class CommandAt(Command):
        def clock(self) -> int:
            return start_us + (time.time_ns() // 1000 - began_us) * rate

    CommandAt().run_from_argv(["manage.py", *words])


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]), *sys.argv[4:])  # type: ignore[arg-type]
