"""`manage.py push`: follow the newest session's log into the pages that are open."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from journal.push import Publisher


class Command(BaseCommand):
    help = "Push the newest session's durable log into open pages, at most 4 frames a second."

    def handle(self, *args: Any, **options: Any) -> None:
        asyncio.run(_run())


async def _run() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await Publisher(settings.VAR_DIR, redis_url=settings.REDIS_URL).run(stop)
