"""What a session's run is asked to do, and what of the world it may touch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from journal.log.writer import Durability
from trading.execution.closing import Closes, no_closes
from trading.execution.paper import PaperBroker
from trading.execution.settlement import Settlements, no_settlements

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from journal.log.manifest import DataFile, Process
    from trading.engine.configuration import Configuration
    from trading.execution.broker import Broker
    from trading.market.feed import FeedItem
    from trading.market.feeds.live import LiveFeed


class Clock(Protocol):
    """Wall clock in µs UTC."""

    def __call__(self) -> int: ...


def no_halts_told(day: date) -> Mapping[str, int]:
    """What halts are counted from by a feed that tells none of itself."""
    del day
    return {}


def no_frames(day: date) -> Sequence[FeedItem]:
    """The stored frames of a day that is traded live."""
    del day
    return ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run.

    The session's name, its configuration, the days, and how to get what a day's feed brings: its
    stored frames, or a live feed. `ends` says whether the session is over with the last of the
    days.
    """

    session: str
    configuration: Configuration
    days: Sequence[date]
    code_version: str
    frames_of: Callable[[date], Sequence[FeedItem]] = no_frames
    live: LiveFeed | None = None
    ends: bool = True
    speed: float | None = None  # times real time; None is as fast as possible
    closes_of: Callable[[date], Closes] = no_closes  # of a day that has no market to look at
    settlements_of: Callable[[date], Settlements] = no_settlements  # of what expires on a day
    halts_from: Callable[[date], Mapping[str, int]] = no_halts_told  # closes before, by index
    durability: Durability = Durability.COMMIT
    pack: bool = True  # closed days
    data: Sequence[DataFile] = ()  # the market files the frames come from


def paper_broker(configuration: Configuration) -> Broker:
    """The broker of a session that trades on paper."""
    return PaperBroker(configuration.broker, gross=configuration.costs.gross)


@dataclass(frozen=True, slots=True)
class World:
    """What the runner may touch outside: files, the wall clock, waiting, and whether to stop; the
    broker of a configuration; and which process it is, for the manifest.
    """

    var_dir: Path
    spool_key: str
    clock: Clock
    sleep: Callable[[float], Awaitable[None]]
    stopping: Callable[[], bool]
    progress: Callable[[str], None]
    process: Process | None = None
    broker_of: Callable[[Configuration], Broker] = paper_broker
