"""The socket of the live figures, on the real channel layer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.test import Client

from brahmastra_site.asgi import application
from journal.access import Role
from journal.consumers import CockpitConsumer
from journal.push import group_name

if TYPE_CHECKING:
    from django.contrib.auth.models import User

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio]


def socket_of(client: Client | None, *, origin: str | None = "http://localhost") -> Any:
    headers = [(b"host", b"localhost")]
    if origin is not None:
        headers.append((b"origin", origin.encode()))
    if client is not None:
        key = client.cookies[settings.SESSION_COOKIE_NAME].value
        headers.append((b"cookie", f"{settings.SESSION_COOKIE_NAME}={key}".encode()))
    return WebsocketCommunicator(application, "/ws/cockpit/", headers=headers)


@sync_to_async
def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


async def push(role: Role, html: str) -> None:
    await get_channel_layer().group_send(group_name(role), {"type": "cockpit.frame", "html": html})


async def close_code(communicator: Any) -> int:
    """Accepting first and closing then is what lets a browser see the code."""
    accepted, _ = await communicator.connect()
    assert accepted
    return await closing_code(communicator)


async def closing_code(communicator: Any) -> int:
    """Return the code the server closes with, and answer as a browser does."""
    message = await communicator.receive_output(timeout=2)
    assert message["type"] == "websocket.close"
    await communicator.disconnect()
    return int(message["code"])


async def test_someone_signed_out_is_told_so() -> None:
    assert await close_code(socket_of(None)) == 4401


async def test_someone_without_a_role_is_told_so(stranger: User) -> None:
    assert await close_code(socket_of(await signed_in(stranger))) == 4403


@pytest.mark.parametrize("origin", ["http://elsewhere.example", None])
async def test_another_sites_page_gets_nothing(operator: User, origin: str | None) -> None:
    communicator = socket_of(await signed_in(operator), origin=origin)
    accepted, _ = await communicator.connect()
    assert not accepted
    await communicator.wait()


async def test_each_hears_the_frames_of_his_role_alone(operator: User, viewer: User) -> None:
    one, other = socket_of(await signed_in(operator)), socket_of(await signed_in(viewer))
    await one.connect()
    await other.connect()
    await asyncio.sleep(0.1)
    await push(Role.OPERATOR, "<output>for operators</output>")
    await push(Role.VIEWER, "<output>for viewers</output>")
    assert await one.receive_from(timeout=2) == "<output>for operators</output>"
    assert await other.receive_from(timeout=2) == "<output>for viewers</output>"
    assert await one.receive_nothing(timeout=0.2)
    await one.disconnect()
    await other.disconnect()


async def test_an_idle_socket_outlives_the_bus_read(viewer: User) -> None:
    """A blocking read of 5 s under a shorter socket timeout used to end every idle socket."""
    communicator = socket_of(await signed_in(viewer))
    await communicator.connect()
    assert await communicator.receive_nothing(timeout=6.5, interval=0.5)
    await push(Role.VIEWER, "<output>still here</output>")
    assert await communicator.receive_from(timeout=2) == "<output>still here</output>"
    await communicator.disconnect()


async def test_what_a_page_sends_is_not_taken(viewer: User) -> None:
    communicator = socket_of(await signed_in(viewer))
    await communicator.connect()
    await communicator.send_to(text_data='{"type": "cockpit.frame", "html": "<b>mine</b>"}')
    assert await communicator.receive_nothing(timeout=0.3)
    await communicator.disconnect()


async def test_signing_out_elsewhere_closes_the_socket(
    viewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CockpitConsumer, "recheck_seconds", 0.2)
    client = await signed_in(viewer)
    communicator = socket_of(client)
    await communicator.connect()
    assert await communicator.receive_nothing(timeout=0.5)
    await sync_to_async(client.logout)()
    assert await closing_code(communicator) == 4401


async def test_a_role_taken_away_closes_and_a_role_changed_moves_the_socket(
    operator: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.contrib.auth.models import Group

    monkeypatch.setattr(CockpitConsumer, "recheck_seconds", 0.2)
    communicator = socket_of(await signed_in(operator))
    await communicator.connect()
    viewers = await Group.objects.aget(name="viewer")
    await operator.groups.aset([viewers])
    await asyncio.sleep(0.6)
    await push(Role.OPERATOR, "not any more")
    await push(Role.VIEWER, "<output>now</output>")
    assert await communicator.receive_from(timeout=2) == "<output>now</output>"
    await operator.groups.aclear()
    assert await closing_code(communicator) == 4403


async def test_a_page_that_stays_open_outlives_its_membership(
    viewer: User, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """A group forgets who joined longer than `group_expiry` ago, an hour; here two seconds."""
    layer = settings.CHANNEL_LAYERS["default"]
    short = layer | {"CONFIG": layer["CONFIG"] | {"group_expiry": 2}}
    settings.CHANNEL_LAYERS = {"default": short}
    monkeypatch.setattr(CockpitConsumer, "recheck_seconds", 0.2)
    communicator = socket_of(await signed_in(viewer))
    await communicator.connect()
    assert await communicator.receive_nothing(timeout=3.5, interval=0.5)
    await push(Role.VIEWER, "<output>still here</output>")
    assert await communicator.receive_from(timeout=2) == "<output>still here</output>"
    await communicator.disconnect()


async def test_who_reads_is_asked_again_after_a_time_it_could_not_be(
    viewer: User, monkeypatch: pytest.MonkeyPatch, owner_url: str
) -> None:
    monkeypatch.setattr(CockpitConsumer, "recheck_seconds", 0.2)
    client = await signed_in(viewer)
    communicator = socket_of(client)
    await communicator.connect()
    assert await communicator.receive_nothing(timeout=0.5)  # who comes in is asked after accepting
    await asyncio.to_thread(rename_table, owner_url, "django_session", "away")
    try:
        assert await communicator.receive_nothing(timeout=0.8)
    finally:
        await asyncio.to_thread(rename_table, owner_url, "away", "django_session")
    await push(Role.VIEWER, "<output>still here</output>")
    assert await communicator.receive_from(timeout=2) == "<output>still here</output>"
    await sync_to_async(client.logout)()
    assert await closing_code(communicator) == 4401


def rename_table(owner_url: str, name: str, other: str) -> None:
    """Let a table of the site be missing, or be there again."""
    with psycopg.connect(owner_url) as owner:
        owner.execute(f"ALTER TABLE app.{name} RENAME TO {other}")
