"""ASGI: pages by Django, sockets by Channels."""

from __future__ import annotations

import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "brahmastra_site.settings")

# Django must be set up before a consumer, which imports models, is imported.
_pages = get_asgi_application()

from brahmastra_site.warmth import prepare_pages  # noqa: E402
from journal.routing import websocket_urlpatterns  # noqa: E402

prepare_pages()

application = ProtocolTypeRouter(
    {
        "http": _pages,
        "websocket": AllowedHostsOriginValidator(
            AuthMiddlewareStack(URLRouter(websocket_urlpatterns))
        ),
    }
)
