"""Who asks: the four roles and the decorator that lets a view be reached by some of them.

It lives on the lowest floor because views of every floor need it; `brahmastra_site.roles` gives the
roles their permissions.
"""

from __future__ import annotations

from enum import StrEnum
from functools import wraps
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.contrib.auth.base_user import AbstractBaseUser
    from django.contrib.auth.models import AnonymousUser
    from django.http import HttpRequest, HttpResponse


class Role(StrEnum):
    """The roles, by the name of their group."""

    OPERATOR = "operator"
    COMPLIANCE = "compliance"
    VIEWER = "viewer"
    ADMIN = "admin"


EVERY_ROLE = frozenset(Role)


def roles_of(user: AbstractBaseUser | AnonymousUser) -> frozenset[Role]:
    """Return the roles of a user; empty for someone signed out or without one.

    One query, asked once an object: `brahmastra_site.backends` brings the names with the user.
    """
    if not user.is_authenticated or not user.is_active:
        return frozenset()
    names = getattr(user, "role_names", None)
    if names is None:
        names = list(user.groups.values_list("name", flat=True))  # type: ignore[attr-defined]
        user.role_names = names  # type: ignore[attr-defined]
    return frozenset(role for role in Role if role.value in names)


def role_required(
    *allowed: Role,
) -> Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponse]]:
    """Let a view be reached by these roles only; others get the 403 page.

    Signed-out people never come here: the sign-in middleware sends them to the sign-in page.
    """
    permitted = frozenset(allowed) or EVERY_ROLE

    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if permitted.isdisjoint(roles_of(request.user)):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return guarded

    return decorate
