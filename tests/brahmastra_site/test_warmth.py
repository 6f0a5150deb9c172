"""A server has paid for its first request before it answers; a command has not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from brahmastra_site.launcher.environment import REPOSITORY

_SERVER = """
import json, sys
import brahmastra_site.asgi
before = set(sys.modules)
from django.template import engines
from django.urls import resolve
from trading.market.calendar import calendar
view = resolve("/market/")
html = engines["django"].engine.get_template("trading/market_held.html")
loader = engines["django"].engine.template_loaders[0]
while not hasattr(loader, "get_template_cache"):
    loader = loader.loaders[0]  # the one of partials stands around the one that keeps
print(json.dumps({
    "view": view.view_name,
    "imported": sorted(set(sys.modules) - before),
    "calendar": calendar.cache_info().misses,
    "templates": len(loader.get_template_cache),
}))
"""
_COMMAND = """
import json, sys
import django
django.setup()
print(json.dumps({"heavy": [name for name in ("duckdb", "scipy", "numpy") if name in sys.modules]}))
"""


def _said(programme: str) -> dict[str, Any]:
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", programme],
        cwd=REPOSITORY,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "brahmastra_site.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    said: dict[str, Any] = json.loads(ended.stdout)
    return said


def test_a_server_s_first_page_imports_reads_and_parses_nothing_more() -> None:
    said = _said(_SERVER)
    assert said["view"] == "trading:market"
    assert said["imported"] == []
    assert said["calendar"] == 1
    templates = len([*(REPOSITORY / "templates").rglob("*.html")])
    assert said["templates"] >= templates


def test_the_start_of_a_command_stays_light() -> None:
    assert _said(_COMMAND)["heavy"] == []
