"""Celery: carries long work (replays, range verification, exports) to workers; `replay` has a queue
of its own.
"""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "brahmastra_site.settings")

app = Celery("brahmastra")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.set_default()
