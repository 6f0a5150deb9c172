"""What a session is told to do: one TOML file, checked whole before anything starts, recorded in
the log with its digest.
"""

from __future__ import annotations

import re
import tomllib
from hashlib import sha256
from typing import Any

import msgspec

from journal.log.canonical import canonical_bytes
from trading.costs.brokers import CUSTOM, Broker, broker_named, broker_names, custom_broker
from trading.costs.rates import CostError
from trading.execution.paper_model import BrokerConfiguration
from trading.pricing.profiles import MARKET, PROFILES

UNDERLYINGS = ("NIFTY", "BANKNIFTY")
GROSS = "GROSS"
STRATEGIES = ("S4",)

_CLOCK_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)\Z")


class ConfigurationError(ValueError):
    """A configuration cannot be used; names the file, the field and what was expected."""


class FeedConfiguration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which stored frames reach the engine: `expiries` nearest ones, `strikes_each_side` of the
    forward, IST dates inclusive. With `daily` every day is decided on the end-of-day record of the
    day before, also where there are snapshots. `live_cadence_seconds` is how often a live feed
    speaks that takes the place of stored frames, None where they are what is traded on.
    """

    expiries: int = 4
    strikes_each_side: int = 30
    from_date: str | None = None
    to_date: str | None = None
    daily: bool = False
    live_cadence_seconds: int | None = None


class CustomBrokerConfiguration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a broker of one's own takes: paise for an executed order of options (and the most for
    one of futures), paise for an exercised one, 10^-9 of a future's turnover.
    """

    order_paise: int
    exercise_order_paise: int
    future_rate_e9: int
    gst_on_investor_protection: bool


class CostConfiguration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The cost profile; there is no default. GROSS means no costs are taken off and every figure
    says so; another is a broker's, or CUSTOM with its figures. `stress` multiplies every charge.
    """

    profile: str
    stress: int = 1
    custom: CustomBrokerConfiguration | None = None

    @property
    def gross(self) -> bool:
        """Whether nothing is taken off."""
        return self.profile == GROSS

    @property
    def label(self) -> str:
        """The profile as figures name it."""
        return self.profile if self.stress == 1 else f"{self.profile} x{self.stress}"

    def broker(self) -> Broker:
        """The broker of the profile. Raises CostError for another name."""
        if self.custom is None:
            return broker_named(self.profile)
        return custom_broker(**msgspec.structs.asdict(self.custom))


class DeskConfiguration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the desk may lose from: its capital in rupees. The limits are shares of it, so there is
    no default. `leg_seconds` is how long the legs of an entry may be filled unevenly.
    """

    capital_rupees: int
    leg_seconds: int = 60

    @property
    def capital_paise(self) -> int:
        return 100 * self.capital_rupees


class S4Configuration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """S4 on the parity ATM implied volatility of the nearest expiry; z over `lookback_snapshots`
    earlier snapshots.
    """

    lookback_snapshots: int
    entry_z: float
    hold_minutes: int
    lots: int = 1


class StrategiesConfiguration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The strategies that run; one left out does not."""

    S4: S4Configuration | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Those that run."""
        return () if self.S4 is None else ("S4",)


class SurfaceConfiguration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How often an option surface is fitted to whole chains, by which profile: once an underlying
    in every `every_minutes` minutes of the day, counted from its opening; 0 fits every whole chain.
    A session without this section fits none.
    """

    every_minutes: int
    profile: str = MARKET.name


class GateConfiguration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of the risk gates: IST times of day as HH:MM, the chain's greatest age in seconds (or
    twice its feed's cadence, where that is longer), fresh chains to wait for after a halt.
    """

    first_entry: str
    last_entry: str
    chain_age_seconds: int
    resume_chains: int = 5


class Configuration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything a session is told."""

    name: str
    underlyings: tuple[str, ...]
    desk: DeskConfiguration
    costs: CostConfiguration
    gates: GateConfiguration
    strategies: StrategiesConfiguration
    feed: FeedConfiguration = FeedConfiguration()
    surface: SurfaceConfiguration | None = None
    broker: BrokerConfiguration = BrokerConfiguration()

    def to_data(self) -> dict[str, Any]:
        """Return the configuration as the log records it."""
        data = msgspec.to_builtins(self)
        data["underlyings"] = list(self.underlyings)
        return data  # type: ignore[no-any-return]

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the canonical bytes."""
        return sha256(canonical_bytes(self.to_data())).hexdigest()


def configuration_from_toml(text: str, *, where: str) -> Configuration:
    """Return the checked configuration of a TOML text; `where` names its file in errors."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{where}: not TOML ({error})") from None
    return configuration_from_data(content, where=where)


def configuration_from_data(data: object, *, where: str) -> Configuration:
    """Return the checked configuration of plain values; `where` names their origin in errors."""
    try:
        configuration = msgspec.convert(data, Configuration)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{where}: {error}") from None
    _check(configuration, where)
    return configuration


def seconds_of_day(clock_time: str) -> int:
    """Return seconds since midnight of an HH:MM text; raises ConfigurationError."""
    match = _CLOCK_TIME.match(clock_time)
    if match is None:
        raise ConfigurationError(f"time {clock_time!r}: expected HH:MM")
    return int(match[1]) * 3600 + int(match[2]) * 60


def _check(configuration: Configuration, where: str) -> None:
    known = ", ".join(UNDERLYINGS)
    if not configuration.underlyings:
        raise ConfigurationError(f"{where}: underlyings is empty, expected some of {known}")
    for underlying in configuration.underlyings:
        if underlying not in UNDERLYINGS:
            raise ConfigurationError(
                f"{where}: unknown underlying {underlying!r}, expected {known}"
            )
    _check_costs(configuration.costs, where)
    gates = configuration.gates
    if seconds_of_day(gates.first_entry) >= seconds_of_day(gates.last_entry):
        raise ConfigurationError(
            f"{where}: gates.first_entry {gates.first_entry} is not before "
            f"last_entry {gates.last_entry}"
        )
    _check_positive(where, "desk.capital_rupees", configuration.desk.capital_rupees)
    _check_positive(where, "desk.leg_seconds", configuration.desk.leg_seconds)
    _check_positive(where, "gates.chain_age_seconds", gates.chain_age_seconds)
    _check_positive(where, "gates.resume_chains", gates.resume_chains)
    _check_positive(where, "feed.expiries", configuration.feed.expiries)
    _check_positive(where, "feed.strikes_each_side", configuration.feed.strikes_each_side)
    _check_live(configuration.feed, where)
    _check_surface(configuration.surface, where)
    problem = configuration.broker.problem()
    if problem is not None:
        raise ConfigurationError(f"{where}: {problem}")
    s4 = configuration.strategies.S4
    if s4 is not None:
        _check_positive(where, "strategies.S4.entry_z", s4.entry_z)
        _check_positive(where, "strategies.S4.hold_minutes", s4.hold_minutes)
        _check_positive(where, "strategies.S4.lots", s4.lots)
        if s4.lookback_snapshots < 3:
            raise ConfigurationError(
                f"{where}: strategies.S4.lookback_snapshots is {s4.lookback_snapshots}, "
                "expected 3 or more"
            )


def _check_live(feed: FeedConfiguration, where: str) -> None:
    if feed.live_cadence_seconds is None:
        return
    _check_positive(where, "feed.live_cadence_seconds", feed.live_cadence_seconds)
    if feed.daily:
        raise ConfigurationError(f"{where}: feed.daily is of stored records, not of a live feed")


def _check_surface(surface: SurfaceConfiguration | None, where: str) -> None:
    if surface is None:
        return
    if surface.every_minutes < 0:
        raise ConfigurationError(
            f"{where}: surface.every_minutes is {surface.every_minutes}, expected 0 or more"
        )
    if surface.profile not in PROFILES:
        raise ConfigurationError(
            f"{where}: surface.profile is {surface.profile!r}, expected one of "
            f"{', '.join(PROFILES)}"
        )


def _check_costs(costs: CostConfiguration, where: str) -> None:
    known = (GROSS, *broker_names(), CUSTOM)
    if costs.profile not in known:
        raise ConfigurationError(
            f"{where}: costs.profile is {costs.profile!r}, expected one of {', '.join(known)}"
        )
    if (costs.profile == CUSTOM) != (costs.custom is not None):
        raise ConfigurationError(
            f"{where}: costs.custom goes with profile {CUSTOM}, and only with it"
        )
    if costs.stress not in {1, 2, 3} or (costs.gross and costs.stress != 1):
        raise ConfigurationError(
            f"{where}: costs.stress is {costs.stress}, expected 1, 2 or 3 (1 where costs are GROSS)"
        )
    try:
        if not costs.gross:
            costs.broker()
    except CostError as error:
        raise ConfigurationError(f"{where}: costs.custom: {error}") from None


def _check_positive(where: str, field: str, value: float) -> None:
    if not value > 0:
        raise ConfigurationError(f"{where}: {field} is {value}, expected more than 0")
