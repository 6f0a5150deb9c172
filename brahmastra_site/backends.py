"""The password backend, bringing a user's roles with the user: one query a request, not two."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Q

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser


class RoleBackend(ModelBackend):
    """ModelBackend whose users carry `role_names`."""

    def get_user(self, user_id: int) -> AbstractBaseUser | None:
        user = (
            User.objects.filter(pk=user_id)
            .annotate(
                role_names=ArrayAgg(
                    "groups__name", filter=Q(groups__name__isnull=False), default=[]
                )
            )
            .first()
        )
        return user if user is not None and self.user_can_authenticate(user) else None
