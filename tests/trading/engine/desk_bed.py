"""A desk over a made-up feed, with people who tell it things while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from journal.log.reader import read_session
from journal.spool import Command, write_command
from replay.recording import read_recording
from replay.runner import DayRunner
from tests.market_factory import (
    DAYS,
    MINUTE_US,
    SPOOL_KEY,
    Rig,
    chain_frame,
    factory_configuration,
)
from trading.engine.configuration import configuration_from_data
from trading.market.calendar import session_hours

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from journal.events import Event
    from trading.engine.configuration import Configuration
    from trading.market.frames import MarketFrame

CALM = (0.120, 0.121, 0.119, 0.120, 0.121)
FIRES = 0.150
START = session_hours(DAYS[0]).open_us + 10 * MINUTE_US


def frame(minute: int, volatility: float, underlying: str = "NIFTY", **rest: Any) -> MarketFrame:
    return chain_frame(underlying, START + minute * MINUTE_US, volatility, **rest)


def firing(underlying: str = "NIFTY", *, first: int = 0, **rest: Any) -> list[MarketFrame]:
    """Five calm frames and one that fires; the order fills on the next frame."""
    calm = [frame(first + i, CALM[i], underlying, **rest) for i in range(5)]
    return [*calm, frame(first + 5, FIRES, underlying, **rest)]


def configuration(capital_rupees: int = 50_000_000, **strategy: Any) -> Configuration:
    data = factory_configuration(lookback_snapshots=5, **strategy).to_data()
    data["desk"]["capital_rupees"] = capital_rupees
    return configuration_from_data(data, where="test")


def losing() -> list[MarketFrame]:
    """Sold at 15 %, left five minutes later at 25 %, at the twelfth minute."""
    rise = (0.15, 0.20, 0.22, 0.24, 0.25, 0.26, 0.25)
    return [*firing(), *[frame(6 + number, level) for number, level in enumerate(rise)]]


def high(first: int, last: int) -> list[MarketFrame]:
    """Calm at 25 %."""
    return [frame(minute, 0.13 + CALM[minute % 5]) for minute in range(first, last)]


Told = dict[int, list[Command]]


def tell(number: int, command: str, actor: str = "asha", **arguments: Any) -> Command:
    return Command(
        id=f"00000000-0000-4000-8000-{number:012}",
        session="day1",
        command=command,
        arguments=arguments,
        actor=actor,
        address="local",
        reason=f"reason {number}",
        issued_at=1,
    )


class Desk:
    """A session over a feed, with commands put into its spool before an instant of it."""

    def __init__(
        self,
        var_dir: Path,
        feed: Sequence[MarketFrame],
        told: Told | None = None,
        *,
        stop_before: int | None = None,
        **strategy: Any,
    ) -> None:
        ordered = sorted(feed, key=lambda each: (each.available_at, each.underlying == "BANKNIFTY"))
        self.told, self.stop_before, self.looks = told or {}, stop_before, 0
        self.rig = Rig(
            var_dir=var_dir,
            days=DAYS[:1],
            frames_of=lambda _: ordered,
            configuration=configuration(**strategy),
            stopping=self._look,
        )

    def _look(self) -> bool:
        """Asked before each instant: the ticks of each minute from the open on, and frames beside
        them; a command goes out before the first instant of its minute.
        """
        self.looks += 1
        for command in self.told.pop(self.looks, []):
            write_command(var_dir=self.rig.var_dir, key=SPOOL_KEY, command=command)
        return self.looks == self.stop_before

    def run(self) -> list[Event]:
        """Run, replay to the same bytes, return the events."""
        self.rig.run()
        with (self.rig.var_dir / "derived").open("wb") as derived:
            for day in read_recording(self.rig.directory).days:
                runner = DayRunner(day, session="day1", derived_to=derived, progress=lambda _: None)
                assert runner.run(unfinished=False).divergence is None
        return self.events()

    def events(self) -> list[Event]:
        return [line.to_event() for line in read_session(self.rig.directory)]


def look_at(minute: int) -> int:
    """The look before the tick of a minute of the feed, whose frames come with their ticks."""
    return 10 + minute + 1
