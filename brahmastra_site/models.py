"""What the desk's permissions hang on; there is no table behind it."""

from __future__ import annotations

from django.db import models


class Desk(models.Model):
    """The desk itself: carries permissions that belong to no row."""

    class Meta:
        managed = False
        default_permissions = ()
        permissions = (
            ("look", "Can look at signals, decisions and sessions"),
            ("stop_trading", "Can stop trading"),
            ("audit", "Can question the audit store"),
        )

    def __str__(self) -> str:
        return "the desk"
