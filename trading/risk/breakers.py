"""The desk's circuit breakers: what trips one, when it lets a trial trade through, what closes it.

A soft one is half open after a cool-off: one trade at a time may be entered, and its outcome closes
the breaker or opens it again. A hard one waits for people. Sums are whole numbers, so nothing here
depends on the order of floats.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trading.risk.limits import Limits

KILL_SWITCH = "kill switch"  # people's own; that of one strategy has its name after it

CONSECUTIVE_LOSSES = "consecutive losses"
REJECT_RATE = "reject rate"
SLIPPAGE = "slippage"
CLOCK_SKEW = "clock skew"
PROFIT_JUMP = "profit jump"
GATE_FAILURE = "gate failure"
DAY_LOSS = "daily drawdown"
PEAK_LOSS = "peak drawdown"

# These wait for people, whatever time goes by.
HARD = frozenset({PROFIT_JUMP, GATE_FAILURE, DAY_LOSS, PEAK_LOSS})
BREAKERS = (
    CONSECUTIVE_LOSSES,
    REJECT_RATE,
    SLIPPAGE,
    CLOCK_SKEW,
    PROFIT_JUMP,
    GATE_FAILURE,
    DAY_LOSS,
    PEAK_LOSS,
)

KEPT_FIGURES = 250  # of slippages and of changes: what is usual is what was lately

_MILLION = 1_000_000


class Breaker(msgspec.Struct, frozen=True):
    """A breaker that is not closed: how it stands, since when (µs UTC) and why."""

    state: Literal["open", "half open"]
    since_us: int
    reason: str


class Outcome(msgspec.Struct, frozen=True):
    """How an order ended, and when (µs UTC)."""

    at_us: int
    rejected: bool


def with_figure(figures: Sequence[int], figure: int) -> list[int]:
    """The last figures and one more."""
    return [*figures[1 - KEPT_FIGURES :], figure]


def is_beyond(
    figures: Sequence[int], figure: int, *, deviations: int, least: int, floor: int
) -> bool:
    """Whether a figure lies more than so many sample deviations from the mean of others, of at
    least `least`; a deviation is never taken to be below `floor`. Exact.
    """
    count, total = len(figures), sum(figures)
    if count < max(least, 2):
        return False
    # (x - mean)² > k² · variance, both sides multiplied by count² · (count - 1).
    distance = (count * figure - total) ** 2 * (count - 1)
    spread = count * (count * sum(each * each for each in figures) - total**2)
    floored = max(spread, floor**2 * count**2 * (count - 1))
    return distance > deviations**2 * floored


def flags(breakers: Mapping[str, Breaker], *, trades_open: int) -> tuple[str, ...]:
    """Why the breakers let nothing through: one that is open, or half open with its trial out."""
    found = []
    for name in BREAKERS:
        breaker = breakers.get(name)
        if breaker is None:
            continue
        if breaker.state == "open":
            found.append(f"breaker {name}: {breaker.reason}")
        elif trades_open:
            found.append(f"breaker {name} is half open: its trial trade is out")
    return tuple(found)


def is_cooled(name: str, breaker: Breaker, now_us: int, limits: Limits) -> bool:
    """Whether an open breaker may be half opened."""
    cooled = now_us - breaker.since_us >= limits.cool_off_us
    return breaker.state == "open" and name not in HARD and cooled


def losses_trip(losses: int, limits: Limits) -> str | None:
    """Why so many losing trades in a row are too many."""
    if losses < limits.losses_in_a_row:
        return None
    return f"{losses} losing trades in a row"


def rejects_trip(outcomes: list[Outcome], limits: Limits) -> str | None:
    """Why too many of the orders of the window were rejected; a few orders say nothing."""
    count = len(outcomes)
    rejected = sum(outcome.rejected for outcome in outcomes)
    if count < limits.reject_least_orders:
        return None
    if rejected * _MILLION <= limits.reject_rate_ppm * count:
        return None
    return f"{rejected} of {count} orders rejected"


def slippage_trips(before: Sequence[int], slippage_paise: int, limits: Limits) -> str | None:
    """Why a fill was worse than fills have been; better ones trip nothing."""
    worse = slippage_paise * len(before) > sum(before)
    beyond = is_beyond(
        before,
        slippage_paise,
        deviations=limits.slippage_deviations,
        least=limits.least_observations,
        floor=limits.slippage_floor_paise,
    )
    if not (worse and beyond):
        return None
    return f"a fill {slippage_paise} paise a unit worse than expected"


def jump_trips(
    before: Sequence[int], change_paise: int, capital_paise: int, limits: Limits
) -> str | None:
    """Why the profit of a minute, either way, is not one of its kind."""
    floor = capital_paise * limits.profit_jump_floor_ppm // _MILLION
    beyond = is_beyond(
        before,
        change_paise,
        deviations=limits.profit_jump_deviations,
        least=limits.least_observations,
        floor=floor,
    )
    return f"profit moved by {change_paise} paise in a minute" if beyond else None


def skew_trips(ahead_us: int, limits: Limits) -> str | None:
    """Why a stamp of the exchange that lies ahead of its receipt is too far ahead."""
    if ahead_us <= limits.clock_skew_us:
        return None
    return f"the exchange's stamp is {ahead_us / 1000:.0f} ms ahead of ours"


def day_loss_trips(loss_paise: int, capital_paise: int, limits: Limits) -> str | None:
    """Why a day's loss ends it."""
    if loss_paise * _MILLION < limits.day_loss_flatten_ppm * capital_paise:
        return None
    return f"{loss_paise} paise lost today"


def peak_loss_trips(equity_paise: int, highest_paise: int, limits: Limits) -> str | None:
    """Why equity lies too far below its highest for anything but a review."""
    if (highest_paise - equity_paise) * _MILLION < limits.peak_loss_stop_ppm * highest_paise:
        return None
    return f"equity is {highest_paise - equity_paise} paise below its highest"
