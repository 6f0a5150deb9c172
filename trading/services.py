"""What people can make the trading floor do."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import msgspec

from journal.log.session import checked_session_name, day_files, session_directory
from journal.log.writer import Durability
from trading.engine.configuration import (
    Configuration,
    ConfigurationError,
    StrategiesConfiguration,
    configuration_from_data,
    configuration_from_toml,
)
from trading.engine.resume import first_opening
from trading.engine.runner import Plan, SessionRunner, World
from trading.market.calendar import is_market_day
from trading.market.feed import FeedItem, closes, days_with_data, feed_items, files_of_days
from trading.market.store import MarketStore
from trading.version import code_version

if TYPE_CHECKING:
    from pathlib import Path

    from trading.execution.closing import Closes


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked of a session on the command line; None leaves it to the configuration (or the
    session's own).
    """

    session: str
    configuration_file: Path | None = None
    from_date: date | None = None
    to_date: date | None = None
    underlyings: tuple[str, ...] | None = None
    strategies: tuple[str, ...] | None = None
    speed: float | None = None  # times real time; None is as fast as possible
    durability: Durability = Durability.COMMIT


@dataclass(frozen=True, slots=True)
class SessionOutcome:
    """What a finished run says: where the log is, how many events, what was realised (paise), with
    which costs.
    """

    session: str
    directory: str
    events: int
    counts: dict[str, int]
    realised_paise: int
    costs: str


def session_run(*, wish: Wish, default_configuration: Path, world: World) -> SessionOutcome:
    """Run a session to its end, continuing an unfinished one of that name.

    Raises ConfigurationError, SessionError, LogError, StoreError or CalendarError, each one line;
    nothing is written before the configuration and the data are known to be good.
    """
    name = checked_session_name(wish.session)
    directory = session_directory(world.var_dir, name)
    store = MarketStore(world.var_dir / "market")
    configuration = _configuration(wish, directory, default_configuration)
    plan = _plan(wish, configuration, store)
    engine = SessionRunner(plan, world).run()
    return SessionOutcome(
        session=name,
        directory=str(directory),
        events=engine.state.next_seq - 1,
        counts=dict(sorted(engine.state.counts.items())),
        realised_paise=engine.state.realised_paise,
        costs=configuration.costs.profile,
    )


def _configuration(wish: Wish, directory: Path, default: Path) -> Configuration:
    """Return the session's own configuration when nothing else was asked for, else the file's with
    the wish applied.
    """
    nothing_asked = all(
        value is None
        for value in (
            wish.configuration_file,
            wish.from_date,
            wish.to_date,
            wish.underlyings,
            wish.strategies,
        )
    )
    opening = first_opening(directory) if day_files(directory) else None
    if nothing_asked and opening is not None:
        return configuration_from_data(opening["configuration"], where=str(directory))
    return _with_wish(_read(wish.configuration_file or default), wish)


def _read(path: Path) -> Configuration:
    try:
        text = path.read_text()
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: no such configuration file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read ({error})") from None
    return configuration_from_toml(text, where=str(path))


def _with_wish(configuration: Configuration, wish: Wish) -> Configuration:
    feed = msgspec.structs.replace(
        configuration.feed,
        from_date=wish.from_date.isoformat() if wish.from_date else configuration.feed.from_date,
        to_date=wish.to_date.isoformat() if wish.to_date else configuration.feed.to_date,
    )
    strategies = configuration.strategies
    if wish.strategies is not None:
        strategies = _chosen(strategies, wish.strategies)
    wanted = msgspec.structs.replace(
        configuration,
        feed=feed,
        strategies=strategies,
        underlyings=wish.underlyings or configuration.underlyings,
    )
    return configuration_from_data(wanted.to_data(), where="command line")


def _chosen(strategies: StrategiesConfiguration, names: tuple[str, ...]) -> StrategiesConfiguration:
    configured = [
        field for field in strategies.__struct_fields__ if getattr(strategies, field) is not None
    ]
    for name in names:
        if name not in configured:
            raise ConfigurationError(
                f"strategy {name!r} is not configured, expected some of {', '.join(configured)}"
            )
    return StrategiesConfiguration(**{name: getattr(strategies, name) for name in names})


def _plan(wish: Wish, configuration: Configuration, store: MarketStore) -> Plan:
    days = _days(configuration, store)
    daily = configuration.feed.daily

    @functools.lru_cache(maxsize=1)
    def frames_of(day: date) -> list[FeedItem]:
        return list(
            feed_items(
                store,
                configuration.underlyings,
                day,
                day,
                expiries=configuration.feed.expiries,
                strikes_each_side=configuration.feed.strikes_each_side,
                daily=daily,
            )
        )

    def closes_of(day: date) -> Closes:
        return closes(store, configuration.underlyings, day, daily=daily)

    return Plan(
        session=wish.session,
        configuration=configuration,
        days=days,
        frames_of=frames_of,
        closes_of=closes_of,
        code_version=code_version(),
        speed=wish.speed,
        durability=wish.durability,
        data=files_of_days(store, configuration.underlyings, days, daily=daily),
    )


def _days(configuration: Configuration, store: MarketStore) -> list[date]:
    """Return the market days with data in the configured range; ConfigurationError names what the
    store holds otherwise.
    """
    first, last = _range(configuration)
    held = days_with_data(store, configuration.underlyings, daily=configuration.feed.daily)
    days = [
        day
        for day in held
        if (first is None or first <= day) and (last is None or day <= last) and is_market_day(day)
    ]
    if days:
        return days
    names = " and ".join(configuration.underlyings)
    if not held:
        raise ConfigurationError(
            f"the market store holds no {names} chains; "
            "run `manage.py market import PATH` or `market synth`"
        )
    raise ConfigurationError(
        f"no {names} data from {first or 'the start'} to {last or 'the end'}; "
        f"the market store holds {held[0]} to {held[-1]}"
    )


def _range(configuration: Configuration) -> tuple[date | None, date | None]:
    feed = configuration.feed
    first = _date("feed.from_date", feed.from_date)
    last = _date("feed.to_date", feed.to_date)
    if first and last and first > last:
        raise ConfigurationError(f"from {first} is after to {last}")
    return first, last


def _date(field: str, text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise ConfigurationError(f"{field} is {text!r}, expected a date as YYYY-MM-DD") from None
