"""The addresses of the sockets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.urls import path

from journal.consumers import CockpitConsumer

if TYPE_CHECKING:
    from django.urls import URLPattern

websocket_urlpatterns: list[URLPattern] = [
    path("ws/cockpit/", CockpitConsumer.as_asgi()),  # type: ignore[arg-type]
]
