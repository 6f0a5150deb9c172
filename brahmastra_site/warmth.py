"""What the first request would pay for all others, paid before a server answers."""

from __future__ import annotations

from pathlib import Path

from django.template import engines
from django.urls import get_resolver


def prepare_pages() -> None:
    """Import every view with what it needs, read the calendar, open a DuckDB, parse the templates.

    Belongs to the start of a server: no command needs it.
    """
    _ = get_resolver().url_patterns
    _open_the_market()
    _parse_templates()


def _open_the_market() -> None:
    # Here and not above: it is the resolver's work to import what the views need.
    from trading.market.calendar import calendar
    from trading.market.coverage import market_days
    from trading.market.store import connect

    market_days(calendar().first, calendar().last)
    with connect() as connection:
        connection.execute("SELECT 1").fetchall()


def _parse_templates() -> None:
    engine = engines["django"].engine
    _ = engine.template_context_processors
    for folder in map(Path, engine.dirs):
        for path in sorted(folder.rglob("*.html")):
            engine.get_template(path.relative_to(folder).as_posix())
