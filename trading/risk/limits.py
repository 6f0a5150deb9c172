"""The limits in force: one dated file (`limits.toml`), checked whole, hashed; the session's own and
the exchange's beside them. All whole numbers, the unit in the name.
"""

from __future__ import annotations

import functools
import itertools
import tomllib
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from journal.log.canonical import canonical_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

_FILE = Path(__file__).with_name("limits.toml")
_FORMAT = "brahmastra-limits-1"


class LimitsError(ValueError):
    """Limits that cannot be used; the text names the figure and what was expected."""


class DeskLimits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the desk has set itself, from one date on; `limits.toml` says what each figure is."""

    last_expiry_sale_ist_seconds: int
    spot_age_us: int
    surface_age_us: int
    duplicate_window_us: int
    toxic_percentile_ppm: int
    toxicity_age_us: int
    regime_dwell_bars: int
    day_loss_half_ppm: int
    day_loss_block_ppm: int
    day_loss_flatten_ppm: int
    peak_loss_half_ppm: int
    peak_loss_stop_ppm: int
    trade_loss_ppm: int
    worst_move_ppm: int
    risk_budget_ppm: int
    strategy_share_ppm: int
    expiry_share_ppm: int
    strike_share_ppm: int
    underlying_share_ppm: int
    expiring_share_ppm: int
    delta_move_ppm: int
    scenario_loss_ppm: int
    vega_point_ppm: int
    margin_soft_ppm: int
    margin_hard_ppm: int
    regulatory_part_ppm: int
    premium_ppm: int
    order_lots: int
    collar_ppm: int
    collar_ticks: int
    collar_vol_points: int
    reducing_collar_factor: int
    band_reference_paise: int
    band_low_paise: int
    band_ppm: int
    messages_per_second: int
    messages_per_minute: int
    reserved_messages_per_second: int
    entries_per_day: int
    open_order_ppm: int
    losses_in_a_row: int
    reject_rate_ppm: int
    reject_window_us: int
    reject_least_orders: int
    slippage_deviations: int
    slippage_floor_paise: int
    profit_jump_deviations: int
    profit_jump_floor_ppm: int
    least_observations: int
    clock_skew_us: int
    cool_off_us: int


class Limits(DeskLimits, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All limits of a day: the desk's, the session's window, chain age and fresh chains after a
    halt, and our part of the exchange's position limits.
    """

    first_entry_ist_seconds: int
    last_entry_ist_seconds: int
    chain_age_us: int
    resume_chains: int
    regulatory_net_paise: int
    regulatory_gross_paise: int

    def age_us(self, name: str) -> int:
        """The greatest age of an input of gate 4: chain, spot or surface. Raises KeyError."""
        ages = {
            "chain": self.chain_age_us,
            "spot": self.spot_age_us,
            "surface": self.surface_age_us,
        }
        return ages[name]


class DatedLimits(NamedTuple):
    """The desk's limits, since when, and the SHA-256 (hex) of their canonical bytes."""

    since: date
    figures: DeskLimits
    digest: str


# Of these a larger figure is the stricter one; of all others a smaller.
STRICTER_WHEN_LARGER = frozenset(
    {
        "first_entry_ist_seconds",
        "resume_chains",
        "duplicate_window_us",
        "regime_dwell_bars",
        "worst_move_ppm",
        "cool_off_us",
    }
)
# What the exchange sets, and what says when a figure means anything: nobody at the desk moves them.
FIXED = frozenset(
    {
        "band_reference_paise",
        "band_low_paise",
        "band_ppm",
        "regulatory_part_ppm",
        "regulatory_net_paise",
        "regulatory_gross_paise",
        "reject_window_us",
        "reject_least_orders",
        "least_observations",
    }
)
_ASCENDING = (
    ("day_loss_half_ppm", "day_loss_block_ppm", "day_loss_flatten_ppm"),
    ("peak_loss_half_ppm", "peak_loss_stop_ppm"),
    ("margin_soft_ppm", "margin_hard_ppm"),
    ("first_entry_ist_seconds", "last_entry_ist_seconds"),
)


def desk_limits(day: date) -> DatedLimits:
    """The desk's limits in force on a day. Raises LimitsError before the file begins."""
    begun = [dated for dated in _file() if dated.since <= day]
    if not begun:
        msg = f"no limits for {day}; {_FILE.name} begins on {_file()[0].since}"
        raise LimitsError(msg)
    return begun[-1]


def limits_from_data(figures: Mapping[str, Any], *, where: str) -> Limits:
    """The checked limits of plain figures; `where` names their origin in errors."""
    try:
        limits = msgspec.convert(dict(figures), Limits)
    except msgspec.ValidationError as error:
        msg = f"{where}: {error}"
        raise LimitsError(msg) from None
    check_figures(msgspec.structs.asdict(limits), where=where)
    return limits


def check_figures(figures: Mapping[str, int], *, where: str) -> None:
    """Raise LimitsError unless every figure is above zero and what must ascend does."""
    for name, figure in figures.items():
        if figure <= 0:
            msg = f"{where}: {name} is {figure}, expected more than 0"
            raise LimitsError(msg)
    for names in _ASCENDING:
        known = [name for name in names if name in figures]
        for lower, higher in itertools.pairwise(known):
            if figures[lower] >= figures[higher]:
                msg = f"{where}: {lower} {figures[lower]} is not below {higher} {figures[higher]}"
                raise LimitsError(msg)


def is_looser(name: str, before: int, after: int) -> bool:
    """Whether a change lets more through."""
    return after < before if name in STRICTER_WHEN_LARGER else after > before


def limits_of_toml(text: str, *, where: str) -> tuple[DatedLimits, ...]:
    """The dated limits of a file, ascending; raises LimitsError for what is not one."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        msg = f"{where}: not TOML ({error})"
        raise LimitsError(msg) from None
    if content.get("format") != _FORMAT or not content.get("limits"):
        msg = f"{where}: expected format {_FORMAT!r} and [[limits]]"
        raise LimitsError(msg)
    found = tuple(_dated(block, where) for block in content["limits"])
    for earlier, later in itertools.pairwise(found):
        if earlier.since >= later.since:
            msg = f"{where}: {later.since} follows {earlier.since}, expected ascending dates"
            raise LimitsError(msg)
    return found


def _dated(block: dict[str, Any], where: str) -> DatedLimits:
    since, why = block.get("from"), block.get("why")
    if not isinstance(since, date) or not why:
        msg = f"{where}: a block of limits says `from`, a date, and `why`"
        raise LimitsError(msg)
    place = f"{where}, limits from {since}"
    figures = {name: value for name, value in block.items() if name not in {"from", "why"}}
    try:
        limits = msgspec.convert(figures, DeskLimits)
    except msgspec.ValidationError as error:
        msg = f"{place}: {error}"
        raise LimitsError(msg) from None
    check_figures(figures, where=place)
    said = {**figures, "from": since.isoformat(), "why": why}
    return DatedLimits(since, limits, sha256(canonical_bytes(said)).hexdigest())


@functools.cache
def _file() -> tuple[DatedLimits, ...]:
    return limits_of_toml(_FILE.read_text(encoding="utf-8"), where=_FILE.name)
