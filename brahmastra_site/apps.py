from __future__ import annotations

from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "brahmastra_site"
    verbose_name = "Site"
