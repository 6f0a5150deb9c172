"""What the frame of every page shows: rooms, live figures and the chain of trust.

Only what is really known: a figure nobody has measured is not in the foot line.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import uuid4

from django.conf import settings
from django.urls import NoReverseMatch, reverse

from journal.access import Role, roles_of
from journal.kill_file import read_kill_file
from journal.live import LiveFigures, figures_from_store
from journal.selectors import mirror_lags
from replay.selectors import last_parity

if TYPE_CHECKING:
    from django.http import HttpRequest

    from journal.selectors import MirrorLag
    from replay.selectors import Parity

# Name, address, the key after `g`. A room is listed when its address exists.
ROOMS = (
    ("Signals", "trading:signals", "s"),
    ("Risk", "trading:risk", "k"),
    ("Surface", "trading:surface", "u"),
    ("Replay", "replay:runs", "r"),
    ("Journal", "journal:sessions", "j"),
    ("Market", "trading:market", "m"),
)


@dataclass(frozen=True, slots=True)
class Room:
    """A place in the navigation."""

    name: str
    url: str
    key: str
    current: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """Everything around a page. `mirror` is None before the session has anything durable."""

    rooms: tuple[Room, ...]
    roles: tuple[str, ...]
    role: str  # whose live cells these are
    may_stop: bool
    live: LiveFigures
    session: str
    mirror: MirrorLag | None
    parity: Parity | None
    now_us: int
    command_id: str
    build: str


def frame_for(request: HttpRequest) -> Frame:
    """Return the frame for whoever asks; two queries: the mirror's position, the last replay."""
    roles = roles_of(request.user)
    published = figures_from_store(settings.REDIS_URL) or LiveFigures()
    # The push process may be down: whether trading is stopped is read where it is decided.
    file = read_kill_file(settings.VAR_DIR)
    live = replace(published, stopped=file.words if file else "")
    return Frame(
        rooms=tuple(_rooms(request.path)),
        roles=tuple(sorted(role.value for role in roles)),
        role=Role.OPERATOR.value if Role.OPERATOR in roles else "",
        may_stop=Role.OPERATOR in roles,
        live=live,
        session=live.session,
        mirror=mirror_lags([live.session]).get(live.session) if live.session else None,
        parity=last_parity(session=live.session) if live.session else None,
        now_us=time.time_ns() // 1000,
        command_id=str(uuid4()),
        build=settings.BUILD,
    )


def _rooms(path: str) -> list[Room]:
    rooms = []
    for name, address, key in ROOMS:
        try:
            url = reverse(address)
        except NoReverseMatch:
            continue
        rooms.append(Room(name=name, url=url, key=key, current=path.startswith(url)))
    return rooms
