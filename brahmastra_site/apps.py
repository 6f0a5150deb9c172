from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class SiteConfig(AppConfig):
    name = "brahmastra_site"
    verbose_name = "Site"

    def ready(self) -> None:
        import brahmastra_site.celery  # noqa: F401 - shared tasks go by way of this application
        from brahmastra_site.roles import write_groups

        post_migrate.connect(write_groups, sender=self, dispatch_uid="brahmastra_site.roles")
