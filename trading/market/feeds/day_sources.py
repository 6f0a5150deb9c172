"""Which files of the store a day is made of, and the chain rows in them."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, time, timedelta
from typing import TYPE_CHECKING

from trading.market.calendar import CalendarError, calendar, instant_us, session_hours
from trading.market.feeds.chains import LEGS, ordered
from trading.market.frames import FrameSource
from trading.market.store import CHAIN_SNAPSHOTS, sql_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from trading.market.store import Entry
    from trading.market.timeguard import Columns, TimeGuard

BARS = {"spot_bars": "spot", "future_bars": "future"}
CHAIN_CADENCE_US = 60_000_000  # of a collection that states none
INDEX_CLOSES = "index_closes"  # of the day before: what the circuit breaker counts from
_SOURCES = (CHAIN_SNAPSHOTS, *BARS, "vix", "prints", "market_status", INDEX_CLOSES)


def span_of_day(day: date) -> tuple[int, int]:
    """The first instant of an IST date and that of the next, µs UTC."""
    return instant_us(day, time(0)), instant_us(day + timedelta(days=1), time(0))


def closes_known_from_us(day: date) -> int:
    """From when on the closes of the market day before a day can be known, µs UTC: its own close.
    Raises CalendarError where the calendar does not say.
    """
    return session_hours(calendar().previous_market_day(day)).close_us


def entries_of_day(
    guard: TimeGuard, underlyings: Sequence[str], day: date
) -> dict[str, list[Entry]]:
    """The entries a day is made of, by category. A day is of one market: where chains were recorded
    nothing generated is mixed in, and the other way round.
    """
    first, past = span_of_day(day)
    known_from = dict.fromkeys(_SOURCES, first)
    with suppress(CalendarError):
        known_from[INDEX_CLOSES] = closes_known_from_us(day)
    chains = [
        entry
        for entry in guard.entries(CHAIN_SNAPSHOTS)
        if any(day.isoformat() in entry.days.get(name, ()) for name in underlyings)
    ]
    synthetic = bool(chains) and all(entry.source.synthetic for entry in chains)
    found = {
        category: [
            entry
            for entry in guard.entries(category)
            if entry.source.synthetic == synthetic
            and entry.ranges["available_at"][0] < past
            and entry.ranges["available_at"][1] >= known_from[category]
        ]
        for category in _SOURCES[1:]
    }
    found[CHAIN_SNAPSHOTS] = _closest(e for e in chains if e.source.synthetic == synthetic)
    return found


def chain_rows(
    guard: TimeGuard,
    entries: Sequence[Entry],
    underlyings: Sequence[str],
    *,
    from_us: int,
    past_us: int,
) -> Columns:
    """The chain rows that became known in a span, in the order `snapshots` takes them; empty when
    there is none. Underlyings and sources stand as indices into `underlyings` and `entries`.
    """
    if not entries:
        return {}
    columns = guard.window(
        CHAIN_SNAPSHOTS,
        from_us=from_us,
        past_us=past_us,
        entries=entries,
        columns=(
            "available_at",
            "as_of",
            "exchange_stamp",
            "collection_stamp",
            "expiry",
            "strike_paise",
            "spot_paise",
            f"{_position('underlying', underlyings)} AS underlying_index",
            f"{_position('source_digest', [e.source.digest for e in entries])} AS source_index",
            *LEGS,
        ),
        where={"underlying": tuple(underlyings)},
        in_order=False,
    )
    return ordered(columns) if columns else {}


def _position(column: str, values: Sequence[str]) -> str:
    """SQL for where a text column's value stands among those it can have. A CASE costs a third of
    list_position, and one value need not be read at all.
    """
    if len(values) == 1:
        return "0"
    cases = " ".join(f"WHEN '{sql_text(value)}' THEN {at}" for at, value in enumerate(values))
    return f"CASE {column} {cases} END"


def chain_sources(entries: Sequence[Entry]) -> tuple[list[FrameSource], list[int]]:
    """The source of each entry and how often it speaks, µs."""
    return (
        [frame_source(entry) for entry in entries],
        [entry.cadence_us or CHAIN_CADENCE_US for entry in entries],
    )


def frame_source(entry: Entry) -> FrameSource:
    """Where rows of an entry came from, as a frame says it."""
    source = entry.source
    return FrameSource(
        name=source.name,
        digest=source.digest,
        synthetic=source.synthetic,
        seed=source.seed,
        generator_version=source.generator_version,
        mode=source.mode,
    )


def _closest(chains: Iterable[Entry]) -> list[Entry]:
    """Of several collections of one day's chains the one that looked most often; two are never
    mixed, because a frame between two of theirs would be of neither.
    """
    by_name: dict[str, list[Entry]] = {}
    for entry in chains:
        by_name.setdefault(entry.source.name, []).append(entry)
    if not by_name:
        return []
    return min(
        by_name.values(),
        key=lambda group: (group[0].cadence_us or CHAIN_CADENCE_US, group[0].source.name),
    )
