"""What the log of a day holds of its market-wide halts, for a live session that goes on with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from journal.facts import halt_closes
from trading.market.circuit_breakers import INDEX
from trading.market.feeds.live_halts import DayHeard
from trading.market.frames import Standing
from trading.market.quality import Reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from journal.events import Event


def halts_heard(events: Sequence[Event]) -> DayHeard:
    """What was heard since the day opened, by its events in their order from `day.opened` on. The
    values of an index are those its frames show: one that is not traded, as SENSEX, has none, and
    what its values led to is all that is known of it.
    """
    opened = next((event.data for event in events if event.kind == "day.opened"), None)
    said = [event.data for event in events if event.kind == "market.status"]
    frames = [event.data for event in events if event.kind == "market.frame" and event.key == INDEX]
    return DayHeard(
        {} if opened is None else halt_closes(opened["calendar"]),
        [(INDEX, _reading(frame)) for frame in frames if frame["spot_paise"] is not None],
        {
            status["underlying"]: Standing(**status["standing"])
            for status in said
            if "standing" in status
        },
    )


def _reading(frame: dict[str, Any]) -> Reading:
    """The value of the index that a frame shows, as it was received."""
    spot = frame["quality"]["spot"]
    return Reading(
        frame["spot_paise"],
        spot["as_of"],
        spot["available_at"],
        spot["source"],
        frame["cadence_us"],
    )
