"""The socket of the live figures: it pushes and takes no orders; every command is a form."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.contrib.auth import get_user
from django.db import Error as DatabaseError
from django.utils.module_loading import import_string
from redis.exceptions import RedisError

from journal.access import Role, roles_of
from journal.push import group_name

if TYPE_CHECKING:
    from django.contrib.sessions.backends.base import SessionBase

logger = logging.getLogger("brahmastra.push")

CLOSE_RESYNC = 4000
CLOSE_SIGNED_OUT = 4401
CLOSE_NOT_ALLOWED = 4403
RECHECK_SECONDS = 30.0

# Someone with several roles listens in the group of the first of these.
PRECEDENCE = (Role.OPERATOR, Role.ADMIN, Role.COMPLIANCE, Role.VIEWER)


class CockpitConsumer(AsyncWebsocketConsumer):
    """One open page. Who is signed in is asked at the start and again every 30 s, from the store:
    the scope's user was read once and may have been signed out since."""

    recheck_seconds = RECHECK_SECONDS
    role: Role | None = None
    _recheck: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        # A refusal before accepting reaches the browser as 1006, which it would retry for ever.
        await self.accept()
        code = await self._admit()
        if code is not None:
            await self.close(code)
            return
        self._recheck = asyncio.create_task(self._keep_checking())

    async def disconnect(self, code: int) -> None:
        if self._recheck is not None:
            self._recheck.cancel()
        if self.role is not None:
            await self.channel_layer.group_discard(group_name(self.role), self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Nothing is taken from a page here."""

    async def cockpit_frame(self, event: dict[str, Any]) -> None:
        await self.send(text_data=event["html"])

    async def _admit(self) -> int | None:
        """Join the group of the person's role; return the close code when there is none."""
        signed_in, roles = await database_sync_to_async(_who)(self.scope["session"].session_key)
        if not signed_in:
            return CLOSE_SIGNED_OUT
        role = next((role for role in PRECEDENCE if role in roles), None)
        if role is None:
            return CLOSE_NOT_ALLOWED
        if self.role not in {None, role}:
            await self.channel_layer.group_discard(group_name(self.role), self.channel_name)
        # Again each time: a membership expires (`group_expiry`), and a bus that was restarted has
        # none.
        await self.channel_layer.group_add(group_name(role), self.channel_name)
        self.role = role
        return None

    async def _keep_checking(self) -> None:
        while True:
            await asyncio.sleep(self.recheck_seconds)
            try:
                code = await self._admit()
            except (DatabaseError, RedisError, OSError) as error:
                logger.warning("who reads a live page cannot be asked now: %s", error)
                continue
            if code is not None:
                await self.close(code)
                return


def _who(session_key: str | None) -> tuple[bool, frozenset[Role]]:
    """Return whether a session is signed in, and with which roles, fresh from the store."""
    if session_key is None:
        return False, frozenset()
    store: SessionBase = import_string(f"{settings.SESSION_ENGINE}.SessionStore")(session_key)
    user = get_user(SimpleNamespace(session=store))  # type: ignore[arg-type]
    return user.is_authenticated, roles_of(user)
