"""How good each input of a frame is: its state, how old it is, and the limits it is held to.

An input is judged by its own stamps (`as_of`) at the instant of the frame that shows it, so a feed
that goes on sending an old value shows it STALE. Limits are the table of the risk gates, or twice
the cadence the feed declares where that is slower. Nothing here reads a clock or looks ahead.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from trading.market.frames import ExpiryBlock

SECOND_US = 1_000_000
# The greatest age of an input from a feed faster than this, by gate 4's table.
AGE_LIMITS_US = {
    "spot": 3 * SECOND_US,
    "future": 3 * SECOND_US,
    "chain": 15 * SECOND_US,
    "vix": 90 * SECOND_US,
    "prints": 90 * SECOND_US,
}
SURFACE_AGE_US = 300 * SECOND_US
CADENCES = 2  # of a feed may pass before what it says is stale
# A value that did not move over this many observations is not being watched by anybody.
FROZEN_OBSERVATIONS = {"spot": 5, "future": 5, "vix": 15, "chain": 3}
# A move beyond this from the last value believed is an outlier until something else confirms it.
LARGEST_MOVE = {"spot": 0.03, "future": 0.03, "vix": 0.5}
CONFIRMING_DISTANCE = 0.01  # from another input that was not derived from this one
CONFIRMING_OBSERVATIONS = 3  # that agree with each other are the new level
LARGEST_BASIS = 0.05  # of the parity forward from the spot
LARGEST_PARITY_SPREAD = 0.01  # of the forward, between the strikes that gave it
LARGEST_PRINT_DISTANCE = 0.05  # of a print from the future or spot
NEAR_STRIKES = 3  # each side of the forward: what the at-the-money fallback needs
SURFACE_STRIKES = 8  # each side of the forward with a two-sided quote


class State(StrEnum):
    """What an input is worth now."""

    FRESH = "FRESH"
    STALE = "STALE"
    HALTED = "HALTED"
    MISSING = "MISSING"
    CROSSED = "CROSSED"
    OUTLIER = "OUTLIER"


class Rung(StrEnum):
    """Where the degrade ladder stands: a whole surface, one a few minutes old (shown, nothing is
    entered on it), the at-the-money strikes alone, or nothing to decide on.
    """

    SURFACE = "SURFACE"
    SURFACE_STALE = "SURFACE_STALE"
    ATM_ONLY = "ATM_ONLY"
    NONE = "NONE"


class InputQuality(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The state of one input, its stamps and age in µs, the limit it was held to, the digest of
    the file it came from, and why it is not FRESH.
    """

    state: State
    age_us: int | None
    limit_us: int | None
    as_of: int | None
    available_at: int | None
    source: str | None
    reason: str | None


class FrameQuality(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The quality of every input of a frame."""

    spot: InputQuality
    future: InputQuality
    vix: InputQuality
    prints: InputQuality
    chain: InputQuality


MISSING = InputQuality(State.MISSING, None, None, None, None, None, "NO_SOURCE")


class Reading(NamedTuple):
    """One observation of an input: what it says, its stamps (µs UTC), where it came from and how
    often that source speaks.
    """

    value: float
    as_of: int
    available_at: int
    source: str
    cadence_us: int


def age_limit_us(name: str, cadence_us: int) -> int:
    """The age beyond which an input is STALE, µs."""
    return max(AGE_LIMITS_US[name], CADENCES * cadence_us)


class ValueWatch:
    """What is known of one number (spot, future, VIX) and how far it can be believed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.newest: Reading | None = None
        self._believed: float | None = None
        self._suspects: list[float] = []
        self._unchanged = 0
        self._unchanged_since = 0

    def take(self, reading: Reading) -> bool:
        """Take an observation; False when it is late: no newer than what is known.

        The same stamp again with another value, received later, is a revision and counts.
        """
        newest = self.newest
        if newest is not None and reading.as_of <= newest.as_of:
            revised = reading.as_of == newest.as_of and reading.value != newest.value
            if not revised or reading.available_at < newest.available_at:
                return False
        if newest is not None and reading.value == newest.value:
            self._unchanged += 1
        else:
            self._unchanged, self._unchanged_since = 1, reading.as_of
        self.newest = reading
        self._weigh(reading.value)
        return True

    @property
    def suspected(self) -> bool:
        """Whether the newest value is so far from the last one believed that it may be an error."""
        return bool(self._suspects)

    def assess(self, at_us: int, *, halted: bool, beside: float | None) -> InputQuality:
        """The input's quality at an instant; `beside` is another input's word for the same level
        (None when there is none).
        """
        newest = self.newest
        if newest is None:
            return MISSING
        if self._suspects and beside and abs(newest.value / beside - 1) <= CONFIRMING_DISTANCE:
            self._believe(newest.value)
        limit_us = age_limit_us(self.name, newest.cadence_us)
        frozen = self._unchanged >= FROZEN_OBSERVATIONS[self.name]
        since = self._unchanged_since if frozen else newest.as_of
        age_us = max(0, at_us - since)
        state, reason = State.FRESH, None
        if halted:
            state, reason = State.HALTED, "HALTED"
        elif frozen:
            state, reason = State.STALE, "FROZEN"
        elif age_us > limit_us:
            state, reason = State.STALE, "OLD"
        elif self._suspects:
            state, reason = State.OUTLIER, "MOVE"
        return _quality(state, age_us, limit_us, newest, reason)

    def _weigh(self, value: float) -> None:
        believed, limit = self._believed, LARGEST_MOVE[self.name]
        if believed is None or abs(value / believed - 1) <= limit:
            self._believe(value)
            return
        if self._suspects and abs(value / self._suspects[-1] - 1) > limit:
            self._suspects.clear()
        self._suspects.append(value)
        if len(self._suspects) >= CONFIRMING_OBSERVATIONS:
            self._believe(value)

    def _believe(self, value: float) -> None:
        self._believed = value
        self._suspects.clear()


class ChainWatch:
    """What is known of an option chain: when it was true, whether it moves, whether its quotes near
    the money make sense.
    """

    def __init__(self) -> None:
        self.newest: Reading | None = None
        self._block: ExpiryBlock | None = None
        self._unchanged = 0
        self._unchanged_since = 0

    def take(self, reading: Reading, nearest: ExpiryBlock | None) -> None:
        """Take a snapshot that is news, with its nearest expiry that has a forward."""
        if nearest is not None and self._block is not None and _same_quotes(nearest, self._block):
            self._unchanged += 1
        else:
            self._unchanged, self._unchanged_since = 1, reading.as_of
        self.newest, self._block = reading, nearest

    def assess(self, at_us: int, *, halted: bool, spot: float | None) -> InputQuality:
        """The chain's quality at an instant; `spot` in paise when there is a fresh one."""
        newest = self.newest
        if newest is None:
            return MISSING
        limit_us = age_limit_us("chain", newest.cadence_us)
        frozen = self._unchanged >= FROZEN_OBSERVATIONS["chain"]
        age_us = max(0, at_us - (self._unchanged_since if frozen else newest.as_of))
        state, reason = State.FRESH, None
        if halted:
            state, reason = State.HALTED, "HALTED"
        elif self._block is None:
            state, reason = State.MISSING, "NO_FORWARD"
        elif frozen:
            state, reason = State.STALE, "FROZEN"
        elif age_us > limit_us:
            state, reason = State.STALE, "OLD"
        elif crossed := crossed_near_the_money(self._block):
            state, reason = State.CROSSED, f"CROSSED {crossed}"
        elif why := _outlying(self._block, spot):
            state, reason = State.OUTLIER, why
        return _quality(state, age_us, limit_us, newest, reason)


def print_quality(
    at_us: int, newest: Reading | None, *, halted: bool, beside: float | None
) -> InputQuality:
    """The quality of the prints: the newest of them, beside the future or spot in paise."""
    if newest is None:
        return MISSING
    limit_us = age_limit_us("prints", newest.cadence_us)
    age_us = max(0, at_us - newest.as_of)
    state, reason = State.FRESH, None
    if halted:
        state, reason = State.HALTED, "HALTED"
    elif age_us > limit_us:
        state, reason = State.STALE, "OLD"
    elif beside and abs(newest.value / beside - 1) > LARGEST_PRINT_DISTANCE:
        state, reason = State.OUTLIER, "FAR_FROM_THE_MARKET"
    return _quality(state, age_us, limit_us, newest, reason)


def _quality(
    state: State, age_us: int, limit_us: int, newest: Reading, reason: str | None
) -> InputQuality:
    return InputQuality(
        state, age_us, limit_us, newest.as_of, newest.available_at, newest.source, reason
    )


# --- the quotes of a chain ---

_QUOTES = (
    "strike_paise",
    "call_bid_paise",
    "call_ask_paise",
    "put_bid_paise",
    "put_ask_paise",
    "call_bid_quantity",
    "call_ask_quantity",
    "put_bid_quantity",
    "put_ask_quantity",
    "call_last_paise",
    "put_last_paise",
)


def _same_quotes(one: ExpiryBlock, other: ExpiryBlock) -> bool:
    return all(getattr(one, name) == getattr(other, name) for name in _QUOTES)


def crossed_near_the_money(block: ExpiryBlock) -> int:
    """How many quotes of the strikes nearest the forward are crossed or locked (bid not below
    ask).
    """
    forward = block.forward_paise
    if forward is None:
        return 0
    strikes = block.strike_paise
    above = next((i for i, strike in enumerate(strikes) if strike > forward), len(strikes))
    near = slice(max(0, above - NEAR_STRIKES), above + NEAR_STRIKES)
    return sum(
        bid is not None and ask is not None and bid >= ask
        for side in ("call", "put")
        for bid, ask in zip(
            getattr(block, f"{side}_bid_paise")[near],
            getattr(block, f"{side}_ask_paise")[near],
            strict=True,
        )
    )


def _outlying(block: ExpiryBlock, spot: float | None) -> str | None:
    forward = block.forward_paise or 0
    if spot and abs(forward / spot - 1) > LARGEST_BASIS:
        return "FORWARD_FAR_FROM_SPOT"
    if (block.forward_spread_paise or 0) > LARGEST_PARITY_SPREAD * forward:
        return "PARITY_DISAGREES"
    return None


class Coverage(NamedTuple):
    """How many strikes below and above the forward have a usable out-of-the-money price."""

    below: int
    above: int

    @property
    def fewest(self) -> int:
        """The thinner side."""
        return min(self.below, self.above)


def coverage(block: ExpiryBlock, *, closes: bool = False) -> Coverage:
    """The coverage of an expiry: two-sided, uncrossed quotes of puts below and calls above its
    forward; with `closes` the closing prices instead.
    """
    forward = block.forward_paise
    if forward is None:
        return Coverage(0, 0)
    if closes:
        puts = [price is not None for price in block.put_last_paise]
        calls = [price is not None for price in block.call_last_paise]
    else:
        puts = _two_sided(block.put_bid_paise, block.put_ask_paise)
        calls = _two_sided(block.call_bid_paise, block.call_ask_paise)
    below = above = 0
    for strike, put, call in zip(block.strike_paise, puts, calls, strict=True):
        below += put and strike < forward
        above += call and strike > forward
    return Coverage(below, above)


def _two_sided(bids: tuple[int | None, ...], asks: tuple[int | None, ...]) -> list[bool]:
    return [
        bid is not None and ask is not None and bid < ask
        for bid, ask in zip(bids, asks, strict=True)
    ]


def rung(found: Coverage, chain: InputQuality, *, surface_age_us: int | None) -> Rung:
    """Where the ladder stands for a chain of some coverage and quality; `surface_age_us` is how
    long ago the last whole surface was received (None: never today).
    """
    whole = found.fewest >= SURFACE_STRIKES
    if chain.state is State.FRESH and whole:
        return Rung.SURFACE
    limit_us = max(SURFACE_AGE_US, chain.limit_us or 0)
    own_age_us = chain.age_us if whole and chain.state is State.STALE else None
    if any(age is not None and age <= limit_us for age in (surface_age_us, own_age_us)):
        return Rung.SURFACE_STALE
    if chain.state is State.FRESH and found.fewest >= NEAR_STRIKES:
        return Rung.ATM_ONLY
    return Rung.NONE
