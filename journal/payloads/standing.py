"""What stands after a decision: positions, portfolio, limits, breakers; and who ordered it."""

from __future__ import annotations

from operator import attrgetter
from typing import Literal

from journal.payloads.decisions import Gate
from journal.payloads.registry import payload_of
from journal.payloads.shapes import (
    Contract,
    Count,
    DateText,
    Fees,
    Opaque,
    Positive,
    Scalar,
    Shape,
    Side,
    Text,
)

MarkState = Literal["FRESH", "STALE", "HALTED", "MISSING"]
TradeState = Literal["OPEN", "HOLD", "EXIT", "ARCHIVE"]


@payload_of("operator.command", key=attrgetter("id"), key_text="`id`")
class OperatorCommand(Shape, frozen=True):
    """What a person told the session to do; the same id again changes nothing.

    id: id of the command.
    command: its name, such as `kill`.
    arguments: what it was given, by name; each command has its own.
    actor: who gave it.
    address: where the actor sat: an IP address, or `local`.
    reason: why, in the actor's words.
    issued_at: when it was given, wall clock, µs UTC.
    """

    id: Text
    command: Text
    arguments: Opaque
    actor: str
    address: str
    reason: str
    issued_at: int


class Waterfall(Shape, frozen=True):
    """From what was hoped for to what is left, paise.

    expected_paise: profit had every fill met the price its order expected; null without
        `gross_paise`.
    slippage_paise: what fills cost beyond that; negative when they went better.
    unpriced_fills: fills whose order expected no price: they count at their own.
    gross_paise: profit before costs, `expected_paise` less slippage; null without a quote.
    fees: charges by line; null where costs are `GROSS`.
    funding_paise: what blocked margin has cost; null where costs are `GROSS`, and of a single
        trade, for margin is of the book.
    net_paise: `gross_paise` less charges and funding; null without one of the first two.
    """

    expected_paise: int | None
    slippage_paise: int
    unpriced_fills: Count
    gross_paise: int | None
    fees: Fees | None
    funding_paise: Count | None
    net_paise: int | None

    def __post_init__(self) -> None:
        """Refuse steps that do not lead from one figure to the next."""
        gross = self.gross_paise
        expected = None if gross is None else gross + self.slippage_paise
        net = None
        if gross is not None and self.fees is not None:
            net = gross - self.fees.total - (self.funding_paise or 0)
        if (self.expected_paise, self.net_paise) != (expected, net):
            raise ValueError("the waterfall's steps do not add up")


class PositionLeg(Shape, frozen=True):
    """One contract of a trade.

    contract: the contract.
    side: side it was entered on.
    quantity: units intended.
    filled: units entered.
    closed: units left again.
    entry_value_paise: sum of quantity × price of the entry fills, paise.
    exit_value_paise: sum of quantity × price of the exit fills, paise.
    entry_paise: average entry price to the nearest paisa, half up; null before a fill.
    exit_paise: average exit price likewise.
    """

    contract: Contract
    side: Side
    quantity: Positive
    filled: Count
    closed: Count
    entry_value_paise: Count
    exit_value_paise: Count
    entry_paise: Count | None
    exit_paise: Count | None


@payload_of("position.changed", key=attrgetter("trade"), key_text="`trade`")
class PositionChanged(Shape, frozen=True):
    """A trade moved.

    trade: id of the trade.
    strategy: name of the strategy.
    underlying: name of the index.
    state: `OPEN` entry working, `HOLD` entered, `EXIT` exit working, `ARCHIVE` flat for good.
    before: the state before; null for a new trade.
    reason: what moved it.
    legs: its legs as they stand.
    gross_paise: realised profit before costs, paise.
    net_paise: realised profit less the charges of its fills, paise; null where costs are `GROSS`.
    waterfall: how one becomes the other; charges are estimates to the paisa.
    costs: name of the cost profile, with its stress where that is not 1.
    """

    trade: Text
    strategy: Text
    underlying: Text
    state: TradeState | None
    before: TradeState | None
    reason: Text
    legs: list[PositionLeg]
    gross_paise: int
    net_paise: int | None
    waterfall: Waterfall
    costs: Text


class SettledLeg(Shape, frozen=True):
    """A leg at its expiry.

    contract: the contract.
    side: side it was entered on.
    quantity: units that were held.
    outcome: `EXERCISED` bought and in the money, `ASSIGNED` sold and in the money, `LAPSED` at the
        strike or out of the money.
    intrinsic_paise: what a unit pays, paise: settlement price less strike, for a put the other way
        round; 0 when it lapsed.
    value_paise: quantity × that, paise; received when it was bought, paid when it was sold.
    charges: what it costs by line, an estimate to the paisa; null where costs are `GROSS`.
    """

    contract: Contract
    side: Side
    quantity: Positive
    outcome: Literal["LAPSED", "EXERCISED", "ASSIGNED"]
    intrinsic_paise: Count
    value_paise: Count
    charges: Fees | None

    def __post_init__(self) -> None:
        """Refuse a value that is not that of its units, and an outcome that is another's."""
        held = "EXERCISED" if self.side == "BUY" else "ASSIGNED"
        if self.value_paise != self.quantity * self.intrinsic_paise:
            raise ValueError("`value_paise` is `quantity` × `intrinsic_paise`")
        if self.outcome != (held if self.intrinsic_paise else "LAPSED"):
            raise ValueError("`outcome` is that of `side` and `intrinsic_paise`")


@payload_of("position.settled", key=attrgetter("trade"), key_text="`trade`")
class PositionSettled(Shape, frozen=True):
    """What a trade held of contracts that expired was settled in cash.

    trade: id of the trade.
    strategy: name of the strategy.
    underlying: name of the index.
    expiry: ISO date of the contracts.
    price_paise: the final settlement price, paise.
    source: table it was read from, as in its `settlement.published`.
    row: which row of it, likewise.
    legs: the legs that expired.
    cash_paise: what came in less what went out, before charges, paise.
    costs: name of the cost profile, with its stress where that is not 1.
    """

    trade: Text
    strategy: Text
    underlying: Text
    expiry: DateText
    price_paise: Positive
    source: Text
    row: Text
    legs: list[SettledLeg]
    cash_paise: int
    costs: Text

    def __post_init__(self) -> None:
        """Refuse cash that is not that of the legs."""
        cash = sum(leg.value_paise if leg.side == "BUY" else -leg.value_paise for leg in self.legs)
        if self.cash_paise != cash:
            raise ValueError("`cash_paise` is the sum of what the legs bring and take")


@payload_of("position.unsettled", key=attrgetter("trade"), key_text="`trade`")
class PositionUnsettled(Shape, frozen=True):
    """A trade holds contracts that expired today and could not be settled; it stays as it is, and
    no price is assumed for it.

    trade: id of the trade.
    strategy: name of the strategy.
    underlying: name of the index.
    expiry: ISO date of the contracts.
    contracts: those that are held.
    reason: `NO_PRICE` no settlement price is known, `ORDER_WORKS` an order of it had no end by the
        close, so that what is held is not certain.
    """

    trade: Text
    strategy: Text
    underlying: Text
    expiry: DateText
    contracts: list[Contract]
    reason: Literal["NO_PRICE", "ORDER_WORKS"]


class PortfolioPosition(Shape, frozen=True):
    """An open trade in a snapshot.

    trade: id of the trade.
    strategy: name of the strategy.
    underlying: name of the index.
    state: its state; null before the broker answered.
    gross_paise: realised profit before costs, paise.
    value_paise: what closing it now at the opposite quotes brings, paise, negative where it takes;
        null without a quote.
    unrealised_paise: profit of closing now at the opposite quotes, paise; null without a quote.
    mark: what those quotes are worth: `FRESH`, `STALE`, `MISSING`, or `HALTED` when they are the
        last before trading stopped.
    """

    trade: Text
    strategy: Text
    underlying: Text
    state: TradeState | None
    gross_paise: int
    value_paise: int | None
    unrealised_paise: int | None
    mark: MarkState


class StandingGate(Gate, frozen=True):
    """What a gate would say to an entry now.

    number: number of the gate in the house's list.
    name: name of the gate.
    value: what was compared, in `unit`; null when it is not known.
    limit: what it was compared with, in `unit`; null when it is not known.
    unit: as in `gate.decided`.
    headroom: how far inside the limit, in `unit`; negative outside, null when not known.
    verdict: `pass`, `half` or `block`.
    reason: why it would not simply pass; null otherwise.
    underlying: name of the index the entry would be in.
    """

    underlying: Text


class BookGreeks(Shape, frozen=True):
    """Sensitivities of the book, paise of profit.

    delta_paise: of a move of +1 % by delta.
    gamma_paise: what gamma adds to that for the next 1 %.
    vega_paise: of +1 vol point.
    theta_paise: of a day gone by.
    scenarios_paise: in each scenario of the gates' (`docs/gates.md`), in their order.
    """

    delta_paise: int
    gamma_paise: int
    vega_paise: int
    theta_paise: int
    scenarios_paise: list[int]


@payload_of("portfolio.snapshot")
class PortfolioSnapshot(Shape, frozen=True):
    """The portfolio, once a minute. What is held is marked at the price it would be closed at.

    cash_paise: capital and what all fills, charges and funding have made of it, paise.
    value_paise: what closing everything now brings, paise, negative where it takes; null with
        `unrealised_reason`.
    realised_paise: profit of all that was closed, before costs, paise.
    unrealised_paise: profit of closing the rest now, before costs, paise; null with a reason.
    unrealised_reason: `NO_QUOTE` when a quote is missing; null otherwise.
    mark: the worst of the positions' marks; null when nothing is held.
    equity_paise: cash and value, paise; null with `unrealised_reason`.
    highest_equity_paise: highest equity of any snapshot, paise; null before the first.
    day_profit_paise: equity less that at the day's opening, paise; null with `unrealised_reason`.
    day_drawdown_paise: how far equity is below its highest of the day's snapshots, paise; null
        likewise.
    peak_drawdown_paise: how far it is below `highest_equity_paise`, paise; null likewise.
    waterfall: from what was hoped for to what is left of the session's profit, realised and not;
        charges of closed days as billed, of the open one as estimated.
    unfunded_nights: nights whose funding is not in it, for no margin was known.
    greeks: sensitivities, what works of entries counted as filled; null with a reason.
    greeks_reason: what is missing (`NO_QUOTE`, `NO_FORWARD`, `NO_VOLATILITY`, `EXPIRED`); null
        otherwise.
    margin_paise: SPAN-like margin, counted likewise, paise; null with a reason.
    margin_reason: what is missing (`NO_QUOTE`, `NO_FORWARD`, `NO_INDEX`, or `NO_RULES` of the day);
        null otherwise.
    killed: whether the kill switch is set.
    positions: trades that are not archived.
    gates: what each gate would say to an entry now, for each underlying: to one that is not yet
        made, so what depends on its contracts is left open.
    costs: name of the cost profile.
    """

    cash_paise: int
    value_paise: int | None
    realised_paise: int
    unrealised_paise: int | None
    unrealised_reason: Text | None
    mark: MarkState | None
    equity_paise: int | None
    highest_equity_paise: int | None
    day_profit_paise: int | None
    day_drawdown_paise: int | None
    peak_drawdown_paise: int | None
    waterfall: Waterfall
    unfunded_nights: Count
    greeks: BookGreeks | None
    greeks_reason: Text | None
    margin_paise: Count | None
    margin_reason: Text | None
    killed: bool
    positions: list[PortfolioPosition]
    gates: list[StandingGate]
    costs: Text

    def __post_init__(self) -> None:
        """Refuse an equity that is not cash and value."""
        value = self.value_paise
        if self.equity_paise != (None if value is None else self.cash_paise + value):
            raise ValueError("`equity_paise` is the sum of cash and value")


@payload_of("limits.changed", key=None, key_text="strategy, or none")
class LimitsChanged(Shape, frozen=True):
    """A limit was changed.

    what: name of the limit, with its unit.
    before: figure before.
    after: figure from now on.
    actor: who changed it.
    approver: the second person, who agreed to a looser one; null for a stricter one.
    reason: why.
    """

    what: Text
    before: Scalar
    after: Scalar
    actor: str
    approver: str | None
    reason: str


@payload_of("breaker.changed", key=None, key_text="strategy, or none")
class BreakerChanged(Shape, frozen=True):
    """A breaker was set or reset.

    what: name of the breaker, such as `kill switch`, or `kill switch S4` for one of a strategy.
    before: whether it was set before.
    after: whether it is set now.
    state: `open`, `half open` (one trade at a time, whose outcome decides) or `closed`.
    hard: whether it waits for people, whatever time goes by.
    flattens: whether what is held is exited while it is set.
    actor: who or what set it, or asked for its re-arming.
    approver: the second person, who agreed to its re-arming; null otherwise.
    reason: why.
    """

    what: Text
    before: bool
    after: bool
    state: Literal["open", "half open", "closed"]
    hard: bool
    flattens: bool
    actor: str
    approver: str | None
    reason: str


@payload_of("request.changed", key=attrgetter("request"), key_text="`request`")
class RequestChanged(Shape, frozen=True):
    """A command that lets more through waits for a second person, was approved, or cannot be
    obeyed.

    request: id of the command.
    what: what it asks for.
    state: `waiting`, `approved` or `refused`.
    actor: who asked.
    approver: the second person; null while it waits or when it was refused.
    reason: why, in the actor's or the approver's words; what is wrong with one refused.
    """

    request: Text
    what: Text
    state: Literal["waiting", "approved", "refused"]
    actor: str
    approver: str | None
    reason: str


@payload_of("strategy.disabled", key=None, key_text="strategy, or none")
class StrategyDisabled(Shape, frozen=True):
    """A strategy was switched off or on.

    what: name of the strategy.
    before: whether it was disabled before.
    after: whether it is disabled now.
    actor: who or what did it.
    reason: why.
    """

    what: Text
    before: bool
    after: bool
    actor: str
    reason: str
