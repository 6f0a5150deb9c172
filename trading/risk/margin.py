"""A SPAN-like margin of index futures and options: sixteen scenarios of price and volatility, net
option value, exposure, and what is added on expiry day.

It is not SPAN: the exchange's parameter files are not read. It values with Black-76 what the
exchange's arrays value, to within the differences `docs/margin.md` gives. Pure and deterministic;
money in paise, prices in paise a unit, quantities in units (long positive).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from trading.pricing.black import black_price
from trading.risk.margin_rules import MarginError, MarginRules, fraction, margin_rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

NAME = "SPAN-like"
SCENARIOS = 16

_THIRD = 1 / 3
# Each of these moves (of the price scan range) with the volatility up and with it down.
_MOVES = (0.0, _THIRD, -_THIRD, 2 * _THIRD, -2 * _THIRD, 1.0, -1.0)
_EXTREME_MOVES = (2.0, -2.0)
_EXTREME_SHARE = 0.35  # of the loss of an extreme move
_DEVIATIONS = 6 * math.sqrt(2)  # of a day's move in the price scan range
_DAYS_IN_YEAR = 365
_FAR_DAYS = 270  # beyond nine months the floor of the scan range is another
_BASE_DAY = 1  # today's value counts the days to expiry and the expiry day itself …
_LOOK_AHEAD_DAYS = 2  # … and a scenario's value two days less
_DELTA_STEP = 1e-4


class Ranges(NamedTuple):
    """What the scenarios move by: the price scan ranges in paise (of contracts up to nine months
    and beyond), a year's volatility and its scan range as fractions.
    """

    price_scan_paise: float
    far_price_scan_paise: float
    volatility: float
    volatility_scan: float


class Market(NamedTuple):
    """What a margin is computed with: the day, each expiry's forward in paise, the ranges and the
    year's interest rate (a fraction).
    """

    day: date
    forwards_paise: Mapping[date, float]
    ranges: Ranges
    rate: float = 0.0


class Position(NamedTuple):
    """An option (strike and right, CE or PE) or a future (both None): units held, negative when
    short, and today's market price.
    """

    expiry: date
    quantity: int
    price_paise: int
    strike_paise: int | None = None
    right: str | None = None


class Valued(NamedTuple):
    """What a margin needs of one unit of a contract: its risk array, and its delta in units of the
    underlying.
    """

    array: tuple[float, ...]
    delta: float


Held = tuple[Position, Valued]


class SpanLikeMargin(NamedTuple):
    """A SPAN-like margin by its parts, paise. `worst_scenario` (1 to 16) is that of the largest
    group; a short option makes the net option value negative and so the margin larger.
    """

    scan_risk_paise: int
    worst_scenario: int
    calendar_spread_paise: int
    net_option_value_paise: int
    exposure_paise: int
    expiry_day_paise: int

    @property
    def span_like_paise(self) -> int:
        """The initial margin: scan risk and calendar spread charge less the net option value."""
        return max(
            self.scan_risk_paise + self.calendar_spread_paise - self.net_option_value_paise, 0
        )

    @property
    def total_paise(self) -> int:
        """What is blocked: the initial margin, the exposure and the expiry-day addition."""
        return self.span_like_paise + self.exposure_paise + self.expiry_day_paise


def ranges_by_rule(underlying_paise: float, volatility: float, rules: MarginRules) -> Ranges:
    """The ranges the exchange's rules give for an index at a year's volatility (a fraction):
    six daily deviations times the root of 2, and a quarter of the volatility to the nearest per
    cent, neither below its floor. Raises MarginError for what is no price or volatility.
    """
    if not (0 < underlying_paise < math.inf and 0 <= volatility < math.inf):
        msg = f"no ranges for an index at {underlying_paise} paise and volatility {volatility}"
        raise MarginError(msg)
    deviations = _DEVIATIONS * volatility / math.sqrt(_DAYS_IN_YEAR)
    share = round(fraction(rules.volatility_scan_share) * volatility, 2)
    return Ranges(
        max(deviations, fraction(rules.price_scan_floor)) * underlying_paise,
        max(deviations, fraction(rules.price_scan_floor_far)) * underlying_paise,
        volatility,
        max(share, fraction(rules.volatility_scan_floor)),
    )


def risk_array(position: Position, market: Market) -> tuple[float, ...]:
    """What one long unit of the contract loses in each of the sixteen scenarios, paise; negative
    where it gains. Of an option never more than its price: more cannot be lost.

    Raises MarginError for an expired contract, or one whose expiry has no forward.
    """
    _check(position, market)
    if position.right is None:
        scan = _scan(position.expiry, market)
        extreme = tuple(-_EXTREME_SHARE * move * scan for move in _EXTREME_MOVES)
        return (*(-move * scan for move in _MOVES for _ in range(2)), *extreme)
    return tuple(min(loss, position.price_paise) for loss in _option_losses(position, market))


def valued(positions: Iterable[Position], market: Market) -> dict[Position, Valued]:
    """The contracts of positions, each valued once; a key is one unit of the contract. What several
    books need (a book, the book with an order) is computed once for all of them.

    Raises MarginError for what cannot be valued.
    """
    contracts = {_unit(each) for each in positions}
    return {each: Valued(risk_array(each, market), _delta(each, market)) for each in contracts}


def span_like_margin(
    positions: Sequence[Position],
    market: Market,
    contracts: Mapping[Position, Valued] | None = None,
) -> SpanLikeMargin:
    """The SPAN-like margin of positions in one underlying; `contracts` are those of `valued` where
    they are at hand.

    Raises MarginError for what cannot be valued and for a day outside the rules.
    """
    rules = margin_rules(market.day)
    known = valued(positions, market) if contracts is None else contracts
    groups = _groups([(each, known[_unit(each)]) for each in positions], market.day, rules)
    scanned = [_scan_risk(group) for group in groups]
    worst = max(scanned, default=(0.0, 1))
    charge = sum(_calendar_charge(group, market, rules) for group in groups)
    exposed = [(each, _exposed(each, market)) for each in positions]
    return SpanLikeMargin(
        scan_risk_paise=math.ceil(sum(risk for risk, _ in scanned)),
        worst_scenario=worst[1],
        calendar_spread_paise=math.ceil(charge),
        net_option_value_paise=sum(
            each.quantity * each.price_paise for each in positions if each.right is not None
        ),
        exposure_paise=math.ceil(
            fraction(rules.exposure) * math.fsum(value for _, value in exposed)
        ),
        expiry_day_paise=math.ceil(
            fraction(rules.expiry_day_short_option)
            * math.fsum(value for each, value in exposed if _expires_short(each, market))
        ),
    )


def _unit(position: Position) -> Position:
    return position._replace(quantity=1)


def _groups(held: list[Held], day: date, rules: MarginRules) -> list[list[Held]]:
    """Positions that offset one another: all of them, or, where the rule is in force, what expires
    today by itself.
    """
    if not fraction(rules.expiring_apart):
        return [held] if held else []
    expiring = [each for each in held if each[0].expiry == day]
    others = [each for each in held if each[0].expiry != day]
    return [group for group in (expiring, others) if group]


def _scan_risk(group: list[Held]) -> tuple[float, int]:
    """The largest loss of a group over the scenarios, paise and never below 0, and its number."""
    losses = [
        math.fsum([position.quantity * each.array[number] for position, each in group])
        for number in range(SCENARIOS)
    ]
    worst = max(range(SCENARIOS), key=losses.__getitem__)
    return max(losses[worst], 0.0), worst + 1


def _calendar_charge(group: list[Held], market: Market, rules: MarginRules) -> float:
    """The charge for units long in one expiry and short in another: the scenarios move all expiries
    alike, and they need not. Nearest expiries are matched first, each match paid on the far one.
    """
    expiries = sorted({position.expiry for position, _ in group})
    deltas = {
        expiry: math.fsum(
            position.quantity * each.delta for position, each in group if position.expiry == expiry
        )
        for expiry in expiries
    }
    rate = fraction(rules.calendar_spread_charge)
    charge = 0.0
    for far_index, far in enumerate(expiries):
        for near in expiries[:far_index]:
            if deltas[near] * deltas[far] < 0:
                matched = math.copysign(min(abs(deltas[near]), abs(deltas[far])), deltas[far])
                charge += abs(matched) * rate * market.forwards_paise[far]
                deltas[near] += matched
                deltas[far] -= matched
    return charge


def _option_losses(position: Position, market: Market) -> tuple[float, ...]:
    ranges = market.ranges
    days = (position.expiry - market.day).days
    scan = _scan(position.expiry, market)
    # The index as the forward and the interest rate have it: it moves, and the forward with it.
    index = market.forwards_paise[position.expiry] * math.exp(-market.rate * days / _DAYS_IN_YEAR)
    base_days = days + _BASE_DAY
    later_days = max(base_days - _LOOK_AHEAD_DAYS, 0)
    today = _value(position, index, base_days, ranges.volatility, market.rate)

    def loss(move: float, volatility: float) -> float:
        moved = max(index + move * scan, 1.0)
        return today - _value(position, moved, later_days, volatility, market.rate)

    swings = (ranges.volatility_scan, -ranges.volatility_scan)
    scanned = (
        loss(move, max(ranges.volatility + swing, 0.0)) for move in _MOVES for swing in swings
    )
    extreme = (_EXTREME_SHARE * loss(move, ranges.volatility) for move in _EXTREME_MOVES)
    return (*scanned, *extreme)


def _value(position: Position, index: float, days: int, volatility: float, rate: float) -> float:
    years = days / _DAYS_IN_YEAR
    growth = math.exp(rate * years)
    strike, right = float(position.strike_paise or 0), position.right or ""
    return black_price(index * growth, strike, years, volatility, right) / growth


def _delta(position: Position, market: Market) -> float:
    """Units of the underlying a unit is worth, at today's volatility."""
    if position.right is None:
        return 1.0
    forward = market.forwards_paise[position.expiry]
    years = ((position.expiry - market.day).days + _BASE_DAY) / _DAYS_IN_YEAR
    up, down = (
        black_price(
            forward * (1 + step),
            float(position.strike_paise or 0),
            years,
            market.ranges.volatility,
            position.right,
        )
        for step in (_DELTA_STEP, -_DELTA_STEP)
    )
    return (up - down) / (2 * _DELTA_STEP * forward)


def _scan(expiry: date, market: Market) -> float:
    far = (expiry - market.day).days > _FAR_DAYS
    return market.ranges.far_price_scan_paise if far else market.ranges.price_scan_paise


def _exposed(position: Position, market: Market) -> float:
    """The value exposure is taken of: of a future's, and of a short option's underlying."""
    if position.right is not None and position.quantity >= 0:
        return 0.0
    return abs(position.quantity) * market.forwards_paise[position.expiry]


def _expires_short(position: Position, market: Market) -> bool:
    return position.right is not None and position.quantity < 0 and position.expiry == market.day


def _check(position: Position, market: Market) -> None:
    if position.expiry < market.day:
        msg = f"a contract of {position.expiry} has expired by {market.day}"
        raise MarginError(msg)
    forward = market.forwards_paise.get(position.expiry)
    if forward is None or not 0 < forward < math.inf:
        msg = f"no forward for {position.expiry}: {forward}"
        raise MarginError(msg)
    if (position.strike_paise is None) != (position.right is None) or position.price_paise < 0:
        msg = f"neither an option nor a future: {position}"
        raise MarginError(msg)
    if position.right is not None and (
        position.right not in {"CE", "PE"} or (position.strike_paise or 0) <= 0
    ):
        msg = f"no option: {position}"
        raise MarginError(msg)
