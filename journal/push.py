"""Push: the newest session's durable log into Channels groups, one a role, as rendered cells.

Latest state at a fixed rate and never one message an event: a socket has no back-pressure, so a
slow reader must only ever miss frames, not pile them up.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

import redis.asyncio
from asgiref.sync import sync_to_async
from channels.exceptions import ChannelFull
from channels.layers import get_channel_layer
from django.template.loader import render_to_string
from redis.exceptions import RedisError

from journal.access import Role
from journal.live import (
    FIGURES_EXPIRY_SECONDS,
    FIGURES_KEY,
    LiveFigures,
    Tail,
    newest_session,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

logger = logging.getLogger("brahmastra.push")

FRAME_SECONDS = 0.25
BEAT_SECONDS = 1.0
LOOK_SECONDS = 1.0  # how often a newer session is looked for


def group_name(role: Role) -> str:
    """Return the Channels group of a role."""
    return f"cockpit.{role.value}"


def render_cells(figures: LiveFigures, *, role: Role, now_us: int) -> str:
    """Return the cells as HTML for one role."""
    return render_to_string(
        "journal/live_cells.html", {"live": figures, "role": role.value, "now_us": now_us}
    )


def render_beat(now_us: int) -> str:
    """Return the heartbeat: the server's time and nothing else."""
    return render_to_string("journal/live_beat.html", {"now_us": now_us, "oob": True})


class Publisher:
    """Keeps the figures, and sends what changed."""

    def __init__(self, var_dir: Path, *, redis_url: str) -> None:
        self._var_dir = var_dir
        self._store = redis.asyncio.Redis.from_url(redis_url)
        self._layer = get_channel_layer()
        self._tail: Tail | None = None
        self._sent: LiveFigures | None = None
        self._looked_at = float("-inf")
        self._beat_at = float("-inf")
        self._left_at = float("-inf")

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until `stop` is set; a bus that is down is waited for, with one line said."""
        down = False
        while not stop.is_set():
            started = time.monotonic()
            try:
                await self.publish_once(started)
                if down:
                    logger.warning("Valkey answers again")
                down = False
            except (RedisError, OSError) as error:
                if not down:
                    logger.warning("Valkey does not answer (%s); waiting for it", error)
                down, self._sent = True, None
            pause = max(0.0, FRAME_SECONDS - (time.monotonic() - started))
            try:
                await asyncio.wait_for(stop.wait(), timeout=pause or 0.001)
            except TimeoutError:
                continue
        await self._store.aclose()

    async def publish_once(self, at: float) -> bool:
        """Read, keep and send once; return whether a frame went out. `at` is a monotonic second."""
        figures = await sync_to_async(self._read)(at)
        changed = figures is not None and figures != self._sent
        if figures is not None and changed:
            await self._store.set(FIGURES_KEY, figures.to_json(), ex=FIGURES_EXPIRY_SECONDS)
            await self._send_all(
                lambda role, now_us: render_cells(figures, role=role, now_us=now_us)
            )
            self._sent, self._beat_at = figures, at
        elif at - self._beat_at >= BEAT_SECONDS:
            if figures is not None:
                await self._store.expire(FIGURES_KEY, FIGURES_EXPIRY_SECONDS)
            await self._send_all(lambda _, now_us: render_beat(now_us))
            self._beat_at = at
        return changed

    def _read(self, at: float) -> LiveFigures | None:
        if at - self._looked_at >= LOOK_SECONDS:
            self._looked_at = at
            name = newest_session(self._var_dir)
            if name is not None and (self._tail is None or name != self._tail.figures.session):
                self._tail = Tail(self._var_dir, name)
        return self._tail.advance() if self._tail is not None else None

    async def _send_all(self, render: Callable[[Role, int], str]) -> None:
        """Render once a role and send, a frame's time after what was sent before: a slow reading
        of the log must not let two frames leave close together.
        """
        await asyncio.sleep(self._left_at + FRAME_SECONDS - time.monotonic())
        now_us = time.time_ns() // 1000
        try:
            for role in Role:
                await self._send(role, render(role, now_us))
        finally:
            self._left_at = time.monotonic()

    async def _send(self, role: Role, html: str) -> None:
        try:
            await self._layer.group_send(group_name(role), {"type": "cockpit.frame", "html": html})
        except ChannelFull:
            logger.warning("a reader in %s is too slow; it misses this frame", group_name(role))
