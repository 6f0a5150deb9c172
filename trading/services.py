"""What people can make the trading floor do."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING

import msgspec

from journal.log.reader import first_opening
from journal.log.session import checked_session_name, day_files, session_directory
from journal.log.writer import Durability
from trading.costs.rates import CostError
from trading.engine.configuration import (
    Configuration,
    ConfigurationError,
    CostConfiguration,
    StrategiesConfiguration,
    configuration_from_data,
    configuration_from_toml,
)
from trading.engine.opening import tariff_of
from trading.engine.plan import Plan, World
from trading.engine.runner import SessionRunner
from trading.market.calendar import calendar, is_market_day, ist_date, session_hours
from trading.market.feed import (
    FeedItem,
    closes,
    days_with_data,
    feed_items,
    files_of_days,
    halts_counted_from,
    live_halts_counted_from,
    settlements,
)
from trading.market.feeds.adapters import Reconnecting, live_feed
from trading.market.store import MarketStore
from trading.version import code_version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from trading.engine.state import EngineState
    from trading.execution.closing import Closes
    from trading.execution.settlement import Settlements


LIVE_CADENCE_SECONDS = 5  # of a live feed that was not said to have another


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
    costs: str | None = None
    cost_stress: int | None = None
    speed: float | None = None  # times real time; None is as fast as possible
    live: str | None = None  # the address of a live feed in place of stored frames
    cadence_seconds: int | None = None  # of the live feed
    durability: Durability = Durability.COMMIT
    broker: Mapping[str, int] = field(default_factory=dict)  # fields of the broker's configuration


@dataclass(frozen=True, slots=True)
class SessionOutcome:
    """What a run says at its end: where the log is, how many events, what was realised (paise)
    before charges and after, with which costs; and whether the session is finished or has days to
    come.
    """

    session: str
    finished: bool
    directory: str
    events: int
    counts: dict[str, int]
    realised_paise: int
    net_paise: int | None
    costs: str


def session_run(*, wish: Wish, default_configuration: Path, world: World) -> SessionOutcome:
    """Run a session to its end, or a live one to the close of its day, continuing an unfinished one
    of that name.

    Raises ConfigurationError, AddressError, SessionError, LogError, StoreError or CalendarError,
    each one line; nothing is written before the configuration and the data are known to be good.
    """
    name = checked_session_name(wish.session)
    directory = session_directory(world.var_dir, name)
    store = MarketStore(world.var_dir / "market")
    configuration = _configuration(wish, directory, default_configuration)
    if wish.live is None:
        plan = _plan(wish, configuration, store)
    else:
        begun = bool(day_files(directory))
        plan = _live_plan(wish, configuration, store, world, begun=begun)
    engine = SessionRunner(plan, world).run()
    return SessionOutcome(
        session=name,
        finished=engine.state.ended,
        directory=str(directory),
        events=engine.state.next_seq - 1,
        counts=dict(sorted(engine.state.counts.items())),
        realised_paise=engine.state.realised_paise,
        net_paise=_net(engine.state, configuration),
        costs=configuration.costs.label,
    )


def _net(state: EngineState, configuration: Configuration) -> int | None:
    if configuration.costs.gross:
        return None
    return state.realised_paise - sum(state.fees_billed.values()) - state.funding.paise


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
            wish.cadence_seconds,
            wish.costs,
            wish.cost_stress,
            wish.broker or None,
        )
    )
    opening = first_opening(directory) if day_files(directory) else None
    if nothing_asked and opening is not None:
        configuration = configuration_from_data(opening["configuration"], where=str(directory))
    else:
        configuration = _with_wish(_read(wish.configuration_file or default), wish)
    _check_feed(wish, configuration)
    return configuration


def _check_feed(wish: Wish, configuration: Configuration) -> None:
    """Refuse a live session without its feed, and a recorded one with one."""
    is_live = configuration.feed.live_cadence_seconds is not None
    if is_live and wish.live is None:
        raise ConfigurationError(f"session {wish.session} is live: name its feed with --live")
    if wish.live is not None and not is_live:
        raise ConfigurationError(
            f"session {wish.session} is over stored frames: it has no live feed"
        )
    if wish.live is not None and wish.speed is not None:
        raise ConfigurationError("--speed is of stored frames, not of a live feed")


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
        live_cadence_seconds=_cadence_seconds(configuration, wish),
    )
    strategies = configuration.strategies
    if wish.strategies is not None:
        strategies = _chosen(strategies, wish.strategies)
    wanted = msgspec.structs.replace(
        configuration,
        feed=feed,
        strategies=strategies,
        underlyings=wish.underlyings or configuration.underlyings,
        costs=_wished_costs(configuration.costs, wish),
        broker=msgspec.structs.replace(configuration.broker, **wish.broker),
    )
    return configuration_from_data(wanted.to_data(), where="command line")


def _cadence_seconds(configuration: Configuration, wish: Wish) -> int | None:
    if wish.cadence_seconds is not None:
        return wish.cadence_seconds
    own = configuration.feed.live_cadence_seconds
    return LIVE_CADENCE_SECONDS if own is None and wish.live is not None else own


def _wished_costs(costs: CostConfiguration, wish: Wish) -> CostConfiguration:
    """The profile and stress that were asked for; another profile starts from a stress of 1."""
    if wish.costs is not None and wish.costs != costs.profile:
        return CostConfiguration(profile=wish.costs, stress=wish.cost_stress or 1)
    return msgspec.structs.replace(costs, stress=wish.cost_stress or costs.stress)


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
    _check_rates(configuration, days)
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

    def settlements_of(day: date) -> Settlements:
        return settlements(store, configuration.underlyings, day)

    def halts_from(day: date) -> dict[str, int]:
        return halts_counted_from(store, configuration.underlyings, day, daily=daily)

    return Plan(
        session=wish.session,
        configuration=configuration,
        days=days,
        frames_of=frames_of,
        closes_of=closes_of,
        settlements_of=settlements_of,
        halts_from=halts_from,
        code_version=code_version(),
        speed=wish.speed,
        durability=wish.durability,
        data=files_of_days(store, configuration.underlyings, days, daily=daily),
    )


def _live_plan(
    wish: Wish, configuration: Configuration, store: MarketStore, world: World, *, begun: bool
) -> Plan:
    """The plan of a live session's run: the day that is being traded, or is still to be, by the
    clock. A session that has `begun` may have a day to close instead.
    """
    address, cadence_seconds = wish.live, configuration.feed.live_cadence_seconds
    assert address is not None and cadence_seconds is not None  # noqa: S101, PT018 - of a live plan
    feed = live_feed(address, cadence_us=cadence_seconds * 1_000_000, sleep=world.sleep)
    now = world.clock()
    today = ist_date(now)
    first, last = _range(configuration)
    refused = _why_not_today(today, now, first, last)
    if refused and not begun:
        raise ConfigurationError(refused)
    if refused:
        world.progress(refused)
    _check_rates(configuration, () if refused else (today,))

    def settlements_of(day: date) -> Settlements:
        found = settlements(store, configuration.underlyings, day)
        return {name: price for name, price in found.items() if not price.synthetic}

    def halts_from(day: date) -> dict[str, int]:
        return live_halts_counted_from(store, day)

    return Plan(
        session=wish.session,
        configuration=configuration,
        days=() if refused else (today,),
        settlements_of=settlements_of,
        halts_from=halts_from,
        live=Reconnecting(feed, world.sleep, world.progress),
        ends=last is not None and not _has_market_day_after(today, last),
        code_version=code_version(),
        durability=wish.durability,
    )


def _why_not_today(today: date, now: int, first: date | None, last: date | None) -> str | None:
    """Why a day cannot be traded live, None when it can."""
    if (first and today < first) or (last and today > last):
        return f"today, {today}, is not from {first or 'the start'} to {last or 'the end'}"
    if not is_market_day(today, known_at_us=now):
        why = calendar().about(today, known_at_us=now).name or today.strftime("%A")
        return f"today, {today}, is not a market day ({why})"
    if now >= session_hours(today).close_us:
        return f"the market of today, {today}, is closed"
    return None


def _has_market_day_after(day: date, last: date) -> bool:
    following = day + timedelta(days=1)
    return any(True for _ in calendar().market_days(following, last))


def _check_rates(configuration: Configuration, days: Sequence[date]) -> None:
    """Refuse days whose charges nobody knows, before anything is written."""
    for day in days:
        try:
            tariff_of(configuration, day)
        except CostError as error:
            raise ConfigurationError(
                f"costs.profile {configuration.costs.profile}: {error}; "
                "`trade --costs gross` takes no costs off and says so"
            ) from None


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
