"""Who comes and goes, into the desk's own log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from axes.signals import user_locked_out
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed

from journal.services import desk_record

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.http import HttpRequest


def connect() -> None:
    """Write down sign-ins, sign-outs, failures and lockouts from now on."""
    for signal, receiver in (
        (user_logged_in, _signed_in),
        (user_logged_out, _signed_out),
        (user_login_failed, _sign_in_failed),
        (user_locked_out, _locked_out),
    ):
        signal.connect(receiver, dispatch_uid=f"brahmastra_site.desk_signals.{receiver.__name__}")


def address_of(request: HttpRequest | None) -> str:
    """Return where whoever asks sits."""
    return (request.META.get("REMOTE_ADDR") if request is not None else None) or "unknown"


def _signed_in(*, request: HttpRequest | None, user: AbstractBaseUser, **_: Any) -> None:
    _record("desk.signed_in", user.get_username(), request)


def _signed_out(*, request: HttpRequest | None, user: AbstractBaseUser | None, **_: Any) -> None:
    if user is not None:  # else a session that had ended already
        _record("desk.signed_out", user.get_username(), request)


def _sign_in_failed(
    *, credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any
) -> None:
    _record("desk.sign_in_failed", str(credentials.get("username") or ""), request)


def _locked_out(*, request: HttpRequest | None, username: str | None, **_: Any) -> None:
    _record("desk.locked_out", username or "", request)


def _record(kind: str, actor: str, request: HttpRequest | None) -> None:
    desk_record(kind=kind, actor=actor, address=address_of(request), data={})
