"""What every template may ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils.functional import SimpleLazyObject

from brahmastra_site.selectors import frame_for

if TYPE_CHECKING:
    from django.http import HttpRequest


def frame(request: HttpRequest) -> dict[str, Any]:
    """The frame, worked out only when a template uses it: fragments do not pay for it."""
    return {"frame": SimpleLazyObject(lambda: frame_for(request))}
