"""What a monitor may ask of the journal, in Prometheus' text exposition format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings

from journal.log.session import session_names
from journal.selectors import mirror_lags

if TYPE_CHECKING:
    from collections.abc import Callable

    from journal.selectors import MirrorLag

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
NOT_KNOWN = "NaN"

GAUGES: tuple[tuple[str, str, Callable[[MirrorLag], str]], ...] = (
    ("log_durable_line", "Last durable line of the log.", lambda lag: str(lag.durable)),
    ("mirror_line", "Last line in the audit store.", lambda lag: str(lag.mirrored)),
    ("mirror_lag_lines", "Durable lines not in the audit store.", lambda lag: str(lag.behind)),
    (
        "mirror_lag_seconds",
        "Age of the oldest durable line not in the audit store.",
        lambda lag: NOT_KNOWN if lag.age_us is None else f"{lag.age_us / 1_000_000:.6f}",
    ),
)


def metrics_text() -> str:
    """Return every gauge of every session that has a log; one query."""
    lags = mirror_lags(session_names(settings.VAR_DIR)).values()
    lines: list[str] = []
    for name, help_text, value in GAUGES:
        lines += [f"# HELP brahmastra_{name} {help_text}", f"# TYPE brahmastra_{name} gauge"]
        # A session's name has no character that a label would have to escape.
        lines += [f'brahmastra_{name}{{session="{lag.session}"}} {value(lag)}' for lag in lags]
    return "\n".join(lines) + "\n"
